//! A real Docker daemon of the test's own: its own folder, socket and cgroups, no bridge, no rules of a firewall. Its images
//! come from this very machine. Needs root.

mod plugin;

use std::fs::{self, File};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use crate::{Host, cache, command, process, wait_for};

const IMAGE: &str = include_str!("docker/bin/image");
/// The image that all others are made from: PHP and a shell, no command.
const BASE: &str = "base:1";

/// A worker that hears TERM between two jobs, as `queue:work` does; its jobs are files.
pub const WORKER: &str = include_str!("docker/worker.php");

/// A Docker daemon.
///
/// When it is dropped, or the test is killed, it ends with all of its containers, and its folder goes.
#[derive(Debug)]
pub struct Docker {
    /// The name of its cgroup and, if it has one, of its network namespace.
    id: String,
    dir: PathBuf,
    /// Ends everything as soon as its stdin ends, which happens even when the test is killed.
    guard: Option<Child>,
    daemons: Vec<Child>,
}

impl Docker {
    /// Starts a daemon and waits until it answers. Panics with its log when it does not, and for whoever is not root.
    pub async fn start() -> Self {
        let mut docker = Self::folder();
        docker.run_daemon("", &[]).await;
        docker
    }

    /// A folder and a name, and a guard of both, with no daemon yet.
    pub(crate) fn folder() -> Self {
        assert!(process::is_root(), "a Docker daemon needs root");
        let folder = tempfile::Builder::new()
            .prefix("kit-docker-")
            .tempdir_in("/tmp");
        // The guard removes it, not this process: it outlives a test that is killed.
        let dir = folder.expect("a temporary folder can be made").keep();
        let id = format!("cd-{}", &uuid::Uuid::new_v4().simple().to_string()[..10]);
        let mut guard = std::process::Command::new("/bin/sh");
        guard
            .args(["-c", include_str!("docker/bin/end"), "end"])
            .arg(&dir)
            .arg(&id)
            .process_group(0)
            .current_dir("/");
        guard.stdin(Stdio::piped()).stdout(Stdio::null());
        let guard = guard.stderr(Stdio::null()).spawn();
        Self {
            id,
            dir,
            guard: Some(guard.expect("there is a shell")),
            daemons: Vec::new(),
        }
    }

    /// Starts the daemon in a network namespace, this one's when it has no name.
    pub(crate) async fn run_daemon(&mut self, namespace: &str, more: &[&str]) {
        let dir = self.dir.display();
        let mut words: Vec<String> = [
            "dockerd",
            "--iptables=false",
            "--ip6tables=false",
            "--bridge=none",
            "--storage-driver=overlay2",
            "--exec-opt=native.cgroupdriver=cgroupfs",
        ]
        .into_iter()
        .chain(more.iter().copied())
        .map(str::to_owned)
        .collect();
        words.extend([
            format!("--data-root={dir}/data"),
            format!("--exec-root={dir}/exec"),
            format!("--pidfile={dir}/pid"),
            format!("--host=unix://{dir}/docker.sock"),
            format!("--cgroup-parent=/{}/containers", self.id),
        ]);
        self.spawn(namespace, &words);
        let socket = self.dir.join("docker.sock");
        wait_for("a Docker daemon", Duration::from_secs(30), async || {
            UnixStream::connect(&socket)
                .map(drop)
                .map_err(|error| format!("{error}\n{}", self.log("dockerd")))
        })
        .await;
        let key = key();
        let base = cache::folder("container", &key, async |folder: &Path| {
            let mut make = Command::new("/bin/sh");
            make.args(["-c", IMAGE, "image"])
                .arg(folder.join("base.tar"));
            command::succeed(&mut make).await;
        });
        let base = base.await.join("base.tar");
        command::succeed(self.docker().arg("import").arg(base).arg(BASE)).await;
    }

    /// Starts one of its programs in its cgroups. What it says goes to a log of the program's name.
    pub(crate) fn spawn(&mut self, namespace: &str, words: &[String]) {
        let name = Path::new(&words[0]).file_name().expect("it is a program");
        let log = File::create(self.dir.join(name).with_extension("log"));
        let log = log.expect("the folder can be written");
        let mut run = std::process::Command::new("/bin/sh");
        run.args(["-c", include_str!("docker/bin/run"), "run"])
            .args([&self.id, namespace])
            .args(words);
        run.process_group(0).current_dir("/").stdin(Stdio::null());
        run.stderr(log.try_clone().expect("a file can be opened twice"));
        let child = run.stdout(log).spawn().expect("there is a shell");
        self.daemons.push(child);
    }

    /// What one of its programs has said.
    pub(crate) fn log(&self, name: &str) -> String {
        fs::read_to_string(self.dir.join(format!("{name}.log"))).unwrap_or_default()
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The folder of it all. Goes away with the daemon.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A client that speaks to this daemon.
    pub fn docker(&self) -> Command {
        let mut docker = Command::new("/usr/bin/docker");
        docker
            .env("DOCKER_HOST", self.host())
            .env("HOME", &self.dir);
        docker
    }

    /// From now on `docker` and `docker-compose` on this host speak to this daemon.
    pub fn serve(&self, host: &Host) {
        for program in ["docker", "docker-compose"] {
            let text = format!(
                "#!/bin/sh\nexport DOCKER_HOST={} DOCKER_CONFIG={}\nexec /usr/bin/{program} \"$@\"\n",
                self.host(),
                self.dir.join(".docker").display()
            );
            host.install(program, &text);
        }
    }

    /// Makes an image with the worker at `/artisan`, and with these lines of a Dockerfile: `CMD ["php", "artisan"]`.
    pub async fn image(&self, name: &str, lines: &[&str]) {
        let label = format!("LABEL name={name}");
        let base = command::succeed(self.docker().args(["create", BASE, "php"])).await;
        let base = base.trim();
        let worker = self.dir.join("artisan");
        fs::write(&worker, WORKER).expect("the folder can be written");
        let place = format!("{base}:/artisan");
        command::succeed(self.docker().arg("cp").arg(worker).arg(place)).await;
        let mut commit = self.docker();
        commit.arg("commit");
        for line in lines.iter().copied().chain([label.as_str()]) {
            commit.args(["--change", line]);
        }
        command::succeed(commit.args([base, name])).await;
        command::succeed(self.docker().args(["rm", base])).await;
    }

    /// Builds an image from this Dockerfile, beside nothing but the worker as `artisan`.
    pub async fn build(&self, name: &str, dockerfile: &str) {
        let folder = tempfile::tempdir_in(&self.dir).expect("the folder can be written");
        for (file, text) in [("Dockerfile", dockerfile), ("artisan", WORKER)] {
            fs::write(folder.path().join(file), text).expect("it was just made");
        }
        let mut build = self.docker();
        build.args(["build", "--network=host", "--tag", name]);
        command::succeed(build.arg(folder.path())).await;
    }

    /// A client of Compose that speaks to this daemon.
    pub fn compose(&self) -> Command {
        let mut compose = Command::new("/usr/bin/docker-compose");
        compose
            .env("DOCKER_HOST", self.host())
            .env("HOME", &self.dir);
        compose
    }

    /// Its containers, a line each in order of their names, as this format of `docker ps` tells them.
    pub async fn containers(&self, format: &str) -> Vec<String> {
        let mut list = self.docker();
        list.args(["ps", "--all", "--no-trunc", "--format", format]);
        let list = command::succeed(&mut list).await;
        let mut list: Vec<_> = list.lines().map(str::to_owned).collect();
        list.sort();
        list
    }

    fn host(&self) -> String {
        format!("unix://{}/docker.sock", self.dir.display())
    }
}

/// Changes with whatever the base image is made from.
fn key() -> String {
    let php = command::program("php");
    let php = fs::read(php).unwrap_or_default();
    let digest = Sha256::new().chain_update(IMAGE).chain_update(php);
    hex::encode(&digest.finalize()[..6])
}

impl Drop for Docker {
    fn drop(&mut self) {
        if let Some(mut guard) = self.guard.take() {
            drop(guard.stdin.take());
            drop(guard.wait());
        }
        for daemon in &mut self.daemons {
            drop(daemon.wait());
        }
    }
}
