//! `cutover serve` as a process of its own, so that it can be killed in every way that a process can.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::process;
use crate::wait_for;

/// How long the service may take to listen, and to end when it is told to.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running `cutover serve`. Killed when dropped.
#[derive(Debug)]
pub struct Service {
    child: Child,
    port: u16,
    log: PathBuf,
    token_file: PathBuf,
}

/// The built program of this name, beside the test that asks.
///
/// Panics when it was not built: `cargo build --workspace` makes it.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this process has a program");
    let folder = test.ancestors().find(|folder| folder.join(name).is_file());
    let found = folder.map(|folder| folder.join(name));
    found.unwrap_or_else(|| panic!("{name} is not built: cargo build --workspace"))
}

impl Service {
    /// Starts the service by its `service.toml` and waits until it listens on `port`. Its log goes to `log`.
    pub async fn start(settings: &Path, port: u16, log: &Path) -> Self {
        let mut service = Self::spawn(settings, port, log);
        let address = ("127.0.0.1", port);
        wait_for(
            "the service to listen",
            PATIENCE,
            async || match tokio::net::TcpStream::connect(address).await {
                Ok(_) => Ok(()),
                Err(error) => Err(format!(
                    "{error}\n{}",
                    fs::read_to_string(log).unwrap_or_default()
                )),
            },
        )
        .await;
        assert!(
            service.child.try_wait().is_ok_and(|ended| ended.is_none()),
            "{}",
            service.log()
        );
        service
    }

    /// Starts the service and waits for nothing: for settings that it must refuse.
    pub fn spawn(settings: &Path, port: u16, log: &Path) -> Self {
        let to = File::options()
            .create(true)
            .append(true)
            .open(log)
            .expect("the log can be written");
        let child = Command::new(program("cutover"))
            .args(["serve", "--config"])
            .arg(settings)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", log.parent().expect("a log lies in a folder"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(to)
            .spawn()
            .expect("the service can be started");
        Self {
            child,
            port,
            log: log.to_owned(),
            token_file: settings.with_file_name("data/ledger/pages-token"),
        }
    }

    /// Where it listens: `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything that it has logged so far, earlier starts included.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The file with the token that opens its pages.
    pub fn token_file(&self) -> &Path {
        &self.token_file
    }

    /// The token that opens its pages, which it made when it started first.
    pub fn token(&self) -> String {
        let token = fs::read_to_string(&self.token_file);
        let token = token.unwrap_or_else(|error| panic!("no token: {error}\n{}", self.log()));
        token.trim().to_owned()
    }

    /// Asks its interface for JSON: `/api/v1/environments`.
    pub async fn json(&self, path: &str) -> Value {
        let answer = self.get(path, "application/json").await;
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{path}: {error}: {answer}"))
    }

    /// Asks for a page.
    pub async fn page(&self, path: &str) -> String {
        self.get(path, "text/html").await
    }

    async fn get(&self, path: &str, accept: &str) -> String {
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .expect("a plain client");
        let answer = client
            .get(format!("{}{path}", self.url()))
            .header("accept", accept)
            .bearer_auth(self.token())
            .send()
            .await;
        let answer = answer.unwrap_or_else(|error| panic!("{path}: {error}\n{}", self.log()));
        answer.text().await.expect("a body can be read")
    }

    /// Kills it as a power cut would: it hears nothing of it.
    pub fn kill(mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Asks it to end (SIGTERM) without waiting.
    pub fn terminate(&self) {
        process::signal(
            i32::try_from(self.child.id()).expect("a process id is small"),
            Signal::TERM,
        );
    }

    /// Waits until it has ended by itself.
    pub async fn ended(mut self) -> ExitStatus {
        let log = self.log.clone();
        wait_for("the service to end", Duration::from_mins(2), || {
            let ended = self.child.try_wait();
            std::future::ready(match ended {
                Ok(Some(status)) => Ok(status),
                _ => Err(fs::read_to_string(&log).unwrap_or_default()),
            })
        })
        .await
    }

    /// Asks it to end and waits until it has.
    pub async fn stop(self) -> ExitStatus {
        self.terminate();
        self.ended().await
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
