//! A real Laravel app under load: no request fails, no job is lost, and what runs afterwards is proven.

use std::time::Duration;

use cutover_deploy::{Config, Event, ReleaseId};
use insta::assert_snapshot;
use kit::{Breakage, FIRST, Files, HostOptions, Load, LoadReport, SampleApp, Web, wait_for};

use super::scene::{Plot, Running, Scene};
use super::told::Told;

/// How the shop is set up.
pub(super) struct Shop {
    pub(super) web: Web,
    /// What PHP-FPM gets after a swap.
    pub(super) fpm: &'static str,
    /// Whether its pool is asked.
    pub(super) pool: bool,
    /// Lines of `[environments.production]`.
    pub(super) keys: &'static str,
    /// How often its health is asked.
    pub(super) health: &'static str,
    /// Lines of `[[environments.production.workers]]`.
    pub(super) workers: &'static str,
}

impl Default for Shop {
    fn default() -> Self {
        Self {
            web: Web::RealpathRoot,
            fpm: "nothing",
            pool: false,
            keys: "",
            health: "attempts = 20\ninterval = \"200ms\"",
            workers: "drain_timeout = \"30s\"",
        }
    }
}

/// What is ill for good need not be asked for long.
const ILL: &str = "attempts = 4\ninterval = \"100ms\"";

/// A host with the sample app live, and two workers.
pub(super) async fn shop(shop: Shop) -> Scene {
    let host = HostOptions {
        web: shop.web,
        ..HostOptions::laravel("web1")
    };
    let pool = if shop.pool {
        "pool = \"@dir@/run/php-fpm.sock\"\nwarm = [\"/\"]"
    } else {
        ""
    };
    Scene::start(Plot {
        hosts: vec![host],
        health: shop.health.to_owned(),
        keys: shop.keys.to_owned(),
        tables: format!(
            "[[environments.production.workers]]\ngroup = \"app-worker\"\nexpect = 2\n{}\n\
             [environments.production.php_fpm]\nservice = \"php8.2-fpm\"\nafter_swap = \"{}\"\n{pool}",
            shop.workers, shop.fpm
        ),
        ..Plot::default()
    })
    .await
}

pub(super) async fn deploy(scene: &Scene, files: Files) -> Told {
    begin(scene, files).await.end().await
}

/// Begins to deploy these files.
pub(super) async fn begin(scene: &Scene, files: Files) -> Running {
    let files: Vec<_> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    scene.begin(&scene.wish(&files).await)
}

pub(super) fn load(scene: &Scene) -> Load {
    Load::start(&format!("{}/health", scene.host().http_url()), 15)
}

/// Every worker that was told to be proven runs `release`, and so does every one that there is.
fn proven(scene: &Scene, told: &Told, release: &ReleaseId) {
    let proven = told.events.iter().filter_map(|event| match event {
        Event::WorkerProven { release, .. } => Some(release),
        _ => None,
    });
    assert_eq!(
        proven.collect::<Vec<_>>(),
        [release, release],
        "{}",
        told.story()
    );
    let workers = scene.host().workers();
    let releases: Vec<_> = workers
        .iter()
        .map(|worker| worker.release.as_str())
        .collect();
    assert_eq!(releases, [release.as_str(), release.as_str()]);
}

pub(super) fn nothing_failed(report: &LoadReport) {
    assert!(report.failed == 0 && report.served > 10, "{report}");
}

async fn nothing_lost(scene: &Scene) {
    let jobs = scene.host().jobs_done(Duration::from_mins(1)).await;
    assert_eq!(
        (jobs.finished, jobs.failed, jobs.lost),
        (jobs.pushed, 0, 0),
        "{jobs:#?}"
    );
    assert!(jobs.runs.iter().all(|run| run.attempt == 1), "{jobs:#?}");
}

/// No job was run by code older than the code that had put it on the queue.
pub(super) async fn nothing_older(scene: &Scene) {
    let jobs = scene.host().jobs_done(Duration::from_mins(1)).await;
    let older = "sqlite3 -readonly shared/database/app.sqlite \
        'select count(*) from runs join pushed using (tag) where runs.release < pushed.release'";
    assert_eq!(scene.host().sh(older).await.trim(), "0", "{jobs:#?}");
}

/// Pushes short jobs one after another for as long as something takes.
pub(super) async fn meanwhile<T>(scene: &Scene, something: impl Future<Output = T>) -> T {
    let pushing = async {
        loop {
            scene.host().push_jobs(1, Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        done = something => done,
        () = pushing => unreachable!("it goes on for ever"),
    }
}

#[tokio::test]
async fn a_deployment_and_a_rollback_under_load_fail_no_request_and_lose_no_job() {
    let scene = shop(Shop::default()).await;
    let mut load = load(&scene);
    load.answers(5).await;
    scene.host().push_jobs(6, Duration::from_secs(1)).await;
    scene.host().jobs_begun(1).await;

    let told = meanwhile(&scene, deploy(&scene, SampleApp::code("two"))).await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    let second = scene.live().unwrap();
    proven(&scene, &told, &second);
    nothing_older(&scene).await;
    assert_eq!(scene.host().health().await.1["code"], "two");
    load.answers(5).await;

    scene.host().push_jobs(6, Duration::from_secs(1)).await;
    let told = deploy(&scene, SampleApp::code("three")).await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    let told = scene.rollback().await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    assert_eq!(scene.live(), Some(second.clone()));
    proven(&scene, &told, &second);
    load.answers(5).await;
    let report = load.stop().await;
    nothing_failed(&report);
    nothing_lost(&scene).await;
    scene.close().await;
}

#[tokio::test]
async fn a_release_whose_health_fails_is_taken_back_with_its_workers_and_loses_nothing() {
    let scene = shop(Shop {
        health: ILL,
        ..Shop::default()
    })
    .await;
    scene.host().push_jobs(3, Duration::from_secs(1)).await;
    for breakage in [Breakage::Health500, Breakage::HealthNotOk] {
        let told = deploy(&scene, SampleApp::broken(breakage)).await;
        assert_eq!(told.exit(), 1, "{breakage:?}\n{}", told.story());
        assert!(
            told.outcome().starts_with("rolled back"),
            "{}",
            told.outcome()
        );
        assert_eq!(scene.live().unwrap().as_str(), FIRST);
        assert_eq!(scene.host().health().await.1["release"], FIRST);
        scene.host().workers_run(2).await;
        assert!(
            scene
                .host()
                .workers()
                .iter()
                .all(|worker| worker.release == FIRST)
        );
    }
    nothing_lost(&scene).await;
    scene.close().await;
}

#[tokio::test]
async fn what_does_not_build_boot_or_migrate_never_becomes_live() {
    let scene = shop(Shop::default()).await;
    // Each stops earlier than the one before.
    for (breakage, step) in [
        (
            Breakage::Migration,
            "preview: php artisan migrate --pretend",
        ),
        (Breakage::Boot, "prepare: php artisan config:cache"),
        (Breakage::Build, "build: composer install"),
    ] {
        let told = deploy(&scene, SampleApp::broken(breakage)).await;
        assert_eq!(told.exit(), 1, "{breakage:?}\n{}", told.story());
        let failed = told.outcome.failure().unwrap().clone();
        assert!(failed.step.starts_with(step), "{failed:?}");
        assert!(failed.message.len() > "exit 1: ".len(), "{failed:?}");
    }
    let (status, health) = scene.host().health().await;
    assert_eq!((status, &health["release"]), (200, &FIRST.into()));
    scene.close().await;
}

#[tokio::test]
async fn with_document_root_a_reload_serves_the_new_code_and_without_one_health_says_so() {
    let reload = Shop {
        web: Web::DocumentRoot,
        fpm: "reload",
        ..Shop::default()
    };
    let scene = shop(reload).await;
    let mut requests = load(&scene);
    requests.answers(5).await;
    let told = deploy(&scene, SampleApp::code("two")).await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    assert_eq!(scene.host().health().await.1["code"], "two");
    requests.answers(5).await;
    nothing_failed(&requests.stop().await);
    scene.close().await;

    let nothing = Shop {
        web: Web::DocumentRoot,
        health: ILL,
        ..Shop::default()
    };
    let scene = shop(nothing).await;
    assert_eq!(scene.host().health().await.0, 200);
    let told = deploy(&scene, SampleApp::code("two")).await;
    assert_eq!(told.exit(), 1, "{}", told.story());
    assert_snapshot!(told.outcome().replace(FIRST, "FIRST"), @r#"
    rolled back: FIRST is live and healthy again; r1 failed
      health on web1: http://127.0.0.1/health did not become healthy in 4 attempts: release is "FIRST", so release r1 does not answer
      Look at the app's own log on the host, below shared/storage/logs for Laravel.
    "#);
    scene.close().await;
}

/// Switches while a job runs for whose end the drain does not wait.
async fn outlasted(after_drain: &'static str) -> (Scene, Told) {
    let scene = shop(Shop {
        workers: after_drain,
        ..Shop::default()
    })
    .await;
    scene.host().hold_at("mark live");
    let running = scene.begin(&scene.wish(&[]).await);
    scene.host().reached("mark live").await;
    scene.host().push_jobs(1, Duration::from_secs(15)).await;
    scene.host().jobs_begun(1).await;
    scene.host().mend_step("mark live");
    let told = running.end().await;
    (scene, told)
}

#[tokio::test]
async fn a_job_that_outlasts_the_drain_fails_the_deployment_and_goes_on_on_the_old_release() {
    let (scene, told) = outlasted("drain_timeout = \"5s\"\nafter_drain = \"fail\"").await;
    assert_eq!(scene.live().unwrap().as_str(), FIRST, "{}", told.story());
    let failure = told.outcome.failure().unwrap();
    assert_eq!(failure.step, "workers app-worker");
    assert!(
        failure
            .message
            .contains("of 2 workers of app-worker run the release"),
        "{failure:?}"
    );
    assert!(
        failure.hint.as_ref().unwrap().contains("drain_timeout"),
        "{failure:?}"
    );
    nothing_lost(&scene).await;
    scene.host().workers_run(2).await;
    scene.close().await;
}

#[tokio::test]
async fn a_job_that_outlasts_the_drain_is_killed_where_it_is_told_so() {
    let (scene, told) = outlasted("drain_timeout = \"5s\"\nafter_drain = \"force\"").await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    proven(&scene, &told, &scene.live().unwrap());
    let jobs = scene.host().jobs().await;
    assert_eq!((jobs.finished, jobs.runs.len()), (0, 1), "{jobs:#?}");
    scene.close().await;
}

#[tokio::test]
async fn a_job_that_outlasts_the_drain_may_finish_where_it_is_told_so() {
    let (scene, told) = outlasted("drain_timeout = \"5s\"\nafter_drain = \"keep\"").await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    let kept: Vec<_> = told
        .output()
        .into_iter()
        .filter(|line| line.starts_with("drains "))
        .collect();
    assert!(kept.len() == 1 && kept[0].contains(FIRST), "{kept:?}");
    nothing_lost(&scene).await;
    let live = scene.live().unwrap();
    wait_for(
        "both workers on the new release",
        Duration::from_secs(20),
        async || {
            let workers = scene.host().workers();
            let follow = workers
                .iter()
                .filter(|worker| worker.release == live.as_str());
            if follow.count() == 2 {
                Ok(())
            } else {
                Err(format!("{workers:?}"))
            }
        },
    )
    .await;
    scene.close().await;
}

#[tokio::test]
async fn workers_that_their_manager_does_not_start_again_are_started_and_restarted_where_told() {
    let mut scene = shop(Shop::default()).await;
    let file = scene.host().dir().join("etc/supervisor/app-worker.conf");
    let text = std::fs::read_to_string(&file).unwrap();
    // Laravel's workers end with 0 on TERM, which `unexpected` takes for wanted.
    std::fs::write(
        &file,
        text.replace("autorestart=true", "autorestart=unexpected"),
    )
    .unwrap();
    scene.host().sh("supervisorctl update >/dev/null").await;
    scene.host().workers_run(2).await;
    let told = deploy(&scene, SampleApp::code("two")).await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    proven(&scene, &told, &scene.live().unwrap());
    scene.text = scene.text.replace(
        "drain_timeout =",
        "hand_over = \"restart\"\ndrain_timeout =",
    );
    scene.config = Config::parse("cutover.toml", &scene.text).unwrap();
    let told = deploy(&scene, SampleApp::code("three")).await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    proven(&scene, &told, &scene.live().unwrap());
    let restarts = told.output().iter().any(|line| line.ends_with(": stopped"));
    assert!(restarts, "{}", told.story());
    scene.close().await;
}

#[tokio::test]
async fn workers_of_a_group_that_does_not_exist_are_told_before_anything_is_swapped() {
    let scene = shop(Shop::default()).await;
    scene
        .host()
        .sh("rm ../../etc/supervisor/app-worker.conf; supervisorctl update >/dev/null")
        .await;
    let told = deploy(&scene, SampleApp::code("two")).await;
    assert_eq!(told.exit(), 1, "{}", told.story());
    let failure = told.outcome.failure().unwrap();
    assert_eq!(failure.step, "workers app-worker pause");
    assert!(
        failure
            .hint
            .as_ref()
            .unwrap()
            .contains("supervisorctl status"),
        "{failure:?}"
    );
    assert_eq!(scene.live().unwrap().as_str(), FIRST);
    scene.close().await;
}
