//! What a job makes live, and what it takes back.

use rustix::process::{Pid, Signal, kill_process};

use super::{Job, action_yml, keys};

pub(super) fn signal(pid: Option<u32>, signal: Signal) {
    let pid = pid.and_then(|pid| Pid::from_raw(pid.cast_signed()));
    kill_process(pid.unwrap(), signal).unwrap();
}

#[tokio::test]
async fn a_job_deploys_its_workspace_and_says_what_is_live() {
    let job = Job::start().await;
    let ended = job.step().await;
    assert_eq!(ended.code(), 0, "{}", ended.log);

    let release = ended.output("release");
    assert_eq!(ended.output("outcome"), "deployed");
    assert_eq!(ended.output("previous"), "");
    assert_eq!(ended.output("url"), "https://shop.example.com");
    assert_eq!(ended.output("commit"), job.repo.head().await.as_str());
    let promised = keys(&action_yml(), "outputs");
    assert!(
        ended.outputs.keys().eq(&promised),
        "{:?} of {promised:?}",
        ended.outputs
    );
    let read = |file: &str| job.host.read(&format!("releases/{release}/{file}"));
    assert_eq!(read("index.html").as_deref(), Some("one"));
    assert_eq!(read(".env").as_deref(), Some("TOKEN=of-the-host"));
    assert_eq!(read(".git/HEAD"), None);
    insta::assert_snapshot!(job.host.picture().await, @r"
        current -> releases/1
        releases/1/
        shared/.env
        .cutover/fence 1
        .cutover/lock free
        .cutover/log.jsonl
        .cutover/releases/1.json healthy
        .cutover/steps/<1>/
        ");
    let record = job.host.read(&format!(".cutover/releases/{release}.json"));
    let record = record.unwrap();
    assert!(
        record.contains("alice") && record.contains("https://github.com/acme/shop/actions/runs/42"),
        "{record}"
    );

    assert!(ended.log.contains("::set-output name=outcome::hacked"));
    insta::assert_snapshot!(ended.commands().join("\n"), @r"
        group::plan
        endgroup::
        group::stage
        endgroup::
        group::switch
        endgroup::
        group::health
        endgroup::
        group::keep
        endgroup::
        ");
    let summary = ended.summary.replace(release, "RELEASE");
    assert!(
        summary.starts_with("### production: deployed: RELEASE is live and healthy (the first)\n"),
        "{summary}"
    );
    assert!(
        summary.contains("| phase | step | the runner | web1 |"),
        "{summary}"
    );

    // The same once more changes nothing.
    let again = job.step().await;
    assert_eq!((again.code(), again.output("outcome")), (0, "unchanged"));
    assert_eq!(again.output("release"), release);
    job.close().await;
}

#[tokio::test]
async fn a_release_that_is_not_healthy_is_taken_back_and_fails_the_job() {
    let mut job = Job::start().await;
    let first = job.step().await;
    job.repo.commit("fall ill", [("ok", "no")]).await;
    let ended = job.step().await;
    assert_eq!(ended.code(), 1, "{}", ended.log);
    assert_eq!(ended.output("outcome"), "rolled_back");
    assert_eq!(ended.output("release"), first.output("release"));
    assert_eq!(ended.output("previous"), first.output("release"));
    let errors = ended.errors().join("\n");
    insta::assert_snapshot!(errors.replace(&job.port.to_string(), "PORT"), @"error title=production%3A rolled back::health on web1: http://127.0.0.1:PORT/health did not become healthy in 2 attempts: HTTP 500, not 200: ill%0ALook at the app's own log on the host, below shared/storage/logs for Laravel.");
    assert!(
        ended.summary.contains("HTTP 500, not 200: ill"),
        "{}",
        ended.summary
    );
    insta::assert_snapshot!(job.host.picture().await, @r"
        current -> releases/1
        releases/1/
        releases/2/
        shared/.env
        .cutover/fence 2
        .cutover/lock free
        .cutover/log.jsonl
        .cutover/releases/1.json healthy
        .cutover/releases/2.json rolled-back
        .cutover/steps/<1>/
        .cutover/steps/<2>/
        ");

    // By hand it is the same: an earlier release, without building anything.
    job.repo.commit("get well", [("ok", "yes")]).await;
    let third = job.step().await;
    assert_eq!(third.output("outcome"), "deployed", "{}", third.log);
    job.input("command", "rollback");
    let back = job.step().await;
    assert_eq!(
        (back.code(), back.output("outcome")),
        (0, "deployed"),
        "{}",
        back.log
    );
    assert_eq!(back.output("release"), first.output("release"));
    assert_eq!(back.output("previous"), third.output("release"));
    assert_eq!(back.output("commit"), "");
    job.close().await;
}

#[tokio::test]
async fn a_job_that_is_called_off_leaves_the_host_as_it_was() {
    let job = Job::start().await;
    job.step().await;
    job.repo.commit("two", [("index.html", "two")]).await;
    job.host.hold_at("unpack");
    let child = job.launcher("main.mjs").spawn().unwrap();
    let pid = child.id();
    let act = async {
        job.host.reached("unpack").await;
        signal(pid, Signal::INT);
        signal(pid, Signal::TERM);
        job.says("still ending").await;
        job.host.mend_step("unpack");
    };
    let (ended, ()) = tokio::join!(job.ended(child), act);
    assert_eq!(
        (ended.code(), ended.output("outcome")),
        (1, "cancelled"),
        "{}",
        ended.log
    );
    insta::assert_snapshot!(job.host.picture().await, @r"
    current -> releases/1
    releases/1/
    shared/.env
    .cutover/fence 2
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/2.json failed
    .cutover/steps/<1>/
    .cutover/steps/<2>/
    ");
    job.close().await;
}

#[tokio::test]
async fn post_tidies_up_after_a_launcher_that_was_killed() {
    let job = Job::start().await;
    job.host.hold_at("unpack");
    let mut child = job.launcher("main.mjs").spawn().unwrap();
    job.host.reached("unpack").await;
    signal(child.id(), Signal::KILL);
    child.wait().await.unwrap();
    let left = std::fs::read_dir(job.temp()).unwrap().count();
    assert_eq!(left, 1, "a killed launcher leaves its folder behind");

    let tidying = job.post().spawn().unwrap();
    let act = async {
        job.says("calling off").await;
        job.host.mend_step("unpack");
    };
    let (ended, ()) = tokio::join!(job.ended(tidying), act);
    assert_eq!(ended.code(), 0, "{}", ended.log);
    assert!(!ended.log.contains("had not ended"), "{}", ended.log);
    insta::assert_snapshot!(job.host.picture().await, @"
    shared/.env
    .cutover/fence 1
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json failed
    .cutover/steps/<1>/
    ");
    // The lease is free, and nothing stands in the way of the next one.
    let next = job.step().await;
    assert_eq!(next.output("outcome"), "deployed", "{}", next.log);
    job.close().await;
}

#[tokio::test]
async fn what_is_checked_out_is_what_is_named_not_what_the_run_began_with() {
    let job = Job::start().await;
    let first = job.repo.head().await;
    job.repo.commit("two", [("index.html", "two")]).await;
    let newest = job.repo.head().await;
    job.repo.check_out(first.as_str()).await;
    let mut launcher = job.launcher("main.mjs");
    launcher.env("GITHUB_SHA", newest.as_str());
    let ended = job.ended(launcher.spawn().unwrap()).await;
    assert_eq!(ended.output("commit"), first.as_str(), "{}", ended.log);
    assert!(ended.output("release").ends_with(first.short()));
    job.close().await;
}

#[tokio::test]
async fn a_runner_that_listens_is_told_to_mask_the_key() {
    let mut job = Job::start().await;
    job.variables.insert("GITHUB_ACTIONS", "true".to_owned());
    job.input("command", "check");
    let ended = job.step().await;
    assert_eq!(ended.code(), 0, "{}", ended.log);
    let key = job.inputs["ssh-key"].lines();
    let secret = key.filter(|line| !line.starts_with("-----") && line.len() >= 16);
    let masks: Vec<_> = secret.map(|line| format!("add-mask::{line}")).collect();
    assert!(masks.len() > 2, "the key has several lines");
    assert_eq!(ended.commands(), masks);
    job.close().await;
}
