//! What a deployment told, as a picture: the same story gives the same text.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use cutover_deploy::{CommitSha, Event, Outcome, ReleaseId};
use kit::{Host, Site};

use super::scene::PATH;

/// How a deployment ended and all that it told on the way.
pub(super) struct Told {
    pub(super) outcome: Outcome,
    pub(super) events: Vec<Event>,
    pub(super) names: Arc<Names>,
}

/// What stands for names that differ from run to run.
pub(super) struct Names {
    fixed: Vec<(String, String)>,
    /// In the order in which they were planned, as pictures of hosts number them.
    releases: Mutex<Vec<ReleaseId>>,
}

impl Told {
    /// The outcome for a reader.
    pub(super) fn outcome(&self) -> String {
        self.names.tame(&self.outcome.to_string())
    }

    /// The exit code of a door.
    pub(super) fn exit(&self) -> u8 {
        self.outcome.exit_code()
    }

    /// What happened, phase by phase, and in each host by host.
    pub(super) fn story(&self) -> String {
        let mut phase = 0;
        let mut lines: Vec<((usize, String), String)> = Vec::new();
        for event in &self.events {
            phase += usize::from(matches!(event, Event::PhaseBegan { .. }));
            if let Some((host, line)) = line(event) {
                lines.push(((phase, host), line));
            }
        }
        lines.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut story = String::new();
        for (_, line) in lines {
            writeln!(story, "{line}").unwrap();
        }
        self.names.tame(&story)
    }

    /// The plan as it was told.
    pub(super) fn plan(&self) -> String {
        let planned = |event: &Event| match event {
            Event::Planned { lines, .. } => Some(lines.join("\n")),
            _ => None,
        };
        let plan = self.events.iter().find_map(planned);
        self.names.tame(&plan.unwrap_or_default())
    }

    /// The part of the story that comes after the barrier.
    pub(super) fn after_the_barrier(&self) -> String {
        let story = self.story();
        let at = story.find("== switch").unwrap_or(0);
        story[at..].to_owned()
    }

    /// The lines that steps printed.
    pub(super) fn output(&self) -> Vec<&str> {
        let lines = self.events.iter().filter_map(|event| match event {
            Event::Line { text, .. } => Some(text.as_str()),
            _ => None,
        });
        lines.collect()
    }

    /// The commits that the plan names: of the release that is to be live, and of the one that is.
    pub(super) fn commits(&self) -> (Option<CommitSha>, Option<CommitSha>) {
        let planned = |event: &Event| match event {
            Event::Planned {
                commit,
                previous_commit,
                ..
            } => Some((commit.clone(), previous_commit.clone())),
            _ => None,
        };
        self.events.iter().find_map(planned).unwrap_or_default()
    }

    /// How each phase ended on each host, without times.
    pub(super) fn matrix(&self) -> String {
        let matrix = self.events.iter().find_map(|event| match event {
            Event::Matrix(matrix) => Some(timeless(matrix.clone())),
            _ => None,
        });
        self.names.tame(&matrix.unwrap_or_default())
    }

    /// The notes.
    pub(super) fn notes(&self) -> String {
        let notes = self.events.iter().filter_map(|event| match event {
            Event::Note { host, text } => {
                let host = host.as_ref().map_or("here".to_owned(), ToString::to_string);
                Some(format!("{host}: {}\n", undated(text)))
            }
            _ => None,
        });
        self.names.tame(&notes.collect::<String>())
    }
}

/// A matrix in which everything took no time.
fn timeless(mut matrix: cutover_deploy::Matrix) -> String {
    for row in &mut matrix.hosts {
        row.phases.iter_mut().for_each(|cell| cell.took_ms = 0);
    }
    matrix.to_string()
}

/// A note without the moment and the random id of whoever held a lease before.
fn undated(text: &str) -> String {
    let text = text.split(" since ").next().unwrap_or_default();
    match text.split_once("without a word: deploy of ") {
        Some((before, after)) => {
            let by = after.split_once(' ').map_or(after, |(_, by)| by);
            format!("{before}without a word: deploy {by}")
        }
        None => text.to_owned(),
    }
}

/// The host and the line of an event that a story tells.
fn line(event: &Event) -> Option<(String, String)> {
    let named = |host: &Option<cutover_deploy::HostName>| {
        host.as_ref().map_or("here".to_owned(), ToString::to_string)
    };
    Some(match event {
        Event::Waiting { host, holder } => {
            let holder = holder.split(" since ").next().unwrap_or_default();
            (host.to_string(), format!("{host} waits for {holder}"))
        }
        Event::Planned {
            release, previous, ..
        } => {
            let previous = previous.as_ref().map_or("nothing", ReleaseId::as_str);
            (String::new(), format!("plan: {previous} to {release}"))
        }
        Event::PhaseBegan { phase } => (String::new(), format!("== {phase}")),
        Event::StepBegan { .. }
        | Event::Fetched { .. }
        | Event::Matrix(_)
        | Event::Concluded { .. } => return None,
        Event::Line { host, text, .. } => {
            let host = named(host);
            let line = format!("{host} | {text}");
            (host, line)
        }
        Event::StepEnded {
            host, step, status, ..
        } => {
            let host = named(host);
            let end = if *status == 0 {
                "ok".to_owned()
            } else {
                format!("exit {status}")
            };
            if host == "here" && *status == 0 {
                return None;
            }
            let line = format!("{host} {step}: {end}");
            (host, line)
        }
        Event::Checked {
            host,
            attempt,
            of,
            seen,
            ..
        } => {
            let host = named(host);
            let line = format!("{host} health {attempt} of {of}: {seen}");
            (host, line)
        }
        Event::Looked {
            host,
            alarm,
            rings,
            seen,
            ..
        } => {
            let host = named(host);
            let word = if *rings { "ALARM " } else { "" };
            let line = format!("{host} {word}{alarm}: {seen}");
            (host, line)
        }
        Event::WorkerProven {
            host,
            worker,
            release,
            ..
        } => (host.to_string(), format!("{host} {worker} runs {release}")),
        Event::Note { host, text } => {
            let host = named(host);
            let line = format!("{host} note: {}", undated(text));
            (host, line)
        }
    })
}

impl Names {
    pub(super) fn of(hosts: &[Host], sites: &[Site]) -> Self {
        let mut fixed = Vec::new();
        for site in sites {
            fixed.push((site.health_url(), "http://127.0.0.1/health".to_owned()));
        }
        for host in hosts {
            fixed.push((host.address(), format!("deploy@{}", host.name())));
        }
        if sites.is_empty() {
            fixed.push((hosts[0].http_url(), "http://127.0.0.1".to_owned()));
        }
        for host in hosts {
            let port = host.ssh_port().to_string();
            fixed.push((host.path().display().to_string(), PATH.to_owned()));
            fixed.push((
                host.dir().display().to_string(),
                format!("<{}>", host.name()),
            ));
            for before in ["-p ", "-P ", "port "] {
                fixed.push((format!("{before}{port}"), format!("{before}22")));
            }
            let user = host.address();
            let user = user.split('@').next().unwrap_or_default();
            for (before, after) in [
                (" by ", "\n"),
                ("Give ", " "),
                ("-o ", " "),
                ("-R ", " "),
                (" ", "@127"),
            ] {
                fixed.push((
                    format!("{before}{user}{after}"),
                    format!("{before}deploy{after}"),
                ));
            }
        }
        Self {
            fixed,
            releases: Mutex::default(),
        }
    }

    /// Notes a release that is planned.
    pub(super) fn learn(&self, event: &Event) {
        if let Event::Planned { release, .. } = event {
            let mut releases = self.releases.lock().unwrap();
            if !releases.contains(release) {
                releases.push(release.clone());
            }
        }
    }

    /// The release of this number, from 1.
    pub(super) fn release(&self, number: usize) -> ReleaseId {
        self.releases.lock().unwrap()[number - 1].clone()
    }

    pub(super) fn tame(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (number, id) in self.releases.lock().unwrap().iter().enumerate() {
            text = text.replace(id.as_str(), &format!("r{}", number + 1));
        }
        for (from, to) in &self.fixed {
            text = text.replace(from, to);
        }
        text
    }
}
