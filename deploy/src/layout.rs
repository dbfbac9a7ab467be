//! Where things lie on a host, below the path of an environment.

use crate::names::ReleaseId;

/// The paths of one environment on a host. All are absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: String,
}

impl Layout {
    /// The layout below `root`, an absolute path without a trailing slash.
    pub fn new(root: &str) -> Self {
        Self {
            root: root.trim_end_matches('/').to_owned(),
        }
    }

    /// The folder that holds everything else.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// The link that decides what is live.
    pub fn current(&self) -> String {
        format!("{}/current", self.root)
    }

    /// The folder of one release.
    pub fn release(&self, id: &ReleaseId) -> String {
        format!("{}/releases/{id}", self.root)
    }

    /// What every release shares: `.env`, `storage`.
    pub fn shared(&self) -> String {
        format!("{}/shared", self.root)
    }
}
