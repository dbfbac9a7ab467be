//! What is under way on hosts, learnt from what a deployment tells. For a door that waits no longer: what it must say then.

use std::collections::BTreeMap;

use crate::config::Environment;
use crate::event::Event;
use crate::machine::Phase;
use crate::names::{EnvironmentName, HostName, ReleaseId};
use crate::outcome::{Failure, LeftOver, Outcome};

/// What is under way, by the events so far.
#[derive(Debug, Clone)]
pub struct UnderWay {
    environment: EnvironmentName,
    hosts: Vec<HostName>,
    phase: String,
    release: Option<ReleaseId>,
    previous: Option<ReleaseId>,
    /// Hosts whose release the switch has reached, or may have.
    reached: BTreeMap<HostName, Option<ReleaseId>>,
    /// The step that runs on each host.
    running: BTreeMap<HostName, String>,
}

impl UnderWay {
    /// Nothing yet, on the hosts of this environment.
    pub fn on(environment: &Environment) -> Self {
        let hosts = environment.hosts.iter();
        Self {
            environment: environment.name.clone(),
            hosts: hosts.map(|host| host.name.clone()).collect(),
            phase: String::new(),
            release: None,
            previous: None,
            reached: BTreeMap::new(),
            running: BTreeMap::new(),
        }
    }

    /// Takes in what was told.
    pub fn hear(&mut self, event: &Event) {
        match event {
            Event::Planned {
                release, previous, ..
            } => {
                self.release = Some(release.clone());
                self.previous.clone_from(previous);
            }
            Event::PhaseBegan { phase } => {
                phase
                    .split(" (")
                    .next()
                    .unwrap_or_default()
                    .clone_into(&mut self.phase);
                self.running.clear();
                if self.is(Phase::Switch) {
                    // What was sent may begin at any moment, and which hosts are of this wave is not told.
                    let hosts = self.hosts.iter().cloned();
                    self.reached.extend(hosts.map(|host| (host, None)));
                }
                if self.is(Phase::Start) || self.is(Phase::Leave) {
                    // No swap comes behind it by itself: new workers run, old ones may be told to end, hosts be away.
                    for host in &self.hosts {
                        let live = || self.previous.clone();
                        self.reached.entry(host.clone()).or_insert_with(live);
                    }
                }
                if self.is(Phase::Undo) {
                    self.reached.values_mut().for_each(|live| *live = None);
                }
            }
            Event::StepBegan {
                host: Some(host),
                step,
            } => {
                self.running.insert(host.clone(), step.clone());
                if self.is(Phase::Undo) {
                    self.reached.insert(host.clone(), None);
                }
            }
            Event::StepEnded {
                host: Some(host), ..
            } => drop(self.running.remove(host)),
            // Whoever asks the app has seen all steps of the switch, or of the way back, end on this host.
            Event::Checked {
                host: Some(host), ..
            } => {
                let live = if self.is(Phase::UndoHealth) {
                    &self.previous
                } else {
                    &self.release
                };
                self.reached.insert(host.clone(), live.clone());
            }
            _ => {}
        }
    }

    /// What runs on by itself, in one line: `swap on web1`; `None` when nothing does.
    pub fn runs_on(&self) -> Option<String> {
        // What only prepares ends with the line.
        if self.is(Phase::Stage) || self.running.is_empty() {
            return None;
        }
        let running = self.running.iter();
        let lines: Vec<String> = running
            .map(|(host, step)| format!("`{step}` on {host}"))
            .collect();
        Some(lines.join(", "))
    }

    /// How the deployment ends when nobody waits for it any longer.
    pub fn outcome(&self) -> Outcome {
        let runs_on = self.runs_on();
        // What was sent may begin at any moment.
        let sent = [
            Phase::Migrate,
            Phase::Recall,
            Phase::MigrateBack,
            Phase::Abandon,
        ];
        if self.reached.is_empty() && runs_on.is_none() && !sent.iter().any(|phase| self.is(*phase))
        {
            return Outcome::Cancelled;
        }
        let phase = &self.phase;
        let message = match &runs_on {
            Some(steps) => format!("its end is not awaited; to its end runs by itself: {steps}"),
            None => "its end is not awaited".to_owned(),
        };
        let left = self.reached.iter().map(|(host, live)| LeftOver {
            host: host.clone(),
            current: live.clone(),
            state: match self.running.get(host) {
                Some(step) => format!("`{step}` and the rest of {phase} run on there"),
                None => format!("nobody waits for the end of {phase}"),
            },
        });
        Outcome::Failed {
            failure: Failure {
                host: None,
                step: self.phase.clone(),
                message,
                hint: Some(format!(
                    "See what became of it with `cutover status {}`. The next deployment waits for what still runs, \
                     and goes on from there.",
                    self.environment
                )),
            },
            left: left.collect(),
        }
    }

    fn is(&self, phase: Phase) -> bool {
        self.phase == phase.word()
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::config::Config;

    fn on_web1() -> UnderWay {
        let text = "app = \"x\"\nrepository = \"github:a/b\"\n[environments.production]\npath = \"/srv/app\"\n\
            [[environments.production.hosts]]\nname = \"web1\"\naddress = \"a@b\"\n";
        let config = Config::parse("x", text).unwrap();
        UnderWay::on(config.environment("production").unwrap())
    }

    fn told(phase: Phase, steps: &[&str]) -> UnderWay {
        let mut under_way = on_web1();
        let planned = Event::Planned {
            release: ReleaseId::parse("r2").unwrap(),
            commit: None,
            previous: ReleaseId::parse("r1").ok(),
            previous_commit: None,
            lines: Vec::new(),
        };
        under_way.hear(&planned);
        go_on(&mut under_way, phase, steps);
        under_way
    }

    fn go_on(under_way: &mut UnderWay, phase: Phase, steps: &[&str]) {
        let phase = phase.word().to_owned();
        under_way.hear(&Event::PhaseBegan { phase });
        for step in steps {
            under_way.hear(&Event::StepBegan {
                host: HostName::parse("web1").ok(),
                step: (*step).to_owned(),
            });
        }
    }

    #[test]
    fn before_anything_runs_to_its_end_it_is_only_called_off() {
        assert_eq!(on_web1().outcome(), Outcome::Cancelled);
        assert_eq!(
            told(Phase::Stage, &["unpack"]).outcome(),
            Outcome::Cancelled
        );
    }

    #[test]
    fn a_migration_that_runs_on_is_named_and_nothing_live_has_changed() {
        let outcome = told(Phase::Migrate, &["migrate: make"]).outcome();
        assert_eq!(outcome.exit_code(), 1);
        assert_snapshot!(outcome, @"
        failed: what was live still is
          migrate: its end is not awaited; to its end runs by itself: `migrate: make` on web1
          See what became of it with `cutover status production`. The next deployment waits for what still runs, and goes on from there.
        ");
        assert_eq!(told(Phase::Migrate, &[]).outcome().exit_code(), 1);
    }

    #[test]
    fn a_swap_that_runs_on_leaves_the_host_unknown() {
        assert_eq!(told(Phase::Switch, &[]).outcome().exit_code(), 3);
        let outcome = told(Phase::Switch, &["mark live", "swap"]).outcome();
        assert_eq!(outcome.exit_code(), 3);
        assert_snapshot!(outcome, @"
        failed, and not everything could be restored
          left on web1: current leads to something unknown: `swap` and the rest of switch run on there
          switch: its end is not awaited; to its end runs by itself: `swap` on web1
          See what became of it with `cutover status production`. The next deployment waits for what still runs, and goes on from there.
        ");
    }

    #[test]
    fn before_hosts_swap_together_what_is_live_is_known_and_workers_that_were_told_are_named() {
        let mut under_way = told(Phase::Start, &[]);
        assert_eq!(under_way.outcome().exit_code(), 3);
        go_on(&mut under_way, Phase::Leave, &["workers app-worker pause"]);
        let outcome = under_way.outcome();
        assert_eq!(outcome.exit_code(), 3);
        assert_snapshot!(outcome, @"
        failed, and not everything could be restored
          left on web1: current leads to r1: `workers app-worker pause` and the rest of leave run on there
          leave: its end is not awaited; to its end runs by itself: `workers app-worker pause` on web1
          See what became of it with `cutover status production`. The next deployment waits for what still runs, and goes on from there.
        ");
    }

    #[test]
    fn a_release_that_was_seen_is_named_as_what_is_live() {
        let mut under_way = told(Phase::Switch, &["swap"]);
        go_on(&mut under_way, Phase::Health, &[]);
        under_way.hear(&Event::Checked {
            host: HostName::parse("web1").ok(),
            attempt: 1,
            of: 2,
            healthy: true,
            seen: String::new(),
        });
        go_on(&mut under_way, Phase::Keep, &["mark healthy"]);
        let outcome = under_way.outcome();
        assert_eq!(outcome.exit_code(), 3);
        assert_snapshot!(outcome, @"
        failed, and not everything could be restored
          left on web1: current leads to r2: `mark healthy` and the rest of keep run on there
          keep: its end is not awaited; to its end runs by itself: `mark healthy` on web1
          See what became of it with `cutover status production`. The next deployment waits for what still runs, and goes on from there.
        ");
    }
}
