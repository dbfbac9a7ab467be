use cutover_deploy::config::Environment;
use cutover_deploy::source::Position;
use cutover_deploy::{
    AppName, Artifact, CommitSha, DeployRequest, DeploymentId, Digest, EnvironmentName, Event,
    Failure, Outcome, ReleaseId,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;
use crate::settings::App;
use crate::testing;
use crate::worker::Job;

const DEADLINE: Duration = Duration::from_secs(20);

/// A pipeline whose every call waits for the test to say how it ends.
struct Stage {
    calls: UnboundedSender<Call>,
    artifact: std::path::PathBuf,
}

struct Call {
    id: String,
    artifact: bool,
    end: oneshot::Sender<Option<Outcome>>,
}

impl Deployer for Stage {
    async fn needs_artifact(&self, _: &App, _: &Environment, request: &DeployRequest) -> bool {
        request.deployment.as_str().starts_with("built")
    }

    async fn held(&self, _: &App, _: &Environment, _: &DeployRequest) -> Option<Failure> {
        None
    }

    async fn position(&self, _: &App, _: &CommitSha, _: &str) -> Result<Position, Failure> {
        Ok(Position::Head)
    }

    async fn build(
        &self,
        _: &App,
        commit: &CommitSha,
        _: &UnboundedSender<Event>,
        _: &CancellationToken,
    ) -> Result<Artifact, Failure> {
        std::fs::write(&self.artifact, "bytes").unwrap();
        Ok(Artifact {
            file: self.artifact.clone(),
            digest: Digest::parse(&"0".repeat(64)).unwrap(),
            bytes: 5,
            files: 1,
            unpacked_bytes: 5,
            commit: commit.clone(),
            parts: Vec::new(),
        })
    }

    async fn deploy(
        &self,
        job: &Job<'_>,
        events: &UnboundedSender<Event>,
        cancel: &CancellationToken,
    ) -> Outcome {
        let (end, ended) = oneshot::channel();
        let id = job.request.deployment.to_string();
        let text = format!("{id} runs");
        events.send(Event::Note { host: None, text }).unwrap();
        self.calls
            .send(Call {
                id,
                artifact: job.artifact.is_some(),
                end,
            })
            .ok()
            .unwrap();
        let outcome = tokio::select! {
            ended = ended => ended.unwrap().expect("the test wants this task to die"),
            () = cancel.cancelled(), if !job.request.deployment.as_str().starts_with("swapped") => Outcome::Cancelled,
        };
        events
            .send(Event::Concluded {
                outcome: outcome.clone(),
            })
            .unwrap();
        outcome
    }

    async fn may_begin(&self, _: &crate::store::Command) -> Result<(), Failure> {
        Ok(())
    }

    async fn commit_of(&self, _: &App, _: &Environment, _: &ReleaseId) -> Option<CommitSha> {
        Some(testing::commit('e'))
    }
}

struct World {
    store: Store,
    calls: UnboundedReceiver<Call>,
    stop: CancellationToken,
    queue: JoinHandle<Result<(), StoreError>>,
    dir: Arc<tempfile::TempDir>,
}

impl World {
    async fn start() -> Self {
        Self::on(Arc::new(tempfile::tempdir().unwrap())).await
    }

    async fn on(dir: Arc<tempfile::TempDir>) -> Self {
        let store = testing::store(dir.path()).await;
        let config = testing::config(
            "shop",
            "acme/shop",
            &[("production", None), ("staging", None)],
        );
        let apps = testing::settings(dir.path(), vec![config]).apps;
        let (sender, calls) = unbounded_channel();
        let stage = Stage {
            calls: sender,
            artifact: dir.path().join("artifact"),
        };
        let worker = Worker::new(store.clone(), apps.into(), stage);
        let stop = CancellationToken::new();
        let queue = tokio::spawn(Queue::new(store.clone(), worker).run(stop.clone()));
        Self {
            store,
            calls,
            stop,
            queue,
            dir,
        }
    }

    async fn call(&mut self) -> Call {
        let call = tokio::time::timeout(DEADLINE, self.calls.recv()).await;
        match call {
            Ok(call) => call.unwrap(),
            Err(late) => panic!(
                "no deployment began ({late}); the ledger says {:#?}",
                self.latest("production").await
            ),
        }
    }

    async fn latest(&self, environment: &str) -> Vec<(String, String)> {
        let app = AppName::parse("shop").unwrap();
        let environment = EnvironmentName::parse(environment).unwrap();
        let mut latest = self.store.open_ones(&app, &environment).await.unwrap();
        latest.extend(self.store.ended(&app, &environment, 10).await.unwrap());
        let word = |d: &Deployment| {
            d.outcome
                .as_ref()
                .map_or(d.state.word(), Outcome::word)
                .to_owned()
        };
        latest.iter().map(|d| (d.id.to_string(), word(d))).collect()
    }

    /// Waits until a deployment is shown as `word`.
    async fn until(&self, id: &str, word: &str) -> Deployment {
        let mut changes = self.store.changes();
        let id = DeploymentId::parse(id).unwrap();
        let seen = tokio::time::timeout(DEADLINE, async {
            loop {
                let found = self.store.deployment(&id).await.unwrap().unwrap();
                if found
                    .outcome
                    .as_ref()
                    .map_or(found.state.word(), Outcome::word)
                    == word
                {
                    return found;
                }
                drop(changes.recv().await);
            }
        });
        match seen.await {
            Ok(found) => found,
            Err(late) => panic!(
                "{id} is not {word} ({late}): {:?}",
                self.latest("production").await
            ),
        }
    }

    async fn stop(self) -> Arc<tempfile::TempDir> {
        self.stop.cancel();
        tokio::time::timeout(DEADLINE, self.queue)
            .await
            .expect("the queue ends")
            .unwrap()
            .unwrap();
        self.store.close().await;
        self.dir
    }
}

fn deployed() -> Outcome {
    Outcome::Deployed {
        release: ReleaseId::parse("two").unwrap(),
        previous: None,
    }
}

#[tokio::test]
async fn one_runs_per_environment_and_environments_run_side_by_side() {
    let mut world = World::start().await;
    testing::queue(&world.store, "p1", "production", 'a').await;
    let first = world.call().await;
    testing::queue(&world.store, "p2", "production", 'b').await;
    testing::queue(&world.store, "p3", "production", 'c').await;
    testing::queue(&world.store, "s1", "staging", 'c').await;
    let beside = world.call().await;
    assert_eq!((first.id.as_str(), beside.id.as_str()), ("p1", "s1"));
    first.end.send(Some(deployed())).unwrap();
    let next = world.call().await;
    assert_eq!(next.id, "p3");
    next.end.send(Some(deployed())).unwrap();
    beside.end.send(Some(deployed())).unwrap();
    world.until("p3", "deployed").await;
    world.until("s1", "deployed").await;
    let words = world.latest("production").await;
    let words: Vec<_> = words
        .iter()
        .map(|(id, word)| format!("{id} {word}"))
        .collect();
    assert_eq!(words, ["p3 deployed", "p2 superseded", "p1 deployed"]);
    world.stop().await;
}

#[tokio::test]
async fn a_stop_puts_back_what_changed_nothing_and_the_next_start_runs_it() {
    let mut world = World::start().await;
    testing::queue(&world.store, "p1", "production", 'a').await;
    let _running = world.call().await;
    let dir = world.stop().await;

    let mut world = World::on(dir).await;
    let again = world.call().await;
    assert_eq!(again.id, "p1");
    again.end.send(Some(deployed())).unwrap();
    let done = world.until("p1", "deployed").await;
    let events = world.store.events(&done.id, 0, 100).await.unwrap();
    let ends = events
        .iter()
        .filter(|kept| matches!(kept.event, Event::Concluded { .. }))
        .count();
    assert_eq!(ends, 1, "only the real end is kept: {events:#?}");
    world.stop().await;
}

#[tokio::test]
async fn a_stop_waits_for_what_has_to_run_to_its_end_and_begins_nothing_new() {
    let mut world = World::start().await;
    testing::queue(&world.store, "swapped", "production", 'a').await;
    let call = world.call().await;
    world.stop.cancel();
    testing::queue(&world.store, "p2", "staging", 'b').await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(
        !world.queue.is_finished(),
        "the queue ended before its deployment did"
    );
    call.end.send(Some(deployed())).unwrap();
    let dir = world.stop().await;
    let store = testing::store(dir.path()).await;
    assert_eq!(store.running().await.unwrap(), []);
    let state = async |id: &str| {
        store
            .deployment(&DeploymentId::parse(id).unwrap())
            .await
            .unwrap()
            .unwrap()
            .state
            .word()
    };
    assert_eq!(
        [state("swapped").await, state("p2").await],
        ["done", "queued"]
    );
}

#[tokio::test]
async fn what_was_running_at_a_crash_is_taken_up_first() {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let store = testing::store(dir.path()).await;
    testing::queue(&store, "p1", "production", 'a').await;
    store.claim(cutover_deploy::now()).await.unwrap().unwrap();
    testing::queue(&store, "p2", "production", 'b').await;
    store.close().await;

    let mut world = World::on(dir).await;
    let first = world.call().await;
    assert_eq!(first.id, "p1");
    first.end.send(Some(deployed())).unwrap();
    let second = world.call().await;
    assert_eq!(second.id, "p2");
    second.end.send(Some(deployed())).unwrap();
    world.until("p2", "deployed").await;
    let events = world
        .store
        .events(&DeploymentId::parse("p1").unwrap(), 0, 100)
        .await
        .unwrap();
    assert!(
        format!("{events:?}").contains("takes this deployment up again"),
        "{events:?}"
    );
    world.stop().await;
}

#[tokio::test]
async fn a_task_that_dies_is_concluded_as_unknown_and_frees_the_environment() {
    let mut world = World::start().await;
    testing::queue(&world.store, "p1", "production", 'a').await;
    world.call().await.end.send(None).unwrap();
    let lost = world.until("p1", "failed").await;
    let Some(Outcome::Failed { left, .. }) = lost.outcome else {
        panic!("{lost:?}")
    };
    assert_eq!(left.len(), 1, "every host is named as not known");
    testing::queue(&world.store, "p2", "production", 'b').await;
    let next = world.call().await;
    assert_eq!(next.id, "p2");
    world.stop().await;
}

#[tokio::test]
async fn a_ledger_that_cannot_be_written_holds_up_no_other_environment_and_is_written_later() {
    let mut world = World::start().await;
    testing::queue(&world.store, "p1", "production", 'a').await;
    let call = world.call().await;
    world.store.refuse_endings(true).await;
    call.end.send(None).unwrap();
    testing::queue(&world.store, "s1", "staging", 'b').await;
    let beside = world.call().await;
    assert_eq!(beside.id, "s1");
    world.store.refuse_endings(false).await;
    world.until("p1", "failed").await;
    beside.end.send(Some(deployed())).unwrap();
    world.until("s1", "deployed").await;
    world.stop().await;
}

#[tokio::test]
async fn what_is_held_up_waits_is_told_once_and_gives_way_to_a_newer_push() {
    let mut world = World::start().await;
    testing::queue(&world.store, "p1", "production", 'a').await;
    let held = || Outcome::Refused {
        failure: Failure {
            host: None,
            step: "greet".to_owned(),
            message: "the lease is held".to_owned(),
            hint: None,
        },
        held: true,
    };
    world.call().await.end.send(Some(held())).unwrap();
    let waits = world.until("p1", "queued").await;
    let until = waits.not_before.expect("it is left alone for a while");
    let now = cutover_deploy::now();
    assert_eq!(world.store.claim(now).await.unwrap(), None);
    let reports = world.store.reports(&waits.id).await.unwrap().len();

    let again = world.store.claim(until).await.unwrap().unwrap();
    assert_eq!(again.id, waits.id, "it comes again when its time has come");
    let why = crate::store::PutBack::Held(held().failure().unwrap().clone());
    let put_back = world.store.put_back(&again.id, &why, Some(until), until);
    put_back.await.unwrap();
    let told = world.store.reports(&waits.id).await.unwrap();
    assert_eq!(told.len(), reports, "{told:#?}");

    testing::queue(&world.store, "p2", "production", 'b').await;
    world.until("p1", "superseded").await;
    let next = world.call().await;
    assert_eq!(next.id, "p2");
    next.end.send(Some(deployed())).unwrap();
    world.until("p2", "deployed").await;
    world.stop().await;
}

#[tokio::test]
async fn an_artifact_is_made_when_needed_and_removed_afterwards() {
    let mut world = World::start().await;
    testing::queue(&world.store, "built", "production", 'a').await;
    let call = world.call().await;
    assert!(call.artifact);
    let artifact = world.dir.path().join("artifact");
    assert!(artifact.exists());
    call.end.send(Some(deployed())).unwrap();
    world.until("built", "deployed").await;
    assert!(!artifact.exists());
    testing::queue(&world.store, "there", "production", 'a').await;
    assert!(!world.call().await.artifact);
    world.stop().await;
}

#[tokio::test]
async fn the_commit_that_is_live_after_a_rollback_is_asked_of_the_host_when_the_ledger_has_none() {
    let mut world = World::start().await;
    testing::queue(&world.store, "p1", "production", 'a').await;
    let outcome = Outcome::RolledBack {
        restored: ReleaseId::parse("by-hand").unwrap(),
        failed: ReleaseId::parse("two").unwrap(),
        failure: Failure {
            host: None,
            step: "health".to_owned(),
            message: "500".to_owned(),
            hint: None,
        },
    };
    world.call().await.end.send(Some(outcome)).unwrap();
    let done = world.until("p1", "rolled_back").await;
    assert_eq!(done.live.unwrap().commit, Some(testing::commit('e')));
    world.stop().await;
}

#[tokio::test]
async fn an_environment_that_is_gone_from_the_settings_is_refused() {
    let world = World::start().await;
    testing::queue(&world.store, "p1", "lab", 'a').await;
    let refused = world.until("p1", "refused").await;
    assert!(format!("{:?}", refused.outcome).contains("shop/lab is no longer configured"));
    world.stop().await;
}
