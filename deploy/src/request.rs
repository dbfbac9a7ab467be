//! What a door asks for.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::names::{CommitSha, DeploymentId, Digest, ReleaseId};

/// One try to make a release live, as a door hands it over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployRequest {
    /// Unique; names the deployment on hosts, in logs and on pages.
    pub deployment: DeploymentId,
    /// What is to become live.
    pub kind: Kind,
    /// Who asked, as people know them: `alice`, `github push by alice`.
    pub actor: String,
    /// Where a person can follow the deployment, if anywhere.
    pub run_url: Option<String>,
    /// The service that asks, by its id; holds on hosts that it keeps itself do not stop it.
    #[serde(default)]
    pub keeper: Option<String>,
    /// The digest of the only plan that may be carried out; any may be when absent.
    #[serde(default)]
    pub plan_digest: Option<Digest>,
    /// Whether its migrations may take away what the live release may still use.
    #[serde(default)]
    pub allow_destructive: bool,
    /// When it was asked for; the release id is made from it.
    pub requested_at: Timestamp,
}

/// What a deployment is to make live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    /// A new release of this commit, from an artifact.
    Deploy {
        /// The commit that the artifact was made from.
        commit: CommitSha,
    },
    /// An earlier release, without building anything.
    Rollback {
        /// The release to return to; the previous healthy one when absent.
        to: Option<ReleaseId>,
    },
}

impl Kind {
    /// The word for it in logs and output: `deploy` or `rollback`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Deploy { .. } => "deploy",
            Self::Rollback { .. } => "rollback",
        }
    }
}
