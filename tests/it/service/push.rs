//! A push becomes a deployment, and the forge hears of it.

use insta::assert_snapshot;
use kit::{World, WorldOptions};

#[tokio::test]
async fn a_push_becomes_live_and_the_forge_hears_of_it() {
    let world = World::plain().await;
    world.push_file("index.html", "two\n").await;
    world.settled().await;
    assert_eq!(
        world.outcomes().await,
        ["deploy deployed"],
        "{}",
        world.service().log()
    );
    world.reported().await;
    assert_snapshot!(world.host.picture().await, @"
    current -> releases/1
    releases/1/
    .cutover/fence 1
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/steps/<1>/
    ");
    assert_snapshot!(world.forge(), @r#"
    acme/shop
      <commit 1>
        cutover/production pending "queued" http://127.0.0.1:<port>/deployments/<id 1>
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
async fn an_ill_push_is_taken_back_and_the_forge_hears_what_is_live_again() {
    let world = World::plain().await;
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
      <commit 1>
        cutover/production pending "queued" http://127.0.0.1:<port>/deployments/<id 1>
        cutover/production pending "deploying to production" http://127.0.0.1:<port>/deployments/<id 1>
        cutover/production success "<release 1> is live on production" http://127.0.0.1:<port>/deployments/<id 1>
      <commit 2>
        cutover/production pending "queued" http://127.0.0.1:<port>/deployments/<id 2>
        cutover/production pending "deploying to production" http://127.0.0.1:<port>/deployments/<id 2>
        cutover/production failure "rolled back, <release 1> is live again: health on web1: http://127.0.0.1:<port>/health did not become healthy in 3 attempts: ok…" http://127.0.0.1:<port>/deployments/<id 2>
      deployment 1 production <commit 1> is-production "github push by alice"
        queued "queued" https://shop.example.com http://127.0.0.1:<port>/deployments/<id 1>
        in_progress "deploying to production" https://shop.example.com http://127.0.0.1:<port>/deployments/<id 1>
        success "<release 1> is live on production" https://shop.example.com http://127.0.0.1:<port>/deployments/<id 1>
        inactive "no longer live"
      deployment 2 production <commit 2> is-production "github push by alice"
        queued "queued" https://shop.example.com http://127.0.0.1:<port>/deployments/<id 2>
        in_progress "deploying to production" https://shop.example.com http://127.0.0.1:<port>/deployments/<id 2>
        failure "rolled back, <release 1> is live again: health on web1: http://127.0.0.1:<port>/health did not become healthy in 3 attempts: ok…" https://shop.example.com http://127.0.0.1:<port>/deployments/<id 2>
      deployment 3 production <commit 1> is-production "restored after <release 2> failed"
        success "<release 1> is live again" https://shop.example.com http://127.0.0.1:<port>/deployments/<id 2>
    "#);
    world.close().await;
}

const ALARMS: &str = r#"
[environments.production.alarms]
interval = "100ms"

[[environments.production.alarms.commands]]
name = "mails"
run = "false"
then = "tell"

[[environments.production.alarms.commands]]
name = "stock"
run = "test ! -e sold-out"
"#;

#[tokio::test]
async fn the_page_of_a_deployment_shows_every_step_and_no_secret_and_what_rang_is_counted() {
    let world = World::start(WorldOptions {
        environment: "watch = \"200ms\"".to_owned(),
        more: ALARMS.to_owned(),
        ..WorldOptions::default()
    })
    .await;
    world
        .push_file("index.html", "<script>alert(1)</script>\n")
        .await;
    world.settled().await;
    let production = world.production().await;
    let id = production["ended"][0]["id"].as_str().unwrap().to_owned();
    let whole = world.service().json(&format!("/deployments/{id}")).await;
    assert_eq!(whole["outcome"], "deployed", "{whole:#}");
    let page = world.service().page(&format!("/deployments/{id}")).await;
    for step in ["fetch", "pack", "unpack", "swap", "mark healthy"] {
        assert!(page.contains(step), "{step} is not on the page:\n{page}");
    }
    let front = world.service().page("/").await;
    assert!(
        front.contains(&id) && front.contains("production"),
        "{front}"
    );
    // One alarm tells, the other takes a release back: the forge hears of both, and Prometheus may count them.
    world.push_file("sold-out", "").await;
    world.settled().await;
    world.reported().await;
    let forge = world.forge();
    for status in [
        "success \"<release 1> is live on production, but it rang: mails\"",
        "failure \"rolled back, <release 1> is live again: watch on web1: stock: exit 1, 2 times in a row\"",
    ] {
        assert!(forge.contains(status), "{status} is not in\n{forge}");
    }
    let metrics = world.service().page("/metrics").await;
    let counted = metrics.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(
        counted.collect::<Vec<_>>(),
        [
            "cutover_alarms_total{app=\"shop\",environment=\"production\",alarm=\"mails\"} 2",
            "cutover_alarms_total{app=\"shop\",environment=\"production\",alarm=\"stock\"} 1",
        ]
    );
    for text in [page, front, whole.to_string(), metrics] {
        assert!(
            !text.contains(world.github.token()) && !text.contains(&world.github.hook_secret())
        );
    }
    world.close().await;
}
