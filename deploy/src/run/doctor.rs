//! Looks at every host of an environment for the doctor: one connection each, constant scripts, nothing changed but a file
//! for the pool of PHP-FPM that is gone when the look is over. Decides nothing.

use std::time::Duration;

use super::ask::{self, Roster};
use super::pool::{call, pool_of, question};
use super::{Access, join_all};
use crate::config::{
    Config, Environment, Host, Manager, Recipe, Role, Runtime, RuntimeKind, Workers,
};
use crate::doctor::{self, Diagnosis, Listed, SUPERVISORS, Seen, Silent};
use crate::host::{ConnectReason, Connection, HostError, within};
use crate::pool::Pool;
use crate::script::{
    ASK, DOCTOR_ANSWERS, DOCTOR_APP, DOCTOR_CONTAINERS, DOCTOR_CRON, DOCTOR_FPM, DOCTOR_HOST,
    DOCTOR_OWNERS, DOCTOR_PHP, DOCTOR_PROCESSES, DOCTOR_RIGHTS, DOCTOR_UNITS, DOCTOR_WEB, running,
};
use crate::text::plain;
use crate::{Failure, HostName, clock};

/// A look at one side of a host takes no longer.
const PATIENCE: Duration = Duration::from_mins(1);

/// Scripts at once. sshd takes ten sessions of a connection by default, and the list of workers is read beside them.
const AT_ONCE: usize = 8;

/// Looks at every host of an environment, all at once, and judges what was seen.
pub async fn examine(
    config: &Config,
    environment: &Environment,
    access: &Access,
) -> Vec<Diagnosis> {
    let looking = environment.hosts.iter().map(async |host| {
        let seen = match Connection::open(host, access).await {
            Ok(connection) => {
                let seen = look(config, environment, host, &connection).await;
                connection.close().await;
                seen
            }
            Err(error) => silent(&error, host),
        };
        (host.name.clone(), seen)
    });
    let seen: Vec<(HostName, Seen)> = join_all(looking).await;
    doctor::diagnose(config, environment, &seen)
}

fn silent(error: &HostError, host: &Host) -> Seen {
    let key = match error {
        HostError::Connect { reason, .. } => match reason {
            ConnectReason::HostKey(_) => Some(false),
            ConnectReason::Refused => Some(true),
            ConnectReason::Unreachable => None,
        },
        _ => None,
    };
    let Failure { message, hint, .. } = error.failure(host, "greet");
    Seen {
        silent: Some(Silent {
            key,
            said: message,
            hint: hint.unwrap_or_default(),
        }),
        ..Seen::default()
    }
}

/// A script, what its trouble is known by (its name, and behind that the group which it is asked about), and its arguments.
type Question = (&'static str, String, Vec<String>);

async fn look(
    config: &Config,
    environment: &Environment,
    host: &Host,
    connection: &Connection,
) -> Seen {
    let questions = questions(config, environment, host);
    let asking = async {
        let mut told = Vec::new();
        for some in questions.chunks(AT_ONCE) {
            let some = some.iter().cloned();
            let asking =
                some.map(|(script, name, args)| tell(connection, host, script, name, args));
            told.extend(join_all(asking).await);
        }
        // By the visit of the web server, a pool that has just been started knows how scripts are named.
        (told, ask_pool(config, environment, host, connection).await)
    };
    let ((mut told, pool), (listed, unlisted)) =
        tokio::join!(Box::pin(asking), list(environment, host, connection));
    // Rights are for the names that managers list.
    let mut commands = doctor::commands_asked(environment, host, &listed);
    commands.extend(doctor::OPEN_ROOT.map(str::to_owned));
    told.push(
        tell(
            connection,
            host,
            DOCTOR_RIGHTS,
            "rights".to_owned(),
            commands,
        )
        .await,
    );
    let mut seen = Seen::default();
    if let Some((told, pool)) = pool {
        seen = told;
        seen.pool = Some(pool);
    }
    for (name, lines, trouble, now) in told {
        for line in &lines {
            seen.hear(line, now);
        }
        seen.trouble.extend(trouble.map(|said| (name, said)));
    }
    let unlisted = unlisted.into_iter();
    let unlisted = unlisted.map(|(group, said)| (format!("roster {group}"), said));
    seen.trouble.extend(unlisted);
    seen.listed = listed;
    seen
}

fn questions(config: &Config, environment: &Environment, host: &Host) -> Vec<Question> {
    let root = environment.path.clone();
    let shared = config.shared.files.iter().chain(&config.shared.dirs);
    let with_root = |more: Vec<String>| [vec![root.clone()], more].concat();
    let questions = [
        (DOCTOR_HOST, "host", with_root(shared.cloned().collect())),
        (DOCTOR_PROCESSES, "processes", with_root(Vec::new())),
        (DOCTOR_OWNERS, "owners", with_root(Vec::new())),
        (DOCTOR_CRON, "cron", with_root(Vec::new())),
        (DOCTOR_CONTAINERS, "containers", with_root(Vec::new())),
        (DOCTOR_PHP, "php", with_root(vec![DOCTOR_APP.to_owned()])),
    ];
    let questions = questions.map(|(script, name, args)| (script, name.to_owned(), args));
    let mut questions = Vec::from(questions);
    let works = host.roles.contains(&Role::Worker);
    let groups: Vec<&Workers> = environment.workers.iter().filter(|_| works).collect();
    let of = |manager| {
        let of = groups
            .iter()
            .filter(move |workers| workers.manager == manager);
        of.map(|workers| workers.group.clone())
    };
    let mut units: Vec<String> = of(Manager::Systemd).collect();
    if groups
        .iter()
        .any(|workers| doctor::may_be_supervised(workers.manager))
    {
        units.extend(SUPERVISORS.map(str::to_owned));
    }
    for (scope, units) in [
        ("system", units),
        ("user", of(Manager::SystemdUser).collect()),
    ] {
        if !units.is_empty() {
            let args = [vec![scope.to_owned()], units].concat();
            questions.push((DOCTOR_UNITS, "units".to_owned(), args));
        }
    }
    for workers in groups {
        let sudo = if workers.sudo { "yes" } else { "no" };
        let args = vec![
            "running".to_owned(),
            root.clone(),
            workers.group.clone(),
            sudo.to_owned(),
            workers.settings(),
        ];
        let name = format!("running {}", workers.group);
        questions.extend(running(workers.manager).map(|script| (script, name, args)));
    }
    let health = environment.health.as_ref();
    if let Some(health) = health.filter(|_| host.roles.contains(&Role::Web)) {
        let base: Vec<&str> = health.url.splitn(4, '/').take(3).collect();
        let header = health.host_header.clone().unwrap_or_default();
        let args = with_root(vec![base.join("/"), header]);
        questions.push((DOCTOR_WEB, "web".to_owned(), args));
    }
    questions
}

/// What a script tells, why it could not look, and when it began to tell, in seconds.
type Told = (String, Vec<String>, Option<String>, i64);

async fn tell(
    connection: &Connection,
    host: &Host,
    script: &'static str,
    name: String,
    args: Vec<String>,
) -> Told {
    let mut lines = Vec::new();
    let mut now = clock::now().as_second();
    let asking = async {
        let script_name = name.split(' ').next().unwrap_or_default();
        let mut channel = connection
            .start(script, &format!("doctor-{script_name}"), &args)
            .await?;
        let mut whole = true;
        while let Some(line) = channel.line().await {
            match lines.last_mut() {
                Some(last) if !whole => *last = format!("{last}{line}"),
                Some(_) => lines.push(line),
                None => {
                    now = clock::now().as_second();
                    lines.push(line);
                }
            }
            whole = channel.whole();
        }
        channel.end().await
    };
    let trouble = match within(&host.name, PATIENCE, Box::pin(asking)).await {
        Ok(Ok((0, _))) => None,
        Ok(Ok((status, stderr))) => {
            let last = stderr.lines().rfind(|line| !line.trim().is_empty());
            Some(last.map_or_else(|| format!("exit {status}"), plain))
        }
        Ok(Err(error)) | Err(error) => Some(error.to_string()),
    };
    (name, lines, trouble, now)
}

/// The processes of every group of workers and every runtime, as their manager lists them, and by their name those whose
/// manager does not.
async fn list(
    environment: &Environment,
    host: &Host,
    connection: &Connection,
) -> (Vec<Listed>, Vec<(String, String)>) {
    let (mut listed, mut unlisted) = (Vec::new(), Vec::new());
    for group in ask::groups(environment, host) {
        let name = &group.0.group;
        let mut roster = Roster::default();
        let asked = ask::list(environment, host, connection, group.clone(), &mut roster).await;
        let failures = roster.failures.into_iter().map(|failure| failure.message);
        let lost = asked.err().map(|error| error.to_string());
        unlisted.extend(failures.chain(lost).map(|said| (name.clone(), said)));
        listed.extend(roster.workers.into_iter().map(|worker| Listed {
            group: name.clone(),
            name: worker.name,
            state: worker.state,
            pid: worker.pid,
            release: worker.release,
        }));
    }
    (listed, unlisted)
}

/// Whether PHP-FPM runs where an app of Laravel may be served by it, and the configuration does not speak of it.
async fn unasked(
    config: &Config,
    environment: &Environment,
    host: &Host,
    connection: &Connection,
) -> Option<String> {
    let octane = |runtime: &Runtime| runtime.kind == RuntimeKind::Octane;
    let may_serve = config.recipe == Recipe::Laravel
        && host.roles.contains(&Role::Web)
        && !environment.runtimes.iter().any(octane);
    if environment.php_fpm.is_some() || !may_serve {
        return None;
    }
    let (_, lines, trouble, _) =
        tell(connection, host, DOCTOR_FPM, "fpm".to_owned(), Vec::new()).await;
    let runs = lines.iter().any(|line| line == "runs");
    let why = format!(
        "PHP-FPM runs here, and which path the web server passes to it was not asked: needs `pool` below \
         `[environments.{}.php_fpm]`",
        environment.name
    );
    trouble.or_else(|| runs.then_some(why))
}

/// Has the pool tell of itself, by a script that is there meanwhile. Where no pool is named and there may be one, the error
/// says so.
pub(super) async fn ask_pool(
    config: &Config,
    environment: &Environment,
    host: &Host,
    connection: &Connection,
) -> Option<(Seen, Result<Pool, String>)> {
    let mut seen = Seen::default();
    let Some((_, address)) = pool_of(environment, host) else {
        let why = unasked(config, environment, host, connection).await?;
        return Some((seen, Err(why)));
    };
    let args = [environment.path.clone(), ASK.to_owned()];
    let asking = async {
        let mut channel = connection
            .start(DOCTOR_ANSWERS, "doctor-answers", &args)
            .await?;
        let mut file = None;
        while let Some(line) = channel.line().await {
            if let Some(path) = line.strip_prefix("here ") {
                file = Some(path.to_owned());
                break;
            }
            seen.hear(&line, 0);
        }
        let answer = match &file {
            None => Err("no script could be put where it finds it".to_owned()),
            Some(file) => {
                let folders = config.shared.dirs.iter();
                let folders: Vec<String> = folders
                    .map(|dir| format!("{}/shared/{dir}", environment.path))
                    .collect();
                let socket = connection.lead_to(address).await?;
                let question = question(file, "doctor", &folders.join("\n"));
                let question = question
                    .custom("CUTOVER_CURRENT", format!("{}/current", environment.path))
                    .custom("CUTOVER_POOL", address.stream());
                call(&socket, question, PATIENCE).await
            }
        };
        channel.end().await?;
        Ok(answer.and_then(|answer| Pool::read(&answer)))
    };
    let asked: Result<_, HostError> = within(&host.name, PATIENCE * 2, Box::pin(asking))
        .await
        .flatten();
    Some((seen, asked.unwrap_or_else(|error| Err(error.to_string()))))
}
