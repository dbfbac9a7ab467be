//! A web server in the test process that answers for a plain host: it reads what `current` leads to, as nginx would.

use std::path::PathBuf;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Serves `current/health.json` of one host at `/health`; with `shared/ill` there, 500. Ends with its value.
#[derive(Debug)]
pub struct Site {
    port: u16,
    server: JoinHandle<()>,
}

impl Site {
    /// Serves the app that lies at `path` on a free port of 127.0.0.1.
    pub async fn start(path: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port is free");
        let port = listener
            .local_addr()
            .expect("a bound listener has an address")
            .port();
        let router = Router::new().route("/health", get(health)).with_state(path);
        let server = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        Self { port, server }
    }

    /// Where it listens: address and port.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Where the app tells how it is.
    pub fn health_url(&self) -> String {
        format!("http://127.0.0.1:{}/health", self.port)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn health(State(path): State<PathBuf>) -> (StatusCode, String) {
    if path.join("shared/ill").exists() {
        return (StatusCode::INTERNAL_SERVER_ERROR, "all is ill".to_owned());
    }
    match tokio::fs::read_to_string(path.join("current/health.json")).await {
        Ok(body) => (StatusCode::OK, body),
        Err(error) => (StatusCode::NOT_FOUND, error.to_string()),
    }
}
