//! What GitLab shows of people, projects, branches and commits.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::routes::{Call, Reply, Verdict};
use super::world::World;

pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

pub(super) fn user(world: &World, username: &str) -> Value {
    json!({
        "id": world.number_of(username),
        "username": username,
        "name": username,
        "state": "active",
        "locked": false,
        "avatar_url": null,
        "web_url": format!("{}/{username}", world.root),
    })
}

pub(super) fn show_project(world: &mut World, call: &Call) -> Reply {
    let root = world.root.clone();
    let project = call.project(world);
    let path = &project.path;
    Reply::ok(json!({
        "id": project.id,
        "name": project.name(),
        "path": project.name(),
        "path_with_namespace": path,
        "default_branch": project.default_branch,
        "web_url": format!("{root}/{path}"),
        "http_url_to_repo": project.clone_url,
        "created_at": time(project.created),
        "visibility": "private",
    }))
}

pub(super) fn show_branch(world: &mut World, call: &Call) -> Reply {
    let name = call.parameter();
    match call.project(world).branches.get(name).cloned() {
        Some(sha) => Reply::ok(json!({
            "name": name,
            "merged": false,
            "protected": false,
            "default": name == "main",
            "commit": commit(world, call, &sha),
        })),
        None => absent("404 Branch Not Found"),
    }
}

pub(super) fn show_commit(world: &mut World, call: &Call) -> Reply {
    let name = call.parameter();
    let project = call.project(world);
    let known = project
        .branches
        .get(name)
        .or_else(|| project.tags.get(name))
        .cloned();
    let sha = known.or_else(|| project.commits.contains_key(name).then(|| name.to_owned()));
    match sha {
        Some(sha) => Reply::ok(commit(world, call, &sha)),
        None => absent("404 Commit Not Found"),
    }
}

fn commit(world: &mut World, call: &Call, sha: &str) -> Value {
    let root = world.root.clone();
    let project = call.project(world);
    let parent = project.commits.get(sha).cloned().flatten();
    json!({
        "id": sha,
        "short_id": sha[..8],
        "title": "Change something",
        "message": "Change something\n",
        "parent_ids": parent.into_iter().collect::<Vec<_>>(),
        "author_name": "alice",
        "web_url": format!("{root}/{}/-/commit/{sha}", project.path),
    })
}

fn absent(message: &str) -> Reply {
    Reply {
        verdict: Verdict::Fine,
        ..Reply::refused(404, message)
    }
}
