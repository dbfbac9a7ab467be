//! Pull requests, comments and reactions, and who may do what: as much of it as people's commands need.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::answers;
use super::routes::{Call, Reply, Verdict};
use super::world::World;

/// A comment as the world keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    pub id: u64,
    pub author: String,
    /// What it says now.
    pub body: String,
    /// What it said before it was edited, the oldest first.
    pub before: Vec<String>,
    /// In the order in which they came; each person's reaction of a kind counts once.
    pub reactions: Vec<String>,
    pub(super) on: On,
    pub(super) at: Timestamp,
}

/// What a comment was written on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum On {
    Conversation(u64),
    Review(u64),
    Commit(String),
}

/// A pull request as the world keeps it.
#[derive(Debug)]
pub(super) struct Pull {
    pub(super) head: String,
    pub(super) branch: String,
    pub(super) fork: bool,
    pub(super) open: bool,
}

pub(super) fn permission(world: &mut World, call: &Call) -> Reply {
    let login = call.parameter("username").to_owned();
    let role = call.repository(world).roles.get(&login).cloned();
    let role = role.unwrap_or_else(|| "none".to_owned());
    let permission = match role.as_str() {
        "admin" => "admin",
        "maintain" | "write" => "write",
        "triage" | "read" => "read",
        _ => "none",
    };
    let mut user = answers::user(world, &login);
    user["role_name"] = json!(role);
    Reply::ok(json!({ "permission": permission, "role_name": role, "user": user }))
}

pub(super) fn pull(world: &mut World, call: &Call) -> Reply {
    let number: u64 = call.parameter("pull_number").parse().unwrap_or_default();
    let repository = call.repository(world);
    let name = repository.full_name.clone();
    let Some(pull) = repository.pulls.get(&number) else {
        return Reply::not_found();
    };
    let (head, branch, fork, open) = (pull.head.clone(), pull.branch.clone(), pull.fork, pull.open);
    let base_sha = repository
        .branches
        .get("main")
        .cloned()
        .unwrap_or_else(|| head.clone());
    let at = format!("{}/repos/{name}/pulls/{number}", world.api());
    let html = format!("{}/{name}/pull/{number}", world.root);
    let issue = format!("{}/repos/{name}/issues/{number}", world.api());
    let alice = answers::user(world, "alice");
    let now = answers::time(Timestamp::now());
    let end = |world: &World, full_name: &str, branch: &str, sha: &str| {
        let mut repo = answers::repository(world, &name);
        repo["full_name"] = json!(full_name);
        json!({ "label": format!("acme:{branch}"), "ref": branch, "sha": sha, "user": answers::user(world, "alice"), "repo": repo })
    };
    let from = if fork { "mallory/shop" } else { name.as_str() };
    let link = |href: &str| json!({ "href": href });
    let mut body = json!({
        "url": at, "id": number, "node_id": answers::node_id("PullRequest", number), "html_url": html,
        "diff_url": format!("{html}.diff"), "patch_url": format!("{html}.patch"), "issue_url": issue,
        "commits_url": format!("{at}/commits"), "review_comments_url": format!("{at}/comments"),
        "review_comment_url": format!("{at}/comments{{/number}}"), "comments_url": format!("{issue}/comments"),
        "statuses_url": format!("{at}/statuses"), "number": number, "locked": false, "title": "Change the shop",
        "state": if open { "open" } else { "closed" }, "user": alice, "body": null, "labels": [], "milestone": null,
        "created_at": now, "updated_at": now, "closed_at": null, "merged_at": null, "merge_commit_sha": null,
        "assignee": null, "assignees": [], "requested_reviewers": [], "requested_teams": [], "draft": false,
    });
    answers::merge(
        &mut body,
        json!({
            "head": end(world, from, &branch, &head), "base": end(world, &name, "main", &base_sha),
            "_links": {
                "self": link(&at), "html": link(&html), "issue": link(&issue), "comments": link(&issue), "commits": link(&at),
                "statuses": link(&at), "review_comments": link(&at), "review_comment": link(&at),
            },
            "author_association": "MEMBER", "auto_merge": null, "merged": false, "mergeable": null, "rebaseable": null,
            "mergeable_state": "unknown", "merged_by": null, "comments": 0, "review_comments": 0,
            "maintainer_can_modify": false, "commits": 1, "additions": 1, "deletions": 0, "changed_files": 1,
        }),
    );
    Reply::ok(body)
}

pub(super) fn create_on_conversation(world: &mut World, call: &Call) -> Reply {
    let number: u64 = call.parameter("issue_number").parse().unwrap_or_default();
    if !call.repository(world).pulls.contains_key(&number) {
        return Reply::refused(404, "Not Found");
    }
    create(world, call, On::Conversation(number))
}

pub(super) fn create_reply(world: &mut World, call: &Call) -> Reply {
    let Some(comment) = position(world, call) else {
        return Reply::refused(404, "Not Found");
    };
    let on = call.repository(world).comments[comment].on.clone();
    create(world, call, on)
}

pub(super) fn create_on_commit(world: &mut World, call: &Call) -> Reply {
    let sha = call.parameter("commit_sha").to_owned();
    if !call.repository(world).commits.contains_key(&sha) {
        return Reply::refused(422, "No commit found for SHA");
    }
    create(world, call, On::Commit(sha))
}

fn create(world: &mut World, call: &Call, on: On) -> Reply {
    let body = call.text("body").unwrap_or_default();
    if let Some(refusal) = refusal(&body) {
        return refusal;
    }
    let name = call.repository_name();
    let id = write(world, &name, call.login(), &body, on);
    Reply::created(shown(world, &name, id))
}

fn refusal(body: &str) -> Option<Reply> {
    let refuse = |message: &str| Some(Reply::invalid("IssueComment", "body", message));
    match body.chars().count() {
        0 => refuse("body cannot be blank"),
        n if n > 65_536 => refuse("body is too long (maximum is 65536 characters)"),
        _ => None,
    }
}

/// Adds a comment to the world.
pub(super) fn write(world: &mut World, name: &str, author: &str, body: &str, on: On) -> u64 {
    let id = world.next_id();
    world.repository(name).comments.push(Comment {
        id,
        author: author.to_owned(),
        body: body.to_owned(),
        before: Vec::new(),
        reactions: Vec::new(),
        on,
        at: Timestamp::now(),
    });
    id
}

pub(super) fn list_of_conversation(world: &mut World, call: &Call) -> Reply {
    let number: u64 = call.parameter("issue_number").parse().unwrap_or_default();
    list(world, call, &On::Conversation(number))
}

pub(super) fn list_of_review(world: &mut World, call: &Call) -> Reply {
    let number: u64 = call.parameter("pull_number").parse().unwrap_or_default();
    list(world, call, &On::Review(number))
}

pub(super) fn list_of_commit(world: &mut World, call: &Call) -> Reply {
    list(
        world,
        call,
        &On::Commit(call.parameter("commit_sha").to_owned()),
    )
}

fn list(world: &mut World, call: &Call, on: &On) -> Reply {
    let name = call.repository_name();
    let since: Option<Timestamp> = call.query.get("since").and_then(|text| text.parse().ok());
    let comments = &call.repository(world).comments;
    let wanted =
        |comment: &&Comment| comment.on == *on && since.is_none_or(|since| comment.at >= since);
    let ids: Vec<u64> = comments
        .iter()
        .filter(wanted)
        .map(|comment| comment.id)
        .collect();
    call.page(ids.into_iter().map(|id| shown(world, &name, id)).collect())
}

pub(super) fn edit(world: &mut World, call: &Call) -> Reply {
    let Some(index) = position(world, call) else {
        return Reply::refused(404, "Not Found");
    };
    let body = call.text("body").unwrap_or_default();
    if let Some(refusal) = refusal(&body) {
        return refusal;
    }
    let comment = &mut call.repository(world).comments[index];
    if comment.author != call.login() {
        return Reply::refused(403, "Must be the author of the comment");
    }
    let before = std::mem::replace(&mut comment.body, body);
    comment.before.push(before);
    let id = comment.id;
    Reply::ok(shown(world, &call.repository_name(), id))
}

pub(super) fn react(world: &mut World, call: &Call) -> Reply {
    let Some(index) = position(world, call) else {
        return Reply::refused(404, "Not Found");
    };
    let id = world.next_id();
    let content = call.text("content").unwrap_or_default();
    let reactions = &mut call.repository(world).comments[index].reactions;
    let known = reactions.contains(&content);
    if !known {
        reactions.push(content.clone());
    }
    Reply {
        status: if known { 200 } else { 201 },
        body: json!({
            "id": id, "node_id": answers::node_id("Reaction", id), "user": answers::user(world, call.login()),
            "content": content, "created_at": answers::time(Timestamp::now()),
        }),
        verdict: Verdict::Fine,
    }
}

fn position(world: &mut World, call: &Call) -> Option<usize> {
    let id: u64 = call.parameter("comment_id").parse().ok()?;
    call.repository(world)
        .comments
        .iter()
        .position(|comment| comment.id == id)
}

/// A comment as the interface shows it, in the shape of what it stands on.
pub(super) fn shown(world: &World, name: &str, id: u64) -> Value {
    let comment = world.repositories[name]
        .comments
        .iter()
        .find(|comment| comment.id == id)
        .expect("whoever asks has just found it");
    let api = format!("{}/repos/{name}", world.api());
    let html = format!("{}/{name}", world.root);
    let (url, more) = match &comment.on {
        On::Conversation(number) => (
            format!("{api}/issues/comments/{id}"),
            json!({ "issue_url": format!("{api}/issues/{number}") }),
        ),
        On::Review(number) => (
            format!("{api}/pulls/comments/{id}"),
            json!({
                "pull_request_review_id": 1, "diff_hunk": "@@", "path": "index.html", "position": 1,
                "original_position": 1, "commit_id": "1".repeat(40), "original_commit_id": "1".repeat(40),
                "pull_request_url": format!("{api}/pulls/{number}"),
                "_links": { "self": { "href": api }, "html": { "href": html }, "pull_request": { "href": api } },
            }),
        ),
        On::Commit(sha) => (
            format!("{api}/comments/{id}"),
            json!({ "position": null, "line": null, "path": null, "commit_id": sha }),
        ),
    };
    let mut body = json!({
        "id": id, "node_id": answers::node_id("Comment", id), "url": url, "html_url": format!("{html}#comment-{id}"),
        "body": comment.body, "user": answers::user(world, &comment.author), "author_association": "MEMBER",
        "created_at": answers::time(comment.at), "updated_at": answers::time(comment.at),
    });
    answers::merge(&mut body, more);
    body
}
