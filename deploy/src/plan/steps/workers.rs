//! The steps by which workers follow a release. With an overlap there are two before the swap and one after it.

use std::time::Duration;

use super::{Site, Step};
use crate::config::{AfterDrain, HandOver, MadeFor, Manager, Role, Workers};
use crate::names::{CommitSha, ReleaseId};
use crate::script::{PROOF, ROSTER, Script, recipe};

/// What the hand-over of workers takes at most beside the drain itself.
pub(super) const AFTER_DRAIN: Duration = Duration::from_mins(1);
/// How long new workers may take to come up beside the old ones.
const COME_UP: Duration = Duration::from_secs(30);
/// What workers of Laravel have in their command line, and no run that ends by itself.
const WORKERS: [&str; 3] = [" queue:", " horizon", " schedule:work"];

/// Whether a release goes live because it is wanted, or because another one failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Forth,
    Back,
}

impl Way {
    /// Whether the swap depends on it. On a way back who serves requests goes back in any case; whether the workers
    /// follow is proven after it.
    fn need(self) -> String {
        super::yes(self == Self::Forth)
    }
}

impl Site<'_> {
    /// With an overlap, workers of a release start beside the old ones, before anything else changes.
    pub(super) fn start_workers(&self, release: &ReleaseId, way: Way) -> Vec<Step> {
        let start = |workers: &Workers| {
            let come_up = come_up(workers.manager).as_secs().to_string();
            let args = vec![workers.expect.to_string(), come_up, way.need()];
            let name = format!("workers {} start", workers.group);
            self.workers_step(&name, Script::WorkersStart, release, workers, args)
        };
        self.groups(overlap).map(start).collect()
    }

    /// Right before the swap the old ones are told to end: after it new code puts jobs on the queue, which they must not
    /// take.
    pub(super) fn end_workers(&self, release: &ReleaseId, way: Way) -> Vec<Step> {
        let end = |workers: &Workers| {
            let args = vec![workers.expect.to_string(), way.need()];
            let name = format!("workers {} end", workers.group);
            self.workers_step(&name, Script::WorkersEnd, release, workers, args)
        };
        self.groups(overlap).map(end).collect()
    }

    /// After the swap workers follow, and are proven.
    pub(super) fn hand_over_workers(&self, release: &ReleaseId, way: Way) -> Vec<Step> {
        let hand_over = |workers: &Workers| {
            let after_drain = match workers.after_drain {
                // There is nowhere further back to go to, and who is told to end does no harm.
                AfterDrain::Fail if overlap(workers) && way == Way::Back => AfterDrain::Keep,
                told => told,
            };
            let mut args = vec![
                workers.expect.to_string(),
                workers.drain_timeout.as_secs().to_string(),
                after_drain.word().to_owned(),
            ];
            let name = format!("workers {}", workers.group);
            if overlap(workers) {
                args.push(PROOF.to_owned());
                return self.workers_step(&name, Script::WorkersProve, release, workers, args);
            }
            args.extend([workers.hand_over.word().to_owned(), PROOF.to_owned()]);
            self.workers_step(&name, Script::Workers, release, workers, args)
        };
        self.groups(|_| true).map(hand_over).collect()
    }

    /// On a host that did not swap, what was started is taken back and what was told to end starts again: as far as
    /// the host has marks that it was really done.
    pub(super) fn restore_workers(&self, live: Option<&ReleaseId>) -> Vec<Step> {
        // What is made again is of the live release.
        let made_for = live.unwrap_or(self.release);
        let live = live.map_or("-", ReleaseId::as_str);
        let restore = |workers: &Workers| {
            let args = vec![
                self.root(),
                self.release.to_string(),
                live.to_owned(),
                workers.expect.to_string(),
                ROSTER.to_owned(),
            ];
            let args = [args, self.managed(workers, made_for)].concat();
            let name = format!("workers {} restore", workers.group);
            let mut step = self.step(name, Script::WorkersRestore, args);
            step.limit = step.limit.max(AFTER_DRAIN * 2);
            step
        };
        self.groups(overlap).map(restore).collect()
    }

    /// Names what else runs on older releases, where there is something that runs.
    pub(super) fn older(&self) -> Option<Step> {
        self.groups(|_| true).next()?;
        let own = self
            .groups(|_| true)
            .filter_map(|own| own.process.as_deref());
        let workers: Vec<&str> = WORKERS.into_iter().chain(own).collect();
        let args = vec![self.root(), self.release.to_string(), workers.join("\n")];
        Some(self.step("older runs", Script::Older, args))
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

    /// The words by which every script that speaks to a manager knows it, and what it makes workers of a release from.
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

fn overlap(workers: &Workers) -> bool {
    workers.hand_over == HandOver::Overlap
}

/// How long new workers of a manager may take to come up.
fn come_up(manager: Manager) -> Duration {
    match manager {
        // A node may have to bring their image first.
        Manager::Kubernetes => COME_UP * 10,
        _ => COME_UP,
    }
}
