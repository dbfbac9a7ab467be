//! A job, a shell and another job at one host: each waits for the other, and sees what the other has made live.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use kit::{World, program};
use tokio::process::{Child, Command};

use super::Job;

impl Job {
    /// The command line, as a person uses it in the checkout.
    fn cutover(&self, arguments: &[&str]) -> Command {
        let mut cutover = Command::new(program("cutover"));
        cutover
            .args(arguments)
            .current_dir(self.repo.work())
            .env("XDG_CACHE_HOME", self.runner.path().join("cache"))
            .env("CUTOVER_SSH_KEY", self.host.key_file())
            .env("CUTOVER_KNOWN_HOSTS", self.host.known_hosts())
            .env("USER", "bob")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        cutover
    }

    pub(super) async fn shell(&self, arguments: &[&str]) -> String {
        said(self.cutover(arguments).spawn().unwrap()).await
    }
}

async fn said(child: Child) -> String {
    let output = child.wait_with_output().await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test]
async fn a_second_job_waits_for_the_first_and_says_whose_the_lease_is() {
    let job = Job::start().await;
    job.host.hold_at("unpack");
    let first = job.launcher("main.mjs").spawn().unwrap();
    job.host.reached("unpack").await;
    // On a runner of its own.
    let mut other = job.launcher("main.mjs");
    let log = job.runner.path().join("other.log");
    let temp = job.runner.path().join("other");
    fs::create_dir(&temp).unwrap();
    for name in ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_STATE"] {
        other.env(name, temp.join(name));
    }
    other.stdout(fs::File::create(&log).unwrap());
    let other = other.env("GITHUB_RUN_ID", "43").env("RUNNER_TEMP", &temp);
    let mut second = other.spawn().unwrap();
    let waits = async || {
        let log = fs::read_to_string(&log).unwrap();
        let waits = log
            .lines()
            .find(|line| line.contains("waiting for the lease"));
        waits.map(str::to_owned).ok_or(log)
    };
    let waits = kit::wait_for("the second job to wait", super::PATIENCE, waits).await;
    let begin = "web1: waiting for the lease, held by deploy of ";
    let (_, holder) = waits.split_once(begin).unwrap_or_else(|| panic!("{waits}"));
    assert!(holder.contains(" by alice since 20"), "{waits}");
    assert!(
        holder.ends_with(" UTC, https://github.com/acme/shop/actions/runs/42"),
        "{waits}"
    );
    job.host.mend_step("unpack");
    let first = job.ended(first).await;
    assert_eq!(first.output("outcome"), "deployed", "{}", first.log);
    let second = second.wait().await.unwrap();
    let log = fs::read_to_string(&log).unwrap();
    assert!(second.success() && log.contains("unchanged: "), "{log}");
    job.close().await;
}

#[tokio::test]
async fn a_shell_waits_for_a_job_and_a_job_for_a_shell() {
    let job = Job::start().await;
    job.host.hold_at("unpack");
    let step = job.launcher("main.mjs").spawn().unwrap();
    job.host.reached("unpack").await;
    let mut shell = job.cutover(&["deploy", "production", "--json"]);
    let heard = job.runner.path().join("shell");
    shell.stdout(fs::File::create(&heard).unwrap());
    let shell = shell.spawn().unwrap();
    let waits = async || {
        let said = fs::read_to_string(&heard).unwrap();
        let waits = said
            .lines()
            .find(|line| line.contains(r#""event":"waiting""#));
        waits.map(str::to_owned).ok_or(said)
    };
    let waits = kit::wait_for("the shell to wait", super::PATIENCE, waits).await;
    assert!(waits.contains("by alice since 20"), "{waits}");
    assert!(
        waits.contains("https://github.com/acme/shop/actions/runs/42"),
        "{waits}"
    );
    job.host.mend_step("unpack");
    let ended = job.ended(step).await;
    let release = ended.output("release").to_owned();
    said(shell).await;
    let heard = fs::read_to_string(&heard).unwrap();
    assert!(
        heard.contains(&format!(r#""outcome":"unchanged","release":"{release}""#)),
        "{heard}"
    );

    // What the job has made live is what a shell sees.
    let status = job.shell(&["status", "production"]).await;
    assert!(status.contains(&release), "{status}");
    let releases = job.shell(&["releases", "production"]).await;
    assert!(
        releases.contains(&release) && releases.contains("healthy"),
        "{releases}"
    );

    // And the other way round.
    job.repo.commit("two", [("index.html", "two")]).await;
    job.host.hold_at("unpack");
    let shell = job.cutover(&["deploy", "production"]).spawn().unwrap();
    job.host.reached("unpack").await;
    let step = job.launcher("main.mjs").spawn().unwrap();
    job.says("web1: waiting for the lease, held by deploy of ")
        .await;
    assert!(
        job.file("log").contains(" by bob since 20"),
        "{}",
        job.file("log")
    );
    job.host.mend_step("unpack");
    let ended = job.ended(step).await;
    let told = said(shell).await;
    assert_eq!(
        ended.output("outcome"),
        "unchanged",
        "{}\n{told}",
        ended.log
    );
    assert!(told.contains(ended.output("release")), "{told}");
    assert_ne!(ended.output("release"), release);
    job.close().await;
}

/// A step in the checkout of a world, as a runner starts it.
fn step_in(world: &World, log: &Path) -> Child {
    let read = |file: PathBuf| fs::read_to_string(file).unwrap();
    fs::copy(world.config_file(), world.repo.work().join("cutover.toml")).unwrap();
    let mut step = Command::new(program("cutover-action"));
    step.env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("GITHUB_WORKSPACE", world.repo.work())
        .env("GITHUB_ACTOR", "alice")
        .env("GITHUB_SERVER_URL", "https://github.com")
        .env("GITHUB_REPOSITORY", kit::REPOSITORY)
        .env("GITHUB_RUN_ID", "42")
        .env("INPUT_ENVIRONMENT", "production")
        .env("INPUT_SSH-KEY", read(world.host.key_file()))
        .env("INPUT_KNOWN-HOSTS", read(world.host.known_hosts()))
        .stdin(Stdio::null())
        .stdout(fs::File::create(log).unwrap())
        .kill_on_drop(true);
    step.spawn().unwrap()
}

#[tokio::test]
async fn the_service_waits_for_a_job_and_a_job_for_the_service() {
    let world = World::plain().await;
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let read = || fs::read_to_string(&log).unwrap();

    // What a push has begun, a job waits for; it is the same commit.
    world.host.hold_at("unpack");
    world.push_file("index.html", "two\n").await;
    world.host.reached("unpack").await;
    let mut step = step_in(&world, &log);
    kit::wait_for("the job to wait", super::PATIENCE, async || {
        let log = read();
        let waits = log.contains("waiting for the lease, held by deploy of ");
        let who = log.contains(" by github push by alice since ");
        (waits && who && log.contains("/deployments/"))
            .then_some(())
            .ok_or(log)
    })
    .await;
    world.host.mend_step("unpack");
    assert!(step.wait().await.unwrap().success(), "{}", read());
    assert!(read().contains("unchanged: "), "{}", read());
    world.settled().await;

    // What a job has begun, a push waits for; then it takes the place of what the job has made live.
    world
        .repo
        .commit("three", [("index.html", "three\n")])
        .await;
    world.host.hold_at("unpack");
    let mut step = step_in(&world, &log);
    world.host.reached("unpack").await;
    world.push_file("index.html", "four\n").await;
    kit::wait_for("the push to wait", super::PATIENCE, async || {
        let running = world.production().await["running"]["id"].clone();
        let Some(id) = running.as_str() else {
            return Err(running.to_string());
        };
        let path = format!("/api/v1/deployments/{id}/events");
        let events = world.service().json(&path).await.to_string();
        let waits = events.contains(r#""event":"waiting""#) && events.contains(" by alice since ");
        waits.then_some(()).ok_or(events)
    })
    .await;
    world.host.mend_step("unpack");
    assert!(step.wait().await.unwrap().success(), "{}", read());
    world.settled().await;
    assert_eq!(
        world.outcomes().await,
        ["deploy deployed", "deploy deployed"]
    );
    insta::assert_snapshot!(world.host.picture().await, @"
    current -> releases/3
    releases/1/
    releases/2/
    releases/3/
    .cutover/fence 4
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/2.json healthy
    .cutover/releases/3.json healthy
    .cutover/steps/<1>/
    .cutover/steps/<2>/
    .cutover/steps/<3>/
    ");
    let production = world.production().await;
    let previous = production["ended"][0]["previous"].as_str().unwrap();
    assert!(
        read().contains(&format!("deployed: {previous} is live")),
        "{previous}\n{}",
        read()
    );
    world.close().await;
}
