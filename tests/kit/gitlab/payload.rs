//! Bodies of hooks, with every field that GitLab's published examples have.

use serde_json::{Value, json};

use super::changes::Change;
use super::notes::On;
use super::world::World;

const NOTHING: &str = "0000000000000000000000000000000000000000";
const THEN: &str = "2026-05-20T12:34:56+00:00";

/// A ref that moved. Without `before` it was made, without `after` it was deleted.
#[derive(Debug)]
pub(super) struct Push {
    pub(super) name: String,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
}

pub(super) fn push(world: &World, project: &str, push: &Push) -> Value {
    let kind = if push.name.starts_with("refs/tags/") {
        "tag_push"
    } else {
        "push"
    };
    let web = format!("{}/{project}", world.root);
    let commits: Vec<_> = push.after.iter().map(|sha| commit(&web, sha)).collect();
    json!({
        "object_kind": kind,
        "event_name": kind,
        "before": push.before.as_deref().unwrap_or(NOTHING),
        "after": push.after.as_deref().unwrap_or(NOTHING),
        "ref": push.name,
        "ref_protected": push.name == "refs/heads/main",
        "checkout_sha": push.after,
        "message": null,
        "user_id": world.number_of("alice"),
        "user_name": "Alice",
        "user_username": "alice",
        "user_email": "",
        "user_avatar": null,
        "project_id": world.projects[project].id,
        "project": shown(world, project),
        "commits": commits,
        "total_commits_count": commits.len(),
        "push_options": {},
        "repository": repository(world, project),
    })
}

pub(super) fn note(world: &World, project: &str, id: u64) -> Value {
    let note = world.note(project, id);
    let web = format!("{}/{project}", world.root);
    let mut body = json!({
        "object_kind": "note",
        "event_type": "note",
        "user": person(world, &note.author),
        "project_id": world.projects[project].id,
        "project": shown(world, project),
        "repository": {
            "name": world.projects[project].name(),
            "url": format!("{web}.git"),
            "description": "",
            "homepage": web,
        },
        "object_attributes": {
            "id": id,
            "note": note.body,
            "discussion_id": note.discussion,
            "type": note.in_thread.then_some("DiffNote"),
            "author_id": world.number_of(&note.author),
            "created_at": THEN,
            "updated_at": THEN,
            "project_id": world.projects[project].id,
            "attachment": null,
            "line_code": null,
            "system": false,
            "internal": false,
            "description": note.body,
            "action": "create",
        },
    });
    let attributes = &mut body["object_attributes"];
    match &note.on {
        On::Change(iid) => {
            let change = &world.projects[project].changes[iid];
            attributes["noteable_type"] = json!("MergeRequest");
            attributes["noteable_id"] = json!(change.id);
            attributes["commit_id"] = json!("");
            attributes["st_diff"] = Value::Null;
            attributes["url"] = json!(format!("{web}/-/merge_requests/{iid}#note_{id}"));
            body["merge_request"] = merge_request(world, project, *iid, change);
        }
        On::Commit(sha) => {
            attributes["noteable_type"] = json!("Commit");
            attributes["noteable_id"] = Value::Null;
            attributes["commit_id"] = json!(sha);
            attributes["st_diff"] = diff();
            attributes["url"] = json!(format!("{web}/-/commit/{sha}#note_{id}"));
            body["commit"] = without_files(commit(&web, sha));
        }
    }
    body
}

fn merge_request(world: &World, project: &str, iid: u64, change: &Change) -> Value {
    let id = world.projects[project].id;
    let web = format!("{}/{project}", world.root);
    let alice = person(world, "alice");
    let mut source = shown(world, project);
    if change.source != id {
        source["id"] = json!(change.source);
        source["path_with_namespace"] = json!("mallory/shop");
    }
    json!({
        "id": change.id,
        "target_branch": "main",
        "source_branch": change.branch,
        "source_project_id": change.source,
        "author_id": world.number_of("alice"),
        "assignee_id": world.number_of("alice"),
        "title": "Change something",
        "created_at": THEN,
        "updated_at": THEN,
        "milestone_id": null,
        "state": change.state,
        "merge_status": "can_be_merged",
        "target_project_id": id,
        "iid": iid,
        "description": "",
        "position": 0,
        "source": source,
        "target": shown(world, project),
        "last_commit": without_files(commit(&web, &change.head)),
        "work_in_progress": false,
        "draft": false,
        "assignee": alice,
    })
}

/// What a remark on a line of a commit stands at.
fn diff() -> Value {
    json!({
        "diff": "@@ -1 +1 @@\n-one\n+two\n",
        "new_path": "index.html",
        "old_path": "index.html",
        "a_mode": "100644",
        "b_mode": "100644",
        "new_file": false,
        "renamed_file": false,
        "deleted_file": false,
    })
}

fn without_files(mut commit: Value) -> Value {
    let fields = commit.as_object_mut().expect("a commit is an object");
    for list in ["added", "modified", "removed"] {
        fields.remove(list);
    }
    commit
}

fn commit(web: &str, sha: &str) -> Value {
    json!({
        "id": sha,
        "message": "Change something\n",
        "title": "Change something",
        "timestamp": THEN,
        "url": format!("{web}/-/commit/{sha}"),
        "author": { "name": "Alice", "email": "alice@example.com" },
        "added": [],
        "modified": ["README.md"],
        "removed": [],
    })
}

fn person(world: &World, username: &str) -> Value {
    let id = world.number_of(username);
    json!({ "id": id, "name": username, "username": username, "email": "[REDACTED]", "avatar_url": null })
}

fn shown(world: &World, path: &str) -> Value {
    let project = &world.projects[path];
    let web = format!("{}/{path}", world.root);
    let ssh = format!("git@gitlab.test:{path}.git");
    json!({
        "id": project.id,
        "name": project.name(),
        "description": "",
        "web_url": web,
        "avatar_url": null,
        "git_ssh_url": ssh,
        "git_http_url": project.clone_url,
        "namespace": project.namespace(),
        "visibility_level": 0,
        "path_with_namespace": path,
        "default_branch": project.default_branch,
        "ci_config_path": null,
        "homepage": web,
        "url": ssh,
        "ssh_url": ssh,
        "http_url": project.clone_url,
    })
}

fn repository(world: &World, path: &str) -> Value {
    let project = &world.projects[path];
    let ssh = format!("git@gitlab.test:{path}.git");
    json!({
        "name": project.name(),
        "url": ssh,
        "description": "",
        "homepage": format!("{}/{path}", world.root),
        "git_http_url": project.clone_url,
        "git_ssh_url": ssh,
        "visibility_level": 0,
    })
}
