//! Hosts that become live one after another: a wave begins when the one before is proven, and all go back when one fails.

use insta::assert_snapshot;

use super::scene::{Plot, Scene};

async fn three(keys: &str) -> Scene {
    let scene = bare(keys).await;
    let first = scene.deploy(&[]).await;
    assert_eq!(first.exit(), 0, "{}", first.outcome());
    scene
}

/// Three hosts on which nothing is live yet.
async fn bare(keys: &str) -> Scene {
    let keys = keys.to_owned();
    let plot = Plot {
        keys,
        ..Plot::default()
    };
    Scene::of(3, plot).await
}

/// Which release each host serves, by a file of it.
fn live(scene: &Scene) -> Vec<String> {
    let file = |host: &kit::Host| host.read("current/index.html").unwrap_or_default();
    scene.hosts.iter().map(file).collect()
}

#[tokio::test]
async fn a_rolling_deployment_goes_host_by_host_and_watches_each() {
    let scene = three("strategy = \"rolling\"\nbatch = 2\nwatch = \"300ms\"").await;
    let told = scene.deploy(&[("index.html", "two")]).await;
    assert_snapshot!(told.after_the_barrier(), @"
    == switch (wave 1 of 2)
    web1 mark live: ok
    web1 | current -> releases/r2
    web1 swap: ok
    web2 mark live: ok
    web2 | current -> releases/r2
    web2 swap: ok
    == health (wave 1 of 2)
    web1 health 1 of 2: HTTP 200
    web2 health 1 of 2: HTTP 200
    == watch (wave 1 of 2)
    web1 note: healthy all the while, for 300ms
    web2 note: healthy all the while, for 300ms
    == switch (wave 2 of 2)
    web3 mark live: ok
    web3 | current -> releases/r2
    web3 swap: ok
    == health (wave 2 of 2)
    web3 health 1 of 2: HTTP 200
    == watch (wave 2 of 2)
    web3 note: healthy all the while, for 300ms
    == keep
    web1 mark healthy: ok
    web1 prune: ok
    web2 mark healthy: ok
    web2 prune: ok
    web3 mark healthy: ok
    web3 prune: ok
    ");
    assert_eq!(live(&scene), ["two", "two", "two"]);
    let told = scene.rollback().await;
    assert_snapshot!(told.after_the_barrier(), @"
    == switch
    web1 mark live: ok
    web1 | current -> releases/r1
    web1 swap: ok
    web2 mark live: ok
    web2 | current -> releases/r1
    web2 swap: ok
    web3 mark live: ok
    web3 | current -> releases/r1
    web3 swap: ok
    == health
    web1 health 1 of 2: HTTP 200
    web2 health 1 of 2: HTTP 200
    web3 health 1 of 2: HTTP 200
    == keep
    web1 mark healthy: ok
    web1 prune: ok
    web2 mark healthy: ok
    web2 prune: ok
    web3 mark healthy: ok
    web3 prune: ok
    ");
    scene.close().await;
}

#[tokio::test]
async fn an_ill_canary_goes_back_and_the_others_never_swap() {
    let scene = three("strategy = \"canary\"").await;
    let told = scene
        .deploy(&[("ok", "false"), ("index.html", "ill")])
        .await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.after_the_barrier(), @"
    == switch (wave 1 of 2)
    web1 mark live: ok
    web1 | current -> releases/r2
    web1 swap: ok
    == health (wave 1 of 2)
    web1 health 1 of 2: ok is false, not true
    web1 health 2 of 2: ok is false, not true
    web1 note: health on web1: http://shop.test/health did not become healthy in 2 attempts: ok is false, not true. Look at the app's own log on the host, below shared/storage/logs for Laravel.
    == undo
    web1 | current -> releases/r1
    web1 swap: ok
    web1 mark restored: ok
    web1 mark rolled back: ok
    == health after undo
    web1 health 1 of 2: HTTP 200
    == abandon
    web2 clean: ok
    web2 mark failed: ok
    web3 clean: ok
    web3 mark failed: ok
    ");
    assert_snapshot!(told.outcome(), @"
    rolled back: r1 is live and healthy again; r2 failed
      health on web1: http://shop.test/health did not become healthy in 2 attempts: ok is false, not true
      Look at the app's own log on the host, below shared/storage/logs for Laravel.
    ");
    assert_snapshot!(scene.picture().await, @"
    == web1
    current -> releases/1
    releases/1/
    releases/2/
    shared/.env
    shared/storage/
    .cutover/fence 2
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/2.json rolled-back
    == web2
    current -> releases/1
    releases/1/
    releases/2/
    shared/.env
    shared/storage/
    .cutover/fence 2
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/2.json failed
    == web3
    current -> releases/1
    releases/1/
    releases/2/
    shared/.env
    shared/storage/
    .cutover/fence 2
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/2.json failed
    ");
    scene.close().await;
}

#[tokio::test]
async fn a_canary_that_falls_ill_while_it_is_watched_takes_all_back() {
    // Longer than a test may take: only the illness ends it.
    let scene = bare("strategy = \"canary\"\nwatch = \"1h\"").await;
    let request = scene.wish(&[("index.html", "two")]).await;
    let running = scene.begin(&request);
    running
        .tells(|event| event.to_string().contains("== watch (wave 1 of 2)"))
        .await;
    assert_eq!(live(&scene), ["two", "", ""]);
    scene.hosts[0].write("current/health.json", r#"{"ok":false}"#);
    let told = running.end().await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"
    failed: what was live still is
      watch on web1: http://shop.test/health was not healthy 2 times in a row: ok is false, not true
      Look at the app's own log on the host, below shared/storage/logs for Laravel.
    ");
    assert_eq!(live(&scene), ["", "", ""]);
    scene.close().await;
}

#[tokio::test]
async fn a_second_wave_that_fails_takes_the_first_back_too() {
    let scene = three("strategy = \"rolling\"").await;
    scene.hosts[2].fault_step("swap", 1, "no luck");
    let told = scene.deploy(&[("index.html", "two")]).await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"
    rolled back: r1 is live and healthy again; r2 failed
      swap on web3: exit 1: no luck
    ");
    assert_snapshot!(told.matrix(), @"
    host  stage     migrate  switch    health    watch  keep  undo      live
    web1  ok 0.0 s  –        ok 0.0 s  ok 0.0 s  –      –     ok 0.0 s  r1
    web2  ok 0.0 s  –        ok 0.0 s  ok 0.0 s  –      –     ok 0.0 s  r1
    web3  ok 0.0 s  –        failed    –         –      –     –         r1
    ");
    assert_eq!(live(&scene), ["", "", ""]);
    scene.hosts[2].mend_step("swap");
    let told = scene.deploy(&[("index.html", "three")]).await;
    assert_eq!(told.exit(), 0, "{}", told.outcome());
    assert_eq!(live(&scene), ["three", "three", "three"]);
    scene.close().await;
}

#[tokio::test]
async fn a_deployment_that_is_called_off_between_waves_takes_back_what_was_swapped() {
    let scene = three("strategy = \"rolling\"").await;
    scene.hosts[0].hold_at("health");
    let request = scene.wish(&[("index.html", "two")]).await;
    let running = scene.begin(&request);
    scene.hosts[0].reached("health").await;
    running.cancel.cancel();
    scene.hosts[0].mend_step("health");
    let told = running.end().await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"cancelled: what was live still is");
    assert_eq!(live(&scene), ["", "", ""]);
    scene.close().await;
}
