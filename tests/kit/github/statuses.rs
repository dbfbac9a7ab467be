//! Commit statuses, by GitHub's rules.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::answers;
use super::routes::{Call, Reply};
use super::world::{CommitStatus, World};

/// GitHub takes no more for one commit and context.
const MOST_PER_CONTEXT: usize = 1000;
/// GitHub takes no longer description, in characters.
pub(super) const LONGEST_DESCRIPTION: usize = 140;

pub(super) fn create(world: &mut World, call: &Call) -> Reply {
    let sha = call.parameter("sha").to_owned();
    let id = world.next_id();
    let repository = call.repository(world);
    if !repository.commits.contains_key(&sha) {
        return Reply::refused(422, &format!("No commit found for SHA: {sha}"));
    }
    let status = CommitStatus {
        state: call.text("state").unwrap_or_default(),
        context: call.text("context").unwrap_or_else(|| "default".to_owned()),
        description: call.text("description"),
        target_url: call.text("target_url").filter(|url| !url.is_empty()),
        id,
        creator: call.login().to_owned(),
        at: Timestamp::now(),
    };
    if let Some(refusal) = refusal(
        "Status",
        "target_url",
        status.target_url.as_deref(),
        status.description.as_deref(),
    ) {
        return refusal;
    }
    let index = repository
        .statuses
        .iter()
        .position(|(of, _)| *of == sha)
        .unwrap_or_else(|| {
            repository.statuses.push((sha.clone(), Vec::new()));
            repository.statuses.len() - 1
        });
    let posted = &mut repository.statuses[index].1;
    if posted
        .iter()
        .filter(|other| other.context == status.context)
        .count()
        >= MOST_PER_CONTEXT
    {
        return Reply::refused(
            422,
            "This SHA and context has reached the maximum number of statuses.",
        );
    }
    posted.push(status.clone());
    let name = repository.full_name.clone();
    Reply::created(answer(world, &name, &sha, &status))
}

pub(super) fn list(world: &mut World, call: &Call) -> Reply {
    let repository = call.repository(world);
    let Some(sha) = repository.resolve(call.parameter("ref")).map(str::to_owned) else {
        return Reply::not_found();
    };
    let (name, statuses) = (
        repository.full_name.clone(),
        repository.statuses_of(&sha).to_vec(),
    );
    call.page(
        statuses
            .iter()
            .rev()
            .map(|status| answer(world, &name, &sha, status))
            .collect(),
    )
}

pub(super) fn combined(world: &mut World, call: &Call) -> Reply {
    let api = world.api();
    let repository = call.repository(world);
    let Some(sha) = repository.resolve(call.parameter("ref")).map(str::to_owned) else {
        return Reply::not_found();
    };
    let newest = repository.newest_statuses(&sha);
    let has = |state: &str| newest.values().any(|status| status.state == state);
    let state = if has("error") || has("failure") {
        "failure"
    } else if has("pending") || newest.is_empty() {
        "pending"
    } else {
        "success"
    };
    let name = repository.full_name.clone();
    let newest: Vec<_> = newest.into_values().cloned().collect();
    let repository = answers::repository(world, &name);
    let statuses: Vec<_> = newest
        .iter()
        .map(|status| answer(world, &name, &sha, status))
        .collect();
    Reply::ok(json!({
        "state": state,
        "statuses": statuses,
        "sha": sha,
        "total_count": statuses.len(),
        "repository": repository,
        "commit_url": format!("{api}/repos/{name}/commits/{sha}"),
        "url": format!("{api}/repos/{name}/commits/{sha}/status"),
    }))
}

/// Refuses what GitHub refuses of every status beyond its description: long texts, addresses that are not of the web.
pub(super) fn refusal(
    resource: &str,
    field: &str,
    url: Option<&str>,
    description: Option<&str>,
) -> Option<Reply> {
    if description.is_some_and(|text| text.chars().count() > LONGEST_DESCRIPTION) {
        return Some(Reply::invalid(
            resource,
            "description",
            "description is too long (maximum is 140 characters)",
        ));
    }
    let of_web =
        |url: &str| url.is_empty() || url.starts_with("http://") || url.starts_with("https://");
    if url.is_some_and(|url| !of_web(url)) {
        return Some(Reply::invalid(
            resource,
            field,
            &format!("{field} must use http(s) scheme"),
        ));
    }
    None
}

fn answer(world: &World, repository: &str, sha: &str, status: &CommitStatus) -> Value {
    let creator = answers::user(world, &status.creator);
    json!({
        "url": format!("{}/repos/{repository}/statuses/{sha}", world.api()),
        "avatar_url": creator["avatar_url"],
        "id": status.id,
        "node_id": answers::node_id("StatusContext", status.id),
        "state": status.state,
        "description": status.description,
        "target_url": status.target_url,
        "context": status.context,
        "created_at": answers::time(status.at),
        "updated_at": answers::time(status.at),
        "creator": creator,
    })
}
