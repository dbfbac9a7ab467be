//! How a deployment went on every host, phase by phase. Pure: the driver notes how phases ended, doors show the table.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::machine::{Live, Phase, Report};
use crate::names::{HostName, ReleaseId};
use crate::plan::Plan;

/// The columns of the table, and the phases that each tells of.
const COLUMNS: [(&str, &[Phase]); 7] = [
    ("stage", &[Phase::Stage, Phase::Warm]),
    ("migrate", &[Phase::Migrate]),
    ("switch", &[Phase::Start, Phase::Leave, Phase::Switch]),
    ("health", &[Phase::Health, Phase::Rejoin, Phase::Outside]),
    ("watch", &[Phase::Watch]),
    ("keep", &[Phase::Keep]),
    (
        "undo",
        &[
            Phase::Undo,
            Phase::Recall,
            Phase::UndoHealth,
            Phase::MigrateBack,
            Phase::UndoRejoin,
            Phase::UndoOutside,
        ],
    ),
];

/// How every phase of a deployment ended on every host, and what is live there afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matrix {
    /// A row for each host.
    pub hosts: Vec<Row>,
}

/// One host of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Which.
    pub host: HostName,
    /// The phases that ran there, in their order.
    pub phases: Vec<Cell>,
    /// What is live there now.
    pub live: Standing,
}

/// One phase on one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// Which phase.
    pub phase: Phase,
    /// How it ended.
    pub end: End,
    /// How long it ran.
    pub took_ms: u64,
}

/// How a phase ended on a host, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// As planned.
    Ok,
    /// Called off before it was done.
    CalledOff,
    /// Not as planned.
    Failed,
    /// The host could not be asked how it ended.
    Unknown,
}

/// What is live on a host, as far as it could be learnt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// This release.
    Release(ReleaseId),
    /// No release.
    Nothing,
    /// The host could not be asked.
    Unknown,
}

impl Matrix {
    /// The text of a cell whose phase did not run.
    pub const NOT_RUN: &str = "–";

    /// The matrix of a deployment that has just begun, from what is live on each host.
    pub fn of(live: impl IntoIterator<Item = (HostName, Option<ReleaseId>)>) -> Self {
        let row = |(host, live): (HostName, Option<ReleaseId>)| Row {
            host,
            phases: Vec::new(),
            live: live.into(),
        };
        Self {
            hosts: live.into_iter().map(row).collect(),
        }
    }

    /// Notes how a phase ended on a host.
    pub fn note(
        &mut self,
        plan: &Plan,
        phase: Phase,
        host: &HostName,
        report: &Report,
        took: Duration,
    ) {
        let (Some(row), Some(planned)) = (
            self.hosts.iter_mut().find(|row| row.host == *host),
            plan.hosts.get(host),
        ) else {
            return;
        };
        let end = match report {
            Report::Done => End::Ok,
            Report::Cancelled => End::CalledOff,
            Report::Failed {
                live: Live::Unknown,
                ..
            } => End::Unknown,
            Report::Failed { .. } => End::Failed,
        };
        row.phases.push(Cell {
            phase,
            end,
            took_ms: took.as_millis().try_into().unwrap_or(u64::MAX),
        });
        let (new, old) = (
            Standing::Release(plan.release.clone()),
            Standing::from(planned.previous.clone()),
        );
        match (phase, report) {
            (Phase::Switch, Report::Done) => row.live = new,
            (Phase::Undo, Report::Done) => row.live = old,
            (Phase::Switch | Phase::Undo, Report::Failed { live, .. }) => {
                row.live = match live {
                    Live::New => new,
                    Live::Old => old,
                    Live::Unknown => Standing::Unknown,
                }
            }
            _ => {}
        }
    }

    /// Whether it tells more than the steps do: several hosts, and something was done on them.
    pub fn tells(&self) -> bool {
        self.hosts.len() > 1 && self.hosts.iter().any(|row| !row.phases.is_empty())
    }

    /// The table as texts, its head first.
    pub fn table(&self) -> Vec<Vec<String>> {
        let names = COLUMNS.iter().map(|(name, _)| *name);
        let head = std::iter::once("host").chain(names).chain(["live"]);
        let mut table = vec![head.map(str::to_owned).collect()];
        table.extend(self.hosts.iter().map(Row::texts));
        table
    }
}

impl Row {
    fn texts(&self) -> Vec<String> {
        let cells = COLUMNS.iter().map(|(_, phases)| self.cell(phases));
        std::iter::once(self.host.to_string())
            .chain(cells)
            .chain([self.live.to_string()])
            .collect()
    }

    /// Of several phases in a column the worst end counts, and the time of all.
    fn cell(&self, phases: &[Phase]) -> String {
        let ran = || {
            let ran = self.phases.iter();
            ran.filter(|cell| phases.contains(&cell.phase))
        };
        let took_ms: u64 = ran().map(|cell| cell.took_ms).sum();
        match ran().map(|cell| cell.end).max() {
            None => Matrix::NOT_RUN.to_owned(),
            Some(End::Ok) => format!("ok {}.{} s", took_ms / 1000, took_ms % 1000 / 100),
            Some(End::CalledOff) => "called off".to_owned(),
            Some(End::Failed) => "failed".to_owned(),
            Some(End::Unknown) => "unknown".to_owned(),
        }
    }
}

impl From<Option<ReleaseId>> for Standing {
    fn from(live: Option<ReleaseId>) -> Self {
        live.map_or(Self::Nothing, Self::Release)
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Release(id) => id.as_str(),
            Self::Nothing => "nothing",
            Self::Unknown => "unknown",
        })
    }
}

/// The table for a terminal, its columns below one another.
impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.table();
        let width = |column: usize| {
            let texts = table.iter().filter_map(|row| row.get(column));
            texts.map(|text| text.chars().count()).max().unwrap_or(0)
        };
        let line = |row: &Vec<String>| {
            let cells = row.iter().enumerate();
            let cells = cells.map(|(column, text)| format!("{text:0$}", width(column)));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        f.write_str(&table.iter().map(line).collect::<Vec<_>>().join("\n"))
    }
}

#[cfg(test)]
mod tests;
