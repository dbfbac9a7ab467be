//! One deployment from the runner, straight over SSH.

use std::io::Write;
use std::path::Path;

use cutover_deploy::{
    Artifact, CommitSha, DeployRequest, DeploymentId, Event, Kind, Outcome, now, run, source,
};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

use crate::console::Console;
use crate::failure::{Failure, Fault};
use crate::inputs::{Inputs, Runner};
use crate::kept::{End, Kept};
use crate::keys::Keys;
use crate::log::Seen;
use crate::outputs::{self, Outputs};
use crate::report::Report;
use crate::signals::Signals;
use crate::summary;

/// What a run on the hosts is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aim {
    /// What the job has built becomes live.
    Deploy,
    /// What was called off comes to one end on all hosts: what had not swapped by then never does.
    End,
    /// A release that hosts have already stays live, or becomes so again.
    Stay,
}

/// A deployment, and everybody who hears of it.
pub(crate) struct Job<'a> {
    pub(crate) inputs: &'a Inputs,
    pub(crate) runner: &'a Runner,
    pub(crate) keys: &'a Keys,
    pub(crate) request: DeployRequest,
    pub(crate) report: Option<Report>,
    pub(crate) kept: Kept,
    pub(crate) seen: Seen,
}

/// The workspace as it is to become live: the commit that is checked out there, which may be another than the run's own.
pub(crate) async fn workspace(inputs: &Inputs, runner: &Runner) -> Result<Kind, Failure> {
    let checked_out = source::workspace_commit(&inputs.workspace).await;
    let commit = checked_out.or_else(|| runner.commit.clone());
    let commit = commit.ok_or_else(|| {
        let workspace = inputs.workspace.display();
        Failure::runner(format!(
            "{workspace} is no git checkout and the runner names no commit, so nobody knows which one this is"
        ))
    })?;
    Ok(Kind::Deploy { commit })
}

/// A request of this run's own.
pub(crate) fn request(kind: Kind, runner: &Runner) -> DeployRequest {
    let id = uuid::Uuid::new_v4().simple().to_string();
    let actor = runner.actor.clone();
    DeployRequest {
        deployment: DeploymentId::parse(&id).expect("hexadecimal digits are a deployment id"),
        kind,
        actor: actor.unwrap_or_else(|| "a CI job".to_owned()),
        run_url: runner.run_url.clone(),
        keeper: None,
        plan_digest: None,
        allow_destructive: false,
        requested_at: now(),
    }
}

/// What a request needs to be brought to hosts, packed in `to`; nothing for a rollback.
pub(crate) async fn artifact(
    inputs: &Inputs,
    request: &DeployRequest,
    to: &Path,
    events: &UnboundedSender<Event>,
) -> Result<Option<Artifact>, cutover_deploy::Failure> {
    let Kind::Deploy { commit } = &request.kind else {
        return Ok(None);
    };
    let Inputs {
        config, workspace, ..
    } = inputs;
    let packed = source::pack_workspace(config, commit, workspace, to, events).await;
    packed.map(Some)
}

impl<'a> Job<'a> {
    /// A deployment that begins now: it is kept for the case that the step is killed, and GitHub hears of it.
    pub(crate) fn begin<W: Write>(
        inputs: &'a Inputs,
        runner: &'a Runner,
        keys: &'a Keys,
        request: DeployRequest,
        console: &mut Console<W>,
    ) -> Self {
        let kept = Kept::begin(runner, &request);
        let report = Report::of(inputs, runner, &request, &kept);
        let mut report = report.unwrap_or_else(|why| {
            console.text(&why);
            None
        });
        if let (Some(report), Kind::Deploy { commit }) = (&mut report, &request.kind) {
            report.begin(commit);
        }
        Self {
            inputs,
            runner,
            keys,
            request,
            report,
            kept,
            seen: Seen::default(),
        }
    }

    /// Runs it to its end, shows it, and lets it be called off.
    pub(crate) async fn run<W: Write>(&mut self, aim: Aim, console: &mut Console<W>) -> Outcome {
        let (events, mut heard) = unbounded_channel();
        let cancel = CancellationToken::new();
        let mut signals = Signals::listen();
        let Self {
            inputs,
            keys,
            request,
            report,
            seen,
            ..
        } = self;
        let work = async {
            let outcome = deploy(inputs, keys, request, aim, &events, &cancel).await;
            // Nothing is told after its end, so the listener below ends as well.
            drop(events);
            outcome
        };
        let show = async {
            loop {
                tokio::select! {
                    event = heard.recv() => {
                        let Some(event) = event else { break };
                        seen.event(&event, console);
                        if let (Some(report), Some(commit)) = (report.as_mut(), &seen.commit) {
                            report.begin(commit);
                        }
                        // Not earlier: whoever has called off before the lease is taken looks at no host.
                        if aim == Aim::End && matches!(event, Event::Planned { .. }) {
                            cancel.cancel();
                        }
                    }
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
        outcome
    }

    /// Tells the end to everybody, and returns its exit code.
    pub(crate) async fn conclude<W: Write>(
        self,
        outcome: &Outcome,
        console: &mut Console<W>,
    ) -> u8 {
        let environment = &self.inputs.environment;
        console.end_group();
        console.text(&outcome.to_string());
        if let Some(failure) = outcome.failure() {
            let title = format!("{}: {}", environment.name, outcome.word().replace('_', " "));
            console.error(&Fault::of(title, failure));
        }
        let url = environment.url.as_deref();
        let outputs = Outputs::of(outcome, self.seen.live.as_ref(), self.commit(), url);
        outputs.hand_over(self.runner, console);
        let summary = summary::of_deployment(&environment.name, outcome, &self.seen);
        outputs::append(self.runner.summary.as_deref(), &summary, console);
        let end = End {
            outcome: outcome.clone(),
            live_commit: self.seen.live_commit.clone(),
        };
        self.report(&end, console).await;
        outcome.exit_code()
    }

    /// Has GitHub hear the end, which is kept until then.
    pub(crate) async fn report<W: Write>(self, end: &End, console: &mut Console<W>) {
        self.kept.ended(end);
        if let Some(report) = self.report
            && let Some(warning) = report.end(&end.outcome, end.live_commit.as_ref()).await
        {
            console.warning(&warning);
        }
        self.kept.over();
    }

    fn commit(&self) -> Option<&CommitSha> {
        match &self.request.kind {
            Kind::Deploy { commit } => Some(commit),
            Kind::Rollback { .. } => None,
        }
    }
}

async fn deploy(
    inputs: &Inputs,
    keys: &Keys,
    request: &DeployRequest,
    aim: Aim,
    events: &UnboundedSender<Event>,
    cancel: &CancellationToken,
) -> Outcome {
    let artifact = match aim {
        Aim::End | Aim::Stay => None,
        Aim::Deploy => tokio::select! {
            () = cancel.cancelled() => return Outcome::Cancelled,
            packed = artifact(inputs, request, keys.folder(), events) => match packed {
                Ok(artifact) => artifact,
                Err(failure) => {
                    let left = Vec::new();
                    return Outcome::Failed { failure, left };
                }
            },
        },
    };
    let Inputs {
        config,
        environment,
        ..
    } = inputs;
    run::deploy(
        config,
        environment,
        request,
        artifact.as_ref(),
        &keys.access(),
        events,
        cancel,
    )
    .await
}
