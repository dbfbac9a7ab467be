//! Waiting for something to become true. The only place of the kit that sleeps.

use std::fmt::Display;
use std::panic::Location;
use std::time::{Duration, Instant};

/// Asks `probe` until it answers `Ok`, and returns that. `Err` holds how the world looks instead.
///
/// Panics at the caller when `deadline` is over, with the last look at the world.
#[track_caller]
pub fn wait_for<T, F, R>(
    what: impl Display,
    deadline: Duration,
    mut probe: F,
) -> impl Future<Output = T>
where
    F: FnMut() -> R,
    R: Future<Output = Result<T, String>>,
{
    let caller = Location::caller();
    async move {
        let start = Instant::now();
        let mut pause = Duration::from_millis(2);
        let mut world = "it never answered".to_owned();
        loop {
            let left = deadline.saturating_sub(start.elapsed());
            match tokio::time::timeout(left, probe()).await {
                Ok(Ok(value)) => return value,
                Ok(Err(look)) => world = look,
                Err(_) => {}
            }
            assert!(
                start.elapsed() < deadline,
                "{caller}: waited {deadline:?} for {what}; the world:\n{world}"
            );
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }
}
