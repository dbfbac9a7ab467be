//! `cutover deploy` and `cutover rollback`: one deployment from this shell, straight over SSH, without the service.

use std::path::{Path, PathBuf};

use clap::Args;
use cutover_deploy::config::Environment;
use cutover_deploy::source::{self, Origin};
use cutover_deploy::{
    Artifact, CommitSha, Config, DeployRequest, DeploymentId, Digest, Event, Kind, Outcome,
    ReleaseId, UnderWay, now, run,
};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

use super::console::{self, Show, Trouble};
use super::signals::{Signals, Wish};
use super::site::{Asker, Output, Site, environment};

/// Builds a commit and makes it live.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 deployed or unchanged, 1 failed and restored (or never live), \
    2 bad input or hosts that are not fit, 3 failed and not restored, 4 somebody else has the lease or a lock."
)]
pub(super) struct DeployArgs {
    #[command(flatten)]
    order: Order,

    /// Deploys only if this is still the digest of the plan, as `cutover plan` told it.
    #[arg(long, value_name = "DIGEST")]
    plan_digest: Option<String>,

    /// Lets the migrations of this deployment drop, rename and empty what the live release may still use.
    #[arg(long)]
    allow_destructive: bool,
}

/// What is to be built, and where it is to become live.
#[derive(Debug, Args)]
pub(super) struct Order {
    /// The environment, as in `cutover.toml`.
    pub(super) environment: String,

    /// What to deploy: a branch, a tag or a commit.
    #[arg(default_value = "HEAD")]
    revision: String,

    /// The repository to take it from: a folder or a URL that git can fetch. Only what is committed counts.
    #[arg(long, default_value = ".", value_name = "FOLDER|URL")]
    repository: String,

    /// Where mirrors and builds are kept.
    #[arg(long, env = "CUTOVER_WORK_DIR", value_name = "FOLDER")]
    work_dir: Option<PathBuf>,

    #[command(flatten)]
    pub(super) site: Site,

    #[command(flatten)]
    pub(super) output: Output,

    #[command(flatten)]
    pub(super) asker: Asker,
}

/// Returns to an earlier release without building anything.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes are those of `cutover deploy`. The schema of the database stays as it is, \
    unless `migrations.on_rollback` of the environment wants otherwise."
)]
pub(super) struct RollbackArgs {
    /// The environment, as in `cutover.toml`.
    environment: String,

    /// The release to return to; the one before the live one that was healthy when left out.
    release: Option<String>,

    #[command(flatten)]
    site: Site,

    #[command(flatten)]
    output: Output,

    #[command(flatten)]
    asker: Asker,
}

impl Order {
    /// The commit that is meant, and where it is fetched and built.
    pub(super) async fn commit(&self, config: &Config) -> Result<(CommitSha, Origin), Trouble> {
        let origin = self.origin(config)?;
        let commit = self.revision(&origin).await?;
        Ok((commit, origin))
    }

    fn origin(&self, config: &Config) -> Result<Origin, Trouble> {
        let cache = || {
            let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
            base.or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")))
        };
        let work_dir = self
            .work_dir
            .clone()
            .or_else(|| Some(cache()?.join("cutover")))
            .ok_or_else(|| {
                Trouble::input("there is no place for builds").hint("Name one with `--work-dir`.")
            })?;
        let url = match std::fs::canonicalize(&self.repository) {
            Ok(folder) => folder.display().to_string(),
            Err(_) => self.repository.clone(),
        };
        Ok(Origin {
            url,
            authorization: None,
            work_dir: work_dir.join(config.app.as_str()),
            hidden: Vec::new(),
        })
    }

    /// `HEAD` is the branch that is checked out here; a mirror only knows the branch by its name.
    async fn revision(&self, origin: &Origin) -> Result<CommitSha, Trouble> {
        let mut name = self.revision.clone();
        if name == "HEAD" {
            let mut git = tokio::process::Command::new("git");
            let said = git
                .args(["ls-remote", "--exit-code", "--"])
                .arg(&origin.url)
                .arg("HEAD")
                .output()
                .await;
            name =
                match said {
                    Ok(output) if output.status.success() => {
                        let said = String::from_utf8_lossy(&output.stdout);
                        said.split_whitespace()
                            .next()
                            .unwrap_or_default()
                            .to_owned()
                    }
                    _ => {
                        return Err(Trouble::input(format!(
                    "{} is not a git repository with a commit",
                    origin.url
                ))
                .hint("Name the repository with `--repository`, and the branch, tag or commit."));
                    }
                };
        }
        source::resolve(&name, origin)
            .await
            .map_err(|failure| Trouble::failed(&failure))
    }
}

/// Runs `cutover deploy`.
pub(super) async fn deploy(args: DeployArgs) -> std::process::ExitCode {
    console::conclude(try_deploy(args).await)
}

/// Runs `cutover rollback`.
pub(super) async fn rollback(args: RollbackArgs) -> std::process::ExitCode {
    console::conclude(try_rollback(args).await)
}

async fn try_deploy(args: DeployArgs) -> Result<u8, Trouble> {
    let DeployArgs {
        order,
        plan_digest,
        allow_destructive,
    } = args;
    let config = order.site.read()?;
    let environment = environment(&config, &order.environment)?;
    let plan_digest = plan_digest.as_deref().map(Digest::parse).transpose();
    let plan_digest = plan_digest.map_err(|error| Trouble::input(error.to_string()))?;
    let access = order.site.access()?;
    run::open_ahead(environment, &access);
    let job = async {
        let (commit, origin) = order.commit(&config).await?;
        let kind = Kind::Deploy {
            commit: commit.clone(),
        };
        let request = DeployRequest {
            plan_digest,
            allow_destructive,
            ..request(kind, &order.asker)
        };
        let job = Job {
            config: &config,
            environment,
            request,
            access: &access,
            json: order.output.json,
            build: Some((commit, origin)),
        };
        Ok(job.run().await)
    };
    let ended = job.await;
    if let Some(kept) = &access.kept {
        kept.close().await;
    }
    ended
}

async fn try_rollback(args: RollbackArgs) -> Result<u8, Trouble> {
    let config = args.site.read()?;
    let environment = environment(&config, &args.environment)?;
    let to = args.release.as_deref().map(ReleaseId::parse).transpose();
    let to = to.map_err(|error| Trouble::input(error.to_string()))?;
    let access = args.site.access()?;
    let request = request(Kind::Rollback { to }, &args.asker);
    let job = Job {
        config: &config,
        environment,
        request,
        access: &access,
        json: args.output.json,
        build: None,
    };
    Ok(job.run().await)
}

/// A request with an id of its own.
pub(super) fn request(kind: Kind, asker: &Asker) -> DeployRequest {
    let id = uuid::Uuid::new_v4().simple().to_string();
    let deployment = DeploymentId::parse(&id).expect("hexadecimal digits are a deployment id");
    DeployRequest {
        deployment,
        kind,
        actor: asker.actor.clone(),
        run_url: None,
        keeper: None,
        plan_digest: None,
        allow_destructive: false,
        requested_at: now(),
    }
}

/// One deployment from this shell.
struct Job<'a> {
    config: &'a Config,
    environment: &'a Environment,
    request: DeployRequest,
    access: &'a run::Access,
    json: bool,
    build: Option<(CommitSha, Origin)>,
}

impl Job<'_> {
    /// Runs it to its end, shows it, and lets it be called off; called off again, it is not waited for any longer.
    async fn run(self) -> u8 {
        let show = Show::new(self.json);
        let (events, mut heard) = unbounded_channel();
        let cancel = CancellationToken::new();
        let mut signals = Signals::listen();
        let mut under_way = UnderWay::on(self.environment);
        let mut deploying = Box::pin(self.outcome(&events, &cancel));
        let ended = loop {
            tokio::select! {
                biased;
                Some(event) = heard.recv() => {
                    under_way.hear(&event);
                    show.event(&event);
                }
                outcome = &mut deploying => break Some(outcome),
                wish = Signals::next(&mut signals) => match wish {
                    Wish::CallOff => {
                        console::say("calling off; nothing is swapped any more unless it has begun");
                        cancel.cancel();
                    }
                    Wish::Hurry => console::say(
                        "still ending: a release that is being made live is brought to its end or taken back first; \
                         press Ctrl-C again to wait no longer",
                    ),
                    Wish::Leave => break None,
                },
            }
        };
        // The lines end with this, and with them the leases.
        drop(deploying);
        while let Ok(event) = heard.try_recv() {
            under_way.hear(&event);
            show.event(&event);
        }
        ended.unwrap_or_else(|| left(&under_way, &show)).exit_code()
    }

    async fn outcome(
        &self,
        events: &UnboundedSender<Event>,
        cancel: &CancellationToken,
    ) -> Outcome {
        let artifact = match self.artifact(events, cancel).await {
            Ok(artifact) => artifact,
            Err(outcome) => {
                drop(events.send(Event::Concluded {
                    outcome: outcome.clone(),
                }));
                return outcome;
            }
        };
        let Self {
            config,
            environment,
            request,
            access,
            ..
        } = self;
        let outcome = run::deploy(
            config,
            environment,
            request,
            artifact.as_ref(),
            access,
            events,
            cancel,
        )
        .await;
        if let Some(artifact) = artifact {
            drop(tokio::fs::remove_file(artifact.file).await);
        }
        outcome
    }

    async fn artifact(
        &self,
        events: &UnboundedSender<Event>,
        cancel: &CancellationToken,
    ) -> Result<Option<Artifact>, Outcome> {
        let Some((commit, origin)) = &self.build else {
            return Ok(None);
        };
        match source::build(self.config, commit, origin, events, cancel).await {
            Ok(artifact) => Ok(Some(artifact)),
            Err(_) if cancel.is_cancelled() => Err(Outcome::Cancelled),
            Err(failure) => Err(Outcome::Failed {
                failure,
                left: Vec::new(),
            }),
        }
    }
}

/// Tells what runs on without us, as the end of the deployment.
fn left(under_way: &UnderWay, show: &Show) -> Outcome {
    console::say(&match under_way.runs_on() {
        Some(steps) => format!(
            "waiting no longer; the lease goes free, and to its end runs by itself: {steps}"
        ),
        None => "waiting no longer; the lease goes free".to_owned(),
    });
    let outcome = under_way.outcome();
    show.event(&Event::Concluded {
        outcome: outcome.clone(),
    });
    outcome
}
