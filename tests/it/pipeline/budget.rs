//! What a deployment may cost, by sshd's own log: connections and channels follow one another, and each is a round trip.

use super::laravel;

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
