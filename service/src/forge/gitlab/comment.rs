//! Comments as GitLab tells of them: only what a person has just written on a merge request or a commit counts.

use cutover_deploy::CommitSha;
use cutover_deploy::config::ForgeKind;
use serde::Deserialize;

use crate::chat::{Comment, Thread, reply};
use crate::forge::Delivered;
use crate::forge::push::{LONGEST_NAME, LONGEST_REF, printable};

/// GitLab's number for a project that only its members see.
const PRIVATE: u8 = 0;

#[derive(Deserialize)]
pub(super) struct Payload {
    #[serde(default)]
    event_type: Option<String>,
    user: User,
    project: Project,
    object_attributes: Written,
    merge_request: Option<MergeRequest>,
}

#[derive(Deserialize)]
struct User {
    id: u64,
    username: String,
}

#[derive(Deserialize)]
struct Project {
    path_with_namespace: String,
    /// One that says nothing is treated as one that everybody reads.
    #[serde(default)]
    visibility_level: Option<u8>,
}

#[derive(Deserialize)]
struct Written {
    id: u64,
    #[serde(default)]
    author_id: Option<u64>,
    #[serde(default)]
    note: Option<String>,
    #[serde(default)]
    action: Option<String>,
    #[serde(default)]
    system: bool,
    #[serde(default)]
    internal: Option<bool>,
    /// What kind of thread it stands in; a remark on its own has none.
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    discussion_id: Option<String>,
    #[serde(default)]
    noteable_type: Option<String>,
    #[serde(default)]
    commit_id: Option<String>,
}

#[derive(Deserialize)]
struct MergeRequest {
    iid: u64,
    #[serde(default)]
    last_commit: Option<Commit>,
}

#[derive(Deserialize)]
struct Commit {
    id: String,
}

/// What a payload says, or why nothing follows from it.
pub(super) fn delivered(payload: Payload) -> Delivered {
    let Payload {
        user,
        project,
        object_attributes: note,
        merge_request,
        event_type,
    } = payload;
    let head = merge_request
        .as_ref()
        .and_then(|change| CommitSha::parse(&change.last_commit.as_ref()?.id).ok());
    let heard = heard(event_type.as_deref(), &user, &note)
        .and_then(|()| thread(&note, merge_request.as_ref()));
    let thread = match heard {
        Ok(thread) => thread,
        Err(why) => return Delivered::Unheard(why.to_owned()),
    };
    Delivered::Comment(Box::new(Comment {
        forge: ForgeKind::GitLab,
        repository: printable(&project.path_with_namespace, LONGEST_REF),
        public: project.visibility_level != Some(PRIVATE),
        author: printable(&user.username, LONGEST_NAME),
        author_id: Some(user.id),
        head,
        thread,
        id: note.id,
        text: note.note.unwrap_or_default(),
    }))
}

/// Whether a person wrote this just now, for everybody.
fn heard(event_type: Option<&str>, user: &User, note: &Written) -> Result<(), &'static str> {
    // A GitLab that does not say so before 16.11 cannot tell an edit from a comment either.
    if note.action.as_deref() != Some("create") {
        return Err("only new comments are read");
    }
    // The *Test* of the webhook's page sends the newest comment anew, as if who presses it had written it.
    if note.author_id.is_some_and(|author| author != user.id) {
        return Err("somebody else has sent this comment again");
    }
    if note.system {
        return Err("this is GitLab's own note");
    }
    // The answer would be read by those who may not read the question.
    if event_type == Some("confidential_note") || note.internal == Some(true) {
        return Err("internal comments are not read");
    }
    if is_bot(&user.username) {
        return Err("comments of bots are not read");
    }
    // A service that logs in as a person is known by its mark, so that the person is still heard.
    if note
        .note
        .as_deref()
        .is_some_and(|text| text.starts_with(reply::MARK))
    {
        return Err("this is a reply of ours");
    }
    Ok(())
}

fn thread(note: &Written, change: Option<&MergeRequest>) -> Result<Thread, &'static str> {
    match (note.noteable_type.as_deref(), change) {
        (Some("MergeRequest"), Some(change)) => Ok(match (&note.kind, &note.discussion_id) {
            (Some(_), Some(discussion)) if is_digest(discussion) => Thread::Review {
                number: change.iid,
                first: discussion.clone(),
            },
            _ => Thread::Change { number: change.iid },
        }),
        (Some("Commit"), _) => match &note.commit_id {
            Some(sha) if CommitSha::parse(sha).is_ok() => Ok(Thread::Commit { sha: sha.clone() }),
            _ => Err("the comment stands nowhere"),
        },
        _ => Err("only comments on merge requests and commits are read"),
    }
}

fn is_digest(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Whether GitLab made this account for a token or a service: `project_7_bot_1a2b`, `group_7_bot`,
/// `service_account_group_7_1a2b`.
fn is_bot(username: &str) -> bool {
    let of_token = ["project_", "group_"].iter().any(|kind| {
        let rest = username.strip_prefix(kind);
        rest.map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()))
            .is_some_and(|rest| rest == "_bot" || is_numbered_bot(rest))
    });
    of_token || username.starts_with("service_account_")
}

/// GitLab before 16 numbered the bots of one project: `_bot1`.
fn is_numbered_bot(rest: &str) -> bool {
    let rest = rest.strip_prefix("_bot");
    rest.is_some_and(|rest| rest.starts_with('_') || rest.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::hook::read;
    use super::*;

    fn comment(change: impl Fn(&mut Value)) -> Delivered {
        let mut body = json!({
            "object_kind": "note",
            "event_type": "note",
            "user": { "id": 8_400_000_001_u64, "username": "alice" },
            "project": { "path_with_namespace": "acme/web/shop", "visibility_level": 0 },
            "object_attributes": {
                "id": 7, "note": "/status", "noteable_type": "MergeRequest", "action": "create", "system": false,
            },
            "merge_request": { "iid": 5, "last_commit": { "id": "a".repeat(40) } },
        });
        change(&mut body);
        read("Note Hook", body.to_string().as_bytes()).unwrap()
    }

    fn told(change: impl Fn(&mut Value)) -> String {
        match comment(change) {
            Delivered::Comment(comment) => format!("{} {:?}", comment.author, comment.thread),
            Delivered::Unheard(why) => why,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn comments_stand_where_they_were_written() {
        assert_eq!(told(|_| {}), "alice Change { number: 5 }");
        let in_thread = told(|b| {
            b["object_attributes"]["type"] = json!("DiffNote");
            b["object_attributes"]["discussion_id"] = json!("d".repeat(40));
        });
        assert!(
            in_thread.starts_with("alice Review { number: 5, first: \"dddd"),
            "{in_thread}"
        );
        let on_commit = told(|b| {
            b["object_attributes"]["noteable_type"] = json!("Commit");
            b["object_attributes"]["commit_id"] = json!("b".repeat(40));
            b["merge_request"] = json!(null);
        });
        assert!(
            on_commit.starts_with("alice Commit { sha: \"bbbb"),
            "{on_commit}"
        );
    }

    #[test]
    fn the_writer_is_known_by_number_and_the_change_by_its_head() {
        let Delivered::Comment(comment) = comment(|_| {}) else {
            panic!("not heard");
        };
        assert_eq!(comment.author_id, Some(8_400_000_001));
        assert_eq!(comment.head, CommitSha::parse(&"a".repeat(40)).ok());
        assert!(!comment.public);
    }

    #[test]
    fn what_no_person_just_wrote_for_everybody_is_not_heard() {
        let note = |field: &'static str, value: Value| {
            told(move |b| b["object_attributes"][field] = value.clone())
        };
        assert_eq!(
            note("action", json!("update")),
            "only new comments are read"
        );
        assert_eq!(note("action", json!(null)), "only new comments are read");
        assert_eq!(note("system", json!(true)), "this is GitLab's own note");
        assert_eq!(
            note("author_id", json!(7)),
            "somebody else has sent this comment again"
        );
        assert_eq!(
            note("author_id", json!(8_400_000_001_u64)),
            "alice Change { number: 5 }"
        );
        assert_eq!(
            note("internal", json!(true)),
            "internal comments are not read"
        );
        assert_eq!(
            told(|b| b["event_type"] = json!("confidential_note")),
            "internal comments are not read"
        );
        for elsewhere in ["Issue", "Snippet", "WikiPage::Meta"] {
            assert_eq!(
                note("noteable_type", json!(elsewhere)),
                "only comments on merge requests and commits are read"
            );
        }
        let ours = format!("{}}} -->\n/unlock", reply::mark("x"));
        assert_eq!(note("note", json!(ours)), "this is a reply of ours");
    }

    #[test]
    fn accounts_of_tokens_and_services_are_bots_and_people_with_like_names_are_not() {
        for bot in [
            "project_7_bot",
            "project_7_bot1",
            "project_7_bot_1a2b3c",
            "group_12_bot_ff",
            "service_account_group_7_1a2b",
        ] {
            assert!(is_bot(bot), "{bot}");
        }
        for person in ["alice", "project_bot_fan", "group_7_botany", "robot", "bot"] {
            assert!(!is_bot(person), "{person}");
        }
    }
}
