//! Comments as GitHub tells of them: only what a person has just written counts.

use cutover_deploy::config::ForgeKind;
use serde::Deserialize;

use crate::chat::{Comment, Thread, reply};
use crate::forge::Delivered;
use crate::forge::push::{LONGEST_NAME, printable};

/// The events that tell of comments.
pub(super) const EVENTS: [&str; 3] = [
    "issue_comment",
    "pull_request_review_comment",
    "commit_comment",
];

#[derive(Deserialize)]
pub(super) struct Payload {
    action: String,
    comment: Written,
    repository: Repository,
    issue: Option<Issue>,
    pull_request: Option<PullRequest>,
}

#[derive(Deserialize)]
struct Written {
    id: u64,
    #[serde(default)]
    body: Option<String>,
    /// Absent when the account is gone.
    user: Option<User>,
    commit_id: Option<String>,
    in_reply_to_id: Option<u64>,
}

#[derive(Deserialize)]
struct User {
    login: String,
    #[serde(rename = "type", default)]
    kind: String,
}

#[derive(Deserialize)]
struct Repository {
    full_name: String,
    /// One that says nothing is treated as one that everybody reads.
    #[serde(default)]
    private: bool,
}

#[derive(Deserialize)]
struct Issue {
    number: u64,
    pull_request: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct PullRequest {
    number: u64,
}

/// What a payload says, or why nothing follows from it.
pub(super) fn delivered(payload: Payload) -> Delivered {
    let unheard = |why: &str| Delivered::Unheard(why.to_owned());
    if payload.action != "created" {
        return unheard("only new comments are read");
    }
    let thread = match (payload.pull_request, payload.issue) {
        (Some(pull), _) => Thread::Review {
            number: pull.number,
            first: payload
                .comment
                .in_reply_to_id
                .unwrap_or(payload.comment.id)
                .to_string(),
        },
        (None, Some(issue)) if issue.pull_request.is_some() => Thread::Change {
            number: issue.number,
        },
        (None, Some(_)) => {
            return unheard("comments on issues are not read, only on pull requests and commits");
        }
        (None, None) => match payload.comment.commit_id {
            Some(sha) if cutover_deploy::CommitSha::parse(&sha).is_ok() => Thread::Commit { sha },
            _ => return unheard("the comment stands nowhere"),
        },
    };
    let Some(user) = payload.comment.user else {
        return unheard("nobody wrote this comment");
    };
    if user.kind != "User" {
        return unheard("comments of bots are not read");
    }
    let text = payload.comment.body.unwrap_or_default();
    // A service that logs in as a person is known by its mark, so that the person is still heard.
    if text.starts_with(reply::MARK) {
        return unheard("this is a reply of ours");
    }
    Delivered::Comment(Box::new(Comment {
        forge: ForgeKind::GitHub,
        repository: printable(&payload.repository.full_name, 2 * LONGEST_NAME),
        public: !payload.repository.private,
        author: printable(&user.login, LONGEST_NAME),
        author_id: None,
        thread,
        head: None,
        id: payload.comment.id,
        text,
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::hook::read;
    use super::*;

    fn comment(event: &str, change: impl Fn(&mut Value)) -> String {
        let mut body = json!({
            "action": "created",
            "comment": { "id": 7, "body": "/status", "user": { "login": "alice", "type": "User" } },
            "repository": { "full_name": "acme/shop", "private": true },
        });
        match event {
            "issue_comment" => {
                body["issue"] = json!({ "number": 5, "pull_request": { "url": "x" } });
            }
            "commit_comment" => body["comment"]["commit_id"] = json!("a".repeat(40)),
            _ => body["pull_request"] = json!({ "number": 6 }),
        }
        change(&mut body);
        match read(event, body.to_string().as_bytes()).unwrap() {
            Delivered::Comment(comment) => format!("{} {:?}", comment.author, comment.thread),
            Delivered::Unheard(why) => why,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn comments_stand_where_they_were_written() {
        let told = EVENTS.map(|event| comment(event, |_| {}));
        assert_eq!(told[0], "alice Change { number: 5 }");
        assert_eq!(told[1], "alice Review { number: 6, first: \"7\" }");
        assert!(
            told[2].starts_with("alice Commit { sha: \"aaaa"),
            "{}",
            told[2]
        );
    }

    #[test]
    fn what_no_person_just_wrote_is_not_heard() {
        let said = |change: fn(&mut Value)| comment("issue_comment", change);
        assert_eq!(
            said(|b| b["action"] = json!("edited")),
            "only new comments are read"
        );
        assert_eq!(
            said(|b| b["action"] = json!("deleted")),
            "only new comments are read"
        );
        assert_eq!(
            said(|b| b["comment"]["user"]["type"] = json!("Bot")),
            "comments of bots are not read"
        );
        assert_eq!(
            said(|b| b["comment"]["user"] = json!(null)),
            "nobody wrote this comment"
        );
        assert!(said(|b| b["issue"] = json!({ "number": 5 })).starts_with("comments on issues"));
        let ours = reply::mark("x");
        assert_eq!(
            comment("issue_comment", |b| b["comment"]["body"] =
                json!(format!("{ours}}} -->\n/unlock"))),
            "this is a reply of ours"
        );
    }
}
