//! Hosts that serve the sample app with four workers each, and how a release is made live on them.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Result, ensure};
use kit::machine::{Machine, MachineOptions};
use kit::{Debian, Repo, SampleApp};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::case::{Case, Root, Way};
use crate::history::Watch;

const PROVISION: &str = include_str!("provision.sh");
const STORE: &str = include_str!("store.sh");
const SCRIPT: &str = include_str!("script.sh");
const PROGRAM: &str = include_str!("../../../templates/cutover-supervisor");
const WORKERS: u32 = 4;

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

[environments.production.health]
url = "http://127.0.0.1/health"
attempts = 20
interval = "200ms"
json = { ok = true }
release_field = "release"

[environments.production.php_fpm]
pool = "/run/php/php8.2-fpm.sock"
warm = ["/health"]

[[environments.production.workers]]
group = "app-worker"
expect = 4
drain_timeout = "60s"
"#;

pub(crate) struct Site {
    case: Case,
    pub(crate) machines: Vec<Machine>,
    repo: Repo,
    folder: TempDir,
}

impl Site {
    pub(crate) async fn make(case: Case) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let store = folder.path().join("store");
        std::fs::create_dir(&store)?;
        let mut machines: Vec<Machine> = Vec::new();
        for number in 1..=case.hosts {
            let options = MachineOptions {
                workers: WORKERS,
                disk_mib: 2048,
                store: Some(store.clone()),
                ..MachineOptions::laravel(&format!("web{number}"))
            };
            let machine = Machine::start(options).await;
            if let Some(first) = machines.first() {
                machine.let_in(&first.key_file());
            }
            machines.push(machine);
        }
        let site = Self {
            case,
            machines,
            repo: Repo::built_app(Debian::Bookworm).await,
            folder,
        };
        for machine in &site.machines {
            site.provision(machine).await?;
        }
        site.configure()?;
        if site.case.is_ours() {
            // A release that somebody made by hand is no way back.
            site.deploy(0).await?;
        }
        Ok(site)
    }

    /// Who keeps the queue and the database of all.
    pub(crate) fn queue(&self) -> &Machine {
        &self.machines[0]
    }

    async fn provision(&self, machine: &Machine) -> Result<()> {
        let overlap = if self.case.way == Way::Overlap {
            "yes"
        } else {
            "no"
        };
        let root = match self.case.root {
            Root::Realpath => "realpath",
            Root::Document => "document",
        };
        if overlap == "yes" {
            std::fs::write(
                machine.root().join("usr/local/sbin/cutover-supervisor"),
                PROGRAM,
            )?;
        }
        let keeper = if machine.name() == self.queue().name() {
            "yes"
        } else {
            "no"
        };
        machine
            .sh_as_root(&format!("set -- {keeper}\n{STORE}"))
            .await;
        let script = format!("set -- {root} {overlap}\n{PROVISION}");
        machine.sh_as_root(&script).await;
        if overlap == "no" {
            machine.workers_run(WORKERS).await;
        }
        Ok(())
    }

    fn configure(&self) -> Result<()> {
        let mut config = CONFIG.to_owned();
        if self.case.way == Way::Overlap {
            config.push_str("hand_over = \"overlap\"\n");
        }
        let mut known = String::new();
        for (at, machine) in self.machines.iter().enumerate() {
            let (name, address) = (machine.name(), machine.address());
            let migrates = if at == 0 { ", \"migrate\"" } else { "" };
            let _infallible = write!(
                config,
                "\n[[environments.production.hosts]]\nname = \"{name}\"\naddress = \"{address}\"\n\
                 roles = [\"web\", \"worker\"{migrates}]\n"
            );
            known.push_str(&std::fs::read_to_string(machine.known_hosts())?);
        }
        std::fs::write(self.file("cutover.toml"), config)?;
        std::fs::write(self.file("known_hosts"), known)?;
        Ok(())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn urls(&self) -> Vec<String> {
        self.machines.iter().map(Machine::http_url).collect()
    }

    pub(crate) fn watch(&self) -> Watch {
        let link = |machine: &Machine| machine.root().join("srv/app/current");
        Watch::of(self.machines.iter().map(link).collect())
    }

    pub(crate) async fn deploy(&self, number: u32) -> Result<()> {
        if !self.case.is_ours() {
            return self.script("deploy", number).await;
        }
        let files = SampleApp::code(&format!("v{number}"));
        self.repo.commit("another release", files).await;
        self.repo.push("main").await;
        let (url, work) = (self.repo.url(), self.file("work"));
        let mut words = vec!["deploy".as_ref(), "production".as_ref(), "main".as_ref()];
        words.extend([
            "--repository".as_ref(),
            url.as_ref(),
            "--work-dir".as_ref(),
            work.as_os_str(),
        ]);
        self.cutover(&words).await
    }

    pub(crate) async fn roll_back(&self) -> Result<()> {
        if self.case.is_ours() {
            self.cutover(&["rollback".as_ref(), "production".as_ref()])
                .await
        } else {
            self.script("rollback", 0).await
        }
    }

    async fn cutover(&self, words: &[&std::ffi::OsStr]) -> Result<()> {
        let mut cutover = Command::new(kit::program("cutover"));
        cutover
            .args(words)
            .arg("--config")
            .arg(self.file("cutover.toml"));
        cutover.arg("--ssh-key").arg(self.machines[0].key_file());
        cutover.arg("--known-hosts").arg(self.file("known_hosts"));
        let said = cutover
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await?;
        ensure!(
            said.status.success(),
            "{}{}",
            String::from_utf8_lossy(&said.stdout),
            String::from_utf8_lossy(&said.stderr)
        );
        Ok(())
    }

    /// Runs the script on one host after another, as such scripts do.
    async fn script(&self, verb: &str, number: u32) -> Result<()> {
        let way = if self.case.way == Way::Restart {
            "restart"
        } else {
            "queue_restart"
        };
        for machine in &self.machines {
            let mut ssh = machine.ssh();
            ssh.arg(format!("sh -eu -s -- {way} {verb} {number}"));
            ssh.stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            let mut child = ssh.kill_on_drop(true).spawn()?;
            if let Some(mut stdin) = child.stdin.take() {
                stdin.write_all(SCRIPT.as_bytes()).await?;
            }
            let said = child.wait_with_output().await?;
            ensure!(
                said.status.success(),
                "{}",
                String::from_utf8_lossy(&said.stderr)
            );
        }
        Ok(())
    }
}
