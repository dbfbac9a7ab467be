//! The machine itself: how it is reached, what its user may do, its clock and its disk.

use super::Severity::{Remark, Risk};
use super::checks::{CLOCK, DISK, INODES, KEY, LN, REACH, SUDO, SUDO_WIDE};
use super::{Diagnosis, Look};
use crate::config::{
    AfterDrain, Environment, Following, FpmAction, HandOver, Host, Manager, Role, Runtime, Workers,
};
use crate::provision::rights_file;

/// A clock may be so many seconds off.
const SKEW_SECONDS: u64 = 30;
const FREE_PERCENT: u64 = 5;
/// So much is little on any disk, and so much is enough on any.
const FREE_KIB: (u64, u64) = (500_000, 5_000_000);

/// Commands that let whoever may give them to sudo do anything as root.
pub(crate) const OPEN_ROOT: [&str; 4] = [
    "sh",
    "supervisorctl -c /tmp/any.conf status",
    "systemctl link /tmp/any.service",
    "systemctl edit any.service",
];

/// The commands that a deployment runs on a host through sudo, with all of their words.
pub(crate) fn commands_with_sudo(environment: &Environment, host: &Host) -> Vec<String> {
    let mut commands = Vec::new();
    let works = host.roles.contains(&Role::Worker);
    for workers in environment
        .workers
        .iter()
        .filter(|group| works && group.sudo)
    {
        commands.extend(of_manager(workers));
    }
    let serves = host.roles.contains(&Role::Web);
    for runtime in environment.runtimes.iter().filter(|_| serves) {
        commands.extend(of_runtime(runtime));
    }
    let reloaded = environment
        .php_fpm
        .as_ref()
        .filter(|fpm| serves && fpm.sudo && fpm.after_swap == FpmAction::Reload);
    let service = reloaded.and_then(|fpm| fpm.service.as_ref());
    commands.extend(service.map(|service| format!("systemctl reload {service}")));
    commands
}

/// Its processes are told to end by their own user, which needs no right.
fn of_runtime(runtime: &Runtime) -> Vec<String> {
    match &runtime.follows {
        Following::Reloaded {
            service,
            sudo: true,
        } => vec![format!("systemctl reload {service}")],
        Following::Restarted(processes) if processes.sudo => {
            let group = &processes.group;
            // A single one has its program's own name, several have numbers.
            let one = match processes.expect {
                1 => group.clone(),
                _ => format!("{group}:{group}_00"),
            };
            match processes.manager {
                Manager::Supervisor => vec![
                    format!("supervisorctl status {group}:*"),
                    format!("supervisorctl start {one}"),
                ],
                Manager::Systemd => vec![format!("systemctl start {group}.service")],
                _ => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}

/// One process or release stands for all: rights for their names come as a pattern.
fn of_manager(workers: &Workers) -> Vec<String> {
    let group = &workers.group;
    let release = "20260101T000000Z-0000000";
    match (workers.manager, workers.hand_over) {
        (Manager::Supervisor, HandOver::Overlap) => vec![
            format!("cutover-supervisor list {group}"),
            format!("cutover-supervisor add {group} {release}"),
            format!("cutover-supervisor keep {group} {release}"),
            format!("cutover-supervisor drop {group} {release}"),
        ],
        (Manager::Supervisor, hand_over) => {
            let one = format!("{group}:{group}_00");
            let mut commands = vec![format!("supervisorctl status {group}:*")];
            if hand_over == HandOver::Restart {
                commands.push(format!("supervisorctl restart {group}:*"));
            } else {
                commands.push(format!("supervisorctl signal TERM {one}"));
                commands.push(format!("supervisorctl start {one}"));
            }
            if workers.after_drain == AfterDrain::Force {
                commands.push(format!("supervisorctl signal KILL {one}"));
            }
            commands
        }
        (Manager::Systemd, HandOver::Overlap) => {
            let one = format!("{group}@{release}-1.service");
            vec![
                format!("systemctl --quiet enable --now {one}"),
                format!("systemctl --quiet disable --now --no-block {one}"),
            ]
        }
        (Manager::Systemd, HandOver::Drain) => vec![format!("systemctl start {group}.service")],
        (Manager::Systemd, HandOver::Restart) => {
            vec![format!("systemctl restart {group}.service")]
        }
        _ => Vec::new(),
    }
}

pub(super) fn judge(look: Look<'_>, told: &mut Diagnosis) {
    let seen = look.seen;
    if let Some(silent) = &seen.silent {
        let said = (Risk, silent.said.clone(), silent.hint.clone());
        if silent.key {
            told.verdict(&KEY, Some(said));
        } else {
            told.verdict(&KEY, None);
            told.verdict(&REACH, Some(said));
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

fn sudo(look: Look<'_>, told: &mut Diagnosis) {
    let wanted = commands_with_sudo(look.environment, look.host);
    if wanted.is_empty() {
        return;
    }
    for command in wanted {
        match look.seen.rights.get(&command) {
            None => told.blind(&SUDO, format!("sudo was not asked for `{command}`")),
            Some(true) => told.verdict(&SUDO, None),
            Some(false) => {
                let found = format!("sudo does not allow `{command}` without a password");
                let file = rights_file(look.config.app.as_str(), look.environment);
                let has = format!("`cutover provision {} --print`", look.environment.name);
                let mend = format!("sudo visudo -f {file}, with the lines that {has} has for it");
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
    let found = format!("sudo allows {user} {}", open.join(", "));
    let mend = format!(
        "in /etc/sudoers.d only the lines that `cutover provision {} --print` has",
        look.environment.name
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
