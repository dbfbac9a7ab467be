//! Shapes that recur in GitHub's answers and webhook bodies: people, organizations, repositories, times, ids.

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::world::World;

/// Addresses of a repository below its own, as the description's templates say them.
const BELOW_REPOSITORY: &[(&str, &str)] = &[
    ("forks_url", "/forks"),
    ("keys_url", "/keys{/key_id}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("teams_url", "/teams"),
    ("hooks_url", "/hooks"),
    ("issue_events_url", "/issues/events{/number}"),
    ("events_url", "/events"),
    ("assignees_url", "/assignees{/user}"),
    ("branches_url", "/branches{/branch}"),
    ("tags_url", "/tags"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("trees_url", "/git/trees{/sha}"),
    ("statuses_url", "/statuses/{sha}"),
    ("languages_url", "/languages"),
    ("stargazers_url", "/stargazers"),
    ("contributors_url", "/contributors"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("commits_url", "/commits{/sha}"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("comments_url", "/comments{/number}"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("contents_url", "/contents/{+path}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("merges_url", "/merges"),
    ("archive_url", "/{archive_format}{/ref}"),
    ("downloads_url", "/downloads"),
    ("issues_url", "/issues{/number}"),
    ("pulls_url", "/pulls{/number}"),
    ("milestones_url", "/milestones{/number}"),
    (
        "notifications_url",
        "/notifications{?since,all,participating}",
    ),
    ("labels_url", "/labels{/name}"),
    ("releases_url", "/releases{/id}"),
    ("deployments_url", "/deployments"),
];

/// Addresses of a person below their own.
const BELOW_USER: &[(&str, &str)] = &[
    ("followers_url", "/followers"),
    ("following_url", "/following{/other_user}"),
    ("gists_url", "/gists{/gist_id}"),
    ("starred_url", "/starred{/owner}{/repo}"),
    ("subscriptions_url", "/subscriptions"),
    ("organizations_url", "/orgs"),
    ("repos_url", "/repos"),
    ("events_url", "/events{/privacy}"),
    ("received_events_url", "/received_events"),
];

/// A person, or an App's bot when the name ends in `[bot]`.
pub(super) fn user(world: &World, login: &str) -> Value {
    account(
        world,
        login,
        if login.ends_with("[bot]") {
            "Bot"
        } else {
            "User"
        },
    )
}

/// The owner of repositories.
pub(super) fn organization(world: &World, login: &str) -> Value {
    account(world, login, "Organization")
}

fn account(world: &World, login: &str, kind: &str) -> Value {
    let id = number(login);
    let path = login.replace('[', "%5B").replace(']', "%5D");
    let at = format!("{}/users/{path}", world.api());
    let mut account = json!({
        "login": login,
        "id": id,
        "node_id": node_id(kind, id),
        "avatar_url": format!("{}/avatars/u/{id}?v=4", world.root),
        "gravatar_id": "",
        "url": at,
        "html_url": format!("{}/{path}", world.root),
    });
    for (key, below) in BELOW_USER {
        account[*key] = json!(format!("{at}{below}"));
    }
    account["type"] = json!(kind);
    account["site_admin"] = json!(false);
    account
}

/// A repository as the REST interface shows it.
pub(super) fn repository(world: &World, full_name: &str) -> Value {
    let repository = &world.repositories[full_name];
    let html = format!("{}/{full_name}", world.root);
    let at = format!("{}/repos/{full_name}", world.api());
    let host = world.root.trim_start_matches("http://");
    let mut answer = json!({
        "id": repository.id,
        "node_id": node_id("Repository", repository.id),
        "name": repository.name(),
        "full_name": full_name,
        "private": true,
        "owner": organization(world, repository.owner()),
        "html_url": html,
        "description": null,
        "fork": false,
        "url": at,
    });
    for (key, below) in BELOW_REPOSITORY {
        answer[*key] = json!(format!("{at}{below}"));
    }
    let rest = json!({
        "created_at": time(repository.created),
        "updated_at": time(repository.created),
        "pushed_at": time(repository.created),
        "git_url": format!("git://{host}/{full_name}.git"),
        "ssh_url": format!("git@{host}:{full_name}.git"),
        "clone_url": repository.clone_url,
        "svn_url": html,
        "homepage": null,
        "size": 0,
        "stargazers_count": 0,
        "watchers_count": 0,
        "language": "PHP",
        "has_issues": true,
        "has_projects": true,
        "has_downloads": true,
        "has_wiki": true,
        "has_pages": false,
        "has_discussions": false,
        "has_pull_requests": true,
        "forks_count": 0,
        "mirror_url": null,
        "archived": false,
        "disabled": false,
        "open_issues_count": 0,
        "license": null,
        "allow_forking": true,
        "is_template": false,
        "web_commit_signoff_required": false,
        "topics": [],
        "visibility": "private",
        "forks": 0,
        "open_issues": 0,
        "watchers": 0,
        "default_branch": repository.default_branch,
        "custom_properties": {},
        "network_count": 0,
        "subscribers_count": 0,
    });
    merge(&mut answer, rest);
    answer
}

/// Adds the fields of one object to another.
pub(super) fn merge(into: &mut Value, more: Value) {
    if let (Some(into), Value::Object(more)) = (into.as_object_mut(), more) {
        into.extend(more);
    }
}

/// A time as GitHub writes it: UTC, whole seconds.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// An opaque global id, the same for the same thing.
pub(super) fn node_id(kind: &str, id: u64) -> String {
    format!(
        "{}_{}",
        kind.to_lowercase(),
        &invented_sha(&format!("{kind}{id}"))[..16]
    )
}

/// Forty hex digits that depend on nothing but this text.
pub(super) fn invented_sha(text: &str) -> String {
    let mut digits = hex::encode(Sha256::digest(text));
    digits.truncate(40);
    digits
}

pub(super) fn email(login: &str) -> String {
    format!("{login}@users.noreply.github.test")
}

fn number(text: &str) -> u64 {
    Sha256::digest(text)
        .iter()
        .take(4)
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}
