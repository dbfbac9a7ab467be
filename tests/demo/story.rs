//! What the demo does: two pushes, with a client and a queue that never rest.

use std::time::{Duration, Instant};

use kit::{Breakage, Files, Jobs, Load, LoadReport, SampleApp, World};

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

/// One push.
#[derive(Debug)]
pub(crate) struct Chapter {
    /// What was pushed.
    pub(crate) title: &'static str,
    /// The outcome that it had to have, and the one that it had.
    pub(crate) wanted: &'static str,
    pub(crate) word: String,
    /// From the hook to the end.
    pub(crate) took: Duration,
}

impl Story {
    /// Lets everything happen, and shows it.
    pub(crate) async fn tell(world: &World) -> Self {
        let url = format!("{}/", world.host.http_url());
        let mut load = Load::judged(&url, RATE, home_page);
        load.answers(10).await;
        world.host.push_jobs(1, LONG_JOB).await;
        world.host.push_jobs(3, Duration::from_millis(200)).await;
        let good = push(world, "a push to main", "deployed", SampleApp::code("two")).await;
        load.answers(10).await;
        world.host.push_jobs(1, LONG_JOB).await;
        world.host.push_jobs(3, Duration::from_millis(200)).await;
        let bad = SampleApp::broken(Breakage::HealthNotOk);
        let bad = push(world, "a push whose health check fails", "rolled_back", bad).await;
        load.answers(20).await;
        let jobs = world.host.jobs_done(Duration::from_mins(1)).await;
        world.reported().await;
        Self {
            requests: load.stop().await,
            jobs,
            chapters: vec![good, bad],
        }
    }
}

async fn push(world: &World, title: &'static str, wanted: &'static str, files: Files) -> Chapter {
    println!("  {title}");
    let (sha, delivery) = world.commit(files).await;
    let began = Instant::now();
    let reception = delivery
        .send(&world.hook_url())
        .await
        .expect("the service answers");
    let answered = began.elapsed();
    println!(
        "    commit {}; the signed hook was answered {} after {} ms",
        sha.short(),
        reception.status,
        answered.as_millis()
    );
    let said: serde_json::Value = serde_json::from_str(&reception.body).unwrap_or_default();
    if let Some(id) = said["deployments"][0]["id"].as_str() {
        live::follow(world, id, began).await;
    }
    let took = began.elapsed();
    world.settled().await;
    println!();
    let newest = world.production().await["ended"][0]["word"]
        .as_str()
        .unwrap_or("nothing")
        .to_owned();
    Chapter {
        title,
        wanted,
        word: newest,
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
