//! What commands need of a forge: who may, what is meant, and where to answer. A forge implements [`Desk`].

use cutover_deploy::CommitSha;
use cutover_deploy::config::ForgeKind;
use jiff::Timestamp;

use super::Thread;
use crate::forge::trouble::Trouble;

/// A forge, as far as commands need it. Every call may fail, and nothing here tries again.
pub trait Desk: Send + Sync + 'static {
    /// Which forge.
    const FORGE: ForgeKind;

    /// What a person may do in a repository at this moment; never from a cache.
    fn role(
        &self,
        repository: &str,
        person: Person<'_>,
    ) -> impl Future<Output = Result<Role, Trouble>> + Send;

    /// The commit that a branch, a tag or the first digits of a commit mean; none where there is no such thing.
    fn commit(
        &self,
        repository: &str,
        name: &str,
    ) -> impl Future<Output = Result<Option<CommitSha>, Trouble>> + Send;

    /// A change as it is at this moment.
    fn change(
        &self,
        repository: &str,
        number: u64,
    ) -> impl Future<Output = Result<Option<Change>, Trouble>> + Send;

    /// Puts a reaction on a comment; the same one twice is one.
    fn react(
        &self,
        at: At<'_>,
        reaction: Reaction,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Answers a comment and returns the number of the answer.
    fn answer(&self, at: At<'_>, body: &str) -> impl Future<Output = Result<u64, Trouble>> + Send;

    /// Writes an answer anew.
    fn amend(
        &self,
        at: At<'_>,
        number: u64,
        body: &str,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// The answer that holds `mark`, where one was made since `since`.
    fn find_answer(
        &self,
        at: At<'_>,
        since: Timestamp,
        mark: &str,
    ) -> impl Future<Output = Result<Option<u64>, Trouble>> + Send;
}

/// A person at their forge.
#[derive(Debug, Clone, Copy)]
pub struct Person<'a> {
    /// What they are called now.
    pub login: &'a str,
    /// What the forge calls them for ever, where it said so.
    pub id: Option<u64>,
}

/// A comment at its forge.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    /// The repository, `owner/name`.
    pub repository: &'a str,
    /// Where the comment stands.
    pub thread: &'a Thread,
    /// The comment's number.
    pub comment: u64,
}

/// What a person may do in a repository, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Nothing.
    None,
    /// Read.
    Read,
    /// Read, and sort what comes in.
    Triage,
    /// Write.
    Write,
    /// Write, and run the repository.
    Maintain,
    /// Everything.
    Admin,
}

/// A change: a pull request, a merge request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its newest commit.
    pub head: CommitSha,
    /// Whether its commits come from another repository.
    pub fork: bool,
    /// Whether it is open.
    pub open: bool,
}

/// What is shown on a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    /// It was seen.
    Seen,
    /// It was done.
    Done,
    /// It was refused, or failed.
    Failed,
}

impl Reaction {
    /// The word for it in tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}
