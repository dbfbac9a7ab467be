//! One phase on one host, and what is to be reported of it.

use tokio_util::sync::CancellationToken;

use super::bring;
use super::lease::{self, Leased};
use super::segment::{self, End, Mode};
use super::{Access, Events, ask, health, pool, schema, watch};
use crate::config::{Environment, Shared};
use crate::host::HostError;
use crate::machine::{Live, Phase, Report};
use crate::plan::{HostPlan, Plan, Step};
use crate::{Artifact, DeployRequest, Failure, ReleaseId};

/// What every phase of a deployment needs.
#[derive(Clone, Copy)]
pub(super) struct Job<'a> {
    pub(super) environment: &'a Environment,
    pub(super) request: &'a DeployRequest,
    pub(super) artifact: Option<&'a Artifact>,
    pub(super) access: &'a Access,
    pub(super) shared: &'a Shared,
    /// Whether every host is to run the release of this phase: no wave comes after the one that has begun.
    pub(super) whole: bool,
}

pub(super) async fn run(
    phase: Phase,
    plan: &Plan,
    host: &HostPlan,
    job: Job<'_>,
    leased: &mut Leased,
    events: &Events,
    cancel: &CancellationToken,
) -> Report {
    let steps = match phase {
        Phase::Stage => &host.stage,
        Phase::Migrate => &host.migrate,
        Phase::Start => &host.start,
        Phase::Leave => &host.leave,
        Phase::Switch => &host.switch,
        Phase::Rejoin => &host.rejoin,
        Phase::Keep => &host.keep,
        Phase::Undo => &host.undo,
        Phase::Recall => &host.recall,
        Phase::MigrateBack => &host.migrate_back,
        Phase::UndoRejoin => &host.undo_rejoin,
        Phase::Abandon => &host.abandon,
        Phase::Warm => return pool::warm(&plan.release, job, leased, events).await,
        Phase::Health => return health::health(&plan.release, job, leased, events).await,
        Phase::Outside => return health::outside(&plan.release, job, leased, events).await,
        Phase::Watch => {
            return watch::watch(&plan.release, host, job, leased, events, cancel).await;
        }
        Phase::UndoHealth | Phase::UndoOutside => {
            let Some(restored) = &host.previous else {
                return Report::Done;
            };
            if phase == Phase::UndoHealth {
                return health::health(restored, job, leased, events).await;
            }
            return health::outside(restored, job, leased, events).await;
        }
    };
    let ended = if phase == Phase::Stage {
        let bring = job.artifact.zip(host.incoming.as_deref());
        let bring = bring.map(|(artifact, to)| bring::bring(artifact, &leased.facts.parts, to));
        segment::run(
            leased,
            steps,
            Mode::Guard { bring, cancel },
            &host.root,
            events,
        )
        .await
    } else {
        pool::beside(phase, plan, steps, host, job, leased, events).await
    };
    let ended = match ended {
        End::Done if phase == Phase::Stage => judged_preview(job, leased, events),
        End::Failed(failure) if phase == Phase::Stage => End::Failed(schema::hinted(failure, job)),
        ended => ended,
    };
    report(ended, phase, plan, host, leased).await
}

/// What is staged may go on only if its migrations may.
fn judged_preview(job: Job<'_>, leased: &Leased, events: &Events) -> End {
    let in_use = leased.facts.live().is_some();
    match schema::judge(&leased.host.name, in_use, job, events) {
        Ok(()) => End::Done,
        Err(failure) => End::Failed(*failure),
    }
}

async fn report(ended: End, phase: Phase, plan: &Plan, host: &HostPlan, leased: &Leased) -> Report {
    let (failure, learnt) = match ended {
        End::Done => return Report::Done,
        End::Cancelled => return Report::Cancelled,
        End::Failed(failure) => (failure, true),
        End::Unknown(failure) => (failure, false),
        End::Lost(error, _) => (error.failure(&leased.host, phase.word()), false),
    };
    let live = match phase {
        Phase::Switch | Phase::Undo => {
            what_is_live(&plan.release, host.previous.as_ref(), leased).await
        }
        _ if learnt => Live::Old,
        _ => Live::Unknown,
    };
    Report::Failed { failure, live }
}

/// What is live now. One that is neither the new release nor the way back counts as unknown: an earlier deployment left
/// it there unproven, and the way back leads away from it as well.
async fn what_is_live(release: &ReleaseId, previous: Option<&ReleaseId>, leased: &Leased) -> Live {
    match ask::probe(&leased.connection, &leased.host, &leased.root(), &[]).await {
        Ok(facts) => match facts.live() {
            Some(live) if live == release => Live::New,
            Some(live) if Some(live) != previous => Live::Unknown,
            _ => Live::Old,
        },
        Err(_) => Live::Unknown,
    }
}

/// Runs steps that run to their end whatever happens to the line, and learns what they did when it was lost.
pub(super) async fn finish(
    phase: Phase,
    steps: &[Step],
    host: &HostPlan,
    job: Job<'_>,
    leased: &mut Leased,
    events: &Events,
) -> End {
    let segment = phase.word();
    let mode = || Mode::Finish {
        folder: &host.folder,
        segment,
    };
    let ended = segment::run(leased, steps, mode(), &host.root, events).await;
    let End::Lost(error, heard) = ended else {
        return ended;
    };
    if let Err(failure) = again(&error, job, leased, events).await {
        return End::Unknown(failure);
    }
    match segment::learn(leased, steps, &host.folder, segment, heard, events).await {
        Some(end) => end,
        // It never began, and all its steps can be repeated.
        None => segment::run(leased, steps, mode(), &host.root, events).await,
    }
}

/// Connects again after the line was lost.
pub(super) async fn again(
    error: &HostError,
    job: Job<'_>,
    leased: &mut Leased,
    events: &Events,
) -> Result<(), Failure> {
    let lost = format!("{error}; connecting again");
    events.note(Some(&leased.host.name), lost);
    let Job {
        environment,
        request,
        access,
        shared,
        ..
    } = job;
    lease::take_again(leased, environment, request, shared, access, events).await
}

pub(super) fn unknown(failure: Failure) -> Report {
    Report::Failed {
        failure,
        live: Live::Unknown,
    }
}
