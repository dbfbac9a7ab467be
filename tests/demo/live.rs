//! Shows what goes on, as it goes on.

use std::time::{Duration, Instant};

use cutover_deploy::Event;
use kit::{REPOSITORY, World};
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
