//! The service as a whole: what it is made of, how it starts, how it ends.

use std::fs::{self, File, TryLockError};
use std::future::IntoFuture as _;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use cutover_deploy::config::ForgeKind;
use jiff::SignedDuration;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::chat::clerk::Clerk;
use crate::forge::{Forge, Forges};
use crate::http::{self, Door};
use crate::lookout::Lookout;
use crate::queue::Queue;
use crate::report::sender::Sender;
use crate::settings::{App, Settings};
use crate::store::Store;
use crate::warden::Warden;
use crate::worker::{Pipeline, Worker};

mod token;

/// Requests that are still open when all deployments have ended get this long.
const LAST_REQUESTS: Duration = Duration::from_secs(5);

/// Bodies of deliveries are kept this long; that a delivery came is remembered for ever.
const BODIES_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A service that listens, and does nothing yet.
#[derive(Debug)]
pub struct Service {
    settings: Arc<Settings>,
    listener: TcpListener,
    address: SocketAddr,
    store: Store,
    forges: Forges,
    tokens: Vec<SecretString>,
    /// Held as long as the service lives: one service per data folder.
    _lock: File,
}

impl Service {
    /// Takes the data folder, opens the ledger, binds the address. Must be called inside a tokio runtime.
    pub async fn bind(settings: Settings) -> anyhow::Result<Self> {
        private_dir(&settings.data_dir)?;
        private_dir(&settings.ledger_dir())?;
        let lock = lock(&settings.data_dir)?;
        let forges = Forges::new(&settings)?;
        let tokens = token::of(&settings)?;
        let file = settings.ledger_dir().join("cutover.db");
        let store = Store::open(&file)
            .await
            .with_context(|| format!("cannot open {}", file.display()))?;
        let listener = TcpListener::bind(settings.listen)
            .await
            .with_context(|| format!("cannot listen on {}", settings.listen))?;
        Ok(Self {
            address: listener.local_addr().context("cannot tell the address")?,
            settings: Arc::new(settings),
            listener,
            store,
            forges,
            tokens,
            _lock: lock,
        })
    }

    /// Where it listens, with the port that was really taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`. Then no deployment begins any more, those that have changed nothing live go back into the
    /// queue, the others run to their end, and deliveries are kept until then.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let Self {
            settings,
            listener,
            address,
            store,
            forges,
            tokens,
            _lock,
        } = self;
        let public_url = settings
            .public_url
            .clone()
            .unwrap_or_else(|| format!("http://{address}"));
        info!(%address, public_url, apps = settings.apps.len(), "cutover listens on {address}");

        tidy(&store).await?;
        let posting = CancellationToken::new();
        let sender = tokio::spawn(Sender::new(store.clone(), forges.clone()).run(posting.clone()));
        let apps: Arc<[App]> = settings.apps.clone().into();
        let keeper = store.keeper().await.context("cannot read the ledger")?;
        let warden = Warden::new(store.clone(), apps, keeper.clone());
        let warden = tokio::spawn(warden.run(posting.clone()));
        let clerks = clerks(&settings, &forges, &store, &public_url, &posting);
        let closing = CancellationToken::new();
        let door = Door::new(
            Arc::clone(&settings),
            store.clone(),
            public_url,
            tokens,
            stop.clone(),
        );
        let door = Arc::new(door.with(Lookout::default()));
        let server = axum::serve(listener, http::router(door))
            .with_graceful_shutdown(closing.clone().cancelled_owned());
        let server = tokio::spawn(server.into_future());

        let pipeline = Pipeline::new(&settings, forges, keeper);
        pipeline.sweep(&settings.apps).await;
        let worker = Worker::new(store.clone(), settings.apps.clone().into(), pipeline);
        let queued = Queue::new(store.clone(), worker).run(stop).await;

        for kept in settings
            .apps
            .iter()
            .filter_map(|app| app.access.kept.as_ref())
        {
            kept.close().await;
        }
        closing.cancel();
        if let Ok(ended) = tokio::time::timeout(LAST_REQUESTS, server).await {
            ended
                .context("the server's task failed")?
                .context("the server failed")?;
        } else {
            warn!("open requests are cut off");
        }
        posting.cancel();
        sender.await.context("the sender's task failed")?;
        warden.await.context("the warden's task failed")?;
        for clerk in clerks {
            clerk.await.context("a clerk's task failed")?;
        }
        store.close().await;
        queued.context("cannot take up what was running")?;
        info!("cutover has stopped");
        Ok(())
    }
}

/// One for every forge that commands can come from.
fn clerks(
    settings: &Settings,
    forges: &Forges,
    store: &Store,
    public_url: &str,
    stop: &CancellationToken,
) -> Vec<JoinHandle<()>> {
    let apps: Arc<[App]> = settings.apps.clone().into();
    let mut clerks = Vec::new();
    for kind in [ForgeKind::GitHub, ForgeKind::GitLab] {
        let (store, apps, url) = (store.clone(), Arc::clone(&apps), public_url.to_owned());
        let prefixes = settings.prefixes(kind);
        clerks.push(match forges.at(kind) {
            Some(Forge::GitHub(desk)) => {
                let clerk = Clerk::new(desk, store, apps, url, prefixes);
                tokio::spawn(clerk.run(stop.clone()))
            }
            Some(Forge::GitLab(desk)) => {
                let clerk = Clerk::new(desk, store, apps, url, prefixes);
                tokio::spawn(clerk.run(stop.clone()))
            }
            None => continue,
        });
    }
    clerks
}

async fn tidy(store: &Store) -> anyhow::Result<()> {
    let old = cutover_deploy::now() - BODIES_KEPT;
    store
        .forget_bodies(old)
        .await
        .context("cannot tidy the ledger")
}

fn private_dir(dir: &Path) -> anyhow::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("cannot make {}", dir.display()))
}

fn lock(data_dir: &Path) -> anyhow::Result<File> {
    let file = data_dir.join("lock");
    let lock = File::create(&file).with_context(|| format!("cannot write {}", file.display()))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => {
            bail!(
                "another cutover serves from {}: stop it, or give this one a data_dir of its own",
                data_dir.display()
            )
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", file.display()))
        }
    }
}
