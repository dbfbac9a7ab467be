//! The steps at the end: records say how releases stand, and old ones go.

use super::{Script, Site, Step};
use crate::facts::ReleaseState;
use crate::names::ReleaseId;
use crate::plan::retain;

impl Site<'_> {
    pub(super) fn keep(&self) -> Vec<Step> {
        let healthy = ReleaseState::Healthy;
        let mut steps = vec![self.mark("mark healthy", self.release, healthy, "healthy")];
        steps.extend(self.mark_overtaken());
        steps.extend(self.older());
        steps.push(self.prune(&self.removed()));
        steps.extend(self.migrate_back_left());
        steps
    }

    /// The releases that are removed in the end.
    pub(super) fn removed(&self) -> Vec<ReleaseId> {
        let environment = self.wish.environment;
        let remove = retain::to_remove(
            &self.facts.releases,
            self.release,
            self.previous.as_ref(),
            environment.keep_releases,
            environment.keep_failed,
        );
        let gone = self.failed_too_many();
        remove.into_iter().filter(|id| !gone.contains(id)).collect()
    }

    /// Releases that somebody began who never came to an end. Now that another one is live and healthy, or what they began
    /// is taken back, no record may say that they still come to something.
    pub(super) fn mark_overtaken(&self) -> impl Iterator<Item = Step> {
        let gone = self.failed_too_many();
        let others = self.facts.releases.keys();
        let overtaken = others
            .filter(move |id| *id != self.release && self.is_unfinished(id) && !gone.contains(id));
        overtaken.map(|id| {
            let name = format!("mark overtaken {id}");
            self.mark_if_possible(&name, id, ReleaseState::Failed, "overtaken")
        })
    }

    /// Takes away what a deployment brought and did not make live.
    pub(super) fn abandon(&self, incoming: &str) -> Vec<Step> {
        let args = vec![self.root(), self.release.to_string(), incoming.to_owned()];
        // Room is made first: a full disk may be why this is needed.
        vec![
            self.step("clean", Script::Clean, args),
            self.mark("mark failed", self.release, ReleaseState::Failed, "abandon"),
        ]
    }

    /// A release that an earlier try of this deployment made here, and that is live elsewhere and not here.
    pub(super) fn give_up(&self) -> Vec<Step> {
        let failed = ReleaseState::Failed;
        let mark = self.mark_if_possible("mark failed", self.release, failed, "abandon");
        let unfinished = self.is_unfinished(self.release);
        unfinished.then_some(mark).into_iter().collect()
    }

    fn is_unfinished(&self, id: &ReleaseId) -> bool {
        let record = self.facts.record(id);
        record
            .is_some_and(|record| record.state == ReleaseState::Staging || record.state.is_begun())
    }

    /// Failed releases beyond their quota. They go before a new one comes: where one failure follows another, nothing
    /// else would ever remove them.
    pub(super) fn failed_too_many(&self) -> Vec<ReleaseId> {
        if !self.fresh {
            return Vec::new();
        }
        let most = self.wish.environment.keep_failed;
        retain::failed_to_remove(&self.facts.releases, self.facts.live(), most)
    }

    pub(super) fn prune(&self, remove: &[ReleaseId]) -> Step {
        let list: Vec<&str> = remove.iter().map(ReleaseId::as_str).collect();
        self.step("prune", Script::Prune, vec![self.root(), list.join("\n")])
    }
}
