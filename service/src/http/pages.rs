//! Pages for people: whole without a script, everything made plain and escaped.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use cutover_deploy::Outcome;
use minijinja::Environment;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tracing::error;

use super::rejection::Rejection;
use super::view::{DeploymentView, EnvironmentView};
use super::{Door, api, log, words};
use crate::store::{Deployment, Posted, State as Stands};

const STYLE: &str = include_str!("pages/style.css");
const SCRIPT: &str = include_str!("pages/live.js");
const ICON: &str = include_str!("pages/icon.svg");

const TEMPLATES: [(&str, &str); 11] = [
    ("base.html", include_str!("pages/base.html")),
    ("macros.html", include_str!("pages/macros.html")),
    ("environments.html", include_str!("pages/environments.html")),
    ("environment.html", include_str!("pages/environment.html")),
    ("place.html", include_str!("pages/place.html")),
    ("deployment.html", include_str!("pages/deployment.html")),
    ("head.html", include_str!("pages/head.html")),
    ("item.html", include_str!("pages/item.html")),
    ("summary.html", include_str!("pages/summary.html")),
    ("login.html", include_str!("pages/login.html")),
    ("missing.html", include_str!("pages/missing.html")),
];

/// Deployments that are over, on the page of an environment.
const ENDED_SHOWN: u32 = 50;

/// The templates, parsed once.
#[derive(Debug)]
pub(super) struct Pages {
    templates: Environment<'static>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Form {
    format: Option<String>,
    /// Only what came before this event.
    before: Option<i64>,
}

impl Pages {
    pub(super) fn new() -> Self {
        let mut templates = Environment::new();
        for (name, source) in TEMPLATES {
            templates
                .add_template(name, source)
                .expect("our own templates parse, as a test shows");
        }
        templates.set_formatter(words::write);
        templates.add_filter("took", |ms: f64| words::took(ms));
        templates.add_filter("moment", |at: String| words::moment(&at));
        templates.add_filter("stamp", |at: String| words::stamp(&at));
        templates.add_filter("ago", |at: String| words::ago(&at, cutover_deploy::now()));
        templates.add_filter("short", |sha: String| {
            sha.chars().take(7).collect::<String>()
        });
        templates.add_filter("linkable", |url: String| {
            url.starts_with("https://") || url.starts_with("http://")
        });
        Self { templates }
    }

    /// A whole page.
    pub(super) fn show(&self, name: &str, values: &impl Serialize) -> Response {
        match self.render(name, values) {
            Ok(page) => Html(page).into_response(),
            Err(error) => {
                error!(%error, page = name, "a page cannot be made");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }

    /// A part of a page; empty when it cannot be made.
    pub(super) fn piece(&self, name: &str, values: &impl Serialize) -> String {
        self.render(name, values).unwrap_or_else(|error| {
            error!(%error, page = name, "a part of a page cannot be made");
            String::new()
        })
    }

    fn render(&self, name: &str, values: &impl Serialize) -> Result<String, minijinja::Error> {
        let values = minijinja::Value::from(minijinja::value::Serde(values));
        self.templates.get_template(name)?.render(values)
    }
}

pub(super) async fn environments(State(door): State<Arc<Door>>) -> Result<Response, Rejection> {
    let environments = api::list(&door).await?;
    let busy = environments.iter().any(EnvironmentView::is_busy);
    let places: Vec<_> = environments.iter().map(place).collect();
    Ok(door.pages.show(
        "environments.html",
        &json!({ "places": places, "refresh": busy }),
    ))
}

pub(super) async fn environment(
    State(door): State<Arc<Door>>,
    Path((app, name)): Path<(String, String)>,
) -> Result<Response, Rejection> {
    let known = door.settings.apps.iter().find_map(|known| {
        let environments = known.config.environments.values();
        let mut environments = environments.filter(|known| known.name.as_str() == name);
        (known.config.app.as_str() == app)
            .then(|| environments.next())
            .flatten()
            .map(|environment| (known, environment))
    });
    let Some((app, environment)) = known else {
        return Ok(not_found(&door, "There is no such environment"));
    };
    let view = api::place(&door, app, environment, ENDED_SHOWN).await?;
    Ok(door.pages.show(
        "environment.html",
        &json!({ "place": place(&view), "refresh": view.is_busy() }),
    ))
}

fn place(view: &EnvironmentView) -> Value {
    let mut place = json!(view);
    place["word"] = json!(view.word());
    place
}

/// A page, or JSON for who asks for it by `Accept`, `?format=json` or `.json`.
pub(super) async fn deployment(
    State(door): State<Arc<Door>>,
    Path(id): Path<String>,
    Query(form): Query<Form>,
    headers: HeaderMap,
) -> Result<Response, Rejection> {
    let bare = id.strip_suffix(".json");
    let wants_json = accepts(&headers, "application/json") && !wants_page(&headers);
    let json = bare.is_some() || form.format.as_deref() == Some("json") || wants_json;
    let found = match api::find(&door, bare.unwrap_or(&id)).await {
        Err(Rejection::NotFound(_)) if !json => {
            return Ok(not_found(&door, "There is no such deployment"));
        }
        found => found?,
    };
    if json {
        return Ok(Json(api::whole(&door, &found).await?).into_response());
    }
    whole(&door, &found, form.before).await
}

/// The page of a deployment: how it stands, and the end of its log, or what came before an event of it.
async fn whole(
    door: &Door,
    found: &Deployment,
    before: Option<i64>,
) -> Result<Response, Rejection> {
    let reports = door.store.reports(&found.id).await?;
    let end = before.unwrap_or(i64::MAX);
    let events = door
        .store
        .events_before(&found.id, end, log::EVENTS_ON_A_PAGE)
        .await?;
    let first = events.first().map_or(1, |first| first.seq);
    let last = events.last().map_or(0, |last| last.seq);
    let view = api::line(&door.store, found).await?;
    let mut values = head(found, &view);
    let is_over = found.state == Stands::Done;
    values["items"] = json!(log::items(&events));
    values["open"] = json!(!is_over && before.is_none());
    values["live_log"] = json!(!is_over && before.is_none());
    values["after"] = json!(last);
    values["before"] = json!(before);
    values["earlier"] = json!((first > 1).then_some(first));
    values["said"] = json!(said(&view));
    let in_state = |state: &str| -> Vec<&Posted> {
        reports
            .iter()
            .filter(|report| report.state == state)
            .collect()
    };
    values["given_up"] = json!(in_state("given_up"));
    values["waiting"] = json!(in_state("waiting"));
    Ok(door.pages.show("deployment.html", &values))
}

/// What the head of a deployment's page shows.
pub(super) fn head(found: &Deployment, view: &DeploymentView) -> Value {
    let left = match &found.outcome {
        Some(Outcome::Failed { left, .. }) => left.as_slice(),
        _ => &[],
    };
    json!({
        "deployment": view,
        "live": found.live,
        "branch": found.branch,
        "url": found.environment_url,
        "failure": found.outcome.as_ref().and_then(Outcome::failure),
        "left": left,
    })
}

/// How a deployment stands, in a sentence that is read out when it changes.
pub(super) fn said(view: &DeploymentView) -> String {
    let took = view.took_ms.and_then(|ms| i32::try_from(ms).ok());
    let after = took.map(|ms| format!(" after {}", words::took(f64::from(ms))));
    match view.word {
        "queued" => "Waiting for its turn".to_owned(),
        "running" => "Running".to_owned(),
        word => {
            let word = word.replace('_', " ");
            let (first, rest) = word.split_at(1);
            let first = first.to_uppercase();
            format!("{first}{rest}{}", after.unwrap_or_default())
        }
    }
}

pub(super) async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

pub(super) async fn script() -> Response {
    let kind = "text/javascript; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], SCRIPT).into_response()
}

pub(super) async fn icon() -> Response {
    ([(header::CONTENT_TYPE, "image/svg+xml")], ICON).into_response()
}

/// Anything that has no address here.
pub(super) async fn missing(State(door): State<Arc<Door>>, headers: HeaderMap) -> Response {
    if wants_page(&headers) {
        return not_found(&door, "There is no such page");
    }
    Rejection::NotFound("no such page").into_response()
}

fn not_found(door: &Door, what: &str) -> Response {
    let mut page = door.pages.show("missing.html", &json!({ "what": what }));
    *page.status_mut() = StatusCode::NOT_FOUND;
    page
}

/// Whether it is a browser that asks, for a page.
pub(super) fn wants_page(headers: &HeaderMap) -> bool {
    accepts(headers, "text/html")
}

fn accepts(headers: &HeaderMap, kind: &str) -> bool {
    let accept = headers.get(header::ACCEPT);
    accept
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_parses() {
        assert_eq!(Pages::new().templates.templates().count(), TEMPLATES.len());
    }
}
