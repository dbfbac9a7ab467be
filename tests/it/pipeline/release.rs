//! Releases come, go back and go: which one is live, which ones are kept, which one a rollback returns to.

use cutover_deploy::{DeployRequest, Kind};
use insta::assert_snapshot;

use super::scene::{Plot, Scene};

const ILL: &[(&str, &str)] = &[("ok", "false")];
const WELL: &[(&str, &str)] = &[("ok", "true")];

#[tokio::test]
async fn the_first_release_becomes_live() {
    let scene = Scene::plain().await;
    let told = scene.deploy(&[]).await;
    assert_snapshot!(told.outcome(), @"");
    assert_snapshot!(told.story(), @"");
    assert_snapshot!(scene.picture().await, @"");
    scene.close().await;
}

#[tokio::test]
async fn a_second_release_takes_its_place_and_the_first_stays() {
    let scene = Scene::plain().await;
    scene.deploy(&[]).await;
    assert_snapshot!(scene.deploy(WELL).await.outcome(), @"");
    assert_snapshot!(scene.picture().await, @"");
    assert_snapshot!(scene.journal(), @"");
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
    assert_snapshot!(told.outcome(), @"");
    assert_snapshot!(told.story(), @"");
    scene.close().await;
}

#[tokio::test]
async fn a_release_whose_health_fails_is_taken_back() {
    let scene = Scene::plain().await;
    scene.deploy(&[]).await;
    let told = scene.deploy(ILL).await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"");
    assert_snapshot!(told.story(), @"");
    assert_snapshot!(scene.picture().await, @"");
    scene.close().await;
}

#[tokio::test]
async fn after_a_first_release_that_is_ill_nothing_is_live_as_before() {
    let scene = Scene::plain().await;
    let told = scene.deploy(ILL).await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"");
    assert_snapshot!(scene.picture().await, @"");
    assert_snapshot!(scene.deploy(WELL).await.outcome(), @"");
    scene.close().await;
}

#[tokio::test]
async fn rollback_returns_to_the_release_before() {
    let scene = Scene::plain().await;
    scene.deploy(&[]).await;
    scene.deploy(WELL).await;
    let told = scene.rollback().await;
    assert_snapshot!(told.outcome(), @"");
    assert_snapshot!(told.story(), @"");
    assert_snapshot!(scene.picture().await, @"");
    assert_snapshot!(scene.journal(), @"");
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
    assert_snapshot!(scene.rollback().await.outcome(), @"");
    assert_snapshot!(scene.picture().await, @"");
    scene.close().await;
}

#[tokio::test]
async fn rollback_passes_over_a_release_that_was_taken_back() {
    let scene = Scene::plain().await;
    scene.deploy(&[]).await;
    scene.deploy(WELL).await;
    scene.deploy(ILL).await;
    assert_snapshot!(scene.picture().await, @"");
    assert_snapshot!(scene.rollback().await.outcome(), @"");
    assert_snapshot!(scene.picture().await, @"");
    scene.close().await;
}

#[tokio::test]
async fn rollback_without_an_earlier_release_is_refused() {
    let scene = Scene::plain().await;
    let told = scene.rollback().await;
    assert_eq!(told.exit(), 2);
    assert_snapshot!(told.outcome(), @"");
    scene.deploy(&[]).await;
    let told = scene.rollback().await;
    assert_eq!(told.exit(), 2);
    assert_snapshot!(told.outcome(), @"");
    assert_snapshot!(scene.picture().await, @"");
    scene.close().await;
}

#[tokio::test]
async fn rollback_to_a_named_release_reaches_only_healthy_ones() {
    let scene = Scene::plain().await;
    scene.deploy(&[]).await;
    scene.deploy(WELL).await;
    scene.deploy(ILL).await;
    assert_snapshot!(scene.rollback_to(3).await.outcome(), @"");
    assert_snapshot!(scene.rollback_to(1).await.outcome(), @"");
    // It may be a newer one as well.
    assert_snapshot!(scene.rollback_to(2).await.outcome(), @"");
    assert_snapshot!(scene.rollback_to(2).await.outcome(), @"");
    let to = Some(cutover_deploy::ReleaseId::parse("20200101T000000Z-0000000").unwrap());
    let told = scene.run(&scene.request(Kind::Rollback { to })).await;
    assert_snapshot!(told.outcome(), @"");
    assert_snapshot!(scene.picture().await, @"");
    scene.close().await;
}

#[tokio::test]
async fn failed_releases_never_push_out_healthy_ones() {
    let keys = "keep_releases = 2\nkeep_failed = 1".to_owned();
    let scene = Scene::of(1, Plot { keys, ..Plot::default() }).await;
    scene.deploy(&[]).await;
    for _ in 0..3 {
        assert_eq!(scene.deploy(ILL).await.exit(), 1);
    }
    // One failure after another does not fill the disk either.
    assert_snapshot!(scene.picture().await, @"");
    let told = scene.deploy(WELL).await;
    assert_snapshot!(told.outcome(), @"");
    assert_snapshot!(scene.picture().await, @"");
    assert_snapshot!(scene.deploy(&[]).await.outcome(), @"");
    assert_snapshot!(scene.picture().await, @"");
    scene.close().await;
}

#[tokio::test]
async fn a_release_that_a_process_still_runs_from_is_not_removed() {
    let keys = "keep_releases = 1\nkeep_failed = 0".to_owned();
    let scene = Scene::of(1, Plot { keys, ..Plot::default() }).await;
    scene.deploy(&[]).await;
    let folder = scene.host().path().join("current");
    let mut sleeper = std::process::Command::new("sleep")
        .arg("600")
        .current_dir(std::fs::canonicalize(folder).unwrap())
        .spawn()
        .unwrap();
    scene.deploy(&[]).await;
    let told = scene.deploy(&[]).await;
    assert_snapshot!(told.output().join("\n").replace(scene.live().unwrap().as_str(), "r3"), @"");
    assert_snapshot!(scene.picture().await, @"");
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    scene.deploy(&[]).await;
    assert_snapshot!(scene.picture().await, @"");
    scene.close().await;
}

#[tokio::test]
async fn the_output_of_the_newest_twenty_deployments_is_kept() {
    let scene = Scene::plain().await;
    scene
        .host()
        .sh("for n in $(seq 30); do mkdir -p .cutover/steps/old$n; touch -d \"2020-01-$n\" .cutover/steps/old$n; done")
        .await;
    scene.deploy(&[]).await;
    let kept = scene.host().sh("ls .cutover/steps | sort -V | tr '\\n' ' '").await;
    assert_snapshot!(kept, @"");
    assert_snapshot!(scene.host().sh("ls .cutover/steps/d1 | tr '\\n' ' '").await, @"");
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
    assert_snapshot!(told.outcome(), @"");
    assert_snapshot!(scene.picture().await, @"");
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
    assert_eq!(scene.rollback().await.commits(), (commit(&first), commit(&second)));
    scene.close().await;
}
