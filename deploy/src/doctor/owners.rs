//! Workers that no manager was asked for, as those of Horizon: who starts them again when they end, and how long he lets
//! them end, by the processes that run.

use super::checks::{AUTORESTART, Check, RESTART, STOP_WAIT, TIMEOUT_STOP};
use super::ini::{Ini, Program};
use super::seen::{Process, Seen};
use super::units::Unit;
use super::work::Work;
use super::{Diagnosis, Look};

/// What is not known where nobody was seen to have them.
const ALL: [&Check; 4] = [&STOP_WAIT, &AUTORESTART, &TIMEOUT_STOP, &RESTART];
/// A worker of Horizon has two above it, and each may have a shell of its own.
const DEPTH: usize = 8;

/// Who starts a process again.
enum Owner<'a> {
    Program(&'a Ini, Program<'a>),
    Unit(&'a Unit),
}

/// Judges whoever starts the processes of a group.
pub(super) fn judge(look: Look<'_>, group: &str, pids: &[u32], told: &mut Diagnosis) {
    let mut firsts: Vec<&Process> = pids
        .iter()
        .filter_map(|pid| first(look.seen, *pid))
        .collect();
    firsts.sort_by_key(|process| process.pid);
    firsts.dedup();
    if firsts.is_empty() {
        return unseen(look, group, told);
    }
    for process in firsts {
        match owner(look.seen, group, process) {
            Ok(Owner::Program(ini, program)) => {
                super::supervised::one(look, group, ini, program, told);
            }
            Ok(Owner::Unit(unit)) => {
                let work = Work::read(&process.words).filter(Work::takes_jobs);
                let config = look.seen.app.as_ref().and_then(|app| app.config.as_ref());
                super::units::one(look, unit, work.map(|work| work.bound(config)), told);
            }
            Err(why) => told.blind_to(&ALL, &format!("group {group}: {why}")),
        }
    }
}

/// Without a process a program of the group's name will do.
fn unseen(look: Look<'_>, group: &str, told: &mut Diagnosis) {
    if look
        .seen
        .supervisors
        .iter()
        .any(|ini| !ini.programs(group).is_empty())
    {
        return super::supervised::judge(look, group, told);
    }
    let why = "no process of it that runs `artisan` was seen, so neither was who starts it again";
    told.blind_to(&ALL, &format!("group {group}: {why}"));
}

/// The process of the app that all above it and below the manager descend from.
fn first(seen: &Seen, pid: u32) -> Option<&Process> {
    let of = |pid: u32| seen.processes.iter().find(|process| process.pid == pid);
    let mut at = of(pid)?;
    for _ in 0..DEPTH {
        match of(at.parent) {
            Some(above) => at = above,
            None => break,
        }
    }
    Some(at)
}

/// Whether a program that has started one process ends with it, where a manager, as supervisord or pm2, starts it anew.
fn ends_with_it(program: &str) -> bool {
    let shells = ["sh", "dash", "bash", "ash", "busybox", "sudo", "su"];
    shells.contains(&program) || program.starts_with("php")
}

fn owner<'a>(seen: &'a Seen, group: &str, process: &Process) -> Result<Owner<'a>, String> {
    let Process { pid, parent, .. } = process;
    if let Some(ini) = seen.supervisors.iter().find(|ini| ini.pid == *parent) {
        let program = ini.program_of(group, &process.words);
        return program
            .map(|program| Owner::Program(ini, program))
            .map_err(|why| format!("{}: {why} of process {pid}", ini.file));
    }
    let told = seen.owners.get(pid);
    let main = |unit: &&Unit, above: &str| {
        let main = unit.get("MainPID").and_then(|main| main.parse().ok());
        main.is_some_and(|main: u32| main == *pid || (main == *parent && ends_with_it(above)))
    };
    let unit = told.and_then(|(unit, above)| {
        let mut units = seen.units.get(unit)?.iter();
        units.find(|unit| main(unit, above))
    });
    // A process of a login is in the unit of sshd, which does not start it again.
    unit.map(Owner::Unit).ok_or_else(|| {
        format!("process {pid} is a child of {parent}, which is no supervisor, and no unit of systemd is for it")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HostName;
    use crate::config::Config;
    use crate::doctor::{Listed, diagnose};

    const MASTER: &str = "process 7 3 0 - - php\u{1f}/srv/app/current/artisan\u{1f}horizon\u{1f}";
    const BELOW: &str = "process 8 7 0 - - php\u{1f}artisan\u{1f}horizon:supervisor\u{1f}";
    const CONFIG: &str =
        "config {\"horizon\":{\"mail\":{\"connection\":\"redis\",\"timeout\":60}}}";
    const UNIT: [&str; 7] = [
        "unit app.service Id=app.service",
        "unit app.service LoadState=loaded",
        "unit app.service MainPID=7",
        "unit app.service Restart=on-failure",
        "unit app.service KillMode=mixed",
        "unit app.service KillSignal=15",
        "unit app.service TimeoutStopUSec=1min",
    ];

    /// What is told of a Horizon whose supervisor, process 8, is listed.
    fn told(lines: &[&str]) -> Vec<String> {
        let text = "app = \"x\"\nrepository = \"github:a/b\"\nrecipe = \"laravel\"\n\
             [environments.production]\npath = \"/srv/app\"\n\
             [[environments.production.hosts]]\nname = \"a\"\naddress = \"a@b\"\n\
             [[environments.production.workers]]\ngroup = \"w\"\nmanager = \"horizon\"\n";
        let config = Config::parse("x", text).unwrap();
        let mut seen = Seen::default();
        seen.listed.push(Listed {
            group: "w".to_owned(),
            name: "w:8".to_owned(),
            state: "RUNNING".to_owned(),
            pid: Some(8),
            release: None,
        });
        for line in [&["app {}", CONFIG, BELOW][..], lines].concat() {
            seen.hear(line, 0);
        }
        let environment = config.environment("production").unwrap();
        let host = HostName::parse("a").unwrap();
        let told = diagnose(&config, environment, &[(host, seen)]).remove(0);
        let of = |id: &str| id.starts_with("supervisor.") || id.starts_with("systemd.");
        let found = told.findings.into_iter().filter(|found| of(found.id));
        let unseen = told.unseen.into_iter().filter(|unseen| of(unseen.id));
        let unseen = unseen.map(|unseen| format!("not checked {}: {}", unseen.id, unseen.why));
        found.map(|found| found.found).chain(unseen).collect()
    }

    #[test]
    fn a_program_of_any_name_that_has_the_command_is_judged() {
        let lines = [
            MASTER,
            "supervisor 3 /etc/supervisord.conf",
            "ini [program:mail]",
            "ini command=php /srv/app/current/artisan queue:work",
            "ini [program:queues]",
            "ini command=/usr/bin/php /srv/app/current/artisan horizon",
            "ini killasgroup=true",
        ];
        assert_eq!(
            told(&lines),
            [
                "w: autorestart is unexpected, by default",
                "w: stopwaitsecs is 10, and a job may take 60 s"
            ]
        );
        let whys = told(&lines[..4]);
        let why = "group w: /etc/supervisord.conf: no program has the command of process 7";
        assert_eq!(whys.len(), 4, "{whys:?}");
        assert!(whys.iter().all(|line| line.ends_with(why)), "{whys:?}");
    }

    #[test]
    fn of_two_apps_with_one_command_the_groups_own_program_is_judged() {
        let of = |name: &str, more: &str| {
            let command = "command=php artisan horizon";
            ["[program:", name, "]\n", command, "\nautorestart=", more].concat()
        };
        let told = |programs: &[String]| {
            let master = MASTER.replace("/srv/app/current/artisan", "artisan");
            let inis: Vec<String> = programs
                .iter()
                .flat_map(|text| text.lines())
                .map(|line| format!("ini {line}"))
                .collect();
            let mut lines = vec![master.as_str(), "supervisor 3 /etc/supervisord.conf"];
            lines.extend(inis.iter().map(String::as_str));
            told(&lines)
        };
        let short = "w: stopwaitsecs is 10, and a job may take 60 s";
        let judged = |told: &[String]| told.iter().any(|line| line == short);
        let restarted = |told: &[String]| !told.iter().any(|line| line.contains("autorestart"));
        let own = told(&[of("a", "false"), of("w", "true")]);
        assert!(judged(&own) && restarted(&own), "{own:?}");
        let only = told(&[of("a", "true")]);
        assert!(judged(&only) && restarted(&only), "{only:?}");
        let which = told(&[of("a", "false"), of("b", "true")]);
        let why = "several programs have the command of process 7";
        assert_eq!(which.len(), 4, "{which:?}");
        assert!(which.iter().all(|line| line.ends_with(why)), "{which:?}");
    }

    #[test]
    fn the_unit_of_whoever_manages_processes_itself_is_not_judged_for_them() {
        let with = |above: &str| {
            let owner = format!("owner 7 app.service {above}");
            let lines = [&[MASTER, &owner][..], &UNIT].concat();
            let lines: Vec<String> = lines
                .iter()
                .map(|line| line.replace("MainPID=7", "MainPID=3"))
                .collect();
            told(&lines.iter().map(String::as_str).collect::<Vec<_>>())
        };
        for shell in ["sh", "php8.2"] {
            let told = with(shell);
            assert!(told[0] == "app.service: Restart=on-failure", "{told:?}");
        }
        // It is supervisor, whose file may not be read.
        for manager in ["supervisord", "PM2 v5.3.0: God", ""] {
            let told = with(manager);
            let blind = told.iter().filter(|line| line.starts_with("not checked"));
            assert_eq!((blind.count(), told.len()), (4, 4), "{manager}: {told:?}");
        }
    }

    #[test]
    fn the_unit_is_judged_that_is_for_the_process_and_none_that_only_has_it() {
        let lines = [&[MASTER, "owner 7 app.service"][..], &UNIT].concat();
        assert_eq!(
            told(&lines),
            [
                "app.service: Restart=on-failure",
                "app.service: TimeoutStopSec is 1min, and a job may take 60 s"
            ]
        );
        // As of sshd, from a login of whose it was started.
        let other: Vec<String> = lines
            .iter()
            .map(|line| line.replace("MainPID=7", "MainPID=1"))
            .collect();
        let other: Vec<&str> = other.iter().map(String::as_str).collect();
        let whys = told(&other);
        assert!(
            whys.len() == 4
                && whys
                    .iter()
                    .all(|line| line.contains("no unit of systemd is for it")),
            "{whys:?}"
        );
    }
}
