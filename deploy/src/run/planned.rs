//! What a deployment would do, found out without changing anything, over one connection to each host.

use std::collections::{BTreeMap, BTreeSet};

use super::ask::{self, Roster, Worker};
use super::doctor::ask_pool;
use super::pool::pool_of;
use super::{Access, join_all};
use crate::config::{Environment, Host, Role};
use crate::facts::Facts;
use crate::host::{Connection, HostError};
use crate::machine::Phase;
use crate::plan::{self, AfterSwap, Goal, Plan, Refusal, Wish, after_swap};
use crate::pool::Pool;
use crate::script::MIGRATIONS;
use crate::{Artifact, Config, DeployRequest, Digest, Failure, HostName, clock, source};

/// A plan with what only a look at hosts and artifact tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// What it is known by.
    pub digest: Digest,
    /// What the steps meet now, a line each: the bytes that are brought, migrations that are new, workers that run.
    pub meets: Vec<String>,
    /// What follows the swap on each host, in the order of the file.
    pub after_swap: Vec<AfterSwap>,
    /// Why it would fail as it is: workers that cannot be listed, pools of PHP-FPM that do not answer.
    pub failures: Vec<Failure>,
}

/// What a host tells beside its facts.
struct Look {
    facts: Facts,
    migrations: BTreeSet<String>,
    workers: Roster,
    pool: Option<Result<Pool, String>>,
}

/// Asks every host of an environment and makes the plan of a request; takes no lease and changes nothing, but for a file for the
/// pool of PHP-FPM that is gone when the look is over.
pub async fn planned(
    config: &Config,
    environment: &Environment,
    request: &DeployRequest,
    artifact: Option<&Artifact>,
    access: &Access,
) -> Result<Planned, Refusal> {
    let asking = environment.hosts.iter().map(async |host| {
        let looked = look(config, environment, host, access).await;
        (host.name.clone(), looked)
    });
    let (mut looks, mut silent) = (BTreeMap::new(), Vec::new());
    for (host, looked) in join_all(asking).await {
        match looked {
            Ok(look) => drop(looks.insert(host, look)),
            Err(failure) => silent.push(failure),
        }
    }
    let mut silent = silent.into_iter();
    if let Some(failure) = silent.next() {
        return Err(Refusal {
            failure: Box::new(failure),
            more: silent.collect(),
            held: false,
        });
    }
    let wish = Wish {
        config,
        environment,
        request,
        artifact,
        now: clock::now(),
    };
    let facts = looks
        .iter()
        .map(|(host, look)| (host.clone(), look.facts.clone()));
    let plan = plan::plan(wish, &facts.collect())?;
    let digest = plan.digest(wish);
    let meets = meets(wish, &plan, &looks).await;
    let hosts = environment.hosts.iter();
    let follows = hosts.flat_map(|host| {
        let pool = looks.get(&host.name).and_then(|look| look.pool.as_ref());
        after_swap(environment, host, pool)
    });
    let follows = follows.collect();
    let hosts = environment.hosts.iter();
    let failures = hosts
        .filter_map(|host| Some(failures(environment, host, looks.get(&host.name)?)))
        .flatten();
    // What is live already is not handed over.
    let nothing = matches!(plan.goal, Goal::Nothing { .. });
    let (after_swap, failures) = if nothing {
        Default::default()
    } else {
        (follows, failures.collect())
    };
    Ok(Planned {
        plan,
        digest,
        meets,
        after_swap,
        failures,
    })
}

/// Why a deployment would fail on a host.
fn failures(environment: &Environment, host: &Host, look: &Look) -> Vec<Failure> {
    let mut failures = look.workers.failures.clone();
    if let (Some(_), Some(Err(said))) = (pool_of(environment, host), &look.pool) {
        failures.push(Failure {
            host: Some(host.name.clone()),
            step: Phase::Warm.word().to_owned(),
            message: format!("the pool of PHP-FPM does not tell of itself: {said}"),
            hint: Some(format!(
                "What is in its way: `cutover doctor {}`.",
                environment.name
            )),
        });
    }
    failures
}

async fn look(
    config: &Config,
    environment: &Environment,
    host: &Host,
    access: &Access,
) -> Result<Look, Failure> {
    let failed = |error: HostError| error.failure(host, "greet");
    let connection = Connection::open(host, access).await.map_err(failed)?;
    let root = &environment.path;
    let facts = ask::probe(&connection, host, root, &config.shared.files).await;
    let mut migrations = BTreeSet::new();
    if facts.is_ok() && migrates(config, host) {
        let args = [root.clone()];
        let asking = ask::lines(&connection, MIGRATIONS, "migrations", &args, |name| {
            migrations.insert(name.to_owned());
        });
        let asked = ask::in_time(&host.name, Box::pin(asking)).await;
        asked.map_err(failed)?;
    }
    let (mut workers, mut pool) = (Roster::default(), None);
    if facts.is_ok() {
        workers = ask::roster(environment, host, &connection).await;
        let asked = ask_pool(config, environment, host, &connection).await;
        pool = asked.map(|(_, pool)| pool);
    }
    connection.close().await;
    Ok(Look {
        facts: facts?,
        migrations,
        workers,
        pool,
    })
}

fn migrates(config: &Config, host: &Host) -> bool {
    host.roles.contains(&Role::Migrate) && !config.steps.migrate.is_empty()
}

async fn meets(wish: Wish<'_>, plan: &Plan, looks: &BTreeMap<HostName, Look>) -> Vec<String> {
    let mut lines = Vec::new();
    let fresh = matches!(plan.goal, Goal::Fresh { .. });
    let artifact = wish.artifact.filter(|_| fresh);
    if let Some(artifact) = artifact {
        let (bytes, files) = (artifact.bytes, artifact.files);
        lines.push(format!(
            "to bring: {bytes} bytes with {files} files, to each host"
        ));
    }
    let brought = match artifact {
        Some(artifact) if !wish.config.steps.migrate.is_empty() => {
            source::migrations(artifact).await
        }
        _ => BTreeSet::new(),
    };
    for host in &wish.environment.hosts {
        let Some(look) = looks.get(&host.name) else {
            continue;
        };
        if artifact.is_some() && migrates(wish.config, host) {
            lines.push(new_migrations(host, look, &brought));
        }
        let Roster { workers, failures } = &look.workers;
        lines.extend(workers.iter().map(|worker| running(host, worker)));
        let unseen = failures.iter();
        lines.extend(unseen.map(|failure| format!("cannot be looked at: {}", failure.line())));
    }
    lines
}

/// The migrations that the artifact holds, and neither the live release nor any that was tried since.
fn new_migrations(host: &Host, look: &Look, brought: &BTreeSet<String>) -> String {
    let tried = look.facts.migrated.values().flatten();
    let known: BTreeSet<&String> = look.migrations.iter().chain(tried).collect();
    let new = brought.iter().filter(|name| !known.contains(name));
    let new: Vec<&str> = new.map(String::as_str).collect();
    let names = if new.is_empty() {
        "none".to_owned()
    } else {
        new.join(", ")
    };
    format!(
        "migrations new to the database {} on {}: {names}",
        host.database, host.name
    )
}

fn running(host: &Host, worker: &Worker) -> String {
    let pid = worker.pid.map_or("-".to_owned(), |pid| pid.to_string());
    let release = worker.release.as_deref().unwrap_or("no release");
    format!(
        "worker {} on {}: {}, pid {pid}, runs {release}",
        worker.name, host.name, worker.state
    )
}
