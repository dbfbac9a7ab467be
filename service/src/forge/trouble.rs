//! Why a call to a forge did not do what it was for, and what may be done about it.

use std::time::Duration;

/// A wrong clock or a wrong header must not silence reports for ever.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_hours(1);
const LONGEST_MESSAGE: usize = 300;

/// Why a call did not do what it was for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Trouble {
    /// What the forge said; never holds a secret.
    pub message: String,
    /// What may be done about it.
    pub turn: Turn,
    /// Whether the forge says that there is no such thing.
    pub missing: bool,
}

/// What may be done about a call that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Try again with growing pauses; the forge may or may not have acted on it.
    Again,
    /// The forge wants no call at all before this much time has passed.
    Pause(Duration),
    /// It cannot succeed as it is.
    Never,
}

impl Trouble {
    pub(super) fn silence(forge: &str, why: &str) -> Self {
        Self {
            message: format!("no answer from {forge}: {}", clip(why)),
            turn: Turn::Again,
            missing: false,
        }
    }

    pub(crate) fn refused(message: String) -> Self {
        Self {
            message,
            turn: Turn::Never,
            missing: false,
        }
    }
}

/// A pause of at least a second and at most an hour.
pub(super) fn seconds_between(from: i64, to: i64) -> Duration {
    let seconds = u64::try_from(to.saturating_sub(from)).unwrap_or(0);
    Duration::from_secs(seconds.max(1)).min(LONGEST_PAUSE)
}

/// Printable text of bounded length.
pub(super) fn clip(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(LONGEST_MESSAGE)
        .collect()
}
