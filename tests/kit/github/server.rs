//! The HTTP around the world: who is let in, what the contract says, what happens, and what is answered.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri, header};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::io::ReaderStream;

use super::Shared;
use super::access::{Caller, Stranger};
use super::contract::{Contract, NotSpoken, Operation};
use super::routes::{self, Admits, Call, Reply, Verdict};
use super::world::World;
use crate::line::{Broken, Line};
use crate::trouble::Trouble;

/// Media types that GitHub answers in JSON.
const ACCEPTED: [&str; 5] = [
    "*/*",
    "application/*",
    "application/json",
    "application/vnd.github+json",
    "application/vnd.github.v3+json",
];
/// Versions of the interface that GitHub knows.
const VERSIONS: [&str; 2] = ["2022-11-28", "2026-03-10"];

#[derive(Debug)]
struct Asked {
    method: String,
    path: String,
    query: BTreeMap<String, String>,
    headers: HeaderMap,
    body: Bytes,
}

/// A request that is not let in, and what it was for if that is known by then.
struct Refused {
    reply: Reply,
    operation: Option<&'static Operation>,
}

impl Refused {
    fn early(reply: Reply) -> Self {
        Self {
            reply,
            operation: None,
        }
    }
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
    let query = reqwest::Url::parse(&format!(
        "http://github.test/?{}",
        uri.query().unwrap_or_default()
    ))
    .map(|url| url.query_pairs().into_owned().collect())
    .unwrap_or_default();
    let asked = Asked {
        method: method.to_string(),
        path: decoded(uri.path()),
        query,
        headers,
        body,
    };
    let response = {
        let mut world = shared.world();
        let trouble = world.troubles.take(&asked.path);
        let (said, response) = if let Some(trouble) = trouble {
            if trouble.acts() {
                world.answer(&asked);
            }
            (format!("{trouble:?}"), troubled(trouble))
        } else {
            let reply = world.answer(&asked);
            (reply.status.to_string(), spoken(&reply))
        };
        world
            .requests
            .push(format!("{} {} -> {said}", asked.method, asked.path));
        response
    };
    shared.changed();
    response
}

impl World {
    fn answer(&mut self, asked: &Asked) -> Reply {
        let (reply, operation) = match self.admitted(asked) {
            Ok((operation, call)) => {
                let route = routes::find(operation.method(), operation.template());
                ((route.act)(self, &call), Some(operation))
            }
            Err(refused) => (refused.reply, refused.operation),
        };
        if reply.verdict == Verdict::Mistake {
            let why = reply.body["errors"]
                .as_array()
                .map_or_else(String::new, |errors| format!(" {}", json!(errors)));
            let (method, path, body) = (
                &asked.method,
                &asked.path,
                String::from_utf8_lossy(&asked.body),
            );
            let line = format!(
                "{method} {path} {body} -> {} {}{why}",
                reply.status, reply.body["message"]
            );
            self.unexpected.push(line);
        }
        let wrong = operation.map_or_else(Vec::new, |operation| {
            operation.faults_of_answer(reply.status, &reply.body)
        });
        if !wrong.is_empty() {
            let (method, path) = (&asked.method, &asked.path);
            self.unexpected.push(format!(
                "the kit's own answer to {method} {path} is not GitHub's: {wrong:?}"
            ));
        }
        reply
    }

    /// Lets a request in, or says how GitHub refuses it.
    fn admitted(&self, asked: &Asked) -> Result<(&'static Operation, Call), Refused> {
        if asked.headers.get(header::USER_AGENT).is_none() {
            let message = "Request forbidden by administrative rules. Please make sure your request has a User-Agent header";
            return Err(Refused::early(Reply::refused(403, message)));
        }
        let caller = self
            .access
            .caller(text(&asked.headers, header::AUTHORIZATION.as_str()))
            .map_err(unknown)?;
        let path = asked.path.strip_prefix("/api/v3").unwrap_or_default();
        let (operation, parameters) =
            Contract::github()
                .operation(&asked.method, path)
                .map_err(|reason| match reason {
                    NotSpoken::Path => Refused::early(Reply::refused(404, "Not Found")),
                    NotSpoken::Method => Refused::early(Reply::refused(405, "Method Not Allowed")),
                })?;
        let refused = |reply| Refused {
            reply,
            operation: Some(operation),
        };
        let body = readable(asked, operation).map_err(refused)?;
        let call = Call {
            parameters,
            query: asked.query.clone(),
            body,
            caller,
        };
        let admits = routes::find(operation.method(), operation.template()).admits;
        self.permitted(admits, &call).map_err(refused)?;
        let mut faults = operation.faults_of_query(&call.query);
        if operation.takes_body() {
            faults.extend(operation.faults_of_request(&call.body));
        }
        if faults.is_empty() {
            Ok((operation, call))
        } else {
            Err(refused(Reply::unprocessable(&faults)))
        }
    }

    /// Whether this caller may do this. What a token cannot reach does not exist for it.
    fn permitted(&self, admits: Admits, call: &Call) -> Result<(), Reply> {
        match (admits, &call.caller) {
            (Admits::App, Caller::App) | (Admits::Anyone, Caller::Holder(_)) => Ok(()),
            (Admits::App, Caller::Holder(_)) => {
                Err(Reply::refused(401, "A JSON web token could not be decoded"))
            }
            (Admits::Repository(..) | Admits::Anyone, Caller::App) => Err(Reply::refused(
                403,
                "Resource not accessible by integration",
            )),
            (Admits::Repository(permission, level), Caller::Holder(grant)) => {
                let name = call.repository_name();
                if !self.repositories.contains_key(&name) || !grant.reaches(&name) {
                    Err(Reply::refused(404, "Not Found"))
                } else if !grant.allows(permission, level) {
                    let who = if grant.login.ends_with("[bot]") {
                        "integration"
                    } else {
                        "personal access token"
                    };
                    Err(Reply::refused(
                        403,
                        &format!("Resource not accessible by {who}"),
                    ))
                } else {
                    Ok(())
                }
            }
        }
    }
}

fn unknown(stranger: Stranger) -> Refused {
    let (message, verdict) = match stranger {
        Stranger::Nobody => ("Requires authentication".to_owned(), Verdict::Mistake),
        Stranger::Expired => ("Bad credentials".to_owned(), Verdict::Fine),
        Stranger::Bad(message) => (message, Verdict::Mistake),
    };
    Refused::early(Reply {
        verdict,
        ..Reply::refused(401, &message)
    })
}

/// Reads the body and checks what surrounds it: media types and the version of the interface.
fn readable(asked: &Asked, operation: &Operation) -> Result<Value, Reply> {
    let accepts = text(&asked.headers, header::ACCEPT.as_str()).unwrap_or("*/*");
    let media = |part: &str| {
        part.split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_lowercase()
    };
    if !accepts
        .split(',')
        .any(|part| ACCEPTED.contains(&media(part).as_str()))
    {
        return Err(Reply::refused(
            415,
            &format!("Unsupported 'Accept' header: {accepts:?}."),
        ));
    }
    if let Some(version) =
        text(&asked.headers, "x-github-api-version").filter(|version| !VERSIONS.contains(version))
    {
        return Err(Reply::refused(
            400,
            &format!("\"{version}\" is not a supported version of the API."),
        ));
    }
    if asked.body.is_empty() {
        return Ok(if operation.takes_body() {
            json!({})
        } else {
            Value::Null
        });
    }
    if !operation.takes_body() {
        return Err(Reply::refused(
            422,
            "Invalid request.\n\nThis operation takes no body.",
        ));
    }
    let kind = media(text(&asked.headers, header::CONTENT_TYPE.as_str()).unwrap_or_default());
    if kind != "application/json" {
        return Err(Reply::refused(
            415,
            &format!("The request's content type is {kind:?}, not application/json."),
        ));
    }
    serde_json::from_slice(&asked.body).map_err(|_| Reply::refused(400, "Problems parsing JSON"))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn decoded(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let code = tail
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|code| hex::decode(code).ok());
        bytes.push(code.as_ref().map_or(*first, |code| code[0]));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn spoken(reply: &Reply) -> Response<Body> {
    let reset = Timestamp::now().as_second() + 3600;
    response(
        reply.status,
        &reply.body,
        &[
            ("x-ratelimit-remaining", "4999".to_owned()),
            ("x-ratelimit-reset", reset.to_string()),
        ],
    )
}

fn troubled(trouble: Trouble) -> Response<Body> {
    let limited = |status, wait: std::time::Duration, message: &str| {
        response(
            status,
            &Reply::refused(status, message).body,
            &[("retry-after", wait.as_secs().to_string())],
        )
    };
    match trouble {
        Trouble::Fails(status) | Trouble::DoesThenFails(status) => {
            response(status, &Reply::refused(status, "Server Error").body, &[])
        }
        Trouble::Cut | Trouble::DoesThenCut => {
            let mut response = Response::new(Body::from_stream(ReaderStream::new(Broken)));
            response
                .headers_mut()
                .insert(header::CONTENT_LENGTH, 100.into());
            response
        }
        Trouble::PrimaryLimit(wait) => {
            let reset = Timestamp::now() + wait;
            let headers = [
                ("x-ratelimit-remaining", "0".to_owned()),
                ("x-ratelimit-reset", reset.as_second().to_string()),
            ];
            response(
                403,
                &Reply::refused(403, "API rate limit exceeded for installation.").body,
                &headers,
            )
        }
        Trouble::SecondaryLimit(wait) => {
            limited(403, wait, "You have exceeded a secondary rate limit.")
        }
        Trouble::TooMany(wait) => limited(429, wait, "You have exceeded a secondary rate limit."),
    }
}

fn response(status: u16, body: &Value, headers: &[(&str, String)]) -> Response<Body> {
    let mut response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
        .header("x-github-media-type", "github.v3; format=json")
        .header(
            "x-github-request-id",
            uuid::Uuid::new_v4().simple().to_string(),
        )
        .header("x-ratelimit-limit", "5000");
    for (name, value) in headers {
        response = response.header(*name, value);
    }
    response
        .body(Body::from(body.to_string()))
        .expect("names and values of these headers are plain text")
}
