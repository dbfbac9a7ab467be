//! The plan of a deployment: pure, from what is wanted and what hosts said. It says every step with its real values, and
//! changes nothing.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::alarms::Alarm;
use crate::config::{Config, Environment};
use crate::facts::Facts;
use crate::names::{CommitSha, HostName, ReleaseId};
use crate::request::{DeployRequest, Kind};
use crate::{Artifact, Failure};

mod after_swap;
mod alarms;
pub mod fit;
mod goal;
mod remarks;
mod retain;
mod schema;
mod steps;
mod told;
mod waves;

pub use after_swap::{AfterSwap, after_swap};
pub use goal::Goal;
pub use remarks::remarks;
pub use steps::Step;
#[cfg(feature = "run")]
pub(crate) use steps::{patience, shown};

/// What a deployment will do, on every host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What it is to achieve.
    pub goal: Goal,
    /// The release that is to be live in the end.
    pub release: ReleaseId,
    /// The commit it was made from, as far as known.
    pub commit: Option<CommitSha>,
    /// What is live now on the hosts, if they agree; the first host's otherwise.
    pub previous: Option<ReleaseId>,
    /// The commit that was made from, as far as known.
    pub previous_commit: Option<CommitSha>,
    /// The hosts that swap at once, wave after wave.
    pub waves: Vec<Vec<HostName>>,
    /// What becomes of the database on a way back, in words.
    pub schema: Option<String>,
    /// The work of every host.
    pub hosts: BTreeMap<HostName, HostPlan>,
    /// What is worth knowing of hosts and stands in nobody's way.
    pub remarks: Vec<(HostName, String)>,
}

/// The work of one host, by phase. An empty phase is left out for this host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says of one phase whether it takes place here"
)]
pub struct HostPlan {
    /// What was live before, and is live again after an undo. Where that was never proven, the healthy one before it.
    pub previous: Option<ReleaseId>,
    /// Whether the release of this deployment is live here already.
    pub runs: bool,
    /// Brings and prepares the release beside the live one.
    pub stage: Vec<Step>,
    /// Where the artifact is put while it arrives; only when it has to be brought.
    pub incoming: Option<String>,
    /// Whether the new release is asked in the live pool before the swap.
    pub warm: bool,
    /// Changes the database.
    pub migrate: Vec<Step>,
    /// Rolls that back where the release is taken back and the environment wants it.
    pub migrate_back: Vec<Step>,
    /// Starts workers of the release, where other hosts of its wave wait for that; otherwise a part of `switch`.
    pub start: Vec<Step>,
    /// Has old workers take no further job, where other hosts of its wave wait for that; otherwise a part of `switch`.
    pub leave: Vec<Step>,
    /// Makes the release live and its processes follow.
    pub switch: Vec<Step>,
    /// Has the host come back to where it left from before its swap, once it is healthy.
    pub rejoin: Vec<Step>,
    /// Whether health is asked here.
    pub health: bool,
    /// What is asked from outside, where this host speaks for its wave.
    pub outside: Vec<String>,
    /// Whether the app is asked for a while longer.
    pub watch: bool,
    /// What is looked at from here meanwhile.
    pub alarms: Vec<Alarm>,
    /// Marks the release healthy and removes old ones.
    pub keep: Vec<Step>,
    /// The releases that are removed then.
    pub removed: Vec<ReleaseId>,
    /// Makes the previous release live again and its processes follow.
    pub undo: Vec<Step>,
    /// Takes back what was begun with workers, where nothing was swapped.
    pub recall: Vec<Step>,
    /// Has the host come back, whatever is live on it by then.
    pub undo_rejoin: Vec<Step>,
    /// Takes away what was brought, when nothing was swapped.
    pub abandon: Vec<Step>,
    /// Where output and status of steps that run to their end are kept.
    pub folder: String,
    /// The path of the environment.
    pub root: String,
}

impl HostPlan {
    /// How many segments and questions it takes here when all goes well.
    pub fn channels(&self) -> usize {
        let segments = [
            &self.stage,
            &self.migrate,
            &self.start,
            &self.leave,
            &self.switch,
            &self.rejoin,
            &self.keep,
        ];
        let segments = segments.iter().filter(|steps| !steps.is_empty()).count();
        let questions = [self.health, self.watch && self.health];
        segments + questions.into_iter().filter(|asked| *asked).count()
    }
}

/// A deployment that does not begin, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The first reason, and the most important.
    pub failure: Box<Failure>,
    /// The others.
    pub more: Vec<Failure>,
    /// Whether somebody's hold stands in the way, and nothing else.
    pub held: bool,
}

/// Everything a plan is made from.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The environment.
    pub environment: &'a Environment,
    /// What is asked for.
    pub request: &'a DeployRequest,
    /// The artifact, where one is at hand.
    pub artifact: Option<&'a Artifact>,
    /// The time, for records.
    pub now: Timestamp,
}

/// Makes the plan of a deployment from what every host said, or says why there can be none.
pub fn plan(wish: Wish<'_>, facts: &BTreeMap<HostName, Facts>) -> Result<Plan, Refusal> {
    let goal = goal::goal(wish, facts)?;
    let release = goal.release().clone();
    fit::held(wish, &goal, facts)?;
    fit::check(wish, &goal, facts)?;
    let waves = waves::waves(wish.environment, &wish.request.kind);
    let mut hosts: BTreeMap<HostName, HostPlan> = wish
        .environment
        .hosts
        .iter()
        .filter_map(|host| Some((host, facts.get(&host.name)?)))
        .map(|(host, facts)| {
            (
                host.name.clone(),
                steps::host_plan(wish, &goal, host, facts, &waves),
            )
        })
        .collect();
    waves::name_speakers(wish.environment, &waves, &mut hosts);
    alarms::give(wish, &goal, &waves, &mut hosts);
    let previous = wish
        .environment
        .hosts
        .first()
        .and_then(|host| match hosts.get(&host.name)? {
            host if host.runs => host.previous.clone(),
            _ => facts.get(&host.name)?.live().cloned(),
        });
    let commit_of = |id: &ReleaseId| facts.values().find_map(|facts| facts.commit(id)).cloned();
    let commit = match &wish.request.kind {
        Kind::Deploy { commit } => Some(commit.clone()),
        Kind::Rollback { .. } => commit_of(&release),
    };
    Ok(Plan {
        commit,
        previous_commit: previous.as_ref().and_then(commit_of),
        release,
        previous,
        waves,
        remarks: remarks::of_all(wish, facts),
        schema: schema::of_rollback(wish, &goal, facts),
        goal,
        hosts,
    })
}

impl Plan {
    /// What it is to achieve, in one line.
    fn aim(&self) -> String {
        match &self.goal {
            Goal::Fresh { release } => format!("make {release} live"),
            Goal::Return { release } => format!("return to {release}"),
            Goal::Resume { release } => {
                format!("take up {release}, which is live and not yet proven")
            }
            Goal::TakeBack { release } => {
                format!("take {release} back, which was cut off on its way back")
            }
            Goal::Nothing { release } => format!("nothing to do: {release} is live and healthy"),
        }
    }

    /// The order of waves, where there are several.
    fn order(&self) -> Option<String> {
        let wave = |hosts: &Vec<HostName>| {
            let names: Vec<&str> = hosts.iter().map(HostName::as_str).collect();
            names.join(" and ")
        };
        let waves: Vec<String> = self.waves.iter().map(wave).collect();
        (waves.len() > 1).then(|| format!("live one after another: {}", waves.join(", then ")))
    }

    /// The plan for a reader, a line each.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.aim()];
        for (name, host) in &self.hosts {
            let HostPlan {
                stage,
                migrate,
                start,
                leave,
                switch,
                ..
            } = host;
            let names = [stage, migrate, start, leave, switch]
                .into_iter()
                .flatten()
                .map(|step| step.name.as_str());
            let mut names: Vec<&str> = names.collect();
            if host.health {
                names.push("health");
            }
            if !host.outside.is_empty() {
                names.push("outside");
            }
            let ends = host.rejoin.iter().chain(&host.keep);
            names.extend(ends.map(|step| step.name.as_str()));
            let from = host.previous.as_ref().map_or("nothing", ReleaseId::as_str);
            lines.push(format!("{name}: from {from}: {}", names.join(", ")));
        }
        lines.extend(self.order());
        lines.extend(self.schema.clone());
        lines
    }
}

/// Whether a request would bring bytes to any host, by what the hosts said.
pub fn brings_bytes(
    environment: &Environment,
    request: &DeployRequest,
    facts: &BTreeMap<HostName, Facts>,
) -> bool {
    match &request.kind {
        Kind::Rollback { .. } => false,
        Kind::Deploy { commit } => {
            let all_here = environment
                .hosts
                .iter()
                .all(|host| facts.contains_key(&host.name));
            !all_here
                || matches!(
                    goal::goal_of_deploy(environment, request, commit, facts),
                    Goal::Fresh { .. }
                )
        }
    }
}
