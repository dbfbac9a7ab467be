//! The template for GitLab CI, run by `gitlab-ci-local` with its shell executor against a real host.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use kit::{ci_client, program};

use super::{Job, action};

/// What a person writes to use the template.
const CI: &str = "\
stages: [build, deploy]
include:
  - local: .gitlab/cutover.yml
    inputs: { environment: production }
build:
  stage: build
  script: [cp index.html built.html]
  artifacts: { paths: [built.html] }
";

/// What stands for `cargo install`, which has no network here. The folder must be new, so that nobody else has put a
/// program there.
const CARGO: &str = r#"#!/bin/sh -eu
test "$*" = "install --quiet --locked --git https://github.com/OWNER/cutover --rev COMMIT --root $9 cutover-action"
test ! -e "$9"
mkdir -p "$9/bin"
ln -s PROGRAM "$9/bin/cutover-action"
"#;

/// A project at GitLab with the template in it.
struct Project {
    job: Job,
}

/// How a pipeline, or one manual job, ended.
struct Ended {
    succeeded: bool,
    log: String,
    /// What the dotenv report of the job tells later ones.
    variables: BTreeMap<String, String>,
}

impl Project {
    async fn start() -> Self {
        let job = Job::start().await;
        let template = fs::read_to_string(action().join("templates/gitlab-ci.yml")).unwrap();
        let remote = "git@gitlab.com:acme/shop.git";
        job.repo.git(&["remote", "set-url", "origin", remote]).await;
        // What is not committed is not in a job's folder.
        fs::remove_file(job.repo.work().join(".env")).unwrap();
        let files = [
            (".gitlab/cutover.yml", template.as_str()),
            (".gitlab-ci.yml", CI),
        ];
        job.repo.commit("the pipeline", files).await;
        let bin = job.runner.path().join("bin");
        fs::create_dir(&bin).unwrap();
        let cargo = CARGO.replace("PROGRAM", &program("cutover-action").display().to_string());
        fs::write(bin.join("cargo"), cargo).unwrap();
        fs::set_permissions(bin.join("cargo"), fs::Permissions::from_mode(0o755)).unwrap();
        Self { job }
    }

    /// Runs the pipeline, or one job of it.
    async fn run(&self, name: Option<&str>) -> Ended {
        self.job.a_second_later().await;
        let folder = self.job.runner.path();
        let work = self.job.repo.work();
        let mut local = self.job.command(&ci_client("gitlab-ci-local"));
        local.current_dir(&work).stdin(Stdio::null());
        local.env(
            "PATH",
            format!("{}/bin:/usr/local/bin:/usr/bin:/bin", folder.display()),
        );
        local.args(name);
        // The state lies beside the project, or it would be deployed.
        local.args(["--force-shell-executor", "--state-dir", "../state"]);
        let value = |input: &str| folder.join(input).display().to_string();
        for input in ["ssh-key", "known-hosts"] {
            fs::write(folder.join(input), &self.job.inputs[input]).unwrap();
        }
        for (name, value) in [
            // The first two are what GitLab's own runner says.
            ("GITLAB_CI", "true".to_owned()),
            ("CI_PROJECT_DIR", work.display().to_string()),
            ("GITLAB_USER_LOGIN", "alice".to_owned()),
            // A variable of the type `File` is a path.
            ("CUTOVER_SSH_KEY", value("ssh-key")),
            ("CUTOVER_KNOWN_HOSTS", value("known-hosts")),
        ] {
            local.arg("--variable").arg(format!("{name}={value}"));
        }
        let status = local.spawn().unwrap().wait().await.unwrap();
        let log = self.job.file("log");
        assert!(
            !log.contains("PRIVATE KEY"),
            "the key is in the log:\n{log}"
        );
        let left = work.with_extension("tmp");
        let left = fs::read_dir(left).map_or(0, Iterator::count);
        assert_eq!(left, 0, "something of the step is left\n{log}");
        let variables = fs::read_to_string(work.join("cutover.env")).unwrap_or_default();
        let variables = variables.lines().filter_map(|line| line.split_once('='));
        Ended {
            succeeded: status.success(),
            log,
            variables: variables
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        }
    }
}

impl Ended {
    fn told(&self, name: &str) -> &str {
        let name = format!("CUTOVER_OUTPUT_{name}");
        self.variables.get(&name).map_or("", String::as_str)
    }

    /// The parts that GitLab folds, as `start stage`, in their order.
    fn sections(&self) -> Vec<String> {
        let marks = self.log.split("\u{1b}[0Ksection_").skip(1);
        let marks = marks.filter_map(|mark| mark.split('\r').next()?.split_once(':'));
        marks
            .filter_map(|(edge, rest)| Some(format!("{edge} {}", rest.split_once(':')?.1)))
            .collect()
    }
}

#[tokio::test]
async fn the_template_for_gitlab_deploys_takes_back_what_is_ill_and_rolls_back() {
    let project = Project::start().await;
    let host = &project.job.host;
    let first = project.run(None).await;
    assert!(first.succeeded, "{}", first.log);
    assert_eq!(first.told("OUTCOME"), "deployed", "{}", first.log);
    assert_eq!(first.told("URL"), "https://shop.example.com");
    let release = first.told("RELEASE");
    assert_eq!(host.read("current/built.html").as_deref(), Some("one"));
    assert_eq!(host.read("current/cutover.env"), None);
    insta::assert_snapshot!(first.sections().join("\n"), @"
    start cutover_1_plan
    end cutover_1_plan
    start cutover_2_stage
    end cutover_2_stage
    start cutover_3_switch
    end cutover_3_switch
    start cutover_4_health
    end cutover_4_health
    start cutover_5_keep
    end cutover_5_keep
    ");
    let record = host
        .read(&format!(".cutover/releases/{release}.json"))
        .unwrap();
    assert!(
        record.contains("alice") && record.contains("https://gitlab.com/acme/shop/-/jobs/"),
        "{record}"
    );

    project.job.repo.commit("fall ill", [("ok", "no")]).await;
    let ill = project.run(None).await;
    assert!(!ill.succeeded, "{}", ill.log);
    assert_eq!(ill.told("OUTCOME"), "rolled_back", "{}", ill.log);
    assert_eq!(ill.told("RELEASE"), release);
    let error = "\u{1b}[31;1merror: production: rolled back: health on web1: ";
    assert!(ill.log.contains(error), "{}", ill.log);
    let commands = ["::error", "::group", "::stop-commands"];
    let own = ill.log.replace("::error::of the app", "");
    for command in commands {
        assert!(!own.contains(command), "{command} in\n{own}");
    }

    project.job.repo.commit("get well", [("ok", "yes")]).await;
    let third = project.run(None).await;
    assert_eq!(third.told("OUTCOME"), "deployed", "{}", third.log);
    let back = project.run(Some("rollback-production")).await;
    assert!(back.succeeded, "{}", back.log);
    assert_eq!(back.told("OUTCOME"), "deployed", "{}", back.log);
    assert_eq!(back.told("RELEASE"), release);
    insta::assert_snapshot!(host.picture().await, @"
    current -> releases/1
    releases/1/
    releases/2/
    releases/3/
    shared/.env
    .cutover/fence 4
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/2.json rolled-back
    .cutover/releases/3.json healthy
    .cutover/steps/<1>/
    .cutover/steps/<2>/
    .cutover/steps/<3>/
    .cutover/steps/<4>/
    ");
    project.job.close().await;
}

#[tokio::test]
async fn a_pipeline_without_its_variables_is_told_all_of_them_at_once() {
    let mut project = Project::start().await;
    for input in ["ssh-key", "known-hosts"] {
        project.job.input(input, "");
    }
    let ended = project.run(None).await;
    assert!(!ended.succeeded, "{}", ended.log);
    for name in ["CUTOVER_SSH_KEY", "CUTOVER_KNOWN_HOSTS"] {
        let error = format!("\u{1b}[31;1merror: variable {name}: `{name}` is missing");
        assert!(ended.log.contains(&error), "{}", ended.log);
    }
    assert_eq!(project.job.host.connections(), 0);
    project.job.close().await;
}

/// A job whose program is started without the template.
async fn alone() -> Job {
    let mut job = Job::start().await;
    for (name, value) in [
        ("GITLAB_CI", "true".to_owned()),
        ("CI_PROJECT_DIR", job.repo.work().display().to_string()),
        ("CI_JOB_ID", "7".to_owned()),
        ("CUTOVER_ENVIRONMENT", "production".to_owned()),
        ("CUTOVER_SSH_KEY", job.inputs["ssh-key"].clone()),
        ("CUTOVER_KNOWN_HOSTS", job.inputs["known-hosts"].clone()),
    ] {
        job.variables.insert(name, value);
    }
    job
}

#[tokio::test]
async fn no_input_but_the_key_and_the_pinned_hosts_is_read_from_a_file() {
    let mut job = alone().await;
    let secret = job.runner.path().join("secret");
    fs::write(&secret, "hush-hush").unwrap();
    let path = secret.display().to_string();
    for name in ["CUTOVER_COMMAND", "CUTOVER_RELEASE", "CUTOVER_ENVIRONMENT"] {
        let usual = job.variables.clone();
        job.variables
            .insert("CUTOVER_COMMAND", "rollback".to_owned());
        job.variables.insert(name, path.clone());
        let mut step = job.command(&program("cutover-action")).spawn().unwrap();
        let status = step.wait().await.unwrap();
        let log = job.file("log");
        assert_eq!(status.code(), Some(2), "{name}: {log}");
        assert!(log.contains(&path), "{name}: {log}");
        assert!(!log.contains("hush-hush"), "{name}: {log}");
        job.variables = usual;
    }
    job.close().await;
}

#[tokio::test]
async fn what_comes_after_a_killed_job_proves_what_is_live_and_removes_the_key() {
    let job = alone().await;
    job.host.hold_at("health");
    let mut step = job.command(&program("cutover-action")).spawn().unwrap();
    job.host.reached("health").await;
    step.kill().await.unwrap();
    let folder = job.repo.work().with_extension("tmp").join("cutover-7");
    assert!(folder.is_dir(), "a killed step leaves its folder behind");
    job.host.mend_step("health");
    let mut after = job.command(&program("cutover-action"));
    let after = after.env("CUTOVER_AFTER", "yes").spawn().unwrap();
    let status = after.wait_with_output().await.unwrap().status;
    let log = job.file("log");
    assert!(status.success() && log.contains("deployed: "), "{log}");
    assert!(!folder.exists(), "the key is still there\n{log}");
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
    job.close().await;
}
