//! What was lost, as a table and as JSON.

use std::fmt;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use kit::{JobRun, Jobs};
use serde_json::{Value, json};

use crate::case::Case;
use crate::history::{Swap, is_older, was_live};
use crate::load::{Asked, Said};

/// What one way to deploy did.
#[derive(Debug)]
pub(crate) struct Row {
    name: String,
    deployments: usize,
    rollbacks: usize,
    deploy_seconds: Option<f64>,
    rollback_seconds: Option<f64>,
    requests: usize,
    failed: usize,
    empty: usize,
    mixed: usize,
    /// Of each stale answer: how long after the swap it was asked for and how long it took, in milliseconds.
    stale: Vec<(u128, u128)>,
    jobs: usize,
    lost: usize,
    twice: usize,
    older: usize,
    gap: f64,
    /// Middle and 99th of a hundred quick answers, in milliseconds: before, during, after.
    quick: [(u128, u128); 3],
    remarks: Vec<String>,
    /// Whether something was lost that `cutover` promises to keep.
    pub(crate) is_broken: bool,
}

impl Row {
    pub(crate) fn of(
        case: Case,
        requests: &[Asked],
        (began, ended): (Instant, Instant),
        (jobs, complaints): (&Jobs, Vec<String>),
        history: &[Vec<Swap>],
        switches: &[f64],
        seconds: (Vec<f64>, Vec<f64>),
    ) -> Self {
        let count = |of: fn(&Said) -> bool| requests.iter().filter(|one| of(&one.said)).count();
        let is_stale = |one: &&Asked| {
            matches!(&one.said, Said::Well(release)
                if !was_live(&history[one.host], release, one.sent, one.answered))
        };
        // Hosts share the queue, and a switch is one for all of them: the first host's swaps stand for it.
        let is_old = |run: &&JobRun| {
            let who = (&*run.release, &*run.dispatched_by);
            is_older(&history[0], switches, who, run.started_at)
        };
        let quick = |from: Option<Instant>, to: Option<Instant>| {
            let inside = |one: &&Asked| {
                one.quick
                    && from.is_none_or(|from| one.sent >= from)
                    && to.is_none_or(|to| one.sent < to)
            };
            let took = requests
                .iter()
                .filter(inside)
                .map(|one| one.answered - one.sent);
            percentiles(took.collect())
        };
        let failures = requests.iter().filter_map(|one| match &one.said {
            Said::Failed(why) => Some(why.clone()),
            _ => None,
        });
        let mut remarks: Vec<String> = failures.take(3).collect();
        let complaints = complaints.iter().map(|said| said.trim().to_owned());
        remarks.extend(complaints.filter(|said| !said.is_empty()));
        let mut row = Self {
            name: case.name(),
            deployments: seconds.0.len(),
            rollbacks: seconds.1.len(),
            deploy_seconds: median(seconds.0),
            rollback_seconds: median(seconds.1),
            requests: requests.len(),
            failed: count(|said| matches!(said, Said::Failed(_))),
            empty: count(|said| *said == Said::Empty),
            mixed: count(|said| *said == Said::Mixed),
            stale: (requests.iter().filter(is_stale))
                .map(|one| late(one, &history[one.host]))
                .collect(),
            jobs: jobs.pushed,
            // Given up by Laravel, or still there when nobody waits any more, is lost to whoever wanted it.
            lost: jobs.pushed.saturating_sub(jobs.finished),
            twice: again(&jobs.runs),
            older: jobs.runs.iter().filter(is_old).count(),
            gap: longest_gap(&jobs.runs),
            quick: [
                quick(None, Some(began)),
                quick(Some(began), Some(ended)),
                quick(Some(ended), None),
            ],
            remarks,
            is_broken: false,
        };
        let lost = [
            row.failed,
            row.empty,
            row.mixed,
            row.stale.len(),
            row.lost,
            row.twice,
            row.older,
        ];
        let nothing = row.requests == 0 || row.jobs == 0;
        row.is_broken = case.is_ours() && (nothing || lost.iter().any(|lost| *lost > 0));
        row
    }
}

/// How long after the last swap a request was sent, and how long it took, in milliseconds.
fn late(one: &Asked, swaps: &[Swap]) -> (u128, u128) {
    let before = swaps.iter().rfind(|swap| swap.at <= one.sent);
    let after = before.map_or(Duration::ZERO, |swap| one.sent - swap.at);
    (after.as_millis(), (one.answered - one.sent).as_millis())
}

/// Runs that were not the first of their job.
fn again(runs: &[JobRun]) -> usize {
    let tags: std::collections::BTreeSet<_> = runs.iter().map(|run| &run.tag).collect();
    runs.len() - tags.len()
}

fn longest_gap(runs: &[JobRun]) -> f64 {
    let mut begun: Vec<f64> = runs.iter().map(|run| run.started_at).collect();
    begun.sort_by(f64::total_cmp);
    begun
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .fold(0.0, f64::max)
}

fn percentiles(mut took: Vec<Duration>) -> (u128, u128) {
    took.sort();
    let at = |part: usize| took.get((took.len() * part / 100).min(took.len().saturating_sub(1)));
    let shown = |took: Option<&Duration>| took.map_or(0, Duration::as_millis);
    (shown(at(50)), shown(at(99)))
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn seconds(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"))
}

const HEAD: &str = "| who, nginx root, hosts                      | deploy s | back s | requests | failed | empty | mixed | stale | jobs | lost | twice | older | gap s | p50/p99 before | during   | after    |";

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [before, during, after] = self.quick.map(|(middle, high)| format!("{middle}/{high}"));
        write!(
            f,
            "| {:<43} | {:>8} | {:>6} | {:>8} | {:>6} | {:>5} | {:>5} | {:>5} | {:>4} | {:>4} | {:>5} | {:>5} | {:>5.1} | {before:>14} | {during:>8} | {after:>8} |",
            self.name,
            seconds(self.deploy_seconds),
            seconds(self.rollback_seconds),
            self.requests,
            self.failed,
            self.empty,
            self.mixed,
            self.stale.len(),
            self.jobs,
            self.lost,
            self.twice,
            self.older,
            self.gap,
        )
    }
}

pub(crate) fn drawn(rows: &[Row]) -> String {
    let made = rows
        .first()
        .map_or((0, 0), |row| (row.deployments, row.rollbacks));
    let mut text = format!(
        "{} deployments and {} rollbacks each\n\n{HEAD}\n",
        made.0, made.1
    );
    let line = HEAD.chars().map(|c| if c == '|' { '|' } else { '-' });
    text.extend(line);
    text.push('\n');
    for row in rows {
        let _infallible = writeln!(text, "{row}");
    }
    for row in rows {
        for remark in &row.remarks {
            let _infallible = writeln!(text, "\n{}: {remark}", row.name);
        }
    }
    text
}

pub(crate) fn json(rows: &[Row]) -> Value {
    let row = |row: &Row| {
        let quick = row
            .quick
            .map(|(middle, high)| json!({"p50_ms": middle, "p99_ms": high}));
        json!({
            "who": row.name, "deployments": row.deployments, "rollbacks": row.rollbacks,
            "deploy_seconds": row.deploy_seconds, "rollback_seconds": row.rollback_seconds,
            "requests": row.requests, "failed": row.failed, "empty": row.empty, "mixed": row.mixed,
            "stale": row.stale.len(), "stale_sent_after_and_took_ms": row.stale,
            "jobs": row.jobs, "lost": row.lost, "twice": row.twice,
            "older_than_dispatcher": row.older, "longest_gap_seconds": row.gap,
            "before": quick[0], "during": quick[1], "after": quick[2], "remarks": row.remarks,
        })
    };
    Value::Array(rows.iter().map(row).collect())
}
