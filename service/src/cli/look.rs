//! `cutover status`, `cutover releases` and `cutover check`: what is true, and whether a deployment could go ahead.
//! None of them changes anything.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use cutover_deploy::config::Environment;
use cutover_deploy::facts::{Current, Facts, ReleaseRecord, ReleaseState};
use cutover_deploy::run::{self, Worker};
use cutover_deploy::{CommitSha, Failure, Hold, HostName, ReleaseId, plan};
use serde::Serialize;
use serde_json::Value;

use super::console::{self, Trouble};
use super::site::{Output, Site, environment};

/// Tells what is live on every host, who holds it, and which release each worker runs.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 every host and its workers were asked, 1 some could not be asked, 2 bad input."
)]
pub(super) struct StatusArgs {
    /// The environment, as in `cutover.toml`.
    environment: String,

    #[command(flatten)]
    site: Site,

    #[command(flatten)]
    output: Output,
}

/// Lists the releases on every host and where each stands.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 every host was asked, 1 one could not be asked, 2 bad input."
)]
pub(super) struct ReleasesArgs {
    /// The environment, as in `cutover.toml`.
    environment: String,

    #[command(flatten)]
    site: Site,

    #[command(flatten)]
    output: Output,
}

/// Checks the configuration and every host, and changes nothing.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 all is well, 2 something has to be mended first.")]
pub(super) struct CheckArgs {
    /// Only this environment; all of them when left out.
    environment: Option<String>,

    /// Prints the configuration with every default and the recipe's steps filled in.
    #[arg(long, conflicts_with = "json")]
    show: bool,

    /// Checks only the file and asks no host.
    #[arg(long)]
    offline: bool,

    #[command(flatten)]
    site: Site,

    #[command(flatten)]
    output: Output,
}

/// What one host said.
#[derive(Debug, Serialize)]
struct HostStatus {
    host: HostName,
    #[serde(skip_serializing_if = "Option::is_none")]
    facts: Option<Facts>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    workers: Vec<Worker>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failures: Vec<Failure>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remarks: Vec<String>,
}

/// Runs `cutover status`.
pub(super) async fn status(args: StatusArgs) -> ExitCode {
    console::conclude(try_status(args).await)
}

/// Runs `cutover releases`.
pub(super) async fn releases(args: ReleasesArgs) -> ExitCode {
    console::conclude(try_releases(args).await)
}

/// Runs `cutover check`.
pub(super) async fn check(args: CheckArgs) -> ExitCode {
    let json = args.output.json;
    let ended = try_check(args).await;
    if let (true, Err(trouble)) = (json, &ended) {
        console::print_json(&Found {
            problems: trouble.problems(),
            environments: Vec::new(),
        });
    }
    console::conclude(ended)
}

async fn try_status(args: StatusArgs) -> Result<u8, Trouble> {
    let config = args.site.read()?;
    let environment = environment(&config, &args.environment)?;
    let access = args.site.access()?;
    let (heard, workers) = tokio::join!(
        run::survey(environment, &config.shared, &access),
        run::workers(environment, &access)
    );
    let mut workers: BTreeMap<HostName, _> = workers.into_iter().collect();
    let hosts: Vec<HostStatus> = heard
        .into_iter()
        .map(|(host, facts)| {
            let mut status = HostStatus {
                host,
                facts: None,
                workers: Vec::new(),
                failures: Vec::new(),
                remarks: Vec::new(),
            };
            match facts {
                Ok(facts) => {
                    let host = environment
                        .hosts
                        .iter()
                        .find(|host| host.name == status.host);
                    let told = |host| plan::remarks(environment, &config.shared, host, &facts);
                    status.remarks = host.map(told).unwrap_or_default();
                    status.facts = Some(facts);
                }
                Err(failure) => status.failures.push(failure),
            }
            // A host that cannot be asked at all is told once.
            if let Some(roster) = workers
                .remove(&status.host)
                .filter(|_| status.facts.is_some())
            {
                status.workers = roster.workers;
                status.failures.extend(roster.failures);
            }
            status
        })
        .collect();
    if args.output.json {
        console::print_json(&hosts);
    } else {
        hosts
            .iter()
            .map(status_text)
            .for_each(|text| console::print(&text));
    }
    Ok(u8::from(hosts.iter().any(|host| !host.failures.is_empty())))
}

fn status_text(status: &HostStatus) -> String {
    let mut text = format!("{}", status.host);
    if let Some(facts) = &status.facts {
        match &facts.current {
            Current::Absent => text.push_str("  nothing is live"),
            Current::Foreign { what } => write!(text, "  current is {what}").unwrap_or_default(),
            Current::Release { id } => {
                let state = facts
                    .record(id)
                    .map_or("unknown", |record| state_word(record.state));
                write!(text, "  {id} is live ({state})").unwrap_or_default();
            }
        }
        if let Some(holder) = &facts.holder {
            write!(text, "\n  the lease is held: {}", holder.line()).unwrap_or_default();
        }
        let stands = |hold: &&Hold| hold.stands(cutover_deploy::now());
        if let Some(hold) = facts.hold.as_ref().filter(stands) {
            write!(text, "\n  locked by {}", hold.line()).unwrap_or_default();
        }
    }
    let live = status.facts.as_ref().and_then(Facts::live);
    for worker in &status.workers {
        write!(text, "\n  {}", worker_text(worker, live)).unwrap_or_default();
    }
    for failure in &status.failures {
        write!(text, "\n  {}", console::with_hint(failure)).unwrap_or_default();
    }
    for remark in &status.remarks {
        write!(text, "\n  {remark}").unwrap_or_default();
    }
    text
}

/// What a worker runs, and whether it only finishes a job on a release that is not live any more.
fn worker_text(worker: &Worker, live: Option<&ReleaseId>) -> String {
    let Worker { name, state, .. } = worker;
    let pid = worker.pid.map_or("-".to_owned(), |pid| pid.to_string());
    let release = worker.release.as_deref().unwrap_or("-");
    let since = worker
        .since
        .map(|at| format!(" since {}", at.strftime("%F %T UTC")));
    let since = since.unwrap_or_default();
    if state == "ENDING" {
        return format!("worker {name} drains: pid {pid} finishes its job on {release}{since}");
    }
    let old = match (live, &worker.release) {
        (Some(live), Some(release)) if live.as_str() != release => ", which is not live",
        _ => "",
    };
    format!("worker {name} {state} pid {pid} runs {release}{since}{old}")
}

/// What one host told of its releases.
#[derive(Debug, Serialize)]
struct HostReleases {
    releases: Option<BTreeMap<ReleaseId, Option<ReleaseRecord>>>,
    failure: Option<Failure>,
}

async fn try_releases(args: ReleasesArgs) -> Result<u8, Trouble> {
    let config = args.site.read()?;
    let environment = environment(&config, &args.environment)?;
    let heard = run::survey(environment, &config.shared, &args.site.access()?).await;
    if args.output.json {
        let all: BTreeMap<HostName, HostReleases> = heard
            .into_iter()
            .map(|(host, heard)| {
                let (releases, failure) = match heard {
                    Ok(facts) => (Some(facts.releases), None),
                    Err(failure) => (None, Some(failure)),
                };
                (host, HostReleases { releases, failure })
            })
            .collect();
        console::print_json(&all);
        return Ok(u8::from(all.values().any(|host| host.failure.is_some())));
    }
    let mut failed = 0;
    for (host, facts) in heard {
        match facts {
            Ok(facts) => console::print(&releases_text(&host, &facts)),
            Err(failure) => {
                failed = 1;
                console::print(&format!("{host}\n  {}", console::with_hint(&failure)));
            }
        }
    }
    Ok(failed)
}

fn releases_text(host: &HostName, facts: &Facts) -> String {
    let mut text = host.to_string();
    if facts.releases.is_empty() {
        text.push_str("\n  there are no releases yet");
    }
    for (id, record) in facts.releases.iter().rev() {
        let live = if facts.live() == Some(id) { "->" } else { "  " };
        match record {
            Some(record) => {
                let state = state_word(record.state);
                let commit = record.commit.as_ref().map_or("-", CommitSha::short);
                write!(
                    text,
                    "\n{live} {id}  {state:<11} {commit}  by {}",
                    record.actor
                )
            }
            None if facts.is_way_back(id) => {
                let tool = facts.legacy.tool();
                write!(text, "\n{live} {id}  made by {tool}, and was live")
            }
            None => write!(text, "\n{live} {id}  not made by cutover"),
        }
        .unwrap_or_default();
    }
    text
}

fn state_word(state: ReleaseState) -> &'static str {
    match state {
        ReleaseState::Staging => "staging",
        ReleaseState::Ready => "ready",
        ReleaseState::Live => "live",
        ReleaseState::Healthy => "healthy",
        ReleaseState::Adopted => "adopted",
        ReleaseState::Failed => "failed",
        ReleaseState::RolledBack => "rolled-back",
    }
}

/// What a check found, for machines.
#[derive(Debug, Default, Serialize)]
struct Found {
    /// What keeps every host from being asked: of the file, of the command line.
    problems: Vec<Value>,
    /// The environments whose hosts were asked.
    environments: Vec<Checked>,
}

/// What a check found in one environment.
#[derive(Debug, Serialize)]
struct Checked {
    environment: String,
    failures: Vec<Failure>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remarks: Vec<(HostName, String)>,
}

async fn try_check(args: CheckArgs) -> Result<u8, Trouble> {
    let config = args.site.read()?;
    if args.show {
        console::print(&config.explain().to_string());
    }
    let chosen: Vec<&Environment> = match &args.environment {
        Some(name) => vec![environment(&config, name)?],
        None => config.environments.values().collect(),
    };
    if args.offline {
        if args.output.json {
            console::print_json(&Found::default());
        } else if !args.show {
            console::print(&format!(
                "{}: the file is right; no host was asked",
                args.site.config.display()
            ));
        }
        return Ok(0);
    }
    let access = args.site.access()?;
    let mut checked = Vec::new();
    for environment in chosen {
        let run::Checked { failures, remarks } = run::check(&config, environment, &access).await;
        checked.push(Checked {
            environment: environment.name.to_string(),
            failures,
            remarks,
        });
    }
    let wrong = checked.iter().any(|checked| !checked.failures.is_empty());
    if args.output.json {
        console::print_json(&Found {
            problems: Vec::new(),
            environments: checked,
        });
    } else {
        checked
            .iter()
            .map(checked_text)
            .for_each(|text| console::print(&text));
    }
    Ok(if wrong { 2 } else { 0 })
}

fn checked_text(checked: &Checked) -> String {
    let mut text = format!("{}: ", checked.environment);
    if checked.failures.is_empty() {
        text.push_str("ready to deploy to");
    } else {
        write!(text, "{} to mend first", checked.failures.len()).unwrap_or_default();
    }
    for failure in &checked.failures {
        write!(text, "\n  {}", console::with_hint(failure)).unwrap_or_default();
    }
    for (host, remark) in &checked.remarks {
        write!(text, "\n  {host}: {remark}").unwrap_or_default();
    }
    text
}
