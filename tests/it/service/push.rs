//! A push becomes a deployment, and the forge hears of it.

use insta::assert_snapshot;
use kit::{REPOSITORY, World};

fn files(pairs: &[(&str, &str)]) -> kit::Files {
    pairs
        .iter()
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect()
}

#[tokio::test]
async fn a_push_becomes_live_and_the_forge_hears_of_it() {
    let world = World::plain().await;
    let (_, reception) = world.push(files(&[("index.html", "two\n")])).await;
    assert_eq!(reception.status, 202, "{}", reception.body);
    world.settled().await;
    assert_eq!(
        world.outcomes().await,
        ["deploy deployed"],
        "{}",
        world.service().log()
    );
    world.reported().await;
    assert_snapshot!(world.host.picture().await, @"");
    assert_snapshot!(world.github.picture(REPOSITORY), @"");
    world.close().await;
}

#[tokio::test]
async fn a_push_that_is_ill_is_taken_back_and_the_forge_hears_of_it() {
    let world = World::plain().await;
    world.push(files(&[("index.html", "two\n")])).await;
    world.settled().await;
    world.push(files(&[("ok", "false")])).await;
    world.settled().await;
    assert_eq!(
        world.outcomes().await,
        ["deploy rolled_back", "deploy deployed"]
    );
    world.reported().await;
    assert_snapshot!(world.host.picture().await, @"");
    assert_snapshot!(world.github.picture(REPOSITORY), @"");
    world.close().await;
}
