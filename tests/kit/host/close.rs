//! The end of a host: nothing of it stays, and what a deployment left behind is told.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::daemon::pid_of;
use super::{Daemon, Host};
use crate::process::{self, Process};
use crate::wait_for;

/// How long what a deployment started may take to see that it is over.
const PATIENCE: Duration = Duration::from_secs(5);

impl Host {
    /// Ends the host. Panics when something was left behind: an open line, a process that still runs for a deployment
    /// or touches the folder in any way, or a lock that somebody holds.
    pub async fn close(mut self) {
        let strangers = wait_for(
            format!("nothing left over on {}", self.name()),
            PATIENCE,
            async || {
                let left = self.left_over();
                if left.is_empty() {
                    Ok(())
                } else {
                    Err(left.join("\n"))
                }
            },
        );
        strangers.await;
        let dir = self.dir.clone();
        self.end_all();
        let left: Vec<_> = Process::all()
            .into_iter()
            .filter(|process| process.touches(&dir))
            .collect();
        assert!(
            left.is_empty(),
            "{} is closed and these still have to do with it: {left:#?}",
            dir.display()
        );
        assert!(!dir.exists(), "{} could not be removed", dir.display());
    }

    /// What would be left behind if the host were closed now, a line each.
    pub fn left_over(&self) -> Vec<String> {
        let all = Process::all();
        let mut own: Vec<i32> = self.guard.iter().map(pid_of).collect();
        own.extend(i32::try_from(std::process::id()));
        for (daemon, child) in self.daemons.lock().expect("no panic under it").iter() {
            // What sshd has started is a line or a command that came by it, and neither belongs to the host.
            match daemon {
                Daemon::Sshd => own.push(pid_of(child)),
                _ => own.extend(process::descendants(&all, pid_of(child))),
            }
        }
        let mut left: Vec<_> = all
            .iter()
            .filter(|process| !own.contains(&process.pid) && process.touches(&self.dir))
            .map(|process| format!("process {process}"))
            .collect();
        left.extend(
            self.locks()
                .into_iter()
                .map(|path| format!("a lock on {}", path.display())),
        );
        left
    }

    /// The locks of the deploy tool that are held now.
    fn locks(&self) -> Vec<PathBuf> {
        let kept = self.path().join(".cutover");
        let held = |path: &PathBuf| {
            File::open(path).is_ok_and(|file| file.try_lock().is_err_and(|error| is_held(&error)))
        };
        [kept.join("lock"), kept].into_iter().filter(held).collect()
    }

    pub(super) fn start_guard(&self) -> Child {
        let mut guard = Command::new("/bin/sh");
        // A group of its own: what ends the test must not end its guard.
        guard
            .arg(self.dir.join("bin/end"))
            .process_group(0)
            .current_dir("/");
        guard
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        guard.spawn().expect("there is a shell")
    }

    fn end_all(&mut self) {
        if let Some(mut guard) = self.guard.take() {
            drop(guard.stdin.take());
            drop(guard.wait());
            for child in self.daemons.lock().expect("no panic under it").values_mut() {
                drop(child.wait());
            }
            // The guard could not be made at all when the folder is still there; a second try costs nothing.
            drop(fs::remove_dir_all(&self.dir));
        }
    }
}

fn is_held(error: &fs::TryLockError) -> bool {
    matches!(error, fs::TryLockError::WouldBlock)
}

impl Drop for Host {
    fn drop(&mut self) {
        self.end_all();
    }
}
