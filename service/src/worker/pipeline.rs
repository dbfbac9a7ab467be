//! The release pipeline as the service runs it: its own mirrors and builds, its keys, its login at the forge.

use std::path::{Path, PathBuf};

use cutover_deploy::config::Environment;
use cutover_deploy::source::{self, Origin, Position};
use cutover_deploy::{Artifact, CommitSha, DeployRequest, Event, Failure, Outcome, ReleaseId, run};
use secrecy::ExposeSecret as _;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use super::{Deployer, Job};
use crate::chat::{Code, Refusal, clerk};
use crate::forge::trouble::Trouble;
use crate::forge::{Forge, Forges};
use crate::settings::{App, Settings};
use crate::store::Command;

/// The pipeline of `cutover_deploy`.
#[derive(Debug)]
pub struct Pipeline {
    forges: Forges,
    apps_dir: PathBuf,
    hidden: Vec<PathBuf>,
    /// Who the service is on hosts.
    keeper: String,
}

impl Pipeline {
    /// The pipeline with the service's folders and keys.
    pub fn new(settings: &Settings, forges: Forges, keeper: String) -> Self {
        let mut hidden: Vec<PathBuf> = settings
            .secret_files
            .iter()
            .filter_map(|file| file.parent())
            .map(Path::to_owned)
            .collect();
        hidden.push(settings.ledger_dir());
        hidden.sort();
        hidden.dedup();
        Self {
            forges,
            apps_dir: settings.data_dir.join("apps"),
            hidden,
            keeper,
        }
    }

    /// The request as the hosts are to take it: from the service whose holds they show.
    fn own(&self, request: &DeployRequest) -> DeployRequest {
        DeployRequest {
            keeper: Some(self.keeper.clone()),
            ..request.clone()
        }
    }

    /// Removes what builds left behind when the service was killed.
    pub async fn sweep(&self, apps: &[App]) {
        for app in apps {
            source::sweep(&self.apps_dir.join(app.config.app.as_str())).await;
        }
    }

    async fn origin(&self, app: &App) -> Result<Origin, Failure> {
        let repository = &app.config.repository.path;
        let (url, authorization) = if let Some(url) = &app.git_url {
            (url.clone(), None)
        } else {
            let unauthorized = |trouble: Trouble| {
                Failure {
                host: None,
                step: "fetch".to_owned(),
                message: format!("cannot get a token for {repository}: {trouble}"),
                hint: Some(
                    "Check the login at the forge; a GitHub App must be installed on the repository."
                        .to_owned(),
                ),
            }
            };
            let forge = self.forges.of(&app.config.app).map_err(unauthorized)?;
            let header = forge.git_authorization(repository).await;
            let header = header.map_err(unauthorized)?;
            (
                forge.git_url(repository),
                Some(header.expose_secret().to_owned()),
            )
        };
        Ok(Origin {
            url,
            authorization,
            work_dir: self.apps_dir.join(app.config.app.as_str()),
            hidden: self.hidden.clone(),
        })
    }
}

impl Deployer for Pipeline {
    async fn needs_artifact(
        &self,
        app: &App,
        environment: &Environment,
        request: &DeployRequest,
    ) -> bool {
        run::needs_artifact(environment, request, &app.access).await
    }

    async fn held(
        &self,
        app: &App,
        environment: &Environment,
        request: &DeployRequest,
    ) -> Option<Failure> {
        run::held(environment, &self.own(request), &app.access).await
    }

    async fn position(
        &self,
        app: &App,
        commit: &CommitSha,
        branch: &str,
    ) -> Result<Position, Failure> {
        let origin = self.origin(app).await?;
        source::position(commit, branch, &origin).await
    }

    async fn build(
        &self,
        app: &App,
        commit: &CommitSha,
        events: &UnboundedSender<Event>,
        cancel: &CancellationToken,
    ) -> Result<Artifact, Failure> {
        let origin = self.origin(app).await?;
        source::build(&app.config, commit, &origin, events, cancel).await
    }

    async fn deploy(
        &self,
        job: &Job<'_>,
        events: &UnboundedSender<Event>,
        cancel: &CancellationToken,
    ) -> Outcome {
        let Job {
            app,
            environment,
            request,
            artifact,
        } = job;
        run::deploy(
            &app.config,
            environment,
            &self.own(request),
            *artifact,
            &app.access,
            events,
            cancel,
        )
        .await
    }

    async fn may_begin(&self, command: &Command) -> Result<(), Failure> {
        let allowed = match self.forges.at(command.new.forge) {
            Some(Forge::GitHub(github)) => clerk::may_begin(&github, command).await,
            Some(Forge::GitLab(gitlab)) => clerk::may_begin(&gitlab, command).await,
            None => Err(Refusal::new(
                Code::PermissionUnavailable,
                "no login at the forge of the command is in the settings",
                None,
            )),
        };
        allowed.map_err(|refusal| Failure {
            host: None,
            step: "permission".to_owned(),
            message: format!("{}: {}", refusal.code.word(), refusal.why),
            hint: refusal.help,
        })
    }

    async fn commit_of(
        &self,
        app: &App,
        environment: &Environment,
        release: &ReleaseId,
    ) -> Option<CommitSha> {
        let answers = run::survey(environment, &app.config.shared, &app.access).await;
        answers
            .into_iter()
            .find_map(|(_, facts)| facts.ok()?.commit(release).cloned())
    }
}
