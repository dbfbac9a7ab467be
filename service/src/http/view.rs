//! What pages and JSON show of the ledger: one shape for both.

use cutover_deploy::{CommitSha, DeploymentId, Event, HostName, Outcome, ReleaseId};
use jiff::Timestamp;
use serde::Serialize;

use crate::store::{Deployment, Hold, KeptEvent, Live, Posted, State};

/// Lines of a step that a page shows; all of them are in the JSON.
const LINES_SHOWN: usize = 400;

/// An environment and what goes on there.
#[derive(Debug, Serialize)]
pub(super) struct EnvironmentView {
    pub(super) app: String,
    pub(super) environment: String,
    pub(super) branch: Option<String>,
    pub(super) url: Option<String>,
    /// By the ledger; the hosts are the truth.
    pub(super) live: Option<LiveView>,
    /// What keeps pushes waiting.
    pub(super) holds: Vec<Hold>,
    pub(super) running: Option<DeploymentView>,
    pub(super) waiting: Vec<DeploymentView>,
    pub(super) ended: Vec<DeploymentView>,
}

/// What is live, and since which deployment.
#[derive(Debug, Serialize)]
pub(super) struct LiveView {
    #[serde(flatten)]
    pub(super) live: Live,
    pub(super) deployment: DeploymentId,
    pub(super) since: Option<Timestamp>,
}

/// A deployment in one line.
#[derive(Debug, Clone, Serialize)]
pub(super) struct DeploymentView {
    pub(super) id: DeploymentId,
    pub(super) app: String,
    pub(super) environment: String,
    pub(super) kind: &'static str,
    pub(super) commit: Option<CommitSha>,
    pub(super) release: Option<ReleaseId>,
    pub(super) actor: String,
    pub(super) state: State,
    /// The state, or the outcome's word once there is one.
    pub(super) word: &'static str,
    #[serde(flatten)]
    pub(super) outcome: Option<Outcome>,
    pub(super) superseded_by: Option<DeploymentId>,
    pub(super) requested_at: Timestamp,
    pub(super) started_at: Option<Timestamp>,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) took_ms: Option<i64>,
}

/// A deployment with all that happened.
#[derive(Debug, Serialize)]
pub(super) struct WholeView {
    #[serde(flatten)]
    pub(super) deployment: DeploymentView,
    pub(super) reports: Vec<Posted>,
    pub(super) events: Vec<KeptEvent>,
}

/// One thing on a page, in order.
#[derive(Debug, Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(super) enum Item {
    /// A phase began.
    Phase { name: String },
    /// A step, with its output.
    Step(StepItem),
    /// Anything else worth a line.
    Note {
        at: Timestamp,
        host: Option<HostName>,
        text: String,
        good: Option<bool>,
    },
}

/// A step on a page.
#[derive(Debug, Serialize)]
pub(super) struct StepItem {
    at: Timestamp,
    host: Option<HostName>,
    step: String,
    status: Option<i32>,
    took_ms: Option<u64>,
    lines: Vec<String>,
    /// Lines that are left out at the beginning.
    left_out: usize,
}

impl From<&Deployment> for DeploymentView {
    fn from(deployment: &Deployment) -> Self {
        let word = deployment
            .outcome
            .as_ref()
            .map_or(deployment.state.word(), Outcome::word);
        let took = deployment.ended_at.zip(deployment.started_at);
        Self {
            id: deployment.id.clone(),
            app: deployment.app.to_string(),
            environment: deployment.environment.to_string(),
            kind: deployment.request.kind.word(),
            commit: deployment.commit().cloned(),
            release: deployment.release.clone(),
            actor: deployment.request.actor.clone(),
            state: deployment.state,
            word,
            outcome: deployment.outcome.clone(),
            superseded_by: deployment.superseded_by.clone(),
            requested_at: deployment.request.requested_at,
            started_at: deployment.started_at,
            ended_at: deployment.ended_at,
            took_ms: took.map(|(end, start)| end.as_millisecond() - start.as_millisecond()),
        }
    }
}

/// Puts events in the order of a page: output under its step, whatever came in between.
pub(super) fn items(events: &[KeptEvent]) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    for kept in events {
        let at = kept.at;
        match &kept.event {
            Event::PhaseBegan { phase } => items.push(Item::Phase {
                name: phase.clone(),
            }),
            Event::StepBegan { host, step } => items.push(begun(at, host.as_ref(), step)),
            Event::Line { host, step, text } => {
                step_of(&mut items, at, host.as_ref(), step)
                    .lines
                    .push(text.clone());
            }
            Event::StepEnded {
                host,
                step,
                status,
                took_ms,
            } => {
                let item = step_of(&mut items, at, host.as_ref(), step);
                item.status = Some(*status);
                item.took_ms = Some(*took_ms);
            }
            other => items.push(note(at, other)),
        }
    }
    for item in &mut items {
        if let Item::Step(step) = item {
            step.left_out = step.lines.len().saturating_sub(LINES_SHOWN);
            step.lines.drain(..step.left_out);
        }
    }
    items
}

fn begun(at: Timestamp, host: Option<&HostName>, step: &str) -> Item {
    Item::Step(StepItem {
        at,
        host: host.cloned(),
        step: step.to_owned(),
        status: None,
        took_ms: None,
        lines: Vec::new(),
        left_out: 0,
    })
}

/// The newest step of that name on that host, begun here when nobody said so.
fn step_of<'a>(
    items: &'a mut Vec<Item>,
    at: Timestamp,
    host: Option<&HostName>,
    step: &str,
) -> &'a mut StepItem {
    let same = |item: &Item| matches!(item, Item::Step(known) if known.step == step && known.host.as_ref() == host);
    let index = items.iter().rposition(same).unwrap_or_else(|| {
        items.push(begun(at, host, step));
        items.len() - 1
    });
    match &mut items[index] {
        Item::Step(found) => found,
        _ => unreachable!("the index is that of a step"),
    }
}

fn plan(release: &ReleaseId, previous: Option<&ReleaseId>, lines: &[String]) -> String {
    let before = previous.map_or("nothing", ReleaseId::as_str);
    let head = format!("plans {release}; live now: {before}");
    std::iter::once(head)
        .chain(lines.iter().cloned())
        .collect::<Vec<_>>()
        .join("\n")
}

fn note(at: Timestamp, event: &Event) -> Item {
    let (host, text, good) = match event {
        Event::Waiting { host, holder } => {
            (Some(host.clone()), format!("waits for {holder}"), None)
        }
        Event::Planned {
            release,
            previous,
            lines,
            ..
        } => (None, plan(release, previous.as_ref(), lines), None),
        Event::Checked {
            host,
            attempt,
            of,
            healthy,
            seen,
        } => (
            Some(host.clone()),
            format!("health check {attempt} of {of}: {seen}"),
            Some(*healthy),
        ),
        Event::WorkerProven {
            host,
            worker,
            pid,
            release,
        } => (
            Some(host.clone()),
            format!("worker {worker} (pid {pid}) runs {release}"),
            Some(true),
        ),
        Event::Note { host, text } => (host.clone(), text.clone(), None),
        Event::Concluded { outcome } => (
            None,
            outcome.word().replace('_', " "),
            Some(outcome.exit_code() == 0),
        ),
        Event::PhaseBegan { .. }
        | Event::StepBegan { .. }
        | Event::Line { .. }
        | Event::StepEnded { .. } => (None, String::new(), None),
    };
    Item::Note {
        at,
        host,
        text,
        good,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(events: Vec<Event>) -> Vec<KeptEvent> {
        let at = Timestamp::from_second(0).unwrap();
        (1..)
            .zip(events)
            .map(|(seq, event)| KeptEvent { seq, at, event })
            .collect()
    }

    #[test]
    fn output_of_two_hosts_lies_under_its_own_step() {
        let host = |name: &str| Some(HostName::parse(name).unwrap());
        let began = |name| Event::StepBegan {
            host: host(name),
            step: "stage".to_owned(),
        };
        let line = |name, text: &str| Event::Line {
            host: host(name),
            step: "stage".to_owned(),
            text: text.to_owned(),
        };
        let ended = |name, status| Event::StepEnded {
            host: host(name),
            step: "stage".to_owned(),
            status,
            took_ms: 5,
        };
        let events = kept(vec![
            Event::PhaseBegan {
                phase: "stage".to_owned(),
            },
            began("web1"),
            began("web2"),
            line("web1", "one"),
            line("web2", "two"),
            line("web1", "uno"),
            ended("web2", 0),
            ended("web1", 1),
        ]);
        let shown: Vec<String> = items(&events)
            .iter()
            .map(|item| match item {
                Item::Step(step) => {
                    let host = step.host.as_ref().map(HostName::as_str).unwrap_or_default();
                    format!("{host} {:?} {}", step.status, step.lines.join(","))
                }
                Item::Phase { name } => name.clone(),
                Item::Note { text, .. } => text.clone(),
            })
            .collect();
        assert_eq!(shown, ["stage", "web1 Some(1) one,uno", "web2 Some(0) two"]);
    }

    #[test]
    fn a_page_shows_the_end_of_long_output() {
        let line = |n: usize| Event::Line {
            host: None,
            step: "build".to_owned(),
            text: n.to_string(),
        };
        let items = items(&kept((0..1000).map(line).collect()));
        let [Item::Step(step)] = items.as_slice() else {
            panic!("{items:?}")
        };
        assert_eq!((step.lines.len(), step.left_out), (LINES_SHOWN, 600));
        assert_eq!(step.lines.last().map(String::as_str), Some("999"));
    }
}
