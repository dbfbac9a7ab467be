//! The door for GitLab: hooks come in, deployments go out, reports go back.

use std::fmt::Write as _;
use std::time::Duration;

use insta::assert_snapshot;
use jiff::SignedDuration;
use kit::gitlab::{Delivery, Trouble};
use kit::{REPOSITORY, World, WorldOptions, numbered};

/// A world whose hooks are signed.
async fn signed() -> World {
    let mut world = World::without_service(WorldOptions {
        gitlab: true,
        ..WorldOptions::default()
    })
    .await;
    world.sign_hooks();
    world.start_service().await;
    world
}

async fn say(world: &World, deliveries: Vec<(&str, Delivery)>) -> String {
    let mut said = String::new();
    for (what, delivery) in deliveries {
        let reception = delivery.send(&world.hook_url()).await.unwrap();
        let (status, body) = (reception.status, reception.body);
        writeln!(said, "{what}: {status} {}", body.trim()).unwrap();
    }
    numbered(&said)
}

#[tokio::test]
async fn a_push_becomes_live_and_gitlab_hears_of_it() {
    let world = World::on_gitlab().await;
    world.push_file("index.html", "two\n").await;
    world.settled().await;
    assert_eq!(
        world.outcomes().await,
        ["deploy deployed"],
        "{}",
        world.service().log()
    );
    world.reported().await;
    assert_snapshot!(world.forge(), @r#"
    acme/shop
      <commit 1> main cutover/production http://127.0.0.1:<port>/deployments/<id 1>
        pending "queued"
        running "deploying to production"
        success "<release 1> is live on production"
      environment production https://shop.example.com
      deployment 1 production <commit 1> main running > success
    "#);
    world.close().await;
}

#[tokio::test]
async fn an_ill_push_is_taken_back_and_gitlab_hears_what_is_live_again() {
    let world = World::on_gitlab().await;
    world.push_file("index.html", "two\n").await;
    world.settled().await;
    world.push_file("ok", "false").await;
    world.settled().await;
    assert_eq!(
        world.outcomes().await,
        ["deploy rolled_back", "deploy deployed"]
    );
    world.reported().await;
    assert_snapshot!(world.host.picture().await, @"
    current -> releases/1
    releases/1/
    releases/2/
    .cutover/fence 2
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/2.json rolled-back
    .cutover/steps/<1>/
    .cutover/steps/<2>/
    ");
    assert_snapshot!(world.forge(), @r#"
    acme/shop
      <commit 1> main cutover/production http://127.0.0.1:<port>/deployments/<id 1>
        pending "queued"
        running "deploying to production"
        success "<release 1> is live on production"
      <commit 2> main cutover/production http://127.0.0.1:<port>/deployments/<id 2>
        pending "queued"
        running "deploying to production"
        failed "rolled back, <release 1> is live again: health on web1: http://127.0.0.1:<port>/health did not become healthy in 3 attempts: ok…"
      environment production https://shop.example.com
      deployment 1 production <commit 1> main running > success
      deployment 2 production <commit 2> main running > failed
      deployment 3 production <commit 1> main running > success
    "#);
    world.close().await;
}

#[tokio::test]
async fn what_waited_and_was_superseded_is_cancelled_and_never_entered() {
    let world = World::on_gitlab().await;
    world.host.hold_at("unpack");
    world.push_file("index.html", "two\n").await;
    world.host.reached("unpack").await;
    world.push_file("index.html", "three\n").await;
    world.push_file("index.html", "four\n").await;
    world.host.mend_step("unpack");
    world.settled().await;
    world.reported().await;
    assert_snapshot!(world.forge(), @r#"
    acme/shop
      <commit 1> main cutover/production http://127.0.0.1:<port>/deployments/<id 1>
        pending "queued"
        running "deploying to production"
        success "<release 1> is live on production"
      <commit 2> main cutover/production http://127.0.0.1:<port>/deployments/<id 2>
        pending "queued"
        canceled "superseded by 2a3bc4a before it began"
      <commit 3> main cutover/production http://127.0.0.1:<port>/deployments/<id 3>
        pending "queued"
        running "deploying to production"
        success "<release 2> is live on production"
      environment production https://shop.example.com
      deployment 1 production <commit 1> main running > success
      deployment 2 production <commit 3> main running > success
    "#);
    world.close().await;
}

#[tokio::test]
async fn a_gitlab_that_is_down_stops_no_deployment_and_hears_of_it_later() {
    let mut world = World::on_gitlab().await;
    world.gitlab().go_down();
    world.push_file("index.html", "two\n").await;
    world.settled().await;
    assert_eq!(world.outcomes().await, ["deploy deployed"]);
    world.take_service().kill();
    world.gitlab().come_back();
    world.start_service().await;
    world.reported().await;
    let gitlab = world.gitlab();
    // How much of the story is left to tell depends on how often it was tried meanwhile; its end never does.
    let marks = gitlab.statuses(REPOSITORY, world.repo.head().await.as_str());
    let states: Vec<_> = marks.iter().map(|mark| mark.state().to_owned()).collect();
    assert_eq!(states, ["success"], "{}", world.forge());
    let made = gitlab.deployments(REPOSITORY);
    let states: Vec<_> = made.iter().map(|made| made.state().to_owned()).collect();
    assert_eq!(states, ["success"], "{}", world.forge());
    world.close().await;
}

#[tokio::test]
async fn lost_answers_and_updates_at_once_make_nothing_twice() {
    let world = World::on_gitlab().await;
    let gitlab = world.gitlab();
    gitlab.answer_next_to("/statuses/", 1, Trouble::Fails(409));
    gitlab.answer_next_to("/statuses/", 1, Trouble::DoesThenCut);
    gitlab.answer_next_to("/environments", 1, Trouble::DoesThenFails(502));
    gitlab.answer_next_to("/deployments", 1, Trouble::DoesThenCut);
    world.push_file("index.html", "two\n").await;
    world.settled().await;
    world.reported().await;
    assert_eq!(gitlab.troubles_left(), 0, "{:#?}", gitlab.requests());
    let made = gitlab.deployments(REPOSITORY);
    assert_eq!(made.len(), 1, "{}", world.forge());
    assert_eq!(made[0].state(), "success", "{}", world.forge());
    let marks = gitlab.statuses(REPOSITORY, world.repo.head().await.as_str());
    assert_eq!(marks.len(), 1, "{}", world.forge());
    assert_eq!(marks[0].state(), "success", "{}", world.forge());

    gitlab.answer_next_to("/deployments/", 1, Trouble::DoesThenFails(500));
    world.push_file("index.html", "three\n").await;
    world.settled().await;
    world.reported().await;
    assert_eq!(gitlab.troubles_left(), 0, "{:#?}", gitlab.requests());
    let made = gitlab.deployments(REPOSITORY);
    assert_eq!(made.len(), 2, "{}", world.forge());
    assert_eq!(made[1].states, ["running", "success"]);
    world.close().await;
}

#[tokio::test]
async fn a_limit_is_waited_for_as_long_as_it_says() {
    let world = World::on_gitlab().await;
    let wait = Duration::from_secs(2);
    world.gitlab().answer_next(1, Trouble::TooMany(wait));
    let began = std::time::Instant::now();
    world.push_file("index.html", "two\n").await;
    world
        .gitlab()
        .until("the first mark", |gitlab| gitlab.requests().len() > 1)
        .await;
    assert!(began.elapsed() >= wait, "{:?}", began.elapsed());
    world.settled().await;
    world.reported().await;
    world.close().await;
}

#[tokio::test]
async fn a_token_that_may_not_is_told_on_the_page_and_stops_no_deployment() {
    let mut world = World::without_service(WorldOptions {
        gitlab: true,
        ..WorldOptions::default()
    })
    .await;
    let weak = world
        .gitlab()
        .token_with(&["read_api"], kit::gitlab::Role::Developer);
    std::fs::write(world.dir().join("gitlab-token"), &weak).unwrap();
    world.start_service().await;
    world.push_file("index.html", "two\n").await;
    world.settled().await;
    assert_eq!(world.outcomes().await, ["deploy deployed"]);
    world.reported().await;
    let production = world.production().await;
    let id = production["ended"][0]["id"].as_str().unwrap();
    let whole = world
        .service()
        .json(&format!("/api/v1/deployments/{id}"))
        .await;
    let first = &whole["reports"][0];
    assert_eq!(first["state"], "given_up", "{whole:#}");
    let why = first["error"].as_str().unwrap();
    assert!(
        why.starts_with("GitLab answered 403: insufficient_scope"),
        "{why}"
    );
    assert!(!world.gitlab().take_unexpected().is_empty());
    world.close().await;
}

#[tokio::test]
async fn a_signed_push_becomes_live_and_a_request_that_proves_less_is_refused() {
    let world = signed().await;
    let sha = world.repo.head().await;
    let gitlab = world.gitlab();
    let push = || gitlab.push(REPOSITORY, "main", sha.as_str());
    let deliveries = vec![
        ("token only", push().unsigned()),
        (
            "no proof",
            push().unsigned().without_header("x-gitlab-token"),
        ),
        (
            "wrong",
            push().signed_with("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        ),
        ("tampered", push().tampered()),
        ("another id", push().with_header("webhook-id", "another")),
        ("stale", push().signed_ago(SignedDuration::from_mins(6))),
        ("early", push().signed_ago(SignedDuration::from_mins(-6))),
        (
            "malformed",
            push().with_header("webhook-signature", "sha256=00"),
        ),
    ];
    assert_snapshot!(say(&world, deliveries).await, @r#"
    token only: 401 {"error":"the request is not signed: webhook-id, webhook-timestamp and webhook-signature are required"}
    no proof: 401 {"error":"the request is not signed: webhook-id, webhook-timestamp and webhook-signature are required"}
    wrong: 401 {"error":"the signature does not match"}
    tampered: 401 {"error":"the signature does not match"}
    another id: 401 {"error":"the signature does not match"}
    stale: 401 {"error":"the signature is more than five minutes old, or from the future"}
    early: 401 {"error":"the signature is more than five minutes old, or from the future"}
    malformed: 401 {"error":"webhook-id, webhook-timestamp or webhook-signature is malformed"}
    "#);
    assert!(world.outcomes().await.is_empty());
    let (_, reception) = world
        .push(vec![("index.html".to_owned(), "two\n".to_owned())])
        .await;
    assert_eq!(reception.status, 202, "{}", reception.body);
    world.settled().await;
    let head = world.repo.head().await;
    let twice = gitlab
        .push(REPOSITORY, "main", head.as_str())
        .with_two_signatures();
    assert_eq!(twice.send(&world.hook_url()).await.unwrap().status, 202);
    world.settled().await;
    assert_eq!(
        world.outcomes().await,
        ["deploy unchanged", "deploy deployed"]
    );
    world.close().await;
}

#[tokio::test]
async fn without_a_signing_secret_the_token_must_be_right() {
    let world = World::on_gitlab().await;
    let sha = world.repo.head().await;
    let push = || world.gitlab().push(REPOSITORY, "main", sha.as_str());
    let right = world.gitlab().hook_token();
    let deliveries = vec![
        ("missing", push().without_header("x-gitlab-token")),
        (
            "wrong",
            push().with_header("x-gitlab-token", "another token of some length"),
        ),
        (
            "its beginning",
            push().with_header("x-gitlab-token", &right[..right.len() - 1]),
        ),
        ("empty", push().with_header("x-gitlab-token", "")),
    ];
    assert_snapshot!(say(&world, deliveries).await, @r#"
    missing: 401 {"error":"the header X-Gitlab-Token is missing"}
    wrong: 401 {"error":"the token does not match"}
    its beginning: 401 {"error":"the token does not match"}
    empty: 401 {"error":"the token does not match"}
    "#);
    assert!(world.outcomes().await.is_empty());
    world.close().await;
}

#[tokio::test]
async fn a_replay_is_one_deployment_whatever_its_unsigned_headers_say() {
    let world = signed().await;
    let sha = world.repo.head().await;
    let push = world.gitlab().push(REPOSITORY, "main", sha.as_str());
    let again = push.clone().with_header("idempotency-key", "another");
    let again = again.with_header("x-gitlab-event-uuid", "another");
    let said = say(&world, vec![("first", push.clone()), ("replay", again)]).await;
    world.settled().await;
    assert!(
        said.contains("first: 202") && said.contains("replay: 200"),
        "{said}"
    );
    assert!(said.contains(r#""result":"duplicate""#), "{said}");
    assert_eq!(world.outcomes().await.len(), 1);
    world.close().await;
}

#[tokio::test]
async fn deliveries_are_told_apart_by_key_and_never_by_event_uuid() {
    let world = World::on_gitlab().await;
    let sha = world.repo.head().await;
    let push = world.gitlab().push(REPOSITORY, "main", sha.as_str());
    let old = push.clone().without_id();
    let said = say(
        &world,
        vec![
            ("first", push.clone()),
            ("same key", push.clone()),
            ("same event uuid", push.clone().with_new_id()),
            ("no key", old.clone()),
            ("no key again", old.clone()),
            (
                "no key, another body",
                old.with_body(format!("{} ", String::from_utf8_lossy(&push.body))),
            ),
        ],
    )
    .await;
    world.settled().await;
    let statuses: Vec<_> = said
        .lines()
        .map(|line| line.split_once(" {").unwrap().0)
        .collect();
    assert_eq!(
        statuses,
        [
            "first: 202",
            "same key: 200",
            "same event uuid: 202",
            "no key: 202",
            "no key again: 200",
            "no key, another body: 202"
        ]
    );
    world.close().await;
}

#[tokio::test]
async fn what_is_no_push_to_a_branch_gets_a_reason() {
    let world = World::on_gitlab().await;
    let sha = world.repo.head().await;
    let gitlab = world.gitlab();
    gitlab.open_merge_request(REPOSITORY, 7, "topic", sha.as_str());
    let nice = || gitlab.comment(REPOSITORY, 7, "alice", "nice");
    let deliveries = vec![
        (
            "another branch",
            gitlab.push(REPOSITORY, "feature/x", sha.as_str()),
        ),
        (
            "a deleted branch",
            gitlab.delete_branch(REPOSITORY, "feature/x"),
        ),
        ("a tag", gitlab.push_tag(REPOSITORY, "v1", sha.as_str())),
        ("a comment", nice()),
        ("no JSON", nice().with_body("{")),
        ("GitHub's", nice().with_header("x-github-event", "push")),
    ];
    assert_snapshot!(say(&world, deliveries).await, @r#"
    another branch: 200 {"delivery":"<id 1>","result":"ignored","reason":"no environment follows the branch feature/x"}
    a deleted branch: 200 {"delivery":"<id 2>","result":"ignored","reason":"refs/heads/feature/x was deleted"}
    a tag: 200 {"delivery":"<id 3>","result":"ignored","reason":"refs/tags/v1 is not a branch"}
    a comment: 200 {"delivery":"<id 4>","result":"ignored","reason":"the comment holds no command"}
    no JSON: 400 {"error":"the body cannot be read as a Note Hook: it ends too early, line 1 column 1"}
    GitHub's: 400 {"error":"this is GitHub's: let its webhook send to /hooks/github"}
    "#);
    let theirs = world
        .github
        .ping(REPOSITORY)
        .send(&world.hook_url())
        .await
        .unwrap();
    assert_eq!(theirs.status, 400, "{}", theirs.body);
    assert!(theirs.body.contains("/hooks/github"), "{}", theirs.body);
    let here = world.hook_url().replace("gitlab", "github");
    let ours = nice().send(&here).await.unwrap();
    assert_eq!(ours.status, 400, "{}", ours.body);
    assert!(ours.body.contains("/hooks/gitlab"), "{}", ours.body);
    let none = world.github.ping(REPOSITORY).send(&here).await.unwrap();
    assert_eq!(none.status, 404, "{}", none.body);
    assert!(world.outcomes().await.is_empty());
    world.close().await;
}
