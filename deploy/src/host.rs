//! A machine reached over a connection: channels, and what can go wrong with them.

use crate::config::Host;
use crate::{Failure, HostName};

mod ssh;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConnectReason {
    /// The host key is not the pinned one, or none is pinned.
    HostKey,
    /// The host does not take our key.
    Refused,
    /// Nobody answers.
    Unreachable,
}

impl HostError {
    /// The failure as it is told, with what to do about it.
    pub(crate) fn failure(&self, host: &Host, step: &str) -> Failure {
        let address = &host.address;
        let hint = match self {
            Self::Connect {
                reason: ConnectReason::HostKey,
                ..
            } => format!(
                "Compare the fingerprint with the one on the host, then pin it: `ssh-keyscan -p {} {} >> known_hosts`.",
                address.port, address.host
            ),
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
                    "Check that the host is up and reachable: `ssh -p {} {} true`.",
                    address.port, address.host
                )
            }
            Self::Lost(_) | Self::Silent { .. } | Self::Channel { .. } => {
                "Look at the host with `cutover status <environment>`; the next deployment goes on from what is there."
                    .to_owned()
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
