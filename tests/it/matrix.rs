//! The same story on three releases of Debian, each with its own systemd, OpenSSH, PHP and Laravel.

use std::fs;
use std::time::Duration;

use crate::machine::provision::{Ground, bare_machine_takes_its_first_deployment};
use crate::machine::{cutover, deploy_main};
use crate::queue;
use kit::machine::{Machine, MachineOptions};
use kit::{Breakage, Debian, FIRST, Files, Load, Repo, SampleApp, wait_for};

const CONFIG: &str = r#"
app = "shop"
repository = "github:acme/shop"
recipe = "laravel"

[build]
steps = []

[environments.production]
branch = "main"
path = "/srv/app"
url = "https://shop.test"

[[environments.production.hosts]]
name = "web1"
address = "@address@"
roles = ["web", "worker", "migrate"]

[environments.production.health]
url = "http://127.0.0.1/health"
attempts = 20
interval = "200ms"
json = { ok = true }
release_field = "release"

[[environments.production.workers]]
group = "app-worker"
expect = 2
drain_timeout = "70s"

[[environments.production.workers]]
group = "app-beside"
expect = 1
hand_over = "overlap"

[environments.production.php_fpm]
pool = "/run/php/php@php@-fpm.sock"
"#;

/// What root sets up for workers beside those of the release before, and the scheduler of the user that deploys.
const SET_UP: &str = r"
chmod 755 /usr/local/sbin/cutover-supervisor
echo 'deploy ALL=(root) NOPASSWD: /usr/local/sbin/cutover-supervisor' >/etc/sudoers.d/beside
chmod 440 /etc/sudoers.d/beside
echo '* * * * * deploy cd /srv/app/current && php artisan schedule:run' >/etc/cron.d/app
";

/// A machine on which the sample app of its own Laravel is live, and the repository that is deployed to it.
struct Shop {
    machine: Machine,
    repo: Repo,
    dir: tempfile::TempDir,
}

impl Shop {
    async fn on(debian: Debian) -> Self {
        let options = MachineOptions {
            debian,
            ..MachineOptions::laravel("web1")
        };
        let (machine, repo) = tokio::join!(Machine::start(options), Repo::built_app(debian));
        let dir = tempfile::tempdir().unwrap();
        let config = CONFIG
            .replace("@address@", &machine.address())
            .replace("@php@", debian.php());
        fs::write(dir.path().join("cutover.toml"), config).unwrap();
        let beside = include_str!("../../templates/supervisor-overlap.conf")
            .replace("/srv/shop/", "/srv/app/")
            .replace("queue:work ", "queue:work redis ")
            .replace("numprocs=2", "numprocs=1");
        for (path, text) in [
            ("etc/supervisor/cutover/app-beside.conf", &*beside),
            (
                "usr/local/sbin/cutover-supervisor",
                include_str!("../../templates/cutover-supervisor"),
            ),
        ] {
            let file = machine.root().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        machine
            .sh_as_root(&format!("mkdir -p /etc/cron.d\n{SET_UP}"))
            .await;
        Self { machine, repo, dir }
    }

    async fn deploy(&self, files: Files, code: i32) -> String {
        self.repo.commit("change it", files).await;
        self.repo.push("main").await;
        deploy_main(&self.machine, &self.repo, self.dir.path(), code).await
    }

    /// The release that is live, with all workers on it: two that were started anew, and one that was started beside its
    /// predecessor, which has ended.
    async fn follows(&self, said: &str) -> String {
        let (status, health) = self.machine.health().await;
        assert_eq!(
            (status, &health["ok"]),
            (200, &true.into()),
            "{health}\n{said}"
        );
        let live = health["release"].as_str().unwrap().to_owned();
        let three = format!("three workers on {live}");
        wait_for(three, Duration::from_secs(20), async || {
            let workers = self.machine.workers().await;
            let all = workers.iter().all(|worker| worker.release == live);
            if workers.len() == 3 && all {
                Ok(())
            } else {
                Err(format!("{workers:?}\n{said}"))
            }
        })
        .await;
        live
    }
}

/// A deployment, one that is taken back and a rollback, while people ask and jobs run.
async fn from_release_to_release_and_back(debian: Debian, laravel: &str) {
    let shop = Shop::on(debian).await;
    let version = shop.machine.sh("php current/artisan --version").await;
    assert!(
        version.contains(&format!("Laravel Framework {laravel}.")),
        "{version}"
    );
    let mut load = Load::start(&format!("{}/health", shop.machine.http_url()), 15);
    load.answers(5).await;
    shop.machine.push_jobs(6, Duration::from_secs(1)).await;

    let said = shop.deploy(SampleApp::code("two"), 0).await;
    let second = shop.follows(&said).await;
    assert_ne!(second, FIRST);
    // Workers of this Laravel know how to pause, and its pool was asked what it needs.
    assert_eq!(said.matches("paused ").count(), 2, "{said}");
    assert_eq!(said.matches("started app-beside@").count(), 1, "{said}");
    assert_eq!(shop.machine.health().await.1["code"], "two");

    shop.machine.push_jobs(6, Duration::from_secs(1)).await;
    let said = shop
        .deploy(SampleApp::broken(Breakage::HealthNotOk), 1)
        .await;
    assert_eq!(shop.follows(&said).await, second);

    let said = shop.deploy(SampleApp::broken(Breakage::Boot), 1).await;
    assert_eq!(shop.follows(&said).await, second);

    let mut mended = SampleApp::mended();
    mended.extend(SampleApp::code("three"));
    let said = shop.deploy(mended, 0).await;
    assert_ne!(shop.follows(&said).await, second);
    let said = cutover(
        &shop.machine,
        shop.dir.path(),
        &["rollback", "production"],
        0,
    )
    .await;
    assert_eq!(shop.follows(&said).await, second);
    assert_eq!(shop.machine.health().await.1["code"], "two");

    let report = load.stop().await;
    // What is ill says so for as long as its health is asked.
    let others = report
        .failures
        .iter()
        .filter(|failure| !failure.contains("\"ok\":false"));
    assert_eq!(
        others.collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "{report}"
    );
    let jobs = shop.machine.jobs_done(Duration::from_mins(1)).await;
    assert!(jobs.pushed == 12 && jobs.all_ran_once(), "{jobs:#?}");
    let said = cutover(&shop.machine, shop.dir.path(), &["doctor", "production"], 0).await;
    assert!(
        said.contains("after a swap: php-fpm: nothing; OPcache forgets"),
        "{said}"
    );
    let told = shop.machine.sh(&queue::proof()).await;
    assert_eq!(told, queue::TOLD, "what the queue's alarm reads");
    shop.machine.close().await;
}

#[tokio::test]
async fn laravel_8_on_debian_12() {
    from_release_to_release_and_back(Debian::Bookworm, "8").await;
}

#[tokio::test]
async fn laravel_10_on_debian_13() {
    from_release_to_release_and_back(Debian::Trixie, "10").await;
}

#[tokio::test]
async fn laravel_13_on_debian_testing() {
    from_release_to_release_and_back(Debian::Forky, "13").await;
}

/// With nothing on them but what the printed script has installed itself.
#[tokio::test]
async fn a_bare_debian_12_installs_what_it_needs_and_takes_its_first_deployment() {
    bare_machine_takes_its_first_deployment(Debian::Bookworm, Ground::Bare).await;
}

#[tokio::test]
async fn a_bare_debian_13_installs_what_it_needs_and_takes_its_first_deployment() {
    bare_machine_takes_its_first_deployment(Debian::Trixie, Ground::Bare).await;
}
