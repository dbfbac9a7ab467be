//! GitLab as commands need it: live membership, commits, merge requests, notes and emoji.

use cutover_deploy::CommitSha;
use cutover_deploy::config::ForgeKind;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use reqwest::{Method, Url};
use serde::Deserialize;
use serde_json::json;

use super::api::{GitLab, parse};
use crate::chat::Thread;
use crate::chat::desk::{At, Change, Desk, Person, Reaction, Role};
use crate::forge::trouble::Trouble;

const PER_PAGE: usize = 100;
/// The threads of a commit are listed the oldest first; in more than this many pages nobody finds anything.
const MOST_PAGES: usize = 20;
/// How GitLab says that the same person has put this emoji there before.
const AWARDED: &str = "already been taken";

#[derive(Debug, Deserialize)]
struct Member {
    id: u64,
    state: String,
    #[serde(default)]
    membership_state: Option<String>,
    access_level: u8,
    #[serde(default)]
    expires_at: Option<String>,
}

#[derive(Deserialize)]
struct Commit {
    id: String,
}

#[derive(Deserialize)]
struct MergeRequest {
    state: String,
    /// Absent when it has no commits.
    #[serde(default)]
    sha: Option<String>,
    /// Absent when the fork is gone.
    #[serde(default)]
    source_project_id: Option<u64>,
    target_project_id: u64,
}

#[derive(Deserialize)]
struct Note {
    id: u64,
    #[serde(default)]
    body: String,
}

#[derive(Deserialize)]
struct Discussion {
    id: String,
    notes: Vec<Note>,
}

impl Desk for GitLab {
    const FORGE: ForgeKind = ForgeKind::GitLab;

    async fn role(&self, project: &str, person: Person<'_>) -> Result<Role, Trouble> {
        let unknown = || Trouble::refused("the comment does not tell who wrote it".to_owned());
        let id = person.id.ok_or_else(unknown)?;
        let url = self.url(project, &["members", "all", &id.to_string()])?;
        let Some(body) = self.get_if_there(url).await? else {
            return Ok(Role::None);
        };
        Ok(role(&parse(&body)?, id, cutover_deploy::now()))
    }

    async fn commit(&self, project: &str, name: &str) -> Result<Option<CommitSha>, Trouble> {
        let url = self.url(project, &["repository", "commits", name])?;
        let Some(body) = self.get_if_there(url).await? else {
            return Ok(None);
        };
        let commit: Commit = parse(&body)?;
        Ok(CommitSha::parse(&commit.id).ok())
    }

    async fn change(&self, project: &str, number: u64) -> Result<Option<Change>, Trouble> {
        let url = self.url(project, &["merge_requests", &number.to_string()])?;
        let Some(body) = self.get_if_there(url).await? else {
            return Ok(None);
        };
        let change: MergeRequest = parse(&body)?;
        let head = change.sha.and_then(|sha| CommitSha::parse(&sha).ok());
        Ok(head.map(|head| Change {
            head,
            fork: change.source_project_id != Some(change.target_project_id),
            open: change.state == "opened",
        }))
    }

    async fn react(&self, at: At<'_>, reaction: Reaction) -> Result<(), Trouble> {
        let name = match reaction {
            Reaction::Seen => "eyes",
            Reaction::Done => "rocket",
            Reaction::Failed => "x",
        };
        let Some(url) = self.note(at, at.comment)? else {
            return Ok(());
        };
        let url = below(url, "award_emoji")?;
        match self.send(Method::POST, url, &json!({ "name": name })).await {
            Err(trouble) if trouble.message.contains(AWARDED) => Ok(()),
            other => other.map(drop),
        }
    }

    async fn answer(&self, at: At<'_>, body: &str) -> Result<u64, Trouble> {
        let body = json!({ "body": body });
        let url = match at.thread {
            Thread::Change { number } => self.url(
                at.repository,
                &["merge_requests", &number.to_string(), "notes"],
            )?,
            Thread::Review { number, first } => {
                let number = number.to_string();
                let parts = ["merge_requests", &number, "discussions", first, "notes"];
                self.url(at.repository, &parts)?
            }
            Thread::Commit { sha } => {
                let url = self.discussions(at.repository, sha)?;
                let made: Discussion = parse(&self.send(Method::POST, url, &body).await?)?;
                let first = made.notes.first().map(|note| note.id);
                let empty = || Trouble::refused("GitLab made a thread without a note".to_owned());
                return first.ok_or_else(empty);
            }
        };
        let made: Note = parse(&self.send(Method::POST, url, &body).await?)?;
        Ok(made.id)
    }

    async fn amend(&self, at: At<'_>, number: u64, body: &str) -> Result<(), Trouble> {
        let url = match (self.note(at, number)?, at.thread) {
            (Some(url), _) => url,
            (None, Thread::Commit { sha }) => {
                let found = self
                    .thread_with(at.repository, sha, |note| note.id == number)
                    .await?;
                let gone = || Trouble::refused("the reply on the commit is gone".to_owned());
                let (thread, number) = found.ok_or_else(gone)?;
                let url = self.discussions(at.repository, sha)?;
                below(below(below(url, &thread)?, "notes")?, &number.to_string())?
            }
            (None, _) => return Ok(()),
        };
        self.send(Method::PUT, url, &json!({ "body": body }))
            .await?;
        Ok(())
    }

    async fn find_answer(
        &self,
        at: At<'_>,
        _since: Timestamp,
        mark: &str,
    ) -> Result<Option<u64>, Trouble> {
        let ours = |note: &Note| note.body.starts_with(mark);
        let number = match at.thread {
            Thread::Commit { sha } => {
                let found = self.thread_with(at.repository, sha, ours).await?;
                return Ok(found.map(|(_, number)| number));
            }
            Thread::Change { number } | Thread::Review { number, .. } => number.to_string(),
        };
        // The newest come first.
        let mut url = self.url(at.repository, &["merge_requests", &number, "notes"])?;
        url.query_pairs_mut()
            .append_pair("order_by", "created_at")
            .append_pair("sort", "desc")
            .append_pair("per_page", &PER_PAGE.to_string());
        let found: Vec<Note> = parse(&self.get(url).await?)?;
        Ok(found.iter().find(|note| ours(note)).map(|note| note.id))
    }
}

impl GitLab {
    /// A note of a merge request; those of commits have no address of their own, and no emoji.
    fn note(&self, at: At<'_>, number: u64) -> Result<Option<Url>, Trouble> {
        let (Thread::Change { number: change } | Thread::Review { number: change, .. }) = at.thread
        else {
            return Ok(None);
        };
        let (change, number) = (change.to_string(), number.to_string());
        self.url(
            at.repository,
            &["merge_requests", &change, "notes", &number],
        )
        .map(Some)
    }

    fn discussions(&self, project: &str, sha: &str) -> Result<Url, Trouble> {
        self.url(project, &["repository", "commits", sha, "discussions"])
    }

    /// The thread of a commit, and the note in it, that is looked for.
    async fn thread_with(
        &self,
        project: &str,
        sha: &str,
        wanted: impl Fn(&Note) -> bool,
    ) -> Result<Option<(String, u64)>, Trouble> {
        for page in 1..=MOST_PAGES {
            let mut url = self.discussions(project, sha)?;
            url.query_pairs_mut()
                .append_pair("page", &page.to_string())
                .append_pair("per_page", &PER_PAGE.to_string());
            let listed: Vec<Discussion> = parse(&self.get(url).await?)?;
            let is_last = listed.len() < PER_PAGE;
            for thread in listed {
                if let Some(note) = thread.notes.iter().find(|note| wanted(note)) {
                    return Ok(Some((thread.id, note.id)));
                }
            }
            if is_last {
                break;
            }
        }
        Ok(None)
    }
}

fn below(mut url: Url, part: &str) -> Result<Url, Trouble> {
    url.path_segments_mut()
        .map_err(|()| Trouble::refused("gitlab.api_url cannot have a path".to_owned()))?
        .push(part);
    Ok(url)
}

/// What a member may do: nothing unless the account and the membership are active on this day.
fn role(member: &Member, id: u64, now: Timestamp) -> Role {
    let of_them = member.id == id && member.state == "active";
    let confirmed = member
        .membership_state
        .as_deref()
        .is_none_or(|state| state == "active");
    // One that cannot be read is over.
    let over = member.expires_at.as_deref().is_some_and(|day| {
        let today = now.to_zoned(TimeZone::UTC).date();
        day.parse::<Date>().map_or(true, |day| day <= today)
    });
    if !of_them || !confirmed || over {
        return Role::None;
    }
    match member.access_level {
        0..10 => Role::None,
        10..20 => Role::Read,
        20..30 => Role::Triage,
        30..40 => Role::Write,
        40..50 => Role::Maintain,
        50.. => Role::Admin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(change: impl Fn(&mut serde_json::Value)) -> Role {
        let mut member = json!({
            "id": 7, "username": "alice", "state": "active", "access_level": 30, "expires_at": null,
        });
        change(&mut member);
        let now = "2026-05-20T12:00:00Z".parse().unwrap();
        role(&serde_json::from_value(member).unwrap(), 7, now)
    }

    #[test]
    fn the_access_level_is_the_role() {
        let levels = [0, 5, 10, 15, 20, 30, 40, 50, 60];
        let roles = levels.map(|level| told(|m| m["access_level"] = json!(level)));
        let [none, read, admin] = [Role::None, Role::Read, Role::Admin];
        assert_eq!(
            roles,
            [
                none,
                none,
                read,
                read,
                Role::Triage,
                Role::Write,
                Role::Maintain,
                admin,
                admin
            ]
        );
    }

    #[test]
    fn who_is_not_an_active_member_today_may_nothing() {
        assert_eq!(told(|_| {}), Role::Write);
        let changes: [(&str, serde_json::Value, Role); 7] = [
            ("state", json!("blocked"), Role::None),
            ("state", json!("deactivated"), Role::None),
            ("membership_state", json!("awaiting"), Role::None),
            ("membership_state", json!("active"), Role::Write),
            ("expires_at", json!("2026-05-20"), Role::None),
            ("expires_at", json!("2026-05-21"), Role::Write),
            ("id", json!(8), Role::None),
        ];
        for (field, value, role) in changes {
            let found = told(|m| m[field] = value.clone());
            assert_eq!(found, role, "{field}: {value}");
        }
        assert_eq!(told(|m| m["expires_at"] = json!("soon")), Role::None);
    }
}
