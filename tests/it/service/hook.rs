//! What comes in at the door: only what is signed is read, and the same delivery counts once.

use std::fmt::Write as _;

use insta::assert_snapshot;
use kit::{REPOSITORY, World, numbered};

#[tokio::test]
async fn a_hundred_equal_deliveries_at_once_are_one_deployment() {
    let world = World::plain().await;
    let (_, delivery) = world
        .commit(vec![("index.html".to_owned(), "two\n".to_owned())])
        .await;
    let sending: Vec<_> = (0..100)
        .map(|_| {
            let (delivery, url) = (delivery.clone(), world.hook_url());
            tokio::spawn(async move { delivery.send(&url).await.map(|reception| reception.status) })
        })
        .collect();
    let mut statuses = Vec::new();
    for sent in sending {
        statuses.push(sent.await.unwrap().unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses[99], 202, "{statuses:?}");
    assert!(
        statuses[..99].iter().all(|status| *status == 200),
        "{statuses:?}"
    );
    world.settled().await;
    assert_eq!(world.outcomes().await, ["deploy deployed"]);
    world.close().await;
}

#[tokio::test]
async fn what_is_not_rightly_signed_is_refused_and_tells_nothing() {
    let world = World::plain().await;
    let sha = world.repo.head().await;
    let push = || world.github.push(REPOSITORY, "main", sha.as_str());
    let deliveries = [
        ("unsigned", push().unsigned()),
        ("wrong", push().with_wrong_signature()),
        ("truncated", push().with_truncated_signature(32)),
        ("sha-1 only", push().sha1_only()),
        ("sha-1 as sha-256", push().sha1_as_sha256()),
        ("tampered", push().tampered()),
        (
            "another secret",
            push().signed_with("another secret of some length"),
        ),
    ];
    let mut said = String::new();
    for (what, delivery) in deliveries {
        let reception = delivery.send(&world.hook_url()).await.unwrap();
        writeln!(
            said,
            "{what}: {} {}",
            reception.status,
            reception.body.trim()
        )
        .unwrap();
    }
    assert_snapshot!(said, @r#"
    unsigned: 401 {"error":"the header X-Hub-Signature-256 is missing"}
    wrong: 401 {"error":"the signature does not match"}
    truncated: 401 {"error":"X-Hub-Signature-256 is malformed"}
    sha-1 only: 401 {"error":"only a SHA-1 signature: X-Hub-Signature-256 is required"}
    sha-1 as sha-256: 401 {"error":"X-Hub-Signature-256 is malformed"}
    tampered: 401 {"error":"the signature does not match"}
    another secret: 401 {"error":"the signature does not match"}
    "#);
    assert!(world.outcomes().await.is_empty());
    world.close().await;
}

#[tokio::test]
async fn what_is_signed_and_no_push_to_a_branch_gets_a_reason() {
    let world = World::plain().await;
    let sha = world.repo.head().await;
    let sha = sha.as_str();
    let deliveries = [
        ("ping", world.github.ping(REPOSITORY)),
        (
            "another branch",
            world.github.push(REPOSITORY, "feature/x", sha),
        ),
        (
            "a deleted branch",
            world.github.delete_branch(REPOSITORY, "feature/x"),
        ),
        ("a tag", world.github.push_tag(REPOSITORY, "v1", sha)),
        (
            "an issue",
            world.github.issue_opened(REPOSITORY, "it hurts"),
        ),
        (
            "no JSON",
            world
                .github
                .ping(REPOSITORY)
                .with_header("x-github-event", "push")
                .with_body("{")
                .with_new_id(),
        ),
    ];
    let mut said = String::new();
    for (what, delivery) in deliveries {
        let reception = delivery.send(&world.hook_url()).await.unwrap();
        writeln!(
            said,
            "{what}: {} {}",
            reception.status,
            reception.body.trim()
        )
        .unwrap();
    }
    assert_snapshot!(numbered(&said), @r#"
    ping: 200 {"delivery":"<id 1>","result":"pong"}
    another branch: 200 {"delivery":"<id 2>","result":"ignored","reason":"no environment follows the branch feature/x"}
    a deleted branch: 200 {"delivery":"<id 3>","result":"ignored","reason":"refs/heads/feature/x was deleted"}
    a tag: 200 {"delivery":"<id 4>","result":"ignored","reason":"refs/tags/v1 is not a branch"}
    an issue: 200 {"delivery":"<id 5>","result":"ignored","reason":"this event asks for nothing here"}
    no JSON: 400 {"error":"the body cannot be read as a push event: it ends too early, line 1 column 1"}
    "#);
    assert!(world.outcomes().await.is_empty());
    world.close().await;
}

#[tokio::test]
async fn a_body_of_30_mb_is_refused_and_the_service_lives() {
    let world = World::plain().await;
    let sha = world.repo.head().await;
    let huge = world
        .github
        .oversized_push(REPOSITORY, "main", sha.as_str(), 30_000_000);
    // The service may answer and close before it has read everything, which a client can see as a broken pipe.
    if let Ok(reception) = huge.send(&world.hook_url()).await {
        assert_eq!(reception.status, 413, "{}", reception.body);
    }
    world.push_file("index.html", "two\n").await;
    world.settled().await;
    assert_eq!(world.outcomes().await, ["deploy deployed"]);
    world.close().await;
}

#[tokio::test]
async fn without_a_secret_the_service_refuses_to_start() {
    let world = World::without_service(kit::WorldOptions::default()).await;
    std::fs::write(world.dir().join("webhook-secret"), "\n").unwrap();
    let log = world.dir().join("refused.log");
    let service = kit::Service::spawn(&world.dir().join("service.toml"), 1, &log);
    let status = service.ended().await;
    assert_eq!(status.code(), Some(2));
    let said = std::fs::read_to_string(log).unwrap();
    assert!(
        said.contains("the webhook secret of GitHub is empty"),
        "{said}"
    );
    world.close().await;
}
