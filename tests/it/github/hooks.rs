//! Hooks look like GitHub's published ones, and are signed as GitHub signs.

use std::collections::BTreeSet;

use kit::github::{Change, Delivery, published_examples};
use serde_json::{Value, json};

use super::{FIRST, SECOND, SHOP, world};

/// Fields of some examples that only an organization's or an App's hook has.
const OPTIONAL: [&str; 3] = [".organization", ".installation", ".hook.app_id"];

#[tokio::test]
async fn hooks_have_every_field_of_the_published_examples() {
    let github = world().await;
    github.app(77);
    let files = Change::new(SECOND).files(&["a"], &["b"], &["c"]);
    let ours = [
        (
            "push",
            "branch",
            github.push_changes(SHOP, "topic", &[files]),
        ),
        ("push", "tag", github.push_tag(SHOP, "v1", FIRST)),
        ("push", "gone", github.delete_branch(SHOP, "topic")),
        ("ping", "", github.ping(SHOP)),
    ];
    let mut compared = 0;
    for example in published_examples().filter(|example| example.set == "api.github.com") {
        let kind = push_kind(&example.body);
        let Some((_, _, delivery)) = ours
            .iter()
            .find(|(event, of, _)| *event == example.event && *of == kind)
        else {
            continue;
        };
        // A ping of an App or of an organization has no repository: cutover's hooks are made on repositories.
        if example.event == "ping" && example.body["hook"]["type"] != "Repository" {
            continue;
        }
        let (ours, theirs) = (paths(&delivery.json()), paths(&example.body));
        let optional = |path: &&String| OPTIONAL.iter().any(|optional| path.starts_with(optional));
        let missing: Vec<_> = theirs
            .difference(&ours)
            .filter(|path| !optional(path))
            .collect();
        assert!(
            missing.is_empty(),
            "our {} {kind} misses {missing:?}",
            example.event
        );
        compared += 1;
    }
    assert!(
        compared >= 8,
        "seven pushes and a ping are published, only {compared} were compared"
    );
    github.close();
}

#[tokio::test]
async fn a_push_moves_the_branch_and_tells_from_where_to_where() {
    let github = world().await;
    let delivery = github.push(SHOP, "main", SECOND);
    let body = delivery.json();
    assert_eq!(
        (&body["ref"], &body["before"], &body["after"]),
        (&json!("refs/heads/main"), &json!(FIRST), &json!(SECOND))
    );
    assert_eq!(
        (&body["created"], &body["deleted"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(github.head(SHOP, "main").as_deref(), Some(SECOND));
    let gone = github.delete_branch(SHOP, "main").json();
    assert_eq!(
        (&gone["after"], &gone["deleted"], &gone["head_commit"]),
        (&json!("0".repeat(40)), &json!(true), &Value::Null)
    );
    github.close();
}

#[tokio::test]
async fn hooks_carry_the_headers_and_signatures_of_github() {
    let github = world().await;
    github.set_hook_secret("It's a Secret to Everybody");
    let delivery = github.ping(SHOP).with_body("Hello, World!");
    // The vector is the one in GitHub's own manual.
    let known = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    assert_eq!(delivery.header("x-hub-signature-256"), Some(known));
    let names: Vec<_> = delivery
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    insta::assert_snapshot!(names.join("\n"), @"
    Accept
    Content-Type
    User-Agent
    X-GitHub-Delivery
    X-GitHub-Event
    X-GitHub-Hook-ID
    X-GitHub-Hook-Installation-Target-ID
    X-GitHub-Hook-Installation-Target-Type
    X-Hub-Signature
    X-Hub-Signature-256
    ");
    github.close();
}

#[tokio::test]
async fn a_spoilt_delivery_is_spoilt_in_the_told_way_only() {
    let github = world().await;
    let right = github.push(SHOP, "main", SECOND);
    let signature = |delivery: &Delivery| delivery.header("X-Hub-Signature-256").map(str::to_owned);
    let good = signature(&right).unwrap();
    assert_eq!(signature(&right.clone().unsigned()), None);
    assert_eq!(signature(&right.clone().sha1_only()), None);
    assert!(
        right
            .clone()
            .sha1_only()
            .header("X-Hub-Signature")
            .unwrap()
            .starts_with("sha1=")
    );
    assert_eq!(
        signature(&right.clone().with_truncated_signature(32)).unwrap(),
        good[..7 + 32]
    );
    assert_ne!(
        signature(&right.clone().signed_with("another")).unwrap(),
        good
    );
    let tampered = right.clone().tampered();
    assert!(
        signature(&tampered).unwrap() == good
            && tampered.body != right.body
            && tampered.json() == right.json()
    );
    assert_eq!(
        (
            right.clone().id(),
            right.clone().with_new_id().id() == right.id()
        ),
        (right.id(), false)
    );
    assert!(
        github
            .oversized_push(SHOP, "main", SECOND, 30 << 20)
            .body
            .len()
            >= 30 << 20
    );
    github.close();
}

#[tokio::test]
async fn a_delivery_arrives_as_it_was_made() {
    let github = world().await;
    let delivery = github.issue_opened(SHOP, "It is broken");
    let seen = axum::Router::new().route(
        "/hooks/github",
        axum::routing::post(
            |headers: axum::http::HeaderMap, body: axum::body::Bytes| async move {
                format!(
                    "{} {}",
                    headers["x-github-event"].to_str().unwrap(),
                    hex::encode(body)
                )
            },
        ),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hooks/github", listener.local_addr().unwrap());
    let server = tokio::spawn(async { axum::serve(listener, seen).await.unwrap() });
    let reception = delivery.send(&url).await.unwrap();
    server.abort();
    assert_eq!(
        (reception.status, reception.body),
        (200, format!("issues {}", hex::encode(&delivery.body)))
    );
    github.close();
}

#[test]
fn every_published_example_can_be_had() {
    let mut pushes = 0;
    let mut all = 0;
    for example in published_examples() {
        all += 1;
        pushes += usize::from(example.set == "api.github.com" && example.event == "push");
        assert!(
            example.body.is_object(),
            "{} {}",
            example.set,
            example.event
        );
    }
    assert!(pushes == 7 && all > 329, "{pushes} pushes of {all}");
}

fn push_kind(body: &Value) -> &'static str {
    match (body["ref"].as_str(), body["deleted"].as_bool()) {
        (Some(_), Some(true)) => "gone",
        (Some(name), _) if name.starts_with("refs/tags/") => "tag",
        (Some(_), _) => "branch",
        (None, _) => "",
    }
}

/// Every field as a path; lists count by their first element.
fn paths(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(value, "", &mut found);
    found
}

fn collect(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let path = format!("{at}.{name}");
                collect(value, &path, found);
                found.insert(path);
            }
        }
        Value::Array(list) => list
            .first()
            .into_iter()
            .for_each(|value| collect(value, &format!("{at}[]"), found)),
        _ => {}
    }
}
