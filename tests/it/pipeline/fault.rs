//! Bad days: whatever is wrong with a host or a commit is told with host, step and what to do, and the host stays whole.

use std::time::Duration;

use insta::{allow_duplicates, assert_snapshot};
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
    live(Plot {
        steps,
        ..Plot::default()
    })
    .await
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
    assert_snapshot!(told.outcome(), @"
    refused: nothing was changed
      greet on web1: cannot connect to deploy@web1: the host key is not a pinned one
      Compare the fingerprint with the one on the host, then pin it: `ssh-keyscan -p 22 127.0.0.1 >> known_hosts`.
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
async fn a_host_without_a_pinned_key_is_not_trusted() {
    let mut scene = live(Plot::default()).await;
    let known = scene.work_dir().join("nobody");
    std::fs::write(&known, "").unwrap();
    scene.access.known_hosts = Some(known);
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 2);
    assert_snapshot!(told.outcome(), @"
    refused: nothing was changed
      greet on web1: cannot connect to deploy@web1: the host key is not a pinned one
      Compare the fingerprint with the one on the host, then pin it: `ssh-keyscan -p 22 127.0.0.1 >> known_hosts`.
    ");
    scene.close().await;
}

#[tokio::test]
async fn a_host_that_is_down_is_told() {
    let scene = live(Plot::default()).await;
    scene.host().go_down().await;
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 2);
    assert_snapshot!(told.outcome(), @"
    refused: nothing was changed
      greet on web1: cannot connect to deploy@web1: failed to connect to the remote host: connect to host 127.0.0.1 port 22: Connection refused
      Check that the host is up and reachable: `ssh -p 22 127.0.0.1 true`.
    ");
    scene.host().come_up().await;
    mended(scene).await;
}

#[tokio::test]
async fn a_key_that_is_refused_is_told() {
    let scene = live(Plot::default()).await;
    scene.host().refuse_key();
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 2);
    assert_snapshot!(told.outcome(), @"
    refused: nothing was changed
      greet on web1: cannot connect to deploy@web1: the host does not take the key (failed to connect to the remote host: deploy@127.0.0.1: Permission denied (publickey).)
      Add the public key of the deploy key to `~/.ssh/authorized_keys` of that user on the host.
    ");
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
    if !scene.host().has_own_disk() {
        // Nobody but root can have a small disk; the other tests of full disks do without.
        return scene.close().await;
    }
    let large = "x".repeat(9_000_000);
    let told = scene.deploy(&[("large", &large)]).await;
    assert_eq!(told.exit(), 2);
    assert_snapshot!(told.outcome(), @"
    refused: nothing was changed
      plan on web1: disk full: the release needs 9.0 MB, 8.3 MB are free
      See what takes the room: `ssh -p 22 deploy@127.0.0.1 du -xsh /srv/shop/releases/* /srv/shop/shared`.
    ");
    assert_snapshot!(scene.picture().await, @"
    current -> releases/1
    releases/1/
    shared/.env
    shared/storage/
    .cutover/fence 2
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    ");
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
    assert_snapshot!(told.outcome(), @"
    failed: what was live still is
      prepare: sh prepare.sh on web1: exit 1: prepare.sh: 1: printf: printf: I/O error
      Look whether the disk is full: `df -h`. Remove old releases, or lower `keep_releases`.
    ");
    scene.host().free_disk();
    assert_snapshot!(scene.picture().await, @"
    current -> releases/1
    releases/1/
    releases/2/
    shared/.env
    shared/storage/
    .cutover/fence 2
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/2.json.new
    .cutover/releases/1.json healthy
    .cutover/releases/2.json staging
    ");
    mended(scene).await;
}

#[tokio::test]
async fn a_full_disk_before_the_lease_is_told() {
    let scene = live(small()).await;
    scene.host().fill_disk();
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 2);
    assert_snapshot!(told.outcome(), @"
    refused: nothing was changed
      greet on web1: cannot prepare /srv/shop: exit 1: lease: 15: printf: printf: I/O error
      Look whether the disk is full: `df -h /srv/shop`, and make room.
    ");
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
    assert_snapshot!(told.outcome(), @"
    refused: nothing was changed
      greet on web1: cannot prepare /srv/shop: exit 1: mkdir: cannot create directory '/srv/shop/.cutover': Operation not permitted
      Give deploy the folder: `sudo install -d -o deploy /srv/shop`.
    ");
    scene.host().make_writable(".").await;
    mended(scene).await;
}

#[tokio::test]
async fn releases_that_cannot_be_written_to_are_told() {
    let scene = live(Plot::default()).await;
    scene.host().make_unwritable("releases").await;
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"
    failed: what was live still is
      unpack on web1: exit 1: mv: cannot move '/srv/shop/.cutover/incoming/d2.tar.gz.d' to '/srv/shop/releases/r2': Operation not permitted
      See whose the folder is: everything below the path has to belong to the deploy user.
    ");
    scene.host().make_writable("releases").await;
    mended(scene).await;
}

#[tokio::test]
async fn a_current_that_is_a_real_folder_is_never_touched() {
    let scene = Scene::plain().await;
    scene.host().write("current/index.html", "precious");
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 2);
    assert_snapshot!(told.outcome(), @"
    refused: nothing was changed
      plan on web1: /srv/shop/current is a real folder or file, not a link to a release
      Move it aside and link it as a release instead: `mv /srv/shop/current /srv/shop/releases/before-cutover && ln -s releases/before-cutover /srv/shop/current`.
    ");
    assert_eq!(
        scene.host().read("current/index.html").as_deref(),
        Some("precious")
    );
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
    assert_snapshot!(told.outcome(), @"
    failed: what was live still is
      swap on web1: exit 65: /srv/shop/current is not a link
    ");
    assert_eq!(
        scene.host().read("current/index.html").as_deref(),
        Some("precious")
    );
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
    assert_snapshot!(told.outcome(), @"deployed: r2 is live and healthy (before: r1)");
    assert_snapshot!(told.notes(), @"
    web1: left over from an interrupted deployment: /srv/shop/.cutover/incoming/d9.tar.gz
    web1: left over from an interrupted deployment: /srv/shop/.cutover/current.d9
    ");
    assert_snapshot!(scene.picture().await, @"
    current -> releases/2
    releases/current -> releases/gone (leads nowhere)
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
    scene.close().await;
}

#[tokio::test]
async fn without_its_env_file_nothing_begins() {
    let scene = live(Plot::default()).await;
    for break_it in ["rm shared/.env", ": >shared/.env"] {
        scene.host().sh(break_it).await;
        let told = scene.deploy(&[]).await;
        assert_eq!(told.exit(), 2);
        allow_duplicates! { assert_snapshot!(told.outcome(), @"
        refused: nothing was changed
          shared on web1: /srv/shop/shared/.env is missing or empty
          Put it there: `scp -P 22 .env deploy@127.0.0.1:/srv/shop/shared/.env`.
        ") }
    }
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
