//! `POST /hooks/…`: prove, read, decide, commit, answer. Nothing slow happens before the answer.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use cutover_deploy::config::ForgeKind;
use cutover_deploy::{CommitSha, DeployRequest, DeploymentId, Kind};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;
use tracing::{Instrument as _, Span, info, info_span, warn};
use uuid::Uuid;

use super::Door;
use super::body;
use super::chat;
use super::rejection::Rejection;
use crate::forge::github::hook::{self, Headers, Unproven};
use crate::forge::push::Moved;
use crate::forge::{self, Delivered};
use crate::matching::{self, Decision, PassedOver, Wanted};
use crate::store::{Answer, Enqueued, NewDelivery, NewDeployment, TakenIn};

pub(super) mod gitlab;

/// A body takes no longer than this to come.
const BODY_LIMIT: Duration = Duration::from_secs(10);
/// The ledger gets this long before the forge is told to come again: GitHub hangs up after 10 s. What is committed
/// later all the same is a duplicate then.
const LEDGER_LIMIT: Duration = Duration::from_secs(7);

pub(super) async fn github(
    State(door): State<Arc<Door>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let span = info_span!(
        "delivery",
        forge = "github",
        delivery.id = tracing::field::Empty,
        event = tracing::field::Empty
    );
    async { respond(take(&door, &headers, body).await) }
        .instrument(span)
        .await
}

fn respond(taken: Result<Answer, Rejection>) -> Response {
    match taken {
        Ok(answer) => {
            let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
            (status, Json(answer.body)).into_response()
        }
        Err(rejection) => {
            let response = rejection.into_response();
            warn!(
                status = response.status().as_u16(),
                "a delivery is turned away"
            );
            response
        }
    }
}

async fn take(door: &Arc<Door>, headers: &HeaderMap, body: Body) -> Result<Answer, Rejection> {
    if headers.contains_key("x-gitlab-event") {
        let why = "this is GitLab's: let its webhook send to /hooks/gitlab";
        return Err(Rejection::Bad(why.to_owned()));
    }
    let github = door.settings.github.as_ref();
    let github = github.ok_or(Rejection::NotFound("no app here is on GitHub"))?;
    let unproven = |why: &Unproven| warn!(reason = %why, "an unproven delivery");
    hook::signature(headers).inspect_err(unproven)?;
    let room = Arc::clone(&door.bodies)
        .acquire_owned()
        .await
        .map_err(|_| Rejection::Unavailable)?;
    let body = body::read(body, BODY_LIMIT).await?;
    hook::verify(headers, &body, &github.webhook_secrets).inspect_err(unproven)?;
    let headers = Headers::read(headers)?;
    Span::current()
        .record("delivery.id", headers.delivery.as_str())
        .record("event", headers.event.as_str());
    let delivered = hook::read(&headers.event, &body)?;
    let proven = Proven {
        forge: ForgeKind::GitHub,
        delivery: headers.delivery,
        event: headers.event,
        hook_id: headers.hook_id,
        body,
        delivered,
    };
    keep_apart(door, room, proven).await
}

/// A delivery that is proven and understood.
struct Proven {
    forge: ForgeKind,
    delivery: String,
    event: String,
    hook_id: Option<String>,
    body: Bytes,
    delivered: Delivered,
}

/// Keeps a delivery in a task of its own: the caller may hang up, and a commit must not end half-way with it.
async fn keep_apart(
    door: &Arc<Door>,
    room: OwnedSemaphorePermit,
    proven: Proven,
) -> Result<Answer, Rejection> {
    let door = Arc::clone(door);
    let keeping = tokio::spawn(
        async move {
            let _room = room;
            keep(&door, &proven).await
        }
        .in_current_span(),
    );
    let kept = tokio::time::timeout(LEDGER_LIMIT, keeping).await;
    kept.map_err(|_| Rejection::Unavailable)?
        .map_err(|_| Rejection::Unavailable)?
}

async fn keep(door: &Door, proven: &Proven) -> Result<Answer, Rejection> {
    let delivery = &proven.delivery;
    let now = cutover_deploy::now();
    let mut new = NewDelivery {
        forge: forge::word(proven.forge),
        id: delivery,
        event: &proven.event,
        hook_id: proven.hook_id.as_deref(),
        body: None,
        received_at: now,
    };
    if let Delivered::Comment(comment) = &proven.delivered {
        return Ok(told(delivery, chat::take(door, new, comment).await?));
    }
    let apps = door.settings.apps.iter().map(|app| &app.config);
    let decision = matching::decide(apps, proven.forge, &proven.delivered);
    let wanted = wanted(door, &decision, now);
    // Only what led to a deployment is worth its room. JSON that parsed is UTF-8.
    if !wanted.is_empty() {
        new.body = std::str::from_utf8(&proven.body).ok();
    }
    let taken = door
        .store
        .take_in(&new, &wanted, |enqueued| {
            answer(delivery, &decision, enqueued)
        })
        .await?;
    if !wanted.is_empty() {
        describe(door, &proven.delivered).await;
    }
    Ok(told(delivery, taken))
}

/// Remembers what a pushed commit is about. Only pages tell it: a delivery is kept without it as well.
async fn describe(door: &Door, delivered: &Delivered) {
    if let Delivered::Push(push) = delivered
        && let (Moved::Branch { commit, .. }, Some(subject)) = (&push.what, &push.subject)
        && let Err(error) = door.store.describe(commit, subject).await
    {
        warn!(
            error = format!("{:#}", anyhow::Error::from(error)),
            "a commit's message is not kept"
        );
    }
}

fn wanted(door: &Door, decision: &Decision, now: Timestamp) -> Vec<NewDeployment> {
    let Decision::Deploy {
        commit,
        actor,
        wanted,
        ..
    } = decision
    else {
        return Vec::new();
    };
    wanted
        .iter()
        .filter_map(|place| new_deployment(door, place, commit, actor, now))
        .collect()
}

fn new_deployment(
    door: &Door,
    place: &Wanted,
    commit: &CommitSha,
    actor: &str,
    now: Timestamp,
) -> Option<NewDeployment> {
    let app = door
        .settings
        .apps
        .iter()
        .find(|app| app.config.app == place.app)?;
    let environment = app.config.environments.get(&place.environment)?;
    let id = DeploymentId::parse(&Uuid::new_v4().to_string()).ok()?;
    Some(NewDeployment {
        app: place.app.clone(),
        environment: place.environment.clone(),
        repository: app.config.repository.path.clone(),
        environment_url: environment.url.clone(),
        branch: environment.branch.clone(),
        request: DeployRequest {
            run_url: Some(format!("{}/deployments/{id}", door.public_url)),
            deployment: id,
            kind: Kind::Deploy {
                commit: commit.clone(),
            },
            actor: actor.to_owned(),
            keeper: None,
            plan_digest: None,
            allow_destructive: false,
            requested_at: now,
        },
    })
}

fn answer(delivery: &str, decision: &Decision, enqueued: &[Enqueued]) -> Answer {
    match decision {
        Decision::Pong => Answer {
            status: 200,
            body: json!({ "delivery": delivery, "result": "pong" }),
        },
        Decision::Ignored(reason) => Answer {
            status: 200,
            body: json!({ "delivery": delivery, "result": "ignored", "reason": reason }),
        },
        Decision::Deploy { passed_over, .. } => Answer {
            status: 202,
            body: queued(delivery, enqueued, passed_over),
        },
    }
}

fn queued(delivery: &str, enqueued: &[Enqueued], passed_over: &[PassedOver]) -> Value {
    let deployments: Vec<Value> = enqueued
        .iter()
        .map(|new| {
            let superseded: Vec<&str> = new.superseded.iter().map(|old| old.id.as_str()).collect();
            json!({
                "id": new.deployment.id,
                "app": new.deployment.app,
                "environment": new.deployment.environment,
                "commit": new.deployment.commit(),
                "url": new.deployment.request.run_url,
                "superseded": superseded,
            })
        })
        .collect();
    json!({ "delivery": delivery, "result": "queued", "deployments": deployments, "passed_over": passed_over })
}

fn told(delivery: &str, taken: TakenIn) -> Answer {
    match taken {
        TakenIn::New(answer, enqueued) => {
            info!(status = answer.status, "delivery {delivery} is kept");
            for new in enqueued {
                let deployment = new.deployment;
                info!(
                    deployment.id = %deployment.id,
                    environment = %deployment.environment,
                    superseded = new.superseded.len(),
                    "deployment {} is queued",
                    deployment.id
                );
            }
            answer
        }
        TakenIn::Duplicate(first) => {
            info!("delivery {delivery} came again");
            Answer {
                status: 200,
                body: json!({ "delivery": delivery, "result": "duplicate", "first": first.body }),
            }
        }
    }
}
