//! A look at a host that no configuration speaks of yet, and at the key that it offers.

use super::{Access, ask};
use crate::Failure;
use crate::config::Host;
use crate::draft::Machine;
use crate::host::{ConnectReason, Connection, HostError, Offer, offer};
use crate::script::LOOK;

/// A key that a host offers to whoever asks, which proves nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedKey {
    /// `SHA256:` and its digest, as `ssh-keygen -l` shows it.
    pub fingerprint: String,
    /// The line of a `known_hosts` file that pins it.
    pub line: String,
}

/// Why nothing was seen.
#[derive(Debug)]
pub enum Unseen {
    /// The host's key is not a pinned one. This is what it offers, as far as it can be asked.
    Key(Option<OfferedKey>),
    /// Something else.
    Other(Failure),
}

/// Looks at a host and changes nothing. Its key must be a pinned one.
pub async fn look(host: &Host, access: &Access) -> Result<Machine, Unseen> {
    let connection = match Connection::open(host, access).await {
        Ok(connection) => connection,
        Err(error) if error.is_of_the_key() => {
            return Err(Unseen::Key(match offer(host, access).await {
                Offer::Key { fingerprint, line } => Some(OfferedKey { fingerprint, line }),
                Offer::Behind | Offer::Unknown => None,
            }));
        }
        Err(error) => return Err(Unseen::Other(error.failure(host, "look"))),
    };
    let mut machine = Machine::default();
    let asking = ask::lines(&connection, LOOK, "look", &[], |line| machine.hear(line));
    let asked = ask::in_time(&host.name, Box::pin(asking)).await;
    connection.close().await;
    match asked {
        Ok((0, _)) => Ok(machine),
        Ok((status, stderr)) => Err(Unseen::Other(Failure {
            host: Some(host.name.clone()),
            step: "look".to_owned(),
            message: format!("exit {status}: {}", stderr.trim()),
            hint: None,
        })),
        Err(error) => Err(Unseen::Other(error.failure(host, "look"))),
    }
}

impl HostError {
    /// Whether the host's key is not a pinned one.
    fn is_of_the_key(&self) -> bool {
        matches!(
            self,
            Self::Connect {
                reason: ConnectReason::HostKey(_),
                ..
            }
        )
    }
}
