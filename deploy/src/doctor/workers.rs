//! Workers: whether they run, on which code, and whether whoever stops them lets them finish their job.

use super::Severity::{Loses, Remark, Risk};
use super::checks::{
    Check, DRAIN, HAND_OVER, LISTEN, MEMORY, RECYCLE, RUNNING, STALE, TIMEOUT, TRIES,
};
use super::ini::Program;
use super::seen::{Listed, Process};
use super::work::{Longest, Work, drain};
use super::{Diagnosis, Look};
use crate::config::{HandOver, Manager, Recipe, Role, Workers};

const TOLD: [&Check; 6] = [&DRAIN, &TIMEOUT, &TRIES, &RECYCLE, &MEMORY, &LISTEN];

pub(super) fn judge(look: Look<'_>, told: &mut Diagnosis) {
    super::unmanaged::judge(look, told);
    if !look.host.roles.contains(&Role::Worker) {
        return;
    }
    for workers in &look.environment.workers {
        let restarts = workers.hand_over == HandOver::Restart;
        let found = format!("the group {} is restarted after each swap", workers.group);
        let mend = "hand_over = \"drain\"".to_owned();
        told.verdict(&HAND_OVER, restarts.then_some((Remark, found, mend)));
        group(look, workers, told);
    }
}

fn group(look: Look<'_>, workers: &Workers, told: &mut Diagnosis) {
    let name = &workers.group;
    let of = |listed: &&Listed| listed.group == *name;
    let listed: Vec<&Listed> = look.seen.listed.iter().filter(of).collect();
    if listed.is_empty() {
        let why = look.seen.trouble.get(&format!("roster {name}"));
        let why = why.map_or("its manager does not list it", String::as_str);
        told.blind_to(&[&RUNNING, &STALE], &format!("group {name}: {why}"));
    } else {
        super::start::running(look, workers, &listed, told);
        stale(look, &listed, told);
    }
    let inis = look.seen.supervisors.iter();
    let programs: Vec<Program<'_>> = inis.flat_map(|ini| ini.programs(name)).collect();
    let pids: Vec<u32> = listed.iter().filter_map(|listed| listed.pid).collect();
    let of = |process: &&Process| pids.contains(&process.pid);
    let running = look.seen.processes.iter().filter(of);
    let mut commands: Vec<Vec<String>> = running.map(|process| process.words.clone()).collect();
    let boxed = look.seen.containers.iter();
    let boxed = boxed.filter(|container| container.group == *name);
    commands.extend(boxed.map(|container| container.words.clone()));
    if commands.is_empty() {
        commands = programs.iter().map(|program| program.words()).collect();
    }
    read(look, workers, &commands, told);
    match workers.manager {
        Manager::Supervisor => super::supervised::judge(look, name, told),
        Manager::Systemd | Manager::SystemdUser => super::units::judge(look, name, &commands, told),
        Manager::Docker | Manager::Compose | Manager::Kubernetes => {
            super::running::judge(look, workers, told);
        }
        // By design nobody starts these again but the line that started them.
        Manager::Command if workers.start.is_some() => {}
        Manager::Horizon | Manager::QueueRestart | Manager::Command => {
            super::owners::judge(look, name, &pids, told);
        }
    }
}

/// What the command lines of a group say. A program of the user's own may start anything.
fn read(look: Look<'_>, workers: &Workers, commands: &[Vec<String>], told: &mut Diagnosis) {
    let name = &workers.group;
    if commands.is_empty() {
        told.blind_to(&TOLD, &format!("group {name}: no command line was seen"));
    }
    for words in commands {
        match Work::read(words) {
            Some(work) => options(look, workers, &work, told),
            None if look.config.recipe == Recipe::Laravel => {
                told.blind_to(&TOLD, &unread(name, words));
            }
            None => {}
        }
    }
}

pub(super) fn unread(group: &str, words: &[String]) -> String {
    let program = words.first().map_or("nothing", String::as_str);
    format!("group {group}: its command is {program}, and what that starts was not seen")
}

fn stale(look: Look<'_>, listed: &[&Listed], told: &mut Diagnosis) {
    let Some(live) = &look.seen.live else {
        told.blind(&STALE, "nothing is live yet");
        return;
    };
    for worker in listed.iter().filter(|worker| {
        // One that finishes its last job is on the old release by right.
        worker.pid.is_some() && worker.state != "ENDING"
    }) {
        let Some(release) = &worker.release else {
            let whose = "only its own user and root may see which release it runs";
            told.blind(&STALE, format!("{}: {whose}", worker.name));
            continue;
        };
        let found = format!("{} runs {release}, and {live} is live", worker.name);
        let mend = match worker.pid {
            // As every first process of a container says, and nobody may be told to end the host's.
            None | Some(1) => format!("cutover deploy {}", look.environment.name),
            Some(pid) => format!("kill -TERM {pid}  # once it is no longer needed"),
        };
        told.verdict(&STALE, (release != live).then_some((Loses, found, mend)));
    }
}

/// What a worker itself was told.
fn options(look: Look<'_>, workers: &Workers, work: &Work<'_>, told: &mut Diagnosis) {
    let group = &workers.group;
    let config = look.seen.app.as_ref().and_then(|app| app.config.as_ref());
    if !work.takes_jobs() {
        return;
    }
    match work.longest(config) {
        Longest::Unseen => {
            let why = work.bound(config).err().unwrap_or_default();
            told.blind(&TIMEOUT, format!("{group}: {why}"));
        }
        longest => {
            let found = format!("{group}: {}", work.endless(config));
            let finding = (Risk, found, "--timeout=60".to_owned());
            told.verdict(&TIMEOUT, (longest == Longest::None).then_some(finding));
        }
    }
    // With an overlap nobody waits for old workers.
    if workers.hand_over != HandOver::Overlap {
        drain(look, workers, work, told);
    }
    if !work.is_plain() {
        return;
    }
    let listens = work.command == "queue:listen";
    let found = format!("{group} runs queue:listen");
    told.verdict(
        &LISTEN,
        listens.then_some((Risk, found, "queue:work".to_owned())),
    );
    let tries = work.option("--tries");
    let once = tries.is_none_or(|tries| tries == "1");
    let found = format!("{group}: --tries is {}", tries.unwrap_or("not given, so 1"));
    told.verdict(
        &TRIES,
        once.then_some((Risk, found, "--tries=3".to_owned())),
    );
    let emptied = work.option("--memory") == Some("0");
    let found = format!("{group}: --memory=0");
    told.verdict(
        &MEMORY,
        emptied.then_some((Risk, found, "--memory=128".to_owned())),
    );
    let recycled = work
        .option("--max-time")
        .or(work.option("--max-jobs"))
        .is_some();
    let found = format!("{group}: neither --max-time nor --max-jobs");
    told.verdict(
        &RECYCLE,
        (!recycled).then_some((Remark, found, "--max-time=3600".to_owned())),
    );
}

#[cfg(test)]
pub(super) mod tests {
    use crate::HostName;
    use crate::config::Config;
    use crate::doctor::{Diagnosis, Listed, Seen, diagnose};

    /// What is told of a host with one listed worker, which has said these lines.
    pub(crate) fn told(more: &str, lines: &[&str]) -> Diagnosis {
        let text = format!(
            "app = \"x\"\nrepository = \"github:a/b\"\nrecipe = \"laravel\"\n\
             [environments.production]\npath = \"/srv/app\"\n\
             [[environments.production.hosts]]\nname = \"a\"\naddress = \"a@b\"\n\
             [[environments.production.workers]]\ngroup = \"w\"\n{more}\n"
        );
        let config = Config::parse("x", &text).unwrap();
        let mut seen = Seen::default();
        seen.listed.push(Listed {
            group: "w".to_owned(),
            name: "w:w_00".to_owned(),
            state: "RUNNING".to_owned(),
            pid: Some(7),
            release: None,
        });
        for line in lines {
            seen.hear(line, 0);
        }
        let environment = config.environment("production").unwrap();
        let host = HostName::parse("a").unwrap();
        diagnose(&config, environment, &[(host, seen)]).remove(0)
    }

    fn is_fine(told: &Diagnosis, id: &str) -> bool {
        told.fine.contains(&id)
    }

    fn unseen<'a>(told: &'a Diagnosis, id: &str) -> Vec<&'a str> {
        let of = told.unseen.iter().filter(|unseen| unseen.id == id);
        of.map(|unseen| unseen.why.as_str()).collect()
    }

    fn found<'a>(told: &'a Diagnosis, id: &str) -> Vec<&'a str> {
        let of = told.findings.iter().filter(|finding| finding.id == id);
        of.map(|finding| finding.found.as_str()).collect()
    }

    const LISTED: &str =
        "process 7 1 0 - - php\u{1f}/srv/app/current/artisan\u{1f}queue:work\u{1f}";

    #[test]
    fn a_hidden_worker_of_no_group_is_not_called_fine() {
        let id = "workers.unmanaged";
        let hidden = "hidden 9 1 33 - - php\u{1f}artisan\u{1f}queue:work\u{1f}";
        let why = "process 9 runs an artisan of another user; who is root could look";
        assert!(is_fine(&told("", &[LISTED]), id));
        let blind = told("", &[LISTED, hidden]);
        assert_eq!(
            (unseen(&blind, id), is_fine(&blind, id)),
            (vec![why], false)
        );
        // One that a group lists, and one that ends by itself, are nobody's concern.
        assert!(is_fine(&told("", &[&hidden.replace(" 9 ", " 7 ")]), id));
        assert!(is_fine(
            &told("", &[&hidden.replace("queue:work", "migrate")]),
            id
        ));
        let stray = LISTED.replace("process 7", "process 8");
        let stray = told("", &[LISTED, hidden, &stray]);
        assert_eq!(
            found(&stray, id),
            ["no group of the configuration has queue:work (pid 8)"]
        );
    }

    #[test]
    fn a_worker_of_a_group_that_was_renamed_is_nobodys_though_its_command_is_the_same() {
        let id = "workers.unmanaged";
        let ini = [
            "supervisor 1 /etc/supervisord.conf",
            "ini [program:w]",
            "ini command=php /srv/app/current/artisan queue:work",
        ];
        let other = LISTED.replace("process 7", "process 8");
        let both = [&ini[..], &[LISTED, &other]].concat();
        assert_eq!(
            found(&told("", &both), id),
            ["no group of the configuration has queue:work (pid 8)"]
        );
        // The one that is listed has ended since, and this one has taken its place.
        let anew = [&ini[..], &[&other]].concat();
        assert!(is_fine(&told("", &anew), id));
    }

    #[test]
    fn a_program_that_starts_the_worker_leaves_open_what_it_was_told() {
        let ini = [
            "supervisor 1 /etc/supervisord.conf",
            "ini [program:w]",
            "ini command=/srv/run-worker mail",
        ];
        let told = told("", &ini);
        for id in ["workers.drain", "workers.tries", "supervisor.stopwaitsecs"] {
            let why = "group w: its command is /srv/run-worker, and what that starts was not seen";
            assert_eq!((unseen(&told, id), is_fine(&told, id)), (vec![why], false));
        }
    }

    #[test]
    fn a_drain_as_long_as_the_longest_job_is_too_short() {
        let drain = |more: &str, line: &str| {
            let told = told(more, &[line]);
            found(&told, "workers.drain").join(", ")
        };
        assert_eq!(
            drain("drain_timeout = \"60s\"", LISTED),
            "w: drain_timeout is 60 s, and a job that takes 60 s takes the deployment back"
        );
        assert_eq!(drain("drain_timeout = \"61s\"", LISTED), "");
        let endless = format!("{LISTED}--timeout=0\u{1f}");
        assert_eq!(drain("", &endless), "");
        assert_eq!(
            drain("after_drain = \"force\"", &endless),
            "w: drain_timeout is 60 s, and a job that takes longer is killed then"
        );
    }
}
