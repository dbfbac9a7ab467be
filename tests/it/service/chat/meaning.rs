//! What counts as a command, what is meant by it, and where it is answered.

use std::fmt::Write as _;

use insta::assert_snapshot;
use kit::github::{Delivery, Trouble};
use kit::{REPOSITORY, World};
use serde_json::Value;

use super::scene::{CHANGE, answered, live, push, say, taken, talk, world};

/// Sends a hook, which must get this status.
async fn send(world: &World, delivery: &Delivery, status: u16) -> String {
    let reception = delivery.send(&world.hook_url()).await.unwrap();
    taken(&reception, status).to_owned()
}

#[tokio::test]
async fn what_nobody_meant_as_a_command_does_nothing() {
    let world = world().await;
    let alice = |text: &str| world.github.comment(REPOSITORY, CHANGE, "alice", text);
    let edited = |action: &str| {
        let delivery = alice("/rollback production");
        let mut body = delivery.json();
        body["action"] = action.into();
        delivery.with_body(body.to_string())
    };
    let mut on_issue = alice("/rollback production").json();
    on_issue["issue"]
        .as_object_mut()
        .unwrap()
        .remove("pull_request");
    let deliveries = [
        ("edited", edited("edited")),
        ("deleted", edited("deleted")),
        (
            "bot",
            world
                .github
                .comment(REPOSITORY, CHANGE, "helper[bot]", "/rollback production"),
        ),
        (
            "issue",
            alice("x").with_body(on_issue.to_string()).with_new_id(),
        ),
        ("code", alice("```\n/rollback production\n```")),
        ("quote", alice("> /rollback production")),
        ("hidden", alice("<!--\n/rollback production\n-->")),
        ("long", alice(&"no command ".repeat(5_900))),
        ("other bot", alice("/assign @bob")),
    ];
    let mut said = String::new();
    for (what, delivery) in deliveries {
        let body = send(&world, &delivery, 200).await;
        let body: Value = serde_json::from_str(&body).unwrap();
        writeln!(said, "{what}: {}", body["reason"]).unwrap();
    }
    assert_snapshot!(said, @r#"
    edited: "only new comments are read"
    deleted: "only new comments are read"
    bot: "comments of bots are not read"
    issue: "comments on issues are not read, only on pull requests and commits"
    code: "the comment holds no command"
    quote: "the comment holds no command"
    hidden: "the comment holds no command"
    long: "the comment holds no command"
    other bot: "the comment holds no command"
    "#);
    world.settled().await;
    assert_eq!(world.outcomes().await, ["deploy deployed"]);
    assert!(
        !world.github.talk(REPOSITORY).contains("deployer"),
        "{}",
        talk(&world)
    );
    world.close().await;
}

#[tokio::test]
async fn a_rollback_with_nothing_to_return_to_says_so_and_holds_nothing() {
    let world = world().await;
    say(&world, "alice", "/rollback production").await;
    answered(&world, 1).await;
    say(&world, "alice", "/rollback production 3").await;
    answered(&world, 2).await;
    say(&world, "alice", "/rollback prodution").await;
    answered(&world, 3).await;
    assert_eq!(live(&world), "two");
    assert_eq!(world.production().await["holds"], Value::Array(Vec::new()));
    assert_snapshot!(talk(&world), @r#"
    alice [eyes confused]
      /rollback production
    deployer
      <!-- cutover:{"v":1,"command":"<id 1>","deployment":"<id 2>","state":"refused"} -->
      **Rollback refused**: the previous healthy release on `production`, asked for by `alice`.
      
      Nothing was changed.
      
      ```text
      plan: there is no earlier release that was healthy on every host
      See what is there with `cutover releases production`, or deploy the commit that you want.
      ```
      
      [Follow it](http://127.0.0.1:<port>/deployments/<id 2>)
    alice [eyes confused]
      /rollback production 3
    deployer
      <!-- cutover:{"v":1,"command":"<id 3>","deployment":null,"state":"stale_ref"} -->
      **Refused** (`stale_ref`). There are fewer than 3 healthy releases before the live one.
    alice [eyes confused]
      /rollback prodution
    deployer
      <!-- cutover:{"v":1,"command":"<id 4>","deployment":null,"state":"invalid_environment"} -->
      **Refused** (`invalid_environment`). There is no environment `prodution` here.
      
      Did you mean `production`? There is `production`.
    "#);
    world.close().await;
}

#[tokio::test]
async fn a_rollback_goes_as_far_back_as_it_is_told() {
    let world = world().await;
    let two = world.repo.head().await;
    for text in ["three", "four"] {
        push(&world, text).await;
        world.settled().await;
    }
    say(&world, "alice", "/rollback production 2 --no-lock").await;
    answered(&world, 1).await;
    assert_eq!(live(&world), "two");
    push(&world, "five").await;
    world.settled().await;
    assert_eq!(live(&world), "five", "nothing is held");
    say(
        &world,
        "alice",
        &format!("/rollback production {}", two.short()),
    )
    .await;
    answered(&world, 2).await;
    assert_eq!(live(&world), "two");
    world.close().await;
}

#[tokio::test]
async fn a_commit_a_branch_and_the_head_of_a_pull_request_are_deployed_by_comment() {
    let world = world().await;
    let two = world.repo.head().await;
    push(&world, "three").await;
    world.settled().await;
    say(
        &world,
        "alice",
        &format!("/deploy {} to production", two.short()),
    )
    .await;
    answered(&world, 1).await;
    assert_eq!(live(&world), "two");
    say(&world, "alice", "/deploy main production").await;
    answered(&world, 2).await;
    assert_eq!(live(&world), "three");
    world
        .github
        .open_pull(REPOSITORY, CHANGE, "topic", two.as_str());
    say(&world, "alice", "/deploy to production").await;
    answered(&world, 3).await;
    assert_eq!(live(&world), "two");
    for (at, text) in ["/deploy", "/deploy nowhere to production"]
        .iter()
        .enumerate()
    {
        say(&world, "alice", text).await;
        answered(&world, 4 + at).await;
    }
    world.github.close_pull(REPOSITORY, CHANGE);
    say(&world, "alice", "/deploy to production").await;
    answered(&world, 6).await;
    world
        .github
        .open_pull_of_fork(REPOSITORY, CHANGE, two.as_str());
    say(&world, "alice", "/deploy to production").await;
    answered(&world, 7).await;
    assert_eq!(
        world.outcomes().await.len(),
        5,
        "{:?}",
        world.outcomes().await
    );
    assert_snapshot!(talk(&world), @r#"
    alice [eyes rocket]
      /deploy efe3fc2 to production
    deployer
      <!-- cutover:{"v":1,"command":"<id 1>","deployment":"<id 2>","state":"deployed"} -->
      **Deployment done**: `efe3fc2` on `production`, asked for by `alice`.
      
      `<release 1>` is live and healthy; before it was `<release 2>`.
      
      [Follow it](http://127.0.0.1:<port>/deployments/<id 2>)
    alice [eyes rocket]
      /deploy main production
    deployer
      <!-- cutover:{"v":1,"command":"<id 3>","deployment":"<id 4>","state":"deployed"} -->
      **Deployment done**: `main` at `91b1cda` on `production`, asked for by `alice`.
      
      `<release 3>` is live and healthy; before it was `<release 1>`.
      
      [Follow it](http://127.0.0.1:<port>/deployments/<id 4>)
    alice [eyes rocket]
      /deploy to production
    deployer
      <!-- cutover:{"v":1,"command":"<id 5>","deployment":"<id 6>","state":"deployed"} -->
      **Deployment done**: `efe3fc2` on `production`, asked for by `alice`.
      
      `<release 4>` is live and healthy; before it was `<release 3>`.
      
      [Follow it](http://127.0.0.1:<port>/deployments/<id 6>)
    alice [eyes confused]
      /deploy
    deployer
      <!-- cutover:{"v":1,"command":"<id 7>","deployment":null,"state":"naked_command_disabled"} -->
      **Refused** (`naked_command_disabled`). Which environment? There is `production`.
      
      Write `/deploy to production`.
    alice [eyes confused]
      /deploy nowhere to production
    deployer
      <!-- cutover:{"v":1,"command":"<id 8>","deployment":null,"state":"stale_ref"} -->
      **Refused** (`stale_ref`). There is no branch, tag or commit `nowhere`.
    alice [eyes confused]
      /deploy to production
    deployer
      <!-- cutover:{"v":1,"command":"<id 9>","deployment":null,"state":"closed_pr"} -->
      **Refused** (`closed_pr`). This change is closed.
      
      Name what to deploy: `/deploy <branch|tag|commit> to <environment>`.
    alice [eyes confused]
      /deploy to production
    deployer
      <!-- cutover:{"v":1,"command":"<id 10>","deployment":null,"state":"fork_denied"} -->
      **Refused** (`fork_denied`). This change comes from a fork, and code of forks is not deployed.
    "#);
    world.close().await;
}

#[tokio::test]
async fn a_reply_whose_answer_was_lost_is_not_written_twice() {
    let world = world().await;
    world
        .github
        .answer_next_to("/issues/7/comments", 1, Trouble::DoesThenCut);
    say(&world, "alice", "/status production").await;
    answered(&world, 1).await;
    let ours = world.github.comments(REPOSITORY);
    let ours: Vec<_> = ours
        .iter()
        .filter(|comment| comment.author == "deployer")
        .collect();
    assert_eq!(ours.len(), 1, "{}", talk(&world));
    world.close().await;
}

#[tokio::test]
async fn remarks_and_commits_are_answered_where_they_stand() {
    let world = world().await;
    let head = world.repo.head().await;
    let remark = world
        .github
        .review_comment(REPOSITORY, CHANGE, "alice", "/status");
    send(&world, &remark, 202).await;
    answered(&world, 1).await;
    let on_commit = "/deploy to production";
    let on_commit = world
        .github
        .commit_comment(REPOSITORY, head.as_str(), "alice", on_commit);
    let reactions = format!(
        "/repos/acme/shop/comments/{}/reactions",
        on_commit.json()["comment"]["id"]
    );
    send(&world, &on_commit, 202).await;
    // The second reaction is the last thing that is told.
    world
        .github
        .until("the commit to be answered", |github| {
            let requests = github.requests();
            requests
                .iter()
                .filter(|line| line.contains(&reactions))
                .count()
                == 2
        })
        .await;
    world.settled().await;
    let comments = world.github.comments(REPOSITORY);
    let last = comments.last().map(|comment| comment.body.as_str());
    assert!(
        last.is_some_and(|body| body.contains("was live already")),
        "{}",
        talk(&world)
    );
    let remark = &comments[1].body;
    assert!(remark.contains("**`production`**\n- live: "), "{remark}");
    // Reactions on commits, and editing what is written there, need more than the login has; the end is told all the
    // same.
    let refused = world.github.take_unexpected();
    assert!(
        refused
            .iter()
            .all(|line| line.contains("/comments/") && line.contains("403")),
        "{refused:?}"
    );
    world.close().await;
}
