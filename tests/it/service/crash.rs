//! The service dies in every way at every moment, and nothing that was acknowledged is lost.

use insta::assert_snapshot;
use kit::{World, WorldOptions, wait_for};
use std::time::Duration;

/// What is live on the host: the first line of its page.
fn live(world: &World) -> Option<String> {
    world
        .host
        .read("current/index.html")
        .map(|text| text.trim().to_owned())
}

#[tokio::test]
async fn a_kill_right_after_the_answer_loses_nothing() {
    let mut world = World::plain().await;
    world.push_file("index.html", "two\n").await;
    world.take_service().kill();
    world.start_service().await;
    world.settled().await;
    assert_eq!(world.outcomes().await, ["deploy deployed"]);
    assert_eq!(live(&world).as_deref(), Some("two"));
    world.reported().await;
    // Whether it was told in time that it waits depends on when the service was killed.
    let forge = world.forge();
    let lines = forge
        .lines()
        .filter(|line| !line.contains("pending \"queued\""));
    let told: Vec<_> = lines.collect();
    assert_snapshot!(told.join("\n"), @r#"
    acme/shop
      <commit 1>
        cutover/production pending "deploying to production" http://127.0.0.1:<port>/deployments/<id 1>
        cutover/production success "<release 1> is live on production" http://127.0.0.1:<port>/deployments/<id 1>
      deployment 1 production <commit 1> is-production "github push by alice"
        queued "queued" https://shop.example.com http://127.0.0.1:<port>/deployments/<id 1>
        in_progress "deploying to production" https://shop.example.com http://127.0.0.1:<port>/deployments/<id 1>
        success "<release 1> is live on production" https://shop.example.com http://127.0.0.1:<port>/deployments/<id 1>
    "#);
    world.close().await;
}

#[tokio::test]
async fn a_kill_while_a_release_is_staged_begins_anew() {
    let mut world = World::plain().await;
    world.host.hold_at("unpack");
    world.push_file("index.html", "two\n").await;
    world.host.reached("unpack").await;
    world.take_service().kill();
    world.host.mend_step("unpack");
    world.start_service().await;
    world.settled().await;
    assert_eq!(world.outcomes().await, ["deploy deployed"]);
    assert_eq!(live(&world).as_deref(), Some("two"));
    assert_snapshot!(world.host.picture().await, @"
    current -> releases/1
    releases/1/
    .cutover/fence 2
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/steps/<1>/
    ");
    world.close().await;
}

#[tokio::test]
async fn a_kill_between_swap_and_health_goes_on_with_the_proof() {
    let mut world = World::plain().await;
    world.push_file("index.html", "two\n").await;
    world.settled().await;
    world.host.hold_at("health");
    world.push_file("index.html", "three\n").await;
    world.host.reached("health").await;
    assert_eq!(
        live(&world).as_deref(),
        Some("three"),
        "it is swapped already"
    );
    world.take_service().kill();
    world.host.mend_step("health");
    world.start_service().await;
    world.settled().await;
    assert_eq!(
        world.outcomes().await,
        ["deploy deployed", "deploy deployed"]
    );
    let newest = world.production().await["ended"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let events = world
        .service()
        .json(&format!("/api/v1/deployments/{newest}"))
        .await["events"]
        .to_string();
    assert!(
        events.contains("take up"),
        "it was begun anew instead of taken up: {events}"
    );
    assert_snapshot!(world.host.picture().await, @"
    current -> releases/2
    releases/1/
    releases/2/
    .cutover/fence 3
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/2.json healthy
    .cutover/steps/<1>/
    .cutover/steps/<2>/
    ");
    world.close().await;
}

#[tokio::test]
async fn a_kill_between_swap_and_health_takes_an_ill_release_back() {
    let mut world = World::plain().await;
    world.push_file("index.html", "two\n").await;
    world.settled().await;
    world.host.hold_at("health");
    world.push_file("ok", "false").await;
    world.host.reached("health").await;
    world.take_service().kill();
    world.host.mend_step("health");
    world.start_service().await;
    world.settled().await;
    assert_eq!(
        world.outcomes().await,
        ["deploy rolled_back", "deploy deployed"]
    );
    assert_eq!(world.host.read("current/ok").as_deref(), Some("true"));
    world.close().await;
}

#[tokio::test]
async fn a_term_while_a_release_is_staged_puts_it_back_into_the_queue() {
    let mut world = World::plain().await;
    world.host.hold_at("unpack");
    world.push_file("index.html", "two\n").await;
    world.host.reached("unpack").await;
    let service = world.take_service();
    service.terminate();
    let status = service.ended().await;
    assert!(status.success(), "{status}");
    world.host.mend_step("unpack");
    assert_eq!(live(&world), None, "nothing was swapped");
    world.start_service().await;
    world.settled().await;
    assert_eq!(world.outcomes().await, ["deploy deployed"]);
    assert_eq!(live(&world).as_deref(), Some("two"));
    world.close().await;
}

#[tokio::test]
async fn a_term_after_the_swap_waits_for_the_end() {
    let mut world = World::plain().await;
    world.host.hold_at("health");
    world.push_file("index.html", "two\n").await;
    world.host.reached("health").await;
    let service = world.take_service();
    service.terminate();
    world.host.mend_step("health");
    let status = service.ended().await;
    assert!(status.success(), "{status}");
    assert_snapshot!(world.host.picture().await, @"
    current -> releases/1
    releases/1/
    .cutover/fence 1
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/steps/<1>/
    ");
    world.start_service().await;
    world.settled().await;
    assert_eq!(world.outcomes().await, ["deploy deployed"]);
    world.close().await;
}

#[tokio::test]
async fn two_services_on_one_host_take_turns_and_name_each_other() {
    let one = World::plain().await;
    let options = WorldOptions {
        shares: Some(one.share()),
        ..WorldOptions::default()
    };
    let two = World::start(options).await;
    one.host.hold_at("unpack");
    one.push_file("index.html", "by one\n").await;
    one.host.reached("unpack").await;
    two.push_file("index.html", "by two\n").await;
    wait_for(
        "the second to wait for the first",
        Duration::from_secs(30),
        async || {
            let running = two.production().await["running"]["id"]
                .as_str()
                .unwrap_or("none")
                .to_owned();
            let whole = two
                .service()
                .json(&format!("/api/v1/deployments/{running}"))
                .await;
            let events = whole["events"].to_string();
            if events.contains("github push by alice since") {
                Ok(())
            } else {
                Err(events)
            }
        },
    )
    .await;
    one.host.mend_step("unpack");
    one.settled().await;
    two.settled().await;
    assert_eq!(one.outcomes().await, ["deploy deployed"]);
    assert_eq!(two.outcomes().await, ["deploy deployed"]);
    assert_eq!(
        live(&one).as_deref(),
        Some("by two"),
        "the second went last"
    );
    two.close().await;
    one.close().await;
}
