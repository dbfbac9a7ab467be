//! The lease: who holds a host is named, is waited for, and can never change it once somebody else has taken over.

use std::process::Stdio;
use std::time::Duration;

use cutover_deploy::{Event, Kind, Outcome};
use insta::assert_snapshot;
use kit::wait_for;
use tokio::process::Child;

use super::scene::{Plot, Scene};

async fn with_keys(keys: &str) -> Scene {
    let keys = keys.to_owned();
    Scene::of(
        1,
        Plot {
            keys,
            ..Plot::default()
        },
    )
    .await
}

/// The command line as a process of its own, which can be killed.
pub(super) fn cutover_deploy(scene: &Scene) -> Child {
    cutover_deploy_telling(scene, Stdio::null())
}

/// The same, with what it tells as JSON lines on `stdout`.
pub(super) fn cutover_deploy_telling(scene: &Scene, stdout: Stdio) -> Child {
    let mut cutover = scene.cutover(&["deploy", "production", "main", "--actor", "bob", "--json"]);
    cutover.arg("--repository").arg(scene.repo.url());
    cutover
        .arg("--work-dir")
        .arg(scene.work_dir().with_file_name("cli"));
    let quiet = cutover.stdout(stdout).stderr(Stdio::null());
    quiet.kill_on_drop(true).spawn().unwrap()
}

async fn kill(mut process: Child) {
    process.kill().await.unwrap();
}

#[tokio::test]
async fn a_held_lease_names_its_holder_and_is_waited_for() {
    let scene = Scene::plain().await;
    scene.host().hold_at("unpack");
    let first = scene.begin(&scene.wish(&[]).await);
    scene.host().reached("unpack").await;
    let second = scene.begin(&scene.wish(&[("ok", "true")]).await);
    second
        .tells(|event| matches!(event, Event::Waiting { .. }))
        .await;
    assert_snapshot!(scene.picture().await, @"
    shared/.env
    .cutover/fence 1
    .cutover/lock held
    .cutover/log.jsonl
    .cutover/incoming/<1>.tar.gz
    .cutover/releases/1.json staging
    ");
    scene.host().mend_step("unpack");
    assert_snapshot!(first.end().await.outcome(), @"deployed: r1 is live and healthy (the first)");
    let told = second.end().await;
    assert_snapshot!(told.outcome(), @"deployed: r2 is live and healthy (before: r1)");
    assert_snapshot!(told.story(), @"
    plan: r1 to r2
    web1 waits for deploy of d1 by alice
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
    web1 health 1 of 2: HTTP 200
    == keep
    web1 mark healthy: ok
    web1 prune: ok
    ");
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
    scene.close().await;
}

#[tokio::test]
async fn a_lease_that_does_not_come_free_is_a_refusal_with_exit_4() {
    let scene = with_keys("lock_wait = \"1s\"").await;
    scene.host().hold_at("unpack");
    let first = scene.begin(&scene.wish(&[]).await);
    scene.host().reached("unpack").await;
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 4);
    let since = told.outcome().split(" since ").next().unwrap().to_owned();
    assert_snapshot!(since, @"
    refused: nothing was changed
      greet on web1: the lease is held, and was not free after 1 s: deploy of d1 by alice
    ");
    scene.host().mend_step("unpack");
    assert_eq!(first.end().await.exit(), 0);
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
async fn whoever_waits_can_be_called_off() {
    let scene = Scene::plain().await;
    scene.host().hold_at("unpack");
    let first = scene.begin(&scene.wish(&[]).await);
    scene.host().reached("unpack").await;
    let second = scene.begin(&scene.wish(&[]).await);
    second
        .tells(|event| matches!(event, Event::Waiting { .. }))
        .await;
    second.cancel.cancel();
    assert_eq!(second.end().await.outcome, Outcome::Cancelled);
    scene.host().mend_step("unpack");
    assert_eq!(first.end().await.exit(), 0);
    scene.close().await;
}

#[tokio::test]
async fn of_many_deployers_at_once_each_has_the_host_to_itself() {
    let steps = "prepare = [\"mkdir ../../shared/alone; sh prepare.sh; sleep 0.2; rmdir ../../shared/alone\"]";
    let steps = steps.to_owned();
    let scene = Scene::of(
        2,
        Plot {
            steps,
            ..Plot::default()
        },
    )
    .await;
    let mut running = Vec::new();
    for n in 0..5 {
        let text = n.to_string();
        let request = scene.wish(&[("number", text.as_str())]).await;
        running.push(scene.begin(&request));
    }
    for running in running {
        let told = running.end().await;
        assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    }
    for host in &scene.hosts {
        assert_eq!(host.read(".cutover/fence").as_deref(), Some("5\n"));
    }
    let live = |n: usize| std::fs::read_link(scene.hosts[n].path().join("current")).unwrap();
    assert_eq!(live(0), live(1));
    scene.close().await;
}

/// Waits until nobody holds the lease any more: the picture then.
async fn freed(scene: &Scene) -> String {
    let limit = Duration::from_secs(20);
    wait_for("the lease to be free", limit, async || {
        let picture = scene.picture().await;
        if picture.contains(".cutover/lock free") {
            Ok(picture)
        } else {
            Err(picture)
        }
    })
    .await
}

#[tokio::test]
async fn a_deployer_that_is_killed_frees_the_lease_and_is_named_to_the_next() {
    let scene = Scene::plain().await;
    scene.deploy(&[]).await;
    scene.commit(&[("ok", "true")]).await;
    scene.host().hold_at("unpack");
    let process = cutover_deploy(&scene);
    scene.host().reached("unpack").await;
    assert!(scene.picture().await.contains(".cutover/lock held"));
    kill(process).await;
    // What it had under way ends, though nobody tells it to.
    freed(&scene).await;
    scene.host().mend_step("unpack");
    // Its ssh would wait ten seconds for more.
    scene.host().cut_lines();
    let told = scene.deploy(&[]).await;
    let notes = told.notes();
    assert_snapshot!(notes.lines().next().unwrap(), @"web1: the last deployment here ended without a word: deploy by bob");
    assert_snapshot!(told.outcome(), @"deployed: r2 is live and healthy (before: r1)");
    assert_snapshot!(scene.picture().await, @"
    current -> releases/3
    releases/1/
    releases/3/
    shared/.env
    shared/storage/
    .cutover/fence 3
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/3.json healthy
    ");
    scene.close().await;
}

#[tokio::test]
async fn a_deployer_that_is_killed_after_the_swap_has_swapped_and_the_same_request_goes_on_from_there()
 {
    let scene = Scene::plain().await;
    scene.deploy(&[]).await;
    scene.host().hold_at("health");
    let request = scene.wish(&[("ok", "true")]).await;
    // Ended as a process is: nothing is given back, nothing is told.
    let running = scene.begin(&request);
    scene.host().reached("health").await;
    running.kill().await;
    scene.host().mend_step("health");
    assert_snapshot!(freed(&scene).await, @"
    current -> releases/2
    releases/1/
    releases/2/
    shared/.env
    shared/storage/
    .cutover/fence 2
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/2.json live
    ");
    let told = scene.run(&request).await;
    assert_eq!(told.exit(), 0);
    assert_snapshot!(told.story(), @"
    plan: r1 to r2
    web1 note: the last deployment here ended without a word: deploy by alice
    == switch
    web1 mark live: ok
    web1 | current -> releases/r2
    web1 swap: ok
    == health
    web1 health 1 of 2: HTTP 200
    == keep
    web1 mark healthy: ok
    web1 prune: ok
    ");
    assert_snapshot!(told.outcome(), @"deployed: r2 is live and healthy (before: r1)");
    assert_snapshot!(scene.picture().await, @"
    current -> releases/2
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
    scene.close().await;
}

#[tokio::test]
async fn what_is_gone_on_with_is_taken_back_when_it_is_ill() {
    let scene = Scene::plain().await;
    scene.deploy(&[]).await;
    scene.host().hold_at("health");
    let request = scene.wish(&[("ok", "false")]).await;
    let running = scene.begin(&request);
    scene.host().reached("health").await;
    running.kill().await;
    scene.host().mend_step("health");
    let told = scene.run(&request).await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"
    rolled back: r1 is live and healthy again; r2 failed
      health on web1: http://127.0.0.1/health did not become healthy in 2 attempts: ok is false, not true
      Look at the app's own log on the host, below shared/storage/logs for Laravel.
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
    .cutover/releases/2.json rolled-back
    ");
    scene.close().await;
}

#[tokio::test]
async fn a_rollback_that_is_killed_after_the_swap_goes_on_too() {
    let scene = Scene::plain().await;
    scene.deploy(&[]).await;
    scene.deploy(&[]).await;
    scene.host().hold_at("health");
    let request = scene.request(Kind::Rollback { to: None });
    let running = scene.begin(&request);
    scene.host().reached("health").await;
    running.kill().await;
    scene.host().mend_step("health");
    assert_snapshot!(scene.run(&request).await.outcome(), @"deployed: r1 is live and healthy (before: r2)");
    assert_snapshot!(scene.picture().await, @"
    current -> releases/1
    releases/1/
    releases/2/
    shared/.env
    shared/storage/
    .cutover/fence 4
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/2.json healthy
    ");
    scene.close().await;
}
