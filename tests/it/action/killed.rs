//! A step that is called off at its worst moments, or killed: what `post` makes good.

use std::fs::File;

use kit::github::GitHub;
use kit::wait_for;
use rustix::process::Signal;

use super::deploy::signal;
use super::{Job, PATIENCE};

const REPOSITORY: &str = "acme/shop";

async fn start() -> (Job, GitHub) {
    let mut job = Job::start().await;
    let github = GitHub::start().await;
    github.add_repo(REPOSITORY, &job.repo.url());
    github.commit(REPOSITORY, "main", job.repo.head().await.as_str());
    job.variables.insert("GITHUB_API_URL", github.base_url());
    job.input("token", github.token());
    (job, github)
}

/// The states of the only entry, in their order.
fn states(github: &GitHub) -> Vec<String> {
    let told = github.deployments(REPOSITORY);
    assert_eq!(told.len(), 1, "{told:#?}");
    let states = told[0].statuses.iter().map(|status| status.state.clone());
    states.collect()
}

/// Kills the launcher and the program, as a runner does whose patience is over.
pub(super) async fn kill(job: &Job, mut launcher: tokio::process::Child) {
    let state = job.file("state");
    // The newest step's is the last.
    let pid = state.rsplit("pid=").next().unwrap();
    let pid = pid.lines().next().unwrap().parse().ok();
    signal(launcher.id(), Signal::KILL);
    signal(pid, Signal::KILL);
    launcher.wait().await.unwrap();
}

#[tokio::test]
async fn a_job_that_is_called_off_while_it_packs_ends_at_once_and_touches_no_host() {
    let (job, github) = start().await;
    // It takes minutes to pack this.
    let large = File::create(job.repo.work().join("large")).unwrap();
    large.set_len(40 << 30).unwrap();
    let child = job.launcher("main.mjs").spawn().unwrap();
    let packs = async || {
        let files = walk(&job.temp());
        if files.iter().any(|file| file.ends_with(".tar.gz")) {
            Ok(())
        } else {
            Err(format!("{files:?}\n{}", job.file("log")))
        }
    };
    wait_for("an artifact that is being packed", PATIENCE, packs).await;
    signal(child.id(), Signal::INT);
    let ended = job.ended(child).await;
    assert_eq!(
        (ended.code(), ended.output("outcome")),
        (1, "cancelled"),
        "{}",
        ended.log
    );
    assert_eq!(job.host.connections(), 0);
    assert_eq!(states(&github), ["in_progress", "inactive"]);
    github.close();
    job.close().await;
}

fn walk(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths
        .flat_map(|path| {
            if path.is_dir() {
                walk(&path)
            } else {
                vec![path.display().to_string()]
            }
        })
        .collect()
}

#[tokio::test]
async fn a_release_that_was_live_when_the_step_was_killed_is_proven_by_post() {
    let (job, github) = start().await;
    job.host.hold_at("health");
    let child = job.launcher("main.mjs").spawn().unwrap();
    job.host.reached("health").await;
    kill(&job, child).await;
    job.host.mend_step("health");
    let ended = job.ended(job.post().spawn().unwrap()).await;
    assert_eq!(ended.code(), 0, "{}", ended.log);
    assert_eq!(ended.output("outcome"), "deployed", "{}", ended.log);
    insta::assert_snapshot!(job.host.picture().await, @"
    current -> releases/1
    releases/1/
    shared/.env
    .cutover/fence 2
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/steps/<1>/
    ");
    assert_eq!(states(&github), ["in_progress", "success"]);
    github.close();
    job.close().await;
}

#[tokio::test]
async fn a_program_that_does_not_end_in_time_is_killed_and_what_it_made_live_is_proven() {
    let (job, github) = start().await;
    job.host.hold_at("health");
    let mut launcher = job.launcher("main.mjs").spawn().unwrap();
    job.host.reached("health").await;
    signal(launcher.id(), Signal::KILL);
    launcher.wait().await.unwrap();
    let post = job.tidy(300, 60_000).spawn().unwrap();
    job.says("had not ended, and was killed as well").await;
    job.host.mend_step("health");
    let ended = job.ended(post).await;
    assert_eq!(ended.code(), 0, "{}", ended.log);
    assert_eq!(ended.output("outcome"), "deployed", "{}", ended.log);
    assert_eq!(states(&github), ["in_progress", "success"]);
    github.close();
    job.close().await;
}

#[tokio::test]
async fn post_ends_in_time_and_without_the_key_also_when_nothing_can_be_settled() {
    let (job, github) = start().await;
    job.host.hold_at("health");
    let launcher = job.launcher("main.mjs").spawn().unwrap();
    job.host.reached("health").await;
    kill(&job, launcher).await;
    let ended = job.ended(job.tidy(300, 600).spawn().unwrap()).await;
    assert_eq!(ended.code(), 0, "{}", ended.log);
    let warnings = ended.commands();
    let warning = warnings.iter().find(|told| told.starts_with("warning"));
    let warning = warning.unwrap_or_else(|| panic!("{}", ended.log));
    assert!(warning.contains("is not settled"), "{warning}");
    job.host.mend_step("health");
    github.close();
    job.close().await;
}

#[tokio::test]
async fn a_release_that_is_ill_when_the_step_was_killed_is_taken_back_by_post() {
    let (job, github) = start().await;
    let first = job.step().await;
    let ill = job.repo.commit("fall ill", [("ok", "no")]).await;
    github.commit(REPOSITORY, "main", ill.as_str());
    job.host.hold_at("health");
    let child = job.launcher("main.mjs").spawn().unwrap();
    job.host.reached("health").await;
    kill(&job, child).await;
    job.host.mend_step("health");
    let ended = job.ended(job.post().spawn().unwrap()).await;
    assert_eq!(ended.output("outcome"), "rolled_back", "{}", ended.log);
    assert_eq!(ended.output("release"), first.output("release"));
    insta::assert_snapshot!(job.host.picture().await, @"
    current -> releases/1
    releases/1/
    releases/2/
    shared/.env
    .cutover/fence 3
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/2.json rolled-back
    .cutover/steps/<1>/
    .cutover/steps/<2>/
    ");
    let told = github.deployments(REPOSITORY);
    let ends: Vec<_> = told
        .iter()
        .filter_map(|entry| entry.statuses.last())
        .collect();
    let ends: Vec<_> = ends.iter().map(|status| status.state.as_str()).collect();
    assert_eq!(ends, ["inactive", "failure", "success"]);
    github.close();
    job.close().await;
}

#[tokio::test]
async fn an_end_that_github_had_not_heard_when_the_step_was_killed_is_told_by_post() {
    let (job, github) = start().await;
    job.repo.commit("fall ill", [("ok", "no")]).await;
    let ill = job.repo.head().await;
    github.commit(REPOSITORY, "main", ill.as_str());
    job.host.hold_at("health");
    let child = job.launcher("main.mjs").spawn().unwrap();
    job.host.reached("health").await;
    github
        .until("the entry to be in progress", |github| {
            let told = github.deployments(REPOSITORY);
            told.first().is_some_and(|entry| !entry.statuses.is_empty())
        })
        .await;
    github.go_down();
    job.host.mend_step("health");
    // It waits for GitHub now.
    job.says("::error title=production%3A failed").await;
    let kept = job.temp();
    wait_for("the end to be kept", PATIENCE, async || {
        let files = walk(&kept);
        let ended = files.iter().any(|file| file.ends_with("ended.json"));
        ended.then_some(()).ok_or(format!("{files:?}"))
    })
    .await;
    kill(&job, child).await;
    github.come_back();
    let before = job.host.picture().await;
    let ended = job.ended(job.post().spawn().unwrap()).await;
    assert_eq!(ended.code(), 0, "{}", ended.log);
    assert_eq!(states(&github), ["in_progress", "failure"]);
    assert_eq!(job.host.picture().await, before);
    github.close();
    job.close().await;
}

/// How often something has begun to take the lease.
fn leases(job: &Job) -> usize {
    let steps = job.host.steps();
    steps.iter().filter(|step| *step == "lease").count()
}

#[tokio::test]
async fn what_was_not_live_when_the_step_was_killed_does_not_stay_so() {
    let (mut job, github) = start().await;
    let live = job.step().await.output("release").to_owned();
    let two = job.repo.commit("two", [("index.html", "two")]).await;
    github.commit(REPOSITORY, "main", two.as_str());
    for (command, step) in [("deploy", "unpack"), ("rollback", "mark live")] {
        let mut expected = live.clone();
        if command == "rollback" {
            job.input("command", "deploy");
            expected = job.step().await.output("release").to_owned();
        }
        job.input("command", command);
        job.host.hold_at(step);
        let child = job.launcher("main.mjs").spawn().unwrap();
        job.host.reached(step).await;
        let before = leases(&job);
        kill(&job, child).await;
        let post = job.post().spawn().unwrap();
        // What still runs on the host goes on only when somebody waits for it.
        wait_for("post to take the lease", PATIENCE, async || {
            let log = job.file("log");
            (leases(&job) > before).then_some(()).ok_or(log)
        })
        .await;
        job.host.mend_step(step);
        let ended = job.ended(post).await;
        assert_eq!(
            (ended.output("outcome"), ended.output("release")),
            ("cancelled", expected.as_str()),
            "{command}: {}",
            ended.log
        );
        let now = std::fs::read_link(job.host.path().join("current")).unwrap();
        assert!(now.ends_with(&expected), "{command}: {}", ended.log);
        let picture = job.host.picture().await;
        assert!(picture.contains(".cutover/lock free\n"), "{picture}");
        let told = github.deployments(REPOSITORY);
        let last = told.last().unwrap().statuses.last().unwrap();
        assert_eq!(last.state, "inactive", "{command}: {}", ended.log);
    }
    github.close();
    job.close().await;
}
