//! What is live on a machine: the sample app as somebody deployed it by hand, and which release each worker runs.

use std::fs;
use std::time::Duration;

use tokio::process::Command;

use super::Machine;
use crate::app::Built;
use crate::host::Worker;
use crate::{command, wait_for};

/// Every child of the supervisor that holds a release's `artisan` open: its process and that file. To systemd a supervisor
/// runs before it can be asked.
const WORKERS: &str = r#"
supervisor=$(supervisorctl pid) || exit 0
for pid in $(pgrep --parent "$supervisor"); do
  find "/proc/$pid/fd" -lname '/srv/app/releases/*/artisan' -printf "$pid %l\n" -quit 2>/dev/null || :
done
"#;

/// Copies a built release beside the others and links what is shared into it.
const SEED: &str = r#"
built=$1 app=$2 id=$3
mkdir -p "$app/releases/$id"
cp -a "$built/." "$app/releases/$id"
cd "$app/releases/$id"
rm -rf storage .env
ln -s "/srv/app/shared/storage" storage
ln -s "/srv/app/shared/.env" .env
printf '%040d\n%s\n' 0 "$id" >REVISION
for folder in app logs framework/cache/data framework/sessions framework/views; do
  mkdir -p "$app/shared/storage/$folder"
done
ln -sfn "releases/$id" "$app/current"
chown -R --reference="$4" "$app"
"#;

impl Machine {
    /// Makes the sample app live at release `id`, as if deployed by hand: `releases/<id>`, `shared`, `current`, and a
    /// database with its migrations run. Workers that run already stay as they are.
    pub async fn seed_release(&self, id: &str) {
        let built = Built::ready(self.options.debian).await;
        let app = self.root().join("srv/app");
        self.write("shared/.env", include_str!("etc/env"));
        if !app.join("shared/db.sqlite").exists() {
            fs::copy(built.database(), app.join("shared/db.sqlite"))
                .expect("the machine can be written");
        }
        let mut seed = Command::new("/bin/sh");
        seed.args(["-euc", SEED, "seed"])
            .arg(built.release())
            .arg(&app)
            .arg(id)
            .arg(self.root().join("home/deploy"));
        command::succeed(&mut seed).await;
    }

    /// A view that two requests compile at once can be an empty page, so all are compiled before the first one.
    pub(super) async fn compile_views(&self) {
        self.sh("cd /srv/app/current && php artisan view:cache --quiet")
            .await;
    }

    /// The workers that the supervisor runs now, by process id on the machine. One that has not opened its script yet is
    /// left out.
    pub async fn workers(&self) -> Vec<Worker> {
        let told = self.sh_as_root(WORKERS).await;
        let worker = |line: &str| {
            let (pid, file) = line.split_once(' ')?;
            let release = file.strip_prefix("/srv/app/releases/")?.split('/').next()?;
            Some(Worker {
                pid: pid.parse().ok()?,
                release: release.to_owned(),
            })
        };
        let mut workers: Vec<_> = told.lines().filter_map(worker).collect();
        workers.sort_by_key(|worker| worker.pid);
        workers
    }

    /// Waits until this many workers run, on whatever release. Panics after 20 s with the log of the group.
    pub async fn workers_run(&self, count: u32) {
        let what = format!("{count} workers on {}", self.name());
        wait_for(what, Duration::from_secs(20), async || {
            let workers = self.workers().await;
            if workers.len() == count as usize {
                return Ok(());
            }
            let log =
                fs::read_to_string(self.root().join("var/log/app-worker.log")).unwrap_or_default();
            Err(format!("{workers:?}\n{log}"))
        })
        .await;
    }

    /// Asks the site for a path: status and body. A site that does not answer gives status 0 and the reason.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(90))
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

    /// What the sample app says of itself: status, and the body as JSON, `null` when it is none.
    pub async fn health(&self) -> (u16, serde_json::Value) {
        let (status, body) = self.get("/health").await;
        (status, serde_json::from_str(&body).unwrap_or_default())
    }
}
