//! Repositories, branches and commits, for whoever asks what is there.

use serde_json::{Value, json};

use super::answers;
use super::routes::{Call, Reply, Verdict};
use super::world::World;

pub(super) fn repository(world: &mut World, call: &Call) -> Reply {
    Reply::ok(answers::repository(world, &call.repository_name()))
}

pub(super) fn branch(world: &mut World, call: &Call) -> Reply {
    let branch = call.parameter("branch").to_owned();
    let repository = call.repository(world);
    let Some(sha) = repository.branches.get(&branch).cloned() else {
        return Reply {
            verdict: Verdict::Fine,
            ..Reply::refused(404, "Branch not found")
        };
    };
    let name = repository.full_name.clone();
    let (root, at) = (world.root.clone(), format!("{}/repos/{name}", world.api()));
    Reply::ok(json!({
        "name": branch,
        "commit": commit_answer(world, &name, &sha),
        "_links": {
            "self": format!("{at}/branches/{branch}"),
            "html": format!("{root}/{name}/tree/{branch}"),
        },
        "protected": false,
        "protection": { "enabled": false },
        "protection_url": format!("{at}/branches/{branch}/protection"),
    }))
}

pub(super) fn git_ref(world: &mut World, call: &Call) -> Reply {
    let wanted = call.parameter("ref").to_owned();
    let repository = call.repository(world);
    let found = match wanted.split_once('/') {
        Some(("heads", branch)) => repository.branches.get(branch),
        Some(("tags", tag)) => repository.tags.get(tag),
        _ => None,
    };
    let Some(sha) = found.cloned() else {
        return Reply::not_found();
    };
    let (id, name) = (repository.id, repository.full_name.clone());
    let at = format!("{}/repos/{name}/git", world.api());
    Reply::ok(json!({
        "ref": format!("refs/{wanted}"),
        "node_id": answers::node_id("Ref", id),
        "url": format!("{at}/refs/{wanted}"),
        "object": { "type": "commit", "sha": sha, "url": format!("{at}/commits/{sha}") },
    }))
}

pub(super) fn commit(world: &mut World, call: &Call) -> Reply {
    let wanted = call.parameter("ref").to_owned();
    let repository = call.repository(world);
    let Some(sha) = repository.resolve(&wanted).map(str::to_owned) else {
        let reply = Reply::refused(422, &format!("No commit found for SHA: {wanted}"));
        return Reply {
            verdict: Verdict::Fine,
            ..reply
        };
    };
    let name = repository.full_name.clone();
    Reply::ok(commit_answer(world, &name, &sha))
}

fn commit_answer(world: &mut World, name: &str, sha: &str) -> Value {
    let (root, at) = (world.root.clone(), format!("{}/repos/{name}", world.api()));
    let id = world.repository(name).id;
    let commit = &world.repository(name).commits[sha];
    let (message, author, when, parents) = (
        commit.message.clone(),
        commit.author.clone(),
        commit.at,
        commit.parents.clone(),
    );
    let person =
        json!({ "name": author, "email": answers::email(&author), "date": answers::time(when) });
    let user = answers::user(world, &author);
    let tree = answers::invented_sha(&format!("tree {sha}"));
    let parent = |sha: &String| json!({ "sha": sha, "url": format!("{at}/commits/{sha}"), "html_url": format!("{root}/{name}/commit/{sha}") });
    json!({
        "sha": sha,
        "node_id": answers::node_id("Commit", id),
        "commit": {
            "author": person,
            "committer": person,
            "message": message,
            "tree": { "sha": tree, "url": format!("{at}/git/trees/{tree}") },
            "url": format!("{at}/git/commits/{sha}"),
            "comment_count": 0,
            "verification": {
                "verified": false, "reason": "unsigned", "signature": null, "payload": null, "verified_at": null,
            },
        },
        "url": format!("{at}/commits/{sha}"),
        "html_url": format!("{root}/{name}/commit/{sha}"),
        "comments_url": format!("{at}/commits/{sha}/comments"),
        "author": user,
        "committer": user,
        "parents": parents.iter().map(parent).collect::<Vec<_>>(),
        "stats": { "total": 0, "additions": 0, "deletions": 0 },
        "files": [],
    })
}
