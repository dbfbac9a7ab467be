//! The signals by which a runner calls a step off.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// INT and TERM, by which runners call a step off, and HUP, by which a terminal says that it is gone.
pub(crate) struct Signals([Signal; 3]);

impl Signals {
    /// Listens from now on: none of them ends the process any more.
    pub(crate) fn listen() -> Option<Self> {
        let kinds = [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ];
        let [interrupt, terminate, hangup] = kinds.map(|kind| signal(kind).ok());
        Some(Self([interrupt?, terminate?, hangup?]))
    }

    /// Waits for the next one; for ever where they cannot be heard.
    pub(crate) async fn next(signals: &mut Option<Self>) {
        let Some(Self([interrupt, terminate, hangup])) = signals else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
