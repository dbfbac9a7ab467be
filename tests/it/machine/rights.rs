//! A deploy user who may not do everything: files of the web server in a release, and folders that belong to others.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::fs;
use std::time::Duration;

use kit::machine::{Machine, MachineOptions};
use kit::{Repo, program, wait_for};
use tokio::process::Command;

const CONFIG: &str = r#"
app = "shop"
repository = "github:acme/shop"

[build]
sandbox = "off"

[shared]
dirs = ["storage"]

[environments.production]
branch = "main"
path = "/srv/app"
keep_releases = 1

[[environments.production.hosts]]
name = "web1"
address = "@web1@"
"#;

/// A machine, a repository, and the file that tells of both.
struct Site {
    web1: Machine,
    repo: Repo,
    dir: tempfile::TempDir,
}

impl Site {
    async fn start() -> Self {
        let web1 = Machine::start(MachineOptions::named("web1")).await;
        let repo = Repo::with([("index.html", "one")]).await;
        let dir = tempfile::tempdir().unwrap();
        let config = CONFIG.replace("@web1@", &web1.address());
        fs::write(dir.path().join("cutover.toml"), config).unwrap();
        Self { web1, repo, dir }
    }

    async fn cutover(&self, arguments: &[&str]) -> (i32, String) {
        let mut cutover = Command::new(program("cutover"));
        cutover
            .args(arguments)
            .arg("--config")
            .arg(self.dir.path().join("cutover.toml"))
            .arg("--ssh-key")
            .arg(self.web1.key_file())
            .arg("--known-hosts")
            .arg(self.web1.known_hosts());
        let ended = cutover.kill_on_drop(true).output().await.unwrap();
        let said = [ended.stdout, ended.stderr].concat();
        (
            ended.status.code().unwrap(),
            String::from_utf8(said).unwrap(),
        )
    }

    /// Deploys a new commit, in a second of its own: releases of one second have no order.
    async fn deploy(&self) -> (i32, String) {
        let second = || std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let before = second();
        wait_for("the next second", Duration::from_secs(5), async || {
            if second() > before {
                Ok(())
            } else {
                Err("the clock stands still".to_owned())
            }
        })
        .await;
        self.repo.commit::<&str, &str>("more", []).await;
        self.repo.push("main").await;
        let (url, work) = (self.repo.url(), self.dir.path().join("work"));
        let work = work.to_str().unwrap();
        let place = ["--repository", &url, "--work-dir", work];
        let deploy = [&["deploy", "production", "main"], &place[..]].concat();
        self.cutover(&deploy).await
    }

    /// Does as root on the machine what a text says between backticks, without the way there.
    async fn obey(&self, said: &str) {
        let command = said.split('`').find(|part| part.contains("sudo ")).unwrap();
        let at = command.find("sudo ").unwrap();
        self.web1.sh_as_root(&command[at..]).await;
    }
}

#[tokio::test]
async fn files_of_the_web_server_stop_no_deployment_and_are_not_forgotten() {
    let site = Site::start().await;
    assert_eq!(site.deploy().await.0, 0);
    let cache = "cd /srv/app/current/ && install -d -o www-data cache && install -o www-data /dev/null cache/page";
    site.web1.sh_as_root(cache).await;
    assert_eq!(site.deploy().await.0, 0);
    let (exit, said) = site.deploy().await;
    assert_eq!(exit, 0, "{said}");
    assert!(said.contains("cache/page': Permission denied"), "{said}");
    let (exit, said) = site.cutover(&["status", "production"]).await;
    assert_eq!(exit, 0, "{said}");
    assert!(said.contains("was removed, but not all of it"), "{said}");
    let (exit, told) = site.deploy().await;
    assert!(
        exit == 0 && told.contains("was removed, but not all of it"),
        "{told}"
    );
    site.obey(&said).await;
    let (_, said) = site.cutover(&["status", "production"]).await;
    assert!(!said.contains("removed"), "{said}");
    let releases = site.web1.sh("ls -A /srv/app/releases | wc -l").await;
    assert_eq!(releases.trim(), "2");
    site.web1.close().await;
}

#[tokio::test]
async fn a_folder_of_somebody_elses_is_told_with_the_command_that_mends_it() {
    let site = Site::start().await;
    assert_eq!(site.deploy().await.0, 0);
    for folder in [".", "releases", "shared", ".cutover"] {
        // Of `shared` something is needed only where a folder is missing.
        let take = format!(
            "cd /srv/app && rm -rf shared/storage && chown root {folder} && chmod 755 {folder}"
        );
        site.web1.sh_as_root(&take).await;
        let before = site.web1.sh("readlink /srv/app/current").await;
        let (exit, said) = site.deploy().await;
        assert_ne!(exit, 0, "{folder}: {said}");
        assert!(said.contains("on web1: "), "{folder}: {said}");
        assert_eq!(site.web1.sh("readlink /srv/app/current").await, before);
        site.obey(&said).await;
        let (exit, said) = site.deploy().await;
        assert_eq!(exit, 0, "{folder}: {said}");
    }
    site.web1.close().await;
}
