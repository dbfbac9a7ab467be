//! A forge with bad days fails no deployment, and hears everything in the end.

use std::time::Duration;

use insta::assert_snapshot;
use kit::World;
use kit::github::Trouble;

#[tokio::test]
async fn a_forge_that_is_down_stops_no_deployment_and_hears_of_it_later() {
    let mut world = World::plain().await;
    world.github.go_down();
    world.push_file("index.html", "two\n").await;
    world.settled().await;
    assert_eq!(world.outcomes().await, ["deploy deployed"]);
    world.take_service().kill();
    world.github.come_back();
    world.start_service().await;
    world.reported().await;
    assert_snapshot!(world.forge(), @r#"
    acme/shop
      <commit 1>
        cutover/production pending "deploying to production" http://127.0.0.1:<port>/deployments/<id 1>
        cutover/production success "<release 1> is live on production" http://127.0.0.1:<port>/deployments/<id 1>
      deployment 1 production <commit 1> is-production "github push by alice"
        queued "queued" https://shop.example.com http://127.0.0.1:<port>/deployments/<id 1>
        in_progress "deploying to production" https://shop.example.com http://127.0.0.1:<port>/deployments/<id 1>
        success "<release 1> is live on production" https://shop.example.com http://127.0.0.1:<port>/deployments/<id 1>
    "#);
    world.close().await;
}

#[tokio::test]
async fn an_answer_that_was_lost_makes_no_second_deployment() {
    let world = World::plain().await;
    world
        .github
        .answer_next_to("/deployments", 1, Trouble::DoesThenCut);
    world.push_file("index.html", "two\n").await;
    world.settled().await;
    world.reported().await;
    assert_eq!(
        world.github.deployments(kit::REPOSITORY).len(),
        1,
        "{}",
        world.forge()
    );
    world.close().await;
}

#[tokio::test]
async fn limits_are_waited_for_as_long_as_they_say() {
    let world = World::plain().await;
    world
        .github
        .answer_next(1, Trouble::SecondaryLimit(Duration::from_secs(1)));
    world.push_file("index.html", "two\n").await;
    world.settled().await;
    world.reported().await;
    let statuses = world
        .github
        .statuses(kit::REPOSITORY, world.repo.head().await.as_str());
    assert_eq!(
        statuses.last().map(|status| status.state.as_str()),
        Some("success"),
        "{}",
        world.forge()
    );
    world.close().await;
}
