//! What a running deployment tells its door.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::matrix::Matrix;
use crate::names::{CommitSha, HostName, ReleaseId};
use crate::outcome::Outcome;

/// One thing that happened, in order. Never holds a secret of the door's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The deployment waits for a lease that somebody else holds.
    Waiting {
        /// Where.
        host: HostName,
        /// Who holds it, since when and for what, in one line.
        holder: String,
    },
    /// The commit is there to be built.
    Fetched {
        /// Which.
        commit: CommitSha,
        /// The first line of its message, as somebody wrote it.
        subject: String,
    },
    /// The plan was accepted.
    Planned {
        /// The release that is to become live.
        release: ReleaseId,
        /// The commit it is made from, as far as known.
        #[serde(default)]
        commit: Option<CommitSha>,
        /// What is live now.
        previous: Option<ReleaseId>,
        /// The commit that was made from, as far as known.
        #[serde(default)]
        previous_commit: Option<CommitSha>,
        /// The plan, a line each.
        lines: Vec<String>,
    },
    /// A phase began on all hosts that it concerns.
    PhaseBegan {
        /// `stage`, `migrate`, `switch`, `health`, `keep`, `undo`.
        phase: String,
    },
    /// A step began.
    StepBegan {
        /// Where; absent for a step on this machine.
        host: Option<HostName>,
        /// Its name.
        step: String,
    },
    /// A line of a step's output, at most 4,096 characters.
    Line {
        /// Where.
        host: Option<HostName>,
        /// The step.
        step: String,
        /// The text.
        text: String,
    },
    /// A step ended.
    StepEnded {
        /// Where.
        host: Option<HostName>,
        /// The step.
        step: String,
        /// Its exit status; 0 is success.
        status: i32,
        /// How long it ran.
        took_ms: u64,
    },
    /// A health check was tried.
    Checked {
        /// On which host; absent where it was asked from outside.
        host: Option<HostName>,
        /// Which attempt, from 1.
        attempt: u32,
        /// Of how many.
        of: u32,
        /// Whether it passed.
        healthy: bool,
        /// What came back, in words.
        seen: String,
    },
    /// An alarm was looked at while the release is watched.
    Looked {
        /// On which host; absent where it was looked at from here.
        host: Option<HostName>,
        /// What was looked at: `access log`, `failed jobs`, `overdue jobs`, `workers`, or a name of the file.
        alarm: String,
        /// The number that was seen, where there is one.
        value: Option<Number>,
        /// The number above which it rings.
        limit: Option<Number>,
        /// Whether it rings.
        rings: bool,
        /// What was seen, in words, with both numbers.
        seen: String,
    },
    /// A worker process runs the release, by the kernel's word.
    WorkerProven {
        /// Where.
        host: HostName,
        /// The process as its manager names it.
        worker: String,
        /// Its process id.
        pid: u32,
        /// The release that it runs, by proof.
        release: ReleaseId,
        /// When it began, as far as known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
    },
    /// Something a reader should know, that is not a failure.
    Note {
        /// Where.
        host: Option<HostName>,
        /// The text.
        text: String,
    },
    /// How each phase ended on each host, where there are several; told before the end.
    Matrix(Matrix),
    /// The deployment ended. Always the last event.
    Concluded {
        /// How.
        outcome: Outcome,
    },
}

/// The event for a reader. Some take several lines; none ends with one.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting { host, holder } => {
                write!(f, "{host}: waiting for the lease, held by {holder}")
            }
            Self::Fetched { commit, subject } => write!(f, "{} {subject}", commit.short()),
            Self::Planned { lines, .. } => f.write_str(&lines.join("\n")),
            Self::PhaseBegan { phase } => write!(f, "== {phase}"),
            Self::StepBegan { host, step } => write!(f, "{}{step}", on(host.as_ref())),
            Self::Line { host, text, .. } => write!(f, "{}  {text}", on(host.as_ref())),
            Self::StepEnded {
                host,
                step,
                status,
                took_ms,
            } => {
                let took = format!("{}.{} s", took_ms / 1000, took_ms % 1000 / 100);
                let mark = if *status == 0 {
                    "ok".to_owned()
                } else {
                    format!("exit {status}")
                };
                write!(f, "{}{step}: {mark}, {took}", on(host.as_ref()))
            }
            Self::Checked {
                host,
                attempt,
                of,
                healthy,
                seen,
            } => {
                let word = if *healthy { "healthy" } else { "not healthy" };
                write!(f, "{}{word} ({attempt} of {of}): {seen}", on(host.as_ref()))
            }
            Self::Looked {
                host,
                alarm,
                rings,
                seen,
                ..
            } => {
                let word = if *rings { "ALARM " } else { "" };
                write!(f, "{}{word}{alarm}: {seen}", on(host.as_ref()))
            }
            Self::WorkerProven {
                host,
                worker,
                pid,
                release,
                since,
            } => {
                write!(f, "{host}: worker {worker} (pid {pid}) runs {release}")?;
                since.map_or(Ok(()), |at| {
                    write!(f, " since {}", at.strftime("%F %T UTC"))
                })
            }
            Self::Note { host, text } => write!(f, "{}note: {text}", on(host.as_ref())),
            Self::Matrix(matrix) => matrix.fmt(f),
            Self::Concluded { outcome } => outcome.fmt(f),
        }
    }
}

fn on(host: Option<&HostName>) -> String {
    host.map(|host| format!("{host}: ")).unwrap_or_default()
}
