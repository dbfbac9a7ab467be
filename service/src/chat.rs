//! Commands in comments: what a person asked for, and what is answered. Knows no forge: forges hand over a [`Comment`]
//! and lend a [`desk::Desk`] to look things up and to answer at.
//!
//! [`read`] is pure, from the text of a comment to what is asked. [`clerk`] does the rest: it judges, writes the
//! decision to the ledger, and keeps one reply per command true.

use cutover_deploy::config::ForgeKind;
use cutover_deploy::{AppName, CommitSha, EnvironmentName, ReleaseId};
use serde::{Deserialize, Serialize};

pub mod clerk;
pub mod desk;
pub mod reply;

pub(crate) mod judge;
mod lines;
mod meant;
mod place;
mod prefixes;
mod word;

pub(crate) use word::minutes;

#[cfg(test)]
mod tests;

pub use prefixes::Prefixes;

/// More commands than this in one comment are not read.
const MOST_COMMANDS: usize = 5;

/// A comment that a person just wrote, as a forge hands it over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// The forge.
    pub forge: ForgeKind,
    /// `owner/name`, as the forge writes it.
    pub repository: String,
    /// Whether everybody can read and comment there, so that the right to read says nothing of a person.
    pub public: bool,
    /// Who wrote it, by login.
    pub author: String,
    /// What the forge calls them for ever, where it says so.
    pub author_id: Option<u64>,
    /// Where it was written.
    pub thread: Thread,
    /// The newest commit of the change that it was written on, where the forge says so.
    pub head: Option<CommitSha>,
    /// What the forge calls it.
    pub id: u64,
    /// The text, Markdown.
    pub text: String,
}

/// Where a comment stands, which is also where it is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "thread", rename_all = "snake_case")]
pub enum Thread {
    /// The conversation of a change: a pull request, a merge request.
    Change {
        /// The number of the change.
        number: u64,
    },
    /// A remark on a line of a change.
    Review {
        /// The number of the change.
        number: u64,
        /// What the forge calls the thread: on GitHub the remark that began it, on GitLab the discussion.
        first: String,
    },
    /// A commit.
    Commit {
        /// The commit.
        sha: String,
    },
}

/// An environment of an app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The app.
    pub app: AppName,
    /// The environment.
    pub environment: EnvironmentName,
}

/// A command: the line as it was written, and what it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The line, bounded and printable.
    pub line: String,
    /// What it asks for.
    pub ask: Ask,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    /// Deploy a commit.
    Deploy {
        /// Where.
        place: Place,
        /// A branch, tag or commit; what the comment stands at when absent.
        target: Option<String>,
        /// Why, in the person's words.
        reason: Option<String>,
    },
    /// Return to an earlier release.
    Rollback {
        /// Where.
        place: Place,
        /// To which.
        back: Back,
        /// Why, in the person's words.
        reason: Option<String>,
        /// Whether the environment is held afterwards. Default yes.
        hold: bool,
    },
    /// Hold an environment.
    Lock {
        /// Which.
        place: Place,
        /// Why, in the person's words.
        reason: Option<String>,
        /// For how many minutes; until it is unlocked when absent.
        minutes: Option<u32>,
    },
    /// End what holds an environment.
    Unlock {
        /// Which.
        place: Place,
        /// Whether also what somebody else set.
        force: bool,
    },
    /// Tell how environments stand.
    Status {
        /// Which.
        places: Vec<Place>,
    },
    /// Tell what can be asked.
    Help,
    /// It cannot be understood, and why.
    Mistake {
        /// Why.
        refusal: Refusal,
    },
}

/// Which release to return to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Back {
    /// The previous healthy one.
    Previous,
    /// So many healthy ones back; 1 is the previous one.
    Steps(u8),
    /// A release id, or the first digits of its commit.
    Named(ReleaseId),
}

/// Why a command is not carried out, for the person who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The word for it, for people who search and for programs.
    pub code: Code,
    /// Why, Markdown without mentions.
    pub why: String,
    /// The command or the deed that helps, Markdown.
    pub help: Option<String>,
}

/// The words for why a command was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The line cannot be understood.
    InvalidCommand,
    /// There is no such environment.
    InvalidEnvironment,
    /// `/deploy` without an environment where none goes without saying.
    NakedCommandDisabled,
    /// The person may not.
    PermissionDenied,
    /// The forge did not say whether the person may.
    PermissionUnavailable,
    /// The change comes from a fork.
    ForkDenied,
    /// The change is closed.
    ClosedPr,
    /// There is no such branch, tag, commit or release.
    StaleRef,
    /// Somebody else holds the environment.
    LockConflict,
    /// The environment is held by somebody else, and only its owner or a maintainer may end that.
    UnlockDenied,
    /// The same is already under way.
    Duplicate,
    /// There is nothing to do.
    NothingToDo,
    /// It could not be found out.
    InternalError,
}

impl Code {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::InvalidCommand => "invalid_command",
            Self::InvalidEnvironment => "invalid_environment",
            Self::NakedCommandDisabled => "naked_command_disabled",
            Self::PermissionDenied => "permission_denied",
            Self::PermissionUnavailable => "permission_unavailable",
            Self::ForkDenied => "fork_denied",
            Self::ClosedPr => "closed_pr",
            Self::StaleRef => "stale_ref",
            Self::LockConflict => "lock_conflict",
            Self::UnlockDenied => "unlock_denied",
            Self::Duplicate => "duplicate",
            Self::NothingToDo => "nothing_to_do",
            Self::InternalError => "internal_error",
        }
    }
}

impl Refusal {
    /// A refusal with what helps.
    pub fn new(code: Code, why: impl Into<String>, help: Option<String>) -> Self {
        Self {
            code,
            why: why.into(),
            help,
        }
    }
}

/// The commands in a comment, in order, with environments looked up among `known`.
pub fn read(text: &str, prefixes: &Prefixes, known: &[Place]) -> Vec<Asked> {
    let mut asked = Vec::new();
    for line in lines::candidates(text) {
        let Some(words) = word::read(&line, prefixes) else {
            continue;
        };
        let full = asked.len() == MOST_COMMANDS;
        let ask = if full {
            let why = format!(
                "A comment may hold {MOST_COMMANDS} commands; this one and what follows is not read."
            );
            Err(Refusal::new(Code::InvalidCommand, why, None))
        } else {
            words.and_then(|words| place::resolve(&words, known))
        };
        asked.push(Asked {
            line: printable(&line),
            ask: ask.unwrap_or_else(|refusal| Ask::Mistake { refusal }),
        });
        if full {
            break;
        }
    }
    asked
}

/// One printable line of at most 300 characters.
fn printable(text: &str) -> String {
    let shown = text.chars().filter(|c| !c.is_control());
    shown.take(300).collect::<String>().trim().to_owned()
}

/// Text of a person's as inline code, in which nothing is a mention, a link or markup.
fn code(text: &str) -> String {
    let plain: String = printable(text)
        .chars()
        .map(|c| if c == '`' { '\'' } else { c })
        .collect();
    format!("`{plain}`")
}
