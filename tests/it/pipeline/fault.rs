//! Bad days: whatever is wrong with a host or a commit is told with host, step and what to do, and the host stays whole.

use std::time::Duration;

use insta::assert_snapshot;
use kit::{Disk, HostOptions};

use super::scene::{Plot, Scene};

const ILL: &[(&str, &str)] = &[("ok", "false")];

/// A scene whose first release is live.
async fn live(plot: Plot) -> Scene {
    let scene = Scene::start(plot).await;
    assert_eq!(scene.deploy(&[]).await.exit(), 0);
    scene
}

async fn with_steps(steps: &str) -> Scene {
    let steps = steps.to_owned();
    live(Plot { steps, ..Plot::default() }).await
}

/// The next deployment goes through, and what it leaves is the picture of a healthy host.
async fn mended(scene: Scene) {
    let told = scene.deploy(&[("ok", "true")]).await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    scene.close().await;
}

#[tokio::test]
async fn a_host_with_another_key_is_not_trusted() {
    let scene = live(Plot::default()).await;
    scene.host().change_host_key().await;
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 2);
    assert_snapshot!(told.outcome(), @"");
    assert_snapshot!(scene.picture().await, @"");
    scene.close().await;
}

#[tokio::test]
async fn a_host_without_a_pinned_key_is_not_trusted() {
    let mut scene = live(Plot::default()).await;
    let known = scene.work_dir().join("nobody");
    std::fs::write(&known, "").unwrap();
    scene.access.known_hosts = Some(known);
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 2);
    assert_snapshot!(told.outcome(), @"");
    scene.close().await;
}

#[tokio::test]
async fn a_host_that_is_down_is_told() {
    let scene = live(Plot::default()).await;
    scene.host().go_down().await;
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 2);
    assert_snapshot!(told.outcome(), @"");
    scene.host().come_up().await;
    mended(scene).await;
}

#[tokio::test]
async fn a_key_that_is_refused_is_told() {
    let scene = live(Plot::default()).await;
    scene.host().refuse_key();
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 2);
    assert_snapshot!(told.outcome(), @"");
    scene.host().accept_key();
    mended(scene).await;
}

/// A host whose disk holds 8 MiB.
fn small() -> Plot {
    let host = HostOptions {
        disk: Disk::Own(8),
        ..HostOptions::plain("web1")
    };
    Plot {
        hosts: vec![host],
        ..Plot::default()
    }
}

#[tokio::test]
async fn a_release_that_does_not_fit_on_the_disk_is_refused() {
    let scene = live(small()).await;
    let large = "x".repeat(9_000_000);
    let told = scene.deploy(&[("large", &large)]).await;
    assert_eq!(told.exit(), 2);
    assert_snapshot!(told.outcome(), @"");
    assert_snapshot!(scene.picture().await, @"");
    mended_without(scene, "large").await;
}

async fn mended_without(scene: Scene, file: &str) {
    scene.repo.git(&["rm", "-q", file]).await;
    mended(scene).await;
}

#[tokio::test]
async fn a_disk_that_fills_up_on_the_way_changes_nothing() {
    let scene = live(small()).await;
    scene.host().hold_at("link shared");
    let request = scene.wish(&[]).await;
    let running = scene.begin(&request);
    scene.host().reached("link shared").await;
    scene.host().fill_disk();
    scene.host().mend_step("link shared");
    let told = running.end().await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"");
    scene.host().free_disk();
    assert_snapshot!(scene.picture().await, @"");
    mended(scene).await;
}

#[tokio::test]
async fn a_full_disk_before_the_lease_is_told() {
    let scene = live(small()).await;
    scene.host().fill_disk();
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 2);
    assert_snapshot!(told.outcome(), @"");
    scene.host().free_disk();
    mended(scene).await;
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_to_is_told() {
    let scene = Scene::plain().await;
    scene.host().sh("mkdir -p releases shared").await;
    scene.host().make_unwritable(".").await;
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 2);
    assert_snapshot!(told.outcome(), @"");
    scene.host().make_writable(".").await;
    mended(scene).await;
}

#[tokio::test]
async fn releases_that_cannot_be_written_to_are_told() {
    let scene = live(Plot::default()).await;
    scene.host().make_unwritable("releases").await;
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"");
    scene.host().make_writable("releases").await;
    mended(scene).await;
}

#[tokio::test]
async fn a_current_that_is_a_real_folder_is_never_touched() {
    let scene = Scene::plain().await;
    scene.host().write("current/index.html", "precious");
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 2);
    assert_snapshot!(told.outcome(), @"");
    assert_eq!(scene.host().read("current/index.html").as_deref(), Some("precious"));
    // What the hint says helps.
    let hint = "mkdir -p releases; mv current releases/before-cutover && ln -s releases/before-cutover current";
    scene.host().sh(hint).await;
    mended(scene).await;
}

#[tokio::test]
async fn a_current_that_becomes_a_folder_on_the_way_is_never_touched() {
    let scene = Scene::plain().await;
    scene.host().hold_at("swap");
    let request = scene.wish(&[]).await;
    let running = scene.begin(&request);
    scene.host().reached("swap").await;
    scene.host().write("current/index.html", "precious");
    scene.host().mend_step("swap");
    let told = running.end().await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"");
    assert_eq!(scene.host().read("current/index.html").as_deref(), Some("precious"));
    scene.host().sh("rm -r current").await;
    mended(scene).await;
}

#[tokio::test]
async fn links_that_an_interrupted_deployment_left_are_told_and_do_no_harm() {
    let scene = live(Plot::default()).await;
    scene
        .host()
        .sh("ln -s releases/gone .cutover/current.d9; mkdir -p .cutover/incoming; echo x >.cutover/incoming/d9.tar.gz; ln -s releases/gone releases/current")
        .await;
    let told = scene.deploy(&[]).await;
    assert_snapshot!(told.outcome(), @"");
    assert_snapshot!(told.notes(), @"");
    assert_snapshot!(scene.picture().await, @"");
    scene.close().await;
}

#[tokio::test]
async fn without_its_env_file_nothing_begins() {
    let scene = live(Plot::default()).await;
    for break_it in ["rm shared/.env", ": >shared/.env"] {
        scene.host().sh(break_it).await;
        let told = scene.deploy(&[]).await;
        assert_eq!(told.exit(), 2);
        assert_snapshot!(told.outcome(), @"");
    }
    assert_snapshot!(scene.picture().await, @"");
    // A release that has all it needs can still be returned to.
    scene.host().write("shared/.env", "APP_KEY=x\n");
    scene.deploy(&[]).await;
    scene.host().sh("rm shared/.env").await;
    assert_eq!(scene.rollback().await.exit(), 0);
    scene.host().write("shared/.env", "APP_KEY=x\n");
    mended(scene).await;
}

#[tokio::test]
async fn a_build_that_fails_reaches_no_host() {
    let build = "steps = [\"echo compiling; echo missing.js not found >&2; exit 3\"]".to_owned();
    let scene = Scene::start(Plot { build, ..Plot::default() }).await;
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"");
    assert_eq!(scene.host().connections(), 0);
    assert_snapshot!(scene.picture().await, @"");
    scene.close().await;
}

#[tokio::test]
async fn a_migration_that_fails_stops_before_the_swap() {
    let scene = with_steps("migrate = [\"if [ -e bad ]; then echo the table is locked >&2; exit 1; fi\"]").await;
    let told = scene.deploy(&[("bad", "")]).await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"");
    assert_snapshot!(told.story(), @"");
    assert_snapshot!(scene.picture().await, @"");
    mended_without(scene, "bad").await;
}

#[tokio::test]
async fn a_release_that_does_not_boot_is_stopped_by_its_preflight() {
    let scene = with_steps("preflight = [\"test ! -e bad\"]").await;
    let told = scene.deploy(&[("bad", "")]).await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"");
    assert_snapshot!(scene.picture().await, @"");
    mended_without(scene, "bad").await;
}

#[tokio::test]
async fn a_step_after_the_swap_that_fails_takes_the_release_back() {
    let scene = with_steps("after_swap = [\"test ! -e bad\"]").await;
    let told = scene.deploy(&[("bad", "")]).await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"");
    assert_snapshot!(scene.picture().await, @"");
    mended_without(scene, "bad").await;
}

#[tokio::test]
async fn a_restored_release_that_is_ill_too_is_said_loudly_and_not_tried_again() {
    let scene = live(Plot::default()).await;
    scene.host().write("shared/ill", "");
    let told = scene.deploy(ILL).await;
    assert_eq!(told.exit(), 3);
    assert_snapshot!(told.outcome(), @"");
    assert_snapshot!(told.story(), @"");
    assert_snapshot!(scene.picture().await, @"");
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
    assert_snapshot!(told.outcome(), @"");
    scene.host().mend_step("swap");
    mended(scene).await;
}

#[tokio::test]
async fn a_step_that_hangs_beside_the_live_release_is_ended_with_all_it_started() {
    let steps = "preflight = [\"if [ -e bad ]; then sleep 600 & sleep 600; fi\"]".to_owned();
    let keys = "step_timeout = \"1s\"".to_owned();
    let scene = live(Plot { steps, keys, ..Plot::default() }).await;
    let told = scene.deploy(&[("bad", "")]).await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"");
    assert_snapshot!(scene.picture().await, @"");
    mended_without(scene, "bad").await;
}

#[tokio::test]
async fn a_step_that_hangs_after_the_swap_is_ended_and_the_release_taken_back() {
    let steps = "after_swap = [\"if [ -e bad ]; then trap '' TERM; echo stuck; sleep 600; fi\"]".to_owned();
    let keys = "step_timeout = \"1s\"".to_owned();
    let scene = live(Plot { steps, keys, ..Plot::default() }).await;
    let began = std::time::Instant::now();
    let told = scene.deploy(&[("bad", "")]).await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"");
    // A second, and the ten that whoever ignores TERM has before KILL.
    assert!(began.elapsed() < Duration::from_secs(40));
    assert_snapshot!(scene.picture().await, @"");
    mended_without(scene, "bad").await;
}
