//! Hosts whose tools are `BusyBox`'s: the whole life of a release there.

use cutover_deploy::{Config, Event};
use insta::assert_snapshot;
use kit::{HostOptions, Tools};

use super::scene::{Plot, Scene};

const ILL: &[(&str, &str)] = &[("ok", "false")];
const WELL: &[(&str, &str)] = &[("ok", "true")];

async fn busybox(keys: &str, steps: &str) -> Scene {
    let host = HostOptions {
        tools: Tools::BusyBox,
        ..HostOptions::plain("web1")
    };
    Scene::start(Plot {
        hosts: vec![host],
        keys: keys.to_owned(),
        steps: steps.to_owned(),
        ..Plot::default()
    })
    .await
}

#[tokio::test]
async fn a_release_lives_its_whole_life_with_busybox() {
    let scene = busybox("keep_releases = 2\nkeep_failed = 0", "").await;
    assert_snapshot!(scene.deploy(&[]).await.outcome(), @"deployed: r1 is live and healthy (the first)");
    let told = scene.deploy(ILL).await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"
    rolled back: r1 is live and healthy again; r2 failed
      health on web1: http://127.0.0.1/health did not become healthy in 2 attempts: ok is false, not true
      Look at the app's own log on the host, below shared/storage/logs for Laravel.
    ");
    assert_eq!(scene.deploy(WELL).await.exit(), 0);
    assert_eq!(scene.rollback().await.exit(), 0);
    assert_eq!(scene.deploy(WELL).await.exit(), 0);
    assert_eq!(scene.deploy(&[("more", "")]).await.exit(), 0);
    assert_snapshot!(scene.picture().await, @"
    current -> releases/2
    releases/1/
    releases/2/
    shared/.env
    shared/storage/
    .cutover/fence 6
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/2.json healthy
    ");
    scene.close().await;
}

#[tokio::test]
async fn a_held_lease_is_waited_for_with_busybox_and_not_for_ever() {
    let mut scene = busybox("lock_wait = \"40s\"", "").await;
    scene.host().hold_at("unpack");
    let first = scene.begin(&scene.wish(&[]).await);
    scene.host().reached("unpack").await;
    let patient = scene.config.clone();
    let text = scene.text.replace("40s", "1s");
    scene.config = Config::parse("cutover.toml", &text).unwrap();
    let told = scene.deploy(WELL).await;
    assert_eq!(told.exit(), 4, "{}", told.outcome());
    scene.config = patient;
    let third = scene.begin(&scene.wish(&[("more", "")]).await);
    let waits = |event: &Event| matches!(event, Event::Waiting { .. });
    third.tells(waits).await;
    scene.host().mend_step("unpack");
    assert_eq!(first.end().await.exit(), 0);
    let told = third.end().await;
    assert_eq!(told.exit(), 0, "{}", told.outcome());
    scene.close().await;
}

#[tokio::test]
async fn a_step_that_hangs_ends_with_all_it_started_with_busybox() {
    let steps =
        "prepare = [\"sh prepare.sh\", \"if [ -e hang ]; then sleep 3600 & sleep 3600; fi\"]";
    let scene = busybox("step_timeout = \"2s\"", steps).await;
    assert_eq!(scene.deploy(&[]).await.exit(), 0);
    let told = scene.deploy(&[("hang", "")]).await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"
    failed: what was live still is
      prepare: if [ -e hang ]; then sleep 3600 & sleep 3600; fi on web1: not done after 2 s: Terminated
      Raise `step_timeout` of the environment if this is how long it takes.
    ");
    // That nothing of it still runs is proven by the end of the scene.
    scene.close().await;
}

#[tokio::test]
async fn without_flock_nothing_begins_and_the_package_is_named() {
    let scene = busybox("", "").await;
    std::fs::remove_file(scene.host().dir().join("busybox/flock")).unwrap();
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 2);
    assert_snapshot!(told.outcome(), @"
    refused: nothing was changed
      greet on web1: cannot prepare /srv/shop: exit 69: flock is not installed
      Install it: `apt-get install util-linux`. Nothing was changed.
    ");
    assert_snapshot!(scene.picture().await, @"shared/.env");
    let (exit, said) = scene.shell(&["check", "production"]).await;
    assert_eq!(exit, 2);
    assert_snapshot!(said, @"
    production: 1 to mend first
      plan on web1: flock is not installed
        Install it: `apt-get install util-linux`.
    ");
    scene.close().await;
}
