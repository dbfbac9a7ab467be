//! The HTTP around the world: who is let in, what happens, and what is answered.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri, header};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::io::ReaderStream;

use super::routes::{self, Call, Reply, Route, Verdict};
use super::world::{Project, World};
use super::{Shared, access};
use crate::line::{Broken, Line};
use crate::trouble::Trouble;

#[derive(Debug)]
struct Asked {
    method: String,
    /// As it came, each segment still encoded.
    path: String,
    query: String,
    headers: HeaderMap,
    body: Bytes,
}

/// Serves the world on this listener until the task is dropped.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let line = Line::new(listener, Arc::clone(&shared.down));
    let router = axum::Router::new().fallback(answer).with_state(shared);
    let router = router.layer(axum::extract::DefaultBodyLimit::max(1 << 20));
    axum::serve(line, router)
        .await
        .expect("serving ends only with its task");
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let delay = shared.world().troubles.delay;
    tokio::time::sleep(delay).await;
    let asked = Asked {
        method: method.to_string(),
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        headers,
        body,
    };
    let response = {
        let mut world = shared.world();
        let trouble = world.troubles.take(&decoded(&asked.path));
        let (said, response) = if let Some(trouble) = trouble {
            if trouble.acts() {
                world.answer(&asked);
            }
            (format!("{trouble:?}"), troubled(trouble))
        } else {
            let reply = world.answer(&asked);
            let said = reply.status.to_string();
            (said, response(reply.status, &reply.body, &[]))
        };
        let line = format!("{} {}", asked.method, asked.path);
        world.requests.push(format!("{line} -> {said}"));
        if !asked.body.is_empty() {
            let body = String::from_utf8_lossy(&asked.body).into_owned();
            world.bodies.push(format!("{line} {body}"));
        }
        response
    };
    shared.changed();
    response
}

impl World {
    fn answer(&mut self, asked: &Asked) -> Reply {
        let reply = match self.admitted(asked) {
            Ok((route, call)) => (route.act)(self, &call),
            Err(refused) => refused,
        };
        if reply.verdict == Verdict::Mistake {
            let Asked { method, path, .. } = asked;
            let body = String::from_utf8_lossy(&asked.body);
            let (status, said) = (reply.status, &reply.body);
            self.unexpected
                .push(format!("{method} {path} {body} -> {status} {said}"));
        }
        reply
    }

    /// Lets a request in, or says how GitLab refuses it.
    fn admitted(&self, asked: &Asked) -> Result<(&'static Route, Call), Reply> {
        let unknown = || Reply::malformed("404 Not Found").with_status(404);
        let rest = asked.path.strip_prefix("/api/v4/").ok_or_else(unknown)?;
        let mut segments = rest.split('/').map(decoded);
        if segments.next().as_deref() != Some("projects") {
            return Err(unknown());
        }
        let asked_for = segments.next().unwrap_or_default();
        let rest: Vec<String> = segments.collect();
        let (route, parameters) = routes::find(&asked.method, &rest).ok_or_else(unknown)?;
        let token = access::caller(&self.tokens, &asked.headers)?;
        let named = |(path, project): &(&String, &Project)| {
            **path == asked_for || project.id.to_string() == asked_for
        };
        let project = self.projects.iter().find(named);
        let project = project.map(|(path, _)| path.clone());
        let project = project.ok_or_else(|| Reply::refused(404, "404 Project Not Found"))?;
        token.permits(&asked.method, route.needs)?;
        let query: std::collections::BTreeMap<String, String> =
            reqwest::Url::parse(&format!("http://gitlab.test/?{}", asked.query))
                .map(|url| url.query_pairs().into_owned().collect())
                .unwrap_or_default();
        let body = readable(asked)?;
        let faults = match body.as_object() {
            Some(fields) if asked.method != "GET" => route.faults(fields.keys()),
            _ => route.faults(query.keys()),
        };
        if let Some(faults) = faults {
            return Err(Reply::malformed(&faults));
        }
        let call = Call {
            project,
            parameters,
            query,
            body,
            user: token.user.clone(),
        };
        Ok((route, call))
    }
}

impl Reply {
    fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }
}

fn readable(asked: &Asked) -> Result<Value, Reply> {
    if asked.method == "GET" {
        return if asked.body.is_empty() {
            Ok(Value::Null)
        } else {
            Err(Reply::malformed("this operation takes no body"))
        };
    }
    let kind = asked.headers.get(header::CONTENT_TYPE);
    let kind = kind
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    if kind != "application/json" {
        let why = format!("The provided content-type '{kind}' is not supported.");
        return Err(Reply::malformed(&why).with_status(406));
    }
    serde_json::from_slice::<Value>(&asked.body)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| Reply::malformed("Problems parsing JSON"))
}

/// A path with its escapes undone.
fn decoded(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let code = tail.get(..2).filter(|_| *first == b'%');
        let code = code.and_then(|code| hex::decode(code).ok());
        bytes.push(code.as_ref().map_or(*first, |code| code[0]));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn troubled(trouble: Trouble) -> Response<Body> {
    let limited = |wait: std::time::Duration| {
        let reset = (Timestamp::now() + wait).as_second();
        let headers = [
            ("retry-after", wait.as_secs().to_string()),
            ("ratelimit-remaining", "0".to_owned()),
            ("ratelimit-reset", reset.to_string()),
        ];
        let body = json!({ "message": { "error": "This endpoint has been requested too many times. Try again later." } });
        response(429, &body, &headers)
    };
    match trouble {
        Trouble::Fails(409) => {
            let said = "Another update to this commit status is in progress";
            response(409, &json!({ "message": said }), &[])
        }
        Trouble::Fails(status) | Trouble::DoesThenFails(status) => {
            let said = format!("{status} Server Trouble");
            response(status, &json!({ "message": said }), &[])
        }
        Trouble::Cut | Trouble::DoesThenCut => {
            let mut response = Response::new(Body::from_stream(ReaderStream::new(Broken)));
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_LENGTH, 100.into());
            response
        }
        Trouble::PrimaryLimit(wait) | Trouble::SecondaryLimit(wait) | Trouble::TooMany(wait) => {
            limited(wait)
        }
    }
}

fn response(status: u16, body: &Value, headers: &[(&str, String)]) -> Response<Body> {
    let mut response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json")
        .header("x-request-id", uuid::Uuid::new_v4().simple().to_string());
    for (name, value) in headers {
        response = response.header(*name, value);
    }
    response
        .body(Body::from(body.to_string()))
        .expect("names and values of these headers are plain text")
}
