//! Which alarms are looked at from which host.

use std::collections::BTreeMap;

use super::{Goal, HostPlan, Wish};
use crate::alarms::Alarm;
use crate::config::{Host, Role};
use crate::names::HostName;
use crate::request::Kind;

/// Gives each host of each wave its alarms. What is the same wherever it is looked at from is looked at once in a wave.
pub(super) fn give(
    wish: Wish<'_>,
    goal: &Goal,
    waves: &[Vec<HostName>],
    hosts: &mut BTreeMap<HostName, HostPlan>,
) {
    let environment = wish.environment;
    let deploys = matches!(wish.request.kind, Kind::Deploy { .. });
    let back = matches!(goal, Goal::Nothing { .. } | Goal::TakeBack { .. });
    if environment.watch.is_zero() || !deploys || back {
        return;
    }
    for wave in waves {
        let of_wave = environment
            .hosts
            .iter()
            .filter(|host| wave.contains(&host.name));
        let (mut speaks, mut asks_queue) = (true, true);
        for host in of_wave {
            let first_worker = asks_queue && host.roles.contains(&Role::Worker);
            let Some(plan) = hosts.get_mut(&host.name) else {
                continue;
            };
            plan.alarms = of(wish, host, speaks, first_worker);
            plan.watch |= !plan.alarms.is_empty();
            speaks = false;
            asks_queue &= !first_worker;
        }
    }
}

fn of(wish: Wish<'_>, host: &Host, speaks: bool, asks_queue: bool) -> Vec<Alarm> {
    let alarms = &wish.environment.alarms;
    let has = |role: Role| host.roles.contains(&role);
    let log = alarms.access_log.iter().filter(|_| has(Role::Web));
    let queue = alarms.queue.iter().filter(|_| asks_queue);
    let workers = alarms.workers.iter().filter(|_| has(Role::Worker));
    let prometheus = alarms.prometheus.iter().filter(|_| speaks);
    log.cloned()
        .map(Alarm::AccessLog)
        .chain(queue.cloned().map(Alarm::Queue))
        .chain(workers.cloned().map(Alarm::Workers))
        .chain(prometheus.cloned().map(Alarm::Prometheus))
        .chain(alarms.commands.iter().cloned().map(Alarm::Command))
        .collect()
}
