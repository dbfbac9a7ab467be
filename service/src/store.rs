//! The ledger: deliveries, deployments, their events, and what is still to be told to forges.
//!
//! SQL is written so that SQLite and Postgres run the same text: `$1` places, TEXT and BIGINT columns, and every
//! transaction that writes begins with its write. The host, not this store, is the truth about what is live.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cutover_deploy::DeploymentId;
use jiff::Timestamp;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyPool, ConnectOptions as _, Executor as _};
use tokio::sync::{Notify, broadcast, watch};

mod alarms;
mod commands;
mod deliveries;
mod deployments;
mod events;
mod holds;
mod notices;
mod outbox;
mod put_back;
mod rows;
mod subjects;

#[cfg(test)]
mod tests;

pub use alarms::Rung;
pub use commands::{Command, Decision, Effect, NewCommand};
pub use deliveries::{Answer, NewDelivery, TakenIn};
pub use deployments::{Deployment, Enqueued, Live, NewDeployment, State};
pub use events::KeptEvent;
pub use holds::{Hold, HoldKind};
pub use outbox::{Posted, Waiting};
pub use put_back::PutBack;

/// How long a connection waits for another one's write.
const BUSY: Duration = Duration::from_secs(20);
const CONNECTIONS: u32 = 8;
/// Followers that fall this far behind look at the store anew.
const CHANGES: usize = 256;

/// The ledger.
#[derive(Clone)]
pub struct Store {
    pool: AnyPool,
    changes: broadcast::Sender<DeploymentId>,
    queued: Arc<Notify>,
    /// Every clerk looks for itself whether what came is its own.
    commanded: Arc<watch::Sender<()>>,
    held: Arc<watch::Sender<()>>,
}

/// Why the ledger could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database said no.
    #[error("the ledger cannot be {doing}")]
    Database {
        /// What was tried: `read`, `written`, `opened`.
        doing: &'static str,
        /// What the database said.
        #[source]
        source: sqlx::Error,
    },
    /// A row holds something that this version cannot read.
    #[error("the ledger holds a {what} that cannot be read: {why}")]
    Row {
        /// The column.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the SQLite file, makes it when absent, and brings its tables up to date.
    pub async fn open(file: &Path) -> Result<Self, StoreError> {
        let opening = |source| StoreError::Database {
            doing: "opened",
            source,
        };
        sqlx::any::install_default_drivers();
        let options: AnyConnectOptions = sqlite_url(file).parse().map_err(opening)?;
        let pool = AnyPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(BUSY)
            .after_connect(|connection, _| {
                Box::pin(async move {
                    connection.execute("pragma busy_timeout = 20000").await?;
                    connection.execute("pragma journal_mode = wal").await?;
                    connection.execute("pragma synchronous = full").await?;
                    connection.execute("pragma foreign_keys = on").await?;
                    Ok(())
                })
            })
            .connect_with(options.disable_statement_logging())
            .await
            .map_err(opening)?;
        sqlx::migrate!("./migrations")
            .run(&pool)
            .await
            .map_err(|error| opening(error.into()))?;
        Ok(Self {
            pool,
            changes: broadcast::Sender::new(CHANGES),
            queued: Arc::new(Notify::new()),
            commanded: Arc::new(watch::Sender::new(())),
            held: Arc::new(watch::Sender::new(())),
        })
    }

    /// Whether the ledger answers.
    pub async fn ready(&self) -> Result<(), StoreError> {
        sqlx::query("select 1")
            .execute(&self.pool)
            .await
            .map_err(reading)?;
        Ok(())
    }

    /// The ids of deployments that change from now on.
    pub fn changes(&self) -> broadcast::Receiver<DeploymentId> {
        self.changes.subscribe()
    }

    /// Returns once something was queued since the last call.
    pub async fn queued(&self) {
        self.queued.notified().await;
    }

    /// Tells of every change of what holds an environment.
    pub fn held(&self) -> watch::Receiver<()> {
        self.held.subscribe()
    }

    /// Closes every connection; the write-ahead log is folded into the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    fn changed(&self, id: &DeploymentId) {
        // Nobody listening is the normal case.
        drop(self.changes.send(id.clone()));
    }
}

fn reading(source: sqlx::Error) -> StoreError {
    StoreError::Database {
        doing: "read",
        source,
    }
}

fn writing(source: sqlx::Error) -> StoreError {
    StoreError::Database {
        doing: "written",
        source,
    }
}

fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

fn sqlite_url(file: &Path) -> String {
    let mut url = "sqlite://".to_owned();
    for byte in file.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                url.push(char::from(*byte));
            }
            _ => url.extend(["%", &hex::encode_upper([*byte])]),
        }
    }
    url.push_str("?mode=rwc");
    url
}
