//! Three machines with several apps side by side, whose deployments run at once and meet the same fault of the network.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cutover_deploy::run::{self, Access};
use cutover_deploy::{
    Artifact, CommitSha, Config, DeployRequest, DeploymentId, Event, Kind, Outcome, source,
};
use kit::machine::{Machine, MachineOptions};
use kit::wait_for;
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Where the apps lie on every machine, each in a folder of its own.
const APPS: &str = "/srv/fleet";

/// Serves what the release that is live says of its health, for every app.
const SITE: &str = r"
server {
  listen 127.0.0.1:8080;
  location ~ ^/([a-z]+)/health$ {
    default_type application/json;
    alias /srv/fleet/$1/current/health.json;
  }
}
";

/// A server that finds out soon when a line is dead.
const SSHD: &str = "ClientAliveInterval 3\nClientAliveCountMax 2\n";

/// One silent question is enough to call a line dead, so a cut is noticed within half a minute.
const SSH: &str = "ServerAliveCountMax 1\n";

const CONFIG: &str = r#"
app = "shop"
repository = "github:acme/shop"

[steps]
prepare = ["printf '{\"ok\":%s,\"release\":\"%s\"}' \"$(cat ok)\" \"$CUTOVER_RELEASE\" >health.json"]
migrate = ["true"]

[environments.production]
path = "@path@"
step_timeout = "@patience@"
lock_wait = "30s"
hosts = [@hosts@]

[environments.production.health]
url = "@url@"
attempts = 2
interval = "100ms"
json = { ok = true }
release_field = "release"
"#;

/// Three machines: `web1`, `web2`, which also migrates, and `web3`.
pub(super) struct Fleet {
    pub(super) machines: Vec<Machine>,
    access: Access,
    folder: tempfile::TempDir,
}

/// One app on all machines of a fleet.
pub(super) struct App {
    pub(super) name: &'static str,
    config: Config,
    deployments: u32,
    root: PathBuf,
}

/// A deployment that is under way.
pub(super) struct Running {
    heard: Arc<Mutex<Vec<Event>>>,
    task: JoinHandle<Outcome>,
}

/// How a deployment ended, and what it told.
pub(super) struct Told {
    pub(super) outcome: Outcome,
    events: Vec<Event>,
}

impl Fleet {
    pub(super) async fn start() -> Self {
        let machine = |name| Machine::start(MachineOptions::named(name));
        let (web1, web2, web3) = tokio::join!(machine("web1"), machine("web2"), machine("web3"));
        let machines = vec![web1, web2, web3];
        let folder = tempfile::tempdir().unwrap();
        let mut known = String::new();
        for machine in &machines {
            let etc = machine.root().join("etc");
            fs::write(etc.join("nginx/sites-enabled/fleet"), SITE).unwrap();
            fs::write(etc.join("ssh/sshd_config.d/fleet.conf"), SSHD).unwrap();
            let serve = format!("install -d -o deploy {APPS}; systemctl reload nginx ssh");
            machine.sh_as_root(&serve).await;
            known += &fs::read_to_string(machine.known_hosts()).unwrap();
            if machine.name() != "web1" {
                machine.let_in(&machines[0].key_file());
            }
        }
        let file = |name: &str, text: &str| {
            let file = folder.path().join(name);
            fs::write(&file, text).unwrap();
            Some(file)
        };
        let access = Access {
            key_file: Some(machines[0].key_file()),
            known_hosts: file("known_hosts", &known),
            ssh_config: file("ssh_config", SSH),
            connect_timeout: Some(Duration::from_secs(4)),
            kept: None,
            outside: None,
        };
        Self {
            machines,
            access,
            folder,
        }
    }

    /// The second machine, the one that loses its cable.
    pub(super) fn web2(&self) -> &Machine {
        &self.machines[1]
    }

    /// An app that a host may keep waiting for this long, with a first release that somebody made live by hand.
    pub(super) async fn app(&self, name: &'static str, patience: &str) -> App {
        let host = |machine: &Machine| {
            let roles = match machine.name() {
                "web2" => r#"["web", "migrate"]"#,
                _ => r#"["web"]"#,
            };
            let (name, address) = (machine.name(), machine.address());
            format!(r#"{{ name = "{name}", address = "{address}", roles = {roles} }}"#)
        };
        let hosts: Vec<_> = self.machines.iter().map(host).collect();
        let text = CONFIG
            .replace("@path@", &format!("{APPS}/{name}"))
            .replace("@url@", &App::url_of(name))
            .replace("@patience@", patience)
            .replace("@hosts@", &hosts.join(", "));
        let root = self.folder.path().join(name);
        fs::create_dir(&root).unwrap();
        let config = Config::parse("cutover.toml", &text);
        let app = App {
            name,
            config: config.unwrap_or_else(|problems| panic!("{problems}\n{text}")),
            deployments: 1,
            root,
        };
        let (path, first) = (app.path(), release(1));
        let seed = format!(
            "mkdir -p {path}/releases/{first}; cd {path}; ln -s releases/{first} current
             printf '{{\"ok\":true,\"release\":\"{first}\"}}' >current/health.json"
        );
        for machine in &self.machines {
            machine.sh(&seed).await;
        }
        app
    }

    /// Makes the next deployment of an app ready, of a release that is as healthy as told.
    pub(super) async fn next(&self, app: &mut App, healthy: bool) -> (DeployRequest, Artifact) {
        let request = app.next();
        let artifact = app.pack(&request, healthy).await;
        (request, artifact)
    }

    /// Begins a deployment.
    pub(super) fn begin(&self, app: &App, deployment: (DeployRequest, Artifact)) -> Running {
        let (request, artifact) = deployment;
        let (events, mut receiver) = unbounded_channel();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&heard);
        let (config, access) = (app.config.clone(), self.access.clone());
        let task = tokio::spawn(async move {
            let deploying = async {
                let environment = config.environment("production").unwrap();
                let never = CancellationToken::new();
                let artifact = Some(&artifact);
                let ended = run::deploy(
                    &config,
                    environment,
                    &request,
                    artifact,
                    &access,
                    &events,
                    &never,
                )
                .await;
                drop(events);
                ended
            };
            let hearing = async {
                while let Some(event) = receiver.recv().await {
                    sink.lock().unwrap().push(event);
                }
            };
            tokio::join!(deploying, hearing).0
        });
        Running { heard, task }
    }

    /// Which release of an app is live on each machine, by the number of its deployment.
    pub(super) fn live(&self, app: &App) -> String {
        let live = |machine: &Machine| {
            let link = machine
                .root()
                .join(format!("{}/current", app.path()).trim_start_matches('/'));
            let link = fs::read_link(link).map(|link| link.display().to_string());
            link.map_or("nothing".to_owned(), |link| {
                app.tame(&link).replace("releases/", "")
            })
        };
        self.machines.iter().map(live).collect::<Vec<_>>().join(" ")
    }

    pub(super) async fn close(self) {
        for machine in self.machines {
            machine.close().await;
        }
    }
}

impl App {
    pub(super) fn path(&self) -> String {
        format!("{APPS}/{}", self.name)
    }

    pub(super) fn url(&self) -> String {
        Self::url_of(self.name)
    }

    fn url_of(name: &str) -> String {
        format!("http://127.0.0.1:8080/{name}/health")
    }

    /// Where the steps of its latest deployment leave their output.
    pub(super) fn steps(&self) -> String {
        format!("{}/.cutover/steps/d{}", self.path(), self.deployments)
    }

    /// Where the artifact of its next deployment arrives.
    pub(super) fn incoming(&self) -> String {
        format!(
            "{}/.cutover/incoming/d{}.tar.gz",
            self.path(),
            self.deployments
        )
    }

    fn next(&mut self) -> DeployRequest {
        self.deployments += 1;
        let moment = format!("2026-02-01T00:{:02}:00Z", self.deployments);
        DeployRequest {
            deployment: DeploymentId::parse(&format!("d{}", self.deployments)).unwrap(),
            kind: Kind::Deploy {
                commit: commit(self.deployments),
            },
            actor: "alice".to_owned(),
            run_url: None,
            keeper: None,
            plan_digest: None,
            allow_destructive: false,
            requested_at: moment.parse().unwrap(),
        }
    }

    async fn pack(&self, request: &DeployRequest, healthy: bool) -> Artifact {
        let Kind::Deploy { commit } = &request.kind else {
            unreachable!("nothing else is asked for");
        };
        let app = self.root.join(request.deployment.to_string());
        fs::create_dir(&app).unwrap();
        fs::write(app.join("ok"), healthy.to_string()).unwrap();
        // Bytes that no packing makes fewer, so that a bad line has something to carry.
        let bytes: Vec<u8> = (0..4096)
            .flat_map(|_| uuid::Uuid::new_v4().into_bytes())
            .collect();
        fs::write(app.join("ballast"), bytes).unwrap();
        let (events, _heard) = unbounded_channel();
        let to: &Path = &self.root;
        let packed = source::pack_workspace(&self.config, commit, &app, to, &events).await;
        packed.unwrap()
    }

    /// A text with the numbers of deployments in place of their releases.
    pub(super) fn tame(&self, text: &str) -> String {
        (1..=self.deployments).fold(text.to_owned(), |text, number| {
            text.replace(&release(number), &format!("r{number}"))
        })
    }
}

/// The release of a deployment, by its number; the first one was made by hand.
fn release(number: u32) -> String {
    let commit = commit(number);
    format!("20260201T00{number:02}00Z-{}", commit.short())
}

fn commit(number: u32) -> CommitSha {
    CommitSha::parse(&format!("{number:040x}").chars().rev().collect::<String>()).unwrap()
}

impl Running {
    /// Waits until it has told this.
    pub(super) async fn tells(&self, words: &str) {
        let what = format!("a deployment to tell {words:?}");
        wait_for(what, Duration::from_mins(1), async || {
            let heard = self.heard.lock().unwrap();
            let told = heard.iter().map(ToString::to_string).collect::<Vec<_>>();
            let told = told.join("\n");
            if told.contains(words) {
                Ok(())
            } else {
                Err(told)
            }
        })
        .await;
    }

    /// Waits for its end.
    pub(super) async fn end(self) -> Told {
        let ended = tokio::time::timeout(Duration::from_mins(2), self.task).await;
        let events = std::mem::take(&mut *self.heard.lock().unwrap());
        let Ok(outcome) = ended else {
            panic!("it does not end:\n{}", story(&events));
        };
        Told {
            outcome: outcome.unwrap(),
            events,
        }
    }
}

impl Told {
    /// How each phase ended on each host, without times.
    pub(super) fn matrix(&self, app: &App) -> String {
        let mut matrix = self.events.iter().find_map(|event| match event {
            Event::Matrix(matrix) => Some(matrix.clone()),
            _ => None,
        });
        for row in matrix.iter_mut().flat_map(|matrix| &mut matrix.hosts) {
            row.phases.iter_mut().for_each(|cell| cell.took_ms = 0);
        }
        let text = matrix.map_or_else(|| story(&self.events), |matrix| matrix.to_string());
        app.tame(&text).replace("ok 0.0 s", "ok      ")
    }

    /// All that it told.
    pub(super) fn story(&self) -> String {
        story(&self.events)
    }
}

fn story(events: &[Event]) -> String {
    let mut story = String::new();
    for event in events {
        writeln!(story, "{event}").unwrap();
    }
    story
}
