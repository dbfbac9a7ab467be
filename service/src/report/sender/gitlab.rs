//! What GitLab is told: commit statuses that move, and deployments from the moment they begin.
//!
//! GitLab lists no waiting deployments, keeps no words with a deployment, and retires older ones itself.

use cutover_deploy::CommitSha;

use super::{Settled, Unsettled};
use crate::forge::gitlab::api::{GitLab, NewCommitStatus, NewDeployment, State};
use crate::report::{CommitState, Entry, EntryState, Report, context};
use crate::store::{Deployment, Store, Waiting};

/// The line to one GitLab, for one report.
pub(super) struct Line<'a> {
    pub(super) store: &'a Store,
    pub(super) gitlab: &'a GitLab,
}

impl Line<'_> {
    pub(super) async fn tell(&self, waiting: &Waiting) -> Result<Settled, Unsettled> {
        let deployment = &waiting.deployment;
        match &waiting.report {
            Report::CommitStatus {
                commit,
                state,
                description,
            } => {
                let status = NewCommitStatus {
                    state: commit_state(*state),
                    branch: deployment.branch.as_deref(),
                    name: &context(deployment),
                    target_url: deployment.request.run_url.as_deref(),
                    description,
                };
                let project = &deployment.repository;
                self.gitlab.mark_commit(project, commit, &status).await?;
                Ok(Settled::Sent)
            }
            Report::Enter {
                entry: Entry::Own, ..
            } => Ok(Settled::Skipped("GitLab hears of it when it begins")),
            Report::Enter { entry, commit, .. } => {
                self.enter(waiting, *entry, commit, State::Running).await
            }
            Report::EntryStatus { entry, state, .. } => self.mark(waiting, *entry, *state).await,
            Report::RetireOlder { .. } => Ok(Settled::Skipped("GitLab does so itself")),
        }
    }

    /// Enters a deployment once: after a lost answer it is looked for before it is made again.
    async fn enter(
        &self,
        waiting: &Waiting,
        entry: Entry,
        commit: &CommitSha,
        state: State,
    ) -> Result<Settled, Unsettled> {
        let deployment = &waiting.deployment;
        let project = &deployment.repository;
        let environment = deployment.environment.as_str();
        if let Some(url) = &deployment.environment_url {
            self.gitlab.place(project, environment, url).await?;
        }
        let new = NewDeployment {
            environment,
            sha: commit,
            name: deployment.branch.as_deref().unwrap_or(commit.as_str()),
            tag: false,
            status: state,
        };
        let found = if waiting.attempts > 0 {
            self.find(deployment, &new).await?
        } else {
            None
        };
        let number = match found {
            Some(number) => number,
            None => self.gitlab.enter(project, &new).await?,
        };
        self.store.entered(deployment, entry, number).await?;
        Ok(Settled::Sent)
    }

    /// A deployment like this one that nobody here knows: GitLab keeps no word of ours with it.
    async fn find(
        &self,
        deployment: &Deployment,
        new: &NewDeployment<'_>,
    ) -> Result<Option<u64>, Unsettled> {
        for number in self.gitlab.alike(&deployment.repository, new).await? {
            if !self.store.knows_entry(deployment, number).await? {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }

    async fn mark(
        &self,
        waiting: &Waiting,
        entry: Entry,
        state: EntryState,
    ) -> Result<Settled, Unsettled> {
        let deployment = &waiting.deployment;
        let known = self.store.entry_number(&deployment.id, entry).await?;
        let number = match (known, state) {
            (_, EntryState::Queued) => return Ok(Settled::Skipped("GitLab lists none that wait")),
            (None, EntryState::Inactive) => return Ok(Settled::Skipped("it never began")),
            (Some(_), EntryState::InProgress) => {
                return Ok(Settled::Skipped("it runs there already"));
            }
            (Some(number), _) => {
                let project = &deployment.repository;
                self.gitlab.mark(project, number, of_entry(state)).await?;
                number
            }
            (None, _) => {
                let Some(commit) = deployment.commit().filter(|_| entry == Entry::Own) else {
                    return Ok(Settled::Skipped("the forge has no such entry"));
                };
                self.enter(waiting, entry, commit, of_entry(state)).await?;
                let entered = self.store.entry_number(&deployment.id, entry).await?;
                let Some(number) = entered else {
                    return Ok(Settled::Skipped("the forge has no such entry"));
                };
                number
            }
        };
        self.store.entry_told(deployment, number, state).await?;
        Ok(Settled::Sent)
    }
}

fn commit_state(state: CommitState) -> State {
    match state {
        CommitState::Pending => State::Pending,
        CommitState::Running => State::Running,
        CommitState::Success => State::Success,
        CommitState::Failure | CommitState::Error => State::Failed,
        CommitState::Cancelled => State::Canceled,
    }
}

fn of_entry(state: EntryState) -> State {
    match state {
        EntryState::Queued | EntryState::InProgress => State::Running,
        EntryState::Success => State::Success,
        EntryState::Failure | EntryState::Error => State::Failed,
        EntryState::Inactive => State::Canceled,
    }
}
