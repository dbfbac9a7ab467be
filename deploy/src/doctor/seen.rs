//! What a host said when it was looked at, a fact a line. What was not said stays absent: it was not seen.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::ini::Ini;
use super::running::Running;
use super::units::Unit;
use crate::pool::Pool;

/// What a host said.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Why nothing at all was seen, and the check that this fails.
    pub silent: Option<Silent>,
    /// Scripts that could not look, and why.
    pub trouble: BTreeMap<String, String>,
    /// How many seconds its clock is ahead of ours.
    pub clock_ahead: Option<i64>,
    /// The user that deploys: number and name.
    pub user: Option<(u32, String)>,
    /// Whether `ln` is that of `BusyBox`.
    pub busybox_ln: Option<bool>,
    /// Room on the disk below the path, in KiB.
    pub disk: Option<Room>,
    /// Inodes below the path.
    pub inodes: Option<Room>,
    /// The release that is live.
    pub live: Option<String>,
    /// Shared paths, and whether those of the live release lead into `shared`.
    pub linked: BTreeMap<String, bool>,
    /// The mode of `.env`.
    pub env_mode: Option<u32>,
    /// The keys of `.env`; absent where it cannot be read.
    pub env_keys: Option<BTreeSet<String>>,
    /// The keys of `.env.example`; absent where there is none.
    pub example_keys: Option<BTreeSet<String>>,
    /// Commands that need sudo, and whether it allows them.
    pub rights: BTreeMap<String, bool>,
    /// Whether some rule of sudo asks for a password; absent where it did not tell its rules.
    pub asks: Option<bool>,
    /// The workers of every configured group, as its manager lists them.
    pub listed: Vec<Listed>,
    /// The app's processes that run its `artisan`.
    pub processes: Vec<Process>,
    /// Processes that run an `artisan` of which may not be seen whose it is.
    pub hidden: Vec<Process>,
    /// Those of both that run in a container, whoever made it.
    pub boxed: BTreeSet<u32>,
    /// What each supervisor is configured with.
    pub supervisors: Vec<Ini>,
    /// Whether processes that take jobs handle TERM, by pid.
    pub handles: BTreeMap<u32, bool>,
    /// The units of groups that systemd manages, and those that have a process of the app.
    pub units: BTreeMap<String, Vec<Unit>>,
    /// The units of systemd that have processes of the app, each with the program above the process, by pid.
    pub owners: BTreeMap<u32, (String, String)>,
    /// The app beside the command line's PHP.
    pub app: Option<App>,
    /// The pool; the error is what it answered instead.
    pub pool: Option<Result<Pool, String>>,
    /// `process_control_timeout` of masters of PHP-FPM, by pid, as written; empty where it is not.
    pub control: BTreeMap<u32, String>,
    /// Paths that must never be served, and whether they are.
    pub served: BTreeMap<String, bool>,
    /// Paths that were asked for in vain, and why.
    pub unasked: BTreeMap<String, String>,
    /// A file of the release that was asked for: its path, the status, the folder above that others may not enter.
    pub file: Option<(String, u16, Option<String>)>,
    /// Lines of cron that run the scheduler: where they stand, whose they are, the line.
    pub cron: Vec<(String, String, String)>,
    /// The containers that run workers of the configured groups.
    pub containers: Vec<Running>,
    /// Lines of Dockerfiles of the live release, each with its file.
    pub images: Vec<(String, String)>,
    /// Lines of its Compose and Kubernetes files, each with its file.
    pub yaml: Vec<(String, String)>,
}

/// Why a host said nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silent {
    /// Whether its key is a pinned one; nobody knows where it showed none.
    pub key: Option<bool>,
    /// What was tried and what came back.
    pub said: String,
    /// What to do.
    pub hint: String,
}

/// How much there is of something, and how much of it is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// All of it.
    pub whole: u64,
    /// What is free.
    pub free: u64,
}

/// A worker as its manager lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The group.
    pub group: String,
    /// Its name there.
    pub name: String,
    /// The manager's word for its state.
    pub state: String,
    /// Its process, while it runs.
    pub pid: Option<u32>,
    /// The release whose script it holds open, as far as that may be seen.
    pub release: Option<String>,
}

/// A process that runs the app's `artisan`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Who started it.
    pub parent: u32,
    /// Whose it is.
    pub uid: u32,
    /// The program, as far as that may be seen.
    pub program: Option<String>,
    /// The release whose script it holds open, as far as that may be seen.
    pub release: Option<String>,
    /// Its words.
    pub words: Vec<String>,
}

/// What the PHP of the command line told of itself and of the live release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct App {
    /// The version of PHP.
    pub php: String,
    /// Whether it can handle signals.
    pub signals: bool,
    /// Its extensions, in small letters.
    pub extensions: BTreeSet<String>,
    /// The extensions that the release and its packages want, in small letters.
    pub needs: BTreeMap<String, String>,
    /// The oldest PHP that its packages take, as `80200`.
    pub needs_php: Option<u64>,
    /// The version of Laravel, without a `v`.
    pub laravel: Option<String>,
    /// Whether the live release has views that can be compiled ahead.
    pub views: bool,
    /// The app's configuration; absent where it is none of Laravel, or could not be read.
    #[serde(skip)]
    pub config: Option<AppConfig>,
    /// The cache prefix of releases whose configuration is cached.
    pub prefixes: BTreeMap<String, String>,
}

impl App {
    /// The first number of Laravel's version; absent where that was not seen, or is a branch.
    pub(super) fn laravel_major(&self) -> Option<u32> {
        self.laravel.as_deref()?.split('.').next()?.parse().ok()
    }
}

/// What an app is configured with; no secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct AppConfig {
    /// `app.env`.
    pub env: String,
    /// `app.debug`.
    pub debug: bool,
    /// The default connection of the queue.
    pub queue: String,
    /// Drivers and `retry_after` of connections.
    pub connections: BTreeMap<String, Connection>,
    /// The driver of the default cache.
    pub cache: String,
    /// Whether jobs that failed for good are kept somewhere.
    pub keeps_failed: Option<bool>,
    /// Horizon's supervisors in this environment, by name.
    pub horizon: BTreeMap<String, Horizon>,
    /// The job with the longest `$timeout` of its own.
    pub longest_job: Option<JobTimeout>,
    /// Files with jobs that take a lock which nothing but their end takes away.
    pub endless_locks: Vec<String>,
    /// Whether the app has more code than was looked through for these.
    pub jobs_unread: bool,
}

/// A supervisor of Horizon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Horizon {
    /// The connection that its workers take jobs from.
    pub connection: String,
    /// The seconds that a job may take there; 0 for ever.
    pub timeout: u64,
}

/// How long a job says itself that it may take.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct JobTimeout {
    /// In seconds; 0 for ever.
    pub seconds: u64,
    /// The file that says so, by its path in the release.
    pub file: String,
}

/// A connection of the queue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Connection {
    /// Its driver.
    pub driver: String,
    /// Seconds after which a job counts as lost.
    pub retry_after: Option<u64>,
}

impl Seen {
    /// Takes in one line that a host said. `now` is our clock, in seconds.
    pub fn hear(&mut self, line: &str, now: i64) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "clock" => self.clock_ahead = rest.parse::<i64>().ok().map(|there| there - now),
            "user" => {
                let told = rest.split_once(' ');
                self.user = told.and_then(|(id, name)| Some((id.parse().ok()?, name.to_owned())));
            }
            "ln" => self.busybox_ln = Some(rest == "busybox"),
            "disk" => self.disk = Room::read(rest),
            "inodes" => self.inodes = Room::read(rest),
            "live" => self.live = Some(rest.to_owned()),
            "linked" => drop(self.linked.insert(rest.to_owned(), true)),
            "unlinked" => drop(self.linked.insert(rest.to_owned(), false)),
            "env-mode" => self.env_mode = u32::from_str_radix(rest, 8).ok(),
            "env" => drop(hear_key(&mut self.env_keys, rest)),
            "example" => drop(hear_key(&mut self.example_keys, rest)),
            "allowed" => drop(self.rights.insert(rest.to_owned(), true)),
            "denied" => drop(self.rights.insert(rest.to_owned(), false)),
            "asks" => self.asks = Some(rest != "no"),
            "process" => self.processes.extend(Process::read(rest)),
            "hidden" => self.hidden.extend(Process::read(rest)),
            "boxed" => self.boxed.extend(rest.parse::<u32>()),
            "supervisor" => self.supervisors.push(Ini::at(rest)),
            "ini" => {
                if let Some(ini) = self.supervisors.last_mut() {
                    ini.hear(rest);
                }
            }
            "handles" => {
                let told = rest.split_once(' ');
                let told = told.and_then(|(pid, word)| Some((pid.parse().ok()?, word == "yes")));
                self.handles.extend(told);
            }
            "owner" => {
                let mut parts = rest.splitn(3, ' ');
                let pid = parts.next().and_then(|pid| pid.parse().ok());
                let mut next = || parts.next().unwrap_or_default().to_owned();
                let told = (next(), next());
                self.owners.extend(pid.map(|pid| (pid, told)));
            }
            "unit" => self.hear_unit(rest),
            "app" => self.app = serde_json::from_str(rest).ok(),
            "config" => {
                if let Some(app) = &mut self.app {
                    app.config = serde_json::from_str(rest).ok();
                }
            }
            "fpm" => {
                let (pid, value) = rest.split_once(' ').unwrap_or((rest, ""));
                let pid = pid.parse().ok();
                drop(pid.map(|pid| self.control.insert(pid, value.trim().to_owned())));
            }
            "served" => drop(self.served.insert(rest.to_owned(), true)),
            "unserved" => drop(self.served.insert(rest.to_owned(), false)),
            "unasked" => self.unasked.extend(parted(rest)),
            "file" => self.hear_file(rest),
            "closed" => {
                if let Some((_, _, closed)) = &mut self.file {
                    closed.get_or_insert(rest.to_owned());
                }
            }
            "container" => self.containers.extend(Running::read(rest)),
            "image" => self.images.extend(parted(rest)),
            "yaml" => self.yaml.extend(parted(rest)),
            "cron" => {
                let mut parts = rest.splitn(3, ' ').map(str::to_owned);
                if let (Some(place), Some(user), Some(line)) =
                    (parts.next(), parts.next(), parts.next())
                {
                    self.cron.push((place, user, line));
                }
            }
            // Whatever else stands on a line is none of ours: a login banner, a warning.
            _ => {}
        }
    }

    /// A unit begins anew after an empty line, and whenever a key comes again.
    fn hear_unit(&mut self, rest: &str) {
        let (group, text) = rest.split_once(' ').unwrap_or((rest, ""));
        let units = self.units.entry(group.to_owned()).or_default();
        let Some((key, value)) = text.split_once('=') else {
            units.push(Unit::new());
            return;
        };
        if units.last().is_none_or(|unit| unit.contains_key(key)) {
            units.push(Unit::new());
        }
        if let Some(unit) = units.last_mut() {
            unit.insert(key.to_owned(), value.to_owned());
        }
    }

    fn hear_file(&mut self, rest: &str) {
        let told = rest.split_once(' ');
        self.file = told.map(|(status, path)| (path.to_owned(), status.parse().unwrap_or(0), None));
    }
}

fn parted(rest: &str) -> Option<(String, String)> {
    let (file, line) = rest.split_once(' ')?;
    Some((file.to_owned(), line.to_owned()))
}

/// The name `-` says that there is a file, and no key in it yet.
fn hear_key(keys: &mut Option<BTreeSet<String>>, key: &str) -> bool {
    let keys = keys.get_or_insert_default();
    key != "-" && keys.insert(key.to_owned())
}

impl Room {
    fn read(rest: &str) -> Option<Self> {
        let (whole, free) = rest.split_once(' ')?;
        Some(Self {
            whole: whole.parse().ok()?,
            free: free.parse().ok()?,
        })
    }

    /// The free part, in percent.
    pub(crate) fn percent(self) -> u64 {
        self.free.saturating_mul(100) / self.whole.max(1)
    }
}

impl Process {
    /// Reads `PID PARENT UID PROGRAM RELEASE WORD␟WORD…`, with `-` for what may not be seen.
    fn read(rest: &str) -> Option<Self> {
        let mut parts = rest.splitn(6, ' ');
        let mut next = || parts.next();
        let number = |text: Option<&str>| text?.parse().ok();
        let known = |text: Option<&str>| text.filter(|text| *text != "-").map(str::to_owned);
        Some(Self {
            pid: number(next())?,
            parent: number(next())?,
            uid: number(next())?,
            program: known(next()),
            release: known(next()),
            words: next()?
                .split('\u{1f}')
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect(),
        })
    }
}
