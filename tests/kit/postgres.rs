//! A `PostgreSQL` server of a test's own, from the Debian package, in a folder that goes with it.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

use crate::{command, process, wait_for};

/// Runs the server until stdin ends, which happens even when the test is killed. As root it is another user's, because
/// the server refuses to be root's.
const SERVER: &str = r#"
folder=$1 bin=$2
shift 2
"$@" "$bin/initdb" -D "$folder/data" -U shop --auth=trust --no-sync >"$folder/log" 2>&1
"$@" "$bin/postgres" -D "$folder/data" -k "$folder" -c listen_addresses= -c fsync=off >>"$folder/log" 2>&1 &
server=$!
cat >/dev/null
kill -INT "$server"
wait "$server" || true
rm -rf "$folder"
"#;

/// A server that listens on a unix socket only. Ends when it is dropped.
#[derive(Debug)]
pub struct Postgres {
    folder: PathBuf,
    server: Child,
}

impl Postgres {
    /// Starts a server without databases of its own. Panics with its log if it does not come up, and without the Debian
    /// package `postgresql`.
    pub async fn start() -> Self {
        // Not where `TMPDIR` says: a socket must have a short path.
        let folder = tempfile::Builder::new()
            .prefix("kit-pg-")
            .tempdir_in("/tmp");
        let folder = folder.expect("a temporary folder can be made");
        let other_user = if process::is_root() {
            let mut chown = Command::new("chown");
            command::succeed(chown.arg("postgres:").arg(folder.path())).await;
            "setpriv --reuid=postgres --regid=postgres --clear-groups"
        } else {
            "env"
        };
        let server = std::process::Command::new("sh")
            .args(["-euc", SERVER, "server"])
            .arg(folder.path())
            .arg(programs())
            .args(other_user.split(' '))
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell can be started");
        let postgres = Self {
            folder: TempDir::keep(folder),
            server,
        };
        wait_for("the database server", Duration::from_mins(1), async || {
            let asked = command::finish(&mut postgres.psql("postgres", "select 1")).await;
            let log = std::fs::read_to_string(postgres.folder.join("log")).unwrap_or_default();
            asked.status.success().then_some(()).ok_or(log)
        })
        .await;
        postgres
    }

    /// Makes an empty database.
    pub async fn create(&self, database: &str) {
        self.sql("postgres", &format!("create database {database}"))
            .await;
    }

    /// Runs SQL in a database and returns what it answers, a row a line. Panics with the error.
    pub async fn sql(&self, database: &str, sql: &str) -> String {
        command::succeed(&mut self.psql(database, sql)).await
    }

    /// The folder of its socket, which stands for a host name.
    pub fn socket(&self) -> &Path {
        &self.folder
    }

    fn psql(&self, database: &str, sql: &str) -> Command {
        let mut psql = Command::new(programs().join("psql"));
        psql.args([
            "-XAtq",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            "shop",
            "-d",
            database,
            "-c",
            sql,
        ])
        .arg("-h")
        .arg(&self.folder);
        psql
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.server.stdin.take());
        drop(self.server.wait());
    }
}

/// Where Debian puts the programs of its newest server.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let bins = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    bins.filter(|bin| bin.join("postgres").exists())
        .max()
        .expect("no PostgreSQL here; tests/setup.sh installs what the tests need")
}
