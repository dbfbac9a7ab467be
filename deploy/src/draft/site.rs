//! What a host shows to whoever writes its configuration.

use std::fmt::Write as _;

use super::line;

/// What a worker may take longer than its longest job, in seconds.
const SPARE_SECONDS: u64 = 10;
/// What `queue:work` takes when it is not told, in seconds.
const TIMEOUT_SECONDS: u64 = 60;

/// What a host showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// The user that deploys there.
    pub user: Option<String>,
    /// Sockets of pools of PHP-FPM.
    pub pools: Vec<String>,
    /// Units of PHP-FPM.
    pub services: Vec<String>,
    /// Sites of its web servers.
    pub sites: Vec<Site>,
    /// Workers that supervisor or systemd runs.
    pub workers: Vec<Worker>,
}

/// A site of a web server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Site {
    /// `nginx` or `apache`.
    pub server: String,
    /// The folder that it serves.
    pub root: Option<String>,
    /// Its first name.
    pub name: Option<String>,
    /// The socket that it hands PHP to.
    pub pool: Option<String>,
}

/// A group of workers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Worker {
    /// Its name in its manager.
    pub name: String,
    /// Its command line.
    pub command: String,
    /// The folder that it is started in.
    pub folder: String,
    /// How many of it run.
    pub count: u32,
    /// Whether systemd runs it.
    pub systemd: bool,
}

impl Machine {
    /// Takes in one line that a host said.
    pub fn hear(&mut self, text: &str) {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        match word {
            "user" => self.user = Some(rest.to_owned()),
            "pool" => self.pools.push(rest.to_owned()),
            "service" if !self.services.iter().any(|known| known == rest) => {
                self.services.push(rest.to_owned());
            }
            "site" => self.hear_site(rest),
            "program" => self.hear_program(rest),
            "unit" => {
                let (name, command) = rest.split_once(' ').unwrap_or((rest, ""));
                self.workers.push(Worker {
                    name: name.trim_end_matches('@').to_owned(),
                    command: command.to_owned(),
                    count: 1,
                    systemd: true,
                    ..Worker::default()
                });
            }
            _ => {}
        }
    }

    fn hear_site(&mut self, rest: &str) {
        let Some((key, value)) = rest.split_once(' ') else {
            self.sites.push(Site {
                server: rest.to_owned(),
                ..Site::default()
            });
            return;
        };
        let Some(site) = self.sites.last_mut() else {
            return;
        };
        let first = value
            .split_whitespace()
            .next()
            .map(|word| word.trim_matches('"').to_owned());
        match key {
            "root" => site.root = site.root.take().or(first),
            "server_name" => {
                let named = first.filter(|name| !matches!(name.as_str(), "_" | "localhost"));
                site.name = site.name.take().or(named);
            }
            "fastcgi_pass" => {
                let socket = value.strip_prefix("unix:").map(str::to_owned);
                site.pool = site.pool.take().or(socket);
            }
            _ => {}
        }
    }

    fn hear_program(&mut self, rest: &str) {
        let (key, value) = rest.split_once(' ').unwrap_or((rest, ""));
        if key == "name" {
            self.workers.push(Worker {
                name: value.to_owned(),
                count: 1,
                ..Worker::default()
            });
        } else if let Some(worker) = self.workers.last_mut() {
            match key {
                "command" => value.clone_into(&mut worker.command),
                "directory" => value.clone_into(&mut worker.folder),
                "numprocs" => worker.count = value.trim().parse().unwrap_or(1),
                _ => {}
            }
        }
    }

    /// The site of the app: the one below `path`, one whose folder has the app's name in it, or, where no path is given,
    /// the only one.
    pub(super) fn site(&self, path: Option<&str>, app: &str) -> Option<&Site> {
        let below = |site: &&Site| {
            let root = site.root.as_deref().unwrap_or_default();
            path.is_some_and(|path| root.starts_with(&format!("{path}/")))
        };
        let named = |site: &&Site| {
            let root = site.root.as_deref().unwrap_or_default();
            root.split('/').any(|part| part == app)
        };
        let mut with_root = self.sites.iter().filter(|site| site.root.is_some());
        self.sites
            .iter()
            .find(below)
            .or_else(|| self.sites.iter().find(named))
            .or_else(|| {
                with_root
                    .next()
                    .filter(|_| path.is_none() && with_root.next().is_none())
            })
    }

    /// What was found beside an app that lies there, a sentence each.
    pub(super) fn sentences(&self, path: &str) -> Vec<String> {
        let mut all = Vec::new();
        for (what, names) in [("pool", &self.pools), ("unit", &self.services)] {
            if !names.is_empty() {
                all.push(format!("PHP-FPM: {what} {}", names.join(", ")));
            }
        }
        for worker in self.workers_of(path) {
            let manager = if worker.systemd {
                "systemd"
            } else {
                "supervisor"
            };
            all.push(format!(
                "{manager}: {} with {} processes",
                worker.name, worker.count
            ));
        }
        all
    }

    /// The workers of an app that lies there, as far as that can be seen.
    fn workers_of(&self, path: &str) -> impl Iterator<Item = &Worker> {
        let here = format!("{path}/current");
        self.workers
            .iter()
            .filter(move |worker| worker.is_of(&here))
    }

    /// Writes the tables of workers and of PHP-FPM.
    pub(super) fn processes(
        &self,
        text: &mut String,
        environment: &str,
        path: &str,
        site: Option<&Site>,
        php: bool,
    ) {
        for worker in self.workers_of(path) {
            writeln!(text, "\n[[environments.{environment}.workers]]").unwrap_or_default();
            if worker.systemd {
                line(text, "manager", "systemd", "");
            }
            line(text, "group", &worker.name, "");
            writeln!(text, "expect = {}", worker.count).unwrap_or_default();
            if !worker.command.contains("artisan") {
                continue;
            }
            let longest = timeout(&worker.command).unwrap_or(TIMEOUT_SECONDS) + SPARE_SECONDS;
            line(
                text,
                "drain_timeout",
                &format!("{longest}s"),
                "longer than the longest job (--timeout)",
            );
        }
        let named = site.and_then(|site| site.pool.as_ref());
        let only = self.pools.first().filter(|_| self.pools.len() == 1);
        match named.or(only).filter(|_| php) {
            Some(pool) => {
                writeln!(text, "\n[environments.{environment}.php_fpm]").unwrap_or_default();
                line(
                    text,
                    "pool",
                    pool,
                    "asked what it needs after a swap; the deploy user must be able to open it",
                );
            }
            None if php && !self.pools.is_empty() => {
                write!(
                    text,
                    "\n# There are several pools, and no site says which is the app's: {}.\n# [environments.{environment}.php_fpm]\n\
                     # pool = \"…\"\n",
                    super::one_line(&self.pools.join(", "))
                )
                .unwrap_or_default();
            }
            None => {}
        }
    }
}

impl Worker {
    /// Whether it works for the app that is live `here`, and not for another one.
    fn is_of(&self, here: &str) -> bool {
        let lasting = ["queue:work", "queue:listen", "horizon", "schedule:work"];
        let artisan = self.command.contains("artisan");
        if artisan && !lasting.iter().any(|word| self.command.contains(word)) {
            return false;
        }
        let ours = |text: &str| {
            let rest = text.split_once(here).map(|(_, rest)| rest);
            rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
        };
        if ours(&self.command) || ours(&self.folder) {
            return true;
        }
        let elsewhere = [&self.command, &self.folder];
        artisan && !elsewhere.iter().any(|text| text.contains("/current"))
    }
}

impl Site {
    /// The folder of the app, where the site serves its `current`.
    pub(super) fn path(&self) -> Option<String> {
        let root = self.root.as_deref()?;
        let (path, _) = root.split_once("/current")?;
        (!path.is_empty()).then(|| path.to_owned())
    }

    /// What was found, in a sentence.
    pub(super) fn sentence(&self) -> Option<String> {
        let root = self.root.as_ref()?;
        let name = self.name.as_ref().map(|name| format!(" as {name}"));
        Some(format!(
            "{} serves {root}{}",
            self.server,
            name.unwrap_or_default()
        ))
    }
}

/// `--timeout` of a command line.
fn timeout(command: &str) -> Option<u64> {
    let (_, rest) = command.split_once("--timeout")?;
    let digits = rest.trim_start_matches(['=', ' ']);
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    digits[..end].parse().ok()
}
