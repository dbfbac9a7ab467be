//! What a tool before this one left in a tree, and what that proves. Told line by line, as all facts are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::names::{CommitSha, ReleaseId};

/// What a tool before this one left in a tree.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Legacy {
    /// Files and folders by which the tool is known, as paths below the tree.
    pub traces: BTreeSet<String>,
    /// What its lock says, where there is one.
    pub lock: Option<String>,
    /// Releases that its log says were live.
    pub logged: BTreeSet<ReleaseId>,
    /// Releases without a record of ours.
    pub unrecorded: BTreeSet<ReleaseId>,
    /// What those were made from, as their file `REVISION` says.
    pub revisions: BTreeMap<ReleaseId, CommitSha>,
    /// Paths of the live release that it shares between releases.
    pub linked: Vec<String>,
}

/// A tool that keeps releases as this one does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// It leaves a mirror of the repository and a log of what it made live.
    Capistrano,
    /// It leaves `.dep`, with a log of what it began.
    Deployer,
    /// It keeps `.env` and `storage` beside the releases.
    Envoyer,
    /// None of them, or a hand.
    Another,
}

impl Legacy {
    /// Takes in a line of facts; `false` when it is none of these.
    pub(super) fn hear(&mut self, word: &str, rest: &str) -> bool {
        match word {
            "trace" => drop(self.traces.insert(rest.to_owned())),
            "foreign-lock" => self.lock = Some(rest.to_owned()),
            "logged" => self.logged.extend(made_live(rest)),
            "linked" => self.linked.push(rest.to_owned()),
            "revision" => self.hear_revision(rest),
            _ => return false,
        }
        true
    }

    fn hear_revision(&mut self, rest: &str) {
        let (id, commit) = rest.split_once(' ').unwrap_or((rest, ""));
        // A name that is no release's is told with the releases.
        let Ok(id) = ReleaseId::parse(id) else { return };
        if let Ok(commit) = CommitSha::parse(commit) {
            self.revisions.insert(id.clone(), commit);
        }
        self.unrecorded.insert(id);
    }

    /// Whether the tool's log says that a release was live. A link that a swap left behind makes the log unsafe: the
    /// tool then logs releases that never became live.
    pub(super) fn says_live(&self, id: &ReleaseId) -> bool {
        self.logged.contains(id) && !self.has("releases/current")
    }

    /// The tool, by its traces.
    pub fn tool(&self) -> Tool {
        if self.has(".dep/releases_log") {
            Tool::Deployer
        } else if self.has("revisions.log") || self.has("repo/HEAD") {
            Tool::Capistrano
        } else if self.has(".env") && self.has("storage") {
            Tool::Envoyer
        } else {
            Tool::Another
        }
    }

    /// Whether it left this path.
    pub fn has(&self, trace: &str) -> bool {
        self.traces.contains(trace)
    }
}

/// The release that a line of Capistrano's `revisions.log` says was made live.
fn made_live(line: &str) -> Option<ReleaseId> {
    let words = [" deployed as release ", " rolled back to release "];
    let after = words.iter().find_map(|words| line.split_once(words))?.1;
    ReleaseId::parse(after.split(' ').next()?).ok()
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Capistrano => "Capistrano",
            Self::Deployer => "Deployer",
            Self::Envoyer => "Envoyer",
            Self::Another => "another tool",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Facts;

    fn id(text: &str) -> ReleaseId {
        ReleaseId::parse(text).unwrap()
    }

    fn heard(lines: &[&str]) -> Facts {
        let mut facts = Facts::default();
        for line in lines {
            facts.hear(line);
        }
        assert_eq!(facts.strange, Vec::<String>::new());
        facts
    }

    const CAPISTRANO: [&str; 9] = [
        "current link releases/20260520120002",
        "release 20260520120000 ",
        "release 20260520120001 ",
        "release 20260520120002 ",
        "trace revisions.log",
        "logged Branch main (at 1a2b3c4) deployed as release 20260520120000 by alice",
        "revision 20260520120000 1a2b3c4d5e1a2b3c4d5e1a2b3c4d5e1a2b3c4d5e",
        "revision 20260520120001 ",
        "revision 20260520120002 ",
    ];

    #[test]
    fn what_capistrano_logged_is_a_way_back_and_what_it_only_began_is_none() {
        let facts = heard(&CAPISTRANO);
        assert_eq!(facts.legacy.tool(), Tool::Capistrano);
        let back: Vec<_> = facts.foreign().filter(|id| facts.is_way_back(id)).collect();
        assert_eq!(back, [&id("20260520120000"), &id("20260520120002")]);
        assert!(facts.commit(&id("20260520120000")).is_some());
    }

    #[test]
    fn a_log_beside_a_swap_that_was_cut_off_proves_nothing() {
        let facts = heard(&[&CAPISTRANO[..], &["trace releases/current"]].concat());
        let back: Vec<_> = facts.foreign().filter(|id| facts.is_way_back(id)).collect();
        assert_eq!(back, [&id("20260520120002")]);
    }

    #[test]
    fn a_release_of_ours_without_a_record_is_nobody_elses_and_no_way_back() {
        let facts = heard(&[
            "current link releases/20260520T120000Z-1a2b3c4",
            "release 20260520T120000Z-1a2b3c4 ",
            "revision 20260520T120000Z-1a2b3c4 ",
            "release 17 {broken",
        ]);
        assert_eq!(facts.foreign().count(), 0);
        assert!(!facts.is_way_back(&id("20260520T120000Z-1a2b3c4")));
        assert!(!facts.is_way_back(&id("17")));
    }

    #[test]
    fn a_line_of_the_log_that_says_something_else_proves_nothing() {
        for line in [
            "deployed as release 17",
            "Branch main (at 1) deployed as release ../17 by x",
            "deployed",
            "",
        ] {
            assert_eq!(made_live(line), None, "{line:?}");
        }
        let rolled = "alice rolled back to release 20260520120000";
        assert_eq!(made_live(rolled), Some(id("20260520120000")));
    }
}
