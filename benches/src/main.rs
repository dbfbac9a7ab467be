//! `make bench`: the same change deployed by `cutover`, by one bare script and by others, in turn, over lines of
//! several delays. Every figure stands beside the floor of the same run; nothing is asserted.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "showing figures is the work of this program"
)]

mod cpu;
mod figures;
mod floor;
mod line;
mod ours;
mod peer;
mod place;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Parser;
use cutover_deploy::CommitSha;

use figures::{Figures, Run};
use line::Line;
use ours::Ours;
use peer::Peer;
use place::Place;

/// A connection that was ended is off the line after this long, or is one that is kept.
const SETTLING: Duration = Duration::from_millis(500);

/// Deployments timed, ours beside a floor and beside others.
#[derive(Debug, Parser)]
struct Options {
    /// How often each is run for every delay.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// How often the others are run, which take longer; 0 leaves them out.
    #[arg(long, default_value_t = 3)]
    peer_rounds: u32,
    /// Round trips, in milliseconds.
    #[arg(long, value_delimiter = ',', default_value = "0,50,100")]
    delays: Vec<u64>,
    /// Where the figures are written as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Who is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contender {
    Nothing,
    Script,
    Cold,
    Warm,
    Peer(Peer),
}

impl Contender {
    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "ssh true",
            Self::Script => "one script",
            Self::Cold => "cutover, cold",
            Self::Warm => "cutover, warm",
            Self::Peer(peer) => peer.name(),
        }
    }
}

struct Bench {
    place: Place,
    ours: Ours,
}

#[tokio::main]
async fn main() -> ExitCode {
    match bench().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn bench() -> Result<()> {
    let options = Options::parse();
    cpu::adopt_orphans();
    let delays = options.delays.iter().copied().map(Duration::from_millis);
    let delays: Vec<_> = delays.collect();
    let place = Place::make(&delays).await?;
    let ours = Ours::prepare(&place)?;
    let mut contenders = vec![
        Contender::Nothing,
        Contender::Script,
        Contender::Cold,
        Contender::Warm,
    ];
    for peer in Peer::ALL.into_iter().filter(|_| options.peer_rounds > 0) {
        if peer.is_there() {
            peer.prepare(&place)?;
            contenders.push(Contender::Peer(peer));
        } else {
            eprintln!("{} is not installed and is left out", peer.name());
        }
    }
    let mut bench = Bench { place, ours };
    let mut figures = Figures::default();
    bench.first(&contenders).await?;
    for line in bench.place.lines.lines.clone() {
        bench
            .over(&line, &contenders, &options, &mut figures)
            .await?;
    }
    println!("{figures}");
    if let Some(file) = options.json {
        std::fs::write(&file, format!("{:#}\n", figures.json()))?;
        println!("The same as JSON: {}", file.display());
    }
    Ok(())
}

impl Bench {
    /// The first two deployments of each clone, lay out, and give a rollback somewhere to go. They are not timed.
    async fn first(&mut self, contenders: &[Contender]) -> Result<()> {
        let line = self.place.lines.lines[0].clone();
        for _ in 0..2 {
            let commit = self.place.commit().await;
            for contender in contenders {
                eprintln!("first: {}", contender.name());
                self.deploy(*contender, &commit, &line).await?;
            }
        }
        Ok(())
    }

    async fn over(
        &mut self,
        line: &Line,
        contenders: &[Contender],
        options: &Options,
        figures: &mut Figures,
    ) -> Result<()> {
        // The connection that is kept is made before anything is timed.
        let commit = self.place.commit().await;
        self.deploy(Contender::Warm, &commit, line).await?;
        for round in 0..options.rounds.max(options.peer_rounds) {
            let commit = self.place.commit().await;
            for contender in contenders {
                let rounds = match contender {
                    Contender::Peer(_) => options.peer_rounds,
                    _ => options.rounds,
                };
                if round >= rounds {
                    continue;
                }
                let name = contender.name();
                let deployed = self.timed(line, self.deploy(*contender, &commit, line));
                let deployed = deployed.await?;
                if let Contender::Peer(peer) = contender {
                    tokio::time::sleep(peer.pause()).await;
                }
                let back = match contender {
                    Contender::Nothing => None,
                    _ => Some(self.timed(line, self.rollback(*contender, line)).await?),
                };
                eprintln!(
                    "{} ms, round {}: {name} {:.2} s, back {:.2} s",
                    line.delay.as_millis(),
                    round + 1,
                    deployed.seconds,
                    back.as_ref().map_or(0.0, |run| run.seconds)
                );
                figures.take(line.delay, name, deployed, back);
            }
        }
        Ok(())
    }

    async fn timed(&self, line: &Line, work: impl Future<Output = Result<()>>) -> Result<Run> {
        settled(line).await;
        let thread = &self.place.lines.thread;
        let (up, cpu) = (line.bytes_up(), cpu::seconds(thread));
        self.place.host.mark();
        let began = Instant::now();
        work.await?;
        let seconds = began.elapsed().as_secs_f64();
        settled(line).await;
        Ok(Run {
            seconds,
            cpu: cpu::seconds(thread) - cpu,
            bytes_up: line.bytes_up() - up,
            connections: self.place.host.connections(),
            execs: self.place.host.exec_channels(),
        })
    }

    async fn deploy(&self, contender: Contender, commit: &CommitSha, line: &Line) -> Result<()> {
        let place = &self.place;
        match contender {
            Contender::Nothing => floor::nothing(place, line).await,
            Contender::Script => floor::deploy(place, line).await,
            Contender::Cold => self.ours.cold_deploy(place, line).await,
            Contender::Warm => self.ours.warm_deploy(commit, line).await,
            Contender::Peer(peer) => peer.deploy(place, line).await,
        }
    }

    async fn rollback(&self, contender: Contender, line: &Line) -> Result<()> {
        let place = &self.place;
        match contender {
            Contender::Nothing => Ok(()),
            Contender::Script => floor::rollback(place, line).await,
            Contender::Cold => self.ours.cold_rollback(place, line).await,
            Contender::Warm => self.ours.warm_rollback(line).await,
            Contender::Peer(peer) => peer.rollback(place, line).await,
        }
    }
}

/// Waits until what the last run left on the line is off it.
async fn settled(line: &Line) {
    let until = Instant::now() + SETTLING + line.delay;
    while Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(25)).await;
        cpu::reap();
    }
}
