//! Jobs on the queue of a host or a machine, and what became of them.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::host::Host;
use crate::machine::Machine;
use crate::wait_for;

/// What became of the jobs that were pushed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Jobs {
    /// Put on the queue.
    pub pushed: usize,
    /// Run to their end, each counted once.
    pub finished: usize,
    /// Given up by Laravel.
    pub failed: usize,
    /// Still on the queue, waiting or being worked on.
    pub queued: usize,
    /// Neither finished nor failed nor on the queue any more.
    pub lost: usize,
    /// Every time that a job began, in order.
    pub runs: Vec<JobRun>,
}

/// One time that a job began.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
pub struct JobRun {
    /// Which job.
    pub tag: String,
    /// The worker that ran it.
    pub pid: i32,
    /// The release whose code ran.
    pub release: String,
    /// The release whose code put it on the queue.
    pub dispatched_by: String,
    /// What that code calls itself.
    pub code: String,
    /// The how manieth try it was, from 1.
    pub attempt: u32,
    /// When it began, in seconds since 1970.
    pub started_at: f64,
    /// When it came to its end; absent while it runs and when it was cut short.
    pub ended_at: Option<f64>,
}

impl Eq for JobRun {}

/// Asks the queue first: a job that finishes in between is then counted twice rather than missed.
const LOOK: &str = "redis-cli --raw llen shop_queues:default
    redis-cli --raw zcard shop_queues:default:reserved
    redis-cli --raw zcard shop_queues:default:delayed
    sqlite3 -readonly @database@ '.timeout 5000' 'select count(*) from pushed' \
      'select count(distinct tag) from runs where ended_at is not null' 'select count(*) from failed_jobs'
    sqlite3 -readonly -json @database@ '.timeout 5000' \
      'select runs.*, pushed.release as dispatched_by from runs join pushed using (tag) order by runs.id'";

impl Jobs {
    fn read(told: &str) -> Self {
        let mut lines = told.lines();
        let mut number = || {
            let line = lines.next().unwrap_or_default();
            line.trim()
                .parse::<usize>()
                .unwrap_or_else(|_| panic!("no number in {told}"))
        };
        let queued = number() + number() + number();
        let (pushed, finished, failed) = (number(), number(), number());
        let rows = lines.collect::<String>();
        let runs = if rows.is_empty() {
            Vec::new()
        } else {
            serde_json::from_str(&rows).expect("sqlite3 writes JSON")
        };
        Self {
            pushed,
            finished,
            failed,
            queued,
            lost: pushed.saturating_sub(finished + failed + queued),
            runs,
        }
    }

    /// Whether every job that was pushed has come to its end, and what was pushed ran once.
    pub fn all_ran_once(&self) -> bool {
        self.finished == self.pushed
            && self.runs.len() == self.pushed
            && self.runs.iter().all(|run| run.attempt == 1)
    }
}

/// No two jobs of a test have the same tag.
static PUSHES: AtomicU32 = AtomicU32::new(0);

fn push(count: u32, each: Duration) -> String {
    let (push, seconds) = (PUSHES.fetch_add(1, Ordering::Relaxed), each.as_secs_f64());
    format!("php current/artisan test:push {count} --seconds={seconds} --tag=p{push}")
}

impl Host {
    /// Puts `count` jobs on the queue, each of which works for this long, and returns when they are on it.
    pub async fn push_jobs(&self, count: u32, each: Duration) {
        self.sh(&push(count, each)).await;
    }

    /// How the jobs stand now. Panics if the database or the queue cannot be asked.
    pub async fn jobs(&self) -> Jobs {
        let look = LOOK.replace("@database@", "shared/database/app.sqlite");
        Jobs::read(&self.sh(&look).await)
    }

    /// Waits until some worker has begun `count` jobs in all. Panics after 20 s.
    pub async fn jobs_begun(&self, count: usize) -> Jobs {
        let what = format!("{count} jobs begun on {}", self.name());
        wait_for(what, Duration::from_secs(20), async || {
            let jobs = self.jobs().await;
            reached(jobs.runs.len() >= count, jobs, self.workers())
        })
        .await
    }

    /// Waits until every job that was pushed is finished, failed or lost. Panics when `deadline` is over.
    pub async fn jobs_done(&self, deadline: Duration) -> Jobs {
        let what = format!("no jobs left on the queue of {}", self.name());
        wait_for(what, deadline, async || {
            let jobs = self.jobs().await;
            reached(jobs.queued == 0, jobs, self.workers())
        })
        .await
    }
}

impl Machine {
    /// Puts `count` jobs on the queue, each of which works for this long, and returns when they are on it.
    pub async fn push_jobs(&self, count: u32, each: Duration) {
        self.sh(&push(count, each)).await;
    }

    /// How the jobs stand now. Panics if the database or the queue cannot be asked.
    pub async fn jobs(&self) -> Jobs {
        let look = LOOK.replace("@database@", "shared/db.sqlite");
        Jobs::read(&self.sh(&look).await)
    }

    /// Waits until every job that was pushed is finished, failed or lost. Panics when `deadline` is over.
    pub async fn jobs_done(&self, deadline: Duration) -> Jobs {
        let what = format!("no jobs left on the queue of {}", self.name());
        wait_for(what, deadline, async || {
            let jobs = self.jobs().await;
            reached(jobs.queued == 0, jobs, self.workers().await)
        })
        .await
    }
}

fn reached(is_there: bool, jobs: Jobs, workers: impl Debug) -> Result<Jobs, String> {
    if is_there {
        Ok(jobs)
    } else {
        Err(format!("{jobs:#?}\n{workers:?}"))
    }
}
