//! Workers: whether they run, on which code, and whether whoever stops them lets them finish their job.

use super::Severity::{Loses, Remark, Risk};
use super::checks::{
    AUTORESTART, Check, DRAIN, HAND_OVER, KILL_GROUP, LISTEN, RECYCLE, RUNNING, STALE, STOP_GROUP,
    STOP_SIGNAL, STOP_WAIT, TIMEOUT, TRIES, UNMANAGED,
};
use super::ini::Program;
use super::seen::{Listed, Process};
use super::work::{Longest, Work, drain};
use super::{Diagnosis, Look};
use crate::config::{HandOver, Manager, Recipe, Role, Workers};

/// What supervisor waits when it is not told.
const STOP_WAIT_SECONDS: u64 = 10;
const MANAGED: [&Check; 5] = [
    &STOP_WAIT,
    &STOP_SIGNAL,
    &STOP_GROUP,
    &KILL_GROUP,
    &AUTORESTART,
];
const TOLD: [&Check; 5] = [&DRAIN, &TIMEOUT, &TRIES, &RECYCLE, &LISTEN];

pub(super) fn judge(look: Look<'_>, told: &mut Diagnosis) {
    unmanaged(look, told);
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
        let why = look.seen.trouble.get("roster");
        let why = why.map_or("its manager does not list it", String::as_str);
        told.blind_to(&[&RUNNING, &STALE], &format!("group {name}: {why}"));
    } else {
        super::start::running(look, workers, &listed, told);
        stale(look, &listed, told);
    }
    let programs: Vec<Program<'_>> = look
        .seen
        .supervisors
        .iter()
        .flat_map(|ini| ini.programs(name))
        .collect();
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
        Manager::Supervisor => {
            if programs.is_empty() {
                let why = "no file of supervisor that may be read tells of it; needs a running worker, or root";
                let why = format!("group {name}: {why}");
                told.blind_to(&MANAGED, &why);
                super::units::of_supervisor(look, name, Err(why), told);
            }
            for program in &programs {
                managed(look, workers, *program, told);
            }
        }
        Manager::Systemd | Manager::SystemdUser => {
            let config = look.seen.app.as_ref().and_then(|app| app.config.as_ref());
            let work = commands.iter().find_map(|words| Work::read(words));
            let longest = work
                .filter(Work::takes_jobs)
                .map(|work| work.longest(config));
            super::units::judge(look, workers, longest, told);
        }
        Manager::Docker | Manager::Compose | Manager::Kubernetes => {
            super::running::judge(look, workers, told);
        }
        _ => {}
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

fn unread(group: &str, words: &[String]) -> String {
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
        let mend = format!(
            "kill -TERM {}  # once it is no longer needed",
            worker.pid.unwrap_or(0)
        );
        told.verdict(&STALE, (release != live).then_some((Loses, found, mend)));
    }
}

/// What its supervisor is configured with.
fn managed(look: Look<'_>, workers: &Workers, program: Program<'_>, told: &mut Diagnosis) {
    let group = &workers.group;
    let words = program.words();
    let work = Work::read(&words);
    let config = look.seen.app.as_ref().and_then(|app| app.config.as_ref());
    let waits = program
        .value("stopwaitsecs")
        .and_then(|text| text.parse().ok());
    let waits: u64 = waits.unwrap_or(STOP_WAIT_SECONDS);
    match work
        .as_ref()
        .filter(|work| work.takes_jobs())
        .map(|work| work.longest(config))
    {
        Some(Longest::Limit(longest)) => {
            let longest = longest.as_secs();
            let short = waits <= longest;
            let found = format!("{group}: stopwaitsecs is {waits}, and a job may take {longest} s");
            let mend = format!("stopwaitsecs={}", longest + 10);
            told.verdict(&STOP_WAIT, short.then_some((Loses, found, mend)));
            super::units::of_supervisor(look, group, Ok(longest), told);
        }
        Some(Longest::None) => {
            let why = format!("{group}: nothing limits a job");
            told.blind(&STOP_WAIT, why.clone());
            super::units::of_supervisor(look, group, Err(why), told);
        }
        None if work.is_none() && look.config.recipe == Recipe::Laravel => {
            let why = unread(group, &words);
            told.blind(&STOP_WAIT, why.clone());
            super::units::of_supervisor(look, group, Err(why), told);
        }
        None => {}
    }
    stop_signal(look, group, program, told);
    let to_group = program.is_on("stopasgroup").unwrap_or(false);
    let found = format!("{group}: stopasgroup=true");
    let mend = "stopasgroup=false and killasgroup=true".to_owned();
    told.verdict(&STOP_GROUP, to_group.then_some((Risk, found, mend)));
    let kills = program.is_on("killasgroup").unwrap_or(to_group);
    let found = format!("{group}: killasgroup is off");
    told.verdict(
        &KILL_GROUP,
        (!kills).then_some((Remark, found, "killasgroup=true".to_owned())),
    );
    let restarts = program.is_on("autorestart").unwrap_or(false);
    let written = program
        .value("autorestart")
        .unwrap_or("unexpected, by default");
    let found = format!("{group}: autorestart is {written}");
    told.verdict(
        &AUTORESTART,
        (!restarts).then_some((Loses, found, "autorestart=true".to_owned())),
    );
}

/// Laravel 8 and 9 finish a job on TERM alone; QUIT came with 10, INT with 13.
fn stop_signal(look: Look<'_>, group: &str, program: Program<'_>, told: &mut Diagnosis) {
    let signal = program
        .value("stopsignal")
        .unwrap_or("TERM")
        .to_ascii_uppercase();
    let signal = signal.trim_start_matches("SIG");
    let laravel = look
        .seen
        .app
        .as_ref()
        .and_then(|app| app.laravel.as_deref());
    let major: Option<u32> = laravel.and_then(|text| text.split('.').next()?.parse().ok());
    let needs = match signal {
        "TERM" => 0,
        "QUIT" => 10,
        "INT" => 13,
        _ => u32::MAX,
    };
    let heard = match major {
        Some(major) => major >= needs,
        None if needs == 0 => true,
        None if needs == u32::MAX => false,
        None => {
            told.blind(
                &STOP_SIGNAL,
                format!("{group}: which Laravel finishes its job on {signal} is not known here"),
            );
            return;
        }
    };
    let found = format!("{group}: stopsignal is {signal}");
    told.verdict(
        &STOP_SIGNAL,
        (!heard).then_some((Loses, found, "stopsignal=TERM".to_owned())),
    );
}

/// What a worker itself was told.
fn options(look: Look<'_>, workers: &Workers, work: &Work<'_>, told: &mut Diagnosis) {
    let group = &workers.group;
    let config = look.seen.app.as_ref().and_then(|app| app.config.as_ref());
    if !work.takes_jobs() {
        return;
    }
    let longest = work.longest(config);
    let endless = longest == Longest::None;
    let found = format!("{group}: --timeout=0");
    told.verdict(
        &TIMEOUT,
        endless.then_some((Risk, found, "--timeout=60".to_owned())),
    );
    // With an overlap nobody waits for old workers.
    if workers.hand_over != HandOver::Overlap {
        drain(workers, longest, told);
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

/// Workers that nobody would make follow a release.
fn unmanaged(look: Look<'_>, told: &mut Diagnosis) {
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
    let listed: Vec<u32> = seen.listed.iter().filter_map(|listed| listed.pid).collect();
    // One that is just starting, or finishes its last job, is listed without a process.
    let groups = look
        .environment
        .workers
        .iter()
        .map(|workers| &workers.group);
    let ours: Vec<Vec<String>> = groups
        .flat_map(|group| seen.supervisors.iter().flat_map(|ini| ini.programs(group)))
        .map(Program::words)
        .collect();
    // Horizon's own workers are children of children of the one that is listed.
    let family = |process: &Process| {
        let mut at = process.pid;
        for _ in 0..8 {
            if listed.contains(&at) {
                return true;
            }
            let mut all = seen.processes.iter().chain(&seen.hidden);
            match all.find(|other| other.pid == at) {
                Some(other) => at = other.parent,
                None => return false,
            }
        }
        false
    };
    let mut strays = Vec::new();
    for process in among {
        let Some(work) = Work::read(&process.words) else {
            continue;
        };
        let lasting = wanted(&work);
        let once = process
            .words
            .iter()
            .any(|word| word == "--once" || word == "--stop-when-empty");
        if lasting && !once && !ours.contains(&process.words) && !family(process) {
            strays.push((work.command, process.pid));
        }
    }
    strays
}

#[cfg(test)]
mod tests {
    use crate::HostName;
    use crate::config::Config;
    use crate::doctor::{Diagnosis, Listed, Seen, diagnose};

    /// What is told of a host with one listed worker, which has said these lines.
    fn told(more: &str, lines: &[&str]) -> Diagnosis {
        let text = format!(
            "app = \"x\"\nrepository = \"github:a/b\"\nrecipe = \"laravel\"\n\
             [environments.production]\npath = \"/srv/app\"\n\
             [[environments.production.hosts]]\nname = \"a\"\naddress = \"a@b\"\n\
             [[environments.production.workers]]\ngroup = \"w\"\n{more}"
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
