//! Commands on GitLab: in notes on merge requests and commits, in forms that GitLab does not take for its own.

mod door;
mod place;

use insta::assert_snapshot;
use kit::gitlab::Trouble;
use kit::{REPOSITORY, World};
use serde_json::Value;

use super::scene::{CHANGE, answered, live, on_gitlab, push, say, taken, talk, waiting};

#[tokio::test]
async fn a_rollback_in_a_merge_request_goes_back_without_building_and_holds_pushes_until_unlock() {
    let world = on_gitlab().await;
    push(&world, "three").await;
    world.settled().await;
    let remark = "It is slow.\n\n/rollback production --reason slow since --global cache";
    say(&world, "alice", remark).await;
    answered(&world, 1).await;
    world.settled().await;
    assert_eq!(live(&world), "two");
    assert_eq!(
        world.outcomes().await,
        ["rollback deployed", "deploy deployed", "deploy deployed"]
    );
    let steps = steps_of_newest(&world).await;
    assert_snapshot!(steps.join(" "), @"mark live swap mark healthy prune");
    push(&world, "four").await;
    push(&world, "five").await;
    say(&world, "alice", ".status production").await;
    answered(&world, 2).await;
    assert_eq!(waiting(&world).await, 1, "the newest push waits");
    assert_eq!(live(&world), "two");
    say(&world, "alice", ".unlock production").await;
    answered(&world, 3).await;
    world.settled().await;
    assert_eq!(live(&world), "five");
    world.reported().await;
    assert_snapshot!(talk(&world), @r#"
    alice [eyes rocket]
      It is slow.
      
      /rollback production --reason slow since --global cache
    deployer
      <!-- cutover:{"v":1,"command":"<id 1>","deployment":"<id 2>","state":"deployed"} -->
      **Rollback done**: the previous healthy release on `production`, asked for by `alice`.
      
      `<release 1>` is live and healthy; before it was `<release 2>`.
      
      `production` is held: pushes wait until `.unlock production`.
      
      [Follow it](http://127.0.0.1:<port>/deployments/<id 2>)
    alice [eyes rocket]
      .status production
    deployer
      <!-- cutover:{"v":1,"command":"<id 3>","deployment":null,"state":"answered"} -->
      **`production`**
      - live: `<release 1>` since <time>
      - queued: `939a847`, `gitlab push by alice`
      - `held after a rollback by alice: slow since --global cache` since <time>
    alice [eyes rocket]
      .unlock production
    deployer
      <!-- cutover:{"v":1,"command":"<id 4>","deployment":null,"state":"unlock_completed"} -->
      **Unlocked** `production`, which was `held after a rollback by alice: slow since --global cache`. What waited goes on.
    "#);
    assert_snapshot!(world.forge(), @r#"
    acme/shop
      <commit 1> main cutover/production http://127.0.0.1:<port>/deployments/<id 1>
        pending "queued"
        running "deploying to production"
        success "<release 1> is live on production"
      <commit 2> main cutover/production http://127.0.0.1:<port>/deployments/<id 2>
        pending "queued"
        running "deploying to production"
        success "<release 2> is live on production"
      <commit 3> main cutover/production http://127.0.0.1:<port>/deployments/<id 3>
        pending "waits, production is held after a rollback by alice: slow since --global cache"
        canceled "superseded by 939a847 before it began"
      <commit 4> main cutover/production http://127.0.0.1:<port>/deployments/<id 4>
        pending "waits, production is held after a rollback by alice: slow since --global cache"
        running "deploying to production"
        success "<release 3> is live on production"
      environment production https://shop.example.com
      deployment 1 production <commit 1> main running > success
      deployment 2 production <commit 2> main running > success
      deployment 3 production <commit 1> efe3fc254910dd556006c9146a6fec8107bdad66 running > success
      deployment 4 production <commit 4> main running > success
    "#);
    world.close().await;
}

/// The names of the steps of the newest deployment that ended, in order.
async fn steps_of_newest(world: &World) -> Vec<String> {
    let production = world.production().await;
    let id = production["ended"][0]["id"].as_str().unwrap();
    let path = format!("/api/v1/deployments/{id}/events?after=0");
    let told = world.service().json(&path).await;
    let events = told["events"].as_array().cloned().unwrap_or_default();
    let began = events.iter().filter(|event| event["event"] == "step_began");
    began
        .filter_map(|event| event["step"].as_str().map(str::to_owned))
        .collect()
}

#[tokio::test]
async fn a_lock_stops_a_push_survives_a_kill_and_lets_go_after_unlock() {
    let mut world = on_gitlab().await;
    let lock = ".lock production --for 2h --reason stocktaking";
    say(&world, "alice", lock).await;
    answered(&world, 1).await;
    push(&world, "three").await;
    world.take_service().kill();
    world.start_service().await;
    push(&world, "four").await;
    assert_eq!(waiting(&world).await, 1, "the newest push waits");
    let holds = world.production().await["holds"].clone();
    assert_eq!(holds[0]["owner"], "alice", "{holds:#}");
    assert_eq!(live(&world), "two");
    say(&world, "alice", "/deploy unlock production").await;
    answered(&world, 2).await;
    world.settled().await;
    assert_eq!(live(&world), "four");
    world.reported().await;
    let forge = world.forge();
    let waits = "waits, production is locked by alice: stocktaking";
    assert!(forge.contains(waits), "{forge}");
    world.close().await;
}

#[tokio::test]
async fn every_reply_names_the_form_that_works_on_gitlab() {
    let world = on_gitlab().await;
    world.gitlab().set_level(REPOSITORY, "bob", 30);
    world.gitlab().set_level(REPOSITORY, "mia", 40);
    let said = [
        ("alice", "/deploy lock production --reason stocktaking"),
        ("bob", "/rollback production"),
        ("bob", ".unlock production --force"),
        ("mia", ".unlock production --force"),
        ("bob", "/deploy unlock production"),
        ("bob", ".lock productoin"),
        ("bob", ".lock production --for ever"),
        ("bob", "/lokc production"),
        ("rita", "/help"),
    ];
    for (at, (who, text)) in said.iter().enumerate() {
        say(&world, who, text).await;
        answered(&world, at + 1).await;
    }
    assert_snapshot!(talk(&world), @r#"
    alice [eyes rocket]
      /deploy lock production --reason stocktaking
    deployer
      <!-- cutover:{"v":1,"command":"<id 1>","deployment":null,"state":"lock_acquired"} -->
      **Locked** `production`, by `alice`: `stocktaking`.
      
      Pushes wait, the newest is remembered. `.unlock production` lets them go.
    bob [eyes x]
      /rollback production
    deployer
      <!-- cutover:{"v":1,"command":"<id 2>","deployment":null,"state":"lock_conflict"} -->
      **Refused** (`lock_conflict`). `production` is `locked by alice: stocktaking` since <time>.
      
      `alice` can end that by `.unlock production`, a maintainer by `.unlock production --force`.
    bob [eyes x]
      .unlock production --force
    deployer
      <!-- cutover:{"v":1,"command":"<id 3>","deployment":null,"state":"unlock_denied"} -->
      **Refused** (`unlock_denied`). `production` is `locked by alice: stocktaking` since <time>.
      
      `alice` can end that by `.unlock production`, a maintainer by `.unlock production --force`.
    mia [eyes rocket]
      .unlock production --force
    deployer
      <!-- cutover:{"v":1,"command":"<id 4>","deployment":null,"state":"unlock_completed"} -->
      **Unlocked** `production`, which was `locked by alice: stocktaking`. What waited goes on.
    bob [eyes x]
      /deploy unlock production
    deployer
      <!-- cutover:{"v":1,"command":"<id 5>","deployment":null,"state":"nothing_to_do"} -->
      **Refused** (`nothing_to_do`). Nothing holds `production`.
    bob [eyes x]
      .lock productoin
    deployer
      <!-- cutover:{"v":1,"command":"<id 6>","deployment":null,"state":"invalid_environment"} -->
      **Refused** (`invalid_environment`). There is no environment `productoin` here.
      
      Did you mean `production`? There is `production`.
    bob [eyes x]
      .lock production --for ever
    deployer
      <!-- cutover:{"v":1,"command":"<id 7>","deployment":null,"state":"invalid_command"} -->
      **Refused** (`invalid_command`). `ever` is no time from `1m` to `30d`.
      
      Write `.lock <environment> [--for 2h] [--reason …]`.
    bob [eyes x]
      /lokc production
    deployer
      <!-- cutover:{"v":1,"command":"<id 8>","deployment":null,"state":"invalid_command"} -->
      **Refused** (`invalid_command`). There is no command `lokc`.
      
      Did you mean `/deploy lock`?
    rita [eyes rocket]
      /help
    deployer
      <!-- cutover:{"v":1,"command":"<id 9>","deployment":null,"state":"answered"} -->
      | command | what it does |
      |---|---|
      | `/deploy <branch\|tag\|commit> to <environment>` | deploy it; in a merge request without a name: its head |
      | `/rollback <environment> [steps\|commit\|release] [--reason …]` | back to an earlier healthy release, and hold the environment |
      | `.lock <environment> [--for 2h] [--reason …]` | pushes wait |
      | `.unlock <environment>` | what waits goes on; `--force` for what somebody else holds |
      | `.status [environment]` | what is live, runs, waits and holds |
      
      One command a line, at the beginning of the line. Environments: `production`.
    "#);
    world.close().await;
}

#[tokio::test]
async fn who_may_not_gets_nothing_done_and_strangers_get_an_emoji_only() {
    let world = on_gitlab().await;
    world.gitlab().set_level(REPOSITORY, "bea", 40);
    world.gitlab().block(REPOSITORY, "bea");
    say(&world, "rita", "/rollback production").await;
    answered(&world, 1).await;
    for (at, stranger) in ["mallory", "bea"].iter().enumerate() {
        say(&world, stranger, "/rollback production").await;
        answered(&world, at + 2).await;
    }
    assert_eq!(world.outcomes().await, ["deploy deployed"]);
    assert_snapshot!(talk(&world), @r#"
    rita [eyes x]
      /rollback production
    deployer
      <!-- cutover:{"v":1,"command":"<id 1>","deployment":null,"state":"permission_denied"} -->
      **Refused** (`permission_denied`). `rita` may not: this needs the role Developer.
    mallory [x]
      /rollback production
    bea [x]
      /rollback production
    "#);
    world.close().await;
}

#[tokio::test]
async fn without_an_answer_about_membership_nothing_is_done() {
    let world = on_gitlab().await;
    for (at, trouble) in [Trouble::Fails(500), Trouble::Cut].into_iter().enumerate() {
        let asked = "/members/all/";
        world.gitlab().answer_next_to(asked, 2, trouble);
        say(&world, "alice", "/rollback production").await;
        answered(&world, at + 1).await;
        assert_eq!(world.gitlab().troubles_left(), 0);
    }
    assert_eq!(world.production().await["holds"], Value::Array(Vec::new()));
    assert_eq!(world.outcomes().await, ["deploy deployed"]);
    assert_snapshot!(talk(&world), @r#"
    alice [eyes x]
      /rollback production
    deployer
      <!-- cutover:{"v":1,"command":"<id 1>","deployment":null,"state":"permission_unavailable"} -->
      **Refused** (`permission_unavailable`). Whether you may could not be found out: `GitLab answered 500: 500 Server Trouble`.
      
      Nothing was done. Write the command again when the forge answers.
    alice [eyes x]
      /rollback production
    deployer
      <!-- cutover:{"v":1,"command":"<id 2>","deployment":null,"state":"permission_unavailable"} -->
      **Refused** (`permission_unavailable`). Whether you may could not be found out: `no answer from GitLab: connection closed before message completed`.
      
      Nothing was done. Write the command again when the forge answers.
    "#);
    world.close().await;
}

#[tokio::test]
async fn who_is_no_member_any_more_when_the_command_begins_gets_nothing_done() {
    let world = on_gitlab().await;
    world.host.hold_at("unpack");
    push(&world, "three").await;
    world.host.reached("unpack").await;
    say(&world, "alice", "/rollback production").await;
    world
        .gitlab()
        .until("the command to be queued", |gitlab| {
            gitlab.talk(REPOSITORY).contains("Rollback queued")
        })
        .await;
    world.gitlab().remove_member(REPOSITORY, "alice");
    world.host.mend_step("unpack");
    answered(&world, 1).await;
    world.settled().await;
    assert_eq!(live(&world), "three");
    assert_eq!(world.production().await["holds"], Value::Array(Vec::new()));
    assert_snapshot!(talk(&world), @r#"
    alice [eyes x]
      /rollback production
    deployer
      <!-- cutover:{"v":1,"command":"<id 1>","deployment":"<id 2>","state":"refused"} -->
      **Rollback refused**: the previous healthy release on `production`, asked for by `alice`.
      
      Nothing was changed.
      
      ```text
      permission: permission_denied: alice may no longer write to acme/shop
      Somebody who may write can ask for it again.
      ```
      
      [Follow it](http://127.0.0.1:<port>/deployments/<id 2>)
    "#);
    world.close().await;
}
