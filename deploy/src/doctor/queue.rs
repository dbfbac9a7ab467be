//! The queue, as the app configures it, beside what its workers were told.

use std::collections::BTreeSet;

use super::Severity::{Loses, Remark, Risk};
use super::checks::{CACHE_PREFIX, CACHE_STORE, FAILED_JOBS, OVERLAP_LOCK, RETRY_AFTER, WATCHED};
use super::ini::Program;
use super::seen::AppConfig;
use super::work::{Longest, Work, bound, longest, severity};
use super::{Diagnosis, Look};
use crate::config::{Manager, Recipe, Role, Workers};

pub(super) fn judge(look: Look<'_>, told: &mut Diagnosis) {
    let works = look.host.roles.contains(&Role::Worker) && !look.environment.workers.is_empty();
    if !works {
        return;
    }
    if look.config.recipe == Recipe::Laravel {
        let unwatched = look.environment.alarms.queue.is_none();
        let found = "nothing looks at failed and overdue jobs after a swap".to_owned();
        let name = &look.environment.name;
        let mend =
            format!("watch = \"5m\", and [environments.{name}.alarms.queue] with failed = 0");
        told.verdict(&WATCHED, unwatched.then_some((Remark, found, mend)));
    }
    let all = [
        &RETRY_AFTER,
        &CACHE_PREFIX,
        &CACHE_STORE,
        &FAILED_JOBS,
        &OVERLAP_LOCK,
    ];
    let app = look.seen.app.as_ref();
    let Some((app, config)) = app.and_then(|app| Some((app, app.config.as_ref()?))) else {
        if look.config.recipe == Recipe::Laravel || app.is_none() {
            let why = look.seen.trouble.get("php");
            told.blind_to(
                &all,
                why.map_or("the app's configuration was not seen", String::as_str),
            );
        }
        return;
    };
    retry_after(look, config, told);
    match config.keeps_failed {
        None => told.blind(&FAILED_JOBS, "the app's configuration does not tell"),
        Some(kept) => {
            let found = "jobs that failed for good are kept nowhere".to_owned();
            let mend = "'failed' => ['driver' => 'database-uuids', …] in config/queue.php, and its table: php artisan queue:failed-table";
            let finding = (Risk, found, mend.to_owned());
            told.verdict(&FAILED_JOBS, (!kept).then_some(finding));
        }
    }
    overlap_lock(config, told);
    let restarts = by_queue_restart(look);
    let mut prefixes: Vec<&String> = app.prefixes.values().collect();
    prefixes.sort();
    prefixes.dedup();
    let differ = prefixes.len() > 1;
    let named: Vec<String> = app
        .prefixes
        .iter()
        .map(|(id, prefix)| format!("{prefix:?} in {id}"))
        .collect();
    let found = format!("the cache prefix is {}", named.join(", "));
    let severity = if restarts { Loses } else { Remark };
    let mend = "CACHE_PREFIX=shop in .env, the same for every release".to_owned();
    told.verdict(&CACHE_PREFIX, differ.then_some((severity, found, mend)));
    let several = look.environment.with_role(Role::Worker).count() > 1;
    let alone = match config.cache.as_str() {
        "array" | "null" => true,
        "file" | "apc" => several,
        _ => false,
    };
    let found = format!(
        "queue:restart goes through the cache driver {:?}",
        config.cache
    );
    let mend = "CACHE_STORE=redis in .env".to_owned();
    told.verdict(
        &CACHE_STORE,
        (restarts && alone).then_some((Loses, found, mend)),
    );
}

fn overlap_lock(config: &AppConfig, told: &mut Diagnosis) {
    let files = config.endless_locks.join(", ");
    if files.is_empty() && config.jobs_unread {
        let why = "the app has more code than was looked through for jobs";
        return told.blind(&OVERLAP_LOCK, why);
    }
    let found = format!("WithoutOverlapping without expireAfter in {files}");
    let mend = "->expireAfter(180), longer than the job takes".to_owned();
    told.verdict(
        &OVERLAP_LOCK,
        (!files.is_empty()).then_some((Risk, found, mend)),
    );
}

/// Whether a line of the user's relies on `queue:restart`.
fn by_queue_restart(look: Look<'_>) -> bool {
    let by_manager = |workers: &Workers| workers.manager == Manager::QueueRestart;
    if look.environment.workers.iter().any(by_manager) {
        return true;
    }
    let steps = &look.config.steps;
    let lines = steps
        .after_swap
        .iter()
        .chain(&steps.after_health)
        .chain(&steps.prepare);
    lines.into_iter().any(|line| line.contains("queue:restart"))
}

/// Whether a command line of `artisan` can be read of a group.
fn is_read(look: Look<'_>, group: &str) -> bool {
    let read = |words: &[String]| Work::read(words).is_some();
    let listed = look.seen.listed.iter();
    let of = listed.filter(|listed| listed.group == group);
    let pids: Vec<u32> = of.filter_map(|listed| listed.pid).collect();
    let mut running = look.seen.processes.iter();
    let mut containers = look.seen.containers.iter();
    let files = look.seen.supervisors.iter();
    let mut programs = files.flat_map(|ini| ini.programs(group));
    running.any(|process| pids.contains(&process.pid) && read(&process.words))
        || containers.any(|one| one.group == group && read(&one.words))
        || programs.any(|program| read(&program.words()))
}

/// Whether all workers take jobs from the same queues, so that whatever a job says holds for each.
pub(super) fn serves_one(look: Look<'_>) -> bool {
    let app = look.seen.app.as_ref();
    let Some(config) = app.and_then(|app| app.config.as_ref()) else {
        return false;
    };
    let commands = commands(look);
    let mut served = BTreeSet::new();
    for work in commands.iter().filter_map(|words| Work::read(words)) {
        if work.is_plain() {
            let connection = work.connection.unwrap_or(&config.queue);
            served.insert((connection, work.option("--queue")));
        } else if work.command == "horizon" {
            // Which queues each of its supervisors serves is not told, so no two are the same.
            let all = config.horizon.iter();
            served.extend(all.map(|(name, one)| (one.connection.as_str(), Some(name.as_str()))));
        }
    }
    let mut groups = look.environment.workers.iter();
    served.len() == 1 && groups.all(|workers| is_read(look, &workers.group))
}

/// The command lines of all workers that were seen, or that supervisor would start.
fn commands(look: Look<'_>) -> Vec<Vec<String>> {
    let programs = look.environment.workers.iter().flat_map(|workers| {
        let of = look.seen.supervisors.iter();
        of.flat_map(|ini| ini.programs(&workers.group))
    });
    let mut commands: Vec<Vec<String>> = programs.map(Program::words).collect();
    commands.extend(
        look.seen
            .processes
            .iter()
            .map(|process| process.words.clone()),
    );
    let containers = look.seen.containers.iter();
    commands.extend(containers.map(|one| one.words.clone()));
    commands
}

fn retry_after(look: Look<'_>, config: &AppConfig, told: &mut Diagnosis) {
    for workers in &look.environment.workers {
        let group = &workers.group;
        if !is_read(look, group) {
            let why = format!("group {group}: no command line of artisan was seen");
            told.blind(&RETRY_AFTER, why);
        }
    }
    for words in &commands(look) {
        match Work::read(words) {
            Some(work) if work.is_plain() => {
                let name = work.connection.unwrap_or(&config.queue);
                compare(look, config, name, work.told(Some(config)), told);
            }
            Some(work) if work.command == "horizon" => horizon(look, config, told),
            _ => {}
        }
    }
}

/// Each supervisor of Horizon has a connection and a limit of its own.
fn horizon(look: Look<'_>, config: &AppConfig, told: &mut Diagnosis) {
    if config.horizon.is_empty() {
        let why = format!(
            "config/horizon.php tells of no supervisor for APP_ENV {:?}",
            config.env
        );
        told.blind(&RETRY_AFTER, why);
    }
    for horizon in config.horizon.values() {
        let limit = Some(horizon.timeout);
        compare(look, config, &horizon.connection, limit, told);
    }
}

/// Compares a connection with the jobs of workers that were told so many seconds.
fn compare(
    look: Look<'_>,
    config: &AppConfig,
    name: &str,
    limit: Option<u64>,
    told: &mut Diagnosis,
) {
    let Some(connection) = config.connections.get(name) else {
        let why = format!("config/queue.php has no connection {name:?}");
        return told.blind(&RETRY_AFTER, why);
    };
    // Amazon's queue keeps this itself, and others know no such thing.
    let Some(after) = connection.retry_after else {
        return;
    };
    let (short, takes) = match (longest(limit, Some(config)), bound(limit, Some(config))) {
        (Longest::None, _) => (true, "any time".to_owned()),
        (_, Ok(bound)) => (after <= bound.seconds, bound.to_string()),
        (_, Err(why)) => return told.blind(&RETRY_AFTER, why),
    };
    let found = format!("retry_after of {name} is {after} s, and a job may take {takes}");
    let takes = takes.split(" (").next().unwrap_or_default();
    let mend = format!("'retry_after' => MORE THAN {takes}, in config/queue.php; then deploy");
    let severity = severity(look, limit, after);
    told.verdict(&RETRY_AFTER, short.then_some((severity, found, mend)));
}

#[cfg(test)]
mod tests {
    use crate::HostName;
    use crate::config::Config;
    use crate::doctor::{App, AppConfig, Connection, Diagnosis, Horizon, Seen, Severity, diagnose};

    fn told(lines: &[&str]) -> Diagnosis {
        told_with(lines, [])
    }

    /// What is told where Horizon has supervisors with these limits.
    fn told_with<const N: usize>(lines: &[&str], horizon: [(&str, u64); N]) -> Diagnosis {
        let text = "app = \"x\"\nrepository = \"github:a/b\"\nrecipe = \"laravel\"\n\
             [environments.production]\npath = \"/srv/app\"\n\
             [[environments.production.hosts]]\nname = \"a\"\naddress = \"a@b\"\n\
             [[environments.production.workers]]\ngroup = \"w\"\n";
        let config = Config::parse("x", text).unwrap();
        let redis = Connection {
            driver: "redis".to_owned(),
            retry_after: Some(90),
        };
        let mut seen = Seen {
            app: Some(App {
                config: Some(AppConfig {
                    queue: "redis".to_owned(),
                    connections: [("redis".to_owned(), redis)].into(),
                    horizon: horizon.map(supervisor).into(),
                    ..AppConfig::default()
                }),
                ..App::default()
            }),
            ..Seen::default()
        };
        for line in lines {
            seen.hear(line, 0);
        }
        let environment = config.environment("production").unwrap();
        let host = HostName::parse("a").unwrap();
        diagnose(&config, environment, &[(host, seen)]).remove(0)
    }

    fn supervisor((name, timeout): (&str, u64)) -> (String, Horizon) {
        let connection = "redis".to_owned();
        (
            name.to_owned(),
            Horizon {
                connection,
                timeout,
            },
        )
    }

    #[test]
    fn each_supervisor_of_horizon_is_compared_with_its_connection() {
        let id = "queue.retry-after";
        let lines = [
            "supervisor 1 /etc/supervisord.conf",
            "ini [program:w]",
            "ini command=php /srv/app/current/artisan horizon",
        ];
        let found = |told: Diagnosis| {
            let of = told.findings.into_iter().filter(|found| found.id == id);
            of.map(|found| found.found).collect::<Vec<_>>()
        };
        let one = told_with(&lines, [("mail", 60), ("reports", 90)]);
        let short = "retry_after of redis is 90 s, and a job may take 90 s";
        assert_eq!(found(one), [short]);
        let fine = told_with(&lines, [("mail", 60)]);
        assert!(fine.fine.contains(&id), "{fine:?}");
        let unknown = told(&lines);
        let whys = unknown.unseen.iter().filter(|unseen| unseen.id == id);
        let whys: Vec<&str> = whys.map(|unseen| unseen.why.as_str()).collect();
        let why = "config/horizon.php tells of no supervisor for APP_ENV \"\"";
        assert_eq!((whys, unknown.fine.contains(&id)), (vec![why], false));
    }

    #[test]
    fn what_a_job_says_loses_nothing_where_it_may_be_another_queues() {
        let short = |seconds: u64, timeout: u64, more: &[&str]| {
            let config = format!(
                "config {{\"queue\":\"redis\",\"connections\":{{\"redis\":{{\"retry_after\":90}},\
                 \"long\":{{\"retry_after\":3700}}}},\
                 \"longest_job\":{{\"seconds\":{seconds},\"file\":\"app/Jobs/Export.php\"}}}}"
            );
            let command = format!("ini command=php artisan queue:work --timeout={timeout}");
            let lines = [
                &config,
                "supervisor 1 /etc/supervisord.conf",
                "ini [program:w]",
                &command,
                "ini stopwaitsecs=70",
            ];
            let told = told(&[&lines, more].concat());
            let of = ["queue.retry-after", "supervisor.stopwaitsecs"];
            let found = told.findings.into_iter();
            let found = found.filter(|found| of.contains(&found.id));
            let found: Vec<_> = found.map(|one| (one.severity, one.id)).collect();
            found
        };
        let long = [
            "ini [program:w@long]",
            "ini command=php artisan queue:work long --timeout=3600",
            "ini stopwaitsecs=3700",
        ];
        let (retry, stop) = ("queue.retry-after", "supervisor.stopwaitsecs");
        let loses = [(Severity::Loses, retry), (Severity::Loses, stop)];
        let risk = [(Severity::Risk, retry), (Severity::Risk, stop)];
        assert_eq!(short(3600, 60, &[]), loses);
        assert_eq!(short(3600, 60, &long), risk);
        // What the worker itself was told is too long already.
        assert_eq!(short(3600, 90, &long), loses);
        let endless = short(0, 60, &long);
        assert!(endless.iter().all(|one| *one == risk[0]), "{endless:?}");
        assert!(!endless.is_empty());
        assert_eq!(short(0, 0, &long)[0], loses[0]);
    }

    #[test]
    fn without_a_command_line_nothing_is_said_of_retry_after() {
        let id = "queue.retry-after";
        let blind = |told: &Diagnosis| told.unseen.iter().any(|unseen| unseen.id == id);
        let program = ["supervisor 1 /etc/supervisord.conf", "ini [program:w]"];
        let read = told(&[&program[..], &["ini command=php artisan queue:work"]].concat());
        assert_eq!((read.fine.contains(&id), blind(&read)), (true, false));
        let wrapped = told(&[&program[..], &["ini command=/srv/run-worker"]].concat());
        let nothing = told(&[]);
        for told in [wrapped, nothing] {
            assert_eq!((told.fine.contains(&id), blind(&told)), (false, true));
        }
    }

    #[test]
    fn retry_after_is_held_against_the_command_of_a_container() {
        let id = "queue.retry-after";
        let with = |timeout: &str| {
            let words = format!("php\u{1f}artisan\u{1f}queue:work\u{1f}--timeout={timeout}");
            told(&[&format!("container w deployment/w 200 - words {words}")])
        };
        let short = with("90");
        let found = short.findings.iter().find(|finding| finding.id == id);
        assert_eq!(
            found.unwrap().found,
            "retry_after of redis is 90 s, and a job may take 90 s"
        );
        let long = with("89");
        assert!(long.fine.contains(&id), "{long:?}");
        assert!(long.unseen.iter().all(|unseen| unseen.id != id));
    }
}
