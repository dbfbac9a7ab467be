//! What a person at a terminal, or whoever runs this program, wants by a signal.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

/// A program around this one may hand a Ctrl-C on that this one has heard by itself.
const SAME: Duration = Duration::from_millis(300);

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// The first one: call off what has changed nothing live.
    CallOff,
    /// One more TERM, which managers of processes send: why does it still run?
    Hurry,
    /// One more Ctrl-C: wait no longer.
    Leave,
}

/// INT and TERM. From the first listening on neither ends the process.
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    first: Option<Instant>,
}

impl Signals {
    /// Listens from now on; `None` where signals cannot be heard, which then end the process.
    pub(super) fn listen() -> Option<Self> {
        Some(Self {
            interrupt: signal(SignalKind::interrupt()).ok()?,
            terminate: signal(SignalKind::terminate()).ok()?,
            first: None,
        })
    }

    /// Waits for the next wish; for ever where signals cannot be heard.
    pub(super) async fn next(signals: &mut Option<Self>) -> Wish {
        let Some(signals) = signals else {
            return std::future::pending().await;
        };
        loop {
            let pressed = tokio::select! {
                _ = signals.interrupt.recv() => true,
                _ = signals.terminate.recv() => false,
            };
            match signals.first {
                None => {
                    signals.first = Some(Instant::now());
                    return Wish::CallOff;
                }
                Some(first) if pressed && first.elapsed() < SAME => {}
                Some(_) if pressed => return Wish::Leave,
                Some(_) => return Wish::Hurry,
            }
        }
    }
}
