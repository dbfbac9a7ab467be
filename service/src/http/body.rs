//! Reads a body up to a limit.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use http_body_util::BodyExt as _;

use super::rejection::Rejection;

/// What GitHub sends at most is 25 MB; larger events are not sent at all.
pub(super) const LARGEST_BODY: usize = 25 * 1024 * 1024;
/// So much of a body that is too large is still read, so that its sender gets to read the answer.
const DRAINED: usize = 64 * 1024 * 1024;

/// The whole body, or why it cannot be had within `limit`.
pub(super) async fn read(body: Body, limit: Duration) -> Result<Bytes, Rejection> {
    let whole = tokio::time::timeout(limit, whole(body)).await;
    whole.unwrap_or(Err(Rejection::TooSlow))
}

async fn whole(mut body: Body) -> Result<Bytes, Rejection> {
    let mut kept = Vec::with_capacity(
        usize::try_from(body.size_hint().lower())
            .unwrap_or(0)
            .min(1 << 20),
    );
    let mut seen = 0_usize;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Rejection::CutOff)?.into_data() else {
            continue;
        };
        seen = seen.saturating_add(data.len());
        if seen <= LARGEST_BODY {
            kept.extend_from_slice(&data);
        } else {
            kept = Vec::new();
        }
        if seen > DRAINED {
            break;
        }
    }
    if seen > LARGEST_BODY {
        return Err(Rejection::TooLarge);
    }
    Ok(kept.into())
}
