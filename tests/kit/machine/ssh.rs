//! The way in: keys, addresses, and what the machine's journal says of connections.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::atomic::Ordering;

use tokio::process::Command;

use super::Machine;
use crate::command;

impl Machine {
    /// Where and as whom it is reached, as `cutover.toml` writes it: `deploy@198.18.0.2:22`.
    pub fn address(&self) -> String {
        format!("deploy@{}:22", self.address)
    }

    /// The private key that is let in.
    pub fn key_file(&self) -> PathBuf {
        self.dir.join("client_key")
    }

    /// A `known_hosts` file with the right key, good for `StrictHostKeyChecking=yes`.
    pub fn known_hosts(&self) -> PathBuf {
        self.dir.join("known_hosts")
    }

    /// Lets a second key in: several machines then share one, as servers of one environment do.
    pub fn let_in(&self, key_file: &Path) {
        let public = fs::read_to_string(key_file.with_extension("pub"))
            .expect("a private key has its public half beside it");
        let keys = self.root().join("home/deploy/.ssh/authorized_keys");
        let file = fs::File::options().append(true).open(keys);
        file.and_then(|mut file| file.write_all(public.as_bytes()))
            .expect("the machine can be written");
    }

    /// An `ssh` to this machine that reads nobody's configuration; the command line of the host comes after it.
    pub fn ssh(&self) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.args([
            "-F",
            "none",
            "-o",
            "BatchMode=yes",
            "-o",
            "IdentitiesOnly=yes",
        ]);
        ssh.args([
            "-o",
            "ConnectTimeout=4",
            "-o",
            "StrictHostKeyChecking=yes",
            "-o",
        ]);
        ssh.arg(format!(
            "UserKnownHostsFile={}",
            self.known_hosts().display()
        ));
        ssh.arg("-i")
            .arg(self.key_file())
            .arg(format!("deploy@{}", self.address));
        ssh.stdin(Stdio::null());
        ssh
    }

    /// Runs a command line over a new SSH connection and returns however it ended.
    pub async fn over_ssh(&self, line: &str) -> Output {
        command::finish(self.ssh().arg(line)).await
    }

    /// From here on [`Machine::connections`] and [`Machine::exec_channels`] count from zero.
    pub async fn mark(&self) {
        let log = self.sshd_log().await;
        self.connections_before
            .store(accepted(&log), Ordering::Relaxed);
        self.channels_before
            .store(sessions(&log), Ordering::Relaxed);
    }

    /// How many connections sshd accepted the key of since the mark, by its own log.
    pub async fn connections(&self) -> usize {
        accepted(&self.sshd_log().await) - self.connections_before.load(Ordering::Relaxed)
    }

    /// How many sessions (`exec` channels, mostly) sshd began since the mark, by its own log.
    pub async fn exec_channels(&self) -> usize {
        sessions(&self.sshd_log().await) - self.channels_before.load(Ordering::Relaxed)
    }

    async fn sshd_log(&self) -> String {
        self.sh_as_root("journalctl --sync; journalctl --quiet --output=cat --identifier=sshd")
            .await
    }

    pub(super) async fn make_keys(&self) {
        let etc = self.root().join("etc/ssh");
        let make = |file: PathBuf| async move {
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", self.name(), "-f"]);
            command::succeed(keygen.arg(file)).await;
        };
        tokio::join!(
            make(self.key_file()),
            make(etc.join("ssh_host_ed25519_key"))
        );
        let public = |file: PathBuf| fs::read_to_string(file).expect("ssh-keygen just wrote it");
        let known = format!(
            "{} {}",
            self.address,
            public(etc.join("ssh_host_ed25519_key.pub"))
        );
        fs::write(self.known_hosts(), known).expect("the folder of the machine can be written");
        let home = self.root().join("home/deploy/.ssh");
        fs::create_dir_all(&home).expect("the machine can be written");
        fs::write(
            home.join("authorized_keys"),
            public(self.dir.join("client_key.pub")),
        )
        .expect("it was just made");
        fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).expect("it was just made");
        self.give_to_deploy(&home);
        self.give_to_deploy(&home.join("authorized_keys"));
    }
}

fn accepted(log: &str) -> usize {
    log.matches("Accepted publickey").count()
}

fn sessions(log: &str) -> usize {
    log.matches("Starting session:").count()
}
