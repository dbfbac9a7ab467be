//! Whether hosts are fit for a deployment, seen without changing anything.

use std::collections::BTreeSet;

use super::{Access, ask};
use crate::config::{Config, Environment};
use crate::plan::{self, fit};
use crate::{Failure, HostName};

/// What a check of an environment found.
#[derive(Debug, Default)]
pub struct Checked {
    /// What has to be mended before a deployment.
    pub failures: Vec<Failure>,
    /// What is worth knowing and stands in nobody's way.
    pub remarks: Vec<(HostName, String)>,
}

/// Asks every host of an environment and tells all that has to be mended before a deployment; changes nothing.
pub async fn check(config: &Config, environment: &Environment, access: &Access) -> Checked {
    let Checked {
        mut failures,
        mut remarks,
    } = Checked::default();
    let mut silent = BTreeSet::new();
    for (name, heard) in ask::survey(environment, &config.shared, access).await {
        let host = environment.hosts.iter().find(|host| host.name == name);
        match (host, heard) {
            (Some(host), Ok(facts)) => {
                failures.extend(fit::faults(environment, host, &facts));
                failures.extend(fit::foreign_lock(environment, host, &facts));
                let told = plan::remarks(environment, &config.shared, host, &facts);
                remarks.extend(told.into_iter().map(|told| (name.clone(), told)));
            }
            (_, Err(failure)) => {
                failures.push(failure);
                silent.insert(name);
            }
            (None, Ok(_)) => {}
        }
    }
    if environment.workers.is_empty() && environment.runtimes.is_empty() {
        return Checked { failures, remarks };
    }
    for (name, roster) in ask::workers(environment, access).await {
        // A host that cannot be asked at all is told once.
        if !silent.contains(&name) {
            failures.extend(roster.failures);
        }
    }
    Checked { failures, remarks }
}
