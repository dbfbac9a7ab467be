//! Everything that can be broken about a host, and mended again. Faults strike on the host, never in the code under test.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use tokio::process::Command;

use super::{Daemon, Disk, Host};
use crate::process::Process;
use crate::{command, process, wait_for};

/// When a line is cut, seen from the step that it is cut at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The step never begins.
    Before,
    /// The line dies in the moment that the step begins, and the step runs on with nobody listening.
    AsItBegins,
    /// The step has run to its end, and nobody hears of it.
    After,
}

impl Host {
    /// Makes a step end with `exit` and these words on stderr instead of running, until it is mended.
    ///
    /// A step is known by what comes after its script: `sh -euc SCRIPT NAME …`, inside a segment too. What is no
    /// letter, digit, `-`, `_` or `.` in a name counts as `-`.
    pub fn fault_step(&self, step: &str, exit: u8, stderr: &str) {
        let told = self.fault_file(&format!("{step}.stderr"));
        fs::write(told, format!("{stderr}\n")).expect("the host can be written");
        self.arm(step, &format!("fail {exit}"));
    }

    /// Cuts the line, once, at a step.
    pub fn cut_at(&self, step: &str, cut: Cut) {
        let word = match cut {
            Cut::Before => "before",
            Cut::AsItBegins => "during",
            Cut::After => "after",
        };
        self.arm(step, word);
    }

    /// Makes a step wait before it begins, until it is mended.
    pub fn hold_at(&self, step: &str) {
        drop(fs::remove_file(self.fault_file(&format!("{step}.reached"))));
        self.arm(step, "hold");
    }

    /// The same, but lets it go by until it begins for the `nth` time, from 1.
    pub fn hold_at_nth(&self, step: &str, nth: usize) {
        drop(fs::remove_file(self.fault_file(&format!("{step}.reached"))));
        self.arm(step, &format!("hold {nth}"));
    }

    /// Waits until a step that is held has been reached. Panics after 60 s.
    pub async fn reached(&self, step: &str) {
        let file = self.fault_file(&format!("{step}.reached"));
        wait_for(
            format!("step {step} on {}", self.name()),
            Duration::from_mins(1),
            async || {
                if file.exists() {
                    Ok(())
                } else {
                    Err(format!("steps so far: {:?}", self.steps()))
                }
            },
        )
        .await;
    }

    /// Takes the fault away from a step; one that is held goes on.
    pub fn mend_step(&self, step: &str) {
        drop(fs::remove_file(self.fault_file(step)));
    }

    /// Keeps the name of every step from now on; the first fault does so too.
    pub fn watch_steps(&self) {
        let gate = self.dir.join("bin/sh");
        if !gate.exists() {
            std::os::unix::fs::symlink("gate", gate).expect("the host can be written");
        }
    }

    /// Lets the key of another host in as well, so that one deployer can use the same for both.
    pub fn admit(&self, other: &Self) {
        let theirs = fs::read_to_string(other.dir.join("etc/client_key.pub"));
        let own = File::options()
            .append(true)
            .open(self.dir.join("etc/authorized_keys"));
        write!(
            own.expect("the host can be written"),
            "{}",
            theirs.expect("every host has a key")
        )
        .expect("the host can be written");
    }

    /// Arguments of scripts that are `from`, or a path below it, mean `to` on this host. So hosts in folders of their
    /// own can all have their app at one path.
    pub fn appears_as(&self, from: &str, to: &str) {
        self.watch_steps();
        let list = File::options()
            .create(true)
            .append(true)
            .open(self.dir.join("etc/appears"));
        writeln!(list.expect("the host can be written"), "{from} {to}")
            .expect("the host can be written");
    }

    /// The names of the steps that have begun since they are watched, segments among them.
    pub fn steps(&self) -> Vec<String> {
        let log = fs::read_to_string(self.dir.join("log/steps")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }

    /// Cuts every line to the host. Commands that run on it are not told.
    pub fn cut_lines(&self) {
        for process in self.sessions() {
            process::signal(process.pid, Signal::KILL);
        }
    }

    /// Every line to the host falls silent, and nobody is told.
    pub fn freeze_lines(&self) {
        for process in self.sessions() {
            process::signal(process.pid, Signal::STOP);
        }
    }

    /// The host is gone from the network: lines are cut and connections refused.
    pub async fn go_down(&self) {
        self.cut_lines();
        self.kill_daemon(Daemon::Sshd).await;
    }

    /// The host is back.
    pub async fn come_up(&self) {
        self.start_daemon(Daemon::Sshd).await;
    }

    /// The host answers with another key than the one that is known.
    pub async fn change_host_key(&self) {
        self.make_key("host_key").await;
        self.kill_daemon(Daemon::Sshd).await;
        self.start_daemon(Daemon::Sshd).await;
    }

    /// Lets nobody in any more.
    pub fn refuse_key(&self) {
        fs::write(self.dir.join("etc/authorized_keys"), "").expect("the host can be written");
    }

    /// Lets the key in again.
    pub fn accept_key(&self) {
        let etc = self.dir.join("etc");
        fs::copy(etc.join("client_key.pub"), etc.join("authorized_keys"))
            .expect("the host can be written");
    }

    /// Leaves no room for a byte more: a disk of its own is filled up; otherwise no step that begins from now on
    /// can write to a file ("File too large"), though it can still make empty ones.
    pub fn fill_disk(&self) {
        if !self.has_own_disk() {
            self.arm("disk.full", "full");
            return;
        }
        let mut ballast = File::create(self.ballast()).expect("an empty file needs no room");
        for size in [1 << 20, 1 << 12, 1] {
            let block = vec![0; size];
            loop {
                match ballast.write(&block) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => panic!("cannot fill the disk of {}: {error}", self.name()),
                }
            }
        }
    }

    /// Whether it lies on a disk of its own, which takes root.
    pub fn has_own_disk(&self) -> bool {
        self.dir.join("run/mounted").exists()
    }

    /// Makes room again.
    pub fn free_disk(&self) {
        drop(fs::remove_file(self.fault_file("disk.full")));
        drop(fs::remove_file(self.ballast()));
    }

    /// Nothing can be made, changed or removed directly in this folder or file below the app; root cannot either.
    /// Panics where root may not set the immutable flag.
    pub async fn make_unwritable(&self, relative: &str) {
        let path = self.path().join(relative);
        let list = File::options()
            .create(true)
            .append(true)
            .open(self.dir.join("run/unwritable"));
        writeln!(list.expect("the host can be written"), "{}", path.display())
            .expect("the host can be written");
        self.set_writable(&path, false).await;
    }

    /// Undoes [`Host::make_unwritable`].
    pub async fn make_writable(&self, relative: &str) {
        self.set_writable(&self.path().join(relative), true).await;
    }

    /// Every release of the sample app answers `/health` with 500, the restored one too.
    pub fn make_ill(&self) {
        self.write("shared/storage/app/ill", "");
    }

    /// Undoes [`Host::make_ill`].
    pub fn make_well(&self) {
        fs::remove_file(self.path().join("shared/storage/app/ill")).expect("it was made ill");
    }

    /// The sshd processes of the lines that are open now.
    pub(super) fn sessions(&self) -> Vec<Process> {
        let all = Process::all();
        let Some(listener) = self.pid(Daemon::Sshd) else {
            return Vec::new();
        };
        let family = process::descendants(&all, listener);
        all.into_iter()
            .filter(|process| process.pid != listener && family.contains(&process.pid))
            .filter(|process| process.name().starts_with("sshd"))
            .collect()
    }

    /// Mounts a disk of its own where it was asked for and can be had.
    pub(super) async fn mount_disk(&self) {
        if let Disk::Own(mebibytes) = self.options.disk
            && process::is_root()
        {
            let mut mount = Command::new("mount");
            mount.args([
                "-t",
                "tmpfs",
                "-o",
                &format!("size={mebibytes}m,mode=755"),
                "cutover-kit",
            ]);
            command::succeed(mount.arg(self.dir.join("srv"))).await;
            fs::write(self.dir.join("run/mounted"), "").expect("the host can be written");
        }
    }

    fn arm(&self, step: &str, fault: &str) {
        self.watch_steps();
        // Renamed into place, so that no step reads half of it.
        let new = self.fault_file(&format!(".{step}"));
        fs::write(&new, format!("{fault}\n")).expect("the host can be written");
        fs::rename(new, self.fault_file(step)).expect("the host can be written");
    }

    fn fault_file(&self, name: &str) -> PathBuf {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let mut file = String::new();
        for c in name.chars().map(|c| if plain(c) { c } else { '-' }) {
            if c != '-' || !file.ends_with('-') {
                file.push(c);
            }
        }
        self.dir.join("faults").join(file)
    }

    fn ballast(&self) -> PathBuf {
        self.dir.join("srv/ballast")
    }

    async fn set_writable(&self, path: &Path, writable: bool) {
        let (program, flag) = match (process::is_root(), writable) {
            (true, false) => ("chattr", "+i"),
            (true, true) => ("chattr", "-i"),
            (false, false) => ("chmod", "a-w"),
            (false, true) => ("chmod", "u+w"),
        };
        command::succeed(Command::new(program).arg(flag).arg(path)).await;
    }
}
