//! Questions to hosts that change nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::{Access, join_all};
use crate::config::{Environment, Health, Host, Role, Shared, Workers};
use crate::facts::Facts;
use crate::health::Answer;
use crate::host::{Channel, Connection, HostError, within};
use crate::plan::{brings_bytes, fit};
use crate::script::{AROUND, HEALTH, PROBE, ROSTER, recipe, server_recipe};
use crate::{DeployRequest, Failure, HostName, clock};

/// This much of a health answer is read.
const BODY_BYTES: usize = 64 * 1024;
/// A question that needs no waiting on the host is answered within this time.
const PATIENCE: Duration = Duration::from_mins(1);

/// The first word over a connection that was kept comes within this time, or its line is dead.
pub(super) const FIRST_WORD: Duration = Duration::from_secs(10);

/// A worker process, as its manager and the kernel tell.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Worker {
    /// The name in its manager.
    pub name: String,
    /// The manager's word for its state.
    pub state: String,
    /// Its process id, while it runs.
    pub pid: Option<u32>,
    /// The release that it runs, by proof.
    pub release: Option<String>,
    /// When it began.
    pub since: Option<Timestamp>,
    /// How often its manager has started it anew by itself; only systemd counts that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restarts: Option<u32>,
}

/// Asks every host of an environment what is true, all at once; changes nothing and takes no lease.
pub async fn survey(
    environment: &Environment,
    shared: &Shared,
    access: &Access,
) -> Vec<(HostName, Result<Facts, Failure>)> {
    let asking = environment.hosts.iter().map(async |host| {
        let facts = told(host, environment, shared, access).await;
        (host.name.clone(), facts)
    });
    join_all(asking).await
}

/// What one host says. A connection that was kept may be dead, so another is made before that counts.
async fn told(
    host: &Host,
    environment: &Environment,
    shared: &Shared,
    access: &Access,
) -> Result<Facts, Failure> {
    let failed = |error: HostError| error.failure(host, "greet");
    let mut connection = Connection::reach(host, access).await.map_err(failed)?;
    let mut facts = probe(&connection, host, &environment.path, &shared.files).await;
    if facts.is_err() && connection.has_idled() {
        connection.close().await;
        connection = Connection::open(host, access).await.map_err(failed)?;
        facts = probe(&connection, host, &environment.path, &shared.files).await;
    }
    if facts.is_ok() {
        connection.leave(host, access).await;
    } else {
        connection.close().await;
    }
    facts
}

/// Whether a deployment of this request would bring bytes to a host. Takes no lease and changes nothing.
/// A host that cannot be asked counts as yes.
pub async fn needs_artifact(
    environment: &Environment,
    request: &DeployRequest,
    access: &Access,
) -> bool {
    brings_bytes(environment, request, &answered(environment, access).await)
}

/// What the hosts said that can be asked, without a look at shared files.
async fn answered(environment: &Environment, access: &Access) -> BTreeMap<HostName, Facts> {
    let shared = Shared {
        files: Vec::new(),
        dirs: Vec::new(),
    };
    let heard = survey(environment, &shared, access).await;
    let facts = heard.into_iter();
    facts
        .filter_map(|(host, facts)| Some((host, facts.ok()?)))
        .collect()
}

/// The hold that would stop this request, on whichever host it stands. Takes no lease and changes nothing; a host that
/// cannot be asked holds nothing.
pub async fn held(
    environment: &Environment,
    request: &DeployRequest,
    access: &Access,
) -> Option<Failure> {
    let facts = answered(environment, access).await;
    fit::hold_against(environment, request, clock::now(), &facts)
}

/// The workers and runtimes of a host, and why those of a group are not among them.
#[derive(Debug, Default)]
pub struct Roster {
    /// Those that their managers list.
    pub workers: Vec<Worker>,
    /// One for each manager that could not be asked.
    pub failures: Vec<Failure>,
}

/// Lists the workers and runtimes of every host that has some; changes nothing.
pub async fn workers(environment: &Environment, access: &Access) -> Vec<(HostName, Roster)> {
    let hosts = environment.hosts.iter();
    let hosts = hosts.filter(|host| !groups(environment, host).is_empty());
    let asking = hosts.map(async |host| {
        let listed = list_workers(environment, host, access).await;
        (host.name.clone(), listed)
    });
    join_all(asking).await
}

async fn list_workers(environment: &Environment, host: &Host, access: &Access) -> Roster {
    match Connection::open(host, access).await {
        Ok(connection) => {
            let roster = roster(environment, host, &connection).await;
            connection.close().await;
            roster
        }
        Err(error) => Roster {
            failures: vec![error.failure(host, "workers")],
            ..Roster::default()
        },
    }
}

/// Processes that a manager lists, with its recipe and what that gets.
pub(super) type Group<'a> = (&'a Workers, &'static str, String);

/// Those of a host, by its roles.
pub(super) fn groups<'a>(environment: &'a Environment, host: &Host) -> Vec<Group<'a>> {
    let (works, serves) = (
        host.roles.contains(&Role::Worker),
        host.roles.contains(&Role::Web),
    );
    let workers = environment.workers.iter().filter(|_| works);
    let workers = workers.map(|group| (group, recipe(group.manager), group.settings()));
    let runtimes = environment.runtimes.iter().filter(|_| serves);
    let runtimes = runtimes.filter_map(|runtime| {
        let group = runtime.processes()?;
        Some((group, server_recipe(group.manager), runtime.settings()))
    });
    workers.chain(runtimes).collect()
}

/// Lists the workers and runtimes of a host over a connection that there is. A manager that cannot be asked hides nobody
/// that another one lists.
pub(super) async fn roster(
    environment: &Environment,
    host: &Host,
    connection: &Connection,
) -> Roster {
    let mut roster = Roster::default();
    for group in groups(environment, host) {
        if let Err(error) = list(environment, host, connection, group, &mut roster).await {
            roster.failures.push(error.failure(host, "workers"));
            break;
        }
    }
    roster
}

/// Lists the processes of one group.
pub(super) async fn list(
    environment: &Environment,
    host: &Host,
    connection: &Connection,
    (group, recipe, settings): Group<'_>,
    roster: &mut Roster,
) -> Result<(), HostError> {
    let sudo = if group.sudo { "yes" } else { "no" };
    let args = [
        environment.path.clone(),
        recipe.to_owned(),
        group.manager.word().to_owned(),
        group.group.clone(),
        sudo.to_owned(),
        settings,
    ];
    let asking = lines(connection, ROSTER, "roster", &args, |line| {
        roster.workers.extend(read_worker(line));
    });
    let (status, stderr) = in_time(&host.name, Box::pin(asking)).await?;
    if status != 0 {
        roster.failures.push(Failure {
            host: Some(host.name.clone()),
            step: "workers".to_owned(),
            message: stderr.trim().to_owned(),
            hint: Some(format!(
                "See it there: `ssh {} {}`. What it has to allow is in {}.",
                fit::ssh_line(host),
                group.look(),
                group.needs()
            )),
        });
    }
    Ok(())
}

/// A moment in seconds since 1970.
pub(super) fn at(seconds: &str) -> Option<Timestamp> {
    Timestamp::from_second(seconds.parse().ok()?).ok()
}

fn read_worker(line: &str) -> Option<Worker> {
    let mut words = line.split(' ');
    let (name, state, pid, release) = (words.next()?, words.next()?, words.next()?, words.next()?);
    Some(Worker {
        name: name.to_owned(),
        state: state.to_owned(),
        pid: pid.parse().ok(),
        release: (release != "-").then(|| release.to_owned()),
        since: words.next().and_then(at),
        restarts: words.next().and_then(|count| count.parse().ok()),
    })
}

/// Runs a script to its end and hands on every line that it prints.
pub(super) async fn lines(
    connection: &Connection,
    script: &str,
    name: &str,
    args: &[String],
    mut hear: impl FnMut(&str),
) -> Result<(i32, String), HostError> {
    let mut channel = connection.start(script, name, args).await?;
    while let Some(line) = channel.line().await {
        hear(&line);
    }
    channel.end().await
}

/// Waits for the end of a question that needs no waiting on the host.
pub(super) async fn in_time(
    host: &HostName,
    asking: impl Future<Output = Result<(i32, String), HostError>>,
) -> Result<(i32, String), HostError> {
    within(host, PATIENCE, asking).await?
}

/// Asks a host what is true.
pub(super) async fn probe(
    connection: &Connection,
    host: &Host,
    root: &str,
    shared_files: &[String],
) -> Result<Facts, Failure> {
    let failed = |error: HostError| error.failure(host, "greet");
    let mut args = vec![root.to_owned(), AROUND.to_owned()];
    args.extend(shared_files.iter().cloned());
    let mut facts = Facts::default();
    let asking = lines(connection, PROBE, "probe", &args, |line| facts.hear(line));
    let patience = if connection.has_idled() {
        FIRST_WORD
    } else {
        PATIENCE
    };
    let asked = within(&host.name, patience, Box::pin(asking)).await;
    let (status, stderr) = asked.and_then(|asked| asked).map_err(failed)?;
    if status == 0 {
        return Ok(facts);
    }
    let message = format!("cannot look at {root}: exit {status}: {}", stderr.trim());
    let look = || {
        let line = fit::ssh_line(host);
        format!("See what is there: `ssh {line} ls -la {root} {root}/.cutover`.")
    };
    let hint = fit::denied(host, root, &message).unwrap_or_else(look);
    Err(Failure {
        host: Some(host.name.clone()),
        step: "greet".to_owned(),
        message,
        hint: Some(hint),
    })
}

/// An open channel on which the app is asked how it is, as often as wanted.
pub(super) struct Asking {
    host: HostName,
    channel: Channel,
    nonce: String,
    limit: Duration,
}

impl Asking {
    pub(super) async fn begin(
        host: &HostName,
        connection: &Connection,
        health: &Health,
    ) -> Result<Self, HostError> {
        let nonce = super::segment::nonce();
        let args = [
            nonce.clone(),
            health.url.clone(),
            health.timeout.as_secs_f64().to_string(),
            health.host_header.clone().unwrap_or_default(),
        ];
        let channel = connection.start(HEALTH, "health", &args).await?;
        Ok(Self {
            host: host.clone(),
            channel,
            nonce,
            limit: health.timeout + PATIENCE,
        })
    }

    /// Asks once.
    pub(super) async fn ask(&mut self) -> Result<Answer, HostError> {
        let (host, limit) = (self.host.clone(), self.limit);
        within(&host, limit, self.answer()).await?
    }

    async fn answer(&mut self) -> Result<Answer, HostError> {
        self.channel.send_line("ask").await?;
        let mark = format!("\u{1e}{} ", self.nonce).into_bytes();
        let (mut status, mut body) = (0, Vec::new());
        while let Some(part) = self.channel.part().await {
            let Some(word) = part.strip_prefix(mark.as_slice()) else {
                if body.len() < BODY_BYTES {
                    body.extend_from_slice(&part);
                    body.extend(self.channel.whole().then_some(b'\n'));
                }
                continue;
            };
            match String::from_utf8_lossy(word).split_once(' ') {
                Some(("code", code)) => status = code.parse().unwrap_or(0),
                Some((_, curl)) => {
                    // An answer that broke off or came too slowly is none, whatever its first line said.
                    let status = if curl.trim() == "0" { status } else { 0 };
                    let body = String::from_utf8_lossy(&body).into_owned();
                    return Ok(Answer::read(status, &body));
                }
                None => {}
            }
        }
        Err(self.channel.lost())
    }

    pub(super) async fn end(self) {
        drop(self.channel.end().await);
    }
}
