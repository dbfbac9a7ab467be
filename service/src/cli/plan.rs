//! `cutover plan`: every step that a deployment would run, before it does.

use std::process::ExitCode;

use clap::Args;
use cutover_deploy::plan::AfterSwap;
use cutover_deploy::{Failure, Kind, run, source};
use serde::Serialize;
use tokio::sync::mpsc::unbounded_channel;
use tokio_util::sync::CancellationToken;

use super::console::{self, Trouble};
use super::direct::{Order, request};
use super::site::environment;

/// Tells every step of a deployment on every host, and changes nothing there that lasts: a pool of PHP-FPM is asked by a file
/// in the app's folder, which is gone afterwards. The commit is built here, as a deployment does.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 there is a plan, 1 the commit cannot be built, \
    2 bad input, or hosts that are not fit or whose workers or pool cannot be looked at, 4 somebody else has locked the environment."
)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    order: Order,
}

/// What is told for machines.
#[derive(Debug, Serialize)]
struct Told {
    digest: String,
    steps: Vec<String>,
    meets: Vec<String>,
    after_swap: Vec<AfterSwap>,
    /// Why it would fail as it is.
    failures: Vec<Failure>,
}

/// Runs `cutover plan`.
pub(super) async fn plan(args: PlanArgs) -> ExitCode {
    console::conclude(try_plan(args.order).await)
}

async fn try_plan(order: Order) -> Result<u8, Trouble> {
    let config = order.site.read()?;
    let environment = environment(&config, &order.environment)?;
    let access = order.site.access()?;
    let (commit, origin) = order.commit(&config).await?;
    let kind = Kind::Deploy {
        commit: commit.clone(),
    };
    let request = request(kind, &order.asker);
    let (events, _) = unbounded_channel();
    let never = CancellationToken::new();
    let artifact = source::build(&config, &commit, &origin, &events, &never).await;
    let artifact = artifact.map_err(|failure| Trouble::failed(&failure))?;
    let planned = run::planned(&config, environment, &request, Some(&artifact), &access).await;
    drop(tokio::fs::remove_file(&artifact.file).await);
    let run::Planned {
        plan,
        digest,
        meets,
        after_swap,
        failures,
    } = match planned {
        Ok(planned) => planned,
        Err(refusal) => {
            for failure in std::iter::once(&*refusal.failure).chain(&refusal.more) {
                console::say(&console::with_hint(failure));
            }
            return Ok(if refusal.held { 4 } else { 2 });
        }
    };
    let exit = if failures.is_empty() { 0 } else { 2 };
    let told = Told {
        digest: digest.to_string(),
        steps: plan.steps(),
        meets,
        after_swap,
        failures,
    };
    if order.output.json {
        console::print_json(&told);
        return Ok(exit);
    }
    let lines = told.steps.iter().chain(&told.meets).cloned();
    let lines = lines.chain(told.after_swap.iter().map(AfterSwap::line));
    lines.for_each(|line| console::print(&line));
    let name = &environment.name;
    let deploy = format!("cutover deploy {name} {commit} --plan-digest {digest}");
    if told.failures.is_empty() {
        console::print(&format!("\nTo deploy exactly this: {deploy}"));
    } else {
        let mend = told.failures.iter().map(console::with_hint);
        let mend: Vec<String> = mend.map(|failure| format!("\n  {failure}")).collect();
        let mend = mend.concat();
        console::print(&format!(
            "\nIt would fail as it is. To mend first:{mend}\nThen, to deploy exactly this: {deploy}"
        ));
    }
    Ok(exit)
}
