//! Bodies of hooks, with every field that GitLab's published examples have.

use serde_json::{Value, json};

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
        "user_id": 4,
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

pub(super) fn note(world: &World, project: &str, text: &str) -> Value {
    let id = world.projects[project].id;
    let web = format!("{}/{project}", world.root);
    let alice = person("alice");
    let place = shown(world, project);
    json!({
        "object_kind": "note",
        "event_type": "note",
        "user": alice,
        "project_id": id,
        "project": place,
        "repository": {
            "name": world.projects[project].name(),
            "url": format!("{web}.git"),
            "description": "",
            "homepage": web,
        },
        "object_attributes": {
            "id": 1244,
            "note": text,
            "noteable_type": "MergeRequest",
            "author_id": 4,
            "created_at": THEN,
            "updated_at": THEN,
            "project_id": id,
            "attachment": null,
            "line_code": null,
            "commit_id": "",
            "noteable_id": 7,
            "system": false,
            "st_diff": null,
            "description": text,
            "action": "create",
            "url": format!("{web}/-/merge_requests/1#note_1244"),
        },
        "merge_request": {
            "id": 7,
            "target_branch": "main",
            "source_branch": "topic",
            "source_project_id": id,
            "author_id": 4,
            "assignee_id": 4,
            "title": "Change something",
            "created_at": THEN,
            "updated_at": THEN,
            "milestone_id": null,
            "state": "opened",
            "merge_status": "can_be_merged",
            "target_project_id": id,
            "iid": 1,
            "description": "",
            "position": 0,
            "source": place,
            "target": place,
            "last_commit": head(world, project, &web),
            "work_in_progress": false,
            "draft": false,
            "assignee": alice,
        },
    })
}

fn head(world: &World, project: &str, web: &str) -> Value {
    let sha = world.projects[project].branches.values().next();
    let mut head = commit(web, sha.map_or(NOTHING, String::as_str));
    let fields = head.as_object_mut().expect("a commit is an object");
    for list in ["added", "modified", "removed"] {
        fields.remove(list);
    }
    head
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

fn person(username: &str) -> Value {
    json!({ "id": 4, "name": "Alice", "username": username, "email": "[REDACTED]", "avatar_url": null })
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
