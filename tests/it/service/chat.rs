//! People write commands in comments; what they ask for happens, and the thread tells how it went.

mod gitlab;
mod meaning;
pub(super) mod scene;

use insta::assert_snapshot;
use kit::REPOSITORY;
use kit::github::Trouble;
use serde_json::Value;

use scene::{answered, live, push, say, talk, waiting, world};

#[tokio::test]
async fn a_rollback_by_comment_returns_to_the_previous_release_and_holds_pushes_until_unlock() {
    let world = world().await;
    push(&world, "three").await;
    world.settled().await;
    say(
        &world,
        "alice",
        "It is slow.\n\n/rollback production --reason slow since --global cache",
    )
    .await;
    answered(&world, 1).await;
    world.settled().await;
    assert_eq!(live(&world), "two");
    assert_eq!(
        world.outcomes().await,
        ["rollback deployed", "deploy deployed", "deploy deployed"]
    );
    push(&world, "four").await;
    push(&world, "five").await;
    say(&world, "alice", "/status production").await;
    answered(&world, 2).await;
    assert_eq!(waiting(&world).await, 1, "the newest push waits");
    assert_eq!(live(&world), "two");
    say(&world, "alice", "/unlock production").await;
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
      
      `production` is held: pushes wait until `/unlock production`.
      
      [Follow it](http://127.0.0.1:<port>/deployments/<id 2>)
    alice [eyes rocket]
      /status production
    deployer
      <!-- cutover:{"v":1,"command":"<id 3>","deployment":null,"state":"answered"} -->
      **`production`**
      - live: `<release 1>` since <time>
      - queued: `939a847`, `github push by alice`
      - `held after a rollback by alice: slow since --global cache` since <time>
    alice [eyes rocket]
      /unlock production
    deployer
      <!-- cutover:{"v":1,"command":"<id 4>","deployment":null,"state":"unlock_completed"} -->
      **Unlocked** `production`, which was `held after a rollback by alice: slow since --global cache`. What waited goes on.
    "#);
    world.close().await;
}

#[tokio::test]
async fn a_lock_stops_a_push_survives_a_kill_and_lets_go_after_unlock() {
    let mut world = world().await;
    say(
        &world,
        "alice",
        "/lock production --for 2h --reason stocktaking <b>",
    )
    .await;
    answered(&world, 1).await;
    push(&world, "three").await;
    world.take_service().kill();
    world.start_service().await;
    push(&world, "four").await;
    let production = world.production().await;
    assert_eq!(
        production["waiting"].as_array().map(Vec::len),
        Some(1),
        "{production:#}"
    );
    assert_eq!(production["holds"][0]["owner"], "alice", "{production:#}");
    assert_eq!(production["holds"][0]["kind"], "lock", "{production:#}");
    let page = world.service().page("/").await;
    assert!(page.contains("locked by alice"), "{page}");
    assert!(page.contains("stocktaking &lt;b&gt;"), "{page}");
    assert_eq!(live(&world), "two");
    say(&world, "alice", "/unlock production").await;
    answered(&world, 2).await;
    world.settled().await;
    assert_eq!(live(&world), "four");
    assert_eq!(
        world.outcomes().await,
        ["deploy deployed", "deploy superseded", "deploy deployed"]
    );
    world.reported().await;
    let forge = world.forge();
    assert!(
        forge.contains("waits, production is locked by alice: stocktaking"),
        "{forge}"
    );
    world.close().await;
}

#[tokio::test]
async fn refusals_name_the_holder_and_the_command_that_helps() {
    let world = world().await;
    world.github.set_role(REPOSITORY, "bob", "write");
    world.github.set_role(REPOSITORY, "mia", "maintain");
    let said = [
        ("alice", "/lock production --reason no deploys on friday"),
        ("bob", "/rollback production"),
        ("bob", "/deploy main to production"),
        ("bob", "/lock production"),
        ("bob", "/unlock production --force"),
        ("mia", "/unlock production"),
        ("mia", "/unlock production --force"),
        ("bob", "/unlock production"),
    ];
    for (at, (who, text)) in said.iter().enumerate() {
        say(&world, who, text).await;
        answered(&world, at + 1).await;
    }
    assert_snapshot!(talk(&world), @r#"
    alice [eyes rocket]
      /lock production --reason no deploys on friday
    deployer
      <!-- cutover:{"v":1,"command":"<id 1>","deployment":null,"state":"lock_acquired"} -->
      **Locked** `production`, by `alice`: `no deploys on friday`.
      
      Pushes wait, the newest is remembered. `/unlock production` lets them go.
    bob [eyes confused]
      /rollback production
    deployer
      <!-- cutover:{"v":1,"command":"<id 2>","deployment":null,"state":"lock_conflict"} -->
      **Refused** (`lock_conflict`). `production` is `locked by alice: no deploys on friday` since <time>.
      
      `alice` can end that by `/unlock production`, a maintainer by `/unlock production --force`.
    bob [eyes confused]
      /deploy main to production
    deployer
      <!-- cutover:{"v":1,"command":"<id 3>","deployment":null,"state":"lock_conflict"} -->
      **Refused** (`lock_conflict`). `production` is `locked by alice: no deploys on friday` since <time>.
      
      `alice` can end that by `/unlock production`, a maintainer by `/unlock production --force`.
    bob [eyes confused]
      /lock production
    deployer
      <!-- cutover:{"v":1,"command":"<id 4>","deployment":null,"state":"lock_conflict"} -->
      **Refused** (`lock_conflict`). `production` is `locked by alice: no deploys on friday` since <time>.
      
      `alice` can end that by `/unlock production`, a maintainer by `/unlock production --force`.
    bob [eyes confused]
      /unlock production --force
    deployer
      <!-- cutover:{"v":1,"command":"<id 5>","deployment":null,"state":"unlock_denied"} -->
      **Refused** (`unlock_denied`). `production` is `locked by alice: no deploys on friday` since <time>.
      
      `alice` can end that by `/unlock production`, a maintainer by `/unlock production --force`.
    mia [eyes confused]
      /unlock production
    deployer
      <!-- cutover:{"v":1,"command":"<id 6>","deployment":null,"state":"unlock_denied"} -->
      **Refused** (`unlock_denied`). `production` is `locked by alice: no deploys on friday` since <time>.
      
      `alice` can end that by `/unlock production`, a maintainer by `/unlock production --force`.
    mia [eyes rocket]
      /unlock production --force
    deployer
      <!-- cutover:{"v":1,"command":"<id 7>","deployment":null,"state":"unlock_completed"} -->
      **Unlocked** `production`, which was `locked by alice: no deploys on friday`. What waited goes on.
    bob [eyes confused]
      /unlock production
    deployer
      <!-- cutover:{"v":1,"command":"<id 8>","deployment":null,"state":"nothing_to_do"} -->
      **Refused** (`nothing_to_do`). Nothing holds `production`.
    "#);
    world.close().await;
}

#[tokio::test]
async fn who_may_not_gets_nothing_done_and_strangers_get_no_comment() {
    let world = world().await;
    say(&world, "rita", "/rollback production").await;
    answered(&world, 1).await;
    say(&world, "mallory", "/rollback production").await;
    answered(&world, 2).await;
    say(&world, "mallory", "/hlep\n/help\n/status").await;
    answered(&world, 3).await;
    assert_eq!(world.outcomes().await, ["deploy deployed"]);
    assert_snapshot!(talk(&world), @r#"
    rita [eyes confused]
      /rollback production
    deployer
      <!-- cutover:{"v":1,"command":"<id 1>","deployment":null,"state":"permission_denied"} -->
      **Refused** (`permission_denied`). `rita` may not: this needs the right to write.
    mallory [confused]
      /rollback production
    mallory [confused]
      /hlep
      /help
      /status
    "#);
    world.close().await;
}

#[tokio::test]
async fn without_an_answer_about_permission_nothing_is_done() {
    let world = world().await;
    world
        .github
        .answer_next_to("/permission", 2, Trouble::Fails(500));
    say(&world, "alice", "/lock production").await;
    answered(&world, 1).await;
    assert_eq!(world.production().await["holds"], Value::Array(Vec::new()));
    assert_snapshot!(talk(&world), @r#"
    alice [eyes confused]
      /lock production
    deployer
      <!-- cutover:{"v":1,"command":"<id 1>","deployment":null,"state":"permission_unavailable"} -->
      **Refused** (`permission_unavailable`). Whether you may could not be found out: `GitHub answered 500: Server Error`.
      
      Nothing was done. Write the command again when the forge answers.
    "#);
    world.close().await;
}

#[tokio::test]
async fn who_loses_the_right_while_the_command_waits_gets_nothing_done() {
    let world = world().await;
    world.host.hold_at("unpack");
    push(&world, "three").await;
    world.host.reached("unpack").await;
    say(&world, "alice", "/rollback production").await;
    world
        .github
        .until("the command to be queued", |github| {
            github.talk(REPOSITORY).contains("Rollback queued")
        })
        .await;
    world.github.set_role(REPOSITORY, "alice", "read");
    world.host.mend_step("unpack");
    answered(&world, 1).await;
    world.settled().await;
    assert_eq!(live(&world), "three");
    assert_eq!(world.production().await["holds"], Value::Array(Vec::new()));
    assert_snapshot!(talk(&world), @r#"
    alice [eyes confused]
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
