//! The door of cutover that stands in a CI job.
//!
//! A step of a workflow gives its inputs by environment variables, which are read in one place; everything that is wrong
//! with them is told at once. `deploy` packs what the job has built and makes it live straight over SSH, with the same
//! pipeline as the service and the command line; `rollback` returns to an earlier release, and `check` only looks.
//!
//! What happens is told the way a runner reads it: a group for each phase, annotations for what went wrong, outputs for
//! later steps and a summary for people. Words of hosts and of the app pass through a log in which the runner takes no
//! commands.

mod check;
mod console;
mod direct;
mod failure;
mod inputs;
mod keys;
mod log;
mod outputs;
mod summary;

use console::Console;
use failure::Failure;
use inputs::{Command, Inputs, Runner};
use keys::Keys;

/// Runs the step that the environment describes and returns its exit code: 0 deployed, unchanged or ready, 1 failed and
/// restored or never live, 2 bad input or hosts that are not fit, 3 failed and not restored, 4 refused by a lock.
pub async fn run() -> u8 {
    let runner = Runner::from_env();
    let mut console = Console::stdout();
    match step(&runner, &mut console).await {
        Ok(exit) => exit,
        Err(failure) => {
            for fault in &failure.faults {
                console.error(fault);
            }
            let text = summary::of_failure(&failure);
            outputs::append(runner.summary.as_deref(), &text, &mut console);
            failure.exit
        }
    }
}

async fn step(runner: &Runner, console: &mut Console<std::io::Stdout>) -> Result<u8, Failure> {
    let inputs = Inputs::from_env(runner)?;
    let keys = Keys::write(&inputs, runner).await?;
    match &inputs.command {
        Command::Check => Ok(check::run(&inputs, runner, &keys, console).await),
        Command::Deploy => {
            let source = direct::source(&inputs, runner).await?;
            Ok(direct::run(&inputs, runner, &keys, source, console).await)
        }
        Command::Rollback { to } => {
            let source = direct::Source::Kept { to: to.clone() };
            Ok(direct::run(&inputs, runner, &keys, source, console).await)
        }
    }
}
