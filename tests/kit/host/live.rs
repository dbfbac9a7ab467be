//! What is live on a host: the sample app as somebody deployed it by hand, and which release each worker runs.

use std::fs;
use std::time::Duration;

use tokio::process::Command;

use super::{Daemon, Host, Web};
use crate::app::Built;
use crate::debian::Debian;
use crate::process::{self, Process, text};
use crate::{command, wait_for};

/// A worker process and the release that it runs, by the file that PHP holds open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// Its process.
    pub pid: i32,
    /// The release whose `artisan` it runs.
    pub release: String,
}

impl Host {
    /// Makes the sample app live at release `id`, as if deployed by hand: `releases/<id>`, `shared`, `current`, and a
    /// database with its migrations run. Workers that run already stay as they are.
    pub async fn seed_release(&self, id: &str) {
        let built = Built::ready(Debian::default()).await;
        let root = self.path();
        let release = root.join("releases").join(id);
        self.make_shared(&built);
        // Links to the cache's own files where they are on one disk: the framework is large, and no release writes to it.
        let copy = format!(
            "mkdir -p '{to}' && cd '{from}' && find . -maxdepth 1 -mindepth 1 ! -name vendor ! -name storage -exec cp -a {{}} '{to}' ';' \
             && {{ cp -al vendor '{to}' 2>/dev/null || {{ rm -rf '{to}/vendor' && cp -a vendor '{to}'; }}; }}",
            from = built.release().display(),
            to = release.display(),
        );
        command::succeed(Command::new("sh").args(["-euc", &copy])).await;
        // A view that two requests compile at once can be an empty page, so all are compiled before the switch.
        let links = "ln -s \"$1/shared/.env\" .env && ln -s \"$1/shared/storage\" storage && \
                     php artisan view:cache --quiet && ln -sfn \"releases/$2\" \"$1/current\"";
        fs::write(
            release.join("REVISION"),
            format!("{}\n{id}\n", "0".repeat(40)),
        )
        .expect("the host can be written");
        let mut link = Command::new("sh");
        link.args(["-euc", links, "link"])
            .arg(&root)
            .arg(id)
            .current_dir(&release);
        command::succeed(&mut link).await;
    }

    /// The workers that the supervisor runs now, by process id. One that has not opened its script yet is left out.
    pub fn workers(&self) -> Vec<Worker> {
        let Some(supervisor) = self.pid(Daemon::Supervisor) else {
            return Vec::new();
        };
        let all = Process::all();
        let family = process::descendants(&all, supervisor);
        let releases = self.path().join("releases");
        let release_of = |process: &Process| {
            let script = process.links().into_iter().find(|link| {
                link.starts_with(&releases)
                    && link
                        .file_name()
                        .is_some_and(|name| text(name).starts_with("artisan"))
            })?;
            let below = script.strip_prefix(&releases).ok()?.iter().next()?;
            Some(Worker {
                pid: process.pid,
                release: text(below),
            })
        };
        let mut workers: Vec<_> = all
            .iter()
            .filter(|process| family.contains(&process.pid))
            .filter_map(release_of)
            .collect();
        workers.sort_by_key(|worker| worker.pid);
        workers
    }

    /// Waits until this many workers run, on whatever release. Panics after 20 s with the log of the group.
    pub async fn workers_run(&self, count: u32) {
        wait_for(
            format!("{count} workers on {}", self.name()),
            Duration::from_secs(20),
            async || {
                let workers = self.workers();
                if workers.len() == count as usize {
                    return Ok(());
                }
                let log =
                    fs::read_to_string(self.dir.join("log/app-worker.log")).unwrap_or_default();
                Err(format!("{workers:?}\n{log}"))
            },
        )
        .await;
    }

    /// What the sample app says of itself: status, and the body as JSON, `null` when it is none.
    pub async fn health(&self) -> (u16, serde_json::Value) {
        let (status, body) = self.get("/health").await;
        (status, serde_json::from_str(&body).unwrap_or_default())
    }

    /// Asks the site for a path: status and body. A site that does not answer gives status 0 and the reason.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_mins(5))
            .build();
        let client = client.expect("a plain client can always be made");
        match client
            .get(format!("{}{path}", self.http_url()))
            .send()
            .await
        {
            Ok(answer) => (
                answer.status().as_u16(),
                answer.text().await.unwrap_or_default(),
            ),
            Err(error) => (0, format!("{error:?}")),
        }
    }

    /// On a host for Laravel, what the owner of a server prepares by hand; on a plain one nothing.
    pub(super) async fn prepare_app(&self) {
        if let Some(id) = &self.options.live {
            self.seed_release(id).await;
        } else if self.options.workers > 0 || self.options.web != Web::Absent {
            self.make_shared(&Built::ready(Debian::default()).await);
        }
    }

    fn make_shared(&self, built: &Built) {
        let shared = self.path().join("shared");
        let storage = [
            "app",
            "logs",
            "framework/cache/data",
            "framework/sessions",
            "framework/views",
        ];
        let storage = storage.map(|folder| shared.join("storage").join(folder));
        for folder in storage.into_iter().chain([shared.join("database")]) {
            fs::create_dir_all(folder).expect("the host can be written");
        }
        let env = include_str!("etc/env").replace("@dir@", &self.dir.display().to_string());
        self.write("shared/.env", &env);
        let database = shared.join("database/app.sqlite");
        if !database.exists() {
            fs::copy(built.database(), database).expect("the host can be written");
        }
    }
}
