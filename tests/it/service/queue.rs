//! One deployment at a time per environment; the newest that waits wins.

use insta::assert_snapshot;
use kit::World;

#[tokio::test]
async fn the_newest_that_waits_wins_and_older_ones_are_superseded() {
    let world = World::plain().await;
    world.host.hold_at("unpack");
    world.push_file("index.html", "two\n").await;
    world.host.reached("unpack").await;
    world.push_file("index.html", "three\n").await;
    world.push_file("index.html", "four\n").await;
    world.push_file("index.html", "five\n").await;
    world.host.mend_step("unpack");
    world.settled().await;
    assert_eq!(
        world.outcomes().await,
        [
            "deploy deployed",
            "deploy superseded",
            "deploy superseded",
            "deploy deployed"
        ]
    );
    assert_eq!(
        world.host.read("current/index.html").as_deref(),
        Some("five\n")
    );
    world.reported().await;
    assert_snapshot!(world.forge(), @r#"
    acme/shop
      <commit 1>
        cutover/production pending "queued" http://127.0.0.1:<port>/deployments/<id 1>
        cutover/production pending "deploying to production" http://127.0.0.1:<port>/deployments/<id 1>
        cutover/production success "<release 1> is live on production" http://127.0.0.1:<port>/deployments/<id 1>
      <commit 2>
        cutover/production pending "queued" http://127.0.0.1:<port>/deployments/<id 2>
        cutover/production error "superseded by 2a3bc4a before it began" http://127.0.0.1:<port>/deployments/<id 2>
      <commit 3>
        cutover/production pending "queued" http://127.0.0.1:<port>/deployments/<id 3>
        cutover/production error "superseded by 939a847 before it began" http://127.0.0.1:<port>/deployments/<id 3>
      <commit 4>
        cutover/production pending "queued" http://127.0.0.1:<port>/deployments/<id 4>
        cutover/production pending "deploying to production" http://127.0.0.1:<port>/deployments/<id 4>
        cutover/production success "<release 2> is live on production" http://127.0.0.1:<port>/deployments/<id 4>
      deployment 1 production <commit 1> is-production "github push by alice"
        queued "queued" https://shop.example.com http://127.0.0.1:<port>/deployments/<id 1>
        in_progress "deploying to production" https://shop.example.com http://127.0.0.1:<port>/deployments/<id 1>
        success "<release 1> is live on production" https://shop.example.com http://127.0.0.1:<port>/deployments/<id 1>
        inactive "no longer live"
      deployment 2 production <commit 2> is-production "github push by alice"
        queued "queued" https://shop.example.com http://127.0.0.1:<port>/deployments/<id 2>
        inactive "superseded by 2a3bc4a before it began" https://shop.example.com http://127.0.0.1:<port>/deployments/<id 2>
      deployment 3 production <commit 3> is-production "github push by alice"
        queued "queued" https://shop.example.com http://127.0.0.1:<port>/deployments/<id 3>
        inactive "superseded by 939a847 before it began" https://shop.example.com http://127.0.0.1:<port>/deployments/<id 3>
      deployment 4 production <commit 4> is-production "github push by alice"
        queued "queued" https://shop.example.com http://127.0.0.1:<port>/deployments/<id 4>
        in_progress "deploying to production" https://shop.example.com http://127.0.0.1:<port>/deployments/<id 4>
        success "<release 2> is live on production" https://shop.example.com http://127.0.0.1:<port>/deployments/<id 4>
    "#);
    world.close().await;
}

#[tokio::test]
async fn the_same_commit_again_changes_nothing() {
    let world = World::plain().await;
    let sha = world.push_file("index.html", "two\n").await;
    world.settled().await;
    let again = world.github.push(kit::REPOSITORY, "main", sha.as_str());
    let reception = again.send(&world.hook_url()).await.unwrap();
    assert_eq!(reception.status, 202, "{}", reception.body);
    world.settled().await;
    assert_eq!(
        world.outcomes().await,
        ["deploy unchanged", "deploy deployed"]
    );
    world.close().await;
}

#[tokio::test]
async fn a_hook_that_comes_late_never_puts_older_code_in_place_of_newer() {
    let world = World::plain().await;
    let (_, early) = world.commit(vec![page("two\n")]).await;
    let (newest, late) = world.commit(vec![page("three\n")]).await;
    for delivery in [late, early] {
        let reception = delivery.send(&world.hook_url()).await.unwrap();
        assert_eq!(reception.status, 202, "{}", reception.body);
        world.settled().await;
    }
    assert_eq!(
        world.outcomes().await,
        ["deploy refused", "deploy deployed"]
    );
    assert_eq!(
        world.host.read("current/index.html").as_deref(),
        Some("three\n")
    );
    world.reported().await;
    let told = format!(
        "cutover/production error \"refused: push: outdated: main is at {} already\"",
        newest.short()
    );
    assert!(world.forge().contains(&told), "{}", world.forge());
    world.close().await;
}

#[tokio::test]
async fn a_commit_of_another_branch_is_not_deployed_as_a_push_to_this_one() {
    let world = World::plain().await;
    world.repo.branch("feature").await;
    let commit = world.repo.commit("not yet", [("index.html", "x\n")]).await;
    world.repo.push("feature").await;
    let delivery = world.github.push(kit::REPOSITORY, "main", commit.as_str());
    let reception = delivery.send(&world.hook_url()).await.unwrap();
    assert_eq!(reception.status, 202, "{}", reception.body);
    world.settled().await;
    assert_eq!(world.outcomes().await, ["deploy refused"]);
    world.reported().await;
    let told = format!(
        "refused: push: commit {} is not on the branch main",
        commit.short()
    );
    assert!(world.forge().contains(&told), "{}", world.forge());
    assert_eq!(world.host.read("current/index.html"), None);
    world.close().await;
}

fn page(text: &str) -> (String, String) {
    ("index.html".to_owned(), text.to_owned())
}
