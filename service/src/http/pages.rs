//! Plain pages for people: no script, everything escaped.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use minijinja::Environment;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::error;

use super::rejection::Rejection;
use super::{Door, api, view};

const STYLE: &str = include_str!("pages/style.css");

/// The templates, parsed once.
#[derive(Debug)]
pub(super) struct Pages {
    templates: Environment<'static>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Form {
    format: Option<String>,
}

impl Pages {
    pub(super) fn new() -> Self {
        let mut templates = Environment::new();
        let sources = [
            ("base.html", include_str!("pages/base.html")),
            ("environments.html", include_str!("pages/environments.html")),
            ("deployment.html", include_str!("pages/deployment.html")),
            ("missing.html", include_str!("pages/missing.html")),
        ];
        for (name, source) in sources {
            templates
                .add_template(name, source)
                .expect("our own templates parse, as a test shows");
        }
        templates.add_filter("took", |ms: f64| took(ms));
        templates.add_filter("moment", |at: String| moment(&at));
        templates.add_filter("short", |sha: String| {
            sha.chars().take(7).collect::<String>()
        });
        templates.add_filter("linkable", |url: String| {
            url.starts_with("https://") || url.starts_with("http://")
        });
        Self { templates }
    }

    fn show(&self, name: &str, values: &impl Serialize) -> Response {
        let values = minijinja::Value::from(minijinja::value::Serde(values));
        let page = self
            .templates
            .get_template(name)
            .and_then(|template| template.render(values));
        match page {
            Ok(page) => Html(page).into_response(),
            Err(error) => {
                error!(%error, page = name, "a page cannot be made");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

pub(super) async fn environments(State(door): State<Arc<Door>>) -> Result<Response, Rejection> {
    let environments = api::list(&door).await?;
    let busy = environments
        .iter()
        .any(|place| place.running.is_some() || !place.waiting.is_empty());
    Ok(door.pages.show(
        "environments.html",
        &json!({ "environments": environments, "busy": busy }),
    ))
}

/// A page, or JSON for who asks for it by `Accept`, `?format=json` or `.json`.
pub(super) async fn deployment(
    State(door): State<Arc<Door>>,
    Path(id): Path<String>,
    Query(form): Query<Form>,
    headers: HeaderMap,
) -> Result<Response, Rejection> {
    let bare = id.strip_suffix(".json");
    let accepts = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let wants_json = accepts.contains("application/json") && !accepts.contains("text/html");
    let json = bare.is_some() || form.format.as_deref() == Some("json") || wants_json;
    let found = match api::find(&door, bare.unwrap_or(&id)).await {
        Err(Rejection::NotFound(_)) if !json => {
            let mut page = door.pages.show("missing.html", &json!({}));
            *page.status_mut() = StatusCode::NOT_FOUND;
            return Ok(page);
        }
        found => found?,
    };
    let whole = api::whole(&door, &found).await?;
    if json {
        return Ok(Json(whole).into_response());
    }
    let items = view::items(&whole.events);
    let failure = found.outcome.as_ref().and_then(|outcome| outcome.failure());
    let left = match &found.outcome {
        Some(cutover_deploy::Outcome::Failed { left, .. }) => left.as_slice(),
        _ => &[],
    };
    let given_up: Vec<_> = whole
        .reports
        .iter()
        .filter(|report| report.state == "given_up")
        .collect();
    let waiting: Vec<_> = whole
        .reports
        .iter()
        .filter(|report| report.state == "waiting")
        .collect();
    Ok(door.pages.show(
        "deployment.html",
        &json!({
            "deployment": whole.deployment, "live": found.live, "url": found.environment_url, "failure": failure,
            "left": left, "items": items, "given_up": given_up, "waiting": waiting,
        }),
    ))
}

pub(super) async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

fn took(ms: f64) -> String {
    if ms < 1_000.0 {
        format!("{ms:.0} ms")
    } else if ms < 60_000.0 {
        format!("{:.1} s", ms / 1_000.0)
    } else {
        format!(
            "{:.0} min {:.0} s",
            (ms / 60_000.0).floor(),
            (ms / 1_000.0) % 60.0
        )
    }
}

fn moment(at: &str) -> String {
    at.parse::<jiff::Timestamp>().map_or_else(
        |_| at.to_owned(),
        |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_parses() {
        assert_eq!(Pages::new().templates.templates().count(), 4);
    }

    #[test]
    fn times_read_well() {
        assert_eq!(
            [took(12.0), took(1_234.0), took(125_000.0)],
            ["12 ms", "1.2 s", "2 min 5 s"]
        );
        assert_eq!(
            moment("2026-05-20T12:34:56.789Z"),
            "2026-05-20 12:34:56 UTC"
        );
    }
}
