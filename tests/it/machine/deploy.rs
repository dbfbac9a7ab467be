//! Real deployments to real machines: another user than root, sudo, systemd, and supervisor as the machine's own.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::fs;
use std::process::Output;

use kit::machine::{Machine, MachineOptions};
use kit::{ComposerRepo, FIRST, Repo, SampleApp, program};
use tokio::process::Command;

const CONFIG: &str = r#"
app = "shop"
repository = "github:acme/shop"
recipe = "laravel"

[environments.production]
branch = "main"
path = "/srv/app"
url = "https://shop.test"

[[environments.production.hosts]]
name = "web1"
address = "@web1@"
roles = ["web", "worker", "migrate"]

[[environments.production.hosts]]
name = "web2"
address = "@web2@"
roles = ["web", "worker"]

[environments.production.health]
url = "http://127.0.0.1/health"
attempts = 3
interval = "200ms"
json = { ok = true }
release_field = "release"

[[environments.production.workers]]
group = "app-worker"
expect = 2
drain_timeout = "30s"

[environments.production.php_fpm]
service = "php8.2-fpm"
after_swap = "reload"
"#;

/// Two machines on which the sample app is live, one repository of it, and what `cutover` needs to know of them.
struct Site {
    web1: Machine,
    web2: Machine,
    composer: ComposerRepo,
    repo: Repo,
    dir: tempfile::TempDir,
}

impl Site {
    async fn start() -> Self {
        let machine = |name| Machine::start(MachineOptions::laravel(name));
        let (web1, web2, composer) =
            tokio::join!(machine("web1"), machine("web2"), ComposerRepo::start());
        web2.let_in(&web1.key_file());
        let repo = Repo::sample_app(&composer).await;
        let dir = tempfile::tempdir().unwrap();
        let config = CONFIG
            .replace("@web1@", &web1.address())
            .replace("@web2@", &web2.address());
        fs::write(dir.path().join("cutover.toml"), config).unwrap();
        let known = [&web1, &web2]
            .map(|host| fs::read_to_string(host.known_hosts()).unwrap())
            .concat();
        fs::write(dir.path().join("known_hosts"), known).unwrap();
        Self {
            web1,
            web2,
            composer,
            repo,
            dir,
        }
    }

    async fn deploy(&self) -> Output {
        let file = |name: &str| self.dir.path().join(name);
        let mut cutover = Command::new(program("cutover"));
        cutover.args([
            "deploy",
            "production",
            "main",
            "--repository",
            &self.repo.url(),
        ]);
        cutover
            .arg("--config")
            .arg(file("cutover.toml"))
            .arg("--work-dir")
            .arg(file("work"));
        cutover
            .arg("--ssh-key")
            .arg(self.web1.key_file())
            .arg("--known-hosts")
            .arg(file("known_hosts"));
        cutover.kill_on_drop(true).output().await.unwrap()
    }

    async fn close(self) {
        self.web1.close().await;
        self.web2.close().await;
        drop(self.composer);
    }
}

#[tokio::test]
async fn a_deployment_reaches_both_machines_and_their_workers() {
    let site = Site::start().await;
    let output = site.deploy().await;
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(0), "{said}");
    let head = "host stage migrate switch health watch keep undo live";
    let head: Vec<_> = head.split(' ').collect();
    // The first word of a line is the time.
    let words = |line: &str| line.split_whitespace().skip(1).eq(head.iter().copied());
    let shown = said.lines().any(words);
    assert!(shown, "no table of hosts and phases in\n{said}");
    for host in [&site.web1, &site.web2] {
        let (status, health) = host.health().await;
        assert_eq!(status, 200, "{health}");
        let workers = host.workers().await;
        assert!(
            workers.len() == 2 && workers.iter().all(|worker| worker.release != FIRST),
            "{workers:?}\n{said}"
        );
    }
    insta::assert_snapshot!(site.web1.picture().await, @"
    current -> releases/2
    releases/1/
    releases/2/
    shared/.env
    shared/db.sqlite
    shared/storage/
    .cutover/fence 1
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/2.json healthy
    .cutover/steps/<1>/
    ");
    site.close().await;
}

#[tokio::test]
async fn an_ill_release_is_taken_back_on_both_machines() {
    let site = Site::start().await;
    site.repo
        .commit("break it", SampleApp::broken(kit::Breakage::HealthNotOk))
        .await;
    site.repo.push("main").await;
    let output = site.deploy().await;
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(1), "{said}");
    for host in [&site.web1, &site.web2] {
        assert_eq!(host.health().await.0, 200);
        let workers = host.workers().await;
        assert!(
            workers.len() == 2 && workers.iter().all(|worker| worker.release == FIRST),
            "{workers:?}\n{said}"
        );
    }
    insta::assert_snapshot!(site.web2.picture().await, @"
    current -> releases/1
    releases/1/
    releases/2/
    shared/.env
    shared/db.sqlite
    shared/storage/
    .cutover/fence 1
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/2.json rolled-back
    .cutover/steps/<1>/
    ");
    site.close().await;
}
