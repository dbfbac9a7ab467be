//! The scene that people talk in, on either forge: a change that is open, a release `two` that is live.

use std::fmt::Write as _;
use std::time::Duration;

use kit::github::Reception;
use kit::{REPOSITORY, World, numbered, wait_for};

/// The pull request, or merge request, that everybody talks in.
pub(in crate::service) const CHANGE: u64 = 7;
const PATIENCE: Duration = Duration::from_mins(1);
/// The reactions that say that nothing more will be said.
const LAST: [&str; 3] = ["rocket", "confused", "x"];

/// A scene on GitHub. Alice may write, rita only read.
pub(in crate::service) async fn world() -> World {
    let world = World::plain().await;
    world.github.set_role(REPOSITORY, "alice", "write");
    world.github.set_role(REPOSITORY, "rita", "read");
    let head = world.repo.head().await;
    world
        .github
        .open_pull(REPOSITORY, CHANGE, "topic", head.as_str());
    push(&world, "two").await;
    world.settled().await;
    world
}

/// The same scene on GitLab: alice is a developer, rita a guest.
pub(in crate::service) async fn on_gitlab() -> World {
    let world = World::on_gitlab().await;
    world.gitlab().set_level(REPOSITORY, "alice", 30);
    world.gitlab().set_level(REPOSITORY, "rita", 10);
    let head = world.repo.head().await;
    world
        .gitlab()
        .open_merge_request(REPOSITORY, CHANGE, "topic", head.as_str());
    push(&world, "two").await;
    world.settled().await;
    world
}

pub(in crate::service) async fn push(world: &World, text: &str) {
    world.push_file("index.html", &format!("{text}\n")).await;
}

/// What was answered to a hook, which must have got this status.
pub(in crate::service) fn taken(reception: &Reception, status: u16) -> &str {
    assert_eq!(reception.status, status, "{}", reception.body);
    &reception.body
}

/// Somebody writes a command on the change.
pub(in crate::service) async fn say(world: &World, who: &str, text: &str) {
    let url = world.hook_url();
    let sent = if world.is_on_gitlab() {
        let delivery = world.gitlab().comment(REPOSITORY, CHANGE, who, text);
        delivery.send(&url).await
    } else {
        let delivery = world.github.comment(REPOSITORY, CHANGE, who, text);
        delivery.send(&url).await
    };
    taken(&sent.unwrap(), 202);
}

/// Waits until so many comments carry the sign that nothing more will be said.
pub(in crate::service) async fn answered(world: &World, wanted: usize) {
    let over = |reactions: &Vec<String>| reactions.iter().any(|r| LAST.contains(&r.as_str()));
    wait_for("the commands to be answered", PATIENCE, async || {
        let count = reactions(world).iter().filter(|&all| over(all)).count();
        if count >= wanted {
            Ok(())
        } else {
            Err(format!("{}\n{}", said(world), world.service().log()))
        }
    })
    .await;
}

fn reactions(world: &World) -> Vec<Vec<String>> {
    if world.is_on_gitlab() {
        let notes = world.gitlab().notes(REPOSITORY);
        notes.into_iter().map(|note| note.reactions).collect()
    } else {
        let comments = world.github.comments(REPOSITORY);
        comments
            .into_iter()
            .map(|comment| comment.reactions)
            .collect()
    }
}

fn said(world: &World) -> String {
    if world.is_on_gitlab() {
        world.gitlab().talk(REPOSITORY)
    } else {
        world.github.talk(REPOSITORY)
    }
}

/// The thread as a reader sees it, with numbers for ids and without times.
pub(in crate::service) fn talk(world: &World) -> String {
    let text = numbered(&said(world));
    let mut shown = String::new();
    for line in text.lines() {
        let mut line = line.to_owned();
        while let Some(end) = line.find(" UTC") {
            let start = end - "2026-01-01 00:00".len();
            line.replace_range(start..end + " UTC".len(), "<time>");
        }
        writeln!(shown, "{line}").unwrap();
    }
    shown
}

pub(in crate::service) fn live(world: &World) -> String {
    let text = world.host.read("current/index.html").unwrap_or_default();
    text.trim().to_owned()
}

pub(in crate::service) async fn waiting(world: &World) -> usize {
    world.production().await["waiting"]
        .as_array()
        .map_or(0, Vec::len)
}
