//! Which release was live when, as `current` says it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, anyhow};

/// How often `current` is read.
const PAUSE: Duration = Duration::from_millis(1);
/// A clock that is read beside a link may be so far off.
pub(crate) const BLUR: Duration = Duration::from_millis(50);

/// A release became live.
#[derive(Debug, Clone)]
pub(crate) struct Swap {
    pub(crate) at: Instant,
    /// The same moment in seconds since 1970, as jobs are stamped.
    pub(crate) epoch: f64,
    pub(crate) release: String,
}

/// Reads `current` of a host until it is told to end.
#[derive(Debug)]
pub(crate) struct Watch {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Swap>>>,
}

impl Watch {
    pub(crate) fn of(links: Vec<PathBuf>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let watch = |link: PathBuf| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                let mut swaps: Vec<Swap> = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let target = std::fs::read_link(&link).unwrap_or_default();
                    let release = target.file_name().unwrap_or_default().to_string_lossy();
                    if swaps.last().is_none_or(|last| last.release != release) {
                        let epoch = SystemTime::now().duration_since(UNIX_EPOCH);
                        swaps.push(Swap {
                            at: Instant::now(),
                            epoch: epoch.unwrap_or_default().as_secs_f64(),
                            release: release.into_owned(),
                        });
                    }
                    std::thread::sleep(PAUSE);
                }
                swaps
            })
        };
        let threads = links.into_iter().map(watch).collect();
        Self { stop, threads }
    }

    /// What was seen, by host.
    pub(crate) async fn end(self) -> Result<Vec<Vec<Swap>>> {
        self.stop.store(true, Ordering::Relaxed);
        let joined = tokio::task::spawn_blocking(move || {
            let ended = self.threads.into_iter().map(JoinHandle::join);
            ended.collect::<std::thread::Result<Vec<_>>>()
        });
        joined
            .await?
            .map_err(|_| anyhow!("whoever read `current` panicked"))
    }
}

/// Whether a release was live at some moment between two.
pub(crate) fn was_live(swaps: &[Swap], release: &str, from: Instant, to: Instant) -> bool {
    let from = from.checked_sub(BLUR).unwrap_or(from);
    let ends = swaps.iter().skip(1).map(|next| Some(next.at)).chain([None]);
    swaps.iter().zip(ends).any(|(swap, end)| {
        swap.release == release && swap.at <= to && end.is_none_or(|end| end >= from)
    })
}

/// Whether `ran` went out of date before `dispatched` became live, by the last times that either was live until then.
pub(crate) fn is_older(swaps: &[Swap], ran: &str, dispatched: &str, epoch: f64) -> bool {
    let until = |release: &str| {
        let known = swaps
            .iter()
            .take_while(|swap| swap.epoch <= epoch + BLUR.as_secs_f64());
        known
            .enumerate()
            .filter(|(_, swap)| swap.release == release)
            .map(|(at, _)| at)
            .last()
    };
    match (until(ran), until(dispatched)) {
        (Some(ran), Some(dispatched)) => ran < dispatched,
        (ran, _) => ran.is_none(),
    }
}
