//! Groups of workers, and what fits together in one.

use super::super::findings::{Fault, Findings};
use super::super::grammar;
use super::super::place::Place;
use super::super::{AfterDrain, HandOver, Manager, Workers, defaults, raw};
use super::{Time, containers, named_once, optional};

/// Reads the groups of workers, the good ones with their position in the file.
pub(super) fn workers(
    raw: Vec<raw::Workers>,
    place: &Place,
    findings: &mut Findings<'_>,
) -> Vec<(usize, Workers)> {
    named_once(raw, place, findings, "the group ", group, |workers| {
        &workers.group
    })
}

fn group(raw: raw::Workers, place: &Place, findings: &mut Findings<'_>) -> Option<Workers> {
    let manager = raw.manager.unwrap_or(defaults::WORKERS_MANAGER);
    let named = |text: String| {
        let read = grammar::process_name(called(manager), &text, "shop-worker");
        findings.take(&place.key("group"), read)
    };
    let group = raw.group.and_then(named);
    let hand_over = raw.hand_over.unwrap_or(manager.usual());
    let drain = Time::running(raw.drain_timeout, defaults::WORKERS_DRAIN_TIMEOUT);
    let drain_timeout = drain.read(&place.key("drain_timeout"), findings);
    let tables = containers::Tables {
        docker: raw.docker,
        compose: raw.compose,
        kubernetes: raw.kubernetes,
    };
    let containers = containers::containers(manager, group.as_ref(), tables, place, findings);
    let lines = [
        ("process", raw.process),
        ("start", raw.start),
        ("end", raw.end),
    ];
    let [process, start, end] = lines.map(|(key, text)| {
        let place = place.key(key);
        optional(text, &place, findings, grammar::one_line)
    });
    let (process, start, end) = (process.ok()?, start.ok()?, end.ok()?);
    let process = process.or_else(|| manager.process().map(str::to_owned));
    let workers = Workers {
        manager,
        group: group?,
        expect: raw.expect.unwrap_or(defaults::WORKERS_EXPECT),
        hand_over,
        drain_timeout: drain_timeout?,
        after_drain: raw.after_drain.unwrap_or(AfterDrain::usual(hand_over)),
        sudo: raw.sudo.unwrap_or(manager.usually_by_sudo()),
        process,
        start,
        end,
        containers: containers.ok()?,
    };
    for (key, fault) in misfits(&workers) {
        findings.add(&key.map_or(place.clone(), |key| place.key(key)), fault);
    }
    Some(workers)
}

/// What a group is in its manager.
fn called(manager: Manager) -> &'static str {
    match manager {
        Manager::Supervisor => "a supervisor group",
        Manager::Systemd | Manager::SystemdUser => "a systemd unit",
        Manager::Compose => "a service of Compose",
        Manager::Kubernetes => "a Deployment",
        Manager::Horizon | Manager::QueueRestart | Manager::Command | Manager::Docker => "a group",
    }
}

/// What does not go together, with the key that says it.
fn misfits(workers: &Workers) -> Vec<(Option<&'static str>, Fault)> {
    let manager = workers.manager;
    let word = manager.word();
    let mut faults = Vec::new();
    let known = manager.hand_overs();
    if !known.contains(&workers.hand_over) {
        let known: Vec<String> = known
            .iter()
            .map(|known| format!("`hand_over = \"{}\"`", known.word()))
            .collect();
        let message = format!("{word} knows no {}", workers.hand_over.word());
        let help = format!("write {}", known.join(" or "));
        faults.push((Some("hand_over"), Fault::new(message, help)));
    }
    let overlap = workers.hand_over == HandOver::Overlap;
    if overlap && workers.group.contains('@') {
        let message = "with an overlap `@` stands between a group and a release";
        faults.push((Some("group"), Fault::new(message, "take the `@` out")));
    }
    if workers.process.is_some() && !manager.looks_at_command_lines() {
        let message = format!("{word} knows its processes by their group");
        faults.push((Some("process"), Fault::new(message, "take it out")));
    }
    if manager != Manager::Command {
        for (key, line) in [("start", &workers.start), ("end", &workers.end)] {
            if line.is_some() {
                let help = "take it out, or write `manager = \"command\"`";
                let message = format!("{word} knows how to {key} workers");
                faults.push((Some(key), Fault::new(message, help)));
            }
        }
        return faults;
    }
    if workers.process.is_none() {
        let help = "add a text of their command line: `process = \"artisan queue:work\"`";
        faults.push((
            None,
            Fault::new("nothing says which processes these workers are", help),
        ));
    }
    if overlap != workers.start.is_some() {
        let message = "`start` and an overlap belong together";
        let help = if overlap {
            "add `start`, or write `hand_over = \"drain\"` where something else starts them again"
        } else {
            "write `hand_over = \"overlap\"`, or take `start` out"
        };
        faults.push((None, Fault::new(message, help)));
    }
    faults
}
