//! What this GitHub knows: repositories with branches and commits, statuses, deployments. Plain values; HTTP is elsewhere.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::access::Access;
use super::comments::{Comment, Pull};
use crate::trouble::Troubles;

/// A commit status as the world keeps it, in the order of its posting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitStatus {
    /// One of `error failure pending success`.
    pub state: String,
    pub context: String,
    pub description: Option<String>,
    pub target_url: Option<String>,
    pub(super) id: u64,
    pub(super) creator: String,
    pub(super) at: Timestamp,
}

/// A deployment as the world keeps it, with its statuses in the order of their posting.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    pub id: u64,
    /// The commit that `ref_name` meant when the deployment was made.
    pub sha: String,
    /// The branch, tag or commit that was asked for.
    pub ref_name: String,
    pub task: String,
    pub environment: String,
    pub description: Option<String>,
    pub payload: Value,
    pub transient: bool,
    pub production: bool,
    pub statuses: Vec<DeploymentStatus>,
    pub(super) creator: String,
    pub(super) at: Timestamp,
}

/// One status of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentStatus {
    /// One of `queued pending in_progress success failure error inactive`.
    pub state: String,
    pub description: String,
    pub environment: String,
    pub environment_url: String,
    pub log_url: String,
    /// Whether GitHub posted it itself: an older deployment made inactive by a newer success.
    pub automatic: bool,
    pub(super) id: u64,
    pub(super) creator: String,
    pub(super) at: Timestamp,
}

#[derive(Debug)]
pub(super) struct Commit {
    pub(super) message: String,
    pub(super) author: String,
    pub(super) parents: Vec<String>,
    pub(super) at: Timestamp,
}

#[derive(Debug)]
pub(super) struct Repository {
    pub(super) id: u64,
    pub(super) full_name: String,
    pub(super) clone_url: String,
    pub(super) default_branch: String,
    pub(super) branches: BTreeMap<String, String>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) commits: BTreeMap<String, Commit>,
    /// In the order in which commits first got one.
    pub(super) statuses: Vec<(String, Vec<CommitStatus>)>,
    pub(super) deployments: Vec<Deployment>,
    pub(super) pulls: BTreeMap<u64, Pull>,
    /// In the order of their writing, whatever they stand on.
    pub(super) comments: Vec<Comment>,
    /// The role of each person who has one.
    pub(super) roles: BTreeMap<String, String>,
    pub(super) created: Timestamp,
}

#[derive(Debug)]
pub(super) struct World {
    /// `http://127.0.0.1:<port>`, where its pages would be.
    pub(super) root: String,
    pub(super) repositories: BTreeMap<String, Repository>,
    pub(super) access: Access,
    pub(super) troubles: Troubles,
    pub(super) hook_secret: String,
    /// Every request as `METHOD path -> status`, in order of arrival.
    pub(super) requests: Vec<String>,
    /// Requests that GitHub would not have taken, or that no product should send.
    pub(super) unexpected: Vec<String>,
    last_id: u64,
}

impl World {
    pub(super) fn new(root: String) -> Self {
        Self {
            root,
            repositories: BTreeMap::new(),
            access: Access::default(),
            troubles: Troubles::default(),
            hook_secret: format!("hook-secret-{}", uuid::Uuid::new_v4().simple()),
            requests: Vec::new(),
            unexpected: Vec::new(),
            // Past 32 bits: GitHub's ids are close to that, and whoever keeps them in an i32 shall notice here.
            last_id: 4_400_000_000,
        }
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// The address under which the interface lives, as on GitHub Enterprise Server.
    pub(super) fn api(&self) -> String {
        format!("{}/api/v3", self.root)
    }

    pub(super) fn add_repository(&mut self, full_name: &str, clone_url: &str) {
        assert_eq!(
            full_name.matches('/').count(),
            1,
            "a repository is named owner/name, not {full_name:?}"
        );
        let id = self.next_id();
        let repository = Repository {
            id,
            full_name: full_name.to_owned(),
            clone_url: clone_url.to_owned(),
            default_branch: "main".to_owned(),
            branches: BTreeMap::new(),
            tags: BTreeMap::new(),
            commits: BTreeMap::new(),
            statuses: Vec::new(),
            deployments: Vec::new(),
            pulls: BTreeMap::new(),
            comments: Vec::new(),
            roles: BTreeMap::new(),
            created: Timestamp::now(),
        };
        self.repositories.insert(full_name.to_owned(), repository);
    }

    /// The repository of that name. Panics when the test never added it.
    #[track_caller]
    pub(super) fn repository(&mut self, full_name: &str) -> &mut Repository {
        let known: Vec<_> = self.repositories.keys().cloned().collect();
        self.repositories
            .get_mut(full_name)
            .unwrap_or_else(|| panic!("this GitHub has no repository {full_name}, only {known:?}"))
    }
}

impl Repository {
    pub(super) fn owner(&self) -> &str {
        self.full_name
            .split_once('/')
            .map_or("", |(owner, _)| owner)
    }

    pub(super) fn name(&self) -> &str {
        self.full_name.split_once('/').map_or("", |(_, name)| name)
    }

    /// Says which commit a branch, a tag or a commit name means.
    pub(super) fn resolve(&self, name: &str) -> Option<&str> {
        let bare = name.trim_start_matches("refs/");
        let (branch, tag) = (
            bare.trim_start_matches("heads/"),
            bare.trim_start_matches("tags/"),
        );
        let named = self
            .branches
            .get(branch)
            .or_else(|| self.tags.get(tag))
            .map(String::as_str);
        named.or_else(|| {
            let is_short = name.len() >= 7 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
            let mut known = self.commits.keys().map(String::as_str);
            known.find(|sha| *sha == name || is_short && sha.starts_with(name))
        })
    }

    /// Whether `older` is `newer` or one of its ancestors.
    pub(super) fn contains(&self, newer: &str, older: &str) -> bool {
        let mut waiting = vec![newer];
        while let Some(sha) = waiting.pop() {
            if sha == older {
                return true;
            }
            waiting.extend(
                self.commits
                    .get(sha)
                    .into_iter()
                    .flat_map(|commit| commit.parents.iter().map(String::as_str)),
            );
        }
        false
    }

    /// Lets the world know a commit. Its parent is the head of the branch that it came on.
    pub(super) fn know(&mut self, sha: &str, message: &str, author: &str, parent: Option<&str>) {
        assert!(
            sha.len() == 40 && sha.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "a commit has 40 hex digits, not {sha:?}"
        );
        self.commits
            .entry(sha.to_owned())
            .or_insert_with(|| Commit {
                message: message.to_owned(),
                author: author.to_owned(),
                parents: parent
                    .filter(|parent| *parent != sha)
                    .map(str::to_owned)
                    .into_iter()
                    .collect(),
                at: Timestamp::now(),
            });
    }

    pub(super) fn statuses_of(&self, sha: &str) -> &[CommitStatus] {
        self.statuses
            .iter()
            .find(|(of, _)| of == sha)
            .map_or(&[], |(_, statuses)| statuses)
    }

    /// The newest status of each context.
    pub(super) fn newest_statuses(&self, sha: &str) -> BTreeMap<&str, &CommitStatus> {
        self.statuses_of(sha)
            .iter()
            .map(|status| (status.context.as_str(), status))
            .collect()
    }
}
