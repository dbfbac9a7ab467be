//! Posts what stands in the outbox: one call at a time, in order per deployment, by the forge's own rules.

use std::collections::HashMap;
use std::time::Duration;

use cutover_deploy::CommitSha;
use cutover_deploy::config::ForgeKind;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{CommitState, Entry, EntryState, Report, context, is_production};
use crate::forge::github::api::{
    GitHub, NewCommitStatus, NewDeployment, NewDeploymentStatus, Payload,
};
use crate::forge::pause::{growing, later};
use crate::forge::trouble::{Trouble, Turn};
use crate::forge::{self, Forge, Forges};
use crate::store::{Deployment, Store, StoreError, Waiting};

mod gitlab;

/// After this long a report says nothing that anybody waits for.
const GIVEN_UP_AFTER: SignedDuration = SignedDuration::from_hours(72);
/// Failures of one report while others get through, after which it is given up: with the pauses between them at least
/// an hour.
const MOST_FAILURES: u32 = 20;
/// Looks into the outbox at least this often, whatever woke it.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// What is still waiting when the service stops gets this long.
const LAST_CALLS: Duration = Duration::from_secs(5);

/// Posts reports until it is stopped.
#[derive(Debug)]
pub struct Sender {
    store: Store,
    forges: Forges,
    github: Bearing,
    gitlab: Bearing,
}

/// How one forge takes what it is told: the bad day of one is none of the other's.
#[derive(Debug, Default)]
struct Bearing {
    /// It wants no call before this.
    quiet_until: Option<Timestamp>,
    stuck: Stuck,
}

/// Which reports fail while others get through: those are not the forge's bad day but their own.
#[derive(Debug, Default)]
struct Stuck {
    /// How many reports were posted.
    posted: u64,
    /// By ordinal: failures with others posted since the one before, and how many were posted then.
    failures: HashMap<i64, (u32, u64)>,
}

impl Stuck {
    fn posted(&mut self, ordinal: i64) {
        self.posted += 1;
        self.failures.remove(&ordinal);
    }

    /// Notes a failure and says whether the report was tried often enough.
    fn failed(&mut self, ordinal: i64) -> bool {
        let (times, posted) = self.failures.entry(ordinal).or_insert((0, self.posted));
        if *posted != self.posted {
            *posted = self.posted;
            *times += 1;
        }
        *times >= MOST_FAILURES
    }
}

/// What became of one report.
enum Settled {
    Sent,
    Skipped(&'static str),
}

/// Why a report was not posted.
enum Unsettled {
    Forge(Trouble),
    Ledger(StoreError),
}

impl From<Trouble> for Unsettled {
    fn from(trouble: Trouble) -> Self {
        Self::Forge(trouble)
    }
}

impl From<StoreError> for Unsettled {
    fn from(error: StoreError) -> Self {
        Self::Ledger(error)
    }
}

impl Sender {
    /// A sender for what `store` holds.
    pub fn new(store: Store, forges: Forges) -> Self {
        Self {
            store,
            forges,
            github: Bearing::default(),
            gitlab: Bearing::default(),
        }
    }

    /// Posts until `stop`, then what is due for a few seconds more. What is left stays in the outbox.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut changes = self.store.changes();
        while !stop.is_cancelled() {
            let pause = self.post_due().await;
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
                // Falling behind is as good a reason to look as any change.
                change = changes.recv() => if matches!(change, Err(RecvError::Closed)) { break },
            }
        }
        if tokio::time::timeout(LAST_CALLS, self.post_due())
            .await
            .is_err()
        {
            info!("reports are left for the next start");
        }
    }

    /// Posts all that is due and says how long nothing more will be.
    pub async fn post_due(&mut self) -> Duration {
        loop {
            let now = cutover_deploy::now();
            match self.store.due(now).await {
                Ok(due) if due.iter().all(|waiting| self.is_quiet(waiting, now)) => break,
                Ok(due) => {
                    for waiting in due {
                        if self.is_quiet(&waiting, now) {
                            continue;
                        }
                        if let Err(error) = self.post(&waiting).await {
                            warn!(
                                error = chain(&error),
                                "a report cannot be noted in the ledger"
                            );
                            return LOOK_AGAIN;
                        }
                    }
                }
                Err(error) => {
                    warn!(error = chain(&error), "the outbox cannot be read");
                    return LOOK_AGAIN;
                }
            }
        }
        let now = cutover_deploy::now();
        match self.store.next_due().await {
            // What is due and was not posted waits for a forge that wants to be left alone.
            Ok(Some(at)) => {
                let quiet = [&self.github, &self.gitlab].map(|bearing| bearing.quiet_until);
                let quiet = quiet.into_iter().flatten().filter(|until| *until > now);
                let at = quiet.min().filter(|_| at <= now).unwrap_or(at);
                pause_until(at, now).min(LOOK_AGAIN)
            }
            _ => LOOK_AGAIN,
        }
    }

    fn is_quiet(&self, waiting: &Waiting, now: Timestamp) -> bool {
        let bearing = match self.forges.kind(&waiting.deployment.app) {
            Some(ForgeKind::GitLab) => &self.gitlab,
            _ => &self.github,
        };
        bearing.quiet_until.is_some_and(|until| until > now)
    }

    fn bearing(&mut self, waiting: &Waiting) -> &mut Bearing {
        match self.forges.kind(&waiting.deployment.app) {
            Some(ForgeKind::GitLab) => &mut self.gitlab,
            _ => &mut self.github,
        }
    }

    async fn post(&mut self, waiting: &Waiting) -> Result<(), StoreError> {
        let now = cutover_deploy::now();
        let next = later(now, growing(waiting.attempts));
        self.store.attempt(waiting.ordinal, next).await?;
        let id = &waiting.deployment.id;
        let home = self.forges.kind(&waiting.deployment.app);
        let home = home.map_or("no forge", forge::word);
        match self.call(waiting).await {
            Ok(Settled::Sent) => {
                self.bearing(waiting).stuck.posted(waiting.ordinal);
                self.store.settle(waiting, "sent", None, now).await
            }
            Ok(Settled::Skipped(why)) => {
                self.store.settle(waiting, "skipped", Some(why), now).await
            }
            Err(Unsettled::Ledger(error)) => Err(error),
            Err(Unsettled::Forge(trouble)) => {
                let old =
                    now.duration_since(waiting.deployment.request.requested_at) > GIVEN_UP_AFTER;
                let stuck = &mut self.bearing(waiting).stuck;
                let stuck = trouble.turn == Turn::Again && stuck.failed(waiting.ordinal);
                if trouble.turn == Turn::Never || old || stuck {
                    let failures = &mut self.bearing(waiting).stuck.failures;
                    failures.remove(&waiting.ordinal);
                    warn!(deployment.id = %id, report = ?waiting.report, error = %trouble, "a report to {home} is given up");
                    return self
                        .store
                        .settle(waiting, "given_up", Some(&trouble.message), now)
                        .await;
                }
                let next = match trouble.turn {
                    Turn::Pause(pause) => {
                        let until = later(now, pause);
                        self.bearing(waiting).quiet_until = Some(until);
                        until
                    }
                    _ => next,
                };
                warn!(deployment.id = %id, error = %trouble, next_at = %next, "a report to {home} has to wait");
                self.store
                    .postpone(waiting.ordinal, next, &trouble.message)
                    .await
            }
        }
    }

    async fn call(&self, waiting: &Waiting) -> Result<Settled, Unsettled> {
        let deployment = &waiting.deployment;
        let tried = waiting.attempts > 0;
        if tried && waiting.outdated {
            return Ok(Settled::Skipped("a later one says more"));
        }
        let github = match self.forges.of(&deployment.app)? {
            Forge::GitHub(github) => github,
            Forge::GitLab(gitlab) => {
                let line = gitlab::Line {
                    store: &self.store,
                    gitlab: &gitlab,
                };
                return line.tell(waiting).await;
            }
        };
        let github = &github;
        match &waiting.report {
            Report::CommitStatus {
                commit,
                state,
                description,
            } => {
                self.mark_commit(github, deployment, commit, *state, description)
                    .await
            }
            Report::Enter {
                entry,
                commit,
                description,
            } => {
                let new = NewDeployment {
                    commit,
                    task: "deploy",
                    auto_merge: false,
                    required_contexts: [],
                    payload: Payload {
                        cutover_deployment: &deployment.id,
                        entry: entry.word(),
                    },
                    environment: deployment.environment.as_str(),
                    description,
                    transient_environment: false,
                    production_environment: is_production(deployment),
                };
                self.enter(github, deployment, *entry, &new, tried).await
            }
            Report::EntryStatus {
                entry,
                state,
                description,
            } => {
                self.mark(github, waiting, *entry, *state, description)
                    .await
            }
            Report::RetireOlder { entry } => self.retire_older(github, deployment, *entry).await,
        }
    }

    async fn mark_commit(
        &self,
        github: &GitHub,
        deployment: &Deployment,
        commit: &CommitSha,
        state: CommitState,
        description: &str,
    ) -> Result<Settled, Unsettled> {
        let status = NewCommitStatus {
            state: state.word(),
            target_url: deployment.request.run_url.as_deref(),
            description,
            context: &context(deployment),
        };
        github
            .mark_commit(&deployment.repository, commit, &status)
            .await?;
        Ok(Settled::Sent)
    }

    /// Enters a deployment once: after a lost answer it is looked for before it is made again.
    async fn enter(
        &self,
        github: &GitHub,
        deployment: &Deployment,
        entry: Entry,
        new: &NewDeployment<'_>,
        tried: bool,
    ) -> Result<Settled, Unsettled> {
        let found = if tried {
            github.find_entry(&deployment.repository, new).await?
        } else {
            None
        };
        let number = match found {
            Some(number) => number,
            None => github.enter(&deployment.repository, new).await?,
        };
        self.store.entered(deployment, entry, number).await?;
        Ok(Settled::Sent)
    }

    async fn mark(
        &self,
        github: &GitHub,
        waiting: &Waiting,
        entry: Entry,
        state: EntryState,
        description: &str,
    ) -> Result<Settled, Unsettled> {
        let deployment = &waiting.deployment;
        let tried = waiting.attempts > 0;
        let Some(number) = self.store.entry_number(&deployment.id, entry).await? else {
            return Ok(Settled::Skipped("the forge has no such entry"));
        };
        let status = NewDeploymentStatus {
            state: state.word(),
            description,
            log_url: deployment.request.run_url.as_deref(),
            environment_url: deployment.environment_url.as_deref(),
            auto_inactive: true,
        };
        let repository = &deployment.repository;
        if !(tried && github.entry_is_marked(repository, number, &status).await?) {
            github.mark_entry(repository, number, &status).await?;
        }
        self.store.entry_told(deployment, number, state).await?;
        Ok(Settled::Sent)
    }

    /// GitHub never sets older production deployments inactive by itself.
    async fn retire_older(
        &self,
        github: &GitHub,
        deployment: &Deployment,
        entry: Entry,
    ) -> Result<Settled, Unsettled> {
        let Some(number) = self.store.entry_number(&deployment.id, entry).await? else {
            return Ok(Settled::Skipped("the forge has no such entry"));
        };
        for older in self.store.live_entries(deployment, number).await? {
            let status = NewDeploymentStatus {
                state: EntryState::Inactive.word(),
                description: "no longer live",
                log_url: None,
                environment_url: None,
                auto_inactive: false,
            };
            match github
                .mark_entry(&deployment.repository, older, &status)
                .await
            {
                // One that is gone at the forge is as inactive as can be.
                Err(trouble) if trouble.turn != Turn::Never => return Err(trouble.into()),
                _ => {
                    self.store
                        .entry_told(deployment, older, EntryState::Inactive)
                        .await?;
                }
            }
        }
        Ok(Settled::Sent)
    }
}

fn pause_until(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now))
        .unwrap_or_default()
        .max(Duration::from_millis(10))
}

fn chain(error: &StoreError) -> String {
    std::iter::successors(Some(error as &dyn std::error::Error), |error| {
        error.source()
    })
    .map(ToString::to_string)
    .collect::<Vec<_>>()
    .join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_stuck_only_when_others_get_through() {
        let mut stuck = Stuck::default();
        assert!(!(0..100).any(|_| stuck.failed(1)), "the forge is down");
        for _ in 1..MOST_FAILURES {
            stuck.posted(2);
            assert!(!stuck.failed(1));
        }
        assert!(!stuck.failed(1), "nothing got through since");
        stuck.posted(2);
        assert!(stuck.failed(1));
        stuck.posted(1);
        assert!(!stuck.failed(1), "it starts anew");
    }

    #[test]
    fn pauses_grow_to_five_minutes() {
        let seconds: Vec<_> = [0, 1, 2, 5, 8, 9, 60, i64::MAX]
            .map(|n| growing(n).as_secs())
            .into();
        assert_eq!(seconds, [1, 2, 4, 32, 256, 300, 300, 300]);
    }
}
