//! Commits that build, boot, migrate or answer badly: each is stopped where it shows, and what was live still is.

use std::time::Duration;

use insta::assert_snapshot;

use super::fault::{live, mended, mended_without};
use super::scene::{Plot, Scene};

const ILL: &[(&str, &str)] = &[("ok", "false")];

async fn with_steps(steps: &str) -> Scene {
    let steps = steps.to_owned();
    live(Plot {
        steps,
        ..Plot::default()
    })
    .await
}

#[tokio::test]
async fn a_build_that_fails_reaches_no_host() {
    let build = "steps = [\"echo compiling; echo missing.js not found >&2; exit 3\"]".to_owned();
    let scene = Scene::start(Plot {
        build,
        ..Plot::default()
    })
    .await;
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"
    failed: what was live still is
      build: echo compiling; echo missing.js not found >&2; exit 3: exit 3: compiling / missing.js not found
    ");
    assert_eq!(scene.host().connections(), 0);
    assert_snapshot!(scene.picture().await, @"shared/.env");
    scene.close().await;
}

#[tokio::test]
async fn a_migration_that_fails_stops_before_the_swap() {
    let scene =
        with_steps("migrate = [\"if [ -e bad ]; then echo the table is locked >&2; exit 1; fi\"]")
            .await;
    let told = scene.deploy(&[("bad", "")]).await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"
    failed: what was live still is
      migrate: if [ -e bad ]; then echo the table is locked >&2; … on web1: exit 1: the table is locked
      What the migrate steps have changed in the database stays.
    ");
    assert_snapshot!(told.story(), @"
    plan: r1 to r2
    == stage
    web1 bring: ok
    web1 mark staging: ok
    web1 unpack: ok
    web1 link shared: ok
    web1 prepare: sh prepare.sh: ok
    web1 mark ready: ok
    == migrate
    web1 | the table is locked
    web1 migrate: if [ -e bad ]; then echo the table is locked >&2; …: exit 1
    web1 note: migrate: if [ -e bad ]; then echo the table is locked >&2; … on web1: exit 1: the table is locked
    == abandon
    web1 clean: ok
    web1 mark failed: ok
    ");
    assert_snapshot!(scene.picture().await, @"
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
    mended_without(scene, "bad").await;
}

#[tokio::test]
async fn a_release_that_does_not_boot_is_stopped_by_its_preflight() {
    let scene = with_steps("preflight = [\"test ! -e bad\"]").await;
    let told = scene.deploy(&[("bad", "")]).await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"
    failed: what was live still is
      preflight: test ! -e bad on web1: exit 1
    ");
    assert_snapshot!(scene.picture().await, @"
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
    mended_without(scene, "bad").await;
}

#[tokio::test]
async fn a_step_after_the_swap_that_fails_takes_the_release_back() {
    let scene = with_steps("after_swap = [\"test ! -e bad\"]").await;
    let told = scene.deploy(&[("bad", "")]).await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"
    rolled back: r1 is live and healthy again; r2 failed
      after swap: test ! -e bad on web1: exit 1
    ");
    assert_snapshot!(scene.picture().await, @"
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
    ");
    mended_without(scene, "bad").await;
}

#[tokio::test]
async fn a_restored_release_that_is_ill_too_is_said_loudly_and_not_tried_again() {
    let scene = live(Plot::default()).await;
    scene.host().write("shared/ill", "");
    let told = scene.deploy(ILL).await;
    assert_eq!(told.exit(), 3);
    assert_snapshot!(told.outcome(), @"
    failed, and not everything could be restored
      left on web1: current leads to r1: health on web1: http://127.0.0.1/health did not become healthy in 2 attempts: HTTP 500, not 200: all is ill
      health on web1: http://127.0.0.1/health did not become healthy in 2 attempts: HTTP 500, not 200: all is ill
      Look at the app's own log on the host, below shared/storage/logs for Laravel.
    ");
    assert_snapshot!(told.story(), @"
    plan: r1 to r2
    == stage
    web1 bring: ok
    web1 mark staging: ok
    web1 unpack: ok
    web1 link shared: ok
    web1 prepare: sh prepare.sh: ok
    web1 mark ready: ok
    == switch
    web1 mark live: ok
    web1 | current -> releases/r2
    web1 swap: ok
    == health
    web1 health 1 of 2: HTTP 500, not 200: all is ill
    web1 health 2 of 2: HTTP 500, not 200: all is ill
    web1 note: health on web1: http://127.0.0.1/health did not become healthy in 2 attempts: HTTP 500, not 200: all is ill. Look at the app's own log on the host, below shared/storage/logs for Laravel.
    == undo
    web1 | current -> releases/r1
    web1 swap: ok
    web1 mark restored: ok
    web1 mark rolled back: ok
    == health after undo
    web1 health 1 of 2: HTTP 500, not 200: all is ill
    web1 health 2 of 2: HTTP 500, not 200: all is ill
    web1 note: health on web1: http://127.0.0.1/health did not become healthy in 2 attempts: HTTP 500, not 200: all is ill. Look at the app's own log on the host, below shared/storage/logs for Laravel.
    ");
    assert_snapshot!(scene.picture().await, @"
    current -> releases/1
    releases/1/
    releases/2/
    shared/.env
    shared/ill
    shared/storage/
    .cutover/fence 2
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/2.json rolled-back
    ");
    scene.host().sh("rm shared/ill").await;
    mended(scene).await;
}

#[tokio::test]
async fn a_way_back_that_cannot_swap_is_said_loudly() {
    let scene = live(Plot::default()).await;
    scene.host().hold_at("health");
    let request = scene.wish(ILL).await;
    let running = scene.begin(&request);
    scene.host().reached("health").await;
    scene.host().fault_step("swap", 70, "mv: I/O error");
    scene.host().mend_step("health");
    let told = running.end().await;
    assert_eq!(told.exit(), 3);
    assert_snapshot!(told.outcome(), @"
    failed, and not everything could be restored
      left on web1: current leads to r2: swap on web1: exit 70: mv: I/O error
      health on web1: http://127.0.0.1/health did not become healthy in 2 attempts: ok is false, not true
      Look at the app's own log on the host, below shared/storage/logs for Laravel.
    ");
    scene.host().mend_step("swap");
    mended(scene).await;
}

#[tokio::test]
async fn a_step_that_hangs_beside_the_live_release_is_ended_with_all_it_started() {
    let steps = "preflight = [\"if [ -e bad ]; then sleep 600 & sleep 600; fi\"]".to_owned();
    let keys = "step_timeout = \"1s\"".to_owned();
    let scene = live(Plot {
        steps,
        keys,
        ..Plot::default()
    })
    .await;
    let told = scene.deploy(&[("bad", "")]).await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"
    failed: what was live still is
      preflight: if [ -e bad ]; then sleep 600 & sleep 600; fi on web1: not done after 1 s
      Raise `step_timeout` of the environment if this is how long it takes.
    ");
    assert_snapshot!(scene.picture().await, @"
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
    mended_without(scene, "bad").await;
}

#[tokio::test]
async fn a_step_that_hangs_after_the_swap_is_ended_and_the_release_taken_back() {
    let steps =
        "after_swap = [\"if [ -e bad ]; then trap '' TERM; echo stuck; sleep 600; fi\"]".to_owned();
    let keys = "step_timeout = \"1s\"".to_owned();
    let scene = live(Plot {
        steps,
        keys,
        ..Plot::default()
    })
    .await;
    let began = std::time::Instant::now();
    let told = scene.deploy(&[("bad", "")]).await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"
    rolled back: r1 is live and healthy again; r2 failed
      after swap: if [ -e bad ]; then trap '' TERM; echo stuck; s… on web1: not done after 1 s: stuck / Killed
      Raise `step_timeout` of the environment if this is how long it takes.
    ");
    // A second, and the ten that whoever ignores TERM has before KILL.
    assert!(began.elapsed() < Duration::from_secs(40));
    assert_snapshot!(scene.picture().await, @"
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
    ");
    mended_without(scene, "bad").await;
}
