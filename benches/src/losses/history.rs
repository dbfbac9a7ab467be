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
                        swaps.push(Swap {
                            at: Instant::now(),
                            epoch: epoch(),
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

/// Whether a job ran on code that had gone out of date before its dispatcher became live. Workers of the release that is
/// coming may run before it is live: from the moment at which its switch `began`, it counts as the newest.
pub(crate) fn is_older(
    swaps: &[Swap],
    began: &[f64],
    (ran, dispatched): (&str, &str),
    at: f64,
) -> bool {
    let mut seen = swaps.partition_point(|swap| swap.epoch <= at + BLUR.as_secs_f64());
    let swapped = seen.checked_sub(1).map_or(0.0, |last| swaps[last].epoch);
    if began.iter().any(|began| swapped < *began && *began <= at) {
        seen = swaps.len().min(seen + 1);
    }
    let place = |release: &str| {
        swaps[..seen]
            .iter()
            .rposition(|swap| swap.release == release)
    };
    match (place(ran), place(dispatched)) {
        (Some(ran), Some(dispatched)) => ran < dispatched,
        (ran, _) => ran.is_none(),
    }
}

/// Seconds since 1970, as jobs are stamped.
pub(crate) fn epoch() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a` is live at 0, `b` at 10 after a switch that began at 8, `a` again at 20 after one that began at 18.
    fn older(ran: &str, dispatched: &str, at: f64) -> bool {
        let swaps = [("a", 0.0), ("b", 10.0), ("a", 20.0)].map(|(release, epoch)| Swap {
            at: Instant::now(),
            epoch,
            release: release.to_owned(),
        });
        is_older(&swaps, &[8.0, 18.0], (ran, dispatched), at)
    }

    #[test]
    fn a_worker_that_stayed_behind_is_older() {
        assert!(older("a", "b", 12.0));
        assert!(older("b", "a", 21.0), "on the way back too");
    }

    #[test]
    fn the_release_that_is_coming_is_newer_from_the_start_of_its_switch() {
        assert!(!older("b", "a", 9.0));
        assert!(older("b", "a", 7.0), "nobody had begun to switch to it");
        assert!(!older("a", "b", 19.0), "on the way back too");
        assert!(older("a", "b", 17.0));
    }

    #[test]
    fn what_the_live_release_dispatched_it_may_run() {
        assert!(!older("b", "b", 12.0));
        assert!(!older("b", "a", 12.0));
        assert!(!older("a", "b", 21.0), "queued before the way back");
    }
}
