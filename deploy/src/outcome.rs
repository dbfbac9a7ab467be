//! How a deployment ended.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::names::{HostName, ReleaseId};

/// How a deployment ended; what a door tells, and what its exit code says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The release is live, healthy and followed by its workers on every host.
    Deployed {
        /// What is live now.
        release: ReleaseId,
        /// What was live before, if anything.
        previous: Option<ReleaseId>,
    },
    /// The release that was asked for is already live.
    Unchanged {
        /// What is live.
        release: ReleaseId,
    },
    /// The new release failed after the swap; the earlier one is live and healthy again.
    RolledBack {
        /// What is live again.
        restored: ReleaseId,
        /// The release that failed.
        failed: ReleaseId,
        /// Why.
        failure: Failure,
    },
    /// It failed. With `left` empty nothing that is live was changed.
    Failed {
        /// Why.
        failure: Failure,
        /// Hosts that are not as they were, and how they stand.
        left: Vec<LeftOver>,
    },
    /// It was called off; what was live still is, or is again.
    Cancelled,
    /// A newer one took its place before it began.
    Superseded,
    /// It never began: a lock or a hold, or the hosts are not fit for it.
    Refused {
        /// Why.
        failure: Failure,
        /// True when a lease or hold of somebody else stood in the way.
        held: bool,
    },
}

/// What went wrong, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The host, if it happened on one.
    pub host: Option<HostName>,
    /// The step: `stage`, `migrate`, `health`.
    pub step: String,
    /// What was tried and what came back; lower case, no full stop.
    pub message: String,
    /// What to do next: a sentence with a command, where there is one.
    pub hint: Option<String>,
}

/// How a host was left when a deployment could not restore it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOver {
    /// The host.
    pub host: HostName,
    /// The release that `current` leads to, as far as known.
    pub current: Option<ReleaseId>,
    /// How it stands, in words.
    pub state: String,
}

impl Failure {
    /// The failure in one line: `stage on web1: disk full`.
    pub fn line(&self) -> String {
        match &self.host {
            Some(host) => format!("{} on {host}: {}", self.step, self.message),
            None => format!("{}: {}", self.step, self.message),
        }
    }

    /// The same, and behind it another one of the same host.
    #[cfg(feature = "run")]
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.message = format!("{}; {}: {}", self.message, other.step, other.message);
        self.hint = self.hint.or(other.hint);
        self
    }
}

impl Outcome {
    /// The word for it everywhere: `deployed`, `rolled_back`, …
    pub fn word(&self) -> &'static str {
        match self {
            Self::Deployed { .. } => "deployed",
            Self::Unchanged { .. } => "unchanged",
            Self::RolledBack { .. } => "rolled_back",
            Self::Failed { .. } => "failed",
            Self::Cancelled => "cancelled",
            Self::Superseded => "superseded",
            Self::Refused { .. } => "refused",
        }
    }

    /// The failure inside, if there is one.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::RolledBack { failure, .. }
            | Self::Failed { failure, .. }
            | Self::Refused { failure, .. } => Some(failure),
            _ => None,
        }
    }

    /// The exit code of a process that ran this deployment:
    /// 0 deployed or unchanged, 1 failed and restored or never live, 2 hosts not fit, 3 failed and not restored,
    /// 4 refused by a lock or hold.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Deployed { .. } | Self::Unchanged { .. } => 0,
            Self::Failed { left, .. } if !left.is_empty() => 3,
            Self::RolledBack { .. } | Self::Failed { .. } | Self::Cancelled | Self::Superseded => 1,
            Self::Refused { held: true, .. } => 4,
            Self::Refused { held: false, .. } => 2,
        }
    }
}

/// The outcome for a reader: what is live now, why, and what to do.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deployed {
                release,
                previous: Some(previous),
            } => {
                write!(
                    f,
                    "deployed: {release} is live and healthy (before: {previous})"
                )?;
            }
            Self::Deployed {
                release,
                previous: None,
            } => {
                write!(f, "deployed: {release} is live and healthy (the first)")?;
            }
            Self::Unchanged { release } => {
                write!(f, "unchanged: {release} is live and healthy already")?;
            }
            Self::RolledBack {
                restored, failed, ..
            } => {
                write!(
                    f,
                    "rolled back: {restored} is live and healthy again; {failed} failed"
                )?;
            }
            Self::Failed { left, .. } if left.is_empty() => {
                write!(f, "failed: what was live still is")?;
            }
            Self::Failed { left, .. } => {
                write!(f, "failed, and not everything could be restored")?;
                for left in left {
                    let current = left
                        .current
                        .as_ref()
                        .map_or("something unknown", ReleaseId::as_str);
                    write!(
                        f,
                        "\n  left on {}: current leads to {current}: {}",
                        left.host, left.state
                    )?;
                }
            }
            Self::Cancelled => write!(f, "cancelled: what was live still is")?,
            Self::Superseded => write!(f, "superseded by a newer one")?,
            Self::Refused { .. } => write!(f, "refused: nothing was changed")?,
        }
        let Some(failure) = self.failure() else {
            return Ok(());
        };
        write!(f, "\n  {}", failure.line())?;
        match &failure.hint {
            Some(hint) => write!(f, "\n  {hint}"),
            None => Ok(()),
        }
    }
}
