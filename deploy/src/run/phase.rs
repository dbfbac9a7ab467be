//! One phase on one host, and what is to be reported of it.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::bring;
use super::lease::{self, Leased};
use super::segment::{self, End, Mode};
use super::{Access, Events, ask, pool, schema};
use crate::config::{Environment, Health, Shared};
use crate::health::judge;
use crate::host::HostError;
use crate::machine::{Live, Phase, Report};
use crate::plan::{HostPlan, Plan, Step};
use crate::{Artifact, DeployRequest, Event, Failure, ReleaseId};

/// What every phase of a deployment needs.
#[derive(Clone, Copy)]
pub(super) struct Job<'a> {
    pub(super) environment: &'a Environment,
    pub(super) request: &'a DeployRequest,
    pub(super) artifact: Option<&'a Artifact>,
    pub(super) access: &'a Access,
    pub(super) shared: &'a Shared,
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
        Phase::Switch => &host.switch,
        Phase::Rejoin => &host.rejoin,
        Phase::Keep => &host.keep,
        Phase::Undo => &host.undo,
        Phase::MigrateBack => &host.migrate_back,
        Phase::UndoRejoin => &host.undo_rejoin,
        Phase::Abandon => &host.abandon,
        Phase::Warm => return pool::warm(&plan.release, job, leased, events).await,
        Phase::Health => return health(&plan.release, job, leased, events).await,
        Phase::Watch => return watch(&plan.release, job, leased, events, cancel).await,
        Phase::UndoHealth => {
            let Some(restored) = &host.previous else {
                return Report::Done;
            };
            return health(restored, job, leased, events).await;
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

/// The longest time that a step may take: as configured, and the drain of workers.
pub(super) fn patience(environment: &Environment) -> Duration {
    let drain = environment
        .workers
        .iter()
        .map(|workers| workers.drain_timeout)
        .max()
        .unwrap_or_default();
    environment.step_timeout.max(drain + Duration::from_mins(1))
}

async fn health(release: &ReleaseId, job: Job<'_>, leased: &mut Leased, events: &Events) -> Report {
    let Some(health) = &job.environment.health else {
        return Report::Done;
    };
    let mut seen = attempts(health, release, leased, events).await;
    if let Err(Unwell::Lost(error)) = &seen {
        if let Err(failure) = again(error, job, leased, events).await {
            return unknown(failure);
        }
        seen = attempts(health, release, leased, events).await;
    }
    judged(seen, "health", health, leased)
}

/// Goes on asking for as long as the environment wants.
///
/// Called off, it ends early: what was swapped is taken back then.
async fn watch(
    release: &ReleaseId,
    job: Job<'_>,
    leased: &mut Leased,
    events: &Events,
    called_off: &CancellationToken,
) -> Report {
    let Some(health) = &job.environment.health else {
        return Report::Done;
    };
    let until = Instant::now() + job.environment.watch;
    let mut seen = watched(health, release, until, called_off, leased, events).await;
    while let Err(Unwell::Lost(error)) = &seen {
        if let Err(failure) = again(error, job, leased, events).await {
            return unknown(failure);
        }
        seen = watched(health, release, until, called_off, leased, events).await;
    }
    if seen.is_ok() && !called_off.is_cancelled() {
        let told = format!("healthy all the while, for {:?}", job.environment.watch);
        events.note(Some(&leased.host.name), told);
    }
    judged(seen, "watch", health, leased)
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

fn judged(seen: Result<(), Unwell>, step: &str, health: &Health, leased: &Leased) -> Report {
    let failure = match seen {
        Ok(()) => return Report::Done,
        Err(Unwell::Lost(error)) => error.failure(&leased.host, step),
        Err(Unwell::Said(said)) => Failure {
            host: Some(leased.host.name.clone()),
            step: step.to_owned(),
            message: format!("{} {said}", health.url),
            hint: Some(
                "Look at the app's own log on the host, below shared/storage/logs for Laravel."
                    .to_owned(),
            ),
        },
    };
    Report::Failed {
        failure,
        live: Live::New,
    }
}

enum Unwell {
    Said(String),
    Lost(HostError),
}

async fn attempts(
    health: &Health,
    release: &ReleaseId,
    leased: &Leased,
    events: &Events,
) -> Result<(), Unwell> {
    let mut asking = ask::Asking::begin(&leased.host.name, &leased.connection, health)
        .await
        .map_err(Unwell::Lost)?;
    let mut last = String::new();
    for attempt in 1..=health.attempts {
        if attempt > 1 {
            tokio::time::sleep(health.interval).await;
        }
        let answer = asking.ask().await.map_err(Unwell::Lost)?;
        let judged = judge(health, release, &answer);
        events.tell(Event::Checked {
            host: leased.host.name.clone(),
            attempt,
            of: health.attempts,
            healthy: judged.is_ok(),
            seen: judged
                .clone()
                .err()
                .unwrap_or_else(|| format!("HTTP {}", answer.status)),
        });
        match judged {
            Ok(()) => {
                asking.end().await;
                return Ok(());
            }
            Err(said) => last = said,
        }
    }
    asking.end().await;
    Err(Unwell::Said(format!(
        "did not become healthy in {} attempts: {last}",
        health.attempts
    )))
}

/// Asks at every interval until the time is over; a bad answer counts once as many have come in a row as health has
/// attempts. Only bad answers are told.
async fn watched(
    health: &Health,
    release: &ReleaseId,
    until: Instant,
    called_off: &CancellationToken,
    leased: &Leased,
    events: &Events,
) -> Result<(), Unwell> {
    let mut asking = ask::Asking::begin(&leased.host.name, &leased.connection, health)
        .await
        .map_err(Unwell::Lost)?;
    let mut bad = 0;
    // Asked at least once, and never left with a bad answer that nobody followed up.
    loop {
        let mut next = Instant::now() + health.interval;
        if bad == 0 {
            next = next.min(until);
        }
        tokio::select! {
            () = tokio::time::sleep_until(next) => {}
            () = called_off.cancelled() => break,
        }
        let answer = asking.ask().await.map_err(Unwell::Lost)?;
        match judge(health, release, &answer) {
            Ok(()) => bad = 0,
            Err(seen) => {
                bad += 1;
                events.tell(Event::Checked {
                    host: leased.host.name.clone(),
                    attempt: bad,
                    of: health.attempts,
                    healthy: false,
                    seen: seen.clone(),
                });
                if bad >= health.attempts {
                    asking.end().await;
                    let said = format!("was not healthy {bad} times in a row: {seen}");
                    return Err(Unwell::Said(said));
                }
            }
        }
        if bad == 0 && Instant::now() >= until {
            break;
        }
    }
    asking.end().await;
    Ok(())
}
