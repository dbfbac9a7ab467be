//! A scene: hosts, a repository, and deployments that are played in this process, as any door would start them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cutover_deploy::run::{self, Access};
use cutover_deploy::source::{self, Origin};
use cutover_deploy::{
    CommitSha, Config, DeployRequest, DeploymentId, Event, Kind, Outcome, ReleaseId,
};
use cutover_outside::Web;
use kit::{ComposerRepo, Host, HostOptions, Relay, Repo, Site, program, wait_for};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::told::{Names, Told};

/// Where the app lies on hosts of a scene that has several, and in pictures.
pub(super) const PATH: &str = "/srv/shop";
/// Where the app is asked for its health on hosts of a scene that has several.
const SITE: &str = "http://shop.test";
/// A plain app is as healthy as its file `ok` says.
const PREPARE: &str =
    r#"printf '{"ok":%s,"release":"%s"}' "$(cat ok)" "$CUTOVER_RELEASE" >health.json"#;

/// What a scene is made of. Texts are TOML.
#[derive(Debug, Clone, Default)]
pub(super) struct Plot {
    /// The hosts; one plain `web1` when empty. The first one also has the role `migrate`.
    pub(super) hosts: Vec<HostOptions>,
    /// Lines of `[build]`.
    pub(super) build: String,
    /// Lines of `[steps]`; of a plain app `prepare` is given.
    pub(super) steps: String,
    /// Lines of `[environments.production]` itself.
    pub(super) keys: String,
    /// Lines of `[environments.production.health]`.
    pub(super) health: String,
    /// The database of each host, which then has the role `migrate`; only the first host has it when empty.
    pub(super) databases: Vec<&'static str>,
    /// Tables at the end; `@dir@` stands for the first host's folder.
    pub(super) tables: String,
}

/// Hosts, a repository, and what all of its deployments have in common.
pub(super) struct Scene {
    pub(super) hosts: Vec<Host>,
    pub(super) repo: Repo,
    pub(super) access: Access,
    pub(super) config: Config,
    pub(super) text: String,
    folder: TempDir,
    names: Arc<Names>,
    deployments: Mutex<u32>,
    sites: Vec<Site>,
    composer: Option<ComposerRepo>,
}

/// A deployment that is under way.
pub(super) struct Running {
    pub(super) cancel: CancellationToken,
    heard: Arc<Mutex<Vec<Event>>>,
    task: JoinHandle<Outcome>,
    names: Arc<Names>,
    builds: PathBuf,
}

impl Scene {
    /// One plain host.
    pub(super) async fn plain() -> Self {
        Self::start(Plot::default()).await
    }

    /// As many plain hosts, `web1` first.
    pub(super) async fn of(hosts: usize, plot: Plot) -> Self {
        let hosts = (1..=hosts).map(|n| HostOptions::plain(&format!("web{n}")));
        let hosts = hosts.collect();
        Self::start(Plot { hosts, ..plot }).await
    }

    /// Starts the hosts and makes the repository.
    pub(super) async fn start(mut plot: Plot) -> Self {
        if plot.hosts.is_empty() {
            plot.hosts.push(HostOptions::plain("web1"));
        }
        let mut hosts = Vec::new();
        for options in &plot.hosts {
            hosts.push(Host::start(options.clone()).await);
        }
        let laravel = plot.hosts[0].web != kit::Web::Absent;
        let mut sites = Vec::new();
        let (composer, repo) = if laravel {
            let composer = ComposerRepo::start().await;
            let repo = Repo::sample_app(&composer).await;
            (Some(composer), repo)
        } else {
            for host in &hosts {
                sites.push(Site::start(host.path()).await);
                host.write("shared/.env", "APP_KEY=x\n");
            }
            (
                None,
                Repo::with([("ok", "true"), ("prepare.sh", PREPARE)]).await,
            )
        };
        let folder = tempfile::Builder::new().prefix("kit-scene-").tempdir();
        let folder = folder.unwrap();
        if hosts.len() > 1 {
            for (host, site) in hosts.iter().zip(&sites) {
                host.appears_as(PATH, &host.path().display().to_string());
                host.appears_as(SITE, site.health_url().trim_end_matches("/health"));
            }
        }
        let known: String = hosts
            .iter()
            .map(|host| std::fs::read_to_string(host.known_hosts()).unwrap())
            .collect();
        std::fs::write(folder.path().join("known_hosts"), known).unwrap();
        for host in &hosts[1..] {
            host.admit(&hosts[0]);
        }
        let text = config(&plot, &hosts, &sites);
        Self {
            access: Access {
                key_file: Some(hosts[0].key_file()),
                known_hosts: Some(folder.path().join("known_hosts")),
                ssh_config: Some(PathBuf::from("/dev/null")),
                connect_timeout: None,
                kept: None,
                outside: Some(Arc::new(Web::new(|_| None))),
            },
            config: Config::parse("cutover.toml", &text)
                .unwrap_or_else(|problems| panic!("{problems}\n{text}")),
            names: Arc::new(Names::of(&hosts, &sites)),
            text,
            hosts,
            repo,
            folder,
            deployments: Mutex::default(),
            sites,
            composer,
        }
    }

    /// The first host.
    pub(super) fn host(&self) -> &Host {
        &self.hosts[0]
    }

    /// From now on the first host is reached through this relay.
    pub(super) fn behind(&mut self, relay: &Relay) {
        let (from, to) = (self.host().ssh_port().to_string(), relay.port().to_string());
        self.text = self
            .text
            .replace(&format!("127.0.0.1:{from}\""), &format!("127.0.0.1:{to}\""));
        self.config = Config::parse("cutover.toml", &self.text).unwrap();
        let file = self.access.known_hosts.as_ref().unwrap();
        let known = std::fs::read_to_string(file).unwrap();
        std::fs::write(
            file,
            known.replace(&format!(":{from} "), &format!(":{to} ")),
        )
        .unwrap();
    }

    /// What answers for each host; nothing on Laravel hosts, which do so themselves.
    pub(super) fn sites(&self) -> &[Site] {
        &self.sites
    }

    /// Where builds lie.
    pub(super) fn work_dir(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    pub(super) fn origin(&self) -> Origin {
        Origin {
            url: self.repo.url(),
            authorization: None,
            work_dir: self.work_dir(),
            hidden: Vec::new(),
        }
    }

    /// Commits these files to `main`.
    pub(super) async fn commit(&self, files: &[(&str, &str)]) -> CommitSha {
        let commit = self.repo.commit("change", files.iter().copied()).await;
        self.repo.push("main").await;
        commit
    }

    /// A request with an id and a moment of its own.
    pub(super) fn request(&self, kind: Kind) -> DeployRequest {
        let mut deployments = self.deployments.lock().unwrap();
        *deployments += 1;
        let moment = format!("2026-02-01T00:{:02}:00Z", *deployments);
        DeployRequest {
            deployment: DeploymentId::parse(&format!("d{deployments}")).unwrap(),
            kind,
            actor: "alice".to_owned(),
            run_url: None,
            keeper: None,
            plan_digest: None,
            allow_destructive: false,
            requested_at: moment.parse().unwrap(),
        }
    }

    /// Commits these files and asks for their deployment.
    pub(super) async fn wish(&self, files: &[(&str, &str)]) -> DeployRequest {
        let commit = self.commit(files).await;
        self.request(Kind::Deploy { commit })
    }

    /// Begins a deployment, building first where there is something to build.
    pub(super) fn begin(&self, request: &DeployRequest) -> Running {
        let (events, mut receiver) = unbounded_channel();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let cancel = CancellationToken::new();
        let (sink, names) = (Arc::clone(&heard), Arc::clone(&self.names));
        let (config, access, origin) = (self.config.clone(), self.access.clone(), self.origin());
        let (request, called_off) = (request.clone(), cancel.clone());
        let task = tokio::spawn(async move {
            let deploying = async {
                let artifact = match &request.kind {
                    Kind::Rollback { .. } => None,
                    Kind::Deploy { commit } => {
                        match source::build(&config, commit, &origin, &events, &called_off).await {
                            Ok(artifact) => Some(artifact),
                            Err(failure) => {
                                drop(events);
                                return Outcome::Failed {
                                    failure,
                                    left: Vec::new(),
                                };
                            }
                        }
                    }
                };
                let environment = config.environment("production").unwrap();
                let artifact = artifact.as_ref();
                let outcome = run::deploy(
                    &config,
                    environment,
                    &request,
                    artifact,
                    &access,
                    &events,
                    &called_off,
                );
                let outcome = outcome.await;
                if let Some(artifact) = artifact {
                    std::fs::remove_file(&artifact.file).unwrap();
                }
                drop(events);
                outcome
            };
            let hearing = async {
                while let Some(event) = receiver.recv().await {
                    names.learn(&event);
                    sink.lock().unwrap().push(event);
                }
            };
            tokio::join!(deploying, hearing).0
        });
        Running {
            cancel,
            heard,
            task,
            names: Arc::clone(&self.names),
            builds: self.work_dir().join("builds"),
        }
    }

    /// Runs a deployment to its end.
    pub(super) async fn run(&self, request: &DeployRequest) -> Told {
        self.begin(request).end().await
    }

    /// Commits these files and deploys them.
    pub(super) async fn deploy(&self, files: &[(&str, &str)]) -> Told {
        let request = self.wish(files).await;
        self.run(&request).await
    }

    /// Returns to the release before.
    pub(super) async fn rollback(&self) -> Told {
        self.run(&self.request(Kind::Rollback { to: None })).await
    }

    /// Returns to the release that pictures call by this number.
    pub(super) async fn rollback_to(&self, number: usize) -> Told {
        let to = Some(self.names.release(number));
        self.run(&self.request(Kind::Rollback { to })).await
    }

    /// The command line, with all that it needs to reach the hosts.
    pub(super) fn cutover(&self, arguments: &[&str]) -> Command {
        let file = self.folder.path().join("cutover.toml");
        std::fs::write(&file, &self.text).unwrap();
        let mut cutover = Command::new(program("cutover"));
        cutover.args(arguments).arg("--config").arg(file);
        let access = &self.access;
        for (option, value) in [
            ("--ssh-key", &access.key_file),
            ("--known-hosts", &access.known_hosts),
            ("--ssh-config", &access.ssh_config),
        ] {
            cutover.arg(option).arg(value.as_ref().unwrap());
        }
        cutover
    }

    /// Runs the command line to its end: exit code and what it printed, with tame names.
    pub(super) async fn shell(&self, arguments: &[&str]) -> (i32, String) {
        let ended = self.cutover(arguments).output().await.unwrap();
        let mut text = String::from_utf8(ended.stdout).unwrap();
        text += &String::from_utf8(ended.stderr).unwrap();
        (ended.status.code().unwrap(), self.names.tame(&text))
    }

    /// The release that is live on the first host.
    pub(super) fn live(&self) -> Option<ReleaseId> {
        let link = std::fs::read_link(self.host().path().join("current")).ok()?;
        ReleaseId::parse(&link.file_name()?.to_string_lossy()).ok()
    }

    /// What all hosts look like, without the output that is kept of steps.
    pub(super) async fn picture(&self) -> String {
        let mut whole = String::new();
        for host in &self.hosts {
            if self.hosts.len() > 1 {
                writeln!(whole, "== {}", host.name()).unwrap();
            }
            for line in host.picture().await.lines() {
                if !line.starts_with(".cutover/steps/") {
                    writeln!(whole, "{line}").unwrap();
                }
            }
        }
        whole
    }

    /// The journal of the first host: what was done, and to which release.
    pub(super) fn journal(&self) -> String {
        let text = self.host().read(".cutover/log.jsonl").unwrap_or_default();
        let lines = text.lines().map(|line| {
            let line: BTreeMap<String, serde_json::Value> = serde_json::from_str(line).unwrap();
            let text = |key: &str| match line.get(key).and_then(serde_json::Value::as_str) {
                Some(text) => text.to_owned(),
                None => "-".to_owned(),
            };
            format!(
                "{} {} {}\n",
                text("deployment"),
                text("did"),
                text("release")
            )
        });
        self.names.tame(&lines.collect::<String>())
    }

    pub(super) fn tame(&self, text: &str) -> String {
        self.names.tame(text)
    }

    /// Ends the scene: nothing is left over on any host, and no build here.
    pub(super) async fn close(self) {
        let builds = self.work_dir().join("builds");
        let left: Vec<_> = std::fs::read_dir(builds).into_iter().flatten().collect();
        assert!(left.is_empty(), "left over of builds: {left:?}");
        for host in self.hosts {
            host.close().await;
        }
        drop((self.sites, self.composer));
    }
}

impl Running {
    /// Waits for its end.
    pub(super) async fn end(self) -> Told {
        let outcome = tokio::time::timeout(Duration::from_mins(2), self.task).await;
        let events = std::mem::take(&mut *self.heard.lock().unwrap());
        let told = |outcome| Told {
            outcome,
            events,
            names: self.names,
        };
        if let Ok(ended) = outcome {
            return told(ended.unwrap());
        }
        panic!("it does not end:\n{}", told(Outcome::Cancelled).story());
    }

    /// Ends it as a process ends that is killed: nothing more is said or sent.
    pub(super) async fn kill(self) {
        self.task.abort();
        drop(self.task.await);
        // What it had built stays where it is, and is no leftover of the next one.
        std::fs::remove_dir_all(self.builds).unwrap();
    }

    /// Waits until it has told something.
    pub(super) async fn tells(&self, what: impl Fn(&Event) -> bool) {
        wait_for(
            "the deployment to tell it",
            Duration::from_mins(1),
            async || {
                let heard = self.heard.lock().unwrap();
                if heard.iter().any(&what) {
                    Ok(())
                } else {
                    Err(format!("{heard:#?}"))
                }
            },
        )
        .await;
    }
}

fn config(plot: &Plot, hosts: &[Host], sites: &[Site]) -> String {
    let several = hosts.len() > 1;
    let own = hosts[0].path().display().to_string();
    let (path, url) = match (several, sites.first()) {
        (true, _) => (PATH.to_owned(), format!("{SITE}/health")),
        (false, Some(site)) => (own, site.health_url()),
        (false, None) => (own, format!("{}/health", hosts[0].http_url())),
    };
    let mut text = "app = \"shop\"\nrepository = \"github:acme/shop\"\n".to_owned();
    let Plot {
        build,
        steps,
        keys,
        health,
        tables,
        ..
    } = plot;
    if sites.is_empty() {
        write!(text, "recipe = \"laravel\"\n[build]\n{build}\n").unwrap();
        write!(text, "[steps]\n{steps}\n").unwrap();
    } else {
        let sandbox = if build.contains("sandbox") {
            ""
        } else {
            "sandbox = \"off\""
        };
        write!(text, "[build]\n{sandbox}\n{build}\n").unwrap();
        text += "[shared]\nfiles = [\".env\"]\ndirs = [\"storage\"]\n";
        let prepare = if steps.contains("prepare =") {
            String::new()
        } else {
            "prepare = [\"sh prepare.sh\"]".to_owned()
        };
        write!(text, "[steps]\n{prepare}\n{steps}\n").unwrap();
    }
    write!(
        text,
        "[environments.production]\nbranch = \"main\"\npath = \"{path}\"\n{keys}\n"
    )
    .unwrap();
    let works = tables.contains(".workers]]");
    let worker = if works { ", \"worker\"" } else { "" };
    for (index, host) in hosts.iter().enumerate() {
        let roles = match (plot.databases.get(index), several, index) {
            (Some(name), ..) => format!("roles = [\"web\", \"migrate\"]\ndatabase = \"{name}\""),
            (None, false, _) => String::new(),
            (None, true, 0) => format!("roles = [\"web\", \"migrate\"{worker}]"),
            (None, true, _) => format!("roles = [\"web\"{worker}]"),
        };
        write!(
            text,
            "[[environments.production.hosts]]\nname = \"{}\"\naddress = \"{}\"\n{roles}\n",
            host.name(),
            host.address()
        )
        .unwrap();
    }
    // The folder of a host is known only when it has started.
    let tables = tables.replace("@dir@", &hosts[0].dir().display().to_string());
    let tempo = if health.contains("attempts") {
        ""
    } else {
        "attempts = 2\ninterval = \"100ms\""
    };
    write!(
        text,
        "[environments.production.health]\nurl = \"{url}\"\n{tempo}\njson = {{ ok = true }}\n\
         release_field = \"release\"\n{health}\n{tables}\n"
    )
    .unwrap();
    text
}
