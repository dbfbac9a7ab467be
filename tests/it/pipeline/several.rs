//! Several hosts: all of them change or none, and what must run once runs once.

use insta::assert_snapshot;

use super::scene::{Plot, Scene};

const ILL: &[(&str, &str)] = &[("ok", "false")];

async fn two() -> Scene {
    Scene::of(2, Plot::default()).await
}

#[tokio::test]
async fn the_database_of_three_hosts_is_migrated_once_when_all_are_ready() {
    let steps = "migrate = [\"echo $CUTOVER_HOST migrates >>$CUTOVER_PATH/shared/database; ls $CUTOVER_PATH/current || true\"]";
    let steps = steps.to_owned();
    let scene = Scene::of(
        3,
        Plot {
            steps,
            ..Plot::default()
        },
    )
    .await;
    let told = scene.deploy(&[]).await;
    assert_snapshot!(told.story(), @"
    plan: nothing to r1
    == stage
    web1 bring: ok
    web1 mark staging: ok
    web1 unpack: ok
    web1 link shared: ok
    web1 prepare: sh prepare.sh: ok
    web1 mark ready: ok
    web2 bring: ok
    web2 mark staging: ok
    web2 unpack: ok
    web2 link shared: ok
    web2 prepare: sh prepare.sh: ok
    web2 mark ready: ok
    web3 bring: ok
    web3 mark staging: ok
    web3 unpack: ok
    web3 link shared: ok
    web3 prepare: sh prepare.sh: ok
    web3 mark ready: ok
    == migrate
    web1 | ls: cannot access '/srv/shop/current': No such file or directory
    web1 migrate: echo $CUTOVER_HOST migrates >>$CUTOVER_PATH/shared…: ok
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
    let database = |n: usize| scene.hosts[n].read("shared/database");
    assert_eq!(
        [database(0), database(1), database(2)],
        [Some("web1 migrates\n".to_owned()), None, None]
    );
    assert_snapshot!(scene.picture().await, @"
    == web1
    current -> releases/1
    releases/1/
    shared/.env
    shared/database
    shared/storage/
    .cutover/fence 1
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    == web2
    current -> releases/1
    releases/1/
    shared/.env
    shared/storage/
    .cutover/fence 1
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    == web3
    current -> releases/1
    releases/1/
    shared/.env
    shared/storage/
    .cutover/fence 1
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    ");
    // Going back changes no schema.
    scene.deploy(&[]).await;
    scene.rollback().await;
    assert_eq!(database(0).unwrap().lines().count(), 2);
    scene.close().await;
}

#[tokio::test]
async fn a_step_that_fails_on_one_host_leaves_all_as_they_were() {
    let scene = two().await;
    scene.deploy(&[]).await;
    scene.hosts[1].fault_step("link shared", 70, "ln: I/O error");
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"
    failed: what was live still is
      link shared on web2: exit 70: ln: I/O error
      Look whether the disk is full: `df -h`. Remove old releases, or lower `keep_releases`.
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
    .cutover/releases/2.json failed
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
    ");
    scene.hosts[1].mend_step("link shared");
    assert_eq!(scene.deploy(&[]).await.exit(), 0);
    scene.close().await;
}

#[tokio::test]
async fn a_swap_that_fails_on_one_of_two_hosts_leaves_both_on_the_old_release_and_free() {
    let scene = two().await;
    scene.deploy(&[]).await;
    scene.hosts[1].fault_step("swap", 70, "mv: cannot move: I/O error");
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"
    rolled back: r1 is live and healthy again; r2 failed
      swap on web2: exit 70: mv: cannot move: I/O error
      Look whether the disk is full: `df -h`. Remove old releases, or lower `keep_releases`.
    ");
    assert_snapshot!(told.matrix(), @"
    host  stage     migrate  switch    health  watch  keep  undo      live
    web1  ok 0.0 s  –        ok 0.0 s  –       –      –     ok 0.0 s  r1
    web2  ok 0.0 s  –        failed    –       –      –     –         r1
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
    web2 bring: ok
    web2 mark staging: ok
    web2 unpack: ok
    web2 link shared: ok
    web2 prepare: sh prepare.sh: ok
    web2 mark ready: ok
    == switch
    web1 mark live: ok
    web1 | current -> releases/r2
    web1 swap: ok
    web2 mark live: ok
    web2 | mv: cannot move: I/O error
    web2 swap: exit 70
    web2 note: swap on web2: exit 70: mv: cannot move: I/O error. Look whether the disk is full: `df -h`. Remove old releases, or lower `keep_releases`.
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
    ");
    scene.hosts[1].mend_step("swap");
    assert_eq!(scene.deploy(&[]).await.exit(), 0);
    scene.close().await;
}

#[tokio::test]
async fn health_that_fails_on_one_host_takes_both_back() {
    let scene = two().await;
    scene.deploy(&[]).await;
    scene.hosts[1].write("shared/storage/break", "");
    // Only on the second host the new release is ill.
    let files = [(
        "prepare.sh",
        "if [ -e storage/break ]; then ok=false; else ok=true; fi; printf '{\"ok\":%s,\"release\":\"%s\"}' $ok \"$CUTOVER_RELEASE\" >health.json",
    )];
    let told = scene.deploy(&files).await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"
    rolled back: r1 is live and healthy again; r2 failed
      health on web2: http://shop.test/health did not become healthy in 2 attempts: ok is false, not true
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
    .cutover/releases/2.json rolled-back
    ");
    scene.close().await;
}

#[tokio::test]
async fn a_host_that_is_down_keeps_all_from_changing() {
    let scene = two().await;
    scene.deploy(&[]).await;
    let before = scene.picture().await;
    scene.hosts[1].go_down().await;
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 2);
    assert_snapshot!(told.outcome(), @"
    refused: nothing was changed
      greet on web2: cannot connect to deploy@web2: failed to connect to the remote host: connect to host 127.0.0.1 port 22: Connection refused
      Check that the host is up and reachable: `ssh -p 22 deploy@127.0.0.1 true`.
    ");
    scene.hosts[1].come_up().await;
    // Only the fence of the lease that was given back again may tell.
    assert_eq!(scene.picture().await, before);
    assert_eq!(scene.deploy(&[]).await.exit(), 0);
    scene.close().await;
}

#[tokio::test]
async fn a_first_release_that_fails_on_one_host_leaves_nothing_live() {
    let scene = two().await;
    let told = scene.deploy(ILL).await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"
    failed: what was live still is
      health on web1: http://shop.test/health did not become healthy in 2 attempts: ok is false, not true
      Look at the app's own log on the host, below shared/storage/logs for Laravel.
    ");
    assert_snapshot!(scene.picture().await, @"
    == web1
    releases/1/
    shared/.env
    shared/storage/
    .cutover/fence 1
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json rolled-back
    == web2
    releases/1/
    shared/.env
    shared/storage/
    .cutover/fence 1
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json rolled-back
    ");
    scene.close().await;
}

#[tokio::test]
async fn a_host_that_joins_later_gets_the_release_and_can_be_taken_back() {
    let scene = two().await;
    scene.deploy(&[]).await;
    scene.hosts[1].sh("rm -r current releases .cutover").await;
    let told = scene.deploy(ILL).await;
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
    releases/1/
    shared/.env
    shared/storage/
    .cutover/fence 1
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json rolled-back
    ");
    scene.close().await;
}
