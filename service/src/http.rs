//! The door for forges and people: hooks come in, pages and JSON go out.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use secrecy::SecretString;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use crate::lookout::Lookout;
use crate::settings::Settings;
use crate::store::Store;

mod api;
mod body;
mod chat;
mod follow;
mod gate;
mod hook;
mod log;
mod metrics;
mod pages;
mod rejection;
mod view;
mod words;

#[cfg(test)]
mod tests;

/// Forges hang up after 10 s; nobody else needs longer.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);
/// Bodies that are held in memory at once, 25 MiB each at most.
const BODIES_AT_ONCE: usize = 32;
/// A form of the login page holds no more than this.
const LONGEST_FORM: usize = 8 * 1024;
/// Our own script and style, nothing inline, nothing from elsewhere, no frame.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What requests are answered from.
#[derive(Debug)]
pub struct Door {
    settings: Arc<Settings>,
    store: Store,
    public_url: String,
    stopping: CancellationToken,
    bodies: Arc<Semaphore>,
    pages: pages::Pages,
    gate: gate::Gate,
    /// Absent where hosts are not to be asked.
    lookout: Option<Lookout>,
}

impl Door {
    /// A door to `store`. `public_url` has no trailing slash; any of `tokens` lets somebody read; once `stopping` is
    /// cancelled the service says that it is not ready, and still keeps every delivery.
    pub fn new(
        settings: Arc<Settings>,
        store: Store,
        public_url: String,
        tokens: Vec<SecretString>,
        stopping: CancellationToken,
    ) -> Self {
        Self {
            settings,
            store,
            gate: gate::Gate::new(tokens, &public_url),
            public_url,
            stopping,
            bodies: Arc::new(Semaphore::new(BODIES_AT_ONCE)),
            pages: pages::Pages::new(),
            lookout: None,
        }
    }

    /// The same door, that also tells what is true on hosts.
    #[must_use]
    pub fn with(self, lookout: Lookout) -> Self {
        Self {
            lookout: Some(lookout),
            ..self
        }
    }
}

/// All routes.
pub fn router(door: Arc<Door>) -> Router {
    let guard = axum::middleware::from_fn_with_state(Arc::clone(&door), gate::guard);
    let login = get(gate::ask).post(gate::login);
    Router::new()
        .route("/", get(pages::environments))
        .route("/environments/{app}/{name}", get(pages::environment))
        .route("/deployments/{id}", get(pages::deployment))
        .route("/deployments/{id}/events", get(follow::events))
        .route("/api/v1/environments", get(api::environments))
        .route("/api/v1/deployments/{id}", get(api::deployment))
        .route("/api/v1/deployments/{id}/events", get(api::events))
        .route("/metrics", get(metrics::metrics))
        .route_layer(guard)
        .route("/login", login.layer(DefaultBodyLimit::max(LONGEST_FORM)))
        .route("/logout", post(gate::logout))
        .route("/style.css", get(pages::style))
        .route("/live.js", get(pages::script))
        .route("/icon.svg", get(pages::icon))
        .route("/hooks/github", post(hook::github))
        .route("/hooks/gitlab", post(hook::gitlab::take))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .fallback(pages::missing)
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            REQUEST_TIMEOUT,
        ))
        .layer(CatchPanicLayer::new())
        .layer(axum::middleware::map_response(shut))
        .with_state(door)
}

async fn ready(State(door): State<Arc<Door>>) -> Response {
    if door.stopping.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
    }
    match door.store.ready().await {
        Ok(()) => "ready\n".into_response(),
        Err(error) => rejection::Rejection::from(error).into_response(),
    }
}

async fn shut(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(CONTENT_POLICY),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
