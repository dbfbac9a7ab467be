//! What this GitLab knows: projects with branches, commits, statuses, environments, deployments. Plain values; HTTP is
//! elsewhere.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::access::Token;
use super::changes::Change;
use super::notes::Note;
use super::people::Member;
use crate::trouble::Troubles;

/// Past 32 bits, as other ids.
const FIRST_PERSON: u64 = 8_300_000_000;

/// One commit status, which GitLab moves from state to state until it has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitStatus {
    pub sha: String,
    pub name: String,
    /// The branch whose pipeline shows it.
    pub ref_name: String,
    /// Every state that it had, with the description that came with it; the last one counts.
    pub states: Vec<(String, Option<String>)>,
    pub target_url: Option<String>,
    pub(super) id: u64,
    pub(super) user: String,
    pub(super) at: Timestamp,
}

/// A deployment, with every state that it had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    pub id: u64,
    pub sha: String,
    pub ref_name: String,
    pub tag: bool,
    pub environment: String,
    /// The last one counts.
    pub states: Vec<String>,
    pub(super) iid: u64,
    pub(super) user: String,
    pub(super) at: Timestamp,
}

/// A place, as GitLab lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    pub id: u64,
    pub name: String,
    pub external_url: Option<String>,
    pub(super) at: Timestamp,
}

#[derive(Debug)]
pub(super) struct Project {
    pub(super) id: u64,
    pub(super) path: String,
    pub(super) clone_url: String,
    pub(super) default_branch: String,
    pub(super) branches: BTreeMap<String, String>,
    pub(super) tags: BTreeMap<String, String>,
    /// Each with its parent.
    pub(super) commits: BTreeMap<String, Option<String>>,
    pub(super) statuses: Vec<CommitStatus>,
    pub(super) environments: Vec<Environment>,
    pub(super) deployments: Vec<Deployment>,
    pub(super) members: BTreeMap<String, Member>,
    /// Merge requests by the number that people use.
    pub(super) changes: BTreeMap<u64, Change>,
    pub(super) notes: Vec<Note>,
    pub(super) created: Timestamp,
}

#[derive(Debug)]
pub(super) struct World {
    /// `http://127.0.0.1:<port>`, where its pages would be.
    pub(super) root: String,
    pub(super) projects: BTreeMap<String, Project>,
    pub(super) tokens: BTreeMap<String, Token>,
    /// Everybody who was ever named; where they stand here is their number.
    pub(super) people: Vec<String>,
    pub(super) troubles: Troubles,
    pub(super) hook: Hook,
    pub(super) requests: Vec<String>,
    pub(super) bodies: Vec<String>,
    pub(super) unexpected: Vec<String>,
    last_id: u64,
}

/// How the project's hook proves itself.
#[derive(Debug, Clone)]
pub(super) struct Hook {
    pub(super) uuid: String,
    pub(super) token: Option<String>,
    /// `whsec_` and base64.
    pub(super) signing_secret: Option<String>,
}

impl World {
    pub(super) fn new(root: String) -> Self {
        Self {
            root,
            projects: BTreeMap::new(),
            tokens: BTreeMap::new(),
            people: vec!["deployer".to_owned(), "alice".to_owned()],
            troubles: Troubles::default(),
            hook: Hook {
                uuid: uuid::Uuid::new_v4().to_string(),
                token: Some(format!("hook-token-{}", uuid::Uuid::new_v4().simple())),
                signing_secret: None,
            },
            requests: Vec::new(),
            bodies: Vec::new(),
            unexpected: Vec::new(),
            // Past 32 bits: gitlab.com's ids are, and whoever keeps them in an i32 shall notice here.
            last_id: 8_400_000_000,
        }
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Gives somebody who was never named a number.
    pub(super) fn meet(&mut self, username: &str) {
        if !self.people.iter().any(|name| name == username) {
            self.people.push(username.to_owned());
        }
    }

    /// The number of somebody who was named before.
    pub(super) fn number_of(&self, username: &str) -> u64 {
        let place = self.people.iter().position(|name| name == username);
        let place = place.unwrap_or_else(|| panic!("nobody has met {username}"));
        FIRST_PERSON + place as u64
    }

    /// A note that is there.
    pub(super) fn note(&self, project: &str, id: u64) -> &Note {
        let mut notes = self.projects[project].notes.iter();
        let found = notes.find(|note| note.id == id);
        found.expect("whoever asks has just found it")
    }

    pub(super) fn add_project(&mut self, path: &str, clone_url: &str) {
        assert!(
            path.contains('/'),
            "a project is named group/name, not {path:?}"
        );
        let project = Project {
            id: self.next_id(),
            path: path.to_owned(),
            clone_url: clone_url.to_owned(),
            default_branch: "main".to_owned(),
            branches: BTreeMap::new(),
            tags: BTreeMap::new(),
            commits: BTreeMap::new(),
            statuses: Vec::new(),
            environments: Vec::new(),
            deployments: Vec::new(),
            members: BTreeMap::new(),
            changes: BTreeMap::new(),
            notes: Vec::new(),
            created: Timestamp::now(),
        };
        self.projects.insert(path.to_owned(), project);
    }

    /// The project of that path. Panics when the test never added it.
    #[track_caller]
    pub(super) fn project(&mut self, path: &str) -> &mut Project {
        let known: Vec<_> = self.projects.keys().cloned().collect();
        self.projects
            .get_mut(path)
            .unwrap_or_else(|| panic!("this GitLab has no project {path}, only {known:?}"))
    }
}

impl Project {
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    pub(super) fn namespace(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(group, _)| group)
    }

    /// Moves a branch to a commit whose parent is the branch's head, or that of the default branch.
    pub(super) fn advance(&mut self, branch: &str, sha: &str) {
        let head = self.branches.get(branch);
        let parent = head.or_else(|| self.branches.get(&self.default_branch));
        let parent = parent.filter(|parent| *parent != sha).cloned();
        self.know(sha, parent);
        self.branches.insert(branch.to_owned(), sha.to_owned());
    }

    pub(super) fn know(&mut self, sha: &str, parent: Option<String>) {
        assert!(
            sha.len() == 40 && sha.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "a commit has 40 hex digits, not {sha:?}"
        );
        self.commits.entry(sha.to_owned()).or_insert(parent);
    }

    /// Whether a name means a commit here: a branch, a tag, or a commit itself.
    pub(super) fn resolves(&self, name: &str) -> bool {
        self.branches.contains_key(name)
            || self.tags.contains_key(name)
            || self.commits.contains_key(name)
    }

    /// The first branch, by name, that a commit lies on.
    pub(super) fn branch_with(&self, sha: &str) -> Option<&str> {
        let on = |head: &String| {
            let mut at = Some(head);
            while let Some(commit) = at {
                if commit == sha {
                    return true;
                }
                at = self.commits.get(commit).and_then(Option::as_ref);
            }
            false
        };
        let found = self.branches.iter().find(|(_, head)| on(head));
        found.map(|(branch, _)| branch.as_str())
    }
}

impl CommitStatus {
    /// The state that counts.
    pub fn state(&self) -> &str {
        self.states.last().map_or("", |(state, _)| state)
    }

    /// The description that counts.
    pub fn description(&self) -> Option<&str> {
        self.states.last()?.1.as_deref()
    }
}

impl Deployment {
    /// The state that counts.
    pub fn state(&self) -> &str {
        self.states.last().map_or("", String::as_str)
    }
}
