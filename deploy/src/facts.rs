//! What a host said of itself when it was greeted.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::artifact::Part;
use crate::hold::Hold;
use crate::names::{CommitSha, DeploymentId, Digest, ReleaseId};

mod legacy;

pub use legacy::{Legacy, Tool};

/// What a host said of itself. Serialized as it is for `--json`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Facts {
    /// What `current` leads to.
    pub current: Current,
    /// The folders below `releases/`, with what is known of each, oldest first.
    pub releases: BTreeMap<ReleaseId, Option<ReleaseRecord>>,
    /// The migrations that releases have told to have run in the database of this host, oldest first.
    pub migrated: BTreeMap<ReleaseId, Vec<String>>,
    /// The fence number of the lease under which this was told; 0 when it was told without one.
    pub fence: u64,
    /// Who holds the lease, if somebody does.
    pub holder: Option<Holder>,
    /// Why the host takes no deployments but its owner's.
    pub hold: Option<Hold>,
    /// Who held it before and ended without giving it back.
    pub died: Option<Holder>,
    /// The last step that whoever died ran to its end here, with or without them.
    pub outlived: Option<Outlived>,
    /// Free space below the path, in bytes.
    pub free_bytes: u64,
    /// Free inodes below the path.
    pub free_inodes: u64,
    /// Programs that were looked for and found: `curl`, `php`, `flock`, …
    pub tools: Vec<String>,
    /// Shared files, and whether each has content.
    pub shared: BTreeMap<String, bool>,
    /// Things left behind by an interrupted deployment, as paths.
    pub leftovers: Vec<String>,
    /// Groups of workers whose hand-over was begun, and neither proven nor taken back.
    pub begun: Vec<String>,
    /// Folders that would have to be written to and may not, as paths.
    pub unwritable: Vec<String>,
    /// Releases that were removed and of which something could not be, as paths.
    pub gone: Vec<String>,
    /// What a tool before this one left.
    pub legacy: Legacy,
    /// True when the environment's path does not exist yet.
    pub missing: bool,
    /// What the artifact consists of that was brought last and is kept.
    #[serde(skip)]
    pub parts: Vec<Part>,
    /// Lines and names that made no sense.
    pub strange: Vec<String>,
}

/// What `current` is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Current {
    /// There is none yet.
    #[default]
    Absent,
    /// A link to a release.
    Release {
        /// Which.
        id: ReleaseId,
    },
    /// Something else: a real folder, a link elsewhere.
    Foreign {
        /// What, in words.
        what: String,
    },
}

/// What the host keeps of a release: `.cutover/releases/<id>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseRecord {
    /// The release.
    pub release: ReleaseId,
    /// Where it stands.
    pub state: ReleaseState,
    /// What it was made from; absent where another tool made it and did not say.
    pub commit: Option<CommitSha>,
    /// The artifact's digest; absent where another tool made it.
    pub digest: Option<Digest>,
    /// The deployment that made it, or took it over.
    pub deployment: DeploymentId,
    /// Who asked for it.
    pub actor: String,
    /// Where to read about it.
    pub run_url: Option<String>,
    /// Whether everything is proven to follow it since it was made live last.
    #[serde(default)]
    pub settled: bool,
    /// The deployment that made it live last.
    #[serde(default)]
    pub live_by: Option<DeploymentId>,
    /// What was live before that, or when it was made.
    pub previous: Option<ReleaseId>,
    /// When the state was last changed.
    pub changed_at: Timestamp,
}

/// Where a release stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseState {
    /// Being brought and prepared.
    Staging,
    /// Prepared, not live.
    Ready,
    /// Live, not yet proven.
    Live,
    /// Was live and proven healthy: rollback may return to it.
    Healthy,
    /// Made by another tool and live when this one came: rollback may return to it.
    Adopted,
    /// Never became healthy.
    Failed,
    /// Was live, failed, and was taken back.
    RolledBack,
}

impl ReleaseState {
    /// Whether it was about to become live or is, and was neither proven nor given up.
    pub(crate) fn is_begun(self) -> bool {
        matches!(self, Self::Ready | Self::Live)
    }
}

/// Who holds a lease: the body of `.cutover/lock`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Who asked for the deployment that holds it.
    pub actor: String,
    /// The deployment.
    pub deployment: DeploymentId,
    /// `deploy` or `rollback`.
    pub kind: String,
    /// Since when.
    pub since: Timestamp,
    /// Where to read about it.
    pub run_url: Option<String>,
}

/// A step that ran on after nobody was left who waited for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outlived {
    /// Its name.
    pub step: String,
    /// The exit status of its segment; absent when the host itself went down under it.
    pub exit: Option<i32>,
}

impl Facts {
    /// Takes in one line that a host said.
    pub fn hear(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "current" => self.current = Current::read(rest),
            "release" => self.hear_release(rest),
            "migrated" => self.hear_migrated(rest),
            "fence" => self.fence = rest.parse().unwrap_or(0),
            "holder" => self.holder = serde_json::from_str(rest).ok(),
            "hold" => self.hold = Some(Hold::read(rest)),
            "died" => self.died = serde_json::from_str(rest).ok(),
            "ran" => {
                self.outlived = rest.split_once(' ').map(|(exit, step)| Outlived {
                    step: step.to_owned(),
                    exit: exit.parse().ok(),
                });
            }
            "space" => self.hear_space(rest),
            "tool" => self.tools.push(rest.to_owned()),
            "shared" => match rest.split_once(' ') {
                Some((state, file)) => drop(self.shared.insert(file.to_owned(), state == "filled")),
                None => self.strange.push(line.to_owned()),
            },
            "part" => match Part::parse(rest) {
                Some(part) => self.parts.push(part),
                None => self.strange.push(line.to_owned()),
            },
            "leftover" => self.leftovers.push(rest.to_owned()),
            "begun" => self.begun.push(rest.to_owned()),
            "unwritable" => self.unwritable.push(rest.to_owned()),
            "gone" => self.gone.push(rest.to_owned()),
            "missing" => self.missing = true,
            _ if self.legacy.hear(word, rest) => {}
            _ => self.strange.push(line.to_owned()),
        }
    }

    fn hear_release(&mut self, rest: &str) {
        let (id, record) = rest.split_once(' ').unwrap_or((rest, ""));
        match ReleaseId::parse(id) {
            Ok(id) => drop(self.releases.insert(id, serde_json::from_str(record).ok())),
            Err(error) => self.strange.push(error.to_string()),
        }
    }

    fn hear_migrated(&mut self, rest: &str) {
        let mut words = rest.split_whitespace();
        match words.next().map(ReleaseId::parse) {
            Some(Ok(id)) => drop(self.migrated.insert(id, words.map(str::to_owned).collect())),
            _ => self.strange.push(rest.to_owned()),
        }
    }

    fn hear_space(&mut self, rest: &str) {
        let mut numbers = rest.split(' ').map(|number| number.parse().unwrap_or(0));
        self.free_bytes = numbers.next().unwrap_or(0) * 1024;
        self.free_inodes = numbers.next().unwrap_or(0);
    }

    /// The release that is live.
    pub fn live(&self) -> Option<&ReleaseId> {
        match &self.current {
            Current::Release { id } => Some(id),
            Current::Absent | Current::Foreign { .. } => None,
        }
    }

    /// What is known of a release.
    pub fn record(&self, id: &ReleaseId) -> Option<&ReleaseRecord> {
        self.releases.get(id).and_then(Option::as_ref)
    }

    /// The commit that a release was made from, as far as known.
    pub fn commit(&self, id: &ReleaseId) -> Option<&CommitSha> {
        match self.record(id) {
            Some(record) => record.commit.as_ref(),
            None => self.legacy.revisions.get(id),
        }
    }

    /// Whether a release was once live and proven healthy, and is still there.
    pub fn was_healthy(&self, id: &ReleaseId) -> bool {
        self.record(id)
            .is_some_and(|record| record.state == ReleaseState::Healthy)
    }

    /// Whether another tool made a release.
    pub fn is_foreign(&self, id: &ReleaseId) -> bool {
        match self.releases.get(id) {
            Some(Some(record)) => record.digest.is_none(),
            Some(None) => self.legacy.unrecorded.contains(id) && !id.is_ours(),
            None => false,
        }
    }

    /// The releases that other tools made, oldest first.
    pub fn foreign(&self) -> impl DoubleEndedIterator<Item = &ReleaseId> {
        self.releases.keys().filter(|id| self.is_foreign(id))
    }

    /// Whether a rollback may go to a release: it was healthy once, or another tool made it and it is proven that it
    /// was live.
    pub fn is_way_back(&self, id: &ReleaseId) -> bool {
        match self.record(id) {
            Some(record) => {
                matches!(record.state, ReleaseState::Healthy | ReleaseState::Adopted)
            }
            None => self.is_foreign(id) && self.was_live(id),
        }
    }

    /// Whether it is proven that a release of another tool was live: it is, or it was when one of ours was made, or its
    /// tool's log says so.
    fn was_live(&self, id: &ReleaseId) -> bool {
        let before = |record: &ReleaseRecord| record.previous.as_ref() == Some(id);
        self.live() == Some(id)
            || self.releases.values().flatten().any(before)
            || self.legacy.says_live(id)
    }
}

impl Outlived {
    /// The step and its end, for a reader.
    pub fn line(&self) -> String {
        let Self { step, exit } = self;
        match exit {
            Some(exit) => format!("`{step}` was the last that ran, and ended with {exit}"),
            None => format!("`{step}` was the last that ran, and how it ended is unknown"),
        }
    }
}

impl Current {
    fn read(rest: &str) -> Self {
        if let Some(target) = rest.strip_prefix("stray ") {
            let what = format!("a link to {target}, which is no release of this folder");
            return Self::Foreign { what };
        }
        let Some(target) = rest.strip_prefix("link ") else {
            return Self::Foreign {
                what: "a real folder or file".to_owned(),
            };
        };
        // Other tools write absolute links; what counts is the last two segments.
        let mut segments = target.trim_end_matches('/').rsplit('/');
        match (segments.next().map(ReleaseId::parse), segments.next()) {
            (Some(Ok(id)), Some("releases")) => Self::Release { id },
            _ => Self::Foreign {
                what: format!("a link to {target}"),
            },
        }
    }
}

impl Holder {
    /// The holder in one line, as it is named to whoever waits.
    pub fn line(&self) -> String {
        let url = self
            .run_url
            .as_ref()
            .map(|url| format!(", {url}"))
            .unwrap_or_default();
        format!(
            "{} of {} by {} since {}{url}",
            self.kind,
            self.deployment,
            self.actor,
            self.since.strftime("%F %T UTC")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(lines: &[&str]) -> Facts {
        let mut facts = Facts::default();
        for line in lines {
            facts.hear(line);
        }
        facts
    }

    #[test]
    fn a_link_of_another_tool_is_understood() {
        let id = ReleaseId::parse("20240101120000").unwrap();
        for link in [
            "current link releases/20240101120000",
            "current link /srv/app/releases/20240101120000/",
        ] {
            assert_eq!(heard(&[link]).live(), Some(&id), "{link}");
        }
    }

    #[test]
    fn what_is_no_release_is_foreign() {
        for line in [
            "current other",
            "current link /srv/elsewhere",
            "current link releases/..",
            "current link ",
        ] {
            assert!(
                matches!(heard(&[line]).current, Current::Foreign { .. }),
                "{line}"
            );
        }
    }

    #[test]
    fn hostile_lines_are_kept_apart_and_do_no_harm() {
        let facts = heard(&[
            "release ../../etc {}",
            "release ok {broken",
            "fence x",
            "space a b",
            "nonsense",
            "",
        ]);
        assert_eq!(
            facts
                .releases
                .keys()
                .map(ReleaseId::as_str)
                .collect::<Vec<_>>(),
            ["ok"]
        );
        assert_eq!(
            (facts.fence, facts.free_bytes, facts.strange.len()),
            (0, 0, 3)
        );
    }
}
