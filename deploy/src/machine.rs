//! What comes next. Pure: it is told what every host reported and says which phase to run on which hosts, until it
//! concludes. The driver asks it and decides nothing.
//!
//! Its rules: nothing swaps before all hosts are ready; no wave of hosts swaps before the one before is proven; every swap that happened is kept on all hosts or undone on all;
//! a restored release must prove its health as a new one must; whoever may have left a load balancer is asked to come back; what cannot be restored is said, never retried for ever.

use std::collections::{BTreeMap, BTreeSet};

use crate::migrations::Migrated;
use crate::names::{HostName, ReleaseId};
use crate::outcome::{Failure, LeftOver, Outcome};
use crate::plan::{Goal, HostPlan, Plan};

mod database;
mod phase;

pub use phase::Phase;

/// What the driver is to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Run a phase on these hosts, all at once, and report each. Never empty.
    Run(Phase, Vec<HostName>),
    /// It is over.
    Conclude(Outcome),
}

/// How a phase ended on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// As planned.
    Done,
    /// Called off before it was done; only phases that prepare can be.
    Cancelled,
    /// Not as planned.
    Failed {
        /// Why.
        failure: Failure,
        /// What is live on the host now, as far as the driver could learn.
        live: Live,
    },
}

/// What is live on a host after a failed phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Live {
    /// The release of this deployment.
    New,
    /// What was live before.
    Old,
    /// Nobody could learn it.
    Unknown,
}

/// The state of one deployment.
#[derive(Debug, Clone)]
pub struct Machine {
    goal: Goal,
    hosts: BTreeMap<HostName, HostView>,
    phase: Option<Phase>,
    /// The hosts that swap at once, wave after wave.
    waves: Vec<Vec<HostName>>,
    /// How many waves have begun.
    begun: usize,
    awaited: BTreeSet<HostName>,
    failures: Vec<(HostName, Failure)>,
    /// The first thing that went wrong; what the outcome tells.
    cause: Option<Failure>,
    /// Hosts that run the new release, or may.
    swapped: BTreeSet<HostName>,
    /// Hosts that may have left before their swap and not have come back: those of every wave that has begun.
    away: BTreeSet<HostName>,
    /// Hosts on which the new release was seen live.
    seen_new: BTreeSet<HostName>,
    left: Vec<LeftOver>,
    /// Hosts whose database was migrated, or may have been.
    migrating: BTreeSet<HostName>,
    /// What they told of it.
    migrated: Option<Migrated>,
    /// Whether that was rolled back.
    gave_back: bool,
    cancelled: bool,
    /// Whether it was called off before it began, or between waves.
    called_off: bool,
}

/// What the machine needs to know of a host's plan.
#[derive(Debug, Clone)]
struct HostView {
    runs: bool,
    previous: Option<ReleaseId>,
    phases: BTreeSet<Phase>,
}

impl HostView {
    fn of(plan: &HostPlan) -> Self {
        let work = [
            (Phase::Stage, !plan.stage.is_empty()),
            (Phase::Warm, plan.warm),
            (Phase::Migrate, !plan.migrate.is_empty()),
            (Phase::Start, !plan.start.is_empty()),
            (Phase::Leave, !plan.leave.is_empty()),
            (Phase::Switch, !plan.switch.is_empty()),
            (Phase::Health, plan.health),
            (Phase::Rejoin, !plan.rejoin.is_empty()),
            (Phase::Outside, !plan.outside.is_empty()),
            (Phase::Watch, plan.watch),
            (Phase::Keep, !plan.keep.is_empty()),
            (Phase::Undo, !plan.undo.is_empty()),
            (Phase::Recall, !plan.recall.is_empty()),
            (Phase::UndoHealth, plan.health && plan.previous.is_some()),
            (Phase::MigrateBack, !plan.migrate_back.is_empty()),
            (Phase::UndoRejoin, !plan.undo_rejoin.is_empty()),
            (
                Phase::UndoOutside,
                !plan.outside.is_empty() && plan.previous.is_some(),
            ),
            (Phase::Abandon, !plan.abandon.is_empty()),
        ];
        let phases = work
            .into_iter()
            .filter(|(_, has)| *has)
            .map(|(phase, _)| phase)
            .collect();
        Self {
            runs: plan.runs,
            previous: plan.previous.clone(),
            phases,
        }
    }
}

impl Machine {
    /// The machine of an accepted plan.
    pub fn new(plan: &Plan) -> Self {
        Self {
            goal: plan.goal.clone(),
            hosts: plan
                .hosts
                .iter()
                .map(|(name, host)| (name.clone(), HostView::of(host)))
                .collect(),
            phase: None,
            waves: plan.waves.clone(),
            begun: 0,
            awaited: BTreeSet::new(),
            failures: Vec::new(),
            cause: None,
            swapped: BTreeSet::new(),
            away: BTreeSet::new(),
            seen_new: BTreeSet::new(),
            left: Vec::new(),
            migrating: BTreeSet::new(),
            migrated: None,
            gave_back: false,
            cancelled: false,
            called_off: false,
        }
    }

    /// Calls the deployment off. Heard until the first wave begins; between waves it takes back what was swapped;
    /// from the last wave on it runs to its end.
    pub fn cancel(&mut self) {
        self.cancelled = true;
    }

    /// What comes next. Ask when every host of the last phase has reported.
    pub fn proceed(&mut self) -> Next {
        debug_assert!(
            self.awaited.is_empty(),
            "every host of a phase reports before the next begins"
        );
        loop {
            let Some(phase) = self.following() else {
                return Next::Conclude(self.outcome());
            };
            self.phase = Some(phase);
            let hosts = self.hosts_of(phase);
            if matches!(phase, Phase::Leave | Phase::Switch) {
                self.away.extend(self.wave().to_vec());
            }
            if phase == Phase::Switch {
                // From here on a host that does not answer may have swapped.
                self.swapped.extend(self.wave().to_vec());
            }
            if phase == Phase::Migrate {
                self.migrating.extend(hosts.iter().cloned());
            }
            if !hosts.is_empty() {
                self.awaited = hosts.iter().cloned().collect();
                return Next::Run(phase, hosts);
            }
        }
    }

    /// Takes in how the phase ended on a host.
    pub fn report(&mut self, host: &HostName, report: Report) {
        if !self.awaited.remove(host) {
            return;
        }
        let (failure, live) = match report {
            Report::Done if self.phase == Some(Phase::Switch) => {
                self.seen_new.insert(host.clone());
                return;
            }
            Report::Done => return,
            Report::Cancelled => return self.cancel(),
            Report::Failed { failure, live } => (failure, live),
        };
        if self.phase == Some(Phase::Switch) && live == Live::Old {
            self.swapped.remove(host);
        }
        if self.phase.is_some_and(Phase::goes_back) && !self.is_left(host) {
            self.left.push(self.left_over(host, &failure, live));
        }
        self.failures.push((host.clone(), failure));
    }

    /// Failures of the phase that just ended, for notes.
    pub fn failures(&self) -> &[(HostName, Failure)] {
        &self.failures
    }

    /// Which wave swaps or is proven now, of how many; `None` where all hosts are one, and in other phases.
    pub fn wave_of(&self) -> Option<(usize, usize)> {
        let in_waves = self.phase.is_some_and(Phase::is_of_a_wave);
        (in_waves && self.waves.len() > 1).then_some((self.begun, self.waves.len()))
    }

    /// Whether no wave comes after the one that has begun.
    pub fn is_last_wave(&self) -> bool {
        self.begun >= self.waves.len()
    }

    /// The hosts of the wave that has begun.
    fn wave(&self) -> &[HostName] {
        let wave = self.begun.checked_sub(1).and_then(|at| self.waves.get(at));
        wave.map_or(&[], Vec::as_slice)
    }

    fn next_wave(&mut self) -> Phase {
        self.begun += 1;
        Phase::Start
    }

    /// The next wave, or the way back when it was called off meanwhile, or the end.
    fn after_wave(&mut self) -> Phase {
        if self.is_last_wave() {
            return Phase::Keep;
        }
        if self.cancelled {
            self.called_off = true;
            self.cause = Some(Failure {
                host: None,
                step: Phase::Switch.word().to_owned(),
                message: format!(
                    "it was called off after {} of {} waves",
                    self.begun,
                    self.waves.len()
                ),
                hint: None,
            });
            return Phase::Undo;
        }
        self.next_wave()
    }

    fn following(&mut self) -> Option<Phase> {
        let failed = self.take_failures();
        let stop = failed
            || (self.cancelled
                && matches!(
                    self.phase,
                    None | Some(Phase::Stage | Phase::Warm | Phase::Migrate)
                ));
        Some(match self.phase {
            None => match &self.goal {
                Goal::Nothing { .. } => return None,
                // Something live was changed already, so these two cannot be called off any more.
                Goal::Resume { .. } => {
                    // An earlier try may have swapped later waves already.
                    self.swapped = self.running();
                    self.away = self.hosts.keys().cloned().collect();
                    self.next_wave()
                }
                Goal::TakeBack { .. } => self.take_back(),
                _ if stop => {
                    // An earlier try of this deployment may have begun with workers.
                    self.called_off = true;
                    Phase::Recall
                }
                Goal::Fresh { .. } => Phase::Stage,
                Goal::Return { .. } => Phase::Warm,
            },
            Some(Phase::Stage | Phase::Migrate | Phase::Warm) if stop => Phase::Recall,
            Some(Phase::Stage) => Phase::Migrate,
            Some(Phase::Migrate) if self.next_to_migrate().is_some() => Phase::Migrate,
            Some(Phase::Migrate) => Phase::Warm,
            Some(Phase::Warm) => self.next_wave(),
            Some(phase) if failed && phase.is_of_a_wave() => Phase::Undo,
            Some(Phase::Start) => Phase::Leave,
            Some(Phase::Leave) => Phase::Switch,
            Some(Phase::Switch) => Phase::Health,
            Some(Phase::Health) => Phase::Rejoin,
            Some(Phase::Rejoin) => Phase::Outside,
            Some(Phase::Outside) => Phase::Watch,
            Some(Phase::Watch) => self.after_wave(),
            Some(Phase::Undo) => Phase::Recall,
            Some(Phase::Recall) if !self.away.is_empty() => Phase::UndoHealth,
            Some(Phase::Recall) if self.left.is_empty() && !self.migrating.is_empty() => {
                Phase::MigrateBack
            }
            Some(Phase::UndoHealth) => Phase::UndoRejoin,
            Some(Phase::UndoRejoin) => Phase::UndoOutside,
            // Code of the release that goes may still run where something is left.
            Some(Phase::UndoOutside) if self.left.is_empty() => Phase::MigrateBack,
            // What it did not begin it does not take away.
            Some(Phase::Recall) if self.called_off && self.begun == 0 => return None,
            Some(Phase::Recall | Phase::UndoOutside) => Phase::Abandon,
            Some(Phase::MigrateBack) => {
                self.gave_back = !failed && !self.hosts_of(Phase::MigrateBack).is_empty();
                Phase::Abandon
            }
            Some(Phase::Keep | Phase::Abandon) => return None,
        })
    }

    /// Hosts that ran the release already when they were greeted.
    fn running(&self) -> BTreeSet<HostName> {
        let runs = self.hosts.iter().filter(|(_, view)| view.runs);
        runs.map(|(host, _)| host.clone()).collect()
    }

    fn take_back(&mut self) -> Phase {
        self.swapped = self.running();
        // One that went back already may not have come back.
        self.away = self.hosts.keys().cloned().collect();
        self.cause = Some(Failure {
            host: None,
            step: Phase::Undo.word().to_owned(),
            message: "it was cut off while it was taken back; why is in the journals of the hosts"
                .to_owned(),
            hint: None,
        });
        Phase::Undo
    }

    /// Whether the phase that ended had failures; the first ever becomes the cause. A release that is live and healthy
    /// stays so when only its records or the pruning failed.
    fn take_failures(&mut self) -> bool {
        let failures = std::mem::take(&mut self.failures);
        let failed = !failures.is_empty();
        let prepares = matches!(
            self.phase,
            Some(Phase::Stage | Phase::Warm | Phase::Migrate)
        );
        // One that was called off, and whose workers do not go back, has no other cause.
        let recalls = self.phase == Some(Phase::Recall);
        if (prepares || recalls || self.phase.is_some_and(Phase::is_of_a_wave))
            && let Some((_, failure)) = failures.into_iter().next()
        {
            self.cause.get_or_insert(failure);
        }
        failed
    }

    fn hosts_of(&self, phase: Phase) -> Vec<HostName> {
        let stands = |host: &HostName| match phase {
            Phase::Undo | Phase::UndoHealth => self.swapped.contains(host) && !self.is_left(host),
            Phase::UndoRejoin => self.away.contains(host),
            Phase::Recall | Phase::Abandon => !self.swapped.contains(host),
            phase if phase.is_of_a_wave() => self.wave().contains(host),
            // Nothing is proven by what lies in front of hosts that are not restored.
            Phase::UndoOutside => self.left.is_empty() && !self.swapped.is_empty(),
            Phase::Migrate => self.next_to_migrate() == Some(host),
            _ => true,
        };
        let has = |view: &HostView| view.phases.contains(&phase);
        // What lies in front of all hosts is asked once.
        let most = if phase == Phase::UndoOutside {
            1
        } else {
            usize::MAX
        };
        self.hosts
            .iter()
            .filter(|(host, view)| has(view) && stands(host))
            .map(|(host, _)| host.clone())
            .take(most)
            .collect()
    }

    fn is_left(&self, host: &HostName) -> bool {
        self.left.iter().any(|left| left.host == *host)
    }

    fn left_over(&self, host: &HostName, failure: &Failure, live: Live) -> LeftOver {
        let previous = self.hosts.get(host).and_then(|view| view.previous.clone());
        let current = match (self.phase, live) {
            (Some(Phase::Undo), Live::New) => Some(self.goal.release().clone()),
            (Some(Phase::Undo), Live::Unknown) => None,
            // Of other ways back it is known before they begin.
            _ => previous,
        };
        let mut state = failure.line();
        if current.is_none() && live == Live::Unknown && self.seen_new.contains(host) {
            let release = self.goal.release();
            state = format!("{state}; {release} was live there when it last answered");
        }
        LeftOver {
            host: host.clone(),
            current,
            state,
        }
    }

    fn outcome(&self) -> Outcome {
        self.with_the_database(self.end())
    }

    fn end(&self) -> Outcome {
        let release = self.goal.release().clone();
        let previous = self
            .hosts
            .values()
            .next()
            .and_then(|view| view.previous.clone());
        if let Goal::Nothing { .. } = self.goal {
            return Outcome::Unchanged { release };
        }
        if self.called_off && self.left.is_empty() {
            return Outcome::Cancelled;
        }
        let Some(failure) = self.cause.clone() else {
            let kept = matches!(self.phase, Some(Phase::Keep));
            return if kept {
                Outcome::Deployed { release, previous }
            } else {
                Outcome::Cancelled
            };
        };
        match previous {
            Some(restored) if !self.swapped.is_empty() && self.left.is_empty() => {
                Outcome::RolledBack {
                    restored,
                    failed: release,
                    failure,
                }
            }
            _ => Outcome::Failed {
                failure,
                left: self.left.clone(),
            },
        }
    }
}

#[cfg(test)]
mod tests;
