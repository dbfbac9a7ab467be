//! What a host shows to whoever writes its configuration.

use std::fmt::Write as _;

use super::line;
use crate::config::RuntimeKind;

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
        let runtimes = self.runtimes_of(path).map(|(_, worker)| worker);
        for worker in self.workers_of(path).chain(runtimes) {
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
    pub(super) fn workers_of(&self, path: &str) -> impl Iterator<Item = &Worker> {
        let here = format!("{path}/current");
        self.workers
            .iter()
            .filter(move |worker| worker.is_of(&here))
    }

    /// What serves the web for an app that lies there, as far as that can be seen.
    pub(super) fn runtimes_of(&self, path: &str) -> impl Iterator<Item = (RuntimeKind, &Worker)> {
        let here = format!("{path}/current");
        let runtimes = self.workers.iter();
        runtimes
            .filter_map(|worker| Some((worker.runtime()?, worker)))
            .filter(move |(_, worker)| worker.lies(&here))
    }

    /// Writes the table of PHP-FPM.
    pub(super) fn php_fpm(
        &self,
        text: &mut String,
        environment: &str,
        path: &str,
        site: Option<&Site>,
    ) {
        let named = site.and_then(|site| site.pool.as_ref());
        // Behind Octane there is none, whatever pool Debian has made.
        let mut runtimes = self.runtimes_of(path);
        let octane = runtimes.any(|(kind, _)| kind == RuntimeKind::Octane);
        let only = self
            .pools
            .first()
            .filter(|_| self.pools.len() == 1 && !octane);
        match named.or(only) {
            Some(pool) => {
                writeln!(text, "\n[environments.{environment}.php_fpm]").unwrap_or_default();
                line(
                    text,
                    "pool",
                    pool,
                    "asked what it needs after a swap; the deploy user must be able to open it",
                );
            }
            None if self.pools.len() > 1 => {
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
    /// The command of `artisan` that it runs: `queue:work`, `horizon`, …
    pub(super) fn artisan(&self) -> Option<&str> {
        let words = self.command.split_whitespace();
        let mut words = words.map(|word| word.trim_matches(['"', '\'']));
        words.find(|word| word.ends_with("artisan"))?;
        words.find(|word| !word.starts_with('-'))
    }

    /// Whether it works for the app that is live `here`, and not for another one.
    fn is_of(&self, here: &str) -> bool {
        let lasting = ["queue:work", "queue:listen", "horizon", "schedule:work"];
        let artisan = self.command.contains("artisan");
        if artisan && !lasting.iter().any(|word| self.command.contains(word)) {
            return false;
        }
        self.lies(here)
    }

    /// Whether its command line or its folder says so, or nothing speaks against it.
    fn lies(&self, here: &str) -> bool {
        let artisan = self.command.contains("artisan");
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
