//! `GET /deployments/{id}/events`: what happens from now on, as server-sent events for the page that is open.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use cutover_deploy::DeploymentId;
use futures_util::stream;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::broadcast;

use super::log::{self, Change, Item};
use super::rejection::Rejection;
use super::{Door, api, pages};
use crate::store::{Deployment, KeptEvent, State as Stands, StoreError};

/// Events that are read at once; a follower takes them at its own pace.
const BATCH: u32 = 200;

#[derive(Debug, Deserialize)]
pub(super) struct From {
    /// Only events with a greater number; a `Last-Event-ID` of a browser that comes back wins.
    #[serde(default)]
    after: i64,
}

/// One page that follows one deployment.
struct Follower {
    door: Arc<Door>,
    id: DeploymentId,
    after: i64,
    changes: broadcast::Receiver<DeploymentId>,
    shown: Option<(Stands, Option<Timestamp>, Option<String>)>,
    ready: VecDeque<Event>,
    over: bool,
}

/// The stream. It ends with an `end` event when the deployment is over, and without one when the service stops: the
/// browser then comes back by itself.
pub(super) async fn events(
    State(door): State<Arc<Door>>,
    Path(id): Path<String>,
    Query(from): Query<From>,
    headers: HeaderMap,
) -> Result<Response, Rejection> {
    // Subscribed before the first look, so that nothing falls between look and wait.
    let changes = door.store.changes();
    let found = api::find(&door, &id).await?;
    let last = headers.get("last-event-id");
    let last = last.and_then(|id| id.to_str().ok()?.parse().ok());
    let follower = Follower {
        door,
        id: found.id,
        after: last.unwrap_or(from.after),
        changes,
        shown: None,
        ready: VecDeque::new(),
        over: false,
    };
    let stream = stream::unfold(follower, |mut follower| async {
        let next = follower.next().await?;
        Some((Ok::<_, Infallible>(next), follower))
    });
    let stream = Sse::new(stream).keep_alive(KeepAlive::default());
    // nginx would keep events back until it has a buffer full of them.
    Ok(([("x-accel-buffering", "no")], stream).into_response())
}

impl Follower {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.over || !self.look().await.ok()? {
                return None;
            }
        }
    }

    /// Readies what is new, waits when nothing is. False when the service stops.
    async fn look(&mut self) -> Result<bool, StoreError> {
        let Some(deployment) = self.door.store.deployment(&self.id).await? else {
            return Ok(false);
        };
        let events = self.door.store.events(&self.id, self.after, BATCH).await?;
        self.over = deployment.state == Stands::Done && events.is_empty();
        let release = deployment.release.as_ref().map(ToString::to_string);
        let shown = (deployment.state, deployment.started_at, release);
        // A page that is over shows how it ended after the last of the log, not before.
        let is_new = self.shown.as_ref() != Some(&shown) && deployment.state != Stands::Done;
        if is_new {
            self.shown = Some(shown);
            let head = self.head("head", &deployment).await?;
            self.ready.push_back(head);
        }
        for kept in &events {
            self.after = kept.seq;
            self.ready.push_back(self.event(kept));
        }
        if self.over {
            let head = self.head("end", &deployment).await?;
            self.ready.push_back(head);
        }
        if !self.ready.is_empty() || !events.is_empty() {
            return Ok(true);
        }
        tokio::select! {
            () = api::changed(&mut self.changes, &self.id) => Ok(true),
            () = self.door.stopping.cancelled() => Ok(false),
        }
    }

    /// How the deployment stands: the head of its page, and a sentence for who does not see it.
    async fn head(&self, name: &str, deployment: &Deployment) -> Result<Event, StoreError> {
        let view = api::line(&self.door.store, deployment).await?;
        let values = pages::head(deployment, &view);
        let data = json!({
            "html": self.door.pages.piece("head.html", &values),
            "said": pages::said(&view),
        });
        Ok(Event::default().event(name).data(data.to_string()))
    }

    fn event(&self, kept: &KeptEvent) -> Event {
        let piece = |name, item: Value| self.door.pages.piece(name, &item);
        let data = match log::change(kept) {
            Change::Item(item) => {
                let said = item.said().map(ToOwned::to_owned);
                let html = piece("item.html", json!({ "item": item, "open": true }));
                json!({ "html": html, "said": said })
            }
            Change::Line { host, step, text } => {
                json!({ "host": host, "step": step, "line": text })
            }
            Change::Ended { host, step, item } => {
                let html = piece(
                    "summary.html",
                    json!({ "item": Item::Step(item), "open": true }),
                );
                json!({ "host": host, "step": step, "summary": html })
            }
        };
        let event = Event::default().id(kept.seq.to_string());
        event.event("log").data(data.to_string())
    }
}
