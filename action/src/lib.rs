//! The door of cutover that stands in a CI job.
//!
//! A step of a workflow gives its inputs by environment variables, which are read in one place; everything that is wrong
//! with them is told at once. `deploy` packs what the job has built and makes it live straight over SSH, with the same
//! pipeline as the service and the command line; `rollback` returns to an earlier release, and `plan` and `check` only look.
//!
//! What happens is told the way a runner reads it: a group for each phase, annotations for what went wrong, outputs for
//! later steps and a summary for people. Words of hosts and of the app pass through a log in which the runner takes no
//! commands.

mod after;
mod check;
mod console;
mod direct;
mod failure;
mod github;
mod inputs;
mod kept;
mod keys;
mod log;
mod outputs;
mod plan;
mod report;
mod signals;
mod summary;

use cutover_deploy::{DeployRequest, Kind};
use secrecy::ExposeSecret as _;

use console::Console;
use direct::{Aim, Job};
use failure::Failure;
use inputs::{Command, Inputs, Runner};
use keys::Keys;

/// Runs the step that the environment describes and returns its exit code: 0 deployed, unchanged, planned or ready,
/// 1 failed and restored or never live, 2 bad input or hosts that are not fit, 3 failed and not restored, 4 refused by a
/// lock. What comes after a step that was killed is always 0.
pub async fn run() -> u8 {
    let runner = Runner::from_env();
    let mut console = Console::stdout(runner.ci);
    let exit = if runner.after {
        Box::pin(after::run(&runner, &mut console)).await;
        0
    } else {
        told(&runner, &mut console).await
    };
    keys::tidy(&runner);
    exit
}

async fn told(runner: &Runner, console: &mut Console<std::io::Stdout>) -> u8 {
    match Box::pin(step(runner, console)).await {
        Ok(exit) => exit,
        Err(failure) => {
            for fault in &failure.faults {
                console.error(fault);
            }
            let text = summary::of_failure(&failure);
            outputs::append(runner.summary.as_deref(), &text, console);
            failure.exit
        }
    }
}

async fn step(runner: &Runner, console: &mut Console<std::io::Stdout>) -> Result<u8, Failure> {
    outputs::forget(runner);
    let inputs = Inputs::from_env(runner)?;
    if runner.listens {
        console.mask(inputs.ssh_key.expose_secret());
    }
    let keys = Keys::write(&inputs, runner).await?;
    let kind = match &inputs.command {
        Command::Check => return Ok(check::run(&inputs, runner, &keys, console).await),
        Command::Rollback { to } => Kind::Rollback { to: to.clone() },
        Command::Deploy | Command::Plan => direct::workspace(&inputs, runner).await?,
    };
    let request = DeployRequest {
        allow_destructive: inputs.allow_destructive,
        ..direct::request(kind, runner)
    };
    if inputs.command == Command::Plan {
        return Ok(plan::run(&inputs, runner, &keys, &request, console).await);
    }
    let mut job = Job::begin(&inputs, runner, &keys, request, console);
    let outcome = job.run(Aim::Deploy, console).await;
    Ok(job.conclude(&outcome, console).await)
}
