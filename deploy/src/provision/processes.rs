//! What managers run: groups of workers, and runtimes that keep the app in memory. Their command lines are guesses.

use std::fmt::Write as _;

use super::{Order, file, plain};
use crate::config::{HandOver, Manager, Runtime, RuntimeKind, Workers};

const SUPERVISOR: &str = include_str!("../../../templates/supervisor.conf");
const OVERLAP: &str = include_str!("../../../templates/supervisor-overlap.conf");
const UNIT: &str = include_str!("../../../templates/worker@.service");
const CUTOVER_SUPERVISOR: &str = include_str!("../../../templates/cutover-supervisor");
const PROGRAM: &str = include_str!("../../../templates/supervisor-runtime.conf");
const SERVER: &str = include_str!("../../../templates/runtime@.service");
const HORIZON: &str = include_str!("../../../templates/horizon.conf");
/// What the templates of runtimes start.
const OCTANE: &str = "artisan octane:start --port=";
/// What the templates of workers start.
pub(super) const WORK: &str = "artisan queue:work --sleep=1 --tries=3 --timeout=60 --max-time=3600";
/// How long systemd waits for the end of a unit that does not say so, in seconds: `DefaultTimeoutStopSec` in
/// systemd-system.conf(5).
const STOP_SECONDS: u64 = 90;

/// The files that say what the workers of a group run, where they are made here.
fn files_of(workers: &Workers) -> Vec<String> {
    let name = &workers.group;
    match workers.manager {
        Manager::Systemd => vec![format!("/etc/systemd/system/{name}@.service")],
        Manager::Horizon => vec![format!("/etc/supervisor/conf.d/{name}.conf")],
        Manager::Supervisor => vec![
            format!("/etc/supervisor/conf.d/{name}.conf"),
            format!("/etc/supervisor/cutover/{name}.conf"),
        ],
        _ => Vec::new(),
    }
}

/// The file that says what a runtime is, where it is made here.
fn file_of(processes: &Workers) -> Option<String> {
    let name = &processes.group;
    match processes.manager {
        Manager::Supervisor => Some(format!("/etc/supervisor/conf.d/{name}.conf")),
        Manager::Systemd => Some(format!("/etc/systemd/system/{name}@.service")),
        _ => None,
    }
}

/// Refuses, before anything is changed, what would take over files of another app, or its ports.
pub(super) fn whose(text: &mut String, order: Order<'_>) {
    let path = &order.environment.path;
    let workers = order.workers();
    let files = workers.iter().flat_map(|workers| files_of(workers));
    for file in files {
        writeln!(text, "whose {file} {path}").unwrap_or_default();
    }
    for runtime in order.runtimes() {
        let Some((processes, file)) = runtime
            .processes()
            .and_then(|all| Some((all, file_of(all)?)))
        else {
            continue;
        };
        writeln!(text, "whose {file} {path}").unwrap_or_default();
        let Some(first) = first_port(runtime.kind) else {
            continue;
        };
        for port in first..first + processes.expect {
            writeln!(
                text,
                "[ -e {file} ] || ! listens {port} || refuse 'something takes connections at port {port} already: write {file} \
                 yourself with other ports, and the site with them, then run this again'"
            )
            .unwrap_or_default();
        }
    }
}

/// The port of the first process, where each has one.
fn first_port(kind: RuntimeKind) -> Option<u32> {
    match kind {
        RuntimeKind::Octane => Some(8000),
        RuntimeKind::Reverb => Some(8080),
        _ => None,
    }
}

/// The command of `artisan` for one of its processes, but for its port.
fn command(kind: RuntimeKind) -> &'static str {
    match kind {
        RuntimeKind::Reverb => "reverb:start --host=127.0.0.1",
        RuntimeKind::Pulse => "pulse:check",
        RuntimeKind::Ssr => "inertia:start-ssr",
        _ => "octane:start",
    }
}

/// Writes what starts the processes of a runtime.
pub(super) fn runtime(
    text: &mut String,
    order: Order<'_>,
    runtime: &Runtime,
    user: &str,
) -> Result<(), String> {
    let Some(processes) = runtime.processes() else {
        return Ok(());
    };
    let (name, kind) = (&processes.group, runtime.kind);
    plain("the name of a group", name)?;
    let Some(path) = file_of(processes) else {
        let manager = processes.manager.word();
        writeln!(
            text,
            "\n# {name}: {manager} has it, which is not set up here."
        )
        .unwrap_or_default();
        return Ok(());
    };
    writeln!(
        text,
        "\n# {name}. Its command line is a guess. It begins to run with the first deployment: until then there is nothing to run."
    )
    .unwrap_or_default();
    let by_systemd = processes.manager == Manager::Systemd;
    let (template, section, number) = if by_systemd {
        (SERVER, "[Unit]", "%i")
    } else {
        (PROGRAM, "[program:", "80%(process_num)02d")
    };
    let at = template.find(section).unwrap_or_default();
    let port = match first_port(kind) {
        Some(_) => format!(" --port={number}"),
        None => String::new(),
    };
    let patience = runtime.timeout.as_secs().max(70);
    let of_octane =
        |line: &&str| kind == RuntimeKind::Octane || !line.contains("OCTANE_STATE_FILE");
    let lines: Vec<&str> = template[at..].lines().filter(of_octane).collect();
    let content = lines
        .join("\n")
        .replace("shop-octane", name)
        .replace(
            &format!("{OCTANE}{number}"),
            &format!("artisan {}{port}", command(kind)),
        )
        .replace("/srv/shop/", &format!("{}/", order.environment.path))
        .replace("User=deploy", &format!("User={user}"))
        .replace("user=deploy", &format!("user={user}"))
        .replace("numprocs=2", &format!("numprocs={}", processes.expect))
        .replace(
            "numprocs_start=0",
            &format!(
                "numprocs_start={}",
                first_port(kind).unwrap_or_default() % 100
            ),
        )
        .replace("=70", &format!("={patience}"));
    file(text, &path, "0644", &content);
    if !by_systemd {
        take_up(text, name);
        return Ok(());
    }
    enable(text, name, first_port(kind).unwrap_or(1), processes.expect);
    Ok(())
}

/// Has systemd start so many instances of a unit, now and with the machine.
fn enable(text: &mut String, name: &str, first: u32, count: u32) {
    let units: Vec<String> = (first..first + count)
        .map(|number| format!("{name}@{number}.service"))
        .collect();
    let units = units.join(" ");
    writeln!(
        text,
        "systemctl daemon-reload\nsystemctl --quiet enable {units}\nsystemctl start {units} || true"
    )
    .unwrap_or_default();
}

/// Has supervisor take up the file of a group, and that one alone.
fn take_up(text: &mut String, name: &str) {
    text.push_str(
        "# They begin to run with the first deployment. To systemd supervisor runs before it can be asked.\n\
         for _ in 1 2 3 4 5 6 7 8 9 10; do if supervisorctl pid >/dev/null 2>&1; then break; fi; sleep 1; done\n\
         sound supervisorctl reread\n",
    );
    writeln!(text, "supervisorctl update {name}").unwrap_or_default();
}

/// Writes what starts the workers of a group.
pub(super) fn group(
    text: &mut String,
    order: Order<'_>,
    workers: &Workers,
    user: &str,
) -> Result<(), String> {
    let name = &workers.group;
    plain("the name of a group", name)?;
    match workers.manager {
        Manager::Systemd | Manager::Supervisor => writeln!(
            text,
            "\n# Workers of {name}. Their command line is a guess: `queue:work` with the template's options."
        )
        .unwrap_or_default(),
        Manager::Horizon => {
            writeln!(text, "\n# Horizon, {name}: supervisor starts its master.").unwrap_or_default();
        }
        other => {
            let other = other.word();
            writeln!(text, "\n# Workers of {name}: {other} has them, which is not set up here.")
                .unwrap_or_default();
            return Ok(());
        }
    }
    if workers.manager == Manager::Systemd {
        units(text, order, workers, user);
    } else {
        programs(text, order, workers, user);
    }
    Ok(())
}

/// The units of a group: a template whose instances deployments make, or instances of one by way of `current`.
fn units(text: &mut String, order: Order<'_>, workers: &Workers, user: &str) {
    let name = &workers.group;
    let path = format!("/etc/systemd/system/{name}@.service");
    let of = |template: &str| {
        template
            .replace("/srv/shop/", &format!("{}/", order.environment.path))
            .replace("User=deploy", &format!("User={user}"))
    };
    if workers.hand_over == HandOver::Overlap {
        let seconds = patience(workers).max(3600);
        let unit = of(UNIT)
            .replace("of shop\n", &format!("of {}\n", order.app))
            .replace("TimeoutStopSec=3600", &format!("TimeoutStopSec={seconds}"));
        file(text, &path, "0644", &unit);
        text.push_str("systemctl daemon-reload\n");
        return;
    }
    let at = SERVER.find("[Unit]").unwrap_or_default();
    let lines = SERVER[at..].lines();
    let lines: Vec<&str> = lines
        .filter(|line| !line.contains("OCTANE_STATE_FILE"))
        .collect();
    let unit = of(&lines.join("\n"))
        .replace(
            "Server %i of shop-octane",
            &format!("Queue worker %i of {name}"),
        )
        .replace("a server", "a worker")
        .replace("the longest request", "the longest job")
        .replace(&format!("{OCTANE}%i"), WORK)
        .replace("=70", &format!("={}", patience(workers)));
    file(text, &path, "0644", &unit);
    enable(text, name, 1, workers.expect);
}

/// The program of a group, or what programs of releases are made from.
fn programs(text: &mut String, order: Order<'_>, workers: &Workers, user: &str) {
    let name = &workers.group;
    let of = |template: &str| {
        template
            .replace("[program:shop-worker]", &format!("[program:{name}]"))
            .replace("[program:horizon]", &format!("[program:{name}]"))
            .replace("/srv/shop/", &format!("{}/", order.environment.path))
            .replace("user=deploy", &format!("user={user}"))
            .replace("numprocs=2", &format!("numprocs={}", workers.expect))
            .replace(
                "stopwaitsecs=70",
                &format!("stopwaitsecs={}", patience(workers)),
            )
            .replace(
                "stopwaitsecs=3600",
                &format!("stopwaitsecs={}", patience(workers).max(3600)),
            )
            .replace(
                "/supervisor/shop-worker.log",
                &format!("/supervisor/{name}.log"),
            )
            .replace(
                "/supervisor/horizon.log",
                &format!("/supervisor/{name}.log"),
            )
    };
    let program = match (workers.manager, workers.hand_over) {
        (Manager::Horizon, _) => HORIZON,
        (_, HandOver::Overlap) => {
            text.push_str("install -d -m 0755 /etc/supervisor/cutover\n");
            let path = format!("/etc/supervisor/cutover/{name}.conf");
            file(text, &path, "0644", &of(OVERLAP));
            let path = "/usr/local/sbin/cutover-supervisor";
            file(text, path, "0755", CUTOVER_SUPERVISOR);
            return;
        }
        _ => SUPERVISOR,
    };
    let path = format!("/etc/supervisor/conf.d/{name}.conf");
    file(text, &path, "0644", &of(program));
    take_up(text, name);
}

/// Gives supervisor's own unit as long to end as the most patient of its programs. Of several such files the last by name
/// counts, so none takes away what another app needs.
pub(super) fn supervisors_unit(text: &mut String, order: Order<'_>) {
    let supervised = order.workers().into_iter();
    let of = |workers: &&Workers| matches!(workers.manager, Manager::Supervisor | Manager::Horizon);
    let longest = supervised.filter(of).map(patience).max();
    if let Some(seconds) = longest.filter(|longest| *longest > STOP_SECONDS - 10) {
        let seconds = seconds + 10;
        let path = format!("/etc/systemd/system/supervisor.service.d/stop-{seconds:06}.conf");
        text.push_str("\n# A reboot waits for supervisor as long as that waits for its workers.\n");
        text.push_str("install -d -m 0755 /etc/systemd/system/supervisor.service.d\n");
        file(
            text,
            &path,
            "0644",
            &format!("[Service]\nTimeoutStopSec={seconds}"),
        );
        text.push_str("systemctl daemon-reload\n");
    }
}

/// How many seconds a worker has to end: no less than the template's jobs may take.
fn patience(workers: &Workers) -> u64 {
    workers.drain_timeout.as_secs().max(70)
}
