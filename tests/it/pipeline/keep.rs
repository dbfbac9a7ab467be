//! What is kept on a host, and what goes.

use insta::assert_snapshot;

use super::scene::{Plot, Scene};

const ILL: &[(&str, &str)] = &[("ok", "false")];
const WELL: &[(&str, &str)] = &[("ok", "true")];

#[tokio::test]
async fn failed_releases_never_push_out_healthy_ones() {
    let keys = "keep_releases = 2\nkeep_failed = 1".to_owned();
    let scene = Scene::of(
        1,
        Plot {
            keys,
            ..Plot::default()
        },
    )
    .await;
    scene.deploy(&[]).await;
    for _ in 0..3 {
        assert_eq!(scene.deploy(ILL).await.exit(), 1);
    }
    // One failure after another does not fill the disk either.
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
    .cutover/releases/2.json rolled-back
    .cutover/releases/3.json rolled-back
    ");
    let told = scene.deploy(WELL).await;
    assert_snapshot!(told.outcome(), @"deployed: r5 is live and healthy (before: r1)");
    assert_snapshot!(scene.picture().await, @"
    current -> releases/4
    releases/1/
    releases/3/
    releases/4/
    shared/.env
    shared/storage/
    .cutover/fence 5
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/3.json rolled-back
    .cutover/releases/4.json healthy
    ");
    assert_snapshot!(scene.deploy(&[]).await.outcome(), @"deployed: r6 is live and healthy (before: r5)");
    assert_snapshot!(scene.picture().await, @"
    current -> releases/5
    releases/3/
    releases/4/
    releases/5/
    shared/.env
    shared/storage/
    .cutover/fence 6
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/3.json rolled-back
    .cutover/releases/4.json healthy
    .cutover/releases/5.json healthy
    ");
    scene.close().await;
}

#[tokio::test]
async fn a_release_that_a_process_still_runs_from_is_not_removed() {
    let keys = "keep_releases = 1\nkeep_failed = 0".to_owned();
    let scene = Scene::of(
        1,
        Plot {
            keys,
            ..Plot::default()
        },
    )
    .await;
    scene.deploy(&[]).await;
    let folder = scene.host().path().join("current");
    let mut sleeper = std::process::Command::new("sleep")
        .arg("600")
        .current_dir(std::fs::canonicalize(folder).unwrap())
        .spawn()
        .unwrap();
    scene.deploy(&[]).await;
    let told = scene.deploy(&[]).await;
    assert_snapshot!(scene.tame(&told.output().join("\n")), @"
    current -> releases/r3
    left r1: a process still runs from it
    ");
    assert_snapshot!(scene.picture().await, @"
    current -> releases/3
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
    .cutover/releases/3.json healthy
    ");
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    scene.deploy(&[]).await;
    assert_snapshot!(scene.picture().await, @"
    current -> releases/4
    releases/3/
    releases/4/
    shared/.env
    shared/storage/
    .cutover/fence 4
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/3.json healthy
    .cutover/releases/4.json healthy
    ");
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
    let kept = scene
        .host()
        .sh("ls .cutover/steps | sort -V | tr '\\n' ' '")
        .await;
    assert_snapshot!(kept, @"d1 old12 old13 old14 old15 old16 old17 old18 old19 old20 old21 old22 old23 old24 old25 old26 old27 old28 old29 old30");
    assert_snapshot!(scene.host().sh("ls .cutover/steps/d1 | tr '\\n' ' '").await, @"keep.log keep.status switch.log switch.status");
    scene.close().await;
}
