//! A push, as any forge tells of it.

use std::fmt;

use cutover_deploy::CommitSha;

pub(super) const LONGEST_NAME: usize = 100;
pub(super) const LONGEST_REF: usize = 1024;
const LONGEST_SUBJECT: usize = 200;

/// A ref moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// `owner/name`, as the forge writes it; on GitLab groups may nest.
    pub repository: String,
    /// What moved.
    pub what: Moved,
    /// Who pushed; at most 100 characters, none of them control characters.
    pub pusher: String,
    /// The first line of the newest commit's message, where the forge tells it; at most 200 characters.
    pub subject: Option<String>,
}

/// What a push moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moved {
    /// A branch, to this commit.
    Branch {
        /// Without `refs/heads/`.
        name: String,
        /// Where it points now.
        commit: CommitSha,
    },
    /// A branch or tag that is gone.
    Deleted {
        /// The whole ref.
        name: String,
    },
    /// A tag, or a ref of some other kind.
    Other {
        /// The whole ref.
        name: String,
    },
}

/// Text that may stand in a log or on a page: no control characters, of bounded length.
pub(super) fn printable(text: &str, longest: usize) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(longest)
        .collect()
}

/// The first line of a commit's message.
pub(super) fn subject(message: &str) -> Option<String> {
    let first = message.lines().find(|line| !line.trim().is_empty())?;
    Some(printable(first.trim(), LONGEST_SUBJECT))
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Branch { name, commit } => write!(f, "{name} at {}", commit.short()),
            Self::Deleted { name } | Self::Other { name } => f.write_str(name),
        }
    }
}
