//! What comes after a step that was killed: a release that it has made live is proven or taken back, and GitHub hears
//! how it ended. What had not become live by then never does.

use std::io::Write;
use std::time::Duration;

use cutover_deploy::facts::Facts;
use cutover_deploy::{Failure, Kind, Outcome, ReleaseId, run};

use crate::console::Console;
use crate::direct::{self, Aim, Job};
use crate::inputs::{Inputs, Runner};
use crate::kept::{self, Kept, Left};
use crate::keys::Keys;
use crate::log::Seen;
use crate::report::Report;

/// For a lease that somebody else holds: a runner gives minutes for all of it.
const LONGEST_WAIT: Duration = Duration::from_secs(90);

/// Does what is left to be done, if anything. Never fails: the step itself has failed already.
pub(crate) async fn run<W: Write>(runner: &Runner, console: &mut Console<W>) {
    let Some(Left { request, entry }) = kept::left(runner) else {
        return;
    };
    let Ok(mut inputs) = Inputs::from_env(runner) else {
        let goes_on = "the next deployment goes on from what is on the hosts";
        console.warning(&format!("the inputs of the step are gone: {goes_on}"));
        return;
    };
    let lock_wait = &mut inputs.environment.lock_wait;
    *lock_wait = LONGEST_WAIT.min(*lock_wait);
    let Ok(keys) = Keys::write(&inputs, runner).await else {
        return;
    };
    let kept = Kept::resume(runner, &request);
    let report = Report::of(&inputs, runner, &request, &kept).unwrap_or_default();
    let mut job = Job {
        inputs: &inputs,
        runner,
        keys: &keys,
        report: report.and_then(|report| Some(report.resume(entry?))),
        request,
        kept,
        seen: Seen::default(),
    };
    if let Some(end) = kept::end(runner) {
        return job.report(&end, console).await;
    }
    let outcome = outcome(&mut job, console).await;
    job.conclude(&outcome, console).await;
}

async fn outcome<W: Write>(job: &mut Job<'_>, console: &mut Console<W>) -> Outcome {
    let rollback = matches!(job.request.kind, Kind::Rollback { .. });
    // To ask again for a rollback that has not swapped would begin it anew, and it was called off.
    if rollback && let Ok(Live::Other(live)) = live(job).await {
        return stay(job, live, console).await;
    }
    // A deployment waits for what still runs on the hosts, and without bytes it can only go on from what is live. It was
    // called off, so no wave of hosts begins any more.
    let outcome = job.run(Aim::End, console).await;
    let refused = matches!(outcome, Outcome::Refused { .. });
    if refused && let Ok(Live::Other(live)) = live(job).await {
        job.seen.live = live;
        return Outcome::Cancelled;
    }
    outcome
}

/// Lets what is live stay so, whatever a rollback that was called off still does on the hosts.
async fn stay<W: Write>(
    job: &mut Job<'_>,
    live: Option<ReleaseId>,
    console: &mut Console<W>,
) -> Outcome {
    let Some(live) = live else {
        return Outcome::Cancelled;
    };
    let kind = Kind::Rollback {
        to: Some(live.clone()),
    };
    let called_off = std::mem::replace(&mut job.request, direct::request(kind, job.runner));
    let outcome = job.run(Aim::Stay, console).await;
    job.request = called_off;
    job.seen.live = Some(live);
    match outcome {
        Outcome::Unchanged { .. } | Outcome::Deployed { .. } => Outcome::Cancelled,
        other => other,
    }
}

/// What hosts run.
enum Live {
    /// Some of them what the step has made live.
    Ours,
    /// None of them that; the first one this.
    Other(Option<ReleaseId>),
}

async fn live(job: &Job<'_>) -> Result<Live, Failure> {
    let ours = |facts: &Facts| {
        let record = facts.live().and_then(|live| facts.record(live));
        record.is_some_and(|record| record.live_by.as_ref() == Some(&job.request.deployment))
    };
    let Inputs {
        config,
        environment,
        ..
    } = job.inputs;
    let mut all = Vec::new();
    for (_, heard) in run::survey(environment, &config.shared, &job.keys.access()).await {
        all.push(heard?);
    }
    if all.iter().any(ours) {
        return Ok(Live::Ours);
    }
    Ok(Live::Other(all.first().and_then(Facts::live).cloned()))
}
