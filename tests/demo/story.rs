//! What the demo does: pushes and comments, with a client and a queue that never rest.

use std::time::{Duration, Instant};

use cutover_deploy::CommitSha;
use kit::{Breakage, Files, Jobs, Load, LoadReport, REPOSITORY, SampleApp, World};

use crate::live;

/// Requests a second, all the while.
const RATE: u32 = 20;
/// Long enough to be at work while the release is switched.
const LONG_JOB: Duration = Duration::from_secs(5);

/// What came of it.
#[derive(Debug)]
pub(crate) struct Story {
    /// What the client saw.
    pub(crate) requests: LoadReport,
    /// What became of the jobs.
    pub(crate) jobs: Jobs,
    /// The chapters, in order.
    pub(crate) chapters: Vec<Chapter>,
}

/// One deployment.
#[derive(Debug)]
pub(crate) struct Chapter {
    /// What asked for it.
    pub(crate) title: &'static str,
    /// Its end as it had to be and as it was: the outcome, and the code that is live.
    pub(crate) wanted: [&'static str; 2],
    pub(crate) ended: [String; 2],
    /// From the hook to the end.
    pub(crate) took: Duration,
}

impl Story {
    /// Lets everything happen, and shows it.
    pub(crate) async fn tell(world: &World) -> Self {
        let url = format!("{}/", world.host.http_url());
        let mut load = Load::judged(&url, RATE, home_page);
        load.answers(10).await;
        let mut chapters = Vec::new();
        push_jobs(world).await;
        chapters.push(good_push(world).await);
        load.answers(10).await;
        push_jobs(world).await;
        chapters.push(bad_push(world).await);
        chapters.push(locked_push(world).await);
        push_jobs(world).await;
        chapters.push(rollback(world).await);
        load.answers(20).await;
        let jobs = world.host.jobs_done(Duration::from_mins(1)).await;
        world.reported().await;
        Self {
            requests: load.stop().await,
            jobs,
            chapters,
        }
    }
}

async fn push_jobs(world: &World) {
    world.host.push_jobs(1, LONG_JOB).await;
    world.host.push_jobs(3, Duration::from_millis(200)).await;
}

async fn good_push(world: &World) -> Chapter {
    println!("  a push to main");
    let began = Instant::now();
    let (_, deployment) = push(world, SampleApp::code("two")).await;
    let wanted = ["deployed", "two"];
    chapter(world, "a push to main", wanted, &deployment, began).await
}

async fn bad_push(world: &World) -> Chapter {
    println!("  a push whose health check fails");
    let began = Instant::now();
    let bad = SampleApp::broken(Breakage::HealthNotOk);
    let (_, deployment) = push(world, bad).await;
    let wanted = ["rolled_back", "two"];
    chapter(
        world,
        "a push whose health check fails",
        wanted,
        &deployment,
        began,
    )
    .await
}

async fn locked_push(world: &World) -> Chapter {
    println!("  a lock, a push that waits for it, and the end of the lock");
    live::comment(
        world,
        "/lock production --for 2h --reason the launch at 2 pm",
    )
    .await;
    let mended = [SampleApp::mended(), SampleApp::code("three")].concat();
    let (sha, deployment) = push(world, mended).await;
    world.reported().await;
    let statuses = world.github.statuses(REPOSITORY, sha.as_str());
    if let Some(status) = statuses.last() {
        let text = status.description.as_deref().unwrap_or_default();
        println!("    GitHub shows at the commit: {text}");
    }
    let began = Instant::now();
    live::comment(world, "/unlock production").await;
    let wanted = ["deployed", "three"];
    chapter(
        world,
        "a push that waited for a lock",
        wanted,
        &deployment,
        began,
    )
    .await
}

async fn rollback(world: &World) -> Chapter {
    println!("  a rollback, asked for in a comment");
    let began = Instant::now();
    let asked = live::write(world, "/rollback production --reason the prices are wrong").await;
    let deployment = live::rollback(world).await;
    let wanted = ["deployed", "two"];
    let chapter = chapter(world, "/rollback in a comment", wanted, &deployment, began).await;
    live::answer(world, asked).await;
    live::comment(world, "/unlock production").await;
    println!();
    chapter
}

/// Pushes a commit and sends the hook. Returns the commit and the deployment.
async fn push(world: &World, files: Files) -> (CommitSha, String) {
    let (sha, delivery) = world.commit(files).await;
    let began = Instant::now();
    let reception = delivery
        .send(&world.hook_url())
        .await
        .expect("the service answers");
    println!(
        "    commit {}; the signed hook was answered {} after {} ms",
        sha.short(),
        reception.status,
        began.elapsed().as_millis()
    );
    let said: serde_json::Value = serde_json::from_str(&reception.body).unwrap_or_default();
    let deployment = said["deployments"][0]["id"].as_str().unwrap_or_default();
    (sha, deployment.to_owned())
}

/// Shows a deployment to its end.
async fn chapter(
    world: &World,
    title: &'static str,
    wanted: [&'static str; 2],
    deployment: &str,
    began: Instant,
) -> Chapter {
    live::follow(world, deployment, began).await;
    let took = began.elapsed();
    world.settled().await;
    println!();
    let newest = world.production().await["ended"][0]["word"].clone();
    let word = newest.as_str().unwrap_or("nothing").to_owned();
    let (_, health) = world.host.health().await;
    let code = health["code"].as_str().unwrap_or("nothing").to_owned();
    Chapter {
        title,
        wanted,
        ended: [word, code],
        took,
    }
}

/// The home page is right when it names code and release; half a page or an empty one is a failure.
fn home_page(body: &str) -> Result<String, String> {
    let rest = body.split_once("of release ").map(|(_, rest)| rest);
    let release = rest.and_then(|rest| rest.split('<').next()).map(str::trim);
    match release {
        Some(release) if !release.is_empty() => Ok(release.to_owned()),
        _ => Err(format!("no release on the page: {body:?}")),
    }
}
