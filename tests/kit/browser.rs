//! A real Chromium that looks at the pages of a service, and axe, which finds what keeps people out.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::cache;

/// Longer than the driver itself waits for a page.
const PATIENCE: Duration = Duration::from_mins(2);

/// A browser in which several people look at one service. It ends when dropped.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    orders: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
    /// Its profile and whatever else it writes.
    _home: TempDir,
}

/// What a page shows.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The text that one sees.
    pub text: String,
    /// The title of the window.
    pub title: String,
    /// Whether it is still the page that was [marked](Browser::mark).
    pub marked: bool,
    /// What the browser complained of: scripts that failed, what the policy refused.
    pub faults: Vec<String>,
}

impl Browser {
    /// Starts a browser for the service at `url`.
    ///
    /// Panics when it was not brought: `tests/fetch-browser.sh` does.
    pub fn start(url: &str) -> Self {
        let tools = cache::root().join("browser");
        assert!(
            tools.join("VERSIONS").is_file(),
            "no driver in {}: sh tests/fetch-browser.sh",
            tools.display()
        );
        let home = tempfile::tempdir().expect("a folder can be made");
        let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("kit/browser/driver.mjs");
        let mut child = Command::new("node")
            .arg(driver)
            .arg(tools.canonicalize().expect("it is there"))
            .arg(url)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home.path())
            .env("TMPDIR", home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node can be started");
        let answers = child.stdout.take().expect("it is piped");
        Self {
            orders: child.stdin.take(),
            answers: BufReader::new(answers).lines(),
            child,
            _home: home,
        }
    }

    async fn order(&mut self, order: &Value) -> Value {
        let line = format!("{order}\n");
        let orders = self.orders.as_mut().expect("it has not ended");
        let written = orders.write_all(line.as_bytes()).await;
        written.unwrap_or_else(|error| panic!("the browser does not hear {order}: {error}"));
        let answer = tokio::time::timeout(PATIENCE, self.answers.next_line()).await;
        let answer = answer.unwrap_or_else(|_| panic!("the browser does not answer {order}"));
        let answer = answer
            .expect("its output is text")
            .unwrap_or_else(|| panic!("the browser ended at {order}"));
        let answer: Value = serde_json::from_str(&answer).expect("the driver answers in JSON");
        assert!(answer["error"].is_null(), "{order}: {}", answer["error"]);
        answer
    }

    /// Opens an address for `who`, in `light` or `dark`, on a `phone` or a `desktop`. The status of the answer.
    pub async fn open(&mut self, who: &str, path: &str, (scheme, size): (&str, &str)) -> u64 {
        let order =
            json!({"order": "open", "who": who, "path": path, "scheme": scheme, "size": size});
        self.order(&order).await["status"]
            .as_u64()
            .unwrap_or_default()
    }

    /// Opens an address for somebody whose browser runs no script.
    pub async fn open_without_script(&mut self, who: &str, path: &str) {
        let order = json!({"order": "open", "who": who, "path": path, "script": false});
        self.order(&order).await;
    }

    /// Fills in the login page that is open. The address one is led to.
    pub async fn login(&mut self, who: &str, token: &str) -> String {
        let order = json!({"order": "login", "who": who, "token": token});
        text(&self.order(&order).await["url"])
    }

    /// What axe holds against the page that is open, and what is wider than the window. Empty when all is well.
    pub async fn complaints(&mut self, who: &str) -> Vec<String> {
        let told = self.order(&json!({"order": "axe", "who": who})).await;
        assert!(told["passes"].as_u64() > Some(5), "axe looked: {told}");
        let mut complaints = texts(&told["violations"]);
        if told["overflow"] != 0 {
            complaints.push(format!("{} pixels too wide", told["overflow"]));
        }
        complaints
    }

    /// Marks the page that is open: loading it again loses the mark.
    pub async fn mark(&mut self, who: &str) {
        self.order(&json!({"order": "mark", "who": who})).await;
    }

    /// What the page shows.
    pub async fn shown(&mut self, who: &str) -> Shown {
        let told = self.order(&json!({"order": "text", "who": who})).await;
        Shown {
            text: text(&told["text"]),
            title: text(&told["title"]),
            marked: told["marked"] == true,
            faults: texts(&told["faults"]),
        }
    }

    /// Waits until the page shows a text, however it comes there.
    pub async fn sees(&mut self, who: &str, mark: &str) {
        let order = json!({"order": "wait", "who": who, "text": mark});
        self.order(&order).await;
    }

    /// Waits until the page shows a text no more.
    pub async fn gone(&mut self, who: &str, mark: &str) {
        let order = json!({"order": "gone", "who": who, "text": mark});
        self.order(&order).await;
    }

    /// Presses a key some times. Where the focus was after each, and everything that it should reach.
    pub async fn press(&mut self, who: &str, key: &str, times: u32) -> (Vec<String>, Vec<String>) {
        let order = json!({"order": "press", "who": who, "key": key, "times": times});
        let told = self.order(&order).await;
        // What was skipped to is a place to read from and nothing to press.
        let is_seen = key != "Tab" || told["outline"] != "none";
        assert!(is_seen, "the focus is not seen: {told}");
        (texts(&told["seen"]), texts(&told["links"]))
    }

    /// Follows a link on another site and waits for the list of environments.
    pub async fn come_from_elsewhere(&mut self, who: &str, path: &str) -> String {
        let order = json!({"order": "come", "who": who, "path": path});
        text(&self.order(&order).await["url"])
    }

    /// Takes a picture of the whole page.
    pub async fn picture(&mut self, who: &str, file: PathBuf) {
        let order = json!({"order": "shot", "who": who, "file": file});
        self.order(&order).await;
    }

    /// Ends it, and waits until it has.
    pub async fn close(mut self) {
        drop(self.orders.take());
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        assert!(ended.is_ok(), "the browser does not end");
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}
