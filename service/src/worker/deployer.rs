//! What a worker needs of the release pipeline, and what it runs it with.

use cutover_deploy::config::Environment;
use cutover_deploy::source::Position;
use cutover_deploy::{Artifact, CommitSha, DeployRequest, Event, Failure, Outcome, ReleaseId};
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use crate::settings::App;
use crate::store::Command;

/// What a worker needs of the release pipeline. [`Pipeline`](super::Pipeline) is the one that touches hosts.
pub trait Deployer: Send + Sync + 'static {
    /// Whether a deployment of this request would bring bytes to a host.
    fn needs_artifact(
        &self,
        app: &App,
        environment: &Environment,
        request: &DeployRequest,
    ) -> impl Future<Output = bool> + Send;

    /// What holds the environment on its hosts, if anything does. A host that cannot be asked holds nothing.
    fn held(
        &self,
        app: &App,
        environment: &Environment,
        request: &DeployRequest,
    ) -> impl Future<Output = Option<Failure>> + Send;

    /// Where a commit stands on a branch of the app's repository at this moment.
    fn position(
        &self,
        app: &App,
        commit: &CommitSha,
        branch: &str,
    ) -> impl Future<Output = Result<Position, Failure>> + Send;

    /// Builds the artifact of a commit.
    fn build(
        &self,
        app: &App,
        commit: &CommitSha,
        events: &UnboundedSender<Event>,
        cancel: &CancellationToken,
    ) -> impl Future<Output = Result<Artifact, Failure>> + Send;

    /// Runs the deployment to its end.
    fn deploy(
        &self,
        job: &Job<'_>,
        events: &UnboundedSender<Event>,
        cancel: &CancellationToken,
    ) -> impl Future<Output = Outcome> + Send;

    /// Whether who asked for a deployment by a command still may have it; a pushed one needs nobody.
    fn may_begin(&self, command: &Command) -> impl Future<Output = Result<(), Failure>> + Send;

    /// The commit of a release, as the hosts know it.
    fn commit_of(
        &self,
        app: &App,
        environment: &Environment,
        release: &ReleaseId,
    ) -> impl Future<Output = Option<CommitSha>> + Send;
}

/// What the pipeline is run with.
#[derive(Debug)]
pub struct Job<'a> {
    /// The app.
    pub app: &'a App,
    /// The environment.
    pub environment: &'a Environment,
    /// What is asked for.
    pub request: &'a DeployRequest,
    /// The bytes, where any are needed.
    pub artifact: Option<&'a Artifact>,
}
