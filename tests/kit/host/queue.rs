//! Jobs on the queue of a host, and what became of them.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Host, live};
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

impl Host {
    /// Puts `count` jobs on the queue, each of which works for this long, and returns when they are on it.
    pub async fn push_jobs(&self, count: u32, each: Duration) {
        let push = self.pushes.fetch_add(1, Ordering::Relaxed);
        let seconds = each.as_secs_f64();
        self.sh(&format!(
            "php current/artisan test:push {count} --seconds={seconds} --tag=p{push}"
        ))
        .await;
    }

    /// How the jobs stand now. Panics if the database or the queue cannot be asked.
    pub async fn jobs(&self) -> Jobs {
        // The queue first: a job that finishes in between is then counted twice rather than missed.
        let script = "redis-cli --raw llen shop_queues:default
            redis-cli --raw zcard shop_queues:default:reserved
            redis-cli --raw zcard shop_queues:default:delayed
            sqlite3 -readonly shared/database/app.sqlite '.timeout 5000' 'select count(*) from pushed' \
              'select count(distinct tag) from runs where ended_at is not null' 'select count(*) from failed_jobs'
            sqlite3 -readonly -json shared/database/app.sqlite '.timeout 5000' 'select * from runs order by id'";
        let told = self.sh(script).await;
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
        Jobs {
            pushed,
            finished,
            failed,
            queued,
            lost: pushed.saturating_sub(finished + failed + queued),
            runs,
        }
    }

    /// Waits until some worker has begun `count` jobs in all. Panics after 20 s.
    pub async fn jobs_begun(&self, count: usize) -> Jobs {
        self.jobs_reach("begun", count, Duration::from_secs(20), |jobs| {
            jobs.runs.len()
        })
        .await
    }

    /// Waits until every job that was pushed is finished, failed or lost. Panics when `deadline` is over.
    pub async fn jobs_done(&self, deadline: Duration) -> Jobs {
        self.jobs_reach("left on the queue", 0, deadline, |jobs| {
            usize::from(jobs.queued == 0)
        })
        .await
    }

    async fn jobs_reach(
        &self,
        what: &str,
        count: usize,
        deadline: Duration,
        of: fn(&Jobs) -> usize,
    ) -> Jobs {
        let goal = count.max(1);
        wait_for(
            format!("{count} jobs {what} on {}", self.name()),
            deadline,
            async || {
                let jobs = self.jobs().await;
                let workers: Vec<live::Worker> = self.workers();
                if of(&jobs) >= goal {
                    Ok(jobs)
                } else {
                    Err(format!("{jobs:#?}\n{workers:?}"))
                }
            },
        )
        .await
    }
}
