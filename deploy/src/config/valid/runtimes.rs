//! What serves the web beside PHP-FPM, and what fits together in one.

use super::super::findings::{Fault, Findings};
use super::super::grammar;
use super::super::place::Place;
use super::super::{
    AfterDrain, Following, HandOver, Manager, Runtime, RuntimeKind, Workers, defaults, raw,
};
use super::{Time, named_once, optional};

/// Reads the runtimes, the good ones with their position in the file.
pub(super) fn runtimes(
    raw: Vec<raw::Runtime>,
    place: &Place,
    findings: &mut Findings<'_>,
) -> Vec<(usize, Runtime)> {
    named_once(raw, place, findings, "", runtime, Runtime::name)
}

fn runtime(raw: raw::Runtime, place: &Place, findings: &mut Findings<'_>) -> Option<Runtime> {
    let kind = raw.kind;
    for (key, fault) in misfits(&raw) {
        findings.add(&place.key(key), fault);
    }
    let manager = raw.manager.unwrap_or(defaults::WORKERS_MANAGER);
    let named = raw.group.or_else(|| kind?.unit().map(str::to_owned));
    let name = named.and_then(|text| {
        let what = match (kind, manager) {
            (Some(RuntimeKind::Apache | RuntimeKind::Nginx), _)
            | (_, Manager::Systemd | Manager::SystemdUser) => "a systemd unit",
            (Some(RuntimeKind::Command), _) => "a name",
            _ => "a supervisor group",
        };
        let read = grammar::process_name(what, &text, "shop-octane");
        findings.take(&place.key("group"), read)
    });
    let time = Time::running(raw.timeout, defaults::WORKERS_DRAIN_TIMEOUT);
    let timeout = time.read(&place.key("timeout"), findings);
    let lines = [
        ("start", raw.start),
        ("stop", raw.stop),
        ("prove", raw.prove),
    ];
    let [start, stop, prove] = lines.map(|(key, text)| {
        let place = place.key(key);
        optional(text, &place, findings, grammar::one_line)
    });
    let (start, stop, prove) = (start.ok()?, stop.ok()?, prove.ok()?);
    let (kind, timeout, name) = (kind?, timeout?, name?);
    let sudo = raw.sudo.unwrap_or(defaults::WORKERS_SUDO);
    let follows = match kind {
        RuntimeKind::Apache | RuntimeKind::Nginx => Following::Reloaded {
            service: name,
            sudo,
        },
        RuntimeKind::Command => Following::Lines { name, stop, start },
        _ => Following::Restarted(Workers {
            manager,
            group: name,
            expect: raw.expect.unwrap_or(defaults::WORKERS_EXPECT),
            hand_over: HandOver::Drain,
            drain_timeout: timeout,
            after_drain: AfterDrain::Force,
            sudo,
            process: None,
            start: None,
            end: None,
            containers: None,
        }),
    };
    Some(Runtime {
        kind,
        follows,
        timeout,
        prove,
    })
}

/// What does not go together, with the key that says it.
fn misfits(raw: &raw::Runtime) -> Vec<(&'static str, Fault)> {
    let mut faults = Vec::new();
    let Some(kind) = raw.kind else {
        return faults;
    };
    let word = kind.word();
    let given = [
        ("manager", raw.manager.is_some(), kind.restarts()),
        ("expect", raw.expect.is_some(), kind.restarts()),
        ("start", raw.start.is_some(), kind == RuntimeKind::Command),
        ("stop", raw.stop.is_some(), kind == RuntimeKind::Command),
        ("sudo", raw.sudo.is_some(), kind != RuntimeKind::Command),
    ];
    for (key, given, fits) in given {
        if given && !fits {
            let message = format!("{word} has no use for it");
            faults.push((key, Fault::new(message, "take it out")));
        }
    }
    if let Some(manager) = raw.manager.filter(|manager| !manager.has_runtimes()) {
        let message = format!("{} lists no {word}", manager.word());
        let help = "write `manager = \"supervisor\"`, `\"systemd\"` or `\"systemd_user\"`, or `kind = \"command\"`";
        faults.push(("manager", Fault::new(message, help)));
    }
    if raw.group.is_none() && kind.unit().is_none() {
        let message = format!("nothing says which {word} it is");
        let help = "add its name in its manager: `group = \"shop-octane\"`";
        faults.push(("group", Fault::new(message, help)));
    }
    if kind == RuntimeKind::Command && raw.prove.is_none() {
        let message = "nothing says whether lines of yours had the effect that they are for";
        let help = "add a line that fails until the release answers: `prove = \"curl -fsS http://127.0.0.1:8000/health | grep -qF $CUTOVER_RELEASE\"`";
        faults.push(("prove", Fault::new(message, help)));
    }
    faults
}
