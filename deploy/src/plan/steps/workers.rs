//! The steps by which workers follow a release. With an overlap there are two before the swap and one after it.

use std::time::Duration;

use super::{Site, Step};
use crate::config::{AfterDrain, HandOver, MadeFor, Manager, Recipe, Role, Workers};
use crate::names::{CommitSha, ReleaseId};
use crate::script::{PROOF, ROSTER, Script, recipe};

/// What the hand-over of workers takes at most beside the drain itself.
pub(super) const AFTER_DRAIN: Duration = Duration::from_mins(1);
/// How long new workers may take to come up beside the old ones.
const COME_UP: Duration = Duration::from_secs(30);
/// Who hears no TERM is killed in this time.
const KILLED: Duration = Duration::from_secs(10);
/// How long workers pause at most where nothing but the swap comes before they are told to end.
const PAUSE: Duration = Duration::from_secs(20);
/// So much longer for each kind of thing that comes in between.
const BETWEEN: Duration = Duration::from_secs(100);
/// But no longer than this: should this host forget them, they are to go on one day.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);

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

    /// On a way back a step is waited for so long at most: a manager that does not answer may be why it is gone.
    fn soon(self, step: Step, most: Duration) -> Step {
        if self == Self::Forth {
            return step;
        }
        let seconds = most.as_secs().to_string();
        let args = vec![seconds, step.script.text().to_owned(), step.name.clone()];
        Step {
            script: Script::Soon,
            args: [args, step.args].concat(),
            limit: most + KILLED,
            ..step
        }
    }

    /// Steps that follow the swap of one thing. On a way back all things are tried, whatever becomes of the others.
    pub(super) fn apart(self, thing: &str, mut steps: Vec<Step>) -> Vec<Step> {
        if self == Self::Back {
            for step in &mut steps {
                step.block = Some(thing.to_owned());
            }
        }
        steps
    }

    /// The same for steps of which each is a thing of its own.
    pub(super) fn each_apart(self, steps: Vec<Step>) -> Vec<Step> {
        let apart = |step: Step| self.apart(&step.name.clone(), vec![step]);
        steps.into_iter().flat_map(apart).collect()
    }
}

impl Site<'_> {
    /// With an overlap, workers of a release start beside the old ones, before anything else changes.
    pub(super) fn start_workers(&self, release: &ReleaseId, way: Way) -> Vec<Step> {
        let start = |workers: &Workers| {
            let come_up = come_up(workers.manager);
            let seconds = come_up.as_secs().to_string();
            let args = vec![workers.expect.to_string(), seconds, way.need()];
            let name = format!("workers {} start", workers.group);
            let step = self.workers_step(&name, Script::WorkersStart, release, workers, args);
            way.soon(step, come_up + COME_UP)
        };
        self.groups(overlap).map(start).collect()
    }

    /// Right before the swap the old ones are kept from further jobs: after it new code puts its own on the queue. With an
    /// overlap they are told to end; otherwise their manager would start them again on what is still live, so they pause.
    pub(super) fn stop_taking(&self, release: &ReleaseId, way: Way) -> Vec<Step> {
        let stop = |workers: &Workers| {
            let group = &workers.group;
            if overlap(workers) {
                let args = vec![workers.expect.to_string(), way.need()];
                let name = format!("workers {group} end");
                let step = self.workers_step(&name, Script::WorkersEnd, release, workers, args);
                return way.soon(step, AFTER_DRAIN + COME_UP);
            }
            let name = format!("workers {group} pause");
            let pause = self.longest_pause(workers).as_secs().to_string();
            let args = vec![way.need(), pause];
            let step = self.workers_step(&name, Script::WorkersPause, release, workers, args);
            way.soon(step, PAUSE)
        };
        self.groups(|_| true).map(stop).collect()
    }

    /// How long workers of a group pause at most, until they are told to end: longer where lines, runtimes, other hosts or
    /// the drain of other groups come in between.
    fn longest_pause(&self, group: &Workers) -> Duration {
        let steps = &self.wish.config.steps;
        let lines = !steps.after_swap.is_empty() || !steps.before_swap.is_empty();
        let between = [
            lines,
            !self.wish.environment.runtimes.is_empty(),
            self.apart,
        ];
        let between = between.map(|between| if between { BETWEEN } else { Duration::ZERO });
        let before = self.groups(|_| true);
        let before = before.take_while(|before| before.group != group.group);
        let drains: Duration = before
            .filter(|before| !overlap(before) || before.after_drain != AfterDrain::Keep)
            .map(|before| before.drain_timeout)
            .sum();
        (PAUSE + between.iter().sum::<Duration>() + drains).min(LONGEST_PAUSE)
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
        way.each_apart(self.groups(|_| true).map(hand_over).collect())
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
            step.limit = step.limit.max(longest(workers));
            step
        };
        self.groups(overlap).map(restore).collect()
    }

    /// Names what else runs on other releases: also where the file has no group for this host, or has it no more.
    pub(super) fn older(&self) -> Option<Step> {
        let laravel = self.wish.config.recipe == Recipe::Laravel;
        let may_run = laravel || self.groups(|_| true).next().is_some();
        let args = vec![self.root(), self.release.to_string()];
        may_run.then(|| self.step("older runs", Script::Older, args))
    }

    /// Whether workers here may pause.
    pub(super) fn pauses(&self) -> bool {
        self.groups(|workers| !overlap(workers)).next().is_some()
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
        step.limit = step.limit.max(longest(workers));
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

/// What a step of a group takes at most.
pub(super) fn longest(workers: &Workers) -> Duration {
    let most = workers.drain_timeout.max(come_up(workers.manager));
    most.max(AFTER_DRAIN) + AFTER_DRAIN
}

/// How long new workers of a manager may take to come up.
fn come_up(manager: Manager) -> Duration {
    match manager {
        // A node may have to bring their image first.
        Manager::Kubernetes => COME_UP * 10,
        _ => COME_UP,
    }
}
