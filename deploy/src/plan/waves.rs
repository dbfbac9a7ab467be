//! In which order the hosts of an environment become live.

use std::collections::BTreeMap;

use super::HostPlan;
use crate::config::{Environment, Strategy};
use crate::names::HostName;
use crate::request::Kind;

/// The hosts that swap at once, wave after wave, each proven before the next begins. A way back is always one wave:
/// whoever goes back wants it over.
pub(super) fn waves(environment: &Environment, kind: &Kind) -> Vec<Vec<HostName>> {
    let hosts: Vec<HostName> = environment
        .hosts
        .iter()
        .map(|host| host.name.clone())
        .collect();
    let batch = (environment.batch as usize).max(1);
    match (kind, environment.strategy) {
        (Kind::Rollback { .. }, _) | (_, Strategy::All) => vec![hosts],
        (Kind::Deploy { .. }, Strategy::Rolling) => {
            hosts.chunks(batch).map(<[HostName]>::to_vec).collect()
        }
        (Kind::Deploy { .. }, Strategy::Canary) => {
            let (first, rest) = hosts.split_at(batch.min(hosts.len()));
            let waves = [first, rest].into_iter().filter(|wave| !wave.is_empty());
            waves.map(<[HostName]>::to_vec).collect()
        }
    }
}

/// Has one host of each wave speak for it, where the app is asked from outside.
pub(super) fn name_speakers(
    environment: &Environment,
    waves: &[Vec<HostName>],
    hosts: &mut BTreeMap<HostName, HostPlan>,
) {
    let health = environment.health.as_ref();
    if health.is_none_or(|health| health.outside.is_empty()) {
        return;
    }
    for wave in waves {
        let asked = |host: &&HostName| hosts.get(*host).is_some_and(|plan| plan.health);
        if let Some(speaker) = wave.iter().find(asked).cloned()
            && let Some(plan) = hosts.get_mut(&speaker)
        {
            plan.outside = true;
        }
    }
}
