//! A deployment as the log of a step shows it, and what the summary keeps of it.

use std::io::Write;

use cutover_deploy::{CommitSha, Event, HostName, Matrix, ReleaseId};

use crate::console::Console;

/// What was seen of a deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The release that was live when the deployment was planned.
    pub(crate) live: Option<ReleaseId>,
    /// The commit that was made from, as far as known.
    pub(crate) live_commit: Option<CommitSha>,
    /// The commit that is to become live, as far as known.
    pub(crate) commit: Option<CommitSha>,
    /// The steps that ended, in their order.
    pub(crate) steps: Vec<Step>,
    /// How each phase ended on each host, where there are several.
    pub(crate) matrix: Option<Matrix>,
    phase: String,
}

/// A step that ended on one host, or on the runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) phase: String,
    pub(crate) name: String,
    pub(crate) host: Option<HostName>,
    pub(crate) status: i32,
    pub(crate) took_ms: u64,
}

impl Seen {
    /// Writes an event to the log and keeps what the summary needs.
    pub(crate) fn event<W: Write>(&mut self, event: &Event, console: &mut Console<W>) {
        match event {
            // The end of a step names it again.
            Event::StepBegan { .. } => return,
            // The end is told outside of any group, where nobody has to unfold it.
            Event::Matrix(matrix) => {
                self.matrix = Some(matrix.clone());
                console.end_group();
            }
            Event::Concluded { .. } => return console.end_group(),
            Event::Planned {
                previous,
                previous_commit,
                commit,
                ..
            } => {
                self.live.clone_from(previous);
                self.live_commit.clone_from(previous_commit);
                self.commit.clone_from(commit);
                self.begin("plan", console);
            }
            Event::PhaseBegan { phase } => return self.begin(phase, console),
            Event::StepEnded {
                host,
                step,
                status,
                took_ms,
            } => self.steps.push(Step {
                phase: self.phase.clone(),
                name: step.clone(),
                host: host.clone(),
                status: *status,
                took_ms: *took_ms,
            }),
            _ => {}
        }
        console.text(&event.to_string());
    }

    fn begin<W: Write>(&mut self, phase: &str, console: &mut Console<W>) {
        phase.clone_into(&mut self.phase);
        console.group(phase);
    }
}
