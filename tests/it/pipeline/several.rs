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
    let scene = Scene::of(3, Plot { steps, ..Plot::default() }).await;
    let told = scene.deploy(&[]).await;
    assert_snapshot!(told.story(), @"");
    let database = |n: usize| scene.hosts[n].read("shared/database");
    assert_eq!(
        [database(0), database(1), database(2)],
        [Some("web1 migrates\n".to_owned()), None, None]
    );
    assert_snapshot!(scene.picture().await, @"");
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
    assert_snapshot!(told.outcome(), @"");
    assert_snapshot!(scene.picture().await, @"");
    scene.hosts[1].mend_step("link shared");
    assert_eq!(scene.deploy(&[]).await.exit(), 0);
    scene.close().await;
}

#[tokio::test]
async fn a_swap_that_fails_on_one_host_is_undone_on_the_other() {
    let scene = two().await;
    scene.deploy(&[]).await;
    scene.hosts[1].fault_step("swap", 70, "mv: cannot move: I/O error");
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"");
    assert_snapshot!(told.story(), @"");
    assert_snapshot!(scene.picture().await, @"");
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
    let files = [("prepare.sh", "if [ -e storage/break ]; then ok=false; else ok=true; fi; printf '{\"ok\":%s,\"release\":\"%s\"}' $ok \"$CUTOVER_RELEASE\" >health.json")];
    let told = scene.deploy(&files).await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"");
    assert_snapshot!(scene.picture().await, @"");
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
    assert_snapshot!(told.outcome(), @"");
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
    assert_snapshot!(told.outcome(), @"");
    assert_snapshot!(scene.picture().await, @"");
    scene.close().await;
}

#[tokio::test]
async fn a_host_that_joins_later_gets_the_release_and_can_be_taken_back() {
    let scene = two().await;
    scene.deploy(&[]).await;
    scene.hosts[1].sh("rm -r current releases .cutover").await;
    let told = scene.deploy(ILL).await;
    assert_snapshot!(told.outcome(), @"");
    assert_snapshot!(scene.picture().await, @"");
    scene.close().await;
}
