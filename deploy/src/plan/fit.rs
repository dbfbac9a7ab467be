//! Whether hosts are fit for a deployment. Every reason is told at once.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Goal, Refusal, Wish};
use crate::Failure;
use crate::config::{Environment, Host, Role};
use crate::facts::{Current, Facts};
use crate::names::HostName;
use crate::request::DeployRequest;

/// Refuses when a host is not fit; nothing has changed on any of them.
pub(super) fn check(
    wish: Wish<'_>,
    goal: &Goal,
    facts: &BTreeMap<HostName, Facts>,
) -> Result<(), Refusal> {
    let mut failures: Vec<Failure> = Vec::new();
    if matches!(goal, Goal::Fresh { .. }) && wish.artifact.is_none() {
        failures.push(Failure {
            host: None,
            step: "plan".to_owned(),
            message: "there is no artifact to make a release from".to_owned(),
            hint: Some(format!(
                "Build it where it is deployed from: `cutover deploy {} <commit>`.",
                wish.environment.name
            )),
        });
    }
    for host in &wish.environment.hosts {
        let Some(facts) = facts.get(&host.name) else {
            failures.push(fault(host, "the host was not asked".to_owned(), None));
            continue;
        };
        // What only a new release needs is no reason to refuse the way back.
        let fresh = matches!(goal, Goal::Fresh { .. });
        failures.extend(
            faults(wish.environment, host, facts)
                .into_iter()
                .filter(|fault| fresh || fault.step != SHARED),
        );
        failures.extend(fresh.then(|| no_room(wish, host, facts)).flatten());
    }
    if failures.is_empty() {
        return Ok(());
    }
    let failure = Box::new(failures.remove(0));
    Err(Refusal {
        failure,
        more: failures,
        held: false,
    })
}

/// Refuses while somebody else holds the environment. What was begun is brought to its end all the same.
pub(super) fn held(
    wish: Wish<'_>,
    goal: &Goal,
    facts: &BTreeMap<HostName, Facts>,
) -> Result<(), Refusal> {
    if !matches!(goal, Goal::Fresh { .. } | Goal::Return { .. }) {
        return Ok(());
    }
    let locked = |host: &Host| foreign_lock(wish.environment, host, facts.get(&host.name)?);
    let hold = hold_against(wish.environment, wish.request, wish.now, facts);
    match hold.or_else(|| wish.environment.hosts.iter().find_map(locked)) {
        None => Ok(()),
        Some(failure) => Err(Refusal {
            failure: Box::new(failure),
            more: Vec::new(),
            held: true,
        }),
    }
}

/// The hold that stops a request, as a reason to refuse it.
pub(crate) fn hold_against(
    environment: &Environment,
    request: &DeployRequest,
    now: Timestamp,
    facts: &BTreeMap<HostName, Facts>,
) -> Option<Failure> {
    let stops = |facts: &Facts| {
        let hold = facts.hold.clone();
        hold.filter(|hold| hold.stops_request(request, now))
    };
    let mut holds = facts
        .iter()
        .filter_map(|(host, facts)| Some((host, stops(facts)?)));
    let (host, hold) = holds.next()?;
    let name = &environment.name;
    let hint = hold.ended_in_a_comment(name.as_str()).unwrap_or_else(|| {
        format!(
            "Whoever locked it ends that with `cutover unlock {name}`; anybody else with `cutover unlock {name} --force`."
        )
    });
    Some(Failure {
        host: Some(host.clone()),
        step: "plan".to_owned(),
        message: format!("{name} is locked by {}", hold.line()),
        hint: Some(hint),
    })
}

/// The step that faults of shared files are told of.
const SHARED: &str = "shared";

/// Everything that stands in the way of any deployment to a host.
pub fn faults(environment: &Environment, host: &Host, facts: &Facts) -> Vec<Failure> {
    let root = &environment.path;
    let mut faults = Vec::new();
    for folder in &facts.unwritable {
        let message = format!("{folder} cannot be written to by {}", user(host));
        faults.push(fault(host, message, Some(give(host, root, folder))));
    }
    if let Current::Foreign { what } = &facts.current {
        let link = what.starts_with("a link").then(|| {
            format!("Let it lead to a release, or remove it: `ln -sfn releases/ID {root}/current`.")
        });
        let hint = link.unwrap_or_else(|| format!(
            "Make a release of it and link that instead: `mkdir -p {root}/releases && \
             ln -s releases/before-cutover {root}/current.new && mv {root}/current {root}/releases/before-cutover && \
             mv {root}/current.new {root}/current`."
        ));
        faults.push(fault(
            host,
            format!("{root}/current is {what}, not a link to a release"),
            Some(hint),
        ));
    }
    for tool in needed_tools(environment, host) {
        if !facts.tools.iter().any(|found| found == tool) {
            faults.push(fault(host, lacking(tool), Some(install(tool, facts))));
        }
    }
    for (file, _) in facts.shared.iter().filter(|(_, filled)| !**filled) {
        let hint = format!(
            "Put it there: `scp {}{file} {}:{root}/shared/{file}`.",
            port(host, "-P"),
            ssh_name(host)
        );
        let message = format!("{root}/shared/{file} is missing or empty");
        faults.push(Failure {
            step: SHARED.to_owned(),
            ..fault(host, message, Some(hint))
        });
    }
    faults
}

fn no_room(wish: Wish<'_>, host: &Host, facts: &Facts) -> Option<Failure> {
    let artifact = wish.artifact?;
    // The packed and the unpacked bytes lie side by side for a moment; a file takes up whole blocks.
    let bytes = artifact.bytes + artifact.unpacked_bytes + artifact.files * 4096;
    let inodes_short = facts.free_inodes > 0 && facts.free_inodes < artifact.files + 100;
    if facts.free_bytes >= bytes && !inodes_short {
        return None;
    }
    let message = if inodes_short {
        format!(
            "disk full: the release needs {} inodes, {} are free",
            artifact.files, facts.free_inodes
        )
    } else {
        format!(
            "disk full: the release needs {}, {} are free",
            megabytes(bytes),
            megabytes(facts.free_bytes)
        )
    };
    let root = &wish.environment.path;
    let hint = format!(
        "See what takes the room: `ssh {} du -xsh {root}/releases/* {root}/shared`.",
        ssh_line(host)
    );
    Some(fault(host, message, Some(hint)))
}

fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10)
}

fn needed_tools<'a>(environment: &Environment, host: &Host) -> Vec<&'a str> {
    let mut tools = vec![
        "awk",
        "flock",
        "gzip",
        "mv",
        "setsid",
        "sha256sum",
        "sync",
        "tar",
        "timeout",
    ];
    if environment.health.is_some() && host.roles.contains(&Role::Web) {
        tools.push("curl");
    }
    tools
}

fn lacking(tool: &str) -> String {
    match tool {
        "mv" => "mv knows no -T".to_owned(),
        "timeout" => "timeout is not installed, or knows no -k".to_owned(),
        _ => format!("{tool} is not installed"),
    }
}

/// The command that brings a tool, in the words of the host's own package manager.
pub(crate) fn install(tool: &str, facts: &Facts) -> String {
    let package = match tool {
        "flock" | "setsid" => "util-linux",
        "mv" | "sha256sum" | "sync" | "timeout" => "coreutils",
        "awk" => "gawk",
        other => other,
    };
    let has = |manager: &str| facts.tools.iter().any(|tool| tool == manager);
    let command = if has("apk") {
        "apk add"
    } else if has("dnf") {
        "dnf install"
    } else {
        "apt-get install"
    };
    format!("Install it: `{command} {package}`.")
}

/// Who deploys, as a command names him.
fn user(host: &Host) -> &str {
    host.address.user.as_deref().unwrap_or("USER")
}

/// What gives a folder of a tree to who deploys. What lies in `shared` and in releases may belong to the web server, so
/// only the folder itself is given there.
fn give(host: &Host, root: &str, folder: &str) -> String {
    let user = user(host);
    let below = |name: &str| folder.starts_with(&format!("{root}/{name}"));
    let command = if below(".cutover") {
        format!("sudo chown -R {user} {root}/.cutover")
    } else if below("releases") {
        format!("sudo install -d -o {user} {root}/releases")
    } else if below("shared") {
        format!("sudo install -d -o {user} {root}/shared")
    } else {
        format!("sudo install -d -o {user} {root}")
    };
    format!("Give {user} the folder: `{command}`.")
}

/// What to do where something may not be written, by the words of who was not let.
#[cfg(feature = "run")]
pub(crate) fn denied(host: &Host, root: &str, said: &str) -> Option<String> {
    let denied = [
        "Permission denied",
        "not permitted",
        "Read-only file system",
    ];
    if !denied.iter().any(|words| said.contains(words)) {
        return None;
    }
    // Where something is moved, it is the folder that it goes to.
    let path = said
        .rfind(&format!("{root}/"))
        .and_then(|at| said[at..].split(['\'', ':', ' ', '\n']).next());
    // What is to be made lies in the folder that is meant.
    let folder = match path {
        Some(path) if said.contains("cannot create directory") => {
            path.rsplit_once('/').map_or(root, |(folder, _)| folder)
        }
        path => path.unwrap_or(root),
    };
    Some(give(host, root, folder))
}

/// What to do about the lock of a tool that deployed here before: it may be at work.
pub(crate) fn foreign_lock(
    environment: &Environment,
    host: &Host,
    facts: &Facts,
) -> Option<Failure> {
    let who = facts.legacy.lock.as_ref()?;
    let lock = format!("{}/.dep/deploy.lock", environment.path);
    let message = format!("Deployer is at work here, or was cut off: {lock} says {who}");
    let hint = format!("When no Deployer runs any more, end its lock: `rm {lock}`.");
    Some(fault(host, message, Some(hint)))
}

fn ssh_name(host: &Host) -> String {
    match &host.address.user {
        Some(user) => format!("{user}@{}", host.address.host),
        None => host.address.host.clone(),
    }
}

/// A host as the command line of ssh names it, port included.
pub(crate) fn ssh_line(host: &Host) -> String {
    format!("{}{}", port(host, "-p"), ssh_name(host))
}

/// The option that names a port, where it is not the usual one.
fn port(host: &Host, option: &str) -> String {
    match host.address.port {
        22 => String::new(),
        port => format!("{option} {port} "),
    }
}

fn fault(host: &Host, message: String, hint: Option<String>) -> Failure {
    Failure {
        host: Some(host.name.clone()),
        step: "plan".to_owned(),
        message,
        hint,
    }
}
