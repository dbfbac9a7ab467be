//! In which order the hosts of an environment become live.

use std::collections::BTreeMap;

use super::HostPlan;
use crate::config::{Environment, Host, Role, Strategy};
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

/// Whether a host swaps together with others, and there are workers: newer code of one may put jobs on a queue that old
/// workers of another one take from.
pub(super) fn share_workers(
    environment: &Environment,
    waves: &[Vec<HostName>],
    host: &HostName,
) -> bool {
    let wave = waves.iter().find(|wave| wave.contains(host));
    let works = |host: &&Host| host.roles.contains(&Role::Worker);
    let mut workers = environment.hosts.iter().filter(works);
    !environment.workers.is_empty()
        && wave
            .is_some_and(|wave| wave.len() > 1 && workers.any(|worker| wave.contains(&worker.name)))
}

/// Has one host of each wave speak for it, where the app is asked from outside.
pub(super) fn name_speakers(
    environment: &Environment,
    waves: &[Vec<HostName>],
    hosts: &mut BTreeMap<HostName, HostPlan>,
) {
    let Some(health) = &environment.health else {
        return;
    };
    for wave in waves {
        let asked = |host: &&HostName| hosts.get(*host).is_some_and(|plan| plan.health);
        if let Some(speaker) = wave.iter().find(asked).cloned()
            && let Some(plan) = hosts.get_mut(&speaker)
        {
            plan.outside.clone_from(&health.outside);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const HEAD: &str = "app = \"x\"\nrepository = \"github:a/b\"\n[environments.production]\npath = \"/srv/app\"\n";
    const GROUP: &str = "[[environments.production.workers]]\ngroup = \"mail\"\n";

    /// Which of `web1`, `web2`, `jobs` wait for others, where they swap in these waves.
    fn waiting(waves: &[&[&str]], groups: &str) -> Vec<&'static str> {
        let host = |name: &str, role: &str| {
            format!(
                "[[environments.production.hosts]]\nname = \"{name}\"\naddress = \"a@{name}\"\nroles = [\"{role}\"]\n"
            )
        };
        let hosts = host("web1", "web") + &host("web2", "web") + &host("jobs", "worker");
        let config = Config::parse("x", &(HEAD.to_owned() + &hosts + groups));
        let config = config.unwrap_or_else(|problems| panic!("{problems}"));
        let named = |name: &&str| HostName::parse(name).unwrap();
        let waves: Vec<Vec<HostName>> = waves
            .iter()
            .map(|wave| wave.iter().map(named).collect())
            .collect();
        let environment = config.environment("production").unwrap();
        let waits = |host: &&str| share_workers(environment, &waves, &named(host));
        ["web1", "web2", "jobs"].into_iter().filter(waits).collect()
    }

    #[test]
    fn hosts_wait_for_one_another_where_their_wave_has_workers() {
        let all = ["web1", "web2", "jobs"];
        assert_eq!(waiting(&[&all], GROUP), all);
        assert_eq!(waiting(&[&["web1"], &["web2", "jobs"]], GROUP), all[1..]);
        let nobody = [""; 0];
        assert_eq!(waiting(&[&["web1", "web2"], &["jobs"]], GROUP), nobody);
        assert_eq!(waiting(&[&["web1"], &["web2"], &["jobs"]], GROUP), nobody);
        assert_eq!(waiting(&[&all], ""), nobody);
    }
}
