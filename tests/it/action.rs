//! The door in a CI job: the launcher and the program, as a runner starts them, against a real host.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use kit::{Host, HostOptions, Repo, program, wait_for};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

mod act;
mod deploy;
mod gitlab;
mod killed;
mod launcher;
mod refused;
mod report;
mod shared;
mod waves;

/// How long something that is under way may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A job on a runner of its own: a checkout, a host to deploy to, and a site that answers for it.
struct Job {
    host: Host,
    repo: Repo,
    runner: TempDir,
    site: JoinHandle<()>,
    port: u16,
    inputs: BTreeMap<&'static str, String>,
    /// What the runner sets beside what every runner does.
    variables: BTreeMap<&'static str, String>,
}

/// How a step ended, and what the runner got to know.
struct Ended {
    status: ExitStatus,
    log: String,
    outputs: BTreeMap<String, String>,
    summary: String,
}

impl Job {
    /// A checkout whose app is well, and inputs that are right.
    async fn start() -> Self {
        let host = Host::start(HostOptions::plain("web1")).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let site = tokio::spawn(serve(listener, host.path()));
        let runner = tempfile::tempdir().unwrap();
        fs::create_dir(runner.path().join("temp")).unwrap();
        fs::create_dir(runner.path().join("home")).unwrap();
        let config = config(&host, port);
        let repo = Repo::with([
            ("cutover.toml", config.as_str()),
            ("index.html", "one"),
            ("ok", "yes"),
        ])
        .await;
        // What a job leaves in its folder, and no host should get.
        fs::write(repo.work().join(".env"), "TOKEN=of-the-job").unwrap();
        host.write("shared/.env", "TOKEN=of-the-host");
        let read = |file: PathBuf| fs::read_to_string(file).unwrap();
        let inputs = BTreeMap::from([
            ("environment", "production".to_owned()),
            ("ssh-key", read(host.key_file())),
            ("known-hosts", read(host.known_hosts())),
        ]);
        Self {
            host,
            repo,
            runner,
            site,
            port,
            inputs,
            variables: BTreeMap::new(),
        }
    }

    fn input(&mut self, name: &'static str, value: &str) {
        self.inputs.insert(name, value.to_owned());
    }

    /// The folder that the runner gives for temporary files.
    fn temp(&self) -> PathBuf {
        self.runner.path().join("temp")
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.runner.path().join(name)).unwrap_or_default()
    }

    /// A program with everything that a runner sets, and nothing of ours.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.runner.path().join("home"))
            .env("GITHUB_WORKSPACE", self.repo.work())
            .env("GITHUB_ACTOR", "alice")
            .env("GITHUB_SERVER_URL", "https://github.com")
            .env("GITHUB_REPOSITORY", "acme/shop")
            .env("GITHUB_RUN_ID", "42")
            .env("RUNNER_TEMP", self.temp());
        for (name, file) in [
            ("GITHUB_OUTPUT", "output"),
            ("GITHUB_STEP_SUMMARY", "summary"),
            ("GITHUB_STATE", "state"),
        ] {
            command.env(name, self.runner.path().join(file));
        }
        command.envs(&self.variables);
        for (name, value) in &self.inputs {
            command.env(format!("INPUT_{}", name.to_uppercase()), value);
        }
        let log = fs::File::create(self.runner.path().join("log")).unwrap();
        command.stdin(Stdio::null()).kill_on_drop(true);
        command.stderr(log.try_clone().unwrap()).stdout(log);
        command
    }

    fn node(&self) -> Command {
        let mut node = self.command(Path::new("node"));
        node.env("CUTOVER_ACTION_BIN", program("cutover-action"));
        node
    }

    /// The launcher, run by node.
    fn launcher(&self, script: &str) -> Command {
        let mut node = self.node();
        node.arg(action().join("action/launcher").join(script));
        node
    }

    /// The launcher's `post`, with the state that the step has left.
    fn post(&self) -> Command {
        self.after(self.launcher("post.mjs"))
    }

    /// What `post` does, with milliseconds of one's own.
    fn tidy(&self, patience: u64, whole: u64) -> Command {
        let tidy = action().join("action/launcher/tidy.mjs");
        let script = format!(
            "import {{ tidy }} from '{}'; await tidy({{ patience: {patience}, whole: {whole} }})",
            tidy.display()
        );
        let mut node = self.node();
        node.args(["--input-type=module", "--eval", &script]);
        self.after(node)
    }

    fn after(&self, mut post: Command) -> Command {
        for line in self.file("state").lines() {
            let (name, value) = line.split_once('=').unwrap();
            post.env(format!("STATE_{name}"), value);
        }
        post
    }

    /// Waits until the log says something.
    async fn says(&self, text: &str) {
        wait_for(format!("{text:?} in the log"), PATIENCE, async || {
            let log = self.file("log");
            if log.contains(text) { Ok(()) } else { Err(log) }
        })
        .await;
    }

    /// Waits for the second after the newest release: releases of one second have no order.
    async fn a_second_later(&self) {
        wait_for("the clock to go on", PATIENCE, async || {
            let releases = fs::read_dir(self.host.path().join("releases"));
            let names = releases.into_iter().flatten();
            let newest = names.map(|entry| entry.unwrap().file_name()).max();
            let newest = newest.unwrap_or_default();
            let now = cutover_deploy::now().strftime("%Y%m%dT%H%M%SZ").to_string();
            if newest.to_string_lossy().starts_with(&now) {
                return Err(format!("{now} and {}", newest.display()));
            }
            Ok(())
        })
        .await;
    }

    /// Runs the step by its launcher.
    async fn step(&self) -> Ended {
        self.a_second_later().await;
        let child = self.launcher("main.mjs").spawn().unwrap();
        self.ended(child).await
    }

    /// Waits until the step is over. Nothing of it may be left on the runner.
    async fn ended(&self, mut child: Child) -> Ended {
        let status = child.wait().await.unwrap();
        let ended = self.told(status);
        let left: Vec<_> = fs::read_dir(self.temp()).unwrap().collect();
        assert!(left.is_empty(), "{left:?} is left over\n{}", ended.log);
        ended
    }

    /// What the runner got to know since the step before.
    fn told(&self, status: ExitStatus) -> Ended {
        let ended = Ended {
            status,
            log: self.file("log"),
            outputs: outputs(&self.file("output")),
            summary: self.file("summary"),
        };
        assert!(
            !ended.log.contains("PRIVATE KEY"),
            "the key is in the log:\n{}",
            ended.log
        );
        for name in ["output", "summary"] {
            drop(fs::remove_file(self.runner.path().join(name)));
        }
        ended
    }

    async fn close(self) {
        self.site.abort();
        self.host.close().await;
    }
}

impl Ended {
    fn code(&self) -> i32 {
        let signal = self.status.signal();
        let code = self.status.code();
        code.unwrap_or_else(|| panic!("ended by signal {signal:?}:\n{}", self.log))
    }

    fn output(&self, name: &str) -> &str {
        &self.outputs[name]
    }

    /// The commands that a runner takes from the log, in their order.
    fn commands(&self) -> Vec<String> {
        let (mut commands, mut stopped) = (Vec::new(), None);
        for line in self.log.lines() {
            let Some(command) = line.trim_start().strip_prefix("::") else {
                continue;
            };
            match &stopped {
                Some(token) if command == format!("{token}::") => stopped = None,
                Some(_) => {}
                None => match command.strip_prefix("stop-commands::") {
                    Some(token) => stopped = Some(token.to_owned()),
                    None => commands.push(command.to_owned()),
                },
            }
        }
        commands
    }

    fn errors(&self) -> Vec<String> {
        let mut commands = self.commands();
        commands.retain(|command| command.starts_with("error"));
        commands
    }
}

/// The root of the action: where `action.yml` lies.
fn action() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn action_yml() -> String {
    fs::read_to_string(action().join("action.yml")).unwrap()
}

/// The names in a block of a YAML file whose keys are indented by two.
pub(crate) fn keys(yaml: &str, block: &str) -> BTreeSet<String> {
    let lines = yaml.lines().skip_while(|line| *line != format!("{block}:"));
    let inside = lines
        .skip(1)
        .take_while(|line| line.is_empty() || line.starts_with(' '));
    inside
        .filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':'))
        .filter(|key| !key.starts_with(' '))
        .map(str::to_owned)
        .collect()
}

fn outputs(text: &str) -> BTreeMap<String, String> {
    let mut lines = text.lines();
    let mut outputs = BTreeMap::new();
    while let Some(line) = lines.next() {
        let (name, delimiter) = line.split_once("<<").unwrap();
        let value: Vec<&str> = lines
            .by_ref()
            .take_while(|line| *line != delimiter)
            .collect();
        outputs.insert(name.to_owned(), value.join("\n"));
    }
    outputs
}

/// Answers as the file `ok` of the live release says.
async fn serve(listener: TcpListener, app: PathBuf) {
    let health = async move || match fs::read_to_string(app.join("current/ok")) {
        Ok(ok) if ok.trim() == "yes" => (StatusCode::OK, "well"),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "ill"),
    };
    let router = Router::new().route("/health", get(health));
    drop(axum::serve(listener, router).await);
}

fn config(host: &Host, port: u16) -> String {
    format!(
        r#"app = "shop"
repository = "github:acme/shop"

[shared]
files = [".env"]

[steps]
prepare = ["echo ::error::of the app; echo '::set-output name=outcome::hacked'"]

[environments.production]
path = "{}"
url = "https://shop.example.com"
hosts = [{{ name = "web1", address = "{}" }}]

[environments.production.health]
url = "http://127.0.0.1:{port}/health"
attempts = 2
interval = "100ms"
"#,
        host.path().display(),
        host.address()
    )
}
