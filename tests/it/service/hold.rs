//! Holds of the service are respected at the hosts, and locks of the hosts by the service.

use std::process::Output;
use std::time::Duration;

use kit::{REPOSITORY, World, program, wait_for};
use tokio::process::Command;

use super::chat::scene::{answered, live, push, say, world};

const PATIENCE: Duration = Duration::from_mins(1);

/// The command line as bob uses it.
async fn bob(world: &World, arguments: &[&str]) -> Output {
    let mut cutover = Command::new(program("cutover"));
    cutover.args(arguments).arg("production");
    cutover.arg("--config").arg(world.config_file());
    cutover.arg("--ssh-key").arg(world.host.key_file());
    cutover.arg("--known-hosts").arg(world.host.known_hosts());
    cutover.env("USER", "bob").output().await.unwrap()
}

fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    format!(
        "exit {:?}\n{}",
        output.status.code(),
        String::from_utf8_lossy(&text)
    )
}

/// Waits until the host shows a hold, or none.
async fn shown(world: &World, wanted: bool) {
    wait_for("the host to hear of the hold", PATIENCE, async || {
        let hold = world.host.read(".cutover/hold.json");
        if hold.is_some() == wanted {
            Ok(())
        } else {
            Err(format!("{hold:?}\n{}", world.service().log()))
        }
    })
    .await;
}

#[tokio::test]
async fn a_lock_in_a_comment_stops_a_shell_and_ends_there_as_well() {
    let mut world = world().await;
    push(&world, "three").await;
    world.settled().await;
    say(&world, "alice", "/lock production --reason stocktaking").await;
    answered(&world, 1).await;
    shown(&world, true).await;
    let refused = bob(&world, &["rollback"]).await;
    let text = said(&refused);
    assert_eq!(refused.status.code(), Some(4), "{text}");
    assert!(
        text.contains("production is locked by alice since"),
        "{text}"
    );
    assert!(text.contains(": stocktaking"), "{text}");
    // What was put up is taken down also by a service that was killed in between.
    world.host.go_down().await;
    say(&world, "alice", "/unlock production").await;
    answered(&world, 2).await;
    world.take_service().kill();
    world.host.come_up().await;
    world.start_service().await;
    shown(&world, false).await;
    world.close().await;
}

#[tokio::test]
async fn the_services_own_deployments_pass_the_hold_that_it_put_up() {
    let world = world().await;
    push(&world, "three").await;
    world.settled().await;
    say(&world, "alice", "/rollback production").await;
    answered(&world, 1).await;
    assert_eq!(live(&world), "two");
    shown(&world, true).await;
    let who = said(&bob(&world, &["who"]).await);
    assert!(who.contains("locked by alice since"), "{who}");
    assert!(who.contains("after a rollback"), "{who}");
    // Who holds it may deploy, though the hold stands on the host.
    say(&world, "alice", "/deploy main to production").await;
    answered(&world, 2).await;
    assert_eq!(live(&world), "three", "{}", world.github.talk(REPOSITORY));
    world.close().await;
}

#[tokio::test]
async fn a_lock_of_a_shell_lets_a_push_wait_and_is_named() {
    let world = world().await;
    let locked = bob(&world, &["lock", "--reason", "migration by hand"]).await;
    assert!(locked.status.success(), "{}", said(&locked));
    push(&world, "three").await;
    wait_for("the push to be put back", PATIENCE, async || {
        let waiting = world.production().await["waiting"].clone();
        let id = waiting[0]["id"].as_str().unwrap_or_default().to_owned();
        let page = world.service().page(&format!("/deployments/{id}")).await;
        if page.contains("locked by bob") && page.contains("migration by hand") {
            Ok(())
        } else {
            Err(page)
        }
    })
    .await;
    assert_eq!(live(&world), "two");
    let unlocked = bob(&world, &["unlock"]).await;
    assert!(unlocked.status.success(), "{}", said(&unlocked));
    world.settled().await;
    assert_eq!(live(&world), "three");
    world.close().await;
}

#[tokio::test]
async fn what_a_shell_deployed_is_what_the_service_shows() {
    let world = world().await;
    let (commit, _) = world
        .commit(vec![("index.html".to_owned(), "by hand\n".to_owned())])
        .await;
    let repository = world.repo.url();
    let work = world.dir().join("by-hand");
    let from = ["--repository", &repository, "--work-dir"];
    let deploy = ["deploy", from[0], from[1], from[2], work.to_str().unwrap()];
    let deployed = bob(&world, &deploy).await;
    assert!(deployed.status.success(), "{}", said(&deployed));
    wait_for("the service to show it", PATIENCE, async || {
        let live = world.production().await["live"].clone();
        if live["commit"] == commit.as_str() && live["actor"] == "bob" {
            Ok(())
        } else {
            Err(format!("{live:#}"))
        }
    })
    .await;
    let page = world.service().page("/").await;
    assert!(page.contains("not deployed from here"), "{page}");
    world.close().await;
}
