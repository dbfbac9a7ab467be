//! What a deployment would do, found out without changing anything.

use std::collections::BTreeMap;

use super::{Access, ask};
use crate::plan::{self, Plan, Refusal, Wish};
use crate::{Artifact, Config, DeployRequest, Digest, clock};

/// Asks every host of an environment and makes the plan of a request, with its digest; changes nothing and takes no
/// lease.
pub async fn planned(
    config: &Config,
    environment: &crate::config::Environment,
    request: &DeployRequest,
    artifact: Option<&Artifact>,
    access: &Access,
) -> Result<(Plan, Digest), Refusal> {
    let mut facts = BTreeMap::new();
    let mut silent = Vec::new();
    for (host, heard) in ask::survey(environment, &config.shared, access).await {
        match heard {
            Ok(heard) => drop(facts.insert(host, heard)),
            Err(failure) => silent.push(failure),
        }
    }
    let mut silent = silent.into_iter();
    if let Some(failure) = silent.next() {
        return Err(Refusal {
            failure: Box::new(failure),
            more: silent.collect(),
            held: false,
        });
    }
    let wish = Wish {
        config,
        environment,
        request,
        artifact,
        now: clock::now(),
    };
    let plan = plan::plan(wish, &facts)?;
    let digest = plan.digest(wish);
    Ok((plan, digest))
}
