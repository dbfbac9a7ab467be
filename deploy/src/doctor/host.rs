//! The machine itself: how it is reached, what its user may do, its clock and its disk.

use super::Severity::{Remark, Risk};
use super::checks::{CLOCK, DISK, INODES, KEY, LN, REACH, SUDO, SUDO_WIDE};
use super::{Diagnosis, Listed, Look};
use crate::config::{
    Containers, Environment, Following, FpmAction, HandOver, Host, Manager, Role, Runtime, Workers,
};
use crate::provision::rights_file;

/// A clock may be so many seconds off.
const SKEW_SECONDS: u64 = 30;
const FREE_PERCENT: u64 = 5;
/// So much is little on any disk, and so much is enough on any.
const FREE_KIB: (u64, u64) = (500_000, 5_000_000);

/// A release that stands for all.
const RELEASE: &str = "20260101T000000Z-0000000";

/// Commands that let whoever may give them to sudo do anything as root.
pub(crate) const OPEN_ROOT: [&str; 4] = [
    "sh",
    "supervisorctl -c /tmp/any.conf status",
    "systemctl link /tmp/any.service",
    "systemctl edit any.service",
];

/// The commands that a deployment runs on a host through sudo, with all of their words, and the names that managers list.
#[cfg(feature = "run")]
pub(crate) fn commands_asked(
    environment: &Environment,
    host: &Host,
    listed: &[Listed],
) -> Vec<String> {
    let mut commands = set_up(environment, host, listed);
    commands.extend(by_clients(environment, host));
    commands
}

/// Those of what `cutover provision` sets up, where nothing is listed yet.
#[cfg(test)]
pub(crate) fn commands_with_sudo(environment: &Environment, host: &Host) -> Vec<String> {
    set_up(environment, host, &[])
}

fn set_up(environment: &Environment, host: &Host, listed: &[Listed]) -> Vec<String> {
    let names = |group: &str| -> Vec<&str> {
        let of = listed.iter().filter(|listed| listed.group == group);
        of.map(|listed| listed.name.as_str()).collect()
    };
    let mut commands = Vec::new();
    for workers in with_sudo(environment, host) {
        commands.extend(of_manager(workers, &names(&workers.group)));
    }
    let serves = host.roles.contains(&Role::Web);
    for runtime in environment.runtimes.iter().filter(|_| serves) {
        commands.extend(of_runtime(runtime, names));
    }
    let reloaded = environment
        .php_fpm
        .as_ref()
        .filter(|fpm| serves && fpm.sudo && fpm.after_swap == FpmAction::Reload);
    let service = reloaded.and_then(|fpm| fpm.service.as_ref());
    commands.extend(service.map(|service| format!("systemctl reload {service}")));
    commands
}

/// The groups of workers whose manager is asked through sudo here.
fn with_sudo<'a>(
    environment: &'a Environment,
    host: &'a Host,
) -> impl Iterator<Item = &'a Workers> {
    let works = host.roles.contains(&Role::Worker);
    let groups = environment.workers.iter();
    groups.filter(move |group| works && group.sudo)
}

/// What the clients of containers are called with. Ids stand for all.
fn by_clients(environment: &Environment, host: &Host) -> Vec<String> {
    let mut commands = Vec::new();
    let verbs = [
        "ps --all --quiet",
        "inspect id",
        "start id",
        "rename id ending.id",
    ]
    .into_iter()
    .chain(["stop -t 60 id", "rm id"]);
    for workers in with_sudo(environment, host) {
        let group = &workers.group;
        match &workers.containers {
            Some(Containers::Docker(_)) => {
                commands.extend(verbs.clone().map(|verb| format!("docker {verb}")));
                commands.push(format!("docker create --name {group}.{RELEASE}-1"));
            }
            Some(Containers::Compose(compose)) => {
                commands.extend(verbs.clone().map(|verb| format!("docker {verb}")));
                commands.push(format!(
                    "env CUTOVER_RELEASE={RELEASE} docker compose --project-name {} up {group}",
                    compose.project
                ));
            }
            Some(Containers::Kubernetes(kubernetes)) => {
                let client = format!("kubectl --namespace {}", kubernetes.namespace);
                let verbs = ["get deployment", "patch deployment"];
                commands.extend(verbs.map(|verb| format!("{client} {verb} {group}")));
            }
            None => {}
        }
    }
    commands
}

/// Its processes are told to end by their own user, which needs no right.
fn of_runtime<'a>(runtime: &Runtime, names: impl Fn(&str) -> Vec<&'a str>) -> Vec<String> {
    match &runtime.follows {
        Following::Reloaded {
            service,
            sudo: true,
        } => vec![format!("systemctl reload {service}")],
        Following::Restarted(processes) if processes.sudo => {
            let group = &processes.group;
            let names = names(group);
            match processes.manager {
                Manager::Supervisor => vec![
                    format!("supervisorctl status {group}:*"),
                    format!("supervisorctl start {}", of_supervisor(group, &names)),
                ],
                Manager::Systemd => of_units("start", group, &names),
                _ => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}

/// A process of a group: one stands for all, as rights for their names come as a pattern.
fn of_supervisor(group: &str, names: &[&str]) -> String {
    let first = names.first().map(|name| (*name).to_owned());
    first.unwrap_or_else(|| format!("{group}:{group}_00"))
}

/// Each unit that is listed is called by its name; where none is, the one that the group is named after.
fn of_units(verb: &str, group: &str, names: &[&str]) -> Vec<String> {
    if names.is_empty() {
        return vec![format!("systemctl {verb} {group}.service")];
    }
    let units = names.iter();
    units
        .map(|unit| format!("systemctl {verb} {unit}"))
        .collect()
}

/// One release stands for all: rights for their names come as a pattern.
fn of_manager(workers: &Workers, names: &[&str]) -> Vec<String> {
    let group = &workers.group;
    match (workers.manager, workers.hand_over) {
        (Manager::Supervisor, HandOver::Overlap) => vec![
            format!("cutover-supervisor list {group}"),
            format!("cutover-supervisor add {group} {RELEASE}"),
            format!("cutover-supervisor keep {group} {RELEASE}"),
            format!("cutover-supervisor drop {group} {RELEASE}"),
        ],
        (Manager::Supervisor, hand_over) => {
            let one = of_supervisor(group, names);
            let mut commands = vec![format!("supervisorctl status {group}:*")];
            if hand_over == HandOver::Restart {
                commands.push(format!("supervisorctl restart {group}:*"));
            }
            commands.push(format!("supervisorctl start {one}"));
            commands
        }
        (Manager::Systemd, HandOver::Overlap) => {
            let one = format!("{group}@{RELEASE}-1.service");
            vec![
                format!("systemctl --quiet enable --now {one}"),
                format!("systemctl --quiet disable --now --no-block {one}"),
            ]
        }
        (Manager::Systemd, HandOver::Drain) => of_units("start", group, names),
        (Manager::Systemd, HandOver::Restart) => of_units("restart", group, names),
        _ => Vec::new(),
    }
}

pub(super) fn judge(look: Look<'_>, told: &mut Diagnosis) {
    let seen = look.seen;
    if let Some(silent) = &seen.silent {
        let said = (Risk, silent.said.clone(), silent.hint.clone());
        match silent.key {
            Some(false) => told.verdict(&KEY, Some(said)),
            Some(true) => {
                told.verdict(&KEY, None);
                told.verdict(&REACH, Some(said));
            }
            None => {
                told.blind(&KEY, "the host was not seen");
                told.verdict(&REACH, Some(said));
            }
        }
        let others = [&SUDO, &SUDO_WIDE, &CLOCK, &DISK, &INODES, &LN];
        told.blind_to(&others, "the host was not seen");
        return;
    }
    told.verdict(&KEY, None);
    told.verdict(&REACH, None);
    sudo(look, told);
    sudo_wide(look, told);
    match seen.clock_ahead {
        None => told.blind(&CLOCK, "the host does not tell the time"),
        Some(ahead) => {
            let off = ahead.unsigned_abs() > SKEW_SECONDS;
            let way = if ahead > 0 { "ahead" } else { "behind" };
            let found = format!("the clock is {} s {way}", ahead.unsigned_abs());
            let mend = "sudo timedatectl set-ntp true".to_owned();
            told.verdict(&CLOCK, off.then_some((Risk, found, mend)));
        }
    }
    room(look, told);
    if let Some(busybox) = seen.busybox_ln {
        let found =
            "`ln` is BusyBox's: `ln -sfn` removes a link before it makes the new one".to_owned();
        let mend = "ln -s NEW link.tmp && mv -T link.tmp link".to_owned();
        told.verdict(&LN, busybox.then_some((Remark, found, mend)));
    } else {
        told.blind(&LN, "the host has no `ln`");
    }
}

/// Why nobody can say that no password is asked for; `None` where somebody can. Root is never asked.
fn maybe_asks(look: Look<'_>) -> Option<&'static str> {
    let user = look.seen.user.as_ref();
    if user.is_some_and(|(uid, _)| *uid == 0) {
        return None;
    }
    match look.seen.asks {
        None => Some("sudo did not tell its rules"),
        Some(true) => Some("some rules ask for a password, which sudo does not tell apart"),
        Some(false) => None,
    }
}

/// The command that prints what sets this host up.
fn provision(look: Look<'_>) -> String {
    let environment = look.environment;
    let host = if environment.hosts.len() > 1 {
        format!(" --host {}", look.host.name)
    } else {
        String::new()
    };
    format!("cutover provision {}{host} --print", environment.name)
}

fn sudo(look: Look<'_>, told: &mut Diagnosis) {
    let file = rights_file(look.config.app.as_str(), look.environment);
    let listed = &look.seen.listed;
    let printed = format!("the lines that `{}` has for it", provision(look));
    let own = "a line for it, or `sudo = false` where its user may do without";
    let wanted = set_up(look.environment, look.host, listed);
    let wanted = wanted.into_iter().map(|command| (command, &*printed));
    let by_clients = by_clients(look.environment, look.host);
    let by_clients = by_clients.into_iter().map(|command| (command, own));
    for (command, with) in wanted.chain(by_clients) {
        match look.seen.rights.get(&command) {
            None => told.blind(&SUDO, format!("sudo was not asked for `{command}`")),
            Some(true) => match maybe_asks(look) {
                Some(why) => told.blind(&SUDO, why),
                None => told.verdict(&SUDO, None),
            },
            Some(false) => {
                let found = format!("sudo does not allow `{command}` without a password");
                let mend = format!("sudo visudo -f {file}  # with {with}");
                told.verdict(&SUDO, Some((Risk, found, mend)));
            }
        }
    }
}

/// Root needs no sudo.
fn sudo_wide(look: Look<'_>, told: &mut Diagnosis) {
    let Some((_, user)) = look.seen.user.as_ref().filter(|(uid, _)| *uid != 0) else {
        return;
    };
    let asked = OPEN_ROOT.iter().filter_map(|command| {
        let allowed = look.seen.rights.get(*command)?;
        Some((command, *allowed))
    });
    let asked: Vec<_> = asked.collect();
    if asked.is_empty() {
        told.blind(&SUDO_WIDE, "sudo was not asked");
        return;
    }
    let open = asked.iter().filter(|(_, allowed)| *allowed);
    let open: Vec<String> = open.map(|(command, _)| format!("`{command}`")).collect();
    // What is not allowed at all is not allowed without a password either.
    if let Some(why) = maybe_asks(look).filter(|_| !open.is_empty()) {
        told.blind(&SUDO_WIDE, why);
        return;
    }
    let found = format!("sudo allows {user} {}", open.join(", "));
    let mend = format!(
        "in /etc/sudoers.d only the lines that `{}` has",
        provision(look)
    );
    told.verdict(
        &SUDO_WIDE,
        (!open.is_empty()).then_some((Risk, found, mend)),
    );
}

fn room(look: Look<'_>, told: &mut Diagnosis) {
    let root = &look.environment.path;
    let mend = format!("du -xsh {root}/releases/* {root}/shared");
    match look.seen.disk {
        None => told.blind(&DISK, "`df` does not tell"),
        Some(room) => {
            let (little, enough) = FREE_KIB;
            let short = room.free < little || room.percent() < FREE_PERCENT && room.free < enough;
            let (percent, free) = (room.percent(), room.free / 1000);
            let found = format!("{percent} % of the disk below {root} is free, {free} MB");
            told.verdict(&DISK, short.then_some((Risk, found, mend.clone())));
        }
    }
    match look.seen.inodes {
        None => told.blind(&INODES, "`df` does not tell"),
        // Some disks have no fixed number of them.
        Some(room) if room.whole == 0 => told.verdict(&INODES, None),
        Some(room) => {
            let short = room.percent() < FREE_PERCENT;
            let (percent, free) = (room.percent(), room.free);
            let found = format!("{percent} % of the inodes below {root} are free, {free}");
            told.verdict(&INODES, short.then_some((Risk, found, mend)));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::HostName;
    use crate::config::Config;
    use crate::doctor::{Listed, Seen, diagnose};

    /// What is told of sudo to a user with these workers, on the first of several hosts.
    fn told(workers: &str, names: &[&str], lines: &[&str]) -> Vec<String> {
        let text = format!(
            "app = \"x\"\nrepository = \"github:a/b\"\n[environments.production]\npath = \"/srv/app\"\n\
             [[environments.production.hosts]]\nname = \"a\"\naddress = \"a@b\"\nroles = [\"web\", \"worker\", \"migrate\"]\n\
             [[environments.production.hosts]]\nname = \"b\"\naddress = \"a@c\"\nroles = [\"web\"]\n\
             [[environments.production.workers]]\ngroup = \"w\"\n{workers}"
        );
        let config = Config::parse("x", &text).unwrap();
        let mut seen = Seen::default();
        seen.hear("user 1000 deploy", 0);
        for line in lines {
            seen.hear(line, 0);
        }
        seen.listed.extend(names.iter().map(|name| Listed {
            group: "w".to_owned(),
            name: (*name).to_owned(),
            state: "RUNNING".to_owned(),
            pid: None,
            release: None,
        }));
        let environment = config.environment("production").unwrap();
        let host = HostName::parse("a").unwrap();
        let told = diagnose(&config, environment, &[(host, seen)]).remove(0);
        let of = |id: &str| id.starts_with("host.sudo");
        let found = told.findings.iter().filter(|found| of(found.id));
        let unseen = told.unseen.iter().filter(|unseen| of(unseen.id));
        let fine = told.fine.iter().filter(|id| of(id));
        found
            .map(|found| format!("{}: {}; {}", found.id, found.found, found.mend))
            .chain(unseen.map(|unseen| format!("not checked {}: {}", unseen.id, unseen.why)))
            .chain(fine.map(|id| format!("{id} is fine")))
            .collect()
    }

    const UNITS: &str = "manager = \"systemd\"";
    const ALLOWED: [&str; 2] = ["allowed systemctl start w.service", "allowed sh"];

    #[test]
    fn what_may_need_a_password_is_neither_fine_nor_wide() {
        let with = |asks: &[&str]| told(UNITS, &["w.service"], &[&ALLOWED, asks].concat());
        assert_eq!(
            with(&["asks no"]),
            [
                "host.sudo-wide: sudo allows deploy `sh`; in /etc/sudoers.d only the lines that \
                 `cutover provision production --host a --print` has",
                "host.sudo is fine",
            ]
        );
        let why = "some rules ask for a password, which sudo does not tell apart";
        for (asks, why) in [
            (&["asks yes"][..], why),
            (&[], "sudo did not tell its rules"),
        ] {
            assert_eq!(
                with(asks),
                [
                    format!("not checked host.sudo: {why}"),
                    format!("not checked host.sudo-wide: {why}"),
                ]
            );
        }
        // What no rule allows is known.
        let denied = ["denied systemctl start w.service", "denied sh", "asks yes"];
        assert_eq!(
            told(UNITS, &["w.service"], &denied),
            [
                "host.sudo: sudo does not allow `systemctl start w.service` without a password; \
                 sudo visudo -f /etc/sudoers.d/cutover-x@production  # with the lines that \
                 `cutover provision production --host a --print` has for it",
                "host.sudo-wide is fine",
            ]
        );
    }

    #[test]
    fn rights_are_asked_for_what_the_manager_lists_and_for_clients_of_containers() {
        let asked = |workers: &str, names: &[&str]| told(workers, names, &["denied sh"]).join("\n");
        let instances = asked(UNITS, &["w@1.service", "w@2.service"]);
        for unit in ["w@1", "w@2"] {
            let line = format!("sudo was not asked for `systemctl start {unit}.service`");
            assert!(instances.contains(&line), "{instances}");
        }
        assert!(
            !instances.contains("`systemctl start w.service`"),
            "{instances}"
        );
        let runtimes = asked(
            "sudo = false\n[[environments.production.runtimes]]\nkind = \"octane\"\ngroup = \"o\"\n\
             [[environments.production.runtimes]]\nkind = \"nginx\"",
            &[],
        );
        for command in [
            "supervisorctl status o:*",
            "supervisorctl start o:o_00",
            "systemctl reload nginx",
        ] {
            let line = format!("sudo was not asked for `{command}`");
            assert!(runtimes.contains(&line), "{runtimes}");
        }
        let composed = asked("manager = \"compose\"\ncompose = { project = \"x\" }", &[]);
        for command in ["docker ps --all --quiet", "env CUTOVER_RELEASE="] {
            let line = format!("sudo was not asked for `{command}");
            assert!(composed.contains(&line), "{composed}");
        }
    }
}
