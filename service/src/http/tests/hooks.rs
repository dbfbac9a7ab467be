use super::*;

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
    let mut delivery = main_push();
    delivery.body = vec![b' '; 30 * 1024 * 1024];
    let told = world.send(delivery).await;
    let reason = json!({"error": "the body is larger than 25 MiB"});
    assert_eq!((told.status, told.json()), (413, reason));
    for (bytes, fits) in [(body::LARGEST_BODY, true), (body::LARGEST_BODY + 1, false)] {
        let read = body::read(Body::from(vec![b' '; bytes]), Duration::from_mins(1)).await;
        assert_eq!(read.is_ok(), fits, "{bytes} bytes");
    }
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
async fn without_a_sound_signature_no_byte_of_the_body_is_waited_for() {
    let world = World::start().await;
    let unsigned = main_push().without("x-hub-signature-256");
    let malformed = main_push().with("x-hub-signature-256", "sha256=00");
    let _rooms = world.door.bodies.acquire_many(32).await.unwrap();
    for delivery in [unsigned, malformed] {
        let (parts, _) = delivery.request().into_parts();
        let (body, _held) = silent();
        let request = Request::from_parts(parts, body);
        let told = tokio::time::timeout(Duration::from_secs(10), world.ask(request)).await;
        assert_eq!(told.expect("an answer without the body").status, 401);
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let (body, _held) = silent();
    let late = body::read(body, Duration::from_millis(20)).await;
    let status = late.unwrap_err().into_response().status();
    assert_eq!(status.as_u16(), 408);
}

#[tokio::test]
async fn a_caller_who_hangs_up_early_leaves_a_delivery_that_is_kept_whole() {
    let world = World::start().await;
    let mut changes = world.store.changes();
    let mut call = Box::pin(world.router.clone().oneshot(main_push().request()));
    // Polled until the ledger is at work, then dropped as a server does when its client is gone.
    let waker = &mut std::task::Context::from_waker(std::task::Waker::noop());
    assert!(call.as_mut().poll(waker).is_pending());
    drop(call);
    let kept = tokio::time::timeout(Duration::from_secs(20), changes.recv()).await;
    let id = kept.expect("the deployment is queued").unwrap();
    assert!(world.store.deployment(&id).await.unwrap().is_some());
    let again = world.send(main_push()).await;
    assert_eq!(again.json()["result"], "duplicate");
}

/// A body that never comes, as long as the other end is held.
fn silent() -> (Body, tokio::io::DuplexStream) {
    let (held, silent) = tokio::io::duplex(1);
    let stream = tokio_util::io::ReaderStream::new(silent);
    (Body::from_stream(stream), held)
}
