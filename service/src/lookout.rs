//! What is true on hosts, for whoever looks at a page: a shell or a CI job may have deployed since the service did.
//!
//! Hosts are asked only while somebody looks, in the background, and at most every ten seconds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cutover_deploy::config::Environment;
use cutover_deploy::facts::{Facts, Holder};
use cutover_deploy::{
    AppName, CommitSha, EnvironmentName, Failure, Hold, HostName, ReleaseId, run,
};
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;

use crate::settings::App;

/// What was seen less than this ago is not asked for again.
const FRESH: Duration = Duration::from_secs(10);

/// What the hosts of an environment said, and when.
#[derive(Debug, Clone, Serialize)]
pub struct Seen {
    /// When they were asked.
    pub at: Timestamp,
    /// Each host, in the order of the configuration.
    pub hosts: Vec<HostSeen>,
}

/// What one host said.
#[derive(Debug, Clone, Serialize)]
pub struct HostSeen {
    /// The host.
    pub host: HostName,
    /// What is live there.
    pub live: Option<LiveSeen>,
    /// Who deploys there now.
    pub lease: Option<Holder>,
    /// Who keeps others from deploying there.
    pub lock: Option<Hold>,
    /// Why it could not be asked.
    pub failure: Option<Failure>,
}

/// What is live on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LiveSeen {
    /// The release.
    pub release: ReleaseId,
    /// What it was made from; unknown where another tool made it.
    pub commit: Option<CommitSha>,
    /// Who asked for it.
    pub actor: Option<String>,
    /// When its state changed last.
    pub since: Option<Timestamp>,
}

type Place = (AppName, EnvironmentName);

#[derive(Debug, Default)]
struct Kept {
    asked: Option<Instant>,
    busy: bool,
    seen: Option<Seen>,
}

/// Remembers what hosts said.
#[derive(Debug, Clone, Default)]
pub struct Lookout {
    kept: Arc<Mutex<HashMap<Place, Kept>>>,
}

impl Lookout {
    /// What was seen last, and a new look in the background where that is old. Must be called inside a tokio runtime.
    pub fn look(&self, app: &App, environment: &Environment) -> Option<Seen> {
        let place = (app.config.app.clone(), environment.name.clone());
        let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = all.entry(place.clone()).or_default();
        let old = kept.asked.is_none_or(|asked| asked.elapsed() >= FRESH);
        if old && !kept.busy {
            kept.asked = Some(Instant::now());
            kept.busy = true;
            let (lookout, app, environment) = (self.clone(), app.clone(), environment.clone());
            tokio::spawn(async move { lookout.ask(&place, &app, &environment).await });
        }
        kept.seen.clone()
    }

    async fn ask(&self, place: &Place, app: &App, environment: &Environment) {
        let at = cutover_deploy::now();
        let heard = run::survey(environment, &app.config.shared, &app.access).await;
        let hosts = heard
            .into_iter()
            .map(|(host, heard)| match heard {
                Ok(facts) => HostSeen {
                    host,
                    live: live(&facts),
                    lease: facts.holder,
                    lock: facts.hold.filter(|hold| hold.stands(at)),
                    failure: None,
                },
                Err(failure) => HostSeen {
                    host,
                    live: None,
                    lease: None,
                    lock: None,
                    failure: Some(failure),
                },
            })
            .collect();
        let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = all.entry(place.clone()).or_default();
        kept.seen = Some(Seen { at, hosts });
        kept.busy = false;
    }
}

fn live(facts: &Facts) -> Option<LiveSeen> {
    let release = facts.live()?.clone();
    let record = facts.record(&release);
    Some(LiveSeen {
        commit: facts.commit(&release).cloned(),
        actor: record.map(|record| record.actor.clone()),
        since: record.map(|record| record.changed_at),
        release,
    })
}

impl Seen {
    /// What is live on every host that answered; nothing when they differ or none did.
    pub fn live(&self) -> Option<&LiveSeen> {
        let mut answered = self.hosts.iter().filter(|host| host.failure.is_none());
        let first = answered.next()?.live.as_ref()?;
        let same = |host: &HostSeen| {
            let live = host.live.as_ref();
            live.is_some_and(|live| live.release == first.release)
        };
        answered.all(same).then_some(first)
    }
}
