//! What was begun with workers and came to no swap, in this deployment or in one that was killed: workers of its release may
//! run, old ones may have been told to end or pause, and hosts may have left a load balancer.

use super::workers::Way;
use super::{Site, Step};
use crate::plan::goal;
use crate::script::Script;

impl Site<'_> {
    /// Takes back what an earlier try of the same deployment began, before the folder is replaced in which its workers run.
    pub(super) fn begun_before(&self) -> Vec<Step> {
        let record = self.facts.record(self.release);
        let own = record.is_some_and(|record| record.deployment == self.wish.request.deployment);
        if own && self.was_cut_off() {
            self.begun()
        } else {
            Vec::new()
        }
    }

    /// Takes back what was begun where nothing was swapped, now or before. Each is tried, whatever becomes of the others.
    pub(super) fn recall(&self) -> Vec<Step> {
        // What brought a release has its pauses ended when that is cleaned away.
        let pauses = !self.fresh && self.pauses();
        let resume =
            pauses.then(|| self.step("resume workers", Script::WorkersResume, vec![self.root()]));
        let live = self.facts.live();
        let overtaken = self.mark_overtaken();
        let overtaken = overtaken.filter(|_| live.is_some() && self.was_cut_off());
        let steps = resume.into_iter().chain(self.begun()).chain(overtaken);
        Way::Back.each_apart(steps.collect())
    }

    /// Restores workers, and has the host come back to a load balancer that it may have left before.
    fn begun(&self) -> Vec<Step> {
        let live = self.facts.live();
        let mut steps = self.restore_workers(live);
        if let Some(live) = live.filter(|_| self.was_cut_off()) {
            steps.extend(self.rejoin(live));
        }
        steps
    }

    fn was_cut_off(&self) -> bool {
        !goal::cut_off(self.wish.environment, self.host, self.facts).is_empty()
    }
}
