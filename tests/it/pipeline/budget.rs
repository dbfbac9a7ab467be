//! What a deployment may cost, by sshd's own log: connections and channels follow one another, and each is a round trip.

use super::laravel;
use super::scene::{Plot, Scene};

#[tokio::test]
async fn a_warm_deployment_with_all_roles_takes_one_connection_and_six_channels_and_a_rollback_four()
 {
    let scene = laravel::shop(laravel::Shop::default()).await;
    assert_eq!(scene.deploy(&[("one", "")]).await.exit(), 0);
    scene.host().mark();
    let told = scene.deploy(&[("two", "")]).await;
    assert_eq!(told.exit(), 0, "{}", told.story());
    let (connections, channels) = (scene.host().connections(), scene.host().exec_channels());
    assert_eq!(connections, 1);
    assert!(
        channels <= 6,
        "a deployment took {channels} channels\n{}",
        told.story()
    );
    scene.host().mark();
    let told = scene.rollback().await;
    assert_eq!(told.exit(), 0, "{}", told.story());
    let (connections, channels) = (scene.host().connections(), scene.host().exec_channels());
    assert_eq!(connections, 1);
    assert!(
        channels <= 4,
        "a rollback took {channels} channels\n{}",
        told.story()
    );
    scene.close().await;
}

#[tokio::test]
async fn the_budget_holds_with_migrations_a_watch_and_a_balancer() {
    let steps = "migrate = [\"true\"]\nbefore_swap = [\"true\"]\nafter_health = [\"true\"]";
    let plot = Plot {
        steps: steps.to_owned(),
        keys: "watch = \"100ms\"".to_owned(),
        ..Plot::default()
    };
    let scene = Scene::start(plot).await;
    assert_eq!(scene.deploy(&[("one", "")]).await.exit(), 0);
    for (most, rolls_back) in [(8, false), (5, true)] {
        scene.host().mark();
        let told = if rolls_back {
            scene.rollback().await
        } else {
            scene.deploy(&[("two", "")]).await
        };
        assert_eq!(told.exit(), 0, "{}", told.story());
        let (connections, channels) = (scene.host().connections(), scene.host().exec_channels());
        assert_eq!(connections, 1);
        assert!(channels <= most, "{channels} channels\n{}", told.story());
    }
    scene.close().await;
}
