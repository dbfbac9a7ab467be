//! The queue, as the app configures it, beside what its workers were told.

use super::Severity::{Loses, Remark, Risk};
use super::checks::{CACHE_PREFIX, CACHE_STORE, FAILED_JOBS, RETRY_AFTER, WATCHED};
use super::ini::Program;
use super::seen::AppConfig;
use super::work::{Longest, Work};
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
    let all = [&RETRY_AFTER, &CACHE_PREFIX, &CACHE_STORE, &FAILED_JOBS];
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

/// Tells of the groups of whose workers no command line can be read.
fn unread(look: Look<'_>, told: &mut Diagnosis) {
    let read = |words: &[String]| Work::read(words).is_some();
    for workers in &look.environment.workers {
        let listed = look.seen.listed.iter();
        let of = listed.filter(|listed| listed.group == workers.group);
        let pids: Vec<u32> = of.filter_map(|listed| listed.pid).collect();
        let mut running = look.seen.processes.iter();
        let runs = running.any(|process| pids.contains(&process.pid) && read(&process.words));
        let files = look.seen.supervisors.iter();
        let mut programs = files.flat_map(|ini| ini.programs(&workers.group));
        if !runs && !programs.any(|program| read(&program.words())) {
            let why = format!(
                "group {}: no command line of artisan was seen",
                workers.group
            );
            told.blind(&RETRY_AFTER, why);
        }
    }
}

fn retry_after(look: Look<'_>, config: &AppConfig, told: &mut Diagnosis) {
    unread(look, told);
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
    for words in &commands {
        let Some(work) = Work::read(words).filter(Work::is_plain) else {
            continue;
        };
        let name = work.connection.unwrap_or(&config.queue);
        let Some(connection) = config.connections.get(name) else {
            continue;
        };
        // Amazon's queue keeps this itself, and others know no such thing.
        let Some(after) = connection.retry_after else {
            continue;
        };
        let (short, takes) = match work.longest(Some(config)) {
            Longest::Limit(longest) => (
                after <= longest.as_secs(),
                format!("{} s", longest.as_secs()),
            ),
            Longest::None => (true, "any time".to_owned()),
        };
        let found = format!("retry_after of {name} is {after} s, and a job may take {takes}");
        let mend = format!("'retry_after' => MORE THAN {takes}, in config/queue.php; then deploy");
        told.verdict(&RETRY_AFTER, short.then_some((Loses, found, mend)));
    }
}

#[cfg(test)]
mod tests {
    use crate::HostName;
    use crate::config::Config;
    use crate::doctor::{App, AppConfig, Connection, Diagnosis, Seen, diagnose};

    fn told(lines: &[&str]) -> Diagnosis {
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
}
