//! Releases come, go back and go: which one is live, which ones are kept, which one a rollback returns to.

use cutover_deploy::{DeployRequest, Kind};
use insta::assert_snapshot;
use jiff::ToSpan as _;

use super::scene::{Plot, Scene};

const ILL: &[(&str, &str)] = &[("ok", "false")];
const WELL: &[(&str, &str)] = &[("ok", "true")];

#[tokio::test]
async fn the_first_release_becomes_live() {
    let scene = Scene::plain().await;
    let told = scene.deploy(&[]).await;
    assert_snapshot!(told.outcome(), @"deployed: r1 is live and healthy (the first)");
    assert_snapshot!(told.story(), @"
    plan: nothing to r1
    == stage
    web1 bring: ok
    web1 mark staging: ok
    web1 unpack: ok
    web1 link shared: ok
    web1 prepare: sh prepare.sh: ok
    web1 mark ready: ok
    == switch
    web1 mark live: ok
    web1 | current -> releases/r1
    web1 swap: ok
    == health
    web1 health 1 of 2: HTTP 200
    == keep
    web1 mark healthy: ok
    web1 prune: ok
    ");
    assert_snapshot!(scene.picture().await, @"
    current -> releases/1
    releases/1/
    shared/.env
    shared/storage/
    .cutover/fence 1
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    ");
    scene.close().await;
}

#[tokio::test]
async fn a_second_release_takes_its_place_and_the_first_stays() {
    let scene = Scene::plain().await;
    scene.deploy(&[]).await;
    assert_snapshot!(scene.deploy(WELL).await.outcome(), @"deployed: r2 is live and healthy (before: r1)");
    assert_snapshot!(scene.picture().await, @"
    current -> releases/2
    releases/1/
    releases/2/
    shared/.env
    shared/storage/
    .cutover/fence 2
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/2.json healthy
    ");
    assert_snapshot!(scene.journal(), @"
    d1 stage r1
    d1 ready r1
    d1 swap r1
    d1 healthy r1
    d2 stage r2
    d2 ready r2
    d2 swap r2
    d2 healthy r2
    ");
    scene.close().await;
}

#[tokio::test]
async fn a_commit_that_is_live_and_healthy_is_left_alone() {
    let scene = Scene::plain().await;
    let request = scene.wish(&[]).await;
    scene.run(&request).await;
    let again = scene.request(request.kind.clone());
    let told = scene.run(&again).await;
    assert_eq!(told.exit(), 0);
    assert_snapshot!(told.outcome(), @"unchanged: r1 is live and healthy already");
    assert_snapshot!(told.story(), @"plan: r1 to r1");
    scene.close().await;
}

#[tokio::test]
async fn a_release_whose_health_fails_is_taken_back() {
    let scene = Scene::plain().await;
    scene.deploy(&[]).await;
    let told = scene.deploy(ILL).await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"
    rolled back: r1 is live and healthy again; r2 failed
      health on web1: http://127.0.0.1/health did not become healthy in 2 attempts: ok is false, not true
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
    web1 health 1 of 2: ok is false, not true
    web1 health 2 of 2: ok is false, not true
    web1 note: health on web1: http://127.0.0.1/health did not become healthy in 2 attempts: ok is false, not true. Look at the app's own log on the host, below shared/storage/logs for Laravel.
    == undo
    web1 | current -> releases/r1
    web1 swap: ok
    web1 mark restored: ok
    web1 mark rolled back: ok
    == health after undo
    web1 health 1 of 2: HTTP 200
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
    scene.close().await;
}

#[tokio::test]
async fn after_a_first_release_that_is_ill_nothing_is_live_as_before() {
    let scene = Scene::plain().await;
    let told = scene.deploy(ILL).await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"
    failed: what was live still is
      health on web1: http://127.0.0.1/health did not become healthy in 2 attempts: ok is false, not true
      Look at the app's own log on the host, below shared/storage/logs for Laravel.
    ");
    assert_snapshot!(scene.picture().await, @"
    releases/1/
    shared/.env
    shared/storage/
    .cutover/fence 1
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json rolled-back
    ");
    assert_snapshot!(scene.deploy(WELL).await.outcome(), @"deployed: r2 is live and healthy (the first)");
    scene.close().await;
}

#[tokio::test]
async fn rollback_returns_to_the_release_before() {
    let scene = Scene::plain().await;
    scene.deploy(&[]).await;
    scene.deploy(WELL).await;
    let told = scene.rollback().await;
    assert_snapshot!(told.outcome(), @"deployed: r1 is live and healthy (before: r2)");
    assert_snapshot!(told.story(), @"
    plan: r2 to r1
    == switch
    web1 mark live: ok
    web1 | current -> releases/r1
    web1 swap: ok
    == health
    web1 health 1 of 2: HTTP 200
    == keep
    web1 mark healthy: ok
    web1 prune: ok
    ");
    assert_snapshot!(scene.picture().await, @"
    current -> releases/1
    releases/1/
    releases/2/
    shared/.env
    shared/storage/
    .cutover/fence 3
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/2.json healthy
    ");
    assert_snapshot!(scene.journal(), @"
    d1 stage r1
    d1 ready r1
    d1 swap r1
    d1 healthy r1
    d2 stage r2
    d2 ready r2
    d2 swap r2
    d2 healthy r2
    d3 swap r1
    d3 healthy r1
    ");
    scene.close().await;
}

#[tokio::test]
async fn rollback_passes_over_a_release_that_never_became_live() {
    let plot = Plot {
        steps: "migrate = [\"test ! -e bad\"]".to_owned(),
        ..Plot::default()
    };
    let scene = Scene::of(1, plot).await;
    scene.deploy(&[]).await;
    assert_eq!(scene.deploy(&[("bad", "")]).await.exit(), 1);
    scene.repo.git(&["rm", "-q", "bad"]).await;
    assert_eq!(scene.deploy(&[]).await.exit(), 0);
    assert_snapshot!(scene.rollback().await.outcome(), @"deployed: r1 is live and healthy (before: r3)");
    assert_snapshot!(scene.picture().await, @"
    current -> releases/1
    releases/1/
    releases/2/
    releases/3/
    shared/.env
    shared/storage/
    .cutover/fence 4
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/2.json failed
    .cutover/releases/3.json healthy
    ");
    scene.close().await;
}

#[tokio::test]
async fn rollback_passes_over_a_release_that_was_taken_back() {
    let scene = Scene::plain().await;
    scene.deploy(&[]).await;
    scene.deploy(WELL).await;
    scene.deploy(ILL).await;
    assert_snapshot!(scene.picture().await, @"
    current -> releases/2
    releases/1/
    releases/2/
    releases/3/
    shared/.env
    shared/storage/
    .cutover/fence 3
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/2.json healthy
    .cutover/releases/3.json rolled-back
    ");
    assert_snapshot!(scene.rollback().await.outcome(), @"deployed: r1 is live and healthy (before: r2)");
    assert_snapshot!(scene.picture().await, @"
    current -> releases/1
    releases/1/
    releases/2/
    releases/3/
    shared/.env
    shared/storage/
    .cutover/fence 4
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/2.json healthy
    .cutover/releases/3.json rolled-back
    ");
    scene.close().await;
}

#[tokio::test]
async fn rollback_without_an_earlier_release_is_refused() {
    let scene = Scene::plain().await;
    let told = scene.rollback().await;
    assert_eq!(told.exit(), 2);
    assert_snapshot!(told.outcome(), @"
    refused: nothing was changed
      plan: there is no earlier release that was healthy on every host
      See what is there with `cutover releases production`, or deploy the commit that you want.
    ");
    scene.deploy(&[]).await;
    let told = scene.rollback().await;
    assert_eq!(told.exit(), 2);
    assert_snapshot!(told.outcome(), @"
    refused: nothing was changed
      plan: there is no earlier release that was healthy on every host
      See what is there with `cutover releases production`, or deploy the commit that you want.
    ");
    assert_snapshot!(scene.picture().await, @"
    current -> releases/1
    releases/1/
    shared/.env
    shared/storage/
    .cutover/fence 3
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    ");
    scene.close().await;
}

#[tokio::test]
async fn rollback_to_a_named_release_reaches_only_healthy_ones() {
    let scene = Scene::plain().await;
    scene.deploy(&[]).await;
    scene.deploy(WELL).await;
    scene.deploy(ILL).await;
    assert_snapshot!(scene.rollback_to(3).await.outcome(), @"
    refused: nothing was changed
      plan: release r3 was never healthy on every host
      See what is there with `cutover releases production`, or deploy the commit that you want.
    ");
    assert_snapshot!(scene.rollback_to(1).await.outcome(), @"deployed: r1 is live and healthy (before: r2)");
    // It may be a newer one as well.
    assert_snapshot!(scene.rollback_to(2).await.outcome(), @"deployed: r2 is live and healthy (before: r1)");
    assert_snapshot!(scene.rollback_to(2).await.outcome(), @"unchanged: r2 is live and healthy already");
    let to = Some(cutover_deploy::ReleaseId::parse("20200101T000000Z-0000000").unwrap());
    let told = scene.run(&scene.request(Kind::Rollback { to })).await;
    assert_snapshot!(told.outcome(), @"
    refused: nothing was changed
      plan: there is no release 20200101T000000Z-0000000
      See what is there with `cutover releases production`, or deploy the commit that you want.
    ");
    assert_snapshot!(scene.picture().await, @"
    current -> releases/2
    releases/1/
    releases/2/
    releases/3/
    shared/.env
    shared/storage/
    .cutover/fence 8
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/2.json healthy
    .cutover/releases/3.json rolled-back
    ");
    scene.close().await;
}

#[tokio::test]
async fn a_release_made_by_hand_is_the_way_back_of_the_first_deployment() {
    let scene = Scene::plain().await;
    scene
        .host()
        .sh("mkdir -p releases/17; echo '{\"ok\":true,\"release\":\"17\"}' >releases/17/health.json; ln -s $PWD/releases/17 current")
        .await;
    let told = scene.deploy(ILL).await;
    assert_snapshot!(told.outcome(), @"
    rolled back: 17 is live and healthy again; r1 failed
      health on web1: http://127.0.0.1/health did not become healthy in 2 attempts: ok is false, not true
      Look at the app's own log on the host, below shared/storage/logs for Laravel.
    ");
    assert_snapshot!(scene.picture().await, @"
    current -> releases/1
    releases/1/
    releases/2/
    shared/.env
    shared/storage/
    .cutover/fence 1
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json adopted
    .cutover/releases/2.json rolled-back
    ");
    scene.close().await;
}

#[tokio::test]
async fn the_plan_names_both_commits() {
    let scene = Scene::plain().await;
    let first = scene.wish(&[]).await;
    scene.run(&first).await;
    let second = scene.wish(WELL).await;
    let told = scene.run(&second).await;
    let commit = |request: &DeployRequest| match &request.kind {
        Kind::Deploy { commit } => Some(commit.clone()),
        Kind::Rollback { .. } => None,
    };
    assert_eq!(told.commits(), (commit(&second), commit(&first)));
    assert_eq!(
        scene.rollback().await.commits(),
        (commit(&first), commit(&second))
    );
    scene.close().await;
}

#[tokio::test]
async fn a_release_of_a_deployer_whose_clock_is_behind_is_still_the_newest() {
    let scene = Scene::plain().await;
    scene.deploy(&[]).await;
    let mut late = scene.wish(WELL).await;
    late.requested_at -= 1.hour();
    assert_snapshot!(scene.run(&late).await.outcome(), @"deployed: r2 is live and healthy (before: r1)");
    assert_snapshot!(scene.rollback().await.outcome(), @"deployed: r1 is live and healthy (before: r2)");
    scene.close().await;
}
