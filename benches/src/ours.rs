//! `cutover`: as a program from its start to its end, and as the service runs it, over a connection that is kept.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use cutover_deploy::run::{self, Access, Kept};
use cutover_deploy::source::{self, Origin};
use cutover_deploy::{CommitSha, Config, DeployRequest, DeploymentId, Event, Kind, Outcome, now};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_util::sync::CancellationToken;

use crate::line::Line;
use crate::place::{Place, succeed};

/// As long as the service does.
const KEEP_CONNECTIONS: Duration = Duration::from_mins(5);

/// What `cutover` reads, and how it reaches the host.
#[derive(Debug)]
pub(crate) struct Ours {
    program: PathBuf,
    file: PathBuf,
    config: Config,
    access: Access,
    origin: Origin,
}

impl Ours {
    pub(crate) fn prepare(place: &Place) -> Result<Self> {
        let text = config(place)?;
        let file = place.folder.path().join("cutover.toml");
        std::fs::write(&file, &text)?;
        Ok(Self {
            program: kit::program("cutover"),
            config: Config::parse("cutover.toml", &text).map_err(anyhow::Error::msg)?,
            file,
            access: Access {
                key_file: Some(place.host.key_file()),
                known_hosts: Some(place.known_hosts()),
                ssh_config: Some("/dev/null".into()),
                kept: Some(Kept::new(KEEP_CONNECTIONS)),
                ..Access::default()
            },
            origin: Origin {
                url: place.repo.url(),
                authorization: None,
                work_dir: place.folder.path().join("warm"),
                hidden: Vec::new(),
            },
        })
    }

    pub(crate) async fn cold_deploy(&self, place: &Place, line: &Line) -> Result<()> {
        let mut cutover = self.cutover("deploy", place, line);
        cutover.arg("--repository").arg(place.repo.url());
        cutover
            .arg("--work-dir")
            .arg(place.folder.path().join("cold"));
        succeed(&mut cutover).await
    }

    pub(crate) async fn cold_rollback(&self, place: &Place, line: &Line) -> Result<()> {
        succeed(&mut self.cutover("rollback", place, line)).await
    }

    fn cutover(&self, verb: &str, place: &Place, line: &Line) -> tokio::process::Command {
        let mut cutover = place.command(&self.program);
        cutover.arg(verb).arg(Place::alias(line));
        for (option, value) in [
            ("--config", Some(&self.file)),
            ("--ssh-key", self.access.key_file.as_ref()),
            ("--known-hosts", self.access.known_hosts.as_ref()),
            ("--ssh-config", self.access.ssh_config.as_ref()),
        ] {
            cutover.arg(option).args(value);
        }
        cutover
    }

    pub(crate) async fn warm_deploy(&self, commit: &CommitSha, line: &Line) -> Result<()> {
        let (events, heard) = unbounded_channel();
        let never = CancellationToken::new();
        let built = source::build(&self.config, commit, &self.origin, &events, &never).await;
        let artifact = built.map_err(|failure| anyhow::Error::msg(failure.line()))?;
        let kind = Kind::Deploy {
            commit: commit.clone(),
        };
        let run = self.run(kind, Some(&artifact), line, heard, events).await;
        std::fs::remove_file(&artifact.file)?;
        run
    }

    pub(crate) async fn warm_rollback(&self, line: &Line) -> Result<()> {
        let (events, heard) = unbounded_channel();
        let kind = Kind::Rollback { to: None };
        self.run(kind, None, line, heard, events).await
    }

    async fn run(
        &self,
        kind: Kind,
        artifact: Option<&cutover_deploy::Artifact>,
        line: &Line,
        mut heard: UnboundedReceiver<Event>,
        events: tokio::sync::mpsc::UnboundedSender<Event>,
    ) -> Result<()> {
        let environment = self.config.environment(&warm(line));
        let environment = environment.context("there is one for each line")?;
        let request = request(kind)?;
        let never = CancellationToken::new();
        let outcome = run::deploy(
            &self.config,
            environment,
            &request,
            artifact,
            &self.access,
            &events,
            &never,
        );
        let outcome = outcome.await;
        drop(events);
        if matches!(outcome, Outcome::Deployed { .. }) {
            return Ok(());
        }
        let mut story = String::new();
        while let Some(event) = heard.recv().await {
            writeln!(story, "{event:?}")?;
        }
        bail!("{outcome:?}\n{story}")
    }
}

fn request(kind: Kind) -> Result<DeployRequest> {
    let id = uuid::Uuid::new_v4().simple().to_string();
    Ok(DeployRequest {
        deployment: DeploymentId::parse(&id)?,
        kind,
        actor: "bench".to_owned(),
        run_url: None,
        keeper: None,
        plan_digest: None,
        requested_at: now(),
    })
}

/// Two environments for each line: one that is deployed to cold, one over the connection that is kept.
fn config(place: &Place) -> Result<String> {
    let mut text =
        "app = \"bench\"\nrepository = \"github:acme/bench\"\n[shared]\nfiles = [\".env\"]\n\
                    dirs = [\"storage\"]\n"
            .to_owned();
    for line in &place.lines.lines {
        let cold = (Place::alias(line), "cold", &place.cold);
        let warm = (warm(line), "warm", &place.warm);
        for (name, folder, site) in [cold, warm] {
            write!(
                text,
                "[environments.{name}]\nbranch = \"main\"\npath = \"{}\"\nkeep_releases = 5\n\
                 [[environments.{name}.hosts]]\nname = \"bench\"\naddress = \"{}@127.0.0.1:{}\"\n\
                 [environments.{name}.health]\nurl = \"{}\"\njson = {{ ok = true }}\n",
                place.root(folder)?.display(),
                place.user(),
                line.port,
                site.health_url(),
            )?;
        }
    }
    Ok(text)
}

fn warm(line: &Line) -> String {
    format!("warm{}", line.delay.as_millis())
}
