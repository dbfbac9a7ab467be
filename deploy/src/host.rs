//! A machine reached over a connection: channels, and what can go wrong with them.

use crate::config::Host;
use crate::plan::fit;
use crate::{Failure, HostName};

mod kept;
mod lane;
mod offer;
mod ssh;

pub use kept::Kept;
pub(crate) use offer::{Offer, offer};
pub(crate) use ssh::{Channel, Connection, within};

/// What went wrong with a host, by place and by what follows from it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HostError {
    /// No connection could be made.
    #[error("cannot connect to {address}: {why}")]
    Connect {
        address: String,
        reason: ConnectReason,
        why: String,
    },
    /// The connection broke while something ran: what it did is unknown.
    #[error("the connection to {0} was lost")]
    Lost(HostName),
    /// The connection stands, and what was asked for does not come.
    #[error("{host} did not answer within {seconds} s")]
    Silent { host: HostName, seconds: u64 },
    /// No channel could be opened on a connection that stands.
    #[error("cannot open a channel on {host}: {why}")]
    Channel { host: HostName, why: String },
}

/// Why no connection could be made, as far as ssh tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ConnectReason {
    /// The host key is not the pinned one, or none is pinned. This is what the host offers.
    HostKey(Offer),
    /// The host does not take our key.
    Refused,
    /// Nobody answers.
    Unreachable,
}

impl HostError {
    /// The failure as it is told, with what to do about it.
    pub(crate) fn failure(&self, host: &Host, step: &str) -> Failure {
        let hint = match self {
            Self::Connect {
                reason: ConnectReason::HostKey(offer),
                ..
            } => pin(offer),
            Self::Connect {
                reason: ConnectReason::Refused,
                ..
            } => {
                "Add the public key of the deploy key to `~/.ssh/authorized_keys` of that user on the host.".to_owned()
            }
            Self::Connect {
                reason: ConnectReason::Unreachable,
                ..
            } => {
                format!(
                    "Check that the host is up and reachable: `ssh {} true`.",
                    fit::ssh_line(host)
                )
            }
            Self::Lost(_) | Self::Silent { .. } | Self::Channel { .. } => {
                format!(
                    "Look at the host with `cutover status {}`; the next deployment goes on from what is there.",
                    host.environment
                )
            }
        };
        Failure {
            host: Some(host.name.clone()),
            step: step.to_owned(),
            message: self.to_string(),
            hint: Some(hint),
        }
    }
}

/// How a key is pinned. What comes over the line that is not trusted yet proves nothing by itself.
fn pin(offer: &Offer) -> String {
    let told = |kind: &str| {
        format!(
            "what `ssh-keygen -lf /etc/ssh/ssh_host_{kind}_key.pub` says on the host itself, over a channel that you trust"
        )
    };
    match offer {
        Offer::Key { fingerprint, line } => format!(
            "It offers {fingerprint}. Compare that with {}: whoever stands in between would offer a key as well. Only when \
             they are the same, add this line to known_hosts:\n{line}",
            told(word_of(line))
        ),
        Offer::Behind => format!(
            "It is behind a jump host, so its key cannot be shown here. Add it to known_hosts once you have compared it \
             with {}.",
            told("ed25519")
        ),
        Offer::Unknown => format!(
            "Add its key to known_hosts once you have compared its fingerprint with {}.",
            told("ed25519")
        ),
    }
}

/// The word for a key's type in the names of sshd's files.
fn word_of(line: &str) -> &'static str {
    match line.split(' ').nth(1) {
        Some("ssh-rsa") => "rsa",
        Some("ecdsa-sha2-nistp256") => "ecdsa",
        _ => "ed25519",
    }
}
