//! Holds: who is kept waiting, who is not, and what is remembered.

use cutover_deploy::config::ForgeKind;
use cutover_deploy::{CommitSha, Failure, Kind, Outcome, ReleaseId};
use jiff::SignedDuration;
use serde_json::json;

use super::super::*;
use crate::chat::{Ask, Place, Thread};
use crate::testing;

fn now() -> Timestamp {
    cutover_deploy::now()
}

fn place() -> Place {
    let new = testing::wanted("x", "production", 'a');
    Place {
        app: new.app,
        environment: new.environment,
    }
}

fn hold(kind: HoldKind, owner: &str, until: Option<Timestamp>) -> Hold {
    Hold {
        kind,
        owner: owner.to_owned(),
        reason: Some("friday".to_owned()),
        since: now(),
        until,
    }
}

/// A command of this person's, received and not decided.
async fn command(store: &Store, id: &str, author: &str) -> Command {
    let delivery = NewDelivery {
        forge: "github",
        id,
        event: "issue_comment",
        hook_id: None,
        body: None,
        received_at: now(),
    };
    let new = NewCommand {
        id: id.to_owned(),
        forge: ForgeKind::GitHub,
        repository: "acme/shop".to_owned(),
        public: false,
        author: author.to_owned(),
        author_id: Some(8_400_000_002),
        thread: Thread::Change { number: 7 },
        head: CommitSha::parse(&"c".repeat(40)).ok(),
        comment: 4_400_000_000 + id.bytes().map(u64::from).sum::<u64>(),
        line: "/help".to_owned(),
        ask: Ask::Help,
    };
    let answer = Answer {
        status: 202,
        body: json!({}),
    };
    store
        .take_in_commands(&delivery, std::slice::from_ref(&new), answer)
        .await
        .unwrap();
    let received = store.received(ForgeKind::GitHub).await.unwrap();
    let found = received.into_iter().find(|command| command.new.id == id);
    let found = found.unwrap();
    assert_eq!(found.new, new, "a command is kept as it came");
    found
}

async fn decide(store: &Store, id: &str, author: &str, effect: Effect) -> bool {
    let command = command(store, id, author).await;
    let decision = Decision::Locked { until: None };
    store
        .decide(&command, &decision, &effect, now())
        .await
        .unwrap()
}

async fn lock(store: &Store, id: &str, author: &str, until: Option<Timestamp>) -> bool {
    let hold = hold(HoldKind::Lock, author, until);
    let place = place();
    decide(store, id, author, Effect::Hold { place, hold }).await
}

fn rollback(id: &str, owner: &str) -> Effect {
    let mut new = testing::wanted(id, "production", 'a');
    new.request.kind = Kind::Rollback { to: None };
    Effect::Queue {
        new: Box::new(new),
        hold: Some(hold(HoldKind::Rollback, owner, None)),
    }
}

async fn claimed(store: &Store) -> Option<String> {
    let claimed = store.claim(now()).await.unwrap();
    claimed.map(|deployment| deployment.id.as_str().to_owned())
}

async fn end(store: &Store, id: &str, well: bool) {
    let outcome = if well {
        Outcome::Deployed {
            release: ReleaseId::parse("one").unwrap(),
            previous: None,
        }
    } else {
        Outcome::Failed {
            failure: Failure {
                host: None,
                step: "plan".to_owned(),
                message: "no".to_owned(),
                hint: None,
            },
            left: Vec::new(),
        }
    };
    let id = DeploymentId::parse(id).unwrap();
    store.conclude(&id, &outcome, None, now()).await.unwrap();
}

async fn holds(store: &Store) -> Vec<String> {
    let Place { app, environment } = place();
    let holds = store.holds(&app, &environment, now()).await.unwrap();
    holds.iter().map(Hold::line).collect()
}

#[tokio::test]
async fn a_locked_environment_remembers_the_newest_push_and_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = testing::store(dir.path()).await;
    assert!(lock(&store, "c1", "alice", None).await);
    testing::queue(&store, "p1", "production", 'a').await;
    let second = testing::queue(&store, "p2", "production", 'b').await;
    assert_eq!(second.superseded.len(), 1, "the newest is remembered");
    testing::queue(&store, "s1", "staging", 'b').await;
    assert_eq!(claimed(&store).await.as_deref(), Some("s1"));
    assert_eq!(claimed(&store).await, None);

    drop(store);
    let store = testing::store(dir.path()).await;
    assert_eq!(claimed(&store).await, None, "a restart changes nothing");
    assert_eq!(holds(&store).await, ["locked by alice: friday"]);
    let place = place();
    assert!(decide(&store, "c2", "alice", Effect::Release { place }).await);
    assert_eq!(claimed(&store).await.as_deref(), Some("p2"));
}

#[tokio::test]
async fn a_lock_ends_by_itself_at_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = testing::store(dir.path()).await;
    let until = now() + SignedDuration::from_hours(1);
    assert!(lock(&store, "c1", "alice", Some(until)).await);
    testing::queue(&store, "p1", "production", 'a').await;
    assert_eq!(claimed(&store).await, None);
    let later = store.claim(until).await.unwrap().unwrap();
    assert_eq!(later.id.as_str(), "p1");
}

#[tokio::test]
async fn nobody_takes_the_lock_of_somebody_else() {
    let dir = tempfile::tempdir().unwrap();
    let store = testing::store(dir.path()).await;
    assert!(lock(&store, "c1", "alice", None).await);
    assert!(!lock(&store, "c2", "bob", None).await);
    assert_eq!(holds(&store).await, ["locked by alice: friday"]);
    let undecided = store.received(ForgeKind::GitHub).await.unwrap();
    assert_eq!(undecided.len(), 1, "the refused one is judged anew");
    assert!(
        lock(&store, "c3", "alice", None).await,
        "one's own is renewed"
    );
}

#[tokio::test]
async fn what_the_holder_asks_for_goes_past_the_hold_and_what_waits_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = testing::store(dir.path()).await;
    lock(&store, "c1", "alice", None).await;
    testing::queue(&store, "p1", "production", 'a').await;
    let new = Box::new(testing::wanted("d1", "production", 'b'));
    decide(&store, "c2", "alice", Effect::Queue { new, hold: None }).await;
    let new = Box::new(testing::wanted("d2", "staging", 'b'));
    decide(&store, "c3", "bob", Effect::Queue { new, hold: None }).await;
    let mut both = [
        claimed(&store).await.unwrap(),
        claimed(&store).await.unwrap(),
    ];
    both.sort();
    assert_eq!(both, ["d1", "d2"]);
    end(&store, "d1", true).await;
    assert_eq!(claimed(&store).await, None);
    decide(&store, "c4", "alice", Effect::Release { place: place() }).await;
    assert_eq!(claimed(&store).await.as_deref(), Some("p1"));
}

#[tokio::test]
async fn a_rollback_goes_first_takes_no_place_and_holds_what_waits() {
    let dir = tempfile::tempdir().unwrap();
    let store = testing::store(dir.path()).await;
    testing::queue(&store, "p1", "production", 'a').await;
    assert_eq!(claimed(&store).await.as_deref(), Some("p1"));
    decide(&store, "c1", "alice", rollback("r1", "alice")).await;
    testing::queue(&store, "p2", "production", 'b').await;
    assert_eq!(claimed(&store).await, None, "one runs");
    end(&store, "p1", true).await;
    assert_eq!(claimed(&store).await.as_deref(), Some("r1"));
    end(&store, "r1", true).await;
    assert_eq!(claimed(&store).await, None, "the push waits");
    assert_eq!(
        holds(&store).await,
        ["held after a rollback by alice: friday"]
    );
    decide(&store, "c2", "alice", Effect::Release { place: place() }).await;
    assert_eq!(claimed(&store).await.as_deref(), Some("p2"));
}

#[tokio::test]
async fn a_rollback_that_comes_to_nothing_holds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = testing::store(dir.path()).await;
    decide(&store, "c1", "alice", rollback("r1", "alice")).await;
    testing::queue(&store, "p1", "production", 'b').await;
    assert_eq!(claimed(&store).await.as_deref(), Some("r1"));
    end(&store, "r1", false).await;
    assert_eq!(holds(&store).await, [""; 0]);
    assert_eq!(claimed(&store).await.as_deref(), Some("p1"));
}

#[tokio::test]
async fn a_second_rollback_that_fails_leaves_the_hold_of_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let store = testing::store(dir.path()).await;
    decide(&store, "c1", "alice", rollback("r1", "alice")).await;
    testing::queue(&store, "p1", "production", 'b').await;
    assert_eq!(claimed(&store).await.as_deref(), Some("r1"));
    end(&store, "r1", true).await;
    decide(&store, "c2", "alice", rollback("r2", "alice")).await;
    assert_eq!(claimed(&store).await.as_deref(), Some("r2"));
    end(&store, "r2", false).await;
    assert_eq!(
        holds(&store).await,
        ["held after a rollback by alice: friday"]
    );
    assert_eq!(claimed(&store).await, None, "the push still waits");
}

#[tokio::test]
async fn a_command_is_decided_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = testing::store(dir.path()).await;
    let command = command(&store, "c1", "alice").await;
    let decision = Decision::Queued {
        what: "x".to_owned(),
    };
    let first = rollback("r1", "alice");
    assert!(
        store
            .decide(&command, &decision, &first, now())
            .await
            .unwrap()
    );
    let second = rollback("r2", "alice");
    assert!(
        !store
            .decide(&command, &decision, &second, now())
            .await
            .unwrap()
    );
    let id = DeploymentId::parse("r1").unwrap();
    let of = store.command_of(&id).await.unwrap().unwrap();
    assert_eq!(of.new, command.new);
    assert_eq!(of.decision, Some(decision));
    let never = DeploymentId::parse("r2").unwrap();
    assert_eq!(store.deployment(&never).await.unwrap(), None);
}

#[tokio::test]
async fn every_clerk_hears_of_commands_and_waits_for_its_own_replies_only() {
    let dir = tempfile::tempdir().unwrap();
    let store = testing::store(dir.path()).await;
    let clerks = [store.commanded(), store.commanded()];
    let came = command(&store, "a", "alice").await;
    for clerk in clerks {
        assert!(clerk.has_changed().unwrap());
    }
    let decision = Decision::Locked { until: None };
    assert!(
        store
            .decide(&came, &decision, &Effect::None, now())
            .await
            .unwrap()
    );
    let later = now() + SignedDuration::from_mins(1);
    store.replying("a", later).await.unwrap();
    let next = async |forge| store.next_reply(forge).await.unwrap().is_some();
    assert!(next(ForgeKind::GitHub).await);
    assert!(!next(ForgeKind::GitLab).await);
}
