//! What pages and JSON show of the ledger: one shape for both.

use cutover_deploy::{CommitSha, DeploymentId, Outcome, ReleaseId};
use jiff::Timestamp;
use serde::Serialize;

use crate::lookout::Seen;
use crate::store::{Deployment, Hold, KeptEvent, Live, Posted, State};

/// An environment and what goes on there.
#[derive(Debug, Serialize)]
pub(super) struct EnvironmentView {
    pub(super) app: String,
    pub(super) environment: String,
    pub(super) branch: Option<String>,
    pub(super) url: Option<String>,
    /// As the hosts said last, where they agree; else by the ledger.
    pub(super) live: Option<LiveView>,
    /// What the hosts said last; absent until they were asked, which begins with this question.
    pub(super) seen: Option<Seen>,
    /// What keeps pushes waiting.
    pub(super) holds: Vec<Hold>,
    /// The comment that ends it, as this forge takes it.
    pub(super) unlock: String,
    /// The comment that deploys the branch, or `main`.
    pub(super) deploy: String,
    pub(super) running: Option<DeploymentView>,
    pub(super) waiting: Vec<DeploymentView>,
    pub(super) ended: Vec<DeploymentView>,
}

/// What is live, and since which deployment.
#[derive(Debug, Serialize)]
pub(super) struct LiveView {
    #[serde(flatten)]
    pub(super) live: Live,
    /// The first line of the commit's message, where known.
    pub(super) subject: Option<String>,
    /// Absent where something else than this service deployed it.
    pub(super) deployment: Option<DeploymentId>,
    /// Who asked for that.
    pub(super) actor: String,
    pub(super) since: Option<Timestamp>,
}

/// A deployment in one line.
#[derive(Debug, Clone, Serialize)]
pub(super) struct DeploymentView {
    pub(super) id: DeploymentId,
    pub(super) app: String,
    pub(super) environment: String,
    pub(super) kind: &'static str,
    pub(super) commit: Option<CommitSha>,
    /// The first line of the commit's message, once it was fetched.
    pub(super) subject: Option<String>,
    pub(super) release: Option<ReleaseId>,
    pub(super) actor: String,
    pub(super) state: State,
    /// The state, or the outcome's word once there is one.
    pub(super) word: &'static str,
    #[serde(flatten)]
    pub(super) outcome: Option<Outcome>,
    pub(super) superseded_by: Option<DeploymentId>,
    pub(super) requested_at: Timestamp,
    pub(super) started_at: Option<Timestamp>,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) took_ms: Option<i64>,
}

/// A deployment with all that happened.
#[derive(Debug, Serialize)]
pub(super) struct WholeView {
    #[serde(flatten)]
    pub(super) deployment: DeploymentView,
    pub(super) reports: Vec<Posted>,
    pub(super) events: Vec<KeptEvent>,
}

impl EnvironmentView {
    /// How it stands, in a word; what a person must know first comes first.
    pub(super) fn word(&self) -> &'static str {
        if self.running.is_some() {
            return "deploying";
        }
        if !self.holds.is_empty() {
            return "held";
        }
        if !self.waiting.is_empty() {
            return "waiting";
        }
        let tried = |ended: &&DeploymentView| !matches!(ended.word, "superseded" | "cancelled");
        match self.ended.iter().find(tried).map(|last| last.word) {
            Some(word @ ("failed" | "refused" | "rolled_back")) => word,
            _ if self.live.is_some() => "live",
            _ => "nothing_live",
        }
    }

    /// Everything in it that has a commit, with the place for what that is about.
    pub(super) fn commits(&mut self) -> impl Iterator<Item = (&CommitSha, &mut Option<String>)> {
        let live = self.live.iter_mut();
        let live = live.filter_map(|live| Some((live.live.commit.as_ref()?, &mut live.subject)));
        let rows = self.running.iter_mut().chain(&mut self.waiting);
        let rows = rows.chain(&mut self.ended);
        live.chain(rows.filter_map(DeploymentView::described))
    }

    /// Whether its page is another one soon.
    pub(super) fn is_busy(&self) -> bool {
        self.running.is_some() || !self.waiting.is_empty()
    }
}

impl DeploymentView {
    /// Its commit, with the place for what that is about.
    pub(super) fn described(&mut self) -> Option<(&CommitSha, &mut Option<String>)> {
        Some((self.commit.as_ref()?, &mut self.subject))
    }
}

impl LiveView {
    /// What a deployment left live, where it knows.
    pub(super) fn of(deployment: Deployment) -> Option<Self> {
        Some(Self {
            live: deployment.live?,
            subject: None,
            deployment: Some(deployment.id),
            actor: deployment.request.actor,
            since: deployment.ended_at,
        })
    }

    /// What is live: as the hosts say, unless the ledger says the same or has heard something since.
    pub(super) fn truth(ledger: Option<Self>, seen: Option<&Seen>) -> Option<Self> {
        let since = ledger.as_ref().and_then(|ledger| ledger.since);
        let newer = |seen: &&Seen| since.is_none_or(|since| seen.at > since);
        let Some(live) = seen.filter(newer).and_then(Seen::live) else {
            return ledger;
        };
        if ledger
            .as_ref()
            .is_some_and(|ledger| ledger.live.release == live.release)
        {
            return ledger;
        }
        Some(Self {
            live: Live {
                release: live.release.clone(),
                commit: live.commit.clone(),
            },
            subject: None,
            deployment: None,
            actor: live.actor.clone().unwrap_or_else(|| "somebody".to_owned()),
            since: live.since,
        })
    }
}

impl From<&Deployment> for DeploymentView {
    fn from(deployment: &Deployment) -> Self {
        let word = deployment
            .outcome
            .as_ref()
            .map_or(deployment.state.word(), Outcome::word);
        let took = deployment.ended_at.zip(deployment.started_at);
        Self {
            id: deployment.id.clone(),
            app: deployment.app.to_string(),
            environment: deployment.environment.to_string(),
            kind: deployment.request.kind.word(),
            commit: deployment.commit().cloned(),
            subject: None,
            release: deployment.release.clone(),
            actor: deployment.request.actor.clone(),
            state: deployment.state,
            word,
            outcome: deployment.outcome.clone(),
            superseded_by: deployment.superseded_by.clone(),
            requested_at: deployment.request.requested_at,
            started_at: deployment.started_at,
            ended_at: deployment.ended_at,
            took_ms: took.map(|(end, start)| end.as_millisecond() - start.as_millisecond()),
        }
    }
}
