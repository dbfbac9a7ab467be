//! Bodies of hooks, with every field that GitHub's published examples have.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::answers;
use super::hooks::Change;
use super::world::World;

const NOTHING: &str = "0000000000000000000000000000000000000000";

/// A reference that moved. Without `before` it was made, without `after` it was deleted.
#[derive(Debug)]
pub(super) struct Push<'a> {
    pub(super) reference: String,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
    pub(super) forced: bool,
    pub(super) changes: &'a [Change],
}

pub(super) fn push(world: &World, repository: &str, push: &Push<'_>) -> Value {
    let html = format!("{}/{repository}", world.root);
    let before = push.before.as_deref().unwrap_or(NOTHING);
    let after = push.after.as_deref().unwrap_or(NOTHING);
    let pusher = push.changes.last().map_or("alice", |change| &change.author);
    let commits: Vec<_> = push
        .changes
        .iter()
        .map(|change| commit(&html, change))
        .collect();
    let of_branch = push.reference.starts_with("refs/heads/");
    let range = match (&push.before, &push.after) {
        (Some(before), Some(after)) => format!("{}...{}", &before[..12], &after[..12]),
        (Some(before), None) => format!("{}...{}", &before[..12], &NOTHING[..12]),
        _ => push
            .reference
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned(),
    };
    json!({
        "ref": push.reference,
        "before": before,
        "after": after,
        "repository": repository_of_push(world, repository),
        "pusher": { "name": pusher, "email": answers::email(pusher) },
        "organization": organization(world, owner(repository)),
        "sender": answers::user(world, pusher),
        "created": push.before.is_none(),
        "deleted": push.after.is_none(),
        "forced": push.forced,
        "base_ref": null,
        "compare": format!("{html}/compare/{range}"),
        "commits": if of_branch { commits.clone() } else { Vec::new() },
        "head_commit": commits.last().filter(|_| push.after.is_some()),
    })
}

pub(super) fn ping(world: &World, repository: &str) -> Value {
    let at = format!("{}/repos/{repository}/hooks/1", world.api());
    let now = answers::time(Timestamp::now());
    json!({
        "zen": "Keep it logically awesome.",
        "hook_id": 1,
        "hook": {
            "type": "Repository",
            "id": 1,
            "name": "web",
            "active": true,
            "events": ["push"],
            "config": { "content_type": "json", "url": "http://127.0.0.1/hooks/github", "insecure_ssl": "0", "secret": "********" },
            "updated_at": now,
            "created_at": now,
            "url": at,
            "test_url": format!("{at}/test"),
            "ping_url": format!("{at}/pings"),
            "deliveries_url": format!("{at}/deliveries"),
            "last_response": { "code": null, "status": "unused", "message": null },
        },
        "repository": answers::repository(world, repository),
        "sender": answers::user(world, "alice"),
    })
}

pub(super) fn issue_opened(world: &World, repository: &str, title: &str) -> Value {
    let api = format!("{}/repos/{repository}", world.api());
    let at = format!("{api}/issues/1");
    let now = answers::time(Timestamp::now());
    let alice = answers::user(world, "alice");
    json!({
        "action": "opened",
        "issue": {
            "url": at,
            "repository_url": api,
            "labels_url": format!("{at}/labels{{/name}}"),
            "comments_url": format!("{at}/comments"),
            "events_url": format!("{at}/events"),
            "html_url": format!("{}/{repository}/issues/1", world.root),
            "id": 4_400_000_001_u64,
            "node_id": answers::node_id("Issue", 1),
            "number": 1,
            "title": title,
            "user": alice,
            "labels": [],
            "state": "open",
            "locked": false,
            "assignee": null,
            "assignees": [],
            "milestone": null,
            "comments": 0,
            "created_at": now,
            "updated_at": now,
            "closed_at": null,
            "author_association": "OWNER",
            "active_lock_reason": null,
            "body": null,
            "reactions": {
                "url": format!("{at}/reactions"), "total_count": 0, "+1": 0, "-1": 0, "laugh": 0, "hooray": 0,
                "confused": 0, "heart": 0, "rocket": 0, "eyes": 0,
            },
            "timeline_url": format!("{at}/timeline"),
        },
        "repository": answers::repository(world, repository),
        "organization": organization(world, owner(repository)),
        "sender": alice,
    })
}

fn commit(html: &str, change: &Change) -> Value {
    let person = json!({ "name": change.author, "email": answers::email(&change.author), "username": change.author });
    json!({
        "id": change.sha,
        "tree_id": answers::invented_sha(&format!("tree {}", change.sha)),
        "distinct": true,
        "message": change.message,
        "timestamp": answers::time(Timestamp::now()),
        "url": format!("{html}/commit/{}", change.sha),
        "author": person,
        "committer": person,
        "added": change.added,
        "removed": change.removed,
        "modified": change.modified,
    })
}

/// A push shows its repository in an older form than the interface: times as numbers, the page as its address.
fn repository_of_push(world: &World, name: &str) -> Value {
    let place = &world.repositories[name];
    let mut body = answers::repository(world, name);
    let mut owner = json!({ "name": place.owner(), "email": null });
    answers::merge(&mut owner, answers::organization(world, place.owner()));
    let older = json!({
        "owner": owner,
        "url": body["html_url"],
        "created_at": place.created.as_second(),
        "pushed_at": Timestamp::now().as_second(),
        "stargazers": 0,
        "master_branch": place.default_branch,
        "organization": place.owner(),
    });
    answers::merge(&mut body, older);
    body
}

fn organization(world: &World, login: &str) -> Value {
    let shown = answers::organization(world, login);
    let at = format!("{}/orgs/{login}", world.api());
    json!({
        "login": login,
        "id": shown["id"],
        "node_id": shown["node_id"],
        "url": at,
        "repos_url": format!("{at}/repos"),
        "events_url": format!("{at}/events"),
        "hooks_url": format!("{at}/hooks"),
        "issues_url": format!("{at}/issues"),
        "members_url": format!("{at}/members{{/member}}"),
        "public_members_url": format!("{at}/public_members{{/member}}"),
        "avatar_url": shown["avatar_url"],
        "description": "",
    })
}

fn owner(repository: &str) -> &str {
    repository
        .split_once('/')
        .map_or(repository, |(owner, _)| owner)
}
