//! On, off, and the way from one to the other that nobody wanted.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use super::Machine;
use crate::{command, process, wait_for};

/// How long a machine may take to boot or to power off.
const PATIENCE: Duration = Duration::from_mins(1);

impl Machine {
    /// Boots the machine and waits until systemd says that it runs. Panics with the console when it does not.
    pub async fn power_on(&self) {
        let console = fs::File::options()
            .create(true)
            .append(true)
            .open(self.console());
        let console = console.expect("the folder of the machine can be written");
        let mut boot = Command::new("/bin/sh");
        boot.args(["-c", include_str!("bin/boot"), "boot"])
            .arg(&self.dir)
            .arg(&self.id)
            .args(&self.options.store);
        // A group of its own: what ends the test is not for the machine.
        boot.process_group(0).stdin(Stdio::null());
        boot.stderr(console.try_clone().expect("a file can be opened twice"))
            .stdout(console);
        let child = boot.spawn().expect("there is a shell");
        *self.container.lock().expect("no panic under it") = Some(child);
        wait_for(format!("{} to boot", self.name()), PATIENCE, async || {
            self.runs().await
        })
        .await;
    }

    /// Powers the machine off in order: systemd stops every service first.
    pub async fn power_off(&self) {
        process::signal(self.container_pid(), Signal::TERM);
        self.gone().await;
    }

    /// Crashes the machine: everything on it ends at once, and whoever was connected hears nothing. What was on its disk
    /// is there when it boots again. Unlike in a power cut, nothing that was written is lost.
    pub async fn crash(&self) {
        self.cut_cable().await;
        process::signal(
            self.leader()
                .expect("a machine that is on has a first process"),
            Signal::KILL,
        );
        self.gone().await;
    }

    /// Boots the machine after a crash, with its cable in place.
    pub async fn reboot_after_crash(&self) {
        self.power_on().await;
        self.mend_cable().await;
    }

    /// What the machine wrote to its console.
    pub fn console_log(&self) -> String {
        fs::read_to_string(self.console()).unwrap_or_default()
    }

    /// Its first process, as this side sees it. `None` while it is off.
    pub(super) fn leader(&self) -> Option<i32> {
        let container = self
            .container
            .lock()
            .expect("no panic under it")
            .as_ref()?
            .id();
        let children =
            fs::read_to_string(format!("/proc/{container}/task/{container}/children")).ok()?;
        let is_systemd = |pid: &i32| {
            let name = fs::read_to_string(format!("/proc/{pid}/comm"));
            name.is_ok_and(|name| name.trim() == "systemd")
        };
        children
            .split_whitespace()
            .filter_map(|pid| pid.parse().ok())
            .find(is_systemd)
    }

    async fn runs(&self) -> Result<(), String> {
        let exited = self
            .container
            .lock()
            .expect("no panic under it")
            .as_mut()
            .map(Child::try_wait);
        if let Some(Ok(Some(status))) = exited {
            panic!(
                "{} ended with {status} while it booted:\n{}",
                self.name(),
                self.console_log()
            );
        }
        let Some(leader) = self.leader() else {
            return Err(self.console_log());
        };
        let mut ask = tokio::process::Command::new("nsenter");
        ask.args([
            "--target",
            &leader.to_string(),
            "--all",
            "--",
            "systemctl",
            "is-system-running",
        ]);
        let answer = command::finish(&mut ask).await;
        match String::from_utf8_lossy(&answer.stdout).trim() {
            "running" => Ok(()),
            "degraded" => {
                let failed = self.sh_as_root("systemctl --failed --no-legend").await;
                panic!("{} boots with failed services:\n{failed}", self.name());
            }
            other => Err(format!("systemd says {other:?}\n{}", self.console_log())),
        }
    }

    async fn gone(&self) {
        let what = format!("{} to go off", self.name());
        wait_for(what, PATIENCE, async || {
            let mut container = self.container.lock().expect("no panic under it");
            match container.as_mut().map(Child::try_wait) {
                Some(Ok(None)) => Err(self.console_log()),
                Some(Err(error)) => Err(error.to_string()),
                Some(Ok(Some(_))) | None => {
                    *container = None;
                    Ok(())
                }
            }
        })
        .await;
    }

    fn container_pid(&self) -> i32 {
        let container = self.container.lock().expect("no panic under it");
        let pid = container.as_ref().expect("the machine is on").id();
        i32::try_from(pid).expect("a process id is a small number")
    }

    fn console(&self) -> std::path::PathBuf {
        self.dir.join("console.log")
    }

    pub(super) fn start_guard(&self) -> Child {
        let mut guard = Command::new("/bin/sh");
        guard
            .args(["-c", include_str!("bin/end"), "end"])
            .arg(&self.dir)
            .arg(&self.id);
        // A group of its own: what ends the test must not end its guard.
        guard
            .arg(self.address.to_string())
            .process_group(0)
            .current_dir("/");
        guard
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        guard.spawn().expect("there is a shell")
    }

    /// Ends the machine. Panics when something was left behind: a session of the user that deploys with a process in it,
    /// or a lock that somebody holds; and when something of the machine itself could not be removed.
    pub async fn close(mut self) {
        let what = format!("nothing left over on {}", self.name());
        wait_for(what, Duration::from_secs(5), async || {
            let left = self.left_over().await;
            if left.is_empty() { Ok(()) } else { Err(left) }
        })
        .await;
        self.end_all();
        let traces = [
            self.dir.clone(),
            Path::new("/run/netns").join(&self.id),
            Path::new("/sys/class/net").join(&self.id),
            Path::new("/sys/fs/cgroup").join(&self.id),
            Path::new("/sys/fs/cgroup/systemd").join(&self.id),
            Path::new("/sys/fs/cgroup/unified").join(&self.id),
        ];
        let left: Vec<_> = traces.iter().filter(|path| path.exists()).collect();
        assert!(
            left.is_empty(),
            "{} is closed and these are still there: {left:?}",
            self.name()
        );
        let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
        assert!(
            !mounts.contains(&self.id),
            "{} is closed and still mounted",
            self.name()
        );
    }

    fn end_all(&mut self) {
        if let Some(mut guard) = self.guard.take() {
            drop(guard.stdin.take());
            drop(guard.wait());
            if let Some(mut container) = self.container.lock().expect("no panic under it").take() {
                drop(container.wait());
            }
        }
    }
}

impl Machine {
    /// What a test that fails leaves behind to be read: the end of the journal, which is gone with the machine.
    fn last_words(&self) -> String {
        let Some(leader) = self.leader() else {
            return self.console_log();
        };
        let mut journal = Command::new("nsenter");
        journal.args([
            "--target",
            &leader.to_string(),
            "--all",
            "--",
            "timeout",
            "10",
        ]);
        journal.args([
            "journalctl",
            "--no-pager",
            "--lines=60",
            "--output=short-precise",
        ]);
        let said = journal.stdin(Stdio::null()).output();
        said.map_or_else(
            |error| error.to_string(),
            |said| String::from_utf8_lossy(&said.stdout).into_owned(),
        )
    }
}

impl Drop for Machine {
    #[expect(clippy::print_stderr, reason = "a test that fails tells why")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the journal of {}:\n{}", self.name(), self.last_words());
        }
        self.end_all();
    }
}
