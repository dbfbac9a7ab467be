//! What the kernel tells of the processes that belong to a folder.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::process::Pid;
pub use rustix::process::Signal;

/// The variable that everything that runs on a host inherits; its value is the host's folder.
pub(crate) const MARK: &str = "CUTOVER_KIT_HOST";

/// A process as `/proc` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    pub(crate) command: String,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} (child of {}) {}",
            self.pid, self.parent, self.command
        )
    }
}

impl Process {
    /// Every process that this user can look at.
    pub(crate) fn all() -> Vec<Self> {
        let entries = fs::read_dir("/proc").expect("/proc is there on Linux");
        entries
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter_map(Self::read)
            .collect()
    }

    /// The process `pid`, unless it is gone or a zombie.
    pub(crate) fn read(pid: i32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.map(str::trim)
        };
        if field("State:")?.starts_with('Z') {
            return None;
        }
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        Some(Self {
            pid,
            parent: field("PPid:")?.parse().ok()?,
            command: String::from_utf8_lossy(&line)
                .replace('\0', " ")
                .trim()
                .to_owned(),
        })
    }

    /// Whether it has anything to do with `dir`: by its mark, its command line, its folder or a file it holds open.
    pub(crate) fn touches(&self, dir: &Path) -> bool {
        let mark = [MARK.as_bytes(), b"=", dir.as_os_str().as_bytes()].concat();
        let environment = fs::read(format!("/proc/{}/environ", self.pid)).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|entry| entry == mark)
            || self.names(dir)
            || self.links().iter().any(|path| path.starts_with(dir))
    }

    /// Whether its command line names a path below `dir`.
    fn names(&self, dir: &Path) -> bool {
        let dir = dir.to_string_lossy();
        let mut ends = self
            .command
            .match_indices(&*dir)
            .map(|(at, text)| at + text.len());
        ends.any(|end| {
            let next = self.command[end..].chars().next();
            next.is_none_or(|c| !c.is_ascii_alphanumeric())
        })
    }

    /// Its working folder and every path that it holds open. One that was deleted keeps its name.
    pub(crate) fn links(&self) -> Vec<PathBuf> {
        let open = fs::read_dir(format!("/proc/{}/fd", self.pid));
        let open = open
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()));
        open.chain([format!("/proc/{}/cwd", self.pid).into()])
            .filter_map(|link| fs::read_link(link).ok())
            .collect()
    }

    /// The first word of its name as the kernel keeps it: `sshd`, `php`.
    pub(crate) fn name(&self) -> String {
        let name = fs::read_to_string(format!("/proc/{}/comm", self.pid));
        name.unwrap_or_default().trim().to_owned()
    }
}

/// The processes below `root`, itself included.
pub(crate) fn descendants(all: &[Process], root: i32) -> Vec<i32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(all.iter().filter(|p| p.parent == parent).map(|p| p.pid));
        next += 1;
    }
    found
}

/// Sends a signal; a process that is gone already is as good.
pub fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        rustix::process::kill_process(pid, signal).ok();
    }
}

/// Sends a signal to a process and all of its group, as a terminal does.
pub fn signal_group(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        rustix::process::kill_process_group(pid, signal).ok();
    }
}

/// The name of the user that everything runs as.
pub(crate) fn user() -> String {
    let uid = rustix::process::getuid().as_raw().to_string();
    let table = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut rows = table
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>());
    rows.find(|row| row.get(2) == Some(&uid.as_str()))
        .map_or(uid.clone(), |row| row[0].to_owned())
}

/// Whether everything runs as root, which no permission stops.
pub(crate) fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

/// The last part of a path that is known to be text.
pub(crate) fn text(part: &OsStr) -> String {
    part.to_string_lossy().into_owned()
}
