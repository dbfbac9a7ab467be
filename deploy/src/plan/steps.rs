//! The steps of one host, with their real values.

use std::time::Duration;

use serde_json::json;

use super::{Goal, HostPlan, Wish, retain, waves};
use crate::config::{FpmAction, Host, PhpFpm, Role, Then};
use crate::facts::{Facts, ReleaseState};
use crate::names::{CommitSha, Digest, HostName, ReleaseId};
use crate::request::Kind;
use crate::script::Script;

mod again;
mod database;
mod keep;
mod runtimes;
mod workers;

use workers::Way;

/// One script with its arguments on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its name in output; unique in its phase.
    pub name: String,
    /// What runs.
    pub script: Script,
    /// Its arguments, `$1` first.
    pub args: Vec<String>,
    /// The host ends it after this long.
    pub limit: Duration,
    /// Where it fails, nothing behind it runs; with a block only the rest of that is left out. Default none.
    pub block: Option<String>,
}

/// What the steps of one host are made from.
struct Site<'a> {
    wish: Wish<'a>,
    host: &'a Host,
    facts: &'a Facts,
    release: &'a ReleaseId,
    previous: Option<ReleaseId>,
    fresh: bool,
    /// Whether hosts of its wave wait for one another with workers.
    apart: bool,
}

/// What is made live, in the parts for which hosts of a wave wait for one another.
#[derive(Default)]
struct Parts {
    start: Vec<Step>,
    leave: Vec<Step>,
    switch: Vec<Step>,
}

pub(super) fn host_plan(
    wish: Wish<'_>,
    goal: &Goal,
    host: &Host,
    facts: &Facts,
    waves: &[Vec<HostName>],
) -> HostPlan {
    let release = goal.release();
    let root = wish.environment.path.clone();
    let runs = facts.live() == Some(release);
    let nothing = matches!(goal, Goal::Nothing { .. });
    let returns = matches!(goal, Goal::Return { .. });
    let previous = if runs && !nothing {
        // What was live before, as far as it can be returned to; where there is nothing else, the way back is this one.
        let record = facts.record(release);
        let before = record.and_then(|record| record.previous.clone());
        let before = before.filter(|id| facts.releases.contains_key(id));
        // What was proven once is only proven anew: whatever fails now, it stays.
        let proven = record.is_some_and(|record| record.settled);
        let before = before.filter(|_| !proven);
        before.or_else(|| returns.then(|| release.clone()))
    } else {
        retain::way_back(facts)
    };
    let fresh = matches!(goal, Goal::Fresh { .. });
    let site = Site {
        wish,
        host,
        facts,
        release,
        previous,
        fresh,
        apart: waves::share_workers(wish.environment, waves, &host.name),
    };
    let incoming = format!(
        "{root}/.cutover/incoming/{}.tar.gz",
        wish.request.deployment
    );
    let forth = !nothing && !matches!(goal, Goal::TakeBack { .. });
    let stage = if fresh {
        site.stage(&incoming)
    } else {
        Vec::new()
    };
    let web = host.roles.contains(&Role::Web);
    let parts = if forth {
        site.switch()
    } else {
        Parts::default()
    };
    let health = web && !nothing && wish.environment.health.is_some();
    let deploys = matches!(wish.request.kind, Kind::Deploy { .. });
    let pool = wish.environment.php_fpm.as_ref();
    let pool = pool.is_some_and(|fpm| fpm.pool.is_some());
    HostPlan {
        runs,
        warm: web && pool && forth && !runs,
        removed: site.removed(),
        stage,
        migrate: if fresh { site.migrate() } else { Vec::new() },
        // What is only returned to has migrated nothing in this deployment.
        migrate_back: if nothing || returns {
            Vec::new()
        } else {
            site.migrate_back()
        },
        start: parts.start,
        leave: parts.leave,
        switch: parts.switch,
        rejoin: if forth {
            site.rejoin(release)
        } else {
            Vec::new()
        },
        health,
        outside: Vec::new(),
        alarms: Vec::new(),
        watch: health && forth && deploys && !wish.environment.watch.is_zero(),
        keep: if forth { site.keep() } else { Vec::new() },
        undo: if nothing { Vec::new() } else { site.undo() },
        // What is live here is nobody's to end, unless it is only proven anew after somebody was cut off.
        recall: if nothing || runs && !returns {
            Vec::new()
        } else {
            site.recall()
        },
        undo_rejoin: if nothing {
            Vec::new()
        } else {
            // Where nothing was live before there is only the folder of the release that failed.
            site.rejoin(site.previous.as_ref().unwrap_or(release))
        },
        abandon: match goal {
            Goal::Fresh { .. } => site.abandon(&incoming),
            Goal::Resume { .. } | Goal::TakeBack { .. } if !runs => site.give_up(),
            _ => Vec::new(),
        },
        incoming: fresh.then_some(incoming),
        folder: format!("{root}/.cutover/steps/{}", wish.request.deployment),
        previous: site.previous,
        root,
    }
}

impl Site<'_> {
    fn stage(&self, incoming: &str) -> Vec<Step> {
        let (root, release) = (self.root(), self.release.to_string());
        let artifact = self.wish.artifact;
        let digest = artifact
            .map(|artifact| artifact.digest.to_string())
            .unwrap_or_default();
        let shared = &self.wish.config.shared;
        let revision = format!("{}\n{release}", self.commit_text());
        let gone = self.failed_too_many();
        let mut steps = self.begun_before();
        if !gone.is_empty() {
            steps.push(self.prune(&gone));
        }
        steps.extend([
            self.mark("mark staging", self.release, ReleaseState::Staging, "stage"),
            self.step(
                "unpack",
                Script::Unpack,
                vec![
                    root.clone(),
                    release.clone(),
                    incoming.into(),
                    digest,
                    revision,
                ],
            ),
            self.step(
                "link shared",
                Script::Link,
                vec![
                    root,
                    release,
                    shared.files.join("\n"),
                    shared.dirs.join("\n"),
                ],
            ),
        ]);
        steps.extend(self.lines("prepare", &self.wish.config.steps.prepare, self.release));
        steps.extend(self.lines("preflight", &self.wish.config.steps.preflight, self.release));
        steps.extend(self.preview());
        steps.extend(self.readable());
        steps.push(self.mark("mark ready", self.release, ReleaseState::Ready, "ready"));
        steps
    }

    /// What is watched later must be there now: afterwards it would take the release back.
    fn readable(&self) -> Option<Step> {
        let environment = self.wish.environment;
        let web = self.host.roles.contains(&Role::Web);
        let log = environment.alarms.access_log.as_ref();
        let log = log.filter(|log| web && log.then == Then::RollBack)?;
        let args = vec![log.path.clone()];
        Some(self.step("access log", Script::Readable, args))
    }

    fn switch(&self) -> Parts {
        // A release that was healthy once keeps that word while it is made live again.
        let was_healthy = !self.fresh && self.facts.is_way_back(self.release);
        let state = if was_healthy {
            ReleaseState::Healthy
        } else {
            ReleaseState::Live
        };
        let mut steps = Vec::new();
        // What another tool made live is a way back for good, whatever comes after it.
        if let Some(foreign) = self.previous.as_ref().filter(|id| self.unclaimed(id)) {
            steps.push(self.mark("mark adopted", foreign, ReleaseState::Adopted, "adopt"));
        }
        steps.push(self.mark("mark live", self.release, state, "swap"));
        // Before anything is left or swapped: new workers that do not come up have changed nothing.
        let start = self.start_workers(self.release, Way::Forth);
        let stop = self.stop_taking(self.release, Way::Forth);
        let leave = [self.leave(), stop].concat();
        let follow = self.follow(self.release, Way::Forth);
        if self.apart {
            steps.extend(follow);
            return Parts {
                start,
                leave,
                switch: steps,
            };
        }
        Parts {
            switch: [steps, start, leave, follow].concat(),
            ..Parts::default()
        }
    }

    /// What a web host does before its swap. Not on a way back: all hosts go back at once, and if all of them left a
    /// load balancer at once, nobody would be served.
    fn leave(&self) -> Vec<Step> {
        let deploys = matches!(self.wish.request.kind, Kind::Deploy { .. });
        if deploys && self.host.roles.contains(&Role::Web) {
            self.lines(
                "before swap",
                &self.wish.config.steps.before_swap,
                self.release,
            )
        } else {
            Vec::new()
        }
    }

    /// What a web host does when it is healthy, and on every way back.
    fn rejoin(&self, release: &ReleaseId) -> Vec<Step> {
        if self.host.roles.contains(&Role::Web) {
            self.lines(
                "after health",
                &self.wish.config.steps.after_health,
                release,
            )
        } else {
            Vec::new()
        }
    }

    /// The swap and all that must follow it. On the way back runtimes come last, for they may take their time to fail again.
    fn follow(&self, release: &ReleaseId, way: Way) -> Vec<Step> {
        let swap = vec![
            self.root(),
            release.to_string(),
            self.wish.request.deployment.to_string(),
            // The file that is locked while a pool waits, once one is known that does.
            String::new(),
        ];
        let mut swap = self.step("swap", Script::Swap, swap);
        // Some seconds of it the swap waits for that pool.
        swap.limit = swap.limit.max(Duration::from_secs(20));
        let mut steps = vec![swap];
        let environment = self.wish.environment;
        let here = self.host.roles.contains(&Role::Web);
        let fpm = environment.php_fpm.as_ref().filter(|_| here);
        let reload = fpm.and_then(|fpm| self.reload(fpm)).into_iter().collect();
        steps.extend(way.apart("php-fpm", reload));
        let runtimes = self.runtimes(release, way);
        let lines = self.lines("after swap", &self.wish.config.steps.after_swap, release);
        let lines = way.apart("after swap", lines);
        let workers = self.hand_over_workers(release, way);
        steps.extend(match way {
            Way::Forth => [runtimes, lines, workers].concat(),
            Way::Back => [lines, workers, runtimes].concat(),
        });
        steps
    }

    fn undo(&self) -> Vec<Step> {
        let rolled_back = ReleaseState::RolledBack;
        // A full disk may be why this is needed: a record that cannot be written stops nothing on the way back.
        let mark = self.mark_if_possible("mark rolled back", self.release, rolled_back, "undo");
        let Some(previous) = &self.previous else {
            let args = vec![self.root(), self.release.to_string()];
            let withdraw = self.step("withdraw", Script::Withdraw, args);
            let workers = self.restore_workers(None);
            return [vec![withdraw], workers, vec![mark]].concat();
        };
        let mut steps = self.follow(previous, Way::Back);
        if previous != self.release {
            steps.insert(1, mark);
        }
        // From now on nobody may take it for granted that everything follows what is live again.
        if self.facts.was_healthy(previous) {
            let healthy = ReleaseState::Healthy;
            let mark = self.mark_if_possible("mark restored", previous, healthy, "restore");
            steps.insert(1, mark);
        }
        let start = self.start_workers(previous, Way::Back);
        let stop = self.stop_taking(previous, Way::Back);
        // The swap back does not wait for what becomes of them.
        steps.splice(0..0, Way::Back.each_apart([start, stop].concat()));
        steps
    }

    fn lines(&self, kind: &str, lines: &[String], release: &ReleaseId) -> Vec<Step> {
        lines
            .iter()
            .map(|line| {
                self.step(
                    format!("{kind}: {}", line.trim_start()),
                    Script::Line,
                    self.line_args(line, release),
                )
            })
            .collect()
    }

    /// What `line.sh` gets beside its text.
    fn line_args(&self, line: &str, release: &ReleaseId) -> Vec<String> {
        vec![
            self.root(),
            release.to_string(),
            self.wish.environment.name.to_string(),
            self.commit_text(),
            self.wish.request.deployment.to_string(),
            self.host.name.to_string(),
            line.to_owned(),
        ]
    }

    /// The same as [`Site::mark`], but nothing stops where it fails.
    fn mark_if_possible(
        &self,
        name: &str,
        release: &ReleaseId,
        state: ReleaseState,
        did: &str,
    ) -> Step {
        Step {
            script: Script::MarkIfPossible,
            ..self.mark(name, release, state, did)
        }
    }

    fn mark(&self, name: &str, release: &ReleaseId, state: ReleaseState, did: &str) -> Step {
        let request = self.wish.request;
        let ours = release == self.release;
        let before = self.facts.record(release);
        let fresh = self.fresh && ours;
        let known = before.filter(|_| !fresh);
        // One that is proven anew still came after the one that it replaced.
        let again = self.previous.as_ref() == Some(release);
        let goes_live = matches!(
            state,
            ReleaseState::Live | ReleaseState::Healthy | ReleaseState::RolledBack
        );
        let record = json!({
            "release": release,
            "state": state,
            "commit": if fresh { self.commit() } else { self.facts.commit(release).cloned() },
            "digest": if fresh { self.digest() } else { known.and_then(|record| record.digest.clone()) },
            "deployment": known.map_or(&request.deployment, |record| &record.deployment),
            "actor": known.map_or_else(|| self.maker(release), |record| record.actor.clone()),
            "run_url": known.map_or(&request.run_url, |record| &record.run_url),
            "settled": did == "healthy",
            "live_by": if ours { goes_live.then_some(&request.deployment) } else { before.and_then(|r| r.live_by.as_ref()) },
            "previous": if ours && !again { self.previous.as_ref() } else { before.and_then(|r| r.previous.as_ref()) },
            "changed_at": self.wish.now,
        });
        let journal = json!({
            "at": self.wish.now,
            "did": did,
            "release": release,
            "previous": &self.previous,
            "deployment": request.deployment,
            "kind": request.kind.word(),
            "actor": request.actor,
        });
        let args = vec![
            self.root(),
            release.to_string(),
            record.to_string(),
            journal.to_string(),
        ];
        self.step(name, Script::Mark, args)
    }

    fn reload(&self, fpm: &PhpFpm) -> Option<Step> {
        let service = fpm.service.as_ref();
        let service = service.filter(|_| fpm.after_swap == FpmAction::Reload)?;
        let args = vec![service.clone(), yes(fpm.sudo)];
        Some(self.step("php-fpm", Script::Fpm, args))
    }

    fn step(&self, name: impl AsRef<str>, script: Script, args: Vec<String>) -> Step {
        Step {
            name: shown(name.as_ref()),
            script,
            args,
            limit: self.wish.environment.step_timeout,
            block: None,
        }
    }

    fn root(&self) -> String {
        self.wish.environment.path.clone()
    }

    fn commit(&self) -> Option<CommitSha> {
        let asked = match &self.wish.request.kind {
            Kind::Deploy { commit } => Some(commit),
            Kind::Rollback { .. } => None,
        };
        asked.or_else(|| self.facts.commit(self.release)).cloned()
    }

    /// The commit as scripts and steps get it: empty where it is not known.
    fn commit_text(&self) -> String {
        self.commit()
            .as_ref()
            .map(CommitSha::to_string)
            .unwrap_or_default()
    }

    fn digest(&self) -> Option<Digest> {
        self.wish.artifact.map(|artifact| artifact.digest.clone())
    }

    /// Whether another tool made a release, and it has no record yet.
    fn unclaimed(&self, release: &ReleaseId) -> bool {
        let is_live = self.facts.live() == Some(release);
        is_live && self.facts.record(release).is_none() && self.facts.is_foreign(release)
    }

    /// Who made a release that has no record.
    fn maker(&self, release: &ReleaseId) -> String {
        if self.facts.is_foreign(release) {
            self.facts.legacy.tool().to_string()
        } else {
            self.wish.request.actor.clone()
        }
    }
}

/// How long a host may be busy with what was sent to it: a step as configured, and all that follows a swap.
#[cfg(feature = "run")]
pub(crate) fn patience(environment: &crate::config::Environment) -> Duration {
    let workers = environment.workers.iter().map(workers::longest);
    let runtimes = environment.runtimes.iter().map(runtimes::longest);
    environment.step_timeout + workers.chain(runtimes).sum::<Duration>()
}

fn yes(flag: bool) -> String {
    if flag { "yes" } else { "no" }.to_owned()
}

/// A name that fits in one line of output: the first line of a shell text, at most 60 characters.
pub(crate) fn shown(text: &str) -> String {
    let line = text.trim_start().lines().next().unwrap_or_default();
    let mut chars = line.chars().filter(|c| !c.is_control());
    let mut shown: String = chars.by_ref().take(60).collect();
    if chars.next().is_some() {
        shown.pop();
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests;
