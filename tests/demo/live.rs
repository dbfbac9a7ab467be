//! Shows what goes on, as it goes on.

use std::time::{Duration, Instant};

use cutover_deploy::Event;
use kit::{REPOSITORY, World, wait_for};
use serde::Deserialize;
use tokio::signal::unix::{SignalKind, signal};

#[derive(Debug, Deserialize)]
struct Followed {
    state: String,
    events: Vec<Kept>,
}

#[derive(Debug, Deserialize)]
struct Kept {
    seq: i64,
    #[serde(flatten)]
    event: Event,
}

/// Says what has been started and where.
pub(crate) fn introduce(world: &World) {
    let host = &world.host;
    println!(
        "  host web1    {} as ordinary processes below {}",
        host.address(),
        host.dir().display()
    );
    println!("               sshd, nginx, PHP-FPM, Redis, supervisor with 2 queue workers");
    println!(
        "  app          Laravel, live at {} on {}/",
        kit::FIRST,
        host.http_url()
    );
    println!(
        "  GitHub       one of our own at {}, repository {REPOSITORY}",
        world.github.base_url()
    );
    println!(
        "  service      {} on SQLite, from {}/service.toml\n",
        world.service().url(),
        world.dir().display()
    );
}

/// The pull request that people talk in.
const PULL: u64 = 1;
const PATIENCE: Duration = Duration::from_mins(1);

/// Opens the pull request, and lets `alice` write.
pub(crate) async fn open_pull(world: &World) {
    let head = world.repo.head().await;
    world.github.set_role(REPOSITORY, "alice", "write");
    let branch = "prices";
    world
        .github
        .open_pull(REPOSITORY, PULL, branch, head.as_str());
}

/// `alice` writes a command, and the service answers.
pub(crate) async fn comment(world: &World, command: &str) {
    let asked = write(world, command).await;
    answer(world, asked).await;
}

/// `alice` writes a command into the pull request. Returns how many comments there were before.
pub(crate) async fn write(world: &World, command: &str) -> usize {
    let before = world.github.comments(REPOSITORY).len();
    println!("    alice comments: {command}");
    let hook = world.github.comment(REPOSITORY, PULL, "alice", command);
    let sent = hook.send(&world.hook_url()).await;
    let reception = sent.expect("the service answers");
    assert_eq!(reception.status, 202, "{}", reception.body);
    before
}

/// Waits until all is said to the comment at this place, and prints the reply.
pub(crate) async fn answer(world: &World, asked: usize) {
    wait_for("the comment to be answered", PATIENCE, async || {
        let comments = world.github.comments(REPOSITORY);
        let over = |reaction: &String| ["rocket", "confused"].contains(&reaction.as_str());
        match (
            comments[asked].reactions.iter().any(over),
            comments.get(asked + 1),
        ) {
            (true, Some(reply)) => {
                // The hidden first line is for programs.
                for line in reply.body.lines().skip(1).filter(|line| !line.is_empty()) {
                    println!("    {} replies: {line}", reply.author);
                }
                Ok(())
            }
            _ => Err(world.service().log()),
        }
    })
    .await;
}

/// Waits until a rollback runs or has ended, and returns its deployment.
pub(crate) async fn rollback(world: &World) -> String {
    wait_for("the rollback to begin", PATIENCE, async || {
        let production = world.production().await;
        let newest = [&production["running"], &production["ended"][0]];
        match newest.into_iter().find(|it| it["kind"] == "rollback") {
            Some(rollback) => Ok(rollback["id"].as_str().unwrap_or_default().to_owned()),
            None => Err(format!("{production:#}")),
        }
    })
    .await
}

/// Prints the events of a deployment until it is over.
pub(crate) async fn follow(world: &World, deployment: &str, began: Instant) {
    let mut after = 0;
    loop {
        let path = format!("/api/v1/deployments/{deployment}/events?after={after}&wait=true");
        let answer = world.service().json(&path).await;
        let followed: Followed =
            serde_json::from_value(answer).expect("the service speaks as it promises");
        for kept in &followed.events {
            after = kept.seq;
            print(&kept.event, began);
        }
        if followed.state == "done" && followed.events.is_empty() {
            return;
        }
    }
}

fn print(event: &Event, began: Instant) {
    // The end of a step names it again, and what a step prints is on the page of the deployment.
    if matches!(event, Event::StepBegan { .. } | Event::Line { .. }) {
        return;
    }
    let at = began.elapsed();
    for line in event.to_string().lines() {
        let line: String = line.chars().take(110).collect();
        println!(
            "    {:>3}.{} s  {line}",
            at.as_secs(),
            at.subsec_millis() / 100
        );
    }
}

/// Sends the hook for whatever is pushed to `main` and shows the deployment, until Ctrl-C or `kill`.
pub(crate) async fn follow_pushes(world: &World) {
    let mut known = world
        .repo
        .git(&["ls-remote", "--heads", "origin", "main"])
        .await;
    let mut ticks = tokio::time::interval(Duration::from_millis(500));
    loop {
        tokio::select! {
            () = told_to_stop() => return,
            _ = ticks.tick() => {}
        }
        let head = world
            .repo
            .git(&["ls-remote", "--heads", "origin", "main"])
            .await;
        if head == known {
            continue;
        }
        known.clone_from(&head);
        let Some(sha) = head.split_whitespace().next() else {
            continue;
        };
        println!("\n  push of {} to main", &sha[..7]);
        let began = Instant::now();
        let reception = world
            .github
            .push(REPOSITORY, "main", sha)
            .send(&world.hook_url())
            .await;
        let Ok(reception) = reception else { continue };
        println!(
            "    hook answered {}: {}",
            reception.status,
            reception.body.trim()
        );
        let production = world.production().await;
        if let Some(id) = production["running"]["id"].as_str() {
            follow(world, id, began).await;
        }
    }
}

/// Ctrl-C, or an ordinary `kill`.
async fn told_to_stop() {
    let mut terminate = signal(SignalKind::terminate()).expect("a signal can be heard");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
