//! Connections that are kept from one deployment to the next, and what is done when one has died meanwhile.

use std::time::Duration;

use cutover_deploy::run::Kept;

use super::scene::Scene;

/// A scene with one release, made over a connection that is kept.
async fn scene(idle: Duration) -> Scene {
    let mut scene = Scene::plain().await;
    scene.access.kept = Some(Kept::new(idle));
    let told = scene.deploy(&[("page", "one")]).await;
    assert_eq!(told.exit(), 0, "{}", told.story());
    scene.host().mark();
    scene
}

async fn close(scene: Scene) {
    scene.access.kept.clone().unwrap().close().await;
    scene.close().await;
}

#[tokio::test]
async fn the_next_deployment_makes_no_connection_of_its_own() {
    let scene = scene(Duration::from_mins(5)).await;
    let told = scene.deploy(&[("page", "two")]).await;
    assert_eq!(told.exit(), 0, "{}", told.story());
    let told = scene.rollback().await;
    assert_eq!(told.exit(), 0, "{}", told.story());
    assert_eq!(scene.host().connections(), 0);
    close(scene).await;
}

#[tokio::test]
async fn a_kept_connection_that_was_cut_is_replaced() {
    let scene = scene(Duration::from_mins(5)).await;
    scene.host().cut_lines();
    let told = scene.deploy(&[("page", "two")]).await;
    assert_eq!(told.exit(), 0, "{}", told.story());
    assert_eq!(scene.host().connections(), 1);
    close(scene).await;
}

#[tokio::test]
async fn a_kept_connection_that_fell_silent_is_replaced() {
    let scene = scene(Duration::from_mins(5)).await;
    scene.host().freeze_lines();
    let told = scene.deploy(&[("page", "two")]).await;
    assert_eq!(told.exit(), 0, "{}", told.story());
    assert_eq!(scene.host().connections(), 1);
    scene.host().cut_lines();
    close(scene).await;
}

#[tokio::test]
async fn a_connection_that_nobody_wants_any_more_ends_by_itself() {
    let scene = scene(Duration::from_millis(200)).await;
    // Nothing may be left over on the host.
    scene.close().await;
}
