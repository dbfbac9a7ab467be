//! GitHub as commands need it: live permissions, commits, pull requests, comments and reactions.

use cutover_deploy::CommitSha;
use cutover_deploy::config::ForgeKind;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::api::{GitHub, Trouble, parse};
use crate::chat::Thread;
use crate::chat::desk::{At, Change, Desk, Person, Reaction, Role};

const PER_PAGE: u32 = 100;

#[derive(Deserialize)]
struct Permission {
    permission: String,
    #[serde(default)]
    role_name: Option<String>,
}

#[derive(Deserialize)]
struct Commit {
    sha: String,
}

#[derive(Deserialize)]
struct PullRequest {
    state: String,
    head: End,
    base: End,
}

#[derive(Deserialize)]
struct End {
    sha: String,
    /// Absent when the fork is gone.
    repo: Option<Repository>,
}

#[derive(Deserialize)]
struct Repository {
    full_name: String,
}

#[derive(Deserialize)]
struct Answer {
    id: u64,
    #[serde(default)]
    body: Option<String>,
}

impl Desk for GitHub {
    const FORGE: ForgeKind = ForgeKind::GitHub;

    async fn role(&self, repository: &str, person: Person<'_>) -> Result<Role, Trouble> {
        let person = segment(person.login);
        let route = format!("/repos/{repository}/collaborators/{person}/permission");
        let Some(body) = self.get_if_there(repository, &route).await? else {
            return Ok(Role::None);
        };
        let told: Permission = parse(&body)?;
        Ok(role(&told))
    }

    async fn commit(&self, repository: &str, name: &str) -> Result<Option<CommitSha>, Trouble> {
        let name = name.split('/').map(segment).collect::<Vec<_>>().join("/");
        let route = format!("/repos/{repository}/commits/{name}");
        let Some(body) = self.get_if_there(repository, &route).await? else {
            return Ok(None);
        };
        let commit: Commit = parse(&body)?;
        Ok(CommitSha::parse(&commit.sha).ok())
    }

    async fn change(&self, repository: &str, number: u64) -> Result<Option<Change>, Trouble> {
        let route = format!("/repos/{repository}/pulls/{number}");
        let Some(body) = self.get_if_there(repository, &route).await? else {
            return Ok(None);
        };
        let pull: PullRequest = parse(&body)?;
        let name = |end: &End| end.repo.as_ref().map(|repo| repo.full_name.clone());
        Ok(CommitSha::parse(&pull.head.sha).ok().map(|head| Change {
            head,
            fork: name(&pull.head).is_none() || name(&pull.head) != name(&pull.base),
            open: pull.state == "open",
        }))
    }

    async fn react(&self, at: At<'_>, reaction: Reaction) -> Result<(), Trouble> {
        let content = match reaction {
            Reaction::Seen => "eyes",
            Reaction::Done => "rocket",
            Reaction::Failed => "confused",
        };
        let route = format!(
            "{}/reactions",
            comment(at.repository, at.thread, at.comment)
        );
        self.post(at.repository, &route, &json!({ "content": content }))
            .await?;
        Ok(())
    }

    async fn answer(&self, at: At<'_>, body: &str) -> Result<u64, Trouble> {
        let route = match at.thread {
            Thread::Review { first, .. } => format!("{}/{first}/replies", thread(at)),
            _ => thread(at),
        };
        let answered = self
            .post(at.repository, &route, &json!({ "body": body }))
            .await?;
        Ok(parse::<Answer>(&answered)?.id)
    }

    async fn amend(&self, at: At<'_>, number: u64, body: &str) -> Result<(), Trouble> {
        let route = comment(at.repository, at.thread, number);
        self.patch(at.repository, &route, &json!({ "body": body }))
            .await?;
        Ok(())
    }

    async fn find_answer(
        &self,
        at: At<'_>,
        since: Timestamp,
        mark: &str,
    ) -> Result<Option<u64>, Trouble> {
        let since = since.strftime("%Y-%m-%dT%H:%M:%SZ");
        let route = match at.thread {
            // Comments of a commit cannot be asked for by time.
            Thread::Commit { .. } => format!("{}?per_page={PER_PAGE}", thread(at)),
            _ => format!("{}?since={since}&per_page={PER_PAGE}", thread(at)),
        };
        let found: Vec<Answer> = parse(&self.get(at.repository, &route).await?)?;
        let ours = |answer: &&Answer| {
            answer
                .body
                .as_deref()
                .is_some_and(|body| body.starts_with(mark))
        };
        Ok(found.iter().find(ours).map(|answer| answer.id))
    }
}

/// The comments of a thread.
fn thread(at: At<'_>) -> String {
    let repository = at.repository;
    match at.thread {
        Thread::Change { number } => format!("/repos/{repository}/issues/{number}/comments"),
        Thread::Review { number, .. } => format!("/repos/{repository}/pulls/{number}/comments"),
        Thread::Commit { sha } => format!("/repos/{repository}/commits/{sha}/comments"),
    }
}

/// One comment.
fn comment(repository: &str, thread: &Thread, number: u64) -> String {
    match thread {
        Thread::Change { .. } => format!("/repos/{repository}/issues/comments/{number}"),
        Thread::Review { .. } => format!("/repos/{repository}/pulls/comments/{number}"),
        Thread::Commit { .. } => format!("/repos/{repository}/comments/{number}"),
    }
}

/// `permission` knows four words and tells a maintainer as `write`; `role_name` is finer, and may be an organisation's
/// own word.
fn role(told: &Permission) -> Role {
    let coarse = match told.permission.as_str() {
        "admin" => Role::Admin,
        "write" => Role::Write,
        "read" => Role::Read,
        _ => Role::None,
    };
    match told.role_name.as_deref() {
        Some("maintain") if coarse == Role::Write => Role::Maintain,
        Some("triage") if coarse == Role::Read => Role::Triage,
        _ => coarse,
    }
}

/// A part of a path, in which nothing is a slash, a query or a space.
fn segment(text: &str) -> String {
    let mut safe = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            safe.push(char::from(byte));
        } else {
            safe.extend(["%", &hex::encode_upper([byte])]);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_finer_role_counts_where_it_fits_the_coarse_one() {
        let told = |permission: &str, name: Option<&str>| {
            role(&Permission {
                permission: permission.to_owned(),
                role_name: name.map(str::to_owned),
            })
        };
        assert_eq!(told("admin", Some("admin")), Role::Admin);
        assert_eq!(told("write", Some("maintain")), Role::Maintain);
        assert_eq!(told("write", Some("deployers")), Role::Write);
        assert_eq!(told("read", Some("triage")), Role::Triage);
        assert_eq!(told("read", Some("maintain")), Role::Read);
        assert_eq!(told("none", None), Role::None);
        assert_eq!(told("", Some("admin")), Role::None);
    }

    #[test]
    fn names_stay_in_their_part_of_a_path() {
        assert_eq!(segment("a/../b?c=d#e f"), "a%2F..%2Fb%3Fc%3Dd%23e%20f");
        assert_eq!(segment("cutover[bot]"), "cutover%5Bbot%5D");
    }
}
