//! The steps by which workers follow a release. With an overlap there is one before the swap and one after it.

use std::time::Duration;

use super::{Site, Step};
use crate::config::{HandOver, MadeFor, Manager, Role, Workers};
use crate::names::{CommitSha, ReleaseId};
use crate::script::{ROSTER, Script, recipe};

/// What the hand-over of workers takes at most beside the drain itself.
const AFTER_DRAIN: Duration = Duration::from_mins(1);
/// How long new workers may take to come up beside the old ones.
const COME_UP: Duration = Duration::from_secs(30);

/// Whether a release goes live because it is wanted, or because another one failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Forth,
    Back,
}

impl Site<'_> {
    /// What workers need before the swap.
    pub(super) fn start_workers(&self, release: &ReleaseId, way: Way) -> Vec<Step> {
        let overlap = self.groups(|workers| workers.hand_over == HandOver::Overlap);
        let start = |workers: &Workers| {
            // Who serves requests goes back in any case; that the workers follow is proven after it.
            let need = if way == Way::Forth { "yes" } else { "no" };
            let args = vec![
                workers.expect.to_string(),
                come_up(workers.manager).as_secs().to_string(),
                need.to_owned(),
            ];
            let name = format!("workers {} start", workers.group);
            self.workers_step(&name, Script::WorkersStart, release, workers, args)
        };
        overlap.map(start).collect()
    }

    /// What workers need after the swap.
    pub(super) fn hand_over_workers(&self, release: &ReleaseId) -> Vec<Step> {
        let hand_over = |workers: &Workers| {
            let mut args = vec![
                workers.expect.to_string(),
                workers.drain_timeout.as_secs().to_string(),
                workers.after_drain.word().to_owned(),
            ];
            let name = format!("workers {}", workers.group);
            if workers.hand_over == HandOver::Overlap {
                let name = format!("{name} end");
                return self.workers_step(&name, Script::WorkersEnd, release, workers, args);
            }
            args.push(workers.hand_over.word().to_owned());
            self.workers_step(&name, Script::Workers, release, workers, args)
        };
        self.groups(|_| true).map(hand_over).collect()
    }

    /// Takes back what was started for a release on a host that never swapped.
    pub(super) fn drop_workers(&self) -> Vec<Step> {
        let overlap = self.groups(|workers| workers.hand_over == HandOver::Overlap);
        let drop = |workers: &Workers| {
            let args = [self.root(), self.release.to_string()];
            let args = [args.to_vec(), self.managed(workers, self.release)].concat();
            let name = format!("workers {} drop", workers.group);
            self.step(&name, Script::WorkersDrop, args)
        };
        overlap.map(drop).collect()
    }

    fn groups(&self, of: impl Fn(&Workers) -> bool) -> impl Iterator<Item = &Workers> {
        let here = self.host.roles.contains(&Role::Worker);
        let groups = self.wish.environment.workers.iter();
        groups.filter(move |workers| here && of(workers))
    }

    fn workers_step(
        &self,
        name: &str,
        script: Script,
        release: &ReleaseId,
        workers: &Workers,
        more: Vec<String>,
    ) -> Step {
        let args = [
            vec![self.root(), release.to_string()],
            more,
            vec![ROSTER.to_owned()],
            self.managed(workers, release),
        ];
        let mut step = self.step(name, script, args.concat());
        let longest = workers.drain_timeout.max(come_up(workers.manager));
        step.limit = step.limit.max(longest + AFTER_DRAIN);
        step
    }

    /// The words by which every script that speaks to a manager knows it.
    fn managed(&self, workers: &Workers, release: &ReleaseId) -> Vec<String> {
        let commit = if release == self.release {
            self.commit()
        } else {
            self.facts.commit(release).cloned()
        };
        let made = MadeFor {
            root: &self.wish.environment.path,
            release,
            commit: commit.as_ref().map(CommitSha::as_str).unwrap_or_default(),
            grace: workers.drain_timeout.as_secs(),
        };
        vec![
            recipe(workers.manager).to_owned(),
            workers.manager.word().to_owned(),
            workers.group.clone(),
            super::yes(workers.sudo),
            workers.settings_for(made),
        ]
    }
}

/// How long new workers of a manager may take to come up.
fn come_up(manager: Manager) -> Duration {
    match manager {
        // A node may have to bring their image first.
        Manager::Kubernetes => COME_UP * 10,
        _ => COME_UP,
    }
}
