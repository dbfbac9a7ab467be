//! What a caller is told when a request is turned away. Never a cause from inside.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tracing::error;

use crate::forge::{github, gitlab};
use crate::store::StoreError;

/// Why a request was turned away.
#[derive(Debug)]
pub(super) enum Rejection {
    /// The body is larger than any forge sends.
    TooLarge,
    /// The body did not come in time.
    TooSlow,
    /// The connection broke while the body came.
    CutOff,
    /// Nobody proved to be the forge.
    Unproven(String),
    /// The forge sent something that cannot be read.
    Bad(String),
    /// Nobody proved to be a reader.
    Unknown,
    /// There is nothing of that name.
    NotFound(&'static str),
    /// The ledger does not answer; the same request may succeed later.
    Unavailable,
}

impl From<github::hook::Unproven> for Rejection {
    fn from(why: github::hook::Unproven) -> Self {
        Self::Unproven(why.to_string())
    }
}

impl From<gitlab::hook::Unproven> for Rejection {
    fn from(why: gitlab::hook::Unproven) -> Self {
        Self::Unproven(why.to_string())
    }
}

impl From<github::hook::BadDelivery> for Rejection {
    fn from(why: github::hook::BadDelivery) -> Self {
        Self::Bad(why.to_string())
    }
}

impl From<gitlab::hook::BadDelivery> for Rejection {
    fn from(why: gitlab::hook::BadDelivery) -> Self {
        Self::Bad(why.to_string())
    }
}

impl From<StoreError> for Rejection {
    fn from(error: StoreError) -> Self {
        error!(
            error = format!("{:#}", anyhow::Error::from(error)),
            "a request cannot be answered"
        );
        Self::Unavailable
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let (status, reason) = match &self {
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "the body is larger than 25 MiB".to_owned(),
            ),
            Self::TooSlow => (
                StatusCode::REQUEST_TIMEOUT,
                "the body did not come in time".to_owned(),
            ),
            Self::CutOff => (
                StatusCode::BAD_REQUEST,
                "the body did not come whole".to_owned(),
            ),
            Self::Unproven(why) => (StatusCode::UNAUTHORIZED, why.clone()),
            Self::Bad(why) => (StatusCode::BAD_REQUEST, why.clone()),
            Self::Unknown => (
                StatusCode::UNAUTHORIZED,
                "no token that is known here: send `Authorization: Bearer <token>`".to_owned(),
            ),
            Self::NotFound(what) => (StatusCode::NOT_FOUND, (*what).to_owned()),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "the service cannot reach its ledger, try again".to_owned(),
            ),
        };
        let mut response = (status, Json(json!({ "error": reason }))).into_response();
        if matches!(self, Self::Unknown) {
            let how = HeaderValue::from_static("Bearer realm=\"cutover\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, how);
        }
        response
    }
}
