//! What GitHub is told: the service's ledger and sender against a GitHub that refuses what the real one would.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::time::Duration;

use cutover::forge::Delivered;
use cutover::forge::Forges;
use cutover::forge::github::hook;
use cutover::report::sender::Sender;
use cutover::settings::{GitHub as Settings, Login};
use cutover::store::{Answer, Enqueued, Live, NewDelivery, NewDeployment, Store, TakenIn};
use cutover_deploy::{
    AppName, CommitSha, DeployRequest, DeploymentId, EnvironmentName, Failure, HostName, Kind,
    Outcome, ReleaseId,
};
use kit::github::{GitHub, Trouble, published_examples};
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

mod settings;

const SHOP: &str = "acme/shop";
const FIRST: &str = "1111111111111111111111111111111111111111";
const SECOND: &str = "2222222222222222222222222222222222222222";

mod app;

/// A GitHub, a ledger, and the sender between them.
struct World {
    github: GitHub,
    login: Login,
    store: Store,
    sending: Option<(CancellationToken, JoinHandle<()>)>,
    dir: TempDir,
}

impl World {
    async fn start() -> Self {
        let github = GitHub::start().await;
        let login = Login::Token(SecretString::from(github.token()));
        Self::with(github, login).await
    }

    async fn with(github: GitHub, login: Login) -> Self {
        github.add_repo(SHOP, "file:///srv/shop.git");
        github.commit(SHOP, "main", FIRST);
        github.commit(SHOP, "main", SECOND);
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("cutover.db")).await.unwrap();
        let mut world = Self {
            github,
            login,
            store,
            sending: None,
            dir,
        };
        world.send();
        world
    }

    fn send(&mut self) {
        let settings = Settings {
            webhook_secrets: vec![SecretString::from("unused here")],
            login: self.login.clone(),
            api_url: self.github.base_url(),
        };
        let settings = settings::on_github(self.dir.path(), settings);
        let forges = Forges::new(&settings).unwrap();
        let sender = Sender::new(self.store.clone(), forges);
        let stop = CancellationToken::new();
        self.sending = Some((stop.clone(), tokio::spawn(sender.run(stop))));
    }

    async fn stop(&mut self) {
        if let Some((stop, task)) = self.sending.take() {
            stop.cancel();
            task.await.unwrap();
        }
    }

    /// The service ends and starts again on the same ledger.
    async fn restart(&mut self) {
        self.stop().await;
        self.store.close().await;
        self.store = Store::open(&self.dir.path().join("cutover.db"))
            .await
            .unwrap();
        self.send();
    }

    async fn queue(&self, id: &str, environment: &str, commit: &str) -> Enqueued {
        let now = cutover_deploy::now();
        let delivery = NewDelivery {
            forge: "github",
            id,
            event: "push",
            hook_id: None,
            body: None,
            received_at: now,
        };
        let new = NewDeployment {
            app: AppName::parse("shop").unwrap(),
            environment: EnvironmentName::parse(environment).unwrap(),
            repository: SHOP.to_owned(),
            environment_url: Some(format!("https://{environment}.shop.test")),
            branch: None,
            request: DeployRequest {
                deployment: DeploymentId::parse(id).unwrap(),
                kind: Kind::Deploy {
                    commit: CommitSha::parse(commit).unwrap(),
                },
                actor: "github push by alice".to_owned(),
                run_url: Some(format!("https://cutover.test/deployments/{id}")),
                keeper: None,
                plan_digest: None,
                allow_destructive: false,
                requested_at: now,
            },
        };
        let answer = |_: &[Enqueued]| Answer {
            status: 202,
            body: serde_json::json!({}),
        };
        match self.store.take_in(&delivery, &[new], answer).await.unwrap() {
            TakenIn::New(_, mut enqueued) => enqueued.remove(0),
            TakenIn::Duplicate(_) => panic!("{id} was there before"),
        }
    }

    async fn begin(&self) -> DeploymentId {
        self.store
            .claim(cutover_deploy::now())
            .await
            .unwrap()
            .unwrap()
            .id
    }

    async fn end(&self, id: &DeploymentId, outcome: &Outcome, live: Option<(&str, &str)>) {
        let live = live.map(|(release, commit)| Live {
            release: ReleaseId::parse(release).unwrap(),
            commit: Some(CommitSha::parse(commit).unwrap()),
        });
        self.store
            .conclude(id, outcome, live.as_ref(), cutover_deploy::now())
            .await
            .unwrap();
    }

    /// Queues, begins and ends a deployment that goes well.
    async fn deploy(&self, id: &str, environment: &str, commit: &str) {
        self.queue(id, environment, commit).await;
        let id = self.begin().await;
        self.end(&id, &deployed(id.as_str()), Some((id.as_str(), commit)))
            .await;
    }

    /// Waits until nothing is left to be told of a deployment.
    async fn told(&self, id: &str) {
        let id = DeploymentId::parse(id).unwrap();
        let mut changes = self.store.changes();
        let told = tokio::time::timeout(Duration::from_secs(30), async {
            while self
                .store
                .reports(&id)
                .await
                .unwrap()
                .iter()
                .any(|report| report.state == "waiting")
            {
                drop(changes.recv().await);
            }
        });
        if told.await.is_err() {
            let left = self.store.reports(&id).await.unwrap();
            panic!(
                "reports of {id} wait: {left:#?}\n{}",
                self.github.requests().join("\n")
            );
        }
    }

    async fn states(&self, id: &str) -> Vec<String> {
        let reports = self
            .store
            .reports(&DeploymentId::parse(id).unwrap())
            .await
            .unwrap();
        reports.into_iter().map(|report| report.state).collect()
    }

    async fn close(mut self) {
        self.stop().await;
        self.github.close();
    }
}

fn deployed(release: &str) -> Outcome {
    Outcome::Deployed {
        release: ReleaseId::parse(release).unwrap(),
        previous: None,
    }
}

fn rolled_back(restored: &str, failed: &str) -> Outcome {
    Outcome::RolledBack {
        restored: ReleaseId::parse(restored).unwrap(),
        failed: ReleaseId::parse(failed).unwrap(),
        failure: Failure {
            host: Some(HostName::parse("web1").unwrap()),
            step: "health".to_owned(),
            message: "status 500 instead of 200".to_owned(),
            hint: None,
        },
    }
}

#[tokio::test]
async fn a_good_deployment_is_followed_from_queue_to_success() {
    let world = World::start().await;
    world.queue("one", "production", FIRST).await;
    world.told("one").await;
    let id = world.begin().await;
    world.told("one").await;
    world.end(&id, &deployed("one"), Some(("one", FIRST))).await;
    world.told("one").await;
    insta::assert_snapshot!(world.github.picture(SHOP), @r#"
    acme/shop
      <commit 1>
        cutover/production pending "queued" https://cutover.test/deployments/one
        cutover/production pending "deploying to production" https://cutover.test/deployments/one
        cutover/production success "one is live on production" https://cutover.test/deployments/one
      deployment 1 production <commit 1> is-production "github push by alice"
        queued "queued" https://production.shop.test https://cutover.test/deployments/one
        in_progress "deploying to production" https://production.shop.test https://cutover.test/deployments/one
        success "one is live on production" https://production.shop.test https://cutover.test/deployments/one
    "#);
    let made = &world.github.deployments(SHOP)[0];
    assert_eq!((made.ref_name.as_str(), made.sha.as_str()), (FIRST, FIRST));
    assert!(made.production && !made.transient);
    world.close().await;
}

#[tokio::test]
async fn a_rollback_is_told_as_a_failure_and_as_the_restored_commit_live_again() {
    let world = World::start().await;
    world.deploy("one", "production", FIRST).await;
    world.queue("two", "production", SECOND).await;
    let id = world.begin().await;
    world
        .end(&id, &rolled_back("one", "two"), Some(("one", FIRST)))
        .await;
    world.told("two").await;
    insta::assert_snapshot!(world.github.picture(SHOP), @r#"
    acme/shop
      <commit 1>
        cutover/production pending "queued" https://cutover.test/deployments/one
        cutover/production pending "deploying to production" https://cutover.test/deployments/one
        cutover/production success "one is live on production" https://cutover.test/deployments/one
      <commit 2>
        cutover/production pending "queued" https://cutover.test/deployments/two
        cutover/production pending "deploying to production" https://cutover.test/deployments/two
        cutover/production failure "rolled back, one is live again: health on web1: status 500 instead of 200" https://cutover.test/deployments/two
      deployment 1 production <commit 1> is-production "github push by alice"
        queued "queued" https://production.shop.test https://cutover.test/deployments/one
        in_progress "deploying to production" https://production.shop.test https://cutover.test/deployments/one
        success "one is live on production" https://production.shop.test https://cutover.test/deployments/one
        inactive "no longer live"
      deployment 2 production <commit 2> is-production "github push by alice"
        queued "queued" https://production.shop.test https://cutover.test/deployments/two
        in_progress "deploying to production" https://production.shop.test https://cutover.test/deployments/two
        failure "rolled back, one is live again: health on web1: status 500 instead of 200" https://production.shop.test https://cutover.test/deployments/two
      deployment 3 production <commit 1> is-production "restored after two failed"
        success "one is live again" https://production.shop.test https://cutover.test/deployments/two
    "#);
    world.close().await;
}

#[tokio::test]
async fn outside_production_github_retires_the_older_deployment_itself() {
    let world = World::start().await;
    world.deploy("one", "staging", FIRST).await;
    world.deploy("two", "staging", SECOND).await;
    world.told("two").await;
    let newest: Vec<_> = world
        .github
        .deployments(SHOP)
        .iter()
        .map(|made| made.statuses.last().unwrap().clone())
        .collect();
    assert_eq!(
        (newest[0].state.as_str(), newest[0].automatic),
        ("inactive", true)
    );
    assert_eq!(newest[1].state, "success");
    assert!(
        world
            .github
            .deployments(SHOP)
            .iter()
            .all(|made| !made.production)
    );
    world.close().await;
}

#[tokio::test]
async fn a_superseded_deployment_is_told_so() {
    let world = World::start().await;
    world.queue("one", "production", FIRST).await;
    world.told("one").await;
    world.queue("two", "production", SECOND).await;
    world.told("one").await;
    world.told("two").await;
    let status = world.github.statuses(SHOP, FIRST).pop().unwrap();
    assert_eq!(
        (status.state.as_str(), status.description.as_deref()),
        ("error", Some("superseded by 2222222 before it began"))
    );
    assert_eq!(
        world.github.deployments(SHOP)[0]
            .statuses
            .last()
            .unwrap()
            .state,
        "inactive"
    );
    world.close().await;
}

#[tokio::test]
async fn a_forge_that_is_down_delays_nothing_and_hears_all_after_a_restart() {
    let mut world = World::start().await;
    world.github.go_down();
    let began = std::time::Instant::now();
    world.deploy("one", "production", FIRST).await;
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "a deployment waited for the forge"
    );
    world.restart().await;
    world.github.come_back();
    world.told("one").await;
    let status = world.github.statuses(SHOP, FIRST).pop().unwrap();
    assert_eq!(status.state, "success");
    let made = world.github.deployments(SHOP);
    assert_eq!(made.len(), 1);
    assert_eq!(made[0].statuses.last().unwrap().state, "success");
    assert!(!world.states("one").await.contains(&"given_up".to_owned()));
    world.close().await;
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_deployment_and_no_second_status() {
    for trouble in [Trouble::DoesThenFails(502), Trouble::DoesThenCut] {
        let world = World::start().await;
        world.github.answer_next_to("/deployments", 1, trouble);
        world.queue("one", "production", FIRST).await;
        world.told("one").await;
        let made = world.github.deployments(SHOP);
        assert_eq!(made.len(), 1, "{trouble:?}: {:#?}", world.github.requests());

        world.github.answer_next_to("/deployments", 1, trouble);
        let id = world.begin().await;
        world.told("one").await;
        let states: Vec<_> = world.github.deployments(SHOP)[0]
            .statuses
            .iter()
            .map(|status| status.state.clone())
            .collect();
        assert_eq!(states, ["queued", "in_progress"], "{trouble:?}");
        world.end(&id, &deployed("one"), Some(("one", FIRST))).await;
        world.told("one").await;
        world.close().await;
    }
}

#[tokio::test]
async fn a_limit_is_waited_out_and_order_is_kept() {
    let wait = Duration::from_secs(2);
    for trouble in [
        Trouble::PrimaryLimit(wait),
        Trouble::SecondaryLimit(wait),
        Trouble::TooMany(wait),
    ] {
        let world = World::start().await;
        world.github.answer_next(1, trouble);
        let began = std::time::Instant::now();
        world.queue("one", "production", FIRST).await;
        world.told("one").await;
        // A reset is told in whole seconds, so it may lie up to one second nearer.
        assert!(
            began.elapsed() + Duration::from_secs(1) >= wait,
            "{trouble:?}: {:?}",
            began.elapsed()
        );
        let paths: Vec<_> = world
            .github
            .requests()
            .iter()
            .map(|request| {
                request
                    .split("/repos/acme/shop/")
                    .last()
                    .unwrap_or_default()
                    .to_owned()
            })
            .collect();
        assert_eq!(paths.len(), 4, "one refused, three good: {paths:#?}");
        assert_eq!(world.states("one").await, ["sent", "sent", "sent"]);
        world.close().await;
    }
}

#[tokio::test]
async fn what_github_refuses_for_good_is_given_up_and_stays_visible() {
    let world = World::start().await;
    let unknown = "9".repeat(40);
    world.queue("one", "production", &unknown).await;
    world.told("one").await;
    assert_eq!(
        world.states("one").await,
        ["given_up", "given_up", "skipped"]
    );
    let reports = world
        .store
        .reports(&DeploymentId::parse("one").unwrap())
        .await
        .unwrap();
    assert!(
        reports[0]
            .error
            .as_deref()
            .unwrap()
            .starts_with("GitHub answered 4"),
        "{reports:#?}"
    );
    world.queue("two", "production", SECOND).await;
    world.told("two").await;
    assert_eq!(
        world.states("two").await,
        ["sent", "sent", "sent"],
        "the next ones go out"
    );
    drop(world.github.take_unexpected());
    world.close().await;
}

#[test]
fn every_push_that_github_publishes_can_be_read() {
    let mut pushes = 0;
    for example in published_examples() {
        let body = example.body.to_string();
        match hook::read(&example.event, body.as_bytes()) {
            Ok(Delivered::Push(_)) => pushes += 1,
            Ok(_) => {}
            Err(error) => panic!("{}/{}: {error}", example.set, example.event),
        }
    }
    assert!(pushes >= 7, "{pushes}");
}
