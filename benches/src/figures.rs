//! What was measured: medians, each beside the floor of its line.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

/// The floor: what the others are measured by.
const FLOOR: &str = "one script";

/// One deployment or rollback.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) seconds: f64,
    pub(crate) cpu: f64,
    pub(crate) bytes_up: u64,
    pub(crate) connections: usize,
    pub(crate) execs: usize,
}

/// All runs, by line and by who ran.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    lines: BTreeMap<Duration, Vec<Row>>,
}

#[derive(Debug)]
struct Row {
    name: &'static str,
    deployed: Vec<Run>,
    back: Vec<Run>,
}

impl Figures {
    pub(crate) fn take(
        &mut self,
        delay: Duration,
        name: &'static str,
        deployed: Run,
        back: Option<Run>,
    ) {
        let rows = self.lines.entry(delay).or_default();
        let at = rows.iter().position(|row| row.name == name);
        let at = at.unwrap_or_else(|| {
            rows.push(Row {
                name,
                deployed: Vec::new(),
                back: Vec::new(),
            });
            rows.len() - 1
        });
        rows[at].deployed.push(deployed);
        rows[at].back.extend(back);
    }

    pub(crate) fn json(&self) -> Value {
        let lines = self.lines.iter().map(|(delay, rows)| {
            let rows = rows.iter().map(|row| {
                json!({
                    "who": row.name,
                    "runs": row.deployed.len(),
                    "connections": median(&row.deployed, |run| count(run.connections)),
                    "execs": median(&row.deployed, |run| count(run.execs)),
                    "deploy_seconds": seconds(&row.deployed),
                    "deploy_ratio": ratio(seconds(&row.deployed), floor(rows, |row| &row.deployed)),
                    "deploy_all_seconds": all(&row.deployed),
                    "bytes_up": median(&row.deployed, bytes),
                    "client_cpu_seconds": median(&row.deployed, |run| run.cpu),
                    "rollback_seconds": seconds(&row.back),
                    "rollback_ratio": ratio(seconds(&row.back), floor(rows, |row| &row.back)),
                    "rollback_all_seconds": all(&row.back),
                })
            });
            json!({"round_trip_ms": delay.as_millis(), "rows": rows.collect::<Vec<_>>()})
        });
        json!({"lines": lines.collect::<Vec<_>>()})
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "2,000 files, 20 MB, 10 files changed; medians; \"x\" is the ratio to one script over a cold ssh"
        )?;
        for (delay, rows) in &self.lines {
            writeln!(f, "\nround trip {} ms", delay.as_millis())?;
            writeln!(
                f,
                "| {:<14} | conns / execs | deploy s |     x | up kB | cpu s | rollback s |     x |",
                "who"
            )?;
            writeln!(
                f,
                "|{:-<16}|{0:->15}|{0:->10}|{0:->7}|{0:->7}|{0:->7}|{0:->12}|{0:->7}|",
                ""
            )?;
            for row in rows {
                let deployed = seconds(&row.deployed);
                let back = seconds(&row.back);
                writeln!(
                    f,
                    "| {:<14} | {:>5} / {:<5} | {:>8} | {:>5} | {:>5} | {:>5} | {:>10} | {:>5} |",
                    row.name,
                    shown(median(&row.deployed, |run| count(run.connections)), 0),
                    shown(median(&row.deployed, |run| count(run.execs)), 0),
                    shown(deployed, 2),
                    shown(ratio(deployed, floor(rows, |row| &row.deployed)), 1),
                    shown(median(&row.deployed, bytes).map(|bytes| bytes / 1000.0), 0),
                    shown(median(&row.deployed, |run| run.cpu), 2),
                    shown(back, 2),
                    shown(ratio(back, floor(rows, |row| &row.back)), 1),
                )?;
            }
        }
        Ok(())
    }
}

fn shown(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}

#[expect(clippy::cast_precision_loss, reason = "counts are small")]
fn count(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "nothing here is as long")]
fn bytes(run: &Run) -> f64 {
    run.bytes_up as f64
}

fn seconds(runs: &[Run]) -> Option<f64> {
    median(runs, |run| run.seconds)
}

fn all(runs: &[Run]) -> Vec<f64> {
    runs.iter().map(|run| run.seconds).collect()
}

fn floor(rows: &[Row], of: impl Fn(&Row) -> &Vec<Run>) -> Option<f64> {
    let floor = rows.iter().find(|row| row.name == FLOOR)?;
    seconds(of(floor))
}

fn ratio(value: Option<f64>, floor: Option<f64>) -> Option<f64> {
    Some(value? / floor?)
}

fn median(runs: &[Run], of: impl Fn(&Run) -> f64) -> Option<f64> {
    let mut values: Vec<f64> = runs.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}
