//! Faults of workers and of whoever manages them.

use std::fs;

use cutover_deploy::config::{AfterDrain, HandOver};
use insta::assert_snapshot;
use kit::{FIRST, wait_for};
use std::time::Duration;

use super::{
    WORKERS, diagnosis, diagnosis_with, edit, file, healthy, picture, supervisor_reads, well,
};

const SECOND: &str = "20260102T000000Z-2222222";

/// A job that takes long, and a lock for ever if it is killed.
const REPORT: &str = "<?php
namespace App\\Jobs;
class Report implements \\Illuminate\\Contracts\\Queue\\ShouldQueue
{
    public int $timeout = 15 * 60;
    public function middleware() { return [new WithoutOverlapping('report')]; }
}
";

#[tokio::test]
async fn what_kills_a_job_is_named_by_the_words_of_supervisor_and_of_the_worker() {
    let scene = healthy().await;
    let before = edit(&scene, WORKERS, |text| {
        text.replace(
            "--tries=3 --timeout=60 --max-time=3600",
            "--tries=1 --timeout=120",
        )
        // It ends as soon as it would look for another job.
        .replace("--sleep=0.1", "--sleep=60 --memory=0")
        .replace("stopwaitsecs=70", "stopwaitsecs=10")
        .replace("stopsignal=TERM", "stopsignal=INT\nstopasgroup=true")
        .replace("autorestart=true", "")
    });
    supervisor_reads(&scene).await;
    assert_snapshot!(picture(&scene, &diagnosis(&scene).await), @"
    loses queue.retry-after: retry_after of redis is 90 s, and a job may take 120 s
    loses supervisor.autorestart: app-worker: autorestart is unexpected, by default
    loses supervisor.stopsignal: app-worker: stopsignal is INT
    loses supervisor.stopwaitsecs: app-worker: stopwaitsecs is 10, and a job may take 120 s
    risk supervisor.stopasgroup: app-worker: stopasgroup=true
    risk workers.drain: app-worker: drain_timeout is 70 s, and a job that takes 120 s takes the deployment back
    risk workers.memory: app-worker: --memory=0
    risk workers.tries: app-worker: --tries is 1
    remark workers.max-time: app-worker: neither --max-time nor --max-jobs
    ");
    let told = diagnosis_with(&scene, |_, environment| {
        environment.workers[0].hand_over = HandOver::Restart;
        environment.workers[0].after_drain = AfterDrain::Force;
    });
    let told = told.await;
    let found = told
        .findings
        .iter()
        .find(|found| found.id == "workers.drain");
    assert_snapshot!(found.unwrap().found, @"app-worker: drain_timeout is 70 s, and a job that takes 120 s is killed then");
    assert!(
        told.findings
            .iter()
            .any(|found| found.id == "workers.hand-over")
    );

    fs::write(
        file(&scene, WORKERS),
        before
            .replace("queue:work redis", "queue:listen redis")
            .replace("--timeout=60 --max-time=3600", "--timeout=0")
            .replace("killasgroup=true", ""),
    )
    .unwrap();
    supervisor_reads(&scene).await;
    assert_snapshot!(picture(&scene, &diagnosis(&scene).await), @"
    loses queue.retry-after: retry_after of redis is 90 s, and a job may take any time
    risk workers.listen: app-worker runs queue:listen
    risk workers.timeout: app-worker: --timeout=0
    remark supervisor.killasgroup: app-worker: killasgroup is off
    remark workers.max-time: app-worker: neither --max-time nor --max-jobs
    not checked supervisor.stopwaitsecs: app-worker: nothing limits a job
    ");

    fs::write(file(&scene, WORKERS), before).unwrap();
    supervisor_reads(&scene).await;
    // What a job says itself goes before what its worker is told.
    scene.host().write("current/app/Jobs/Report.php", REPORT);
    assert_snapshot!(picture(&scene, &diagnosis(&scene).await), @"
    loses queue.retry-after: retry_after of redis is 90 s, and a job may take 900 s ($timeout in app/Jobs/Report.php)
    loses supervisor.stopwaitsecs: app-worker: stopwaitsecs is 70, and a job may take 900 s ($timeout in app/Jobs/Report.php)
    risk queue.overlap-lock: WithoutOverlapping without expireAfter in app/Jobs/Report.php
    risk workers.drain: app-worker: drain_timeout is 70 s, and a job that takes 900 s ($timeout in app/Jobs/Report.php) takes the deployment back
    ");
    scene.host().sh("rm current/app/Jobs/Report.php").await;
    well(&scene).await;
    scene.close().await;
}

#[tokio::test]
async fn workers_that_are_down_on_old_code_or_nobodys_are_named() {
    let scene = healthy().await;
    scene
        .host()
        .sh("supervisorctl stop app-worker:app-worker_00")
        .await;
    scene.host().seed_release(SECOND).await;
    let artisan = format!("releases/{FIRST}/artisan");
    let artisan = scene.host().path().join(artisan);
    let stray = format!(
        "setsid php {} queue:work redis --tries=3 --max-time=3600 </dev/null >../../log/stray.log 2>&1 & echo $!",
        artisan.display()
    );
    let pid: i32 = scene.host().sh(&stray).await.trim().parse().unwrap();
    // It is seen once it has become PHP.
    wait_for("the stray worker", Duration::from_secs(10), async || {
        let words = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        if words.contains("queue:work") && words.starts_with("php") {
            Ok(())
        } else {
            Err(words)
        }
    })
    .await;
    let told = diagnosis(&scene).await;
    let shown = picture(&scene, &told)
        .replace(SECOND, "SECOND")
        .replace(&pid.to_string(), "PID");
    assert_snapshot!(shown, @"
    loses workers.running: 1 of 2 workers of app-worker run: app-worker:app-worker_00 is STOPPED
    loses workers.stale: app-worker:app-worker_01 runs FIRST, and SECOND is live
    loses workers.unmanaged: no group of the configuration has queue:work (pid PID)
    ");
    scene.host().sh(&format!("kill {pid}; ln -sfn releases/{FIRST} current; supervisorctl start app-worker:app-worker_00")).await;
    supervisor_reads(&scene).await;
    wait_for(
        "the end of the stray worker",
        Duration::from_secs(10),
        async || match fs::read_to_string(format!("/proc/{pid}/cmdline")) {
            Ok(words) if !words.is_empty() => Err(words),
            _ => Ok(()),
        },
    )
    .await;
    well(&scene).await;
    scene.close().await;
}
