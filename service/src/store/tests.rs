mod holds;

use std::collections::BTreeSet;

use cutover_deploy::{AppName, EnvironmentName, Failure, Outcome, ReleaseId};
use serde_json::json;

use super::*;
use crate::testing;

mod outbox;

impl Store {
    /// Has the ledger refuse the end of every deployment, as a full disk would, or no longer.
    pub(crate) async fn refuse_endings(&self, refuse: bool) {
        let sql = if refuse {
            "create trigger refuse before update on deployment when new.state = 'done'
             begin select raise(abort, 'the disk is full'); end"
        } else {
            "drop trigger refuse"
        };
        sqlx::query(sql).execute(&self.pool).await.unwrap();
    }
}

fn now() -> Timestamp {
    cutover_deploy::now()
}

fn release(text: &str) -> ReleaseId {
    ReleaseId::parse(text).unwrap()
}

fn deployed(name: &str) -> Outcome {
    Outcome::Deployed {
        release: release(name),
        previous: None,
    }
}

async fn words(store: &Store, ids: &[&str]) -> Vec<String> {
    let mut words = Vec::new();
    for id in ids {
        let found = store
            .deployment(&DeploymentId::parse(id).unwrap())
            .await
            .unwrap()
            .unwrap();
        words.push(
            found
                .outcome
                .as_ref()
                .map_or(found.state.word(), Outcome::word)
                .to_owned(),
        );
    }
    words
}

#[tokio::test]
async fn newest_waiting_deployment_wins_and_the_older_are_superseded() {
    let dir = tempfile::tempdir().unwrap();
    let store = testing::store(dir.path()).await;
    testing::queue(&store, "d1", "production", 'a').await;
    let running = store.claim(now()).await.unwrap().unwrap();
    assert_eq!(running.id.as_str(), "d1");

    testing::queue(&store, "d2", "production", 'b').await;
    let third = testing::queue(&store, "d3", "production", 'c').await;
    let old: Vec<_> = third.superseded.iter().map(|old| old.id.as_str()).collect();
    assert_eq!(old, ["d2"]);
    assert_eq!(
        words(&store, &["d1", "d2", "d3"]).await,
        ["running", "superseded", "queued"]
    );
    assert_eq!(store.claim(now()).await.unwrap(), None, "one is running");

    store
        .conclude(&running.id, &deployed("one"), None, now())
        .await
        .unwrap();
    assert_eq!(store.claim(now()).await.unwrap().unwrap().id.as_str(), "d3");
    let second = store
        .deployment(&DeploymentId::parse("d2").unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(second.superseded_by.unwrap().as_str(), "d3");
}

#[tokio::test]
async fn no_two_pools_claim_the_same_deployment() {
    let dir = tempfile::tempdir().unwrap();
    let stores = [
        testing::store(dir.path()).await,
        testing::store(dir.path()).await,
    ];
    for n in 0..40 {
        testing::queue(&stores[0], &format!("d{n}"), &format!("place{n}"), 'a').await;
    }
    let mut claims = tokio::task::JoinSet::new();
    for n in 0..80 {
        let store = stores[n % 2].clone();
        claims.spawn(async move { store.claim(now()).await.unwrap() });
    }
    let claimed: Vec<_> = claims
        .join_all()
        .await
        .into_iter()
        .flatten()
        .map(|d| d.id)
        .collect();
    let distinct: BTreeSet<_> = claimed.iter().collect();
    assert_eq!((claimed.len(), distinct.len()), (40, 40));
}

#[tokio::test]
async fn no_two_pools_run_one_environment_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let stores = [
        testing::store(dir.path()).await,
        testing::store(dir.path()).await,
    ];
    for n in 0..10 {
        let last = testing::queue(&stores[n % 2], &format!("d{n}"), "production", 'a').await;
        let mut claims = tokio::task::JoinSet::new();
        for store in stores.clone() {
            claims.spawn(async move { store.claim(now()).await.unwrap() });
        }
        let claimed: Vec<_> = claims.join_all().await.into_iter().flatten().collect();
        assert_eq!(claimed.len(), 1, "{claimed:?}");
        assert_eq!(claimed[0].id, last.deployment.id);
        stores[0]
            .conclude(&claimed[0].id, &deployed("one"), None, now())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn the_table_itself_refuses_a_second_runner() {
    let dir = tempfile::tempdir().unwrap();
    let store = testing::store(dir.path()).await;
    testing::queue(&store, "d1", "production", 'a').await;
    store.claim(now()).await.unwrap().unwrap();
    testing::queue(&store, "d2", "production", 'b').await;
    let forced = sqlx::query("update deployment set state = 'running' where id = 'd2'")
        .execute(&store.pool)
        .await;
    assert!(
        forced
            .unwrap_err()
            .as_database_error()
            .unwrap()
            .is_unique_violation()
    );
}

#[tokio::test]
async fn a_hundred_equal_deliveries_at_once_are_kept_once() {
    let dir = tempfile::tempdir().unwrap();
    let stores = [
        testing::store(dir.path()).await,
        testing::store(dir.path()).await,
    ];
    let mut taken = tokio::task::JoinSet::new();
    for n in 0..100 {
        let store = stores[n % 2].clone();
        taken.spawn(async move {
            let delivery = NewDelivery {
                forge: "github",
                id: "the same",
                event: "push",
                hook_id: None,
                body: None,
                received_at: now(),
            };
            let new = testing::wanted(&format!("d{n}"), "production", 'a');
            let answer = |new: &[Enqueued]| Answer {
                status: 202,
                body: json!(new[0].deployment.id),
            };
            store.take_in(&delivery, &[new], answer).await.unwrap()
        });
    }
    let taken = taken.join_all().await;
    let new: Vec<_> = taken
        .iter()
        .filter_map(|taken| {
            if let TakenIn::New(answer, _) = taken {
                Some(answer)
            } else {
                None
            }
        })
        .collect();
    assert_eq!(new.len(), 1);
    for taken in &taken {
        if let TakenIn::Duplicate(first) = taken {
            assert_eq!(&first, &new[0]);
        }
    }
    let count = sqlx::query("select id from deployment")
        .fetch_all(&stores[0].pool)
        .await
        .unwrap();
    assert_eq!(count.len(), 1);
}

#[tokio::test]
async fn an_ignored_delivery_that_comes_again_is_decided_anew_once() {
    let dir = tempfile::tempdir().unwrap();
    let stores = [
        testing::store(dir.path()).await,
        testing::store(dir.path()).await,
    ];
    let delivery = NewDelivery {
        forge: "github",
        id: "the same",
        event: "push",
        hook_id: None,
        body: None,
        received_at: now(),
    };
    let ignored = |_: &[Enqueued]| Answer {
        status: 200,
        body: json!({ "result": "ignored" }),
    };
    for _ in 0..2 {
        let taken = stores[0].take_in(&delivery, &[], ignored).await.unwrap();
        assert!(matches!(taken, TakenIn::New(..)), "{taken:?}");
    }
    let mut sent = tokio::task::JoinSet::new();
    for n in 0..100 {
        let (store, delivery) = (stores[n % 2].clone(), delivery.clone());
        sent.spawn(async move {
            let new = testing::wanted(&format!("d{n}"), "production", 'a');
            let answer = |_: &[Enqueued]| Answer {
                status: 202,
                body: json!({}),
            };
            let taken = store.take_in(&delivery, &[new], answer).await.unwrap();
            matches!(taken, TakenIn::New(..))
        });
    }
    let taken = sent.join_all().await;
    assert_eq!(taken.iter().filter(|new| **new).count(), 1);
}

#[tokio::test]
async fn a_delivery_is_kept_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let store = testing::store(dir.path()).await;
    testing::queue(&store, "d1", "production", 'a').await;
    let delivery = NewDelivery {
        forge: "github",
        id: "two",
        event: "push",
        hook_id: None,
        body: None,
        received_at: now(),
    };
    let wanted = [
        testing::wanted("d2", "production", 'b'),
        testing::wanted("d1", "staging", 'b'),
    ];
    let answer = |_: &[Enqueued]| Answer {
        status: 202,
        body: json!({}),
    };
    store.take_in(&delivery, &wanted, answer).await.unwrap_err();
    assert_eq!(words(&store, &["d1"]).await, ["queued"]);
    assert_eq!(
        store
            .deployment(&DeploymentId::parse("d2").unwrap())
            .await
            .unwrap(),
        None
    );
    let again = store
        .take_in(&delivery, &wanted[..1], answer)
        .await
        .unwrap();
    assert!(matches!(again, TakenIn::New(..)), "{again:?}");
}

#[tokio::test]
async fn what_was_running_is_known_after_a_restart_and_may_go_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = testing::store(dir.path()).await;
    testing::queue(&store, "d1", "production", 'a').await;
    store.claim(now()).await.unwrap().unwrap();
    store.close().await;

    let store = testing::store(dir.path()).await;
    let running = store.running().await.unwrap();
    assert_eq!(running.len(), 1);
    testing::queue(&store, "d2", "production", 'b').await;
    store
        .put_back(&running[0].id, &PutBack::Stop, None, now())
        .await
        .unwrap();
    assert_eq!(words(&store, &["d1", "d2"]).await, ["queued", "queued"]);
    // What was put back is not newer than what came meanwhile.
    assert_eq!(store.claim(now()).await.unwrap().unwrap().id.as_str(), "d2");
    assert_eq!(
        words(&store, &["d1", "d2"]).await,
        ["superseded", "running"]
    );
}

#[tokio::test]
async fn a_deployment_is_concluded_once_with_its_last_event_and_its_reports() {
    let dir = tempfile::tempdir().unwrap();
    let store = testing::store(dir.path()).await;
    testing::queue(&store, "d1", "production", 'a').await;
    let running = store.claim(now()).await.unwrap().unwrap();
    store.planned(&running.id, &release("one")).await.unwrap();
    let live = Live {
        release: release("one"),
        commit: running.commit().cloned(),
    };
    store
        .conclude(&running.id, &deployed("one"), Some(&live), now())
        .await
        .unwrap();
    let failure = Failure {
        host: None,
        step: "x".to_owned(),
        message: "y".to_owned(),
        hint: None,
    };
    let late = Outcome::Failed {
        failure,
        left: vec![],
    };
    store
        .conclude(&running.id, &late, None, now())
        .await
        .unwrap();

    assert_eq!(words(&store, &["d1"]).await, ["deployed"]);
    let events = store.events(&running.id, 0, 100).await.unwrap();
    assert_eq!(events.len(), 1, "{events:?}");
    let reports = store.reports(&running.id).await.unwrap();
    assert_eq!(reports.len(), 3 + 2 + 3, "{reports:#?}");
    let known = store
        .last_live(&running.app, &running.environment)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(known.live, Some(live));
    assert_eq!(
        store.commit_of(&running, &release("one")).await.unwrap(),
        Some(testing::commit('a'))
    );
}

#[tokio::test]
async fn old_bodies_are_dropped_and_their_deliveries_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let store = testing::store(dir.path()).await;
    testing::queue(&store, "d1", "production", 'a').await;
    let bodies = async || {
        let found = sqlx::query("select id from delivery where body is not null")
            .fetch_all(&store.pool)
            .await;
        found.unwrap().len()
    };
    store
        .forget_bodies(now() - Duration::from_mins(1))
        .await
        .unwrap();
    assert_eq!(bodies().await, 1, "a young one stays");
    store
        .forget_bodies(now() + Duration::from_mins(1))
        .await
        .unwrap();
    assert_eq!(bodies().await, 0);
    let delivery = NewDelivery {
        forge: "github",
        id: "d1",
        event: "push",
        hook_id: None,
        body: None,
        received_at: now(),
    };
    let answer = |_: &[Enqueued]| Answer {
        status: 202,
        body: json!({}),
    };
    let again = store.take_in(&delivery, &[], answer).await.unwrap();
    assert!(matches!(again, TakenIn::Duplicate(_)), "{again:?}");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_stands_in_nobodys_way() {
    let dir = tempfile::tempdir().unwrap();
    let store = testing::store(dir.path()).await;
    let run = async |sql: &'static str| {
        sqlx::query(sql).execute(&store.pool).await.unwrap();
    };
    testing::queue(&store, "d1", "staging", 'a').await;
    store.claim(now()).await.unwrap().unwrap();
    testing::queue(&store, "d2", "production", 'b').await;
    testing::queue(&store, "d3", "preview", 'c').await;
    testing::queue(&store, "d4", "preview", 'c').await;
    run("update deployment set request = 'no JSON' where id in ('d1', 'd3', 'd4')").await;
    run("update outbox set body = '{}' where deployment = 'd2' and ordinal = (select min(ordinal) from outbox where deployment = 'd2')").await;

    assert_eq!(store.running().await.unwrap(), []);
    assert_eq!(store.claim(now()).await.unwrap().unwrap().id.as_str(), "d2");
    assert_eq!(store.claim(now()).await.unwrap(), None);
    let due = store.due(now()).await.unwrap();
    assert!(due.is_empty(), "the broken heads were first: {due:#?}");
    let told = store.due(now()).await.unwrap();
    assert_eq!(told[0].deployment.id.as_str(), "d2");
    let app = AppName::parse("shop").unwrap();
    for place in ["production", "staging", "preview"] {
        let place = EnvironmentName::parse(place).unwrap();
        store.open_ones(&app, &place).await.unwrap();
        store.ended(&app, &place, 10).await.unwrap();
    }
    testing::queue(&store, "d5", "staging", 'd').await;
    assert_eq!(store.claim(now()).await.unwrap().unwrap().id.as_str(), "d5");
}
