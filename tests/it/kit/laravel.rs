//! A host with everything: the sample app is served, jobs are done, and old code gives itself away.

use std::time::Duration;

use kit::{Daemon, FIRST, Host, HostOptions, Load, Web, wait_for};

const SECOND: &str = "20260102T000000Z-1111111";

#[tokio::test]
async fn the_sample_app_is_served_and_its_jobs_are_done_by_real_workers() {
    let host = Host::start(HostOptions::laravel("web1")).await;
    let (status, health) = host.health().await;
    assert_eq!(status, 200, "{health}");
    for (field, value) in [
        ("release", FIRST),
        ("revision", FIRST),
        ("front", FIRST),
        ("code", "one"),
    ] {
        assert_eq!(health[field], value, "{field} of {health}");
    }
    assert_eq!(health["ok"], true, "{health}");
    assert!(host.get("/").await.1.contains(FIRST));

    let workers = host.workers();
    assert_eq!(
        workers
            .iter()
            .map(|worker| worker.release.as_str())
            .collect::<Vec<_>>(),
        [FIRST, FIRST]
    );
    host.push_jobs(3, Duration::from_millis(10)).await;
    let jobs = host.jobs_done(Duration::from_secs(20)).await;
    assert_eq!(
        (jobs.pushed, jobs.finished, jobs.failed, jobs.lost),
        (3, 3, 0, 0),
        "{jobs:#?}"
    );
    for run in &jobs.runs {
        assert!(
            workers.iter().any(|worker| worker.pid == run.pid),
            "{run:?} by none of {workers:?}"
        );
        assert_eq!((run.release.as_str(), run.attempt), (FIRST, 1));
    }
    host.close().await;
}

#[tokio::test]
async fn a_swap_loses_no_request_and_workers_follow_by_term() {
    let host = Host::start(HostOptions::laravel("web1")).await;
    let mut load = Load::start(&format!("{}/health", host.http_url()), 20);
    load.answers(5).await;
    host.push_jobs(1, Duration::from_secs(1)).await;
    let begun = host.jobs_begun(1).await;
    host.seed_release(SECOND).await;
    load.answers(5).await;
    let signal = host
        .over_ssh("sudo -n supervisorctl signal TERM app-worker:*")
        .await;
    assert!(signal.status.success(), "{signal:?}");
    wait_for(
        "both workers on the second release",
        Duration::from_secs(20),
        async || {
            let workers = host.workers();
            let follow =
                workers.len() == 2 && workers.iter().all(|worker| worker.release == SECOND);
            if follow {
                Ok(())
            } else {
                Err(format!("{workers:?}"))
            }
        },
    )
    .await;
    let jobs = host.jobs_done(Duration::from_secs(20)).await;
    assert_eq!(
        (jobs.finished, jobs.runs.len()),
        (1, 1),
        "the job that had begun was not cut short: {begun:?} {jobs:?}"
    );
    let report = load.stop().await;
    assert_eq!(report.failed, 0, "{report}");
    assert_eq!(
        report.releases.keys().collect::<Vec<_>>(),
        [FIRST, SECOND],
        "{report}"
    );
    host.close().await;
}

#[tokio::test]
async fn with_document_root_old_code_is_served_until_a_reload() {
    let host = Host::start(HostOptions {
        web: Web::DocumentRoot,
        workers: 0,
        ..HostOptions::laravel("web1")
    })
    .await;
    assert_eq!(host.health().await.1["release"], FIRST);
    host.seed_release(SECOND).await;
    assert_eq!(
        host.health().await.1["release"],
        FIRST,
        "OPcache kept the old code"
    );
    let reload = host.over_ssh("sudo -n systemctl reload php8.2-fpm").await;
    assert!(reload.status.success(), "{reload:?}");
    wait_for("the new code", Duration::from_secs(10), async || {
        let (_, health) = host.health().await;
        if health["release"] == SECOND {
            Ok(())
        } else {
            Err(health.to_string())
        }
    })
    .await;
    host.close().await;
}

#[tokio::test]
async fn a_request_that_began_before_a_swap_ends_on_the_release_it_began_on() {
    let host = Host::start(HostOptions {
        workers: 0,
        ..HostOptions::laravel("web1")
    })
    .await;
    let (slow, ()) = tokio::join!(host.get("/slow/0.5"), host.seed_release(SECOND));
    let slow: serde_json::Value = serde_json::from_str(&slow.1).unwrap();
    assert_eq!(
        (&slow["release"], &slow["late"]),
        (&FIRST.into(), &FIRST.into())
    );
    host.close().await;
}

#[tokio::test]
async fn an_ill_app_and_ended_programs_show_in_health() {
    let host = Host::start(HostOptions::laravel("web1")).await;
    host.make_ill();
    assert_eq!(host.health().await.0, 500);
    host.make_well();
    assert_eq!(host.health().await.0, 200);

    host.kill_daemon(Daemon::PhpFpm).await;
    assert_eq!(host.health().await.0, 502);
    host.start_daemon(Daemon::PhpFpm).await;
    assert_eq!(host.health().await.0, 200);

    host.stop_daemon(Daemon::Redis).await;
    let push = host
        .try_sh("php current/artisan test:push 1 --tag=unheard")
        .await;
    assert!(
        !push.status.success(),
        "a push without Redis went well: {push:?}"
    );
    host.stop_daemon(Daemon::Supervisor).await;
    assert_eq!(host.workers(), []);
    host.close().await;
}
