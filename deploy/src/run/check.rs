//! Whether hosts are fit for a deployment, seen without changing anything.

use std::collections::BTreeSet;

use super::{Access, ask};
use crate::Failure;
use crate::config::{Config, Environment};
use crate::plan::fit;

/// Asks every host of an environment and tells all that has to be mended before a deployment; changes nothing.
pub async fn check(config: &Config, environment: &Environment, access: &Access) -> Vec<Failure> {
    let mut failures = Vec::new();
    let mut silent = BTreeSet::new();
    for (name, heard) in ask::survey(environment, &config.shared, access).await {
        let host = environment.hosts.iter().find(|host| host.name == name);
        match (host, heard) {
            (Some(host), Ok(facts)) => failures.extend(fit::faults(environment, host, &facts)),
            (_, Err(failure)) => {
                failures.push(failure);
                silent.insert(name);
            }
            (None, Ok(_)) => {}
        }
    }
    if environment.workers.is_empty() {
        return failures;
    }
    for (name, listed) in ask::workers(environment, access).await {
        // A host that cannot be asked at all is told once.
        failures.extend(listed.err().filter(|_| !silent.contains(&name)));
    }
    failures
}
