//! Deployers that fall behind: who was overtaken changes nothing any more, and what was cut off half-way is brought to
//! one end everywhere.

use insta::assert_snapshot;
use kit::{Signal, signal};

use super::lease::cutover_deploy;
use super::scene::{Plot, Scene};

#[tokio::test]
async fn who_was_cut_off_and_overtaken_never_swaps() {
    let scene = Scene::plain().await;
    scene.deploy(&[]).await;
    // The first waits before its switch, its line is cut there, and a second one goes ahead meanwhile.
    scene.host().hold_at("finish");
    let first = scene.begin(&scene.wish(&[("ok", "true")]).await);
    scene.host().reached("finish").await;
    scene.host().hold_at("lease");
    scene.host().cut_lines();
    scene.host().reached("lease").await;
    // The second has been here, and has given the lease back.
    let fence = "echo 99 >.cutover/fence; : >.cutover/lock";
    scene.host().sh(fence).await;
    scene.host().mend_step("lease");
    scene.host().mend_step("finish");
    let told = first.end().await;
    assert_snapshot!(told.outcome(), @"
    failed, and not everything could be restored
      left on web1: current leads to something unknown: reconnect on web1: another deployment took the host over while the line was down
      reconnect on web1: another deployment took the host over while the line was down
      See what it does with `cutover status production`; yours can be asked for again when it is over.
    ");
    assert_snapshot!(scene.picture().await, @"
    current -> releases/1
    releases/1/
    releases/2/
    shared/.env
    shared/storage/
    .cutover/fence 101
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/2.json ready
    ");
    assert_eq!(scene.deploy(&[]).await.exit(), 0);
    scene.close().await;
}

#[tokio::test]
async fn a_deployer_that_stands_still_loses_the_lease_and_changes_nothing_when_it_goes_on() {
    // What would come next is to prepare, to migrate and swap, and to go back or to prune.
    tokio::join!(
        stands_still_at("unpack"),
        stands_still_at("mark ready"),
        stands_still_at("health")
    );
}

async fn stands_still_at(step: &str) {
    let steps = "migrate = [\"touch migrated\"]".to_owned();
    let plot = Plot {
        steps,
        keys: "keep_releases = 1".to_owned(),
        ..Plot::default()
    };
    let scene = Scene::of(1, plot).await;
    scene.deploy(&[]).await;
    scene.commit(&[("index.html", "bob\n")]).await;
    scene.host().hold_at(step);
    let mut stopped = cutover_deploy(&scene);
    scene.host().reached(step).await;
    let pid = i32::try_from(stopped.id().unwrap()).unwrap();
    signal(pid, Signal::STOP);
    scene.host().mend_step(step);
    // The host takes a holder for gone that has been silent for a minute.
    let told = scene.deploy(&[("index.html", "alice\n")]).await;
    assert_eq!(told.exit(), 0, "{}", told.outcome());
    let before = scene.picture().await;
    signal(pid, Signal::CONT);
    let status = stopped.wait().await.unwrap();
    // Its release may have been live and healthy before somebody else's took its place.
    let well = step == "health" && status.code() == Some(0);
    assert!(well || status.code() != Some(0), "{step}: {status}");
    let after = scene.picture().await;
    assert_eq!(live(&scene), "alice\n", "{step}");
    assert_eq!(before, after, "{step}");
    assert_eq!(scene.deploy(&[("index.html", "carol\n")]).await.exit(), 0);
    scene.close().await;
}

fn live(scene: &Scene) -> String {
    scene.host().read("current/index.html").unwrap()
}

#[tokio::test]
async fn a_way_back_that_reached_one_host_only_is_gone_on_by_the_same_request() {
    let scene = Scene::of(2, Plot::default()).await;
    scene.deploy(&[]).await;
    scene.hosts[0].hold_at("health");
    let request = scene.wish(&[("ok", "false")]).await;
    let running = scene.begin(&request);
    scene.hosts[0].reached("health").await;
    scene.hosts[1].fault_step("swap", 1, "no luck");
    scene.hosts[0].mend_step("health");
    let told = running.end().await;
    assert_eq!(told.exit(), 3);
    assert_snapshot!(told.outcome(), @"
    failed, and not everything could be restored
      left on web2: current leads to r2: swap on web2: exit 1: no luck
      health on web1: http://shop.test/health did not become healthy in 2 attempts: ok is false, not true
      Look at the app's own log on the host, below shared/storage/logs for Laravel.
    ");
    scene.hosts[1].mend_step("swap");
    let told = scene.run(&request).await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.story(), @"
    plan: r1 to r2
    == undo
    web2 | current -> releases/r1
    web2 swap: ok
    web2 mark restored: ok
    web2 mark rolled back: ok
    == health after undo
    web2 health 1 of 2: HTTP 200
    ");
    assert_snapshot!(told.outcome(), @"
    rolled back: r1 is live and healthy again; r2 failed
      undo: it was cut off while it was taken back; why is in the journals of the hosts
    ");
    assert_snapshot!(scene.picture().await, @"
    == web1
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
    == web2
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
