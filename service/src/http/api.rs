//! JSON for machines: `/api/v1/…`.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use cutover_deploy::DeploymentId;
use cutover_deploy::config::Environment;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::{self, error::RecvError};

use super::Door;
use super::rejection::Rejection;
use super::view::{DeploymentView, EnvironmentView, LiveView, WholeView};
use crate::settings::App;
use crate::store::{Deployment, KeptEvent, State as Stands, Store, StoreError};

const ENDED_SHOWN: u32 = 5;
pub(super) const EVENTS_SHOWN: u32 = 30_000;
const EVENTS_PER_ANSWER: u32 = 1_000;
/// How long a follower's request is held open when there is nothing new.
const LONGEST_WAIT: Duration = Duration::from_secs(25);

#[derive(Debug, Serialize)]
pub(super) struct Environments {
    environments: Vec<EnvironmentView>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Follow {
    /// Only events with a greater `seq`.
    #[serde(default)]
    after: i64,
    /// Whether to wait for something new.
    #[serde(default)]
    wait: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Followed {
    state: Stands,
    events: Vec<KeptEvent>,
}

pub(super) async fn environments(
    State(door): State<Arc<Door>>,
) -> Result<Json<Environments>, Rejection> {
    let environments = list(&door).await?;
    Ok(Json(Environments { environments }))
}

pub(super) async fn deployment(
    State(door): State<Arc<Door>>,
    Path(id): Path<String>,
) -> Result<Json<WholeView>, Rejection> {
    let deployment = find(&door, &id).await?;
    whole(&door, &deployment).await.map(Json)
}

/// Events after a point; with `wait=true` the answer is held back until there is one, at most 25 s.
pub(super) async fn events(
    State(door): State<Arc<Door>>,
    Path(id): Path<String>,
    Query(follow): Query<Follow>,
) -> Result<Json<Followed>, Rejection> {
    let deadline = tokio::time::Instant::now() + LONGEST_WAIT;
    // Subscribed before the first look, so that nothing falls between look and wait.
    let mut changes = door.store.changes();
    loop {
        let deployment = find(&door, &id).await?;
        let events = door
            .store
            .events(&deployment.id, follow.after, EVENTS_PER_ANSWER)
            .await?;
        let over = deployment.state == Stands::Done || tokio::time::Instant::now() >= deadline;
        if !follow.wait || over || !events.is_empty() || door.stopping.is_cancelled() {
            return Ok(Json(Followed {
                state: deployment.state,
                events,
            }));
        }
        tokio::select! {
            () = changed(&mut changes, &deployment.id) => {}
            () = tokio::time::sleep_until(deadline) => {}
            () = door.stopping.cancelled() => {}
        }
    }
}

/// Returns once `id` has changed, or may have.
pub(super) async fn changed(changes: &mut broadcast::Receiver<DeploymentId>, id: &DeploymentId) {
    loop {
        match changes.recv().await {
            Ok(changed) if changed != *id => {}
            Ok(_) | Err(RecvError::Lagged(_) | RecvError::Closed) => return,
        }
    }
}

/// Every environment that is configured, with what goes on there.
pub(super) async fn list(door: &Door) -> Result<Vec<EnvironmentView>, Rejection> {
    let mut views = Vec::new();
    for app in &door.settings.apps {
        for environment in app.config.environments.values() {
            views.push(place(door, app, environment, ENDED_SHOWN).await?);
        }
    }
    Ok(views)
}

/// One environment, with the last `ended` deployments that are over.
pub(super) async fn place(
    door: &Door,
    configured: &App,
    environment: &Environment,
    ended: u32,
) -> Result<EnvironmentView, Rejection> {
    let config = &configured.config;
    let (app, name) = (&config.app, &environment.name);
    let open = door.store.open_ones(app, name).await?;
    let ended = door.store.ended(app, name, ended).await?;
    let live = door.store.last_live(app, name).await?;
    let holds = door.store.holds(app, name, cutover_deploy::now()).await?;
    let lookout = door.lookout.as_ref();
    let seen = lookout.and_then(|lookout| lookout.look(configured, environment));
    // What a deployment of this service is about to do is told by itself.
    let idle = open.iter().all(|open| open.state != Stands::Running);
    let by_hosts = seen.as_ref().filter(|_| idle);
    let of = |state| {
        open.iter()
            .filter(move |open| open.state == state)
            .map(DeploymentView::from)
    };
    let prefixes = door.settings.prefixes(config.repository.forge);
    let comment = |command: String| prefixes.spelled(&command).trim_matches('`').to_owned();
    let branch = environment.branch.as_deref().unwrap_or("main");
    let mut view = EnvironmentView {
        unlock: comment(format!("unlock {name}")),
        deploy: comment(format!("deploy {branch} to {name}")),
        app: app.to_string(),
        environment: name.to_string(),
        branch: environment.branch.clone(),
        url: environment.url.clone(),
        live: LiveView::truth(live.and_then(LiveView::of), by_hosts),
        seen,
        holds,
        running: of(Stands::Running).next(),
        waiting: of(Stands::Queued).collect(),
        ended: ended.iter().map(DeploymentView::from).collect(),
    };
    for (commit, subject) in view.commits() {
        *subject = door.store.subject(commit).await?;
    }
    Ok(view)
}

/// A deployment in one line, with what its commit is about.
pub(super) async fn line(
    store: &Store,
    deployment: &Deployment,
) -> Result<DeploymentView, StoreError> {
    let mut view = DeploymentView::from(deployment);
    if let Some((commit, subject)) = view.described() {
        *subject = store.subject(commit).await?;
    }
    Ok(view)
}

pub(super) async fn find(door: &Door, id: &str) -> Result<Deployment, Rejection> {
    let unknown = Rejection::NotFound("no such deployment");
    let Ok(id) = DeploymentId::parse(id) else {
        return Err(unknown);
    };
    door.store.deployment(&id).await?.ok_or(unknown)
}

pub(super) async fn whole(door: &Door, deployment: &Deployment) -> Result<WholeView, Rejection> {
    Ok(WholeView {
        reports: door.store.reports(&deployment.id).await?,
        events: door.store.events(&deployment.id, 0, EVENTS_SHOWN).await?,
        deployment: line(&door.store, deployment).await?,
    })
}
