//! What a deployment would do. Packs what the job has built, asks every host, and changes nothing.

use std::io::Write;

use cutover_deploy::plan::AfterSwap;
use cutover_deploy::{DeployRequest, Failure, run};
use tokio::sync::mpsc::unbounded_channel;

use crate::console::Console;
use crate::direct;
use crate::failure::Fault;
use crate::inputs::{Inputs, Runner};
use crate::keys::Keys;
use crate::outputs::{self, Outputs};
use crate::summary;

/// Tells every step on every host, or all that stands in the way, and returns 0, 1, 2 or 4.
pub(crate) async fn run<W: Write>(
    inputs: &Inputs,
    runner: &Runner,
    keys: &Keys,
    request: &DeployRequest,
    console: &mut Console<W>,
) -> u8 {
    let name = &inputs.environment.name;
    let made = make(inputs, keys, request).await;
    let (lines, failures, exit) = match &made {
        Ok(planned) => {
            let mut lines = planned.plan.steps();
            lines.extend(planned.meets.iter().cloned());
            lines.extend(planned.after_swap.iter().map(AfterSwap::line));
            let exit = if planned.failures.is_empty() { 0 } else { 2 };
            (lines, planned.failures.clone(), exit)
        }
        Err(NoPlan::Failed(failure)) => (Vec::new(), vec![failure.clone()], 1),
        Err(NoPlan::Refused(failures)) => (Vec::new(), failures.clone(), 2),
        Err(NoPlan::Held(failures)) => (Vec::new(), failures.clone(), 4),
    };
    let title = match &made {
        Ok(_) => format!("{name}: it would fail as it is"),
        Err(_) => format!("{name}: no plan"),
    };
    let faults = failures
        .iter()
        .map(|failure| Fault::of(title.clone(), failure));
    let faults: Vec<Fault> = faults.collect();
    for fault in &faults {
        console.error(fault);
    }
    console.text(&lines.join("\n"));
    let live = made
        .as_ref()
        .ok()
        .and_then(|planned| planned.plan.previous.clone());
    let outcome = match exit {
        0 => "planned",
        1 => "failed",
        _ => "refused",
    };
    Outputs {
        release: live.clone(),
        previous: live,
        outcome: outcome.to_owned(),
        commit: made.ok().and_then(|planned| planned.plan.commit),
        url: inputs.environment.url.clone(),
    }
    .hand_over(runner, console);
    let summary = match faults.len() {
        0 => summary::of_plan(name, &lines),
        _ => summary::of_check(name, &faults),
    };
    outputs::append(runner.summary.as_deref(), &summary, console);
    exit
}

enum NoPlan {
    /// There is nothing that could be deployed.
    Failed(Failure),
    /// Hosts are not fit for it.
    Refused(Vec<Failure>),
    /// Somebody's hold stands in the way.
    Held(Vec<Failure>),
}

async fn make(
    inputs: &Inputs,
    keys: &Keys,
    request: &DeployRequest,
) -> Result<run::Planned, NoPlan> {
    let (events, _) = unbounded_channel();
    let artifact = direct::artifact(inputs, request, keys.folder(), &events).await;
    let artifact = artifact.map_err(NoPlan::Failed)?;
    let Inputs {
        config,
        environment,
        ..
    } = inputs;
    let access = keys.access();
    let planned = run::planned(config, environment, request, artifact.as_ref(), &access).await;
    planned.map_err(|refusal| {
        let failures = std::iter::once(*refusal.failure).chain(refusal.more);
        let no_plan = if refusal.held {
            NoPlan::Held
        } else {
            NoPlan::Refused
        };
        no_plan(failures.collect())
    })
}
