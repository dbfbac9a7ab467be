//! Hooks look like GitLab's published ones, and prove themselves as GitLab's do.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use kit::gitlab::{Delivery, published_hook};
use serde_json::{Value, json};

use super::{FIRST, SECOND, SHOP, world};

#[tokio::test]
async fn hooks_have_every_field_of_the_published_examples() {
    let gitlab = world().await;
    gitlab.open_merge_request(SHOP, 1, "topic", SECOND);
    let ours = [
        ("push", gitlab.push(SHOP, "main", SECOND)),
        ("tag_push", gitlab.push_tag(SHOP, "v1", FIRST)),
        (
            "note_merge_request",
            gitlab.comment(SHOP, 1, "alice", "/help"),
        ),
        (
            "note_commit",
            gitlab.commit_comment(SHOP, FIRST, "alice", "/help"),
        ),
    ];
    for (name, delivery) in ours {
        let (ours, theirs) = (paths(&delivery.json()), paths(&published_hook(name)));
        assert!(theirs.len() > 20, "{name} is no whole body");
        let missing: Vec<_> = theirs.difference(&ours).collect();
        assert!(missing.is_empty(), "our {name} misses {missing:?}");
    }
    gitlab.close();
}

#[tokio::test]
async fn a_deleted_branch_is_a_push_to_nothing() {
    let gitlab = world().await;
    let gone = gitlab.delete_branch(SHOP, "main").json();
    assert_eq!(
        (&gone["object_kind"], &gone["checkout_sha"], &gone["after"]),
        (&json!("push"), &Value::Null, &json!("0".repeat(40)))
    );
    gitlab.close();
}

#[tokio::test]
async fn hooks_carry_the_headers_of_gitlab() {
    let gitlab = world().await;
    let names = |delivery: &Delivery| {
        let names: Vec<_> = delivery
            .headers
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        names.join(", ")
    };
    let plain = gitlab.push(SHOP, "main", SECOND);
    insta::assert_snapshot!(names(&plain), @"Content-Type, User-Agent, X-Gitlab-Event, X-Gitlab-Instance, X-Gitlab-Webhook-UUID, X-Gitlab-Event-UUID, X-Gitlab-Token, Idempotency-Key");
    gitlab.sign_hooks();
    let signed = gitlab.push(SHOP, "main", SECOND);
    insta::assert_snapshot!(names(&signed), @"Content-Type, User-Agent, X-Gitlab-Event, X-Gitlab-Instance, X-Gitlab-Webhook-UUID, X-Gitlab-Event-UUID, X-Gitlab-Token, Idempotency-Key, webhook-id, webhook-timestamp, webhook-signature");
    assert_eq!(
        signed.header("webhook-id"),
        signed.header("idempotency-key")
    );
    gitlab.drop_hook_token();
    let without = gitlab.push(SHOP, "main", SECOND);
    assert_eq!(without.header("x-gitlab-token"), None);
    gitlab.close();
}

#[tokio::test]
async fn a_spoilt_delivery_is_spoilt_in_the_told_way_only() {
    let gitlab = world().await;
    let secret = gitlab.sign_hooks();
    let right = gitlab.push(SHOP, "main", SECOND);
    let signature = |delivery: &Delivery| delivery.header("webhook-signature").map(str::to_owned);
    let good = signature(&right).unwrap();
    assert_eq!(
        signature(
            &right
                .clone()
                .signed_with(&secret)
                .with_body(&right.body[..])
        )
        .unwrap()
        .len(),
        good.len()
    );
    assert_eq!(signature(&right.clone().unsigned()), None);
    let tampered = right.clone().tampered();
    assert!(signature(&tampered).unwrap() == good && tampered.body != right.body);
    assert!(
        signature(&right.clone().with_two_signatures())
            .unwrap()
            .ends_with(&format!(" {good}"))
    );
    let old = right.clone().signed_ago(SignedDuration::from_mins(6));
    assert_ne!(
        old.header("webhook-timestamp"),
        right.header("webhook-timestamp")
    );
    assert_eq!(
        (old.id(), right.clone().with_new_id().id() == right.id()),
        (right.id(), false)
    );
    gitlab.close();
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
        Value::Array(list) => {
            if let Some(value) = list.first() {
                collect(value, &format!("{at}[]"), found);
            }
        }
        _ => {}
    }
}
