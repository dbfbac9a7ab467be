//! What a forge is told: pure, from a deployment and what became of it, to reports in order.
//!
//! Reports are written to the outbox in the transaction that makes them true; [`sender`] posts them later, so that a
//! forge that is down never delays or fails a deployment.

use cutover_deploy::{CommitSha, Outcome, ReleaseId};
use serde::{Deserialize, Serialize};

use crate::store::{Deployment, PutBack};

pub mod sender;

#[cfg(test)]
mod tests;

/// What forges allow for a description.
const LONGEST_DESCRIPTION: usize = 140;
/// GitHub's own rule for what counts as production.
const PRODUCTION: &str = "production";

/// One thing that a forge is told: one request, or a few of the same kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "snake_case")]
pub enum Report {
    /// The mark on a commit.
    CommitStatus {
        /// Which commit.
        commit: CommitSha,
        /// Its state.
        state: CommitState,
        /// In words, at most 140 characters.
        description: String,
    },
    /// A deployment is entered at the forge.
    Enter {
        /// Which of the entries that one deployment can have.
        entry: Entry,
        /// What is deployed.
        commit: CommitSha,
        /// In words, at most 140 characters.
        description: String,
    },
    /// The state of an entry.
    EntryStatus {
        /// Which entry.
        entry: Entry,
        /// Its state.
        state: EntryState,
        /// In words, at most 140 characters.
        description: String,
    },
    /// Entries of earlier deployments of this environment that were live are set inactive.
    RetireOlder {
        /// The entry that took their place.
        entry: Entry,
    },
}

/// The entries that one deployment can have at a forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// What was asked for.
    Own,
    /// The earlier release that is live again.
    Restored,
}

/// The state of a commit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommitState {
    /// Waiting.
    Pending,
    /// Running.
    Running,
    /// Live and healthy.
    Success,
    /// Tried and failed.
    Failure,
    /// Refused.
    Error,
    /// Called off.
    Cancelled,
}

/// The state of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryState {
    /// Waiting.
    Queued,
    /// Running.
    InProgress,
    /// Live and healthy.
    Success,
    /// Tried and failed.
    Failure,
    /// Not tried to its end.
    Error,
    /// No longer live, or never begun.
    Inactive,
}

impl Report {
    /// Whether `earlier` need not be told any more once this is.
    pub fn replaces(&self, earlier: &Self) -> bool {
        match (self, earlier) {
            (Self::CommitStatus { commit, .. }, Self::CommitStatus { commit: before, .. }) => {
                commit == before
            }
            (Self::EntryStatus { entry, .. }, Self::EntryStatus { entry: before, .. }) => {
                entry == before
            }
            _ => false,
        }
    }
}

impl Entry {
    /// The word for it in tables and payloads.
    pub fn word(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Restored => "restored",
        }
    }
}

impl EntryState {
    /// The word for it at GitHub and in tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::InProgress => "in_progress",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Error => "error",
            Self::Inactive => "inactive",
        }
    }
}

impl CommitState {
    /// The word for it at GitHub.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending | Self::Running => "pending",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Error | Self::Cancelled => "error",
        }
    }
}

/// The context of commit statuses of an environment.
pub fn context(deployment: &Deployment) -> String {
    format!("cutover/{}", deployment.environment)
}

/// Whether a forge should treat the environment as production.
pub fn is_production(deployment: &Deployment) -> bool {
    deployment.environment.as_str() == PRODUCTION
}

/// A deployment was queued, and waits when its environment is held: `held` names by whom. One mark says both, because
/// GitLab never changes what one says that still waits.
pub fn queued(deployment: &Deployment, held: Option<&str>) -> Vec<Report> {
    let Some(commit) = deployment.commit() else {
        return Vec::new();
    };
    let description = held.map_or_else(
        || "queued".to_owned(),
        |why| clip(&format!("waits, {} is {why}", deployment.environment)),
    );
    vec![
        Report::CommitStatus {
            commit: commit.clone(),
            state: CommitState::Pending,
            description: description.clone(),
        },
        Report::Enter {
            entry: Entry::Own,
            commit: commit.clone(),
            description: clip(&deployment.request.actor),
        },
        Report::EntryStatus {
            entry: Entry::Own,
            state: EntryState::Queued,
            description,
        },
    ]
}

/// A deployment began.
pub fn began(deployment: &Deployment) -> Vec<Report> {
    let description = format!("deploying to {}", deployment.environment);
    own(
        deployment,
        CommitState::Running,
        EntryState::InProgress,
        &description,
    )
}

/// A deployment was put back into the queue.
pub fn put_back(deployment: &Deployment, why: &PutBack) -> Vec<Report> {
    let description = match why {
        PutBack::Stop => "queued again: the service is restarting".to_owned(),
        PutBack::Held(failure) => format!("waiting: {}", failure.line()),
    };
    own(
        deployment,
        CommitState::Pending,
        EntryState::Queued,
        &description,
    )
}

/// A newer deployment took the place of a waiting one.
pub fn superseded(deployment: &Deployment, winner: &Deployment) -> Vec<Report> {
    let by = winner.commit().map_or_else(
        || "a rollback".to_owned(),
        |commit| commit.short().to_owned(),
    );
    let description = format!("superseded by {by} before it began");
    own(
        deployment,
        CommitState::Cancelled,
        EntryState::Inactive,
        &description,
    )
}

/// A deployment ended. `live_commit` is the commit that is live now, where the outcome names a release and its commit
/// is known; `rang` names the alarms that rang while it was watched.
pub fn ended(
    deployment: &Deployment,
    outcome: &Outcome,
    live_commit: Option<&CommitSha>,
    rang: &[String],
) -> Vec<Report> {
    let (commit_state, entry_state, mut description) = told(deployment, outcome);
    // Of one that was taken back the failure says which.
    if matches!(outcome, Outcome::Deployed { .. }) && !rang.is_empty() {
        description = format!("{description}, but it rang: {}", rang.join(", "));
    }
    let mut reports = own(deployment, commit_state, entry_state, &description);
    let restored = match outcome {
        Outcome::RolledBack {
            restored, failed, ..
        } => Some((restored, format!("restored after {failed} failed"))),
        Outcome::Deployed { release, .. } | Outcome::Unchanged { release }
            if deployment.commit().is_none() =>
        {
            Some((release, format!("rollback by {}", deployment.request.actor)))
        }
        _ => None,
    };
    if let (Some((release, why)), Some(commit)) = (restored, live_commit) {
        reports.extend(enter_restored(release, commit, &why));
    }
    let entry = match outcome {
        Outcome::RolledBack { .. } => Some(Entry::Restored),
        Outcome::Deployed { .. } | Outcome::Unchanged { .. } if deployment.commit().is_none() => {
            Some(Entry::Restored)
        }
        Outcome::Deployed { .. } | Outcome::Unchanged { .. } => Some(Entry::Own),
        _ => None,
    };
    if let Some(entry) = entry
        && is_production(deployment)
    {
        reports.push(Report::RetireOlder { entry });
    }
    reports
}

fn told(deployment: &Deployment, outcome: &Outcome) -> (CommitState, EntryState, String) {
    let (commit, entry) = match outcome {
        Outcome::Deployed { .. } | Outcome::Unchanged { .. } => {
            (CommitState::Success, EntryState::Success)
        }
        Outcome::RolledBack { .. } | Outcome::Failed { .. } => {
            (CommitState::Failure, EntryState::Failure)
        }
        Outcome::Refused { .. } => (CommitState::Error, EntryState::Error),
        Outcome::Cancelled | Outcome::Superseded => (CommitState::Cancelled, EntryState::Inactive),
    };
    (commit, entry, in_words(deployment, outcome))
}

fn in_words(deployment: &Deployment, outcome: &Outcome) -> String {
    let environment = &deployment.environment;
    match outcome {
        Outcome::Deployed { release, .. } => format!("{release} is live on {environment}"),
        Outcome::Unchanged { release } => format!("{release} was live on {environment} already"),
        Outcome::RolledBack {
            restored, failure, ..
        } => {
            format!("rolled back, {restored} is live again: {}", failure.line())
        }
        Outcome::Failed { failure, left } if left.is_empty() => {
            format!("failed, nothing live was changed: {}", failure.line())
        }
        Outcome::Failed { failure, left } => {
            let hosts: Vec<_> = left.iter().map(|left| left.host.as_str()).collect();
            let line = failure.line();
            format!("failed and NOT restored on {}: {line}", hosts.join(", "))
        }
        Outcome::Refused { failure, .. } => format!("refused: {}", failure.line()),
        Outcome::Cancelled => "cancelled: what was live still is".to_owned(),
        Outcome::Superseded => "superseded before it began".to_owned(),
    }
}

fn own(
    deployment: &Deployment,
    commit: CommitState,
    entry: EntryState,
    description: &str,
) -> Vec<Report> {
    let Some(sha) = deployment.commit() else {
        return Vec::new();
    };
    vec![
        Report::CommitStatus {
            commit: sha.clone(),
            state: commit,
            description: clip(description),
        },
        Report::EntryStatus {
            entry: Entry::Own,
            state: entry,
            description: clip(description),
        },
    ]
}

fn enter_restored(release: &ReleaseId, commit: &CommitSha, why: &str) -> [Report; 2] {
    [
        Report::Enter {
            entry: Entry::Restored,
            commit: commit.clone(),
            description: clip(why),
        },
        Report::EntryStatus {
            entry: Entry::Restored,
            state: EntryState::Success,
            description: clip(&format!("{release} is live again")),
        },
    ]
}

/// One printable line of at most 140 characters.
fn clip(text: &str) -> String {
    let line = anstream::adapter::strip_str(text).to_string();
    let line: String = line
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if line.chars().count() <= LONGEST_DESCRIPTION {
        return line;
    }
    let mut cut: String = line.chars().take(LONGEST_DESCRIPTION - 1).collect();
    cut.push('…');
    cut
}
