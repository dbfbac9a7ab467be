//! The kit and the pipeline fit each other: a deployment runs against a host, and a fault of the host strikes it.

use std::fmt::Write as _;
use std::time::Duration;

use cutover_deploy::run::{Access, deploy};
use cutover_deploy::source::{Origin, build};
use cutover_deploy::{CommitSha, Config, DeployRequest, DeploymentId, Event, Kind, Outcome, now};
use insta::assert_snapshot;
use kit::{ComposerRepo, Host, HostOptions, Load, Repo};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Builds `commit` and deploys it, and returns how that ended with everything that was told of it.
async fn deploy_commit(
    host: &Host,
    repo: &Repo,
    config: &str,
    commit: CommitSha,
    number: u32,
) -> (Outcome, String) {
    let config =
        Config::parse("cutover.toml", config).unwrap_or_else(|problems| panic!("{problems}"));
    let environment = config.environment("production").unwrap();
    let work = tempfile::tempdir().unwrap();
    let origin = Origin {
        url: repo.url(),
        authorization: None,
        work_dir: work.path().to_owned(),
        hidden: Vec::new(),
    };
    let access = Access {
        key_file: Some(host.key_file()),
        known_hosts: Some(host.known_hosts()),
        ..Access::default()
    };
    let (events, mut told) = mpsc::unbounded_channel::<Event>();
    let cancel = CancellationToken::new();
    let artifact = build(&config, &commit, &origin, &events, &cancel).await;
    let artifact = artifact.unwrap_or_else(|failure| panic!("{failure:#?}"));
    let request = DeployRequest {
        deployment: DeploymentId::parse(&format!("d{number}")).unwrap(),
        kind: Kind::Deploy { commit },
        actor: "octocat".to_owned(),
        run_url: None,
        keeper: None,
        plan_digest: None,
        allow_destructive: false,
        requested_at: now(),
    };
    let outcome = deploy(
        &config,
        environment,
        &request,
        Some(&artifact),
        &access,
        &events,
        &cancel,
    )
    .await;
    drop(events);
    let mut log = String::new();
    while let Some(event) = told.recv().await {
        writeln!(log, "{event:?}").unwrap();
    }
    (outcome, log)
}

fn config(host: &Host, recipe: &str, more: &str) -> String {
    format!(
        "app = 'shop'\nrepository = 'github:acme/shop'\nrecipe = '{recipe}'\n\
         [environments.production]\npath = '{}'\n\
         [[environments.production.hosts]]\nname = '{}'\naddress = '{}'\n{more}",
        host.path().display(),
        host.name(),
        host.address()
    )
}

#[tokio::test]
async fn a_static_site_goes_live_and_a_fault_at_the_swap_leaves_the_old_one() {
    let host = Host::start(HostOptions::plain("web1")).await;
    let repo = Repo::with([("index.html", "one")]).await;
    let config = config(&host, "none", "");
    let (outcome, log) = deploy_commit(&host, &repo, &config, repo.head().await, 1).await;
    assert!(
        matches!(outcome, Outcome::Deployed { .. }),
        "{outcome:#?}\n{log}"
    );
    assert_eq!(host.read("current/index.html").as_deref(), Some("one"));
    assert_eq!(host.connections(), 1);

    host.fault_step("swap", 1, "mv: no room");
    let two = repo.commit("two", [("index.html", "two")]).await;
    repo.push("main").await;
    let (outcome, log) = deploy_commit(&host, &repo, &config, two, 2).await;
    let Outcome::Failed { failure, .. } = &outcome else {
        panic!("{outcome:#?}\n{log}");
    };
    assert!(failure.message.contains("mv: no room"), "{failure:#?}");
    assert!(
        host.steps().iter().any(|step| step == "swap"),
        "{:?}",
        host.steps()
    );
    assert_eq!(host.read("current/index.html").as_deref(), Some("one"));
    assert!(
        host.picture()
            .await
            .starts_with("current -> releases/1\nreleases/1/\n")
    );
    host.close().await;
}

#[tokio::test]
async fn the_sample_app_is_deployed_without_a_lost_request_or_job() {
    let composer = ComposerRepo::start().await;
    let (host, repo) = tokio::join!(
        Host::start(HostOptions::laravel("web1")),
        Repo::sample_app(&composer)
    );
    let more = format!(
        "[environments.production.health]\nurl = '{}/health'\nrelease_field = 'release'\n\
         [[environments.production.workers]]\ngroup = 'app-worker'\nexpect = 2\n",
        host.http_url()
    );
    let mut load = Load::start(&format!("{}/health", host.http_url()), 10);
    host.push_jobs(2, Duration::from_secs(2)).await;
    let (outcome, log) = deploy_commit(
        &host,
        &repo,
        &config(&host, "laravel", &more),
        repo.head().await,
        1,
    )
    .await;
    assert!(
        matches!(outcome, Outcome::Deployed { .. }),
        "{outcome:#?}\n{log}"
    );
    load.answers(5).await;
    let report = load.stop().await;
    assert_eq!((report.failed, report.releases.len()), (0, 2), "{report}");
    let jobs = host.jobs_done(Duration::from_secs(20)).await;
    assert_eq!((jobs.finished, jobs.lost), (2, 0), "{jobs:#?}");
    assert_snapshot!(host.picture().await, @r"
    current -> releases/2
    releases/1/
    releases/2/
    shared/.env
    shared/database/
    shared/storage/
    .cutover/fence 1
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/2.json healthy
    .cutover/steps/<1>/
    ");
    host.close().await;
}
