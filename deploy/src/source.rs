//! Where an artifact comes from: a clean checkout of one commit, built and packed on this machine.

use std::fmt;
use std::path::PathBuf;

use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::{Artifact, CommitSha, Event, Failure};

/// A repository that can be fetched, and the folders this machine keeps for it.
#[derive(Clone)]
pub struct Origin {
    /// What git fetches from: an https or ssh URL or a path.
    pub url: String,
    /// The value of the `Authorization` header for an https URL. Handed to git by its environment, never by argv.
    pub authorization: Option<String>,
    /// A folder of this app's own: the mirror, the build cache and the builds live below it. Made when absent.
    pub work_dir: PathBuf,
    /// Folders that build steps must not see even where the sandbox would show them (keys, the service's data).
    pub hidden: Vec<PathBuf>,
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origin")
            .field("url", &self.url)
            .field("work_dir", &self.work_dir)
            .finish_non_exhaustive()
    }
}

/// Fetches `commit`, runs the build steps in a clean checkout of it and packs the result.
///
/// Steps run in a cleared environment with limits on time, output and disk. The artifact lies below `work_dir`; the
/// caller removes it when the deployment is over.
pub async fn build(
    config: &Config,
    commit: &CommitSha,
    origin: &Origin,
    events: &UnboundedSender<Event>,
    cancel: &CancellationToken,
) -> Result<Artifact, Failure> {
    let _ = (config, commit, origin, events, cancel);
    Err(Failure {
        host: None,
        step: "build".into(),
        message: "not yet".into(),
        hint: None,
    })
}

/// The commit that a branch, tag or commit name leads to in `origin`, fetched first.
pub async fn resolve(name: &str, origin: &Origin) -> Result<CommitSha, Failure> {
    let _ = (name, origin);
    Err(Failure {
        host: None,
        step: "fetch".into(),
        message: "not yet".into(),
        hint: None,
    })
}
