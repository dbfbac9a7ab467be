//! What commands in comments ask of GitLab is what python-gitlab asks, by the same addresses and with the same bodies.

use cutover::chat::Thread;
use cutover::chat::desk::{At, Change, Desk as _, Person, Reaction, Role};
use cutover::forge::gitlab::api;
use cutover_deploy::CommitSha;
use jiff::Timestamp;
use kit::gitlab::{GitLab, wire_form};

use super::wire::{bodies, client};
use super::{FIRST, SECOND, SHOP, world};

const SCRIPT: &str = include_str!("chat.py");
const CHANGE: u64 = 7;

/// A world with a merge request, a comment and a thread on it, and what they are called.
async fn scene() -> (GitLab, u64, u64, String) {
    let gitlab = world().await;
    gitlab.set_level(SHOP, "alice", 40);
    gitlab.commit(SHOP, "feature/x", SECOND);
    gitlab.open_merge_request(SHOP, CHANGE, "topic", SECOND);
    let asked = gitlab.comment(SHOP, CHANGE, "alice", "/help").json();
    gitlab.remark(SHOP, CHANGE, "alice", "/help");
    let person = asked["user"]["id"].as_u64().unwrap();
    let notes = gitlab.notes(SHOP);
    (gitlab, person, notes[0].id, notes[1].discussion.clone())
}

#[tokio::test]
async fn our_desk_asks_what_python_gitlab_asks() {
    let ((theirs, person, asked, thread), (ours, ..)) = (scene().await, scene().await);
    let arguments = [
        theirs.base_url().replace("/api/v4", ""),
        theirs.token().to_owned(),
        SHOP.to_owned(),
        person.to_string(),
        CHANGE.to_string(),
        FIRST.to_owned(),
        asked.to_string(),
        thread.clone(),
    ];
    let said = tokio::task::spawn_blocking(move || {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        wire_form(SCRIPT, &arguments)
    });
    let said = said.await.unwrap();
    assert_eq!(
        said,
        format!("active 40\n{SECOND}\nopened {SECOND} True\nqueued\non the commit\n")
    );
    talk(&client(&ours), person, asked, thread).await;
    assert_eq!(ours.requests(), theirs.requests());
    assert_eq!(bodies(&ours), bodies(&theirs));
    assert_eq!(ours.talk(SHOP), theirs.talk(SHOP));
    insta::assert_snapshot!(ours.talk(SHOP), @"
    alice [eyes]
      /help
    alice
      /help
    deployer
      done
    deployer
      in the thread
    deployer
      edited on the commit
    ");
    theirs.close();
    ours.close();
}

/// The same story as the script's, by our client.
async fn talk(client: &api::GitLab, person: u64, asked: u64, first: String) {
    let alice = Person {
        login: "whatever she is called now",
        id: Some(person),
    };
    assert_eq!(client.role(SHOP, alice).await, Ok(Role::Maintain));
    let second = CommitSha::parse(SECOND).unwrap();
    let found = client.commit(SHOP, "feature/x").await;
    assert_eq!(found, Ok(Some(second.clone())));
    let change = Change {
        head: second,
        fork: false,
        open: true,
    };
    assert_eq!(client.change(SHOP, CHANGE).await, Ok(Some(change)));
    let thread = Thread::Change { number: CHANGE };
    let at = At {
        repository: SHOP,
        thread: &thread,
        comment: asked,
    };
    client.react(at, Reaction::Seen).await.unwrap();
    let reply = client.answer(at, "queued").await.unwrap();
    let now = Timestamp::UNIX_EPOCH;
    assert_eq!(client.find_answer(at, now, "que").await, Ok(Some(reply)));
    client.amend(at, reply, "done").await.unwrap();
    let in_thread = Thread::Review {
        number: CHANGE,
        first,
    };
    let in_thread = At {
        thread: &in_thread,
        ..at
    };
    client.answer(in_thread, "in the thread").await.unwrap();
    let on_commit = Thread::Commit {
        sha: FIRST.to_owned(),
    };
    let on_commit = At {
        thread: &on_commit,
        ..at
    };
    // There is no emoji for the notes of a commit, and nothing is asked.
    client.react(on_commit, Reaction::Seen).await.unwrap();
    let reply = client.answer(on_commit, "on the commit").await.unwrap();
    let edited = "edited on the commit";
    client.amend(on_commit, reply, edited).await.unwrap();
}

#[tokio::test]
async fn the_same_emoji_twice_is_one() {
    let (gitlab, _, asked, _) = scene().await;
    let thread = Thread::Change { number: CHANGE };
    let at = At {
        repository: SHOP,
        thread: &thread,
        comment: asked,
    };
    for _ in 0..2 {
        client(&gitlab).react(at, Reaction::Done).await.unwrap();
    }
    assert_eq!(gitlab.notes(SHOP)[0].reactions, ["rocket"]);
    gitlab.close();
}

#[tokio::test]
async fn who_has_no_number_and_who_is_no_member_may_nothing() {
    let (gitlab, person, ..) = scene().await;
    let who = |id| Person { login: "alice", id };
    let client = client(&gitlab);
    assert!(client.role(SHOP, who(None)).await.is_err());
    assert_eq!(client.role(SHOP, who(Some(1))).await, Ok(Role::None));
    gitlab.block(SHOP, "alice");
    assert_eq!(client.role(SHOP, who(Some(person))).await, Ok(Role::None));
    gitlab.close();
}
