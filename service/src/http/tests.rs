use axum::body::Body;
use axum::http::{HeaderMap, Request};
use cutover_deploy::{DeploymentId, Event};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use sha2::Sha256;
use tower::ServiceExt as _;

use super::*;
use crate::testing;

mod gate;
mod hooks;
mod live;
mod pages;

const TOKEN: &str = "a token for the pages";
const GUID: &str = "72d3162e-cc78-11e3-81ab-4c9367dc0958";

struct World {
    router: Router,
    door: Arc<Door>,
    store: Store,
    stopping: CancellationToken,
    _dir: tempfile::TempDir,
}

struct Told {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Told {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }
}

impl World {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = testing::store(dir.path()).await;
        let places = [("production", Some("main")), ("staging", Some("next"))];
        let config = testing::config("shop", "acme/shop", &places);
        let settings = Arc::new(testing::settings(dir.path(), vec![config]));
        let stopping = CancellationToken::new();
        let url = "https://deploy.example.com".to_owned();
        let tokens = vec![SecretString::from(TOKEN)];
        let door = Door::new(settings, store.clone(), url, tokens, stopping.clone());
        let door = Arc::new(door);
        Self {
            router: router(Arc::clone(&door)),
            door,
            store,
            stopping,
            _dir: dir,
        }
    }

    async fn ask(&self, request: Request<Body>) -> Told {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Told {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    /// Asks as a reader.
    async fn get(&self, path: &str) -> Told {
        self.ask(reader(path).body(Body::empty()).unwrap()).await
    }

    async fn send(&self, delivery: Delivery) -> Told {
        self.ask(delivery.request()).await
    }

    async fn rows(&self) -> usize {
        let app = cutover_deploy::AppName::parse("shop").unwrap();
        let mut count = 0;
        for place in ["production", "staging"] {
            let place = cutover_deploy::EnvironmentName::parse(place).unwrap();
            count += self.store.open_ones(&app, &place).await.unwrap().len();
            count += self.store.ended(&app, &place, 1000).await.unwrap().len();
        }
        count
    }
}

/// A request of somebody who may read.
fn reader(path: &str) -> axum::http::request::Builder {
    Request::get(path).header("authorization", format!("Bearer {TOKEN}"))
}

struct Delivery {
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

fn signature(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(testing::WEBHOOK_SECRET.as_bytes()).unwrap();
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

impl Delivery {
    fn of(event: &str, body: &[u8]) -> Self {
        let headers = vec![
            ("x-github-event", event.to_owned()),
            ("x-github-delivery", GUID.to_owned()),
            ("content-type", "application/json".to_owned()),
            ("x-hub-signature-256", signature(body)),
        ];
        Self {
            headers,
            body: body.to_vec(),
        }
    }

    fn push(reference: &str, changed: &Value) -> Self {
        let mut body = json!({
            "ref": reference, "after": "a".repeat(40), "deleted": false,
            "repository": {"full_name": "acme/shop"}, "pusher": {"name": "alice"},
        });
        for (key, value) in changed.as_object().unwrap() {
            body[key] = value.clone();
        }
        Self::of("push", body.to_string().as_bytes())
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self = self.without(name);
        self.headers.push((name, value.to_owned()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self
    }

    fn request(self) -> Request<Body> {
        let mut request = Request::post("/hooks/github");
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        request.body(Body::from(self.body)).unwrap()
    }
}

fn main_push() -> Delivery {
    Delivery::push("refs/heads/main", &json!({}))
}
