//! A release that is live, looked at for a while longer.

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Events;
use super::health::{Eye, Unwell, judged};
use super::join_all;
use super::lease::Leased;
use super::phase::{Job, again, unknown};
use crate::ReleaseId;
use crate::machine::Report;
use crate::plan::HostPlan;

mod look;

use look::Watchman;

/// Asks for health and looks at alarms for as long as the environment wants.
///
/// Called off, it ends early: what was swapped is taken back then.
pub(super) async fn watch(
    release: &ReleaseId,
    host: &HostPlan,
    job: Job<'_>,
    leased: &mut Leased,
    events: &Events,
    called_off: &CancellationToken,
) -> Report {
    let watch = Watch {
        release,
        host,
        job,
        until: Instant::now() + job.environment.watch,
        events,
    };
    let mut watchmen: Vec<Watchman<'_>> = host.alarms.iter().map(Watchman::of).collect();
    let mut seen = watch.round(&mut watchmen, leased, called_off).await;
    while let Err(Unwell::Lost(error)) = &seen {
        if let Err(failure) = again(error, job, leased, events).await {
            return unknown(failure);
        }
        seen = watch.round(&mut watchmen, leased, called_off).await;
    }
    if seen.is_ok() && !called_off.is_cancelled() {
        let told = format!("healthy all the while, for {:?}", job.environment.watch);
        events.note(Some(&leased.host.name), told);
    }
    judged(seen, "watch", leased)
}

/// What is watched on one host, and until when.
#[derive(Clone, Copy)]
struct Watch<'a> {
    release: &'a ReleaseId,
    host: &'a HostPlan,
    job: Job<'a>,
    until: Instant,
    events: &'a Events,
}

impl Watch<'_> {
    /// Everything that looks, side by side, until the time is over or the line is lost. The first that sees something
    /// wrong ends it for all.
    async fn round(
        self,
        watchmen: &mut [Watchman<'_>],
        leased: &Leased,
        called_off: &CancellationToken,
    ) -> Result<(), Unwell> {
        let Self {
            release,
            host,
            job,
            until,
            events,
        } = self;
        let mut eyes: Vec<Eye<'_>> = Vec::new();
        if host.health {
            eyes.extend(Eye::here(release, job, leased).await?);
        }
        if host.outside {
            eyes.extend(Eye::outside(release, job));
        }
        let over = called_off.child_token();
        let ends_all = |seen: Result<(), Unwell>| {
            if seen.is_err() {
                over.cancel();
            }
            seen
        };
        let asking = join_all(eyes.into_iter().map(|eye| async {
            let seen = eye.watched(until, &over, events).await;
            ends_all(seen)
        }));
        let looking = join_all(watchmen.iter_mut().map(|watchman| async {
            let seen = watchman.watched(release, until, &over, job, leased, events);
            ends_all(seen.await)
        }));
        let (asked, looked) = tokio::join!(asking, looking);
        asked.into_iter().chain(looked).collect()
    }
}
