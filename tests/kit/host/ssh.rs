//! The way in: keys, addresses, and what sshd's own log says of connections.

use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::atomic::Ordering;

use tokio::process::Command;

use super::Host;
use crate::{command, process};

impl Host {
    /// Where and as whom it is reached, as `cutover.toml` writes it: `deploy@127.0.0.1:12022`.
    pub fn address(&self) -> String {
        format!("{}@127.0.0.1:{}", process::user(), self.ssh_port)
    }

    /// The port of its sshd on 127.0.0.1.
    pub fn ssh_port(&self) -> u16 {
        self.ssh_port
    }

    /// The private key that is let in.
    pub fn key_file(&self) -> PathBuf {
        self.dir.join("etc/client_key")
    }

    /// A `known_hosts` file with the right key, good for `StrictHostKeyChecking=yes`.
    pub fn known_hosts(&self) -> PathBuf {
        self.dir.join("etc/known_hosts")
    }

    /// An `ssh` to this host that reads nobody's configuration; the command line of the host comes after it.
    pub fn ssh(&self) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.args([
            "-F",
            "none",
            "-o",
            "BatchMode=yes",
            "-o",
            "IdentitiesOnly=yes",
            "-o",
            "ConnectTimeout=10",
        ]);
        ssh.args(["-o", "StrictHostKeyChecking=yes", "-o"]);
        ssh.arg(format!(
            "UserKnownHostsFile={}",
            self.known_hosts().display()
        ));
        ssh.arg("-i")
            .arg(self.key_file())
            .args(["-p", &self.ssh_port.to_string()]);
        ssh.arg(format!("{}@127.0.0.1", process::user()))
            .stdin(Stdio::null());
        ssh
    }

    /// Runs a command line over a new SSH connection and returns however it ended.
    pub async fn over_ssh(&self, line: &str) -> Output {
        command::finish(self.ssh().arg(line)).await
    }

    /// Runs a step as the code under test does, `sh -euc SCRIPT NAME`, over a new SSH connection.
    /// Neither may contain a single quote.
    pub async fn step_over_ssh(&self, name: &str, script: &str) -> Output {
        self.over_ssh(&format!("sh -euc '{script}' '{name}'")).await
    }

    /// From here on [`Host::connections`] and [`Host::exec_channels`] count from zero.
    pub fn mark(&self) {
        self.mark.store(self.log_length(), Ordering::Relaxed);
    }

    /// How many connections sshd accepted the key of since the mark, by its own log.
    pub fn connections(&self) -> usize {
        self.log_since(self.mark.load(Ordering::Relaxed))
            .matches("Accepted publickey")
            .count()
    }

    /// How many sessions (`exec` channels, mostly) sshd began since the mark, by its own log.
    pub fn exec_channels(&self) -> usize {
        self.log_since(self.mark.load(Ordering::Relaxed))
            .matches("Starting session:")
            .count()
    }

    pub(super) async fn make_keys(&self) {
        tokio::join!(self.make_key("host_key"), self.make_key("client_key"));
        let public = |name: &str| {
            fs::read_to_string(self.dir.join("etc").join(name)).expect("ssh-keygen just wrote it")
        };
        fs::write(
            self.dir.join("etc/authorized_keys"),
            public("client_key.pub"),
        )
        .expect("the host can be written");
        let known = format!("[127.0.0.1]:{} {}", self.ssh_port, public("host_key.pub"));
        fs::write(self.known_hosts(), known).expect("the host can be written");
    }

    pub(super) async fn make_key(&self, name: &str) {
        let file = self.dir.join("etc").join(name);
        if file.exists() {
            fs::remove_file(&file).expect("the host can be written");
        }
        let mut keygen = Command::new("ssh-keygen");
        keygen
            .args(["-q", "-t", "ed25519", "-N", "", "-C", self.name(), "-f"])
            .arg(file);
        command::succeed(&mut keygen).await;
    }

    fn log(&self) -> PathBuf {
        self.dir.join("log/sshd.log")
    }

    pub(super) fn log_length(&self) -> u64 {
        fs::metadata(self.log()).map_or(0, |data| data.len())
    }

    pub(super) fn log_since(&self, mark: u64) -> String {
        read_from(&self.log(), mark).unwrap_or_default()
    }
}

fn read_from(path: &Path, mark: u64) -> std::io::Result<String> {
    let mut file = fs::File::open(path)?;
    file.seek(SeekFrom::Start(mark))?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(text)
}
