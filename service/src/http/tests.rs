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

const GUID: &str = "72d3162e-cc78-11e3-81ab-4c9367dc0958";

struct World {
    router: Router,
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
        let door = Arc::new(Door::new(settings, store.clone(), url, stopping.clone()));
        Self {
            router: router(door),
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

    async fn get(&self, path: &str) -> Told {
        self.ask(Request::get(path).body(Body::empty()).unwrap())
            .await
    }

    async fn send(&self, delivery: Delivery) -> Told {
        self.ask(delivery.request()).await
    }

    async fn rows(&self) -> usize {
        let app = cutover_deploy::AppName::parse("shop").unwrap();
        let mut count = 0;
        for place in ["production", "staging"] {
            let place = cutover_deploy::EnvironmentName::parse(place).unwrap();
            count += self.store.latest(&app, &place, 1000).await.unwrap().len();
        }
        count
    }
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

#[tokio::test]
async fn a_push_to_a_configured_branch_is_queued_and_answered_with_its_deployments() {
    let world = World::start().await;
    let told = world.send(main_push()).await;
    assert_eq!(told.status, 202, "{}", told.text);
    let json = told.json();
    assert_eq!(json["delivery"], GUID);
    assert_eq!(json["result"], "queued");
    assert_eq!(json["deployments"].as_array().unwrap().len(), 1);
    assert_eq!(json["deployments"][0]["environment"], "production");
    assert_eq!(
        json["passed_over"],
        json!([{"app": "shop", "environment": "staging", "reason": "follows next"}])
    );
    let id = DeploymentId::parse(json["deployments"][0]["id"].as_str().unwrap()).unwrap();
    let kept = world.store.deployment(&id).await.unwrap().unwrap();
    assert_eq!(kept.request.actor, "github push by alice");
    assert_eq!(
        kept.request.run_url,
        Some(format!("https://deploy.example.com/deployments/{id}"))
    );
}

#[tokio::test]
async fn an_unproven_delivery_is_turned_away_and_leaves_nothing() {
    let world = World::start().await;
    let right = signature(&main_push().body);
    let wrong = signature(b"something else");
    let missing = "x-hub-signature-256";
    let cases = [
        (
            main_push().without(missing),
            "the header X-Hub-Signature-256 is missing",
        ),
        (
            main_push().with(missing, &wrong),
            "the signature does not match",
        ),
        (
            main_push().with(missing, &right[..40]),
            "X-Hub-Signature-256 is malformed",
        ),
        (
            main_push().with(missing, ""),
            "X-Hub-Signature-256 is malformed",
        ),
        (
            main_push().without(missing).with(
                "x-hub-signature",
                "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59",
            ),
            "only a SHA-1 signature: X-Hub-Signature-256 is required",
        ),
        (
            Delivery::of("push", b"{").with(missing, &wrong),
            "the signature does not match",
        ),
    ];
    for (delivery, reason) in cases {
        let told = world.send(delivery).await;
        assert_eq!(
            (told.status, told.json()),
            (401, json!({ "error": reason }))
        );
    }
    assert_eq!(world.rows().await, 0);
    assert_eq!(
        world.send(main_push()).await.status,
        202,
        "a refused delivery takes no id"
    );
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_too_large() {
    let world = World::start().await;
    let told = world
        .send(Delivery::of("push", &vec![b' '; 30 * 1024 * 1024]))
        .await;
    assert_eq!(
        (told.status, told.json()),
        (413, json!({"error": "the body is larger than 25 MiB"}))
    );
    let mut just = br#"{"zen": ""}"#.to_vec();
    just.resize(25 * 1024 * 1024, b' ');
    assert_eq!(world.send(Delivery::of("ping", &just)).await.status, 200);
}

#[tokio::test]
async fn a_proven_delivery_that_cannot_be_read_is_a_bad_request() {
    let world = World::start().await;
    let cases = [
        (
            Delivery::of("push", b"{\"ref\": "),
            "the body cannot be read as a push event: it ends too early, line 1 column 8",
        ),
        (
            Delivery::of("issues", b"nonsense"),
            "the body cannot be read as a issues event: it is not JSON, line 1 column 2",
        ),
        (
            main_push().without("x-github-event"),
            "the header X-GitHub-Event is missing or malformed",
        ),
        (
            main_push().with("x-github-event", "Push; rm"),
            "the header X-GitHub-Event is missing or malformed",
        ),
        (
            main_push().without("x-github-delivery"),
            "the header X-GitHub-Delivery is missing or malformed",
        ),
        (
            main_push().with("x-github-delivery", "../../x"),
            "the header X-GitHub-Delivery is missing or malformed",
        ),
        (
            main_push().with("content-type", "application/x-www-form-urlencoded"),
            "the body is not JSON: set the webhook's content type to application/json",
        ),
        (
            Delivery::push("refs/heads/main", &json!({"after": "HEAD"})),
            "`after` is not a commit",
        ),
    ];
    for (delivery, reason) in cases {
        let told = world.send(delivery).await;
        assert_eq!(
            (told.status, told.json()),
            (400, json!({ "error": reason }))
        );
    }
    assert_eq!(world.rows().await, 0);
}

#[tokio::test]
async fn what_asks_for_no_deployment_gets_a_reason() {
    let world = World::start().await;
    let zeros = "0".repeat(40);
    let elsewhere = json!({"repository": {"full_name": "acme/else"}});
    let cases = [
        (
            Delivery::push("refs/heads/main", &json!({"deleted": true, "after": zeros})),
            "refs/heads/main was deleted",
        ),
        (
            Delivery::push("refs/tags/v1", &json!({})),
            "refs/tags/v1 is not a branch",
        ),
        (
            Delivery::push("refs/heads/topic", &json!({})),
            "no environment follows the branch topic",
        ),
        (
            Delivery::push("refs/heads/main", &elsewhere),
            "no app is configured for this repository",
        ),
        (
            Delivery::of("star", b"{}"),
            "this event asks for nothing here",
        ),
    ];
    for (n, (delivery, reason)) in cases.into_iter().enumerate() {
        let id = format!("72d3162e-cc78-11e3-81ab-4c936700000{n}");
        let told = world.send(delivery.with("x-github-delivery", &id)).await;
        let json = told.json();
        assert_eq!(
            (told.status, &json["result"], &json["reason"]),
            (200, &json!("ignored"), &json!(reason))
        );
    }
    let pong = world
        .send(Delivery::of("ping", br#"{"zen": "Keep it simple"}"#))
        .await;
    assert_eq!(
        (pong.status, pong.json()["result"].clone()),
        (200, json!("pong"))
    );
    assert_eq!(world.rows().await, 0);
}

#[tokio::test]
async fn the_same_delivery_again_tells_the_first_result() {
    let world = World::start().await;
    let first = world.send(main_push()).await.json();
    let again = world
        .send(main_push().with("x-github-delivery", &GUID.to_uppercase()))
        .await;
    assert_eq!(again.status, 200);
    assert_eq!(
        again.json(),
        json!({"delivery": GUID, "result": "duplicate", "first": first})
    );
    assert_eq!(world.rows().await, 1);
}

#[tokio::test]
async fn a_hundred_equal_deliveries_at_once_queue_one_deployment() {
    let world = World::start().await;
    let mut sent = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let router = world.router.clone();
        sent.spawn(async move {
            router
                .oneshot(main_push().request())
                .await
                .unwrap()
                .status()
                .as_u16()
        });
    }
    let mut statuses = sent.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses.iter().filter(|status| **status == 202).count(), 1);
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 99);
    assert_eq!(world.rows().await, 1);
}

#[tokio::test]
async fn a_page_escapes_what_a_forge_sent_and_runs_no_script() {
    let world = World::start().await;
    let evil = json!({"pusher": {"name": "<script>alert(1)</script>"}});
    let told = world
        .send(Delivery::push("refs/heads/main", &evil))
        .await
        .json();
    let id = told["deployments"][0]["id"].as_str().unwrap().to_owned();
    let line = Event::Line {
        host: None,
        step: "build".to_owned(),
        text: "<img src=x onerror=1> & done".to_owned(),
    };
    world
        .store
        .append(
            &DeploymentId::parse(&id).unwrap(),
            &[line],
            cutover_deploy::now(),
        )
        .await
        .unwrap();

    for path in ["/".to_owned(), format!("/deployments/{id}")] {
        let page = world.get(&path).await;
        assert_eq!(page.status, 200, "{}", page.text);
        assert!(
            !page.text.contains("<script") && !page.text.contains("<img"),
            "{}",
            page.text
        );
        assert!(page.text.contains("&lt;script&gt;"), "{}", page.text);
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
    }
    let page = world.get(&format!("/deployments/{id}")).await.text;
    assert!(
        page.contains("&lt;img src=x onerror=1&gt; &amp; done"),
        "{page}"
    );
    assert!(
        page.contains("http-equiv=\"refresh\""),
        "a page of what is not over looks again by itself"
    );
}

#[tokio::test]
async fn a_deployment_is_shown_as_json_to_who_asks_for_it() {
    let world = World::start().await;
    let told = world.send(main_push()).await.json();
    let id = told["deployments"][0]["id"].as_str().unwrap().to_owned();
    let by_header = Request::get(format!("/deployments/{id}")).header("accept", "application/json");
    let mut answers = vec![world.ask(by_header.body(Body::empty()).unwrap()).await];
    for path in [
        "/deployments/ID.json",
        "/deployments/ID?format=json",
        "/api/v1/deployments/ID",
    ] {
        answers.push(world.get(&path.replace("ID", &id)).await);
    }
    for answer in answers {
        let json = answer.json();
        assert_eq!(
            (&json["id"], &json["state"], &json["commit"]),
            (&json!(id), &json!("queued"), &json!("a".repeat(40)))
        );
        assert_eq!(json["reports"].as_array().unwrap().len(), 3);
    }
    let browser = Request::get(format!("/deployments/{id}"))
        .header("accept", "text/html,application/json;q=0.9");
    assert!(
        world
            .ask(browser.body(Body::empty()).unwrap())
            .await
            .text
            .starts_with("<!doctype html>")
    );
    let places = world.get("/api/v1/environments").await.json();
    assert_eq!(places["environments"][0]["waiting"][0]["id"], json!(id));
    assert_eq!(places["environments"][1]["waiting"], json!([]));
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let world = World::start().await;
    for path in [
        "/deployments/none",
        "/api/v1/deployments/none",
        "/deployments/..%2f..%2fetc.json",
        "/admin",
    ] {
        assert_eq!(world.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_follower_is_told_when_something_happens() {
    let world = World::start().await;
    let told = world.send(main_push()).await.json();
    let id = told["deployments"][0]["id"].as_str().unwrap().to_owned();
    let follow = |path: String| {
        let router = world.router.clone();
        tokio::spawn(async move {
            let request = Request::get(path).body(Body::empty()).unwrap();
            let body = router.oneshot(request).await.unwrap().into_body();
            serde_json::from_slice::<Value>(&body.collect().await.unwrap().to_bytes()).unwrap()
        })
    };
    let waiting = follow(format!("/api/v1/deployments/{id}/events?after=0&wait=true"));
    let note = Event::Note {
        host: None,
        text: "hello".to_owned(),
    };
    world
        .store
        .append(
            &DeploymentId::parse(&id).unwrap(),
            &[note],
            cutover_deploy::now(),
        )
        .await
        .unwrap();
    let told = tokio::time::timeout(Duration::from_secs(10), waiting)
        .await
        .expect("the follower is woken")
        .unwrap();
    assert_eq!(
        (&told["events"][0]["seq"], &told["events"][0]["text"]),
        (&json!(1), &json!("hello"))
    );

    let waiting = follow(format!("/api/v1/deployments/{id}/events?after=1&wait=true"));
    world.stopping.cancel();
    let told = tokio::time::timeout(Duration::from_secs(10), waiting)
        .await
        .expect("a stop frees followers")
        .unwrap();
    assert_eq!(told["events"], json!([]));
}

#[tokio::test]
async fn a_stopping_service_is_not_ready_and_still_keeps_deliveries() {
    let world = World::start().await;
    assert_eq!(world.get("/readyz").await.status, 200);
    world.stopping.cancel();
    assert_eq!(world.get("/readyz").await.status, 503);
    assert_eq!(world.get("/healthz").await.status, 200);
    assert_eq!(world.send(main_push()).await.status, 202);
}

#[tokio::test]
async fn a_ledger_that_is_gone_is_told_as_unavailable_without_a_cause() {
    let world = World::start().await;
    world.store.close().await;
    let told = world.send(main_push()).await;
    assert_eq!(told.status, 503);
    assert_eq!(
        told.json(),
        json!({"error": "the service cannot reach its ledger, try again"})
    );
}
