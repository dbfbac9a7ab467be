//! The rules of the machine, over random reports from random hosts.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::plan::Step;
use crate::script::Script;

/// What happens on one host in one phase, drawn at random.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Works,
    /// Fails; the flag says whether the host runs the new release afterwards.
    Fails {
        new: bool,
        known: bool,
    },
}

#[derive(Debug, Clone)]
struct Story {
    hosts: usize,
    goal: u8,
    had_previous: bool,
    /// How many hosts swap at once.
    batch: usize,
    cancel_before: usize,
    fates: Vec<Fate>,
}

fn stories() -> impl Strategy<Value = Story> {
    let fate = prop_oneof![
        6 => Just(Fate::Works),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(new, known)| Fate::Fails { new, known }),
    ];
    (
        1..4_usize,
        0..4_u8,
        any::<bool>(),
        1..4_usize,
        0..16_usize,
        prop::collection::vec(fate, 48),
    )
        .prop_map(
            |(hosts, goal, had_previous, batch, cancel_before, fates)| Story {
                hosts,
                goal,
                had_previous,
                batch,
                cancel_before,
                fates,
            },
        )
}

/// What an observer saw of a whole deployment.
#[derive(Debug)]
struct Seen {
    phases: Vec<Phase>,
    /// Each phase and the hosts that it ran on, in order.
    steps: Vec<(Phase, Vec<HostName>)>,
    done: BTreeMap<Phase, BTreeSet<HostName>>,
    runs_new: BTreeSet<HostName>,
    /// Hosts on which workers of the new release may run that nobody has told to end.
    works_new: BTreeSet<HostName>,
    /// The same when the database was migrated back.
    worked_new: BTreeSet<HostName>,
    outcome: Outcome,
}

fn play(story: &Story) -> Seen {
    let plan = plan_of(story);
    let mut machine = Machine::new(&plan);
    let mut fates = story.fates.iter().cycle().copied();
    let mut seen = Seen {
        phases: vec![],
        steps: vec![],
        done: BTreeMap::new(),
        runs_new: (0..story.hosts)
            .map(name)
            .filter(|_| story.goal == 3)
            .collect(),
        // An earlier try may have begun with them anywhere.
        works_new: (0..story.hosts).map(name).collect(),
        worked_new: BTreeSet::new(),
        outcome: Outcome::Cancelled,
    };
    loop {
        if seen.phases.len() == story.cancel_before {
            machine.cancel();
        }
        let (phase, hosts) = match machine.proceed() {
            Next::Run(phase, hosts) => (phase, hosts),
            Next::Conclude(outcome) => return Seen { outcome, ..seen },
        };
        assert!(!hosts.is_empty(), "{phase:?} on no host");
        let before = seen.steps.iter().filter(|(before, _)| *before == phase);
        for (_, before) in before {
            let twice = before.iter().any(|host| hosts.contains(host));
            assert!(!twice, "{phase:?} twice on a host: {:?}", seen.steps);
        }
        if phase == Phase::MigrateBack {
            seen.worked_new = seen.works_new.clone();
        }
        seen.phases.push(phase);
        seen.steps.push((phase, hosts.clone()));
        for host in hosts {
            let report = happen(phase, &host, fates.next().unwrap(), &mut seen);
            machine.report(&host, report);
        }
    }
}

/// Lets a phase happen on a host and says what the driver would report of it.
fn happen(phase: Phase, host: &HostName, fate: Fate, seen: &mut Seen) -> Report {
    let was_new = seen.runs_new.contains(host);
    let (report, is_new) = match (phase, fate) {
        (Phase::Switch, Fate::Works) => (Report::Done, true),
        (Phase::Undo, Fate::Works) => (Report::Done, false),
        (_, Fate::Works) => (Report::Done, was_new),
        (Phase::Switch | Phase::Undo, Fate::Fails { new, known }) => (fails(new, known), new),
        (_, Fate::Fails { .. }) => (fails(was_new, true), was_new),
    };
    if matches!(phase, Phase::Start | Phase::Switch) {
        seen.works_new.insert(host.clone());
    }
    if matches!(phase, Phase::Undo | Phase::Recall) && report == Report::Done {
        seen.works_new.remove(host);
    }
    if report == Report::Done {
        seen.done.entry(phase).or_default().insert(host.clone());
    }
    if is_new {
        seen.runs_new.insert(host.clone())
    } else {
        seen.runs_new.remove(host)
    };
    report
}

fn fails(new: bool, known: bool) -> Report {
    let failure = Failure {
        host: None,
        step: "x".into(),
        message: "broke".into(),
        hint: None,
    };
    let live = if !known {
        Live::Unknown
    } else if new {
        Live::New
    } else {
        Live::Old
    };
    Report::Failed { failure, live }
}

fn plan_of(story: &Story) -> Plan {
    let release = ReleaseId::parse("new").unwrap();
    let previous = story.had_previous.then(|| ReleaseId::parse("old").unwrap());
    let goal = match story.goal {
        0 => Goal::Fresh {
            release: release.clone(),
        },
        1 => Goal::Return {
            release: release.clone(),
        },
        3 => Goal::TakeBack {
            release: release.clone(),
        },
        _ => Goal::Resume {
            release: release.clone(),
        },
    };
    let step = || {
        vec![Step {
            name: "step".into(),
            script: Script::Swap,
            args: vec![],
            limit: std::time::Duration::ZERO,
            block: None,
        }]
    };
    let host = HostPlan {
        runs: story.goal == 3,
        previous: previous.clone(),
        stage: step(),
        incoming: None,
        warm: true,
        migrate: step(),
        start: step(),
        leave: step(),
        switch: step(),
        rejoin: step(),
        health: true,
        outside: vec!["https://shop.example.com".into()],
        watch: true,
        alarms: Vec::new(),
        keep: step(),
        removed: Vec::new(),
        undo: step(),
        migrate_back: step(),
        recall: step(),
        undo_rejoin: step(),
        abandon: step(),
        folder: String::new(),
        root: String::new(),
    };
    let names: Vec<HostName> = (0..story.hosts).map(name).collect();
    let waves = names.chunks(story.batch).map(<[HostName]>::to_vec);
    let waves = waves.collect();
    let hosts = names.into_iter().map(|name| (name, host.clone())).collect();
    Plan {
        goal,
        release,
        commit: None,
        previous,
        previous_commit: None,
        waves,
        remarks: Vec::new(),
        schema: None,
        hosts,
    }
}

fn name(n: usize) -> HostName {
    HostName::parse(&format!("web{n}")).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_swaps_before_every_host_is_ready(story in stories()) {
        let seen = play(&story);
        let all: BTreeSet<HostName> = (0..story.hosts).map(name).collect();
        let moves = matches!(story.goal, 0 | 1) && seen.phases.contains(&Phase::Switch);
        if moves {
            prop_assert_eq!(seen.done.get(&Phase::Warm), Some(&all));
        }
        if story.goal == 0 && seen.phases.contains(&Phase::Switch) {
            prop_assert_eq!(seen.done.get(&Phase::Stage), Some(&all));
            prop_assert_eq!(seen.done.get(&Phase::Migrate), Some(&all));
        }
    }

    #[test]
    fn no_host_of_a_wave_swaps_before_old_workers_of_all_of_them_take_no_job(story in stories()) {
        let seen = play(&story);
        let done = |phase| seen.done.get(&phase).cloned().unwrap_or_default();
        let (started, left) = (done(Phase::Start), done(Phase::Leave));
        for (phase, hosts) in &seen.steps {
            let before = match phase {
                Phase::Leave => &started,
                Phase::Switch => &left,
                _ => continue,
            };
            prop_assert!(hosts.iter().all(|host| before.contains(host)), "{:?}", seen.steps);
        }
    }

    #[test]
    fn no_wave_swaps_before_the_one_before_is_proven(story in stories()) {
        let seen = play(&story);
        let mut proven: BTreeSet<HostName> = BTreeSet::new();
        let mut swapped: BTreeSet<HostName> = BTreeSet::new();
        for (phase, hosts) in &seen.steps {
            match phase {
                Phase::Switch => {
                    prop_assert_eq!(&swapped, &proven);
                    prop_assert!(hosts.len() <= story.batch);
                    swapped.extend(hosts.iter().cloned());
                }
                Phase::Watch => {
                    let done = seen.done.get(&Phase::Watch).cloned().unwrap_or_default();
                    proven.extend(hosts.iter().filter(|host| done.contains(*host)).cloned());
                }
                _ => {}
            }
        }
    }

    #[test]
    fn a_swap_is_kept_on_all_hosts_or_undone_on_all_or_named(story in stories()) {
        let seen = play(&story);
        match &seen.outcome {
            Outcome::Deployed { .. } => {
                prop_assert_eq!(seen.runs_new.len(), story.hosts);
                prop_assert_eq!(seen.done.get(&Phase::Health).map(BTreeSet::len), Some(story.hosts));
                prop_assert_eq!(seen.done.get(&Phase::Outside).map(BTreeSet::len), Some(story.hosts));
            }
            Outcome::RolledBack { .. } => {
                prop_assert!(seen.runs_new.is_empty());
                let undone = seen.done.get(&Phase::Undo).cloned().unwrap_or_default();
                let asked = seen.done.get(&Phase::UndoOutside).map_or(0, BTreeSet::len);
                prop_assert_eq!(asked, 1, "the app is asked once from outside");
                prop_assert_eq!(seen.done.get(&Phase::UndoHealth).cloned().unwrap_or_default(), undone);
            }
            Outcome::Failed { left, .. } => {
                for host in &seen.runs_new {
                    prop_assert!(left.iter().any(|left| left.host == *host), "{} is left and not named", host);
                }
            }
            Outcome::Cancelled => prop_assert!(seen.runs_new.is_empty()),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn one_database_is_migrated_after_another_and_none_after_a_failure(story in stories()) {
        let seen = play(&story);
        let migrated: Vec<_> = seen.steps.iter().filter(|(phase, _)| *phase == Phase::Migrate).collect();
        prop_assert!(migrated.iter().all(|(_, hosts)| hosts.len() == 1), "{:?}", migrated);
        let done = seen.done.get(&Phase::Migrate).map_or(0, BTreeSet::len);
        prop_assert!(migrated.len() <= done + 1, "{:?}", seen.steps);
    }

    #[test]
    fn nothing_is_migrated_back_while_the_new_release_runs_anywhere(story in stories()) {
        let seen = play(&story);
        if seen.phases.contains(&Phase::MigrateBack) {
            prop_assert!(seen.runs_new.is_empty(), "{:?}", seen.steps);
        }
    }

    #[test]
    fn nothing_is_migrated_back_while_new_workers_take_jobs_anywhere(story in stories()) {
        let seen = play(&story);
        prop_assert!(seen.worked_new.is_empty(), "{:?} {:?}", seen.worked_new, seen.steps);
    }

    #[test]
    fn nothing_is_called_off_while_workers_of_an_earlier_try_take_jobs(story in stories()) {
        let seen = play(&story);
        prop_assert!(seen.outcome != Outcome::Cancelled || seen.works_new.is_empty(), "{:?}", seen.steps);
    }

    #[test]
    fn what_is_called_off_before_it_begins_brings_nothing_and_takes_nothing_away(story in stories()) {
        let seen = play(&Story { cancel_before: 0, goal: story.goal % 2, ..story });
        prop_assert_eq!(seen.phases, [Phase::Recall]);
    }

    #[test]
    fn only_a_healthy_release_is_kept(story in stories()) {
        let seen = play(&story);
        prop_assert_eq!(seen.phases.contains(&Phase::Keep), matches!(seen.outcome, Outcome::Deployed { .. }));
    }

    #[test]
    fn after_the_last_wave_began_nothing_is_called_off(story in stories()) {
        let seen = play(&story);
        let waves = story.hosts.div_ceil(story.batch);
        let begun = seen.phases.iter().filter(|phase| **phase == Phase::Switch).count();
        prop_assert!(begun < waves || seen.outcome != Outcome::Cancelled);
    }

    #[test]
    fn every_host_that_may_have_left_comes_back_or_is_named(story in stories()) {
        let seen = play(&story);
        let ran = |wanted: Phase| -> BTreeSet<HostName> {
            let steps = seen.steps.iter().filter(|(phase, _)| *phase == wanted);
            steps.flat_map(|(_, hosts)| hosts.iter().cloned()).collect()
        };
        let back = if matches!(seen.outcome, Outcome::Deployed { .. }) {
            seen.done.get(&Phase::Rejoin).cloned().unwrap_or_default()
        } else {
            // Even one whose way back failed is asked to.
            let asked = ran(Phase::UndoRejoin);
            if let Outcome::Failed { left, .. } = &seen.outcome {
                let done = seen.done.get(&Phase::UndoRejoin).cloned().unwrap_or_default();
                for host in asked.difference(&done) {
                    prop_assert!(left.iter().any(|left| left.host == *host), "{} is away and not named", host);
                }
            }
            asked
        };
        prop_assert!(ran(Phase::Leave).is_subset(&back), "{:?}", seen);
    }

    #[test]
    fn a_host_rejoins_only_when_it_is_healthy(story in stories()) {
        let seen = play(&story);
        let healthy = seen.done.get(&Phase::Health).cloned().unwrap_or_default();
        for (phase, hosts) in &seen.steps {
            if *phase == Phase::Rejoin {
                prop_assert!(hosts.iter().all(|host| healthy.contains(host)));
            }
        }
    }

    #[test]
    fn a_restored_release_proves_its_health(story in stories()) {
        let seen = play(&story);
        if story.had_previous && seen.done.contains_key(&Phase::Undo) {
            prop_assert!(seen.phases.contains(&Phase::UndoHealth));
        }
    }
}
