//! One deployment from the runner, straight over SSH.

use std::io::Write;
use std::path::Path;

use cutover_deploy::{
    Artifact, CommitSha, DeployRequest, DeploymentId, Event, Kind, Outcome, ReleaseId, now, run,
    source,
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

use crate::console::Console;
use crate::failure::{Failure, Fault};
use crate::inputs::{Inputs, Runner};
use crate::keys::Keys;
use crate::log::Seen;
use crate::outputs::{self, Outputs};
use crate::summary;

/// What becomes live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// What the job has built of this commit.
    Workspace { commit: CommitSha },
    /// A release that hosts have kept; the healthy one before the live one when absent.
    Kept { to: Option<ReleaseId> },
}

/// The workspace, and the commit that it was built from: the one that is checked out there, which may be another than
/// the run's own.
pub(crate) async fn source(inputs: &Inputs, runner: &Runner) -> Result<Source, Failure> {
    let checked_out = source::workspace_commit(&inputs.workspace).await;
    let commit = checked_out.or_else(|| runner.commit.clone());
    let commit = commit.ok_or_else(|| {
        let workspace = inputs.workspace.display();
        Failure::runner(format!(
            "{workspace} is no git checkout and GITHUB_SHA is not set, so nobody knows which commit this is"
        ))
    })?;
    Ok(Source::Workspace { commit })
}

/// Runs one deployment to its end, tells it, and returns its exit code.
pub(crate) async fn run<W: Write>(
    inputs: &Inputs,
    runner: &Runner,
    keys: &Keys,
    source: Source,
    console: &mut Console<W>,
) -> u8 {
    let (events, mut heard) = unbounded_channel();
    let cancel = CancellationToken::new();
    let mut signals = Signals::listen();
    let mut seen = Seen::default();
    let commit = match &source {
        Source::Workspace { commit } => Some(commit.clone()),
        Source::Kept { .. } => None,
    };
    let work = async {
        let outcome = deploy(inputs, runner, keys, source, &events, &cancel).await;
        // Nothing is told after its end, so the listener below ends as well.
        drop(events);
        outcome
    };
    let show = async {
        loop {
            tokio::select! {
                event = heard.recv() => match event {
                    Some(event) => seen.event(&event, console),
                    None => break,
                },
                () = Signals::next(&mut signals) => {
                    console.text(if cancel.is_cancelled() {
                        "still ending: a release that is being made live is brought to its end or taken back first"
                    } else {
                        "calling off; nothing is swapped any more unless it has begun"
                    });
                    cancel.cancel();
                }
            }
        }
    };
    let (outcome, ()) = tokio::join!(work, show);
    conclude(inputs, runner, &outcome, &seen, commit.as_ref(), console);
    outcome.exit_code()
}

async fn deploy(
    inputs: &Inputs,
    runner: &Runner,
    keys: &Keys,
    source: Source,
    events: &UnboundedSender<Event>,
    cancel: &CancellationToken,
) -> Outcome {
    let (kind, artifact) = match source {
        Source::Kept { to } => (Kind::Rollback { to }, None),
        Source::Workspace { commit } => match pack(inputs, &commit, keys.folder(), events).await {
            Ok(artifact) => (Kind::Deploy { commit }, Some(artifact)),
            Err(failure) => {
                let left = Vec::new();
                return Outcome::Failed { failure, left };
            }
        },
    };
    let id = uuid::Uuid::new_v4().simple().to_string();
    let request = DeployRequest {
        deployment: DeploymentId::parse(&id).expect("hexadecimal digits are a deployment id"),
        kind,
        actor: runner
            .actor
            .clone()
            .unwrap_or_else(|| "a CI job".to_owned()),
        run_url: runner.run_url.clone(),
        requested_at: now(),
    };
    let Inputs {
        config,
        environment,
        ..
    } = inputs;
    run::deploy(
        config,
        environment,
        &request,
        artifact.as_ref(),
        &keys.access(),
        events,
        cancel,
    )
    .await
}

async fn pack(
    inputs: &Inputs,
    commit: &CommitSha,
    to: &Path,
    events: &UnboundedSender<Event>,
) -> Result<Artifact, cutover_deploy::Failure> {
    let Inputs {
        config, workspace, ..
    } = inputs;
    source::pack_workspace(config, commit, workspace, to, events).await
}

fn conclude<W: Write>(
    inputs: &Inputs,
    runner: &Runner,
    outcome: &Outcome,
    seen: &Seen,
    commit: Option<&CommitSha>,
    console: &mut Console<W>,
) {
    let environment = &inputs.environment.name;
    console.end_group();
    console.text(&outcome.to_string());
    if let Some(failure) = outcome.failure() {
        let title = format!("{environment}: {}", outcome.word().replace('_', " "));
        console.error(&Fault::of(title, failure));
    }
    let outputs = Outputs::of(outcome, seen.live.as_ref(), commit);
    let delimiter = uuid::Uuid::new_v4().simple().to_string();
    outputs::append(
        runner.output.as_deref(),
        &outputs.lines(&delimiter),
        console,
    );
    let summary = summary::of_deployment(environment, outcome, seen);
    outputs::append(runner.summary.as_deref(), &summary, console);
}

/// The signals by which a runner calls a step off.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> Option<Self> {
        Some(Self {
            interrupt: signal(SignalKind::interrupt()).ok()?,
            terminate: signal(SignalKind::terminate()).ok()?,
        })
    }

    /// Waits for the next one; for ever where they cannot be heard.
    async fn next(signals: &mut Option<Self>) {
        let Some(signals) = signals else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = signals.interrupt.recv() => {}
            _ = signals.terminate.recv() => {}
        }
    }
}
