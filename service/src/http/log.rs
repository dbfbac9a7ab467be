//! The log of a deployment on its page: events in the order of reading, and no more of them than a page can hold.

use cutover_deploy::{Event, HostName, Matrix, ReleaseId};
use jiff::Timestamp;
use serde::Serialize;

use super::words;
use crate::store::KeptEvent;

/// Events that a page shows at once.
pub(super) const EVENTS_ON_A_PAGE: u32 = 500;

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
}

/// What an open page does about one more event.
#[derive(Debug, Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(super) enum Change<'a> {
    /// One more item at the end.
    Item(Item),
    /// One more line of the newest step of that name on that host.
    Line {
        host: &'a str,
        step: &'a str,
        text: String,
    },
    /// That step ended, and its summary is another one.
    Ended {
        host: &'a str,
        step: &'a str,
        item: StepItem,
    },
}

impl Item {
    /// What is worth being read out, for who does not see the page.
    pub(super) fn said(&self) -> Option<&str> {
        match self {
            Self::Phase { name } => Some(name),
            Self::Step(_) | Self::Note { .. } => None,
        }
    }
}

/// What an open page does about `kept`.
pub(super) fn change(kept: &KeptEvent) -> Change<'_> {
    match &kept.event {
        Event::Line { host, step, text } => Change::Line {
            host: host.as_ref().map_or("", HostName::as_str),
            step,
            text: words::plain(text),
        },
        Event::StepEnded { host, step, .. } => Change::Ended {
            host: host.as_ref().map_or("", HostName::as_str),
            step,
            item: match items(std::slice::from_ref(kept)).pop() {
                Some(Item::Step(item)) => item,
                _ => begun(kept.at, host.as_ref(), step),
            },
        },
        _ => Change::Item(items(std::slice::from_ref(kept)).remove(0)),
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
            Event::StepBegan { host, step } => {
                items.push(Item::Step(begun(at, host.as_ref(), step)));
            }
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
    items
}

fn begun(at: Timestamp, host: Option<&HostName>, step: &str) -> StepItem {
    StepItem {
        at,
        host: host.cloned(),
        step: step.to_owned(),
        status: None,
        took_ms: None,
        lines: Vec::new(),
    }
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
        items.push(Item::Step(begun(at, host, step)));
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

/// A line for each host with what ran there, since a page has no columns for it.
fn rows(matrix: &Matrix) -> String {
    let table = matrix.table();
    let Some((head, rows)) = table.split_first() else {
        return String::new();
    };
    let row = |row: &Vec<String>| {
        let cells = head.iter().zip(row).skip(1);
        let ran = cells.filter(|(_, cell)| *cell != Matrix::NOT_RUN);
        let ran = ran.map(|(name, cell)| format!("{name} {cell}"));
        format!("{}: {}", row[0], ran.collect::<Vec<_>>().join(", "))
    };
    rows.iter().map(row).collect::<Vec<_>>().join("\n")
}

fn note(at: Timestamp, event: &Event) -> Item {
    let (host, text, good) = match event {
        Event::Waiting { host, holder } => {
            (Some(host.clone()), format!("waits for {holder}"), None)
        }
        Event::Fetched { commit, subject } => (None, format!("{} {subject}", commit.short()), None),
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
            host.clone(),
            format!("health check {attempt} of {of}: {seen}"),
            Some(*healthy),
        ),
        Event::Looked {
            host,
            alarm,
            rings,
            seen,
            ..
        } => (host.clone(), format!("{alarm}: {seen}"), Some(!*rings)),
        Event::WorkerProven {
            host,
            worker,
            pid,
            release,
            since,
        } => {
            let since = since.map(|at| at.strftime(" since %F %T UTC").to_string());
            let since = since.unwrap_or_default();
            let text = format!("worker {worker} (pid {pid}) runs {release}{since}");
            (Some(host.clone()), text, Some(true))
        }
        Event::Note { host, text } => (host.clone(), text.clone(), None),
        Event::Matrix(matrix) => (None, rows(matrix), None),
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
    fn a_page_tells_what_ran_on_each_host_in_a_line() {
        let matrix = r#"{"hosts":[
            {"host":"web1","live":{"release":"before"},"phases":[
                {"phase":"stage","end":"ok","took_ms":1234},{"phase":"switch","end":"failed","took_ms":1}]},
            {"host":"web2","live":"unknown","phases":[]}]}"#;
        let matrix = serde_json::from_str(matrix).unwrap();
        let told = "web1: stage ok 1.2 s, switch failed, live before\nweb2: live unknown";
        assert_eq!(rows(&matrix), told);
    }
}
