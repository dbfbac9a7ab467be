//! What a host said of itself when it was greeted.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::names::{CommitSha, DeploymentId, Digest, ReleaseId};

/// What a host said of itself. Serialized as it is for `--json`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Facts {
    /// What `current` leads to.
    pub current: Current,
    /// The folders below `releases/`, with what is known of each, oldest first.
    pub releases: BTreeMap<String, Option<ReleaseRecord>>,
    /// The highest fence number given out.
    pub fence: u64,
    /// Who holds the lease, as the lock file says; only while it is held.
    pub holder: Option<Holder>,
    /// Free space below the path, in bytes.
    pub free_bytes: u64,
    /// Free inodes below the path.
    pub free_inodes: u64,
    /// Programs that were looked for and found: `curl`, `php`, `flock`, …
    pub tools: Vec<String>,
    /// Shared files, and whether each has content.
    pub shared: BTreeMap<String, bool>,
    /// Things left behind by an interrupted deployment, as paths.
    pub leftovers: Vec<String>,
    /// What a person must mend before anything can be deployed here, in words.
    pub faults: Vec<String>,
}

/// What `current` is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Current {
    /// There is none yet.
    #[default]
    Absent,
    /// A link to a release.
    Release {
        /// Which.
        id: ReleaseId,
    },
    /// Something else: a real folder, a link elsewhere.
    Foreign {
        /// What, in words.
        what: String,
    },
}

/// What the host keeps of a release: `.cutover/releases/<id>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseRecord {
    /// The release.
    pub release: ReleaseId,
    /// Where it stands.
    pub state: ReleaseState,
    /// What it was made from.
    pub commit: CommitSha,
    /// The artifact's digest.
    pub digest: Digest,
    /// The deployment that made it.
    pub deployment: DeploymentId,
    /// Who asked for it.
    pub actor: String,
    /// Where to read about it.
    pub run_url: Option<String>,
    /// What was live when it was made.
    pub previous: Option<ReleaseId>,
    /// When the state was last changed.
    pub changed_at: Timestamp,
}

/// Where a release stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseState {
    /// Being brought and prepared.
    Staging,
    /// Prepared, not live.
    Ready,
    /// Live, not yet proven.
    Live,
    /// Was live and proven healthy: rollback may return to it.
    Healthy,
    /// Never became healthy.
    Failed,
    /// Was live, failed, and was taken back.
    RolledBack,
}

/// Who holds a lease: the body of `.cutover/lock`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Who asked for the deployment that holds it.
    pub actor: String,
    /// The deployment.
    pub deployment: DeploymentId,
    /// `deploy` or `rollback`.
    pub kind: String,
    /// Since when.
    pub since: Timestamp,
    /// Where to read about it.
    pub run_url: Option<String>,
}
