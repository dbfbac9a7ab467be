//! The steps at the end: records say how releases stand, and old ones go.

use super::{Script, Site, Step};
use crate::facts::ReleaseState;
use crate::names::ReleaseId;
use crate::plan::retain;

impl Site<'_> {
    pub(super) fn keep(&self) -> Vec<Step> {
        let healthy = ReleaseState::Healthy;
        let mut steps = vec![self.mark("mark healthy", self.release, healthy, "healthy")];
        let (removed, gone) = (self.removed(), self.failed_too_many());
        let overtaken = self.overtaken();
        let overtaken = overtaken.filter(|id| !removed.contains(id) && !gone.contains(id));
        steps.extend(overtaken.map(|id| {
            let name = format!("mark overtaken {id}");
            self.mark_if_possible(&name, id, ReleaseState::Failed, "overtaken")
        }));
        steps.extend(self.older());
        steps.push(self.prune(&removed));
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

    /// Releases that somebody began who never came to an end. Now that another one is live and healthy, no record may say
    /// that they still come to something.
    fn overtaken(&self) -> impl Iterator<Item = &ReleaseId> {
        let records = self.facts.releases.iter();
        records
            .filter(|(id, record)| {
                let state = record.as_ref().map(|record| record.state);
                let unfinished = matches!(
                    state,
                    Some(ReleaseState::Staging | ReleaseState::Ready | ReleaseState::Live)
                );
                unfinished && *id != self.release
            })
            .map(|(id, _)| id)
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
