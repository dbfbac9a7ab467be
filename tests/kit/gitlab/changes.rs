//! Merge requests, as much of them as comments need.

use jiff::Timestamp;
use serde_json::json;

use super::GitLab;
use super::answers;
use super::routes::{Call, Reply, Verdict};
use super::world::World;

/// A merge request as the world keeps it.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) id: u64,
    pub(super) head: String,
    pub(super) branch: String,
    /// The project that its commits come from.
    pub(super) source: u64,
    pub(super) state: &'static str,
}

impl GitLab {
    /// Opens a merge request for a branch that is at this commit, or moves one there.
    pub fn open_merge_request(&self, project: &str, iid: u64, branch: &str, sha: &str) {
        let mut world = self.world();
        let source = world.project(project).id;
        let place = world.project(project);
        place.know(sha, None);
        place.branches.insert(branch.to_owned(), sha.to_owned());
        world.open(project, iid, branch, sha, source);
    }

    /// Opens a merge request whose commits come from somebody else's project.
    pub fn open_merge_request_of_fork(&self, project: &str, iid: u64, sha: &str) {
        let mut world = self.world();
        let source = world.next_id();
        world.project(project).know(sha, None);
        world.open(project, iid, "patch-1", sha, source);
    }

    /// Closes a merge request.
    pub fn close_merge_request(&self, project: &str, iid: u64) {
        let mut world = self.world();
        let change = world.project(project).changes.get_mut(&iid);
        change.expect("the test has opened it").state = "closed";
    }
}

impl World {
    fn open(&mut self, project: &str, iid: u64, branch: &str, sha: &str, source: u64) {
        let id = self.next_id();
        let change = Change {
            id,
            head: sha.to_owned(),
            branch: branch.to_owned(),
            source,
            state: "opened",
        };
        self.project(project).changes.insert(iid, change);
    }
}

pub(super) fn show(world: &mut World, call: &Call) -> Reply {
    let iid: u64 = call.parameter().parse().unwrap_or_default();
    let alice = answers::user(world, "alice");
    let project = call.project(world);
    let Some(change) = project.changes.get(&iid) else {
        return Reply {
            verdict: Verdict::Fine,
            ..Reply::refused(404, "404 Not found")
        };
    };
    let now = answers::time(Timestamp::now());
    Reply::ok(json!({
        "id": change.id, "iid": iid, "project_id": project.id, "title": "Change the shop", "description": "",
        "state": change.state, "created_at": now, "updated_at": now, "merged_at": null, "closed_at": null,
        "target_branch": "main", "source_branch": change.branch, "author": alice, "assignees": [], "reviewers": [],
        "source_project_id": change.source, "target_project_id": project.id, "labels": [], "draft": false,
        "merge_status": "can_be_merged", "detailed_merge_status": "mergeable", "sha": change.head,
        "merge_commit_sha": null, "user_notes_count": 0, "discussion_locked": null, "has_conflicts": false,
    }))
}
