//! What of GitLab's notes is heard at all, and which proof they need.

use std::fmt::Write as _;

use insta::assert_snapshot;
use jiff::SignedDuration;
use kit::WorldOptions;
use kit::gitlab::Delivery;
use serde_json::json;

use super::*;

async fn answers(world: &World, deliveries: Vec<(&str, Delivery)>) -> String {
    let mut said = String::new();
    for (what, delivery) in deliveries {
        let reception = delivery.send(&world.hook_url()).await.unwrap();
        let body: Value = serde_json::from_str(&reception.body).unwrap();
        let why = body.get("reason").or(body.get("error"));
        writeln!(
            said,
            "{what}: {} {}",
            reception.status,
            why.unwrap_or(&body)
        )
        .unwrap();
    }
    said
}

#[tokio::test]
async fn what_nobody_meant_as_a_command_does_nothing() {
    let world = on_gitlab().await;
    let gitlab = world.gitlab();
    let say = |who: &str, text: &str| gitlab.comment(REPOSITORY, CHANGE, who, text);
    let changed = |field: &str, value: Value| {
        let delivery = say("alice", "/rollback production");
        let mut body = delivery.json();
        body["object_attributes"][field] = value;
        delivery.with_body(body.to_string())
    };
    let ours = "<!-- cutover:{\"v\":1} -->\n/rollback production";
    let deliveries = vec![
        ("edited", changed("action", json!("update"))),
        ("of an old GitLab", changed("action", Value::Null)),
        ("of the system", changed("system", json!(true))),
        ("internal", changed("internal", json!(true))),
        ("on an issue", changed("noteable_type", json!("Issue"))),
        (
            "of a token",
            say("project_7_bot_1a2b", "/rollback production"),
        ),
        (
            "of a group's token",
            say("group_7_bot", "/rollback production"),
        ),
        ("of ours", say("deployer", ours)),
        ("code", say("alice", "```\n/rollback production\n```")),
        ("quote", say("alice", "> /rollback production")),
        ("hidden", say("alice", "<!--\n/rollback production\n-->")),
        ("of GitLab's own", say("alice", "Freeze!\n/lock production")),
        ("of another bot", say("alice", "/assign @bob")),
    ];
    assert_snapshot!(answers(&world, deliveries).await, @r#"
    edited: 200 "only new comments are read"
    of an old GitLab: 200 "only new comments are read"
    of the system: 200 "this is GitLab's own note"
    internal: 200 "internal comments are not read"
    on an issue: 200 "only comments on merge requests and commits are read"
    of a token: 200 "comments of bots are not read"
    of a group's token: 200 "comments of bots are not read"
    of ours: 200 "this is a reply of ours"
    code: 200 "the comment holds no command"
    quote: 200 "the comment holds no command"
    hidden: 200 "the comment holds no command"
    of GitLab's own: 200 "the comment holds no command"
    of another bot: 200 "the comment holds no command"
    "#);
    world.settled().await;
    assert_eq!(world.outcomes().await, ["deploy deployed"]);
    assert_eq!(world.production().await["holds"], json!([]));
    assert!(!talk(&world).contains("**"), "{}", talk(&world));
    world.close().await;
}

#[tokio::test]
async fn a_command_proves_itself_like_a_push() {
    let mut world = World::without_service(WorldOptions {
        gitlab: true,
        ..WorldOptions::default()
    })
    .await;
    world.sign_hooks();
    world.start_service().await;
    let head = world.repo.head().await;
    let gitlab = world.gitlab();
    gitlab.set_level(REPOSITORY, "alice", 30);
    gitlab.open_merge_request(REPOSITORY, CHANGE, "topic", head.as_str());
    let lock = || gitlab.comment(REPOSITORY, CHANGE, "alice", ".lock production");
    let deliveries = vec![
        ("not signed", lock().unsigned()),
        (
            "nothing",
            lock().unsigned().without_header("x-gitlab-token"),
        ),
        (
            "by another",
            lock().signed_with("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        ),
        ("tampered", lock().tampered()),
        ("stale", lock().signed_ago(SignedDuration::from_mins(6))),
    ];
    assert_snapshot!(answers(&world, deliveries).await, @r#"
    not signed: 401 "the request is not signed: webhook-id, webhook-timestamp and webhook-signature are required"
    nothing: 401 "the request is not signed: webhook-id, webhook-timestamp and webhook-signature are required"
    by another: 401 "the signature does not match"
    tampered: 401 "the signature does not match"
    stale: 401 "the signature is more than five minutes old, or from the future"
    "#);
    assert_eq!(world.production().await["holds"], json!([]));
    let right = lock();
    taken(&right.send(&world.hook_url()).await.unwrap(), 202);
    answered(&world, 1).await;
    // The same request again is the same command.
    let again = right.send(&world.hook_url()).await.unwrap();
    assert!(taken(&again, 200).contains("duplicate"), "{}", again.body);
    assert_eq!(world.production().await["holds"][0]["owner"], "alice");
    world.close().await;
}

#[tokio::test]
async fn a_comment_that_is_sent_again_is_no_second_command() {
    let world = on_gitlab().await;
    world.gitlab().set_level(REPOSITORY, "bob", 40);
    let lock = world
        .gitlab()
        .comment(REPOSITORY, CHANGE, "alice", ".lock production");
    taken(&lock.send(&world.hook_url()).await.unwrap(), 202);
    answered(&world, 1).await;
    say(&world, "alice", ".unlock production").await;
    answered(&world, 2).await;
    // As the test button of the webhook's page sends it, for its writer and for somebody else.
    let again = lock.clone().with_new_id();
    let mut body = lock.json();
    body["user"]["id"] = json!(1);
    body["user"]["username"] = json!("bob");
    let by_another = lock.with_body(body.to_string()).with_new_id();
    let said = answers(&world, vec![("again", again), ("by another", by_another)]).await;
    let said = kit::numbered(&said);
    assert_snapshot!(said, @r#"
    again: 200 {"delivery":"<id 1>","result":"duplicate","first":{"result":"commands","commands":[{"id":"<id 2>","line":".lock production"}]}}
    by another: 200 "somebody else has sent this comment again"
    "#);
    assert_eq!(world.production().await["holds"], json!([]));
    world.close().await;
}

#[tokio::test]
async fn a_command_at_the_other_forges_address_is_sent_to_the_right_one() {
    let world = on_gitlab().await;
    let text = "/rollback production";
    let here = world.gitlab().comment(REPOSITORY, CHANGE, "alice", text);
    let (gitlab, github) = (
        world.hook_url(),
        world.hook_url().replace("gitlab", "github"),
    );
    let head = world.repo.head().await;
    world
        .github
        .open_pull(REPOSITORY, CHANGE, "topic", head.as_str());
    let there = world.github.comment(REPOSITORY, CHANGE, "alice", text);
    let said = [
        here.send(&github).await.unwrap(),
        there.send(&gitlab).await.unwrap(),
    ];
    let said = said.map(|reception| format!("{} {}", reception.status, reception.body));
    assert_snapshot!(said.join("\n"), @r#"
    400 {"error":"this is GitLab's: let its webhook send to /hooks/gitlab"}
    400 {"error":"this is GitHub's: let its webhook send to /hooks/github"}
    "#);
    assert_eq!(world.outcomes().await, ["deploy deployed"]);
    world.close().await;
}
