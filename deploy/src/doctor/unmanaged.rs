//! Workers and servers that no group of the configuration has, so that nobody makes them follow a release.

use super::Severity::Loses;
use super::checks::UNMANAGED;
use super::ini::Program;
use super::seen::{Listed, Process, Seen};
use super::work::Work;
use super::{Diagnosis, Look};
use crate::config::{Manager, Role};

pub(super) fn judge(look: Look<'_>, told: &mut Diagnosis) {
    let seen = look.seen;
    if let Some(why) = seen.trouble.get("processes") {
        told.blind(&UNMANAGED, why.clone());
        return;
    }
    let works = look.host.roles.contains(&Role::Worker);
    if works && seen.listed.is_empty() && !look.environment.workers.is_empty() {
        told.blind(&UNMANAGED, "supervisor lists no workers to compare with");
        return;
    }
    let known = strays(look, &seen.processes, Work::is_worker);
    let hidden = strays(look, &seen.hidden, Work::is_worker);
    if known.is_empty() && !hidden.is_empty() {
        for (_, pid) in hidden {
            let why =
                format!("process {pid} runs an artisan of another user; who is root could look");
            told.blind(&UNMANAGED, why);
        }
        return;
    }
    let named: Vec<String> = known
        .iter()
        .map(|(command, pid)| format!("{command} (pid {pid})"))
        .collect();
    let found = format!("no group of the configuration has {}", named.join(", "));
    let mend = format!(
        "[[environments.{}.workers]] with its group, or end it",
        look.environment.name
    );
    told.verdict(
        &UNMANAGED,
        (!named.is_empty()).then_some((Loses, found, mend)),
    );
}

/// The command and pid of each that lasts and belongs to no group.
pub(super) fn strays<'a>(
    look: Look<'a>,
    among: &'a [Process],
    wanted: impl Fn(&Work<'a>) -> bool,
) -> Vec<(&'a str, u32)> {
    let seen = look.seen;
    let groups = look.environment.workers.iter();
    let groups = groups.filter(|workers| may_be_supervised(workers.manager));
    let groups: Vec<&String> = groups.map(|workers| &workers.group).collect();
    let ours: Vec<Vec<String>> = groups
        .iter()
        .flat_map(|group| seen.supervisors.iter().flat_map(|ini| ini.programs(group)))
        .map(Program::words)
        .collect();
    // Another group may have the same command, so each that is listed without its process stands for one only.
    let missed = seen.listed.iter();
    let missed = missed.filter(|one| groups.contains(&&one.group) && is_missed(one, seen));
    let mut missed = missed.count();
    let mut strays = Vec::new();
    for process in among {
        let Some(work) = Work::read(&process.words) else {
            continue;
        };
        let once = process
            .words
            .iter()
            .any(|word| word == "--once" || word == "--stop-when-empty");
        if !wanted(&work) || once || is_of_a_group(process, seen) || may_be_a_pods(look, process) {
            continue;
        }
        if missed > 0 && ours.contains(&process.words) {
            missed -= 1;
        } else {
            strays.push((work.command, process.pid));
        }
    }
    strays
}

/// Whether it may be supervisor that starts the workers of a manager.
pub(crate) fn may_be_supervised(manager: Manager) -> bool {
    use Manager::{Command, Horizon, QueueRestart, Supervisor};
    matches!(manager, Supervisor | Horizon | QueueRestart | Command)
}

/// Whether it may be one of a pod, of which nobody tells the process, on a host that is a node of its cluster.
fn may_be_a_pods(look: Look<'_>, process: &Process) -> bool {
    let mut groups = look.environment.workers.iter();
    look.seen.boxed.contains(&process.pid)
        && groups.any(|workers| workers.manager == Manager::Kubernetes)
}

/// Whether a manager lists a process that was not seen: it is just starting, or finishes its last job, or another one has
/// taken its place between two looks.
fn is_missed(listed: &Listed, seen: &Seen) -> bool {
    match listed.pid {
        None => matches!(listed.state.as_str(), "STARTING" | "ENDING"),
        Some(pid) => {
            let mut all = seen.processes.iter().chain(&seen.hidden);
            !all.any(|process| process.pid == pid)
        }
    }
}

/// Whether a manager lists a process or one that it descends from, as it does of Horizon.
fn is_of_a_group(process: &Process, seen: &Seen) -> bool {
    let mut at = process.pid;
    for _ in 0..8 {
        // The first process of a pod is another one than the host's.
        if at == 1 {
            return false;
        }
        if seen.listed.iter().any(|listed| listed.pid == Some(at)) {
            return true;
        }
        let mut all = seen.processes.iter().chain(&seen.hidden);
        match all.find(|other| other.pid == at) {
            Some(other) => at = other.parent,
            None => return false,
        }
    }
    false
}
