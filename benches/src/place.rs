//! What all of them deploy, and where to: one host, one repository, a folder on the host for each.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use cutover_deploy::CommitSha;
use kit::{Host, HostOptions, Repo, Site};
use tempfile::TempDir;
use tokio::process::Command;

use crate::line::{Line, Lines};

/// The tree: 2,000 files of 10 kB, which compress as code does.
const FILES: usize = 2_000;
const FILE_BYTES: usize = 10_000;
/// Each commit changes as many.
const CHANGED: usize = 10;

pub(crate) struct Place {
    pub(crate) host: Host,
    pub(crate) repo: Repo,
    pub(crate) lines: Lines,
    pub(crate) folder: TempDir,
    /// Answers for the app that is deployed cold.
    pub(crate) cold: Site,
    /// Answers for the one that is deployed over a kept connection.
    pub(crate) warm: Site,
    commits: u64,
}

impl Place {
    pub(crate) async fn make(delays: &[Duration]) -> Result<Self> {
        let host = Host::start(HostOptions::plain("bench")).await;
        let files = (0..FILES).map(|n| (path(n), text(n as u64)));
        let extra = [("health.json".to_owned(), r#"{"ok":true}"#.to_owned())];
        let repo = Repo::with(files.chain(extra)).await;
        let folder = tempfile::Builder::new().prefix("bench-").tempdir()?;
        let lines = Lines::open(delays, host.ssh_port())?;
        let cold = Site::start(host.dir().join("srv/cold")).await;
        let warm = Site::start(host.dir().join("srv/warm")).await;
        let place = Self {
            host,
            repo,
            lines,
            folder,
            cold,
            warm,
            commits: 0,
        };
        place.write_ssh()?;
        Ok(place)
    }

    /// The folder of one contender on the host, with what is shared in it.
    pub(crate) fn root(&self, name: &str) -> Result<PathBuf> {
        let root = self.host.dir().join("srv").join(name);
        if !root.exists() {
            fs::create_dir_all(root.join("shared/storage"))?;
            fs::create_dir_all(root.join("releases"))?;
            fs::write(root.join("shared/.env"), "APP_KEY=x\n")?;
        }
        Ok(root)
    }

    /// A new commit on `main`, pushed.
    pub(crate) async fn commit(&mut self) -> CommitSha {
        self.commits += 1;
        let seed = self.commits;
        let first = usize::try_from(seed).unwrap_or_default() * CHANGED;
        let changed =
            (first..first + CHANGED).map(|n| (path(n % FILES), text(n as u64 + 1_000_000 * seed)));
        let commit = self.repo.commit("change", changed).await;
        self.repo.push("main").await;
        commit
    }

    /// What `ssh` calls the host at the end of a line.
    pub(crate) fn alias(line: &Line) -> String {
        format!("far{}", line.delay.as_millis())
    }

    pub(crate) fn user(&self) -> String {
        let address = self.host.address();
        address.split('@').next().unwrap_or_default().to_owned()
    }

    pub(crate) fn known_hosts(&self) -> PathBuf {
        self.folder.path().join("known_hosts")
    }

    /// A command that finds an `ssh` which knows the host by its aliases, and nothing of whoever runs this.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        let bin = self.folder.path().join("bin");
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .env("PATH", format!("{}:{path}", bin.display()))
            .env("HOME", self.folder.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env_remove("SSH_AUTH_SOCK");
        command
    }

    fn write_ssh(&self) -> Result<()> {
        let known = fs::read_to_string(self.host.known_hosts())?;
        let key = known.split_once(' ').context("a line has a key")?.1;
        let mut known = String::new();
        let mut config = String::new();
        for line in &self.lines.lines {
            write!(known, "[127.0.0.1]:{} {key}", line.port)?;
            write!(
                config,
                "Host {}\n  HostName 127.0.0.1\n  Port {}\n  User {}\n  IdentityFile {}\n  IdentitiesOnly yes\n  \
                 UserKnownHostsFile {}\n  StrictHostKeyChecking yes\n  BatchMode yes\n",
                Self::alias(line),
                line.port,
                self.user(),
                self.host.key_file().display(),
                self.known_hosts().display(),
            )?;
        }
        fs::write(self.known_hosts(), known)?;
        let file = self.folder.path().join("ssh_config");
        fs::write(&file, config)?;
        let bin = self.folder.path().join("bin");
        fs::create_dir_all(&bin)?;
        let ssh = format!(
            "#!/bin/sh\nexec /usr/bin/ssh -F {} \"$@\"\n",
            file.display()
        );
        program(&bin.join("ssh"), &ssh)?;
        // What slipway asks of a service manager is answered with yes.
        program(
            &self.host.dir().join("bin/systemctl"),
            "#!/bin/sh\nexit 0\n",
        )
    }
}

/// Writes a program.
pub(crate) fn program(file: &std::path::Path, text: &str) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::write(file, text)?;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// Runs a command to its end; a failure tells all that it said.
pub(crate) async fn succeed(command: &mut Command) -> Result<()> {
    let output = command
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    ensure!(
        output.status.success(),
        "{} ended with {}:\n{}{}",
        command.as_std().get_program().display(),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

fn path(n: usize) -> String {
    format!("app/part{:02}/file{n:04}.php", n / 100)
}

/// Lines that look like code, the same for the same seed.
fn text(seed: u64) -> String {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut text = String::with_capacity(FILE_BYTES + 100);
    text += "<?php\n";
    while text.len() < FILE_BYTES {
        let (name, value) = (next() % 4096, next());
        let number = next() % 100;
        writeln!(text, "    $item{name:03x} = '{value:016x}'; // {number}")
            .expect("a String takes everything");
    }
    text.truncate(FILE_BYTES);
    text
}
