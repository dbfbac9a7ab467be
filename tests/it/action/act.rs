//! The workflow of the templates, run by `act`: a real runner's words, steps and signals, against a real host and a
//! GitHub of its own.

use std::fs;
use std::process::Stdio;

use kit::github::GitHub;
use kit::{ci_client, program};
use rustix::process::Signal;
use tokio::process::Child;

use super::deploy::signal;
use super::{Job, action};

const REPOSITORY: &str = "acme/shop";

/// A job whose repository has the workflow, and a GitHub that knows the commit.
struct Workflow {
    job: Job,
    github: GitHub,
}

/// The template with what a person fills in, and without what cannot be had here: the network, and a key that `act`
/// does not know yet.
fn filled_in(template: &str) -> String {
    let program = program("cutover-action");
    let place = "\"$RUNNER_TEMP/cutover\"";
    let install = format!(
        "cargo install --quiet --locked --git https://github.com/OWNER/cutover --rev COMMIT --root {place} cutover-action"
    );
    let link = format!(
        "mkdir -p {place}/bin && ln -sf {} {place}/bin/cutover-action",
        program.display()
    );
    let composer = "composer install --no-dev --optimize-autoloader --no-interaction --no-progress --prefer-dist";
    let mut text = template.to_owned();
    for (from, to) in [
        (install.as_str(), link.as_str()),
        (composer, "cp index.html built.html"),
        ("      deployment: false\n", ""),
    ] {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        text = text.replace(from, to);
    }
    text
}

impl Workflow {
    async fn start() -> Self {
        let job = Job::start().await;
        let github = GitHub::start().await;
        github.add_repo(REPOSITORY, &job.repo.url());
        let template = fs::read_to_string(action().join("templates/workflow.yml")).unwrap();
        let remote = format!("https://github.com/{REPOSITORY}.git");
        job.repo
            .git(&["remote", "set-url", "origin", &remote])
            .await;
        // What a runner would download of the action.
        let copy = job.runner.path().join("action");
        fs::create_dir_all(copy.join("action/launcher")).unwrap();
        fs::copy(action().join("action.yml"), copy.join("action.yml")).unwrap();
        for file in fs::read_dir(action().join("action/launcher")).unwrap() {
            let file = file.unwrap();
            let to = copy.join("action/launcher").join(file.file_name());
            fs::copy(file.path(), to).unwrap();
        }
        let workflow = Self { job, github };
        let file = ".github/workflows/deploy.yml";
        workflow
            .commit("the workflow", [(file, filled_in(&template).as_str())])
            .await;
        workflow
    }

    async fn commit<const N: usize>(&self, message: &str, files: [(&str, &str); N]) {
        let commit = self.job.repo.commit(message, files).await;
        self.github.commit(REPOSITORY, "main", commit.as_str());
    }

    fn push(&self) -> Child {
        let mut act = self.job.command(&ci_client("act"));
        act.current_dir(self.job.repo.work());
        act.args(["push", "--no-cache-server", "--actor", "alice"]);
        act.args([
            "--platform",
            "ubuntu-latest=-self-hosted",
            "--env-file",
            "/dev/null",
        ]);
        let copy = self.job.runner.path().join("action");
        act.arg("--local-repository");
        act.arg(format!("OWNER/cutover@COMMIT={}", copy.display()));
        act.arg("--env");
        act.arg(format!("GITHUB_API_URL={}", self.github.base_url()));
        // Values come from the environment, as secrets should.
        act.args(["--secret", "DEPLOY_KEY", "--secret", "GITHUB_TOKEN"]);
        act.args(["--var", "KNOWN_HOSTS"]);
        act.env("DEPLOY_KEY", &self.job.inputs["ssh-key"]);
        act.env("KNOWN_HOSTS", &self.job.inputs["known-hosts"]);
        act.env("GITHUB_TOKEN", self.github.token());
        act.stdin(Stdio::null()).spawn().unwrap()
    }

    /// Waits for the end, and returns whether the job succeeded, with its log.
    async fn end(&self, mut act: Child) -> (bool, String) {
        let status = act.wait().await.unwrap();
        let log = self.job.file("log");
        let mut key = self.job.inputs["ssh-key"].lines();
        assert!(
            !key.any(|line| log.contains(line)),
            "the key is in the log:
{log}"
        );
        (status.success(), log)
    }

    async fn close(self) {
        self.github.close();
        self.job.close().await;
    }
}

/// What GitHub shows, with names for releases.
fn picture(workflow: &Workflow) -> String {
    let job = &workflow.job;
    let releases = fs::read_dir(job.host.path().join("releases")).unwrap();
    let mut releases: Vec<_> = releases.map(|entry| entry.unwrap().file_name()).collect();
    releases.sort();
    let mut text = workflow.github.picture(REPOSITORY);
    for (number, release) in (1..).zip(releases) {
        text = text.replace(release.to_str().unwrap(), &format!("r{number}"));
    }
    text.replace(&job.port.to_string(), "<port>")
}

/// The lines of a log that a step wrote, without what `act` puts before them.
fn lines(log: &str) -> Vec<&str> {
    let lines = log.lines().filter_map(|line| line.split_once(']'));
    lines
        .map(|(_, line)| line.trim().trim_start_matches("| "))
        .collect()
}

#[tokio::test]
async fn the_workflow_of_the_templates_deploys_and_takes_back_what_is_ill() {
    let workflow = Workflow::start().await;
    let act = workflow.push();
    let (succeeded, log) = workflow.end(act).await;
    assert!(succeeded, "{log}");
    let host = &workflow.job.host;
    let release = fs::read_link(host.path().join("current")).unwrap();
    let release = release.file_name().unwrap().to_str().unwrap().to_owned();
    let said = lines(&log);
    let live = format!("deployed, live is {release} https://shop.example.com");
    assert!(said.contains(&live.as_str()), "{log}");
    assert!(log.contains("### production: deployed: "), "{log}");
    assert_eq!(host.read("current/built.html").as_deref(), Some("one"));

    workflow.commit("fall ill", [("ok", "no")]).await;
    let act = workflow.push();
    let (succeeded, log) = workflow.end(act).await;
    assert!(!succeeded, "{log}");
    let said = lines(&log);
    let live = format!("rolled_back, live is {release} https://shop.example.com");
    assert!(said.contains(&live.as_str()), "{log}");
    let annotation = "did not become healthy in 2 attempts: HTTP 500, not 200: ill";
    assert!(
        log.lines()
            .any(|line| line.contains("::error") && line.contains(annotation)),
        "{log}"
    );
    insta::assert_snapshot!(host.picture().await, @"
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
    insta::assert_snapshot!(picture(&workflow), @r#"
    acme/shop
      deployment 1 production <commit 1> is-production "deployed by alice"
        in_progress "deploying to production" https://shop.example.com https://github.com/acme/shop/actions/runs/1
        success "r1 is live on production" https://shop.example.com https://github.com/acme/shop/actions/runs/1
        inactive "no longer live"
      deployment 2 production <commit 2> is-production "deployed by alice"
        in_progress "deploying to production" https://shop.example.com https://github.com/acme/shop/actions/runs/1
        failure "rolled back, r1 is live again: health on web1: http://127.0.0.1:<port>/health did not become healthy in 2 attempts: HT…" https://shop.example.com https://github.com/acme/shop/actions/runs/1
      deployment 3 production <commit 1> is-production "restored after r2 failed"
        success "r1 is live again" https://shop.example.com https://github.com/acme/shop/actions/runs/1
    "#);
    workflow.close().await;
}

#[tokio::test]
async fn a_workflow_that_is_called_off_leaves_a_healthy_host_and_a_free_lease() {
    let workflow = Workflow::start().await;
    let act = workflow.push();
    assert!(workflow.end(act).await.0);
    workflow.commit("two", [("index.html", "two")]).await;
    let host = &workflow.job.host;
    host.hold_at("unpack");
    let act = workflow.push();
    host.reached("unpack").await;
    // This runner kills the launcher at once, so it is `post` that the program hears of it from.
    signal(act.id(), Signal::INT);
    workflow.job.says("Tidying up after it").await;
    host.mend_step("unpack");
    let (succeeded, log) = workflow.end(act).await;
    assert!(!succeeded, "{log}");
    assert!(!log.contains("had not ended"), "{log}");
    insta::assert_snapshot!(host.picture().await, @"
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
    insta::assert_snapshot!(picture(&workflow), @r#"
    acme/shop
      deployment 1 production <commit 1> is-production "deployed by alice"
        in_progress "deploying to production" https://shop.example.com https://github.com/acme/shop/actions/runs/1
        success "r1 is live on production" https://shop.example.com https://github.com/acme/shop/actions/runs/1
      deployment 2 production <commit 2> is-production "deployed by alice"
        in_progress "deploying to production" https://shop.example.com https://github.com/acme/shop/actions/runs/1
        inactive "cancelled: what was live still is" https://shop.example.com https://github.com/acme/shop/actions/runs/1
    "#);
    workflow.close().await;
}
