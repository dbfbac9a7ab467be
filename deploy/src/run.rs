//! The driver: asks the machine what comes next, runs it on hosts, reports back. Decides nothing.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Environment};
use crate::{Artifact, DeployRequest, Event, HostName, Outcome};

/// How hosts are reached. Everything that is absent is left to ssh's own configuration.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// The private key file (`IdentityFile`, with `IdentitiesOnly`).
    pub key_file: Option<PathBuf>,
    /// The file with the pinned host keys (`UserKnownHostsFile`). Unknown keys are always refused.
    pub known_hosts: Option<PathBuf>,
    /// An `ssh_config` to use instead of the user's own.
    pub ssh_config: Option<PathBuf>,
    /// The longest wait for a connection. Default 10 s.
    pub connect_timeout: Option<Duration>,
}

/// Runs one deployment to its end and returns how it ended; the same is the last event.
///
/// Running the same request again is safe: a release that is already live but not yet proven is taken up at its
/// health check, everything else begins anew. `artifact` may be absent for a rollback and where [`needs_artifact`]
/// said so. `cancel` calls the deployment off until the swap begins; from then on it runs to its end.
pub async fn deploy(
    config: &Config,
    environment: &Environment,
    request: &DeployRequest,
    artifact: Option<&Artifact>,
    access: &Access,
    events: &UnboundedSender<Event>,
    cancel: &CancellationToken,
) -> Outcome {
    let _ = (config, environment, request, artifact, access, events, cancel);
    Outcome::Cancelled
}

/// Whether a deployment of this request would bring bytes to a host. Takes no lease and changes nothing.
/// A host that cannot be asked counts as yes.
pub async fn needs_artifact(environment: &Environment, request: &DeployRequest, access: &Access) -> bool {
    let _ = (environment, request, access);
    true
}

/// Asks every host of an environment what is true, all at once; changes nothing.
pub async fn survey(
    environment: &Environment,
    access: &Access,
) -> Vec<(HostName, Result<crate::facts::Facts, crate::Failure>)> {
    let _ = (environment, access);
    Vec::new()
}
