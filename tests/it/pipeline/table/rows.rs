//! The rows of the table: every step that a plan has, in the order in which it comes.

use std::collections::BTreeMap;

use cutover_deploy::facts::Facts;
use cutover_deploy::plan::{self, HostPlan, Step, Wish};
use cutover_deploy::{Artifact, CommitSha, DeployRequest, Digest, now, script};

use crate::pipeline::scene::Scene;

/// What a deployment runs into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Story {
    /// All is well.
    Good,
    /// The release answers badly, and the one before is made live again.
    Ill,
    /// The release fails its preflight, and is never made live.
    Unfit,
    /// The very first release answers badly, and is withdrawn.
    First,
    /// The release before is made live again by request.
    Rollback,
}

/// One step of a story.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    pub(super) story: Story,
    pub(super) phase: &'static str,
    /// What the host is to run as it.
    pub(super) step: String,
}

/// The steps of a story in their order, beginning with the greeting.
pub(super) fn sequence(story: Story, plan: &HostPlan) -> Vec<Row> {
    // Taken apart whole: a phase that is new has to find its place in the table.
    let HostPlan {
        previous: _,
        runs: _,
        stage,
        incoming,
        // Only where a pool of PHP-FPM is asked.
        warm: _,
        migrate,
        // Only where the environment wants it.
        migrate_back: _,
        start,
        leave,
        switch,
        health,
        rejoin,
        // Only where the environment wants it; nothing of it runs on a host.
        outside: _,
        watch,
        // Only where the environment wants them.
        alarms: _,
        keep,
        removed: _,
        undo,
        // Only where there are workers that overlap.
        recall: _,
        undo_rejoin,
        abandon,
        folder: _,
        root: _,
    } = plan;
    let mut all = vec![("greet", "lease".to_owned()), ("greet", "probe".to_owned())];
    let mut add = |phase, script: Option<&str>, steps: &[Step]| {
        let names = steps.iter().map(|step| step.name.clone());
        let names = script.map(str::to_owned).into_iter().chain(names);
        all.extend(names.map(|name| (phase, name)));
    };
    let asked = |is: &bool| is.then_some("health");
    let to_its_end = |steps: &[Step]| (!steps.is_empty()).then_some("finish");
    // The artifact is brought by the script that then guards the steps.
    add("stage", incoming.as_ref().map(|_| "guard"), stage);
    if story == Story::Unfit {
        let failed = |(_, name): &(_, String)| name.starts_with("preflight");
        let end = all.iter().position(failed).unwrap();
        all.truncate(end + 1);
        let mut add = |name: &str| all.push(("abandon", name.to_owned()));
        add("finish");
        for step in abandon {
            add(&step.name);
        }
        return named(story, all);
    }
    add("migrate", to_its_end(migrate), migrate);
    add("start", to_its_end(start), start);
    add("leave", to_its_end(leave), leave);
    add("switch", to_its_end(switch), switch);
    add("health", asked(health), &[]);
    match story {
        Story::Good | Story::Rollback => {
            add("rejoin", to_its_end(rejoin), rejoin);
            add("watch", asked(watch), &[]);
            add("keep", to_its_end(keep), keep);
        }
        Story::Ill | Story::First | Story::Unfit => {
            add("undo", to_its_end(undo), undo);
            let asked = asked(&(*health && story == Story::Ill));
            add("health after undo", asked, &[]);
            add("rejoin after undo", to_its_end(undo_rejoin), undo_rejoin);
        }
    }
    named(story, all)
}

fn named(story: Story, all: Vec<(&'static str, String)>) -> Vec<Row> {
    let row = |(phase, step)| Row { story, phase, step };
    all.into_iter().map(row).collect()
}

/// Whether a row is one of the table: where two stories begin alike, it is of one of them.
pub(super) fn is_own(row: &Row) -> bool {
    let Row { story, phase, step } = row;
    // What carries steps to their end is no step itself; that it can be cut off too is shown where most hangs on it.
    if step == "finish" {
        return matches!(
            (story, *phase),
            (Story::Good, "switch") | (Story::Ill, "undo")
        );
    }
    match story {
        Story::Good | Story::Rollback => true,
        // An ill release that nobody asks about any more stays live until somebody comes.
        Story::Ill => ["health", "undo", "health after undo", "rejoin after undo"].contains(phase),
        Story::First => ["undo", "rejoin after undo"].contains(phase),
        Story::Unfit => *phase == "abandon",
    }
}

/// The plan of a request for the one host, from what the host says now.
pub(super) async fn plan(scene: &Scene, request: &DeployRequest) -> HostPlan {
    let root = scene.host().path();
    let around = script::AROUND.replace('\'', "'\\''");
    let probe = format!(
        "set -- {} '{around}' .env\n{}",
        root.display(),
        script::PROBE
    );
    let mut facts = Facts::default();
    let told = scene.host().sh(&probe).await;
    told.lines().for_each(|line| facts.hear(line));
    let artifact = Artifact {
        file: root,
        digest: Digest::parse(&"0".repeat(64)).unwrap(),
        bytes: 1,
        unpacked_bytes: 1,
        files: 1,
        parts: Vec::new(),
        commit: CommitSha::parse(&"0".repeat(40)).unwrap(),
    };
    let environment = scene.config.environment("production").unwrap();
    let wish = Wish {
        config: &scene.config,
        environment,
        request,
        artifact: Some(&artifact),
        now: now(),
    };
    let host = environment.hosts[0].name.clone();
    let planned = plan::plan(wish, &BTreeMap::from([(host.clone(), facts)]));
    planned.unwrap().hosts.remove(&host).unwrap()
}
