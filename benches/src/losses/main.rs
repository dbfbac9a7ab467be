//! `make bench-losses`: what is lost while releases come and go. People ask without a pause, jobs run without a pause,
//! and each way to deploy makes the same releases live and goes back. Exits with 1 where `cutover` loses something.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "showing figures is the work of this program"
)]

mod case;
mod history;
mod load;
mod site;
mod table;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;

use case::{Case, Root, Way};
use load::Load;
use site::Site;
use table::Row;
use work::Work;

/// The load runs alone for so long, before the first deployment and after the last.
const QUIET: Duration = Duration::from_secs(10);
/// Jobs that are still there after the last release have so long to end: longer than a killed one is kept from others.
const LEFT: Duration = Duration::from_mins(3);

/// Requests and jobs that are lost while releases come and go, ours beside others.
#[derive(Debug, Parser)]
struct Options {
    /// How many deployments each makes; after every second comes a rollback.
    #[arg(long, default_value_t = 20)]
    deployments: u32,
    /// Requests for the health page a second, over all hosts; half of them over connections that are kept.
    #[arg(long, default_value_t = 100)]
    rate: u32,
    /// Only those whose name has this in it.
    #[arg(long, default_value = "")]
    only: String,
    /// Where the figures are written as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match bench(&Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn bench(options: &Options) -> Result<()> {
    let all = case::all();
    let chosen = all
        .iter()
        .filter(|case| case.name().contains(&options.only));
    let mut rows = Vec::new();
    for case in chosen {
        eprintln!("{}", case.name());
        rows.push(run(*case, options).await.with_context(|| case.name())?);
        println!("{}", rows[rows.len() - 1]);
    }
    println!("\n{}", table::drawn(&rows));
    if let Some(file) = &options.json {
        std::fs::write(file, format!("{:#}\n", table::json(&rows)))?;
    }
    let broken = rows.iter().filter(|row| row.is_broken).count();
    ensure!(broken == 0, "{broken} rows of cutover lost something");
    Ok(())
}

async fn run(case: Case, options: &Options) -> Result<Row> {
    let site = Site::make(case).await?;
    let history = site.watch();
    let load = Load::start(&site.urls(), options.rate);
    let work = Work::begin(&site);
    tokio::time::sleep(QUIET).await;
    let began = Instant::now();
    let mut seconds = (Vec::new(), Vec::new());
    let mut switches = Vec::new();
    for number in 1..=options.deployments {
        switches.push(history::epoch());
        seconds.0.push(timed(site.deploy(number)).await?);
        if number % 2 == 0 {
            switches.push(history::epoch());
            seconds.1.push(timed(site.roll_back()).await?);
        }
    }
    let ended = Instant::now();
    tokio::time::sleep(QUIET).await;
    let complaints = work.end().await;
    let requests = load.stop().await;
    let jobs = site.queue().jobs_done(LEFT).await;
    let history = history.end().await?;
    let row = Row::of(
        case,
        &requests,
        (began, ended),
        (&jobs, complaints),
        &history,
        &switches,
        seconds,
    );
    // Workers that still finish a job go with their machine.
    drop(site);
    Ok(row)
}

async fn timed(work: impl Future<Output = Result<()>>) -> Result<f64> {
    let began = Instant::now();
    work.await?;
    Ok(began.elapsed().as_secs_f64())
}

impl Case {
    /// How it is called in the table.
    fn name(self) -> String {
        let root = match self.root {
            Root::Realpath => "realpath",
            Root::Document => "document",
        };
        let hosts = if self.hosts == 1 { "1 host" } else { "3 hosts" };
        format!("{}, {root}, {hosts}", self.way.name())
    }
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Overlap => "cutover, overlap",
            Self::Drain => "cutover, drain",
            Self::QueueRestart => "ln, queue:restart, reload",
            Self::Restart => "mv -T, reload, restart",
        }
    }
}
