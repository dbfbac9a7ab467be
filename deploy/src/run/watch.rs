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

/// Goes on asking for as long as the environment wants.
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
    let until = Instant::now() + job.environment.watch;
    let mut seen = watched(release, host, job, until, leased, events, called_off).await;
    while let Err(Unwell::Lost(error)) = &seen {
        if let Err(failure) = again(error, job, leased, events).await {
            return unknown(failure);
        }
        seen = watched(release, host, job, until, leased, events, called_off).await;
    }
    if seen.is_ok() && !called_off.is_cancelled() {
        let told = format!("healthy all the while, for {:?}", job.environment.watch);
        events.note(Some(&leased.host.name), told);
    }
    judged(seen, "watch", leased)
}

/// Everything that looks, side by side. The first that sees something wrong ends it for all.
async fn watched(
    release: &ReleaseId,
    host: &HostPlan,
    job: Job<'_>,
    until: Instant,
    leased: &Leased,
    events: &Events,
    called_off: &CancellationToken,
) -> Result<(), Unwell> {
    let mut eyes: Vec<Eye<'_>> = Vec::new();
    if host.health {
        eyes.extend(Eye::here(release, job, leased).await?);
    }
    if host.outside {
        eyes.extend(Eye::outside(release, job));
    }
    let over = called_off.child_token();
    let looking = eyes.into_iter().map(|eye| {
        let over = &over;
        async move {
            let seen = eye.watched(until, over, events).await;
            if seen.is_err() {
                over.cancel();
            }
            seen
        }
    });
    join_all(looking).await.into_iter().collect()
}
