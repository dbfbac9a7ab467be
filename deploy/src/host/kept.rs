//! Connections that are there before they are wanted: opened ahead, or kept from one deployment to the next.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::{Connection, HostError};
use crate::config::Host;
use crate::run::Access;

/// Connections to hosts that nobody uses at the moment, one for each way to reach a host. Clones share them.
#[derive(Clone)]
pub struct Kept {
    slots: Arc<Mutex<HashMap<String, Slot>>>,
    idle: Duration,
}

struct Slot {
    connection: Waiting,
    /// Ends it when nobody wanted it for too long.
    ending: Option<JoinHandle<()>>,
}

enum Waiting {
    Opening(JoinHandle<Result<Connection, HostError>>),
    Idle(Connection),
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("idle", &self.idle)
            .finish_non_exhaustive()
    }
}

impl Kept {
    /// Keeps a connection for so long after a deployment; with zero, only what was opened ahead is ever here.
    pub fn new(idle: Duration) -> Self {
        Self {
            slots: Arc::default(),
            idle,
        }
    }

    /// Begins to connect, unless a connection is there.
    pub(crate) fn open_ahead(&self, host: &Host, access: &Access) {
        let mut slots = self.slots();
        let slot = slots.entry(key(host, access));
        let (host, access) = (host.clone(), access.clone());
        slot.or_insert_with(|| Slot {
            connection: Waiting::Opening(tokio::spawn(async move {
                let opened = Connection::open(&host, &access).await;
                opened.inspect(Connection::open_lanes_ahead)
            })),
            ending: None,
        });
    }

    /// The connection that is there, if any: one that was opened ahead, or an idle one that seems to stand.
    pub(crate) async fn take(&self, host: &Host, access: &Access) -> Option<Connection> {
        let slot = self.slots().remove(&key(host, access))?;
        if let Some(ending) = slot.ending {
            ending.abort();
        }
        match slot.connection {
            // What failed then may go well now.
            Waiting::Opening(opening) => opening.await.ok()?.ok(),
            Waiting::Idle(connection) if connection.stands().await => Some(connection),
            Waiting::Idle(connection) => {
                // Nobody has to wait until its end is noticed.
                drop(tokio::spawn(connection.close()));
                None
            }
        }
    }

    /// Keeps a connection that is not used any more, or ends it where another is kept already or none is to be.
    pub(crate) async fn put(&self, host: &Host, access: &Access, connection: Connection) {
        let key = key(host, access);
        if self.idle.is_zero() || self.slots().contains_key(&key) {
            return connection.close().await;
        }
        let mut connection = connection;
        connection.lay_by();
        let (kept, own, idle) = (self.clone(), key.clone(), self.idle);
        let ending = tokio::spawn(async move {
            tokio::time::sleep(idle).await;
            let slot = kept.slots().remove(&own);
            if let Some(Waiting::Idle(connection)) = slot.map(|slot| slot.connection) {
                connection.close().await;
            }
        });
        self.slots().insert(
            key,
            Slot {
                connection: Waiting::Idle(connection),
                ending: Some(ending),
            },
        );
    }

    /// Ends all of them.
    pub async fn close(&self) {
        let slots: Vec<_> = self.slots().drain().collect();
        for (_, slot) in slots {
            if let Some(ending) = slot.ending {
                ending.abort();
            }
            match slot.connection {
                Waiting::Opening(opening) => opening.abort(),
                Waiting::Idle(connection) => connection.close().await,
            }
        }
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<String, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// One that is there already, or a new one.
    pub(crate) async fn reach(host: &Host, access: &Access) -> Result<Self, HostError> {
        if let Some(kept) = &access.kept
            && let Some(connection) = kept.take(host, access).await
        {
            return Ok(connection);
        }
        Self::open(host, access).await
    }

    /// Keeps it for the next use, or ends it where none is kept.
    pub(crate) async fn leave(self, host: &Host, access: &Access) {
        match &access.kept {
            Some(kept) => kept.put(host, access, self).await,
            None => self.close().await,
        }
    }
}

/// Two connections are as good as each other when this is the same.
fn key(host: &Host, access: &Access) -> String {
    let Access {
        key_file,
        known_hosts,
        ssh_config,
        ..
    } = access;
    format!(
        "{} {key_file:?} {known_hosts:?} {ssh_config:?}",
        host.address
    )
}
