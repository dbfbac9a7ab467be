//! Puts holds up on the hosts they are for, so that shells and CI jobs respect them, and takes them down again.
//!
//! The ledger decides: a hold stands from the moment it is written there. What a host shows follows within moments, or
//! when the host can be reached again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cutover_deploy::config::Environment;
use cutover_deploy::run::{self, HoldAnswer, Wanted};
use cutover_deploy::{AppName, EnvironmentName, Hold};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::settings::App;
use crate::store::{self, HoldKind, Store, StoreError};

/// The ledger is asked at least this often: holds also end by themselves.
const LOOK_AGAIN: Duration = Duration::from_secs(15);
/// A host that could not be reached is asked again after this long.
const RETRY: Duration = Duration::from_mins(1);

/// Keeps hosts and ledger of one mind about holds.
#[derive(Debug)]
pub struct Warden {
    store: Store,
    apps: Arc<[App]>,
    /// The address of the service, which marks its holds.
    keeper: String,
    /// What hosts were told last since the service started.
    told: HashMap<(AppName, EnvironmentName), Told>,
}

/// What the hosts of one environment were told.
#[derive(Debug)]
struct Told {
    hold: Option<String>,
    /// When they are told again, because not all of them could be.
    again: Option<Instant>,
}

impl Warden {
    /// A warden for the holds of these apps.
    pub fn new(store: Store, apps: Arc<[App]>, keeper: String) -> Self {
        Self {
            store,
            apps,
            keeper,
            told: HashMap::new(),
        }
    }

    /// Watches until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut changed = self.store.held();
        while !stop.is_cancelled() {
            changed.mark_unchanged();
            let looked = tokio::select! {
                looked = self.look() => looked,
                () = stop.cancelled() => return,
            };
            if let Err(error) = looked {
                let error = format!("{:#}", anyhow::Error::from(error));
                error!(error, "holds cannot be read");
            }
            tokio::select! {
                () = stop.cancelled() => {}
                _ = changed.changed() => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }

    async fn look(&mut self) -> Result<(), StoreError> {
        let apps = Arc::clone(&self.apps);
        for app in apps.iter() {
            for environment in app.config.environments.values() {
                self.look_at(app, environment).await?;
            }
        }
        Ok(())
    }

    async fn look_at(&mut self, app: &App, environment: &Environment) -> Result<(), StoreError> {
        let now = cutover_deploy::now();
        let (name, place) = (&app.config.app, &environment.name);
        let key = (name.clone(), place.clone());
        let held = self.store.holds(name, place, now).await?;
        let wanted = held.first().map(|hold| shown(hold).kept_by(&self.keeper));
        let text = wanted.as_ref().map(json);
        if !self.is_due(&key, text.as_deref()).await? {
            return Ok(());
        }
        // Noted before it is done: what may stand on a host is never forgotten.
        if text.is_some() {
            self.store.note(name, place, text.as_deref()).await?;
        }
        let all = self.tell(app, environment, wanted).await;
        if all && text.is_none() {
            self.store.note(name, place, None).await?;
        }
        let again = (!all).then(|| Instant::now() + RETRY);
        self.told.insert(key, Told { hold: text, again });
        Ok(())
    }

    /// Whether hosts have to be told something. After a start nobody knows what they heard, unless there was nothing.
    async fn is_due(
        &self,
        key: &(AppName, EnvironmentName),
        hold: Option<&str>,
    ) -> Result<bool, StoreError> {
        let Some(told) = self.told.get(key) else {
            return Ok(hold.is_some() || self.store.notice(&key.0, &key.1).await?.is_some());
        };
        let due = told.again.is_some_and(|at| Instant::now() >= at);
        Ok(told.hold.as_deref() != hold || due)
    }

    /// Tells all hosts; false when one of them has to be told again.
    async fn tell(&self, app: &App, environment: &Environment, hold: Option<Hold>) -> bool {
        let wanted = match hold {
            Some(hold) => Wanted::Placed(hold),
            None => Wanted::Lifted {
                actor: self.keeper.clone(),
                keeper: Some(self.keeper.clone()),
                force: false,
            },
        };
        let mut all = true;
        for (host, answer) in run::hold(environment, &wanted, &app.access).await {
            let place = format!("{}/{}", app.config.app, environment.name);
            match answer {
                Ok(HoldAnswer::Placed { .. }) => info!(%host, "{place}: the hold is put up"),
                Ok(HoldAnswer::Lifted { .. }) => info!(%host, "{place}: the hold is taken down"),
                Ok(HoldAnswer::Absent) => {}
                // A lock of somebody at a shell keeps others out as well.
                Ok(HoldAnswer::Taken { hold }) => {
                    info!(%host, "{place}: locked already by {}", hold.line());
                    all &= matches!(wanted, Wanted::Lifted { .. });
                }
                Err(failure) => {
                    warn!(%host, "{place}: cannot tell of a hold: {}", failure.line());
                    all = false;
                }
            }
        }
        all
    }
}

fn shown(hold: &store::Hold) -> Hold {
    let reason = match (hold.kind, hold.reason.clone()) {
        (HoldKind::Lock, reason) => reason,
        (HoldKind::Rollback, Some(reason)) => Some(format!("after a rollback: {reason}")),
        (HoldKind::Rollback, None) => Some("after a rollback".to_owned()),
    };
    Hold::new(hold.owner.clone(), reason, hold.since, hold.until)
}

fn json(hold: &Hold) -> String {
    serde_json::to_string(hold).unwrap_or_default()
}
