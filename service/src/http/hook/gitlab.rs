//! `POST /hooks/gitlab`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use cutover_deploy::config::ForgeKind;
use tracing::{Instrument as _, Span, info_span, warn};

use super::{BODY_LIMIT, Door, Proven, Rejection, body, keep_apart, respond};
use crate::forge::gitlab::hook::{self, Headers, Unproven};
use crate::store::Answer;

pub(in crate::http) async fn take(
    State(door): State<Arc<Door>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let span = info_span!(
        "delivery",
        forge = "gitlab",
        delivery.id = tracing::field::Empty,
        event = tracing::field::Empty
    );
    async { respond(taken(&door, &headers, body).await) }
        .instrument(span)
        .await
}

async fn taken(door: &Arc<Door>, headers: &HeaderMap, body: Body) -> Result<Answer, Rejection> {
    if headers.contains_key("x-github-event") {
        let why = "this is GitHub's: let its webhook send to /hooks/github";
        return Err(Rejection::Bad(why.to_owned()));
    }
    let gitlab = door.settings.gitlab.as_ref();
    let gitlab = gitlab.ok_or(Rejection::NotFound("no app here is on GitLab"))?;
    let unproven = |why: &Unproven| warn!(reason = %why, "an unproven delivery");
    let proof = hook::proof(headers, &gitlab.hook).inspect_err(unproven)?;
    let room = Arc::clone(&door.bodies)
        .acquire_owned()
        .await
        .map_err(|_| Rejection::Unavailable)?;
    let body = body::read(body, BODY_LIMIT).await?;
    proof
        .verify(&body, cutover_deploy::now())
        .inspect_err(unproven)?;
    let headers = Headers::read(headers, &body, &gitlab.hook)?;
    Span::current()
        .record("delivery.id", headers.delivery.as_str())
        .record("event", headers.event.as_str());
    let delivered = hook::read(&headers.event, &body)?;
    let proven = Proven {
        forge: ForgeKind::GitLab,
        delivery: headers.delivery,
        event: headers.event,
        hook_id: headers.hook_id,
        body,
        delivered,
    };
    keep_apart(door, room, proven).await
}
