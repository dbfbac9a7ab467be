//! What a deployment is to achieve, seen what is live.

use std::collections::BTreeMap;

use jiff::ToSpan as _;

use super::{Refusal, Wish};
use crate::Failure;
use crate::config::{Environment, Host, Role, Workers};
use crate::facts::{Facts, ReleaseRecord, ReleaseState};
use crate::names::{CommitSha, EnvironmentName, HostName, ReleaseId};
use crate::request::{DeployRequest, Kind};

/// What a deployment is to achieve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Goal {
    /// A new release becomes live.
    Fresh {
        /// Which.
        release: ReleaseId,
    },
    /// A release that was healthy once becomes live again.
    Return {
        /// Which.
        release: ReleaseId,
    },
    /// An earlier try of the same deployment swapped and was cut off before it was proven: go on from there.
    Resume {
        /// Which.
        release: ReleaseId,
    },
    /// An earlier try of the same deployment was cut off while it was taken back: take it back everywhere.
    TakeBack {
        /// Which.
        release: ReleaseId,
    },
    /// What is wanted is live and healthy everywhere.
    Nothing {
        /// Which.
        release: ReleaseId,
    },
}

impl Goal {
    /// The release that is to be live in the end.
    pub fn release(&self) -> &ReleaseId {
        match self {
            Self::Fresh { release }
            | Self::Return { release }
            | Self::Resume { release }
            | Self::TakeBack { release }
            | Self::Nothing { release } => release,
        }
    }
}

pub(super) fn goal(wish: Wish<'_>, facts: &BTreeMap<HostName, Facts>) -> Result<Goal, Refusal> {
    match &wish.request.kind {
        Kind::Deploy { commit } => Ok(goal_of_deploy(
            wish.environment,
            wish.request,
            commit,
            facts,
        )),
        Kind::Rollback { to } => goal_of_rollback(wish, to.as_ref(), facts),
    }
}

pub(super) fn goal_of_deploy(
    environment: &Environment,
    request: &DeployRequest,
    commit: &CommitSha,
    facts: &BTreeMap<HostName, Facts>,
) -> Goal {
    let release = own_release(request, commit, facts);
    let live = live_everywhere(environment, commit, facts);
    if let Some(Goal::Nothing { release }) = live {
        return Goal::Nothing { release };
    }
    if resumes(request, &release, facts) {
        return Goal::Resume { release };
    }
    if was_being_taken_back(request, &release, facts) {
        return Goal::TakeBack { release };
    }
    live.unwrap_or(Goal::Fresh { release })
}

/// The release of this deployment: what it made before it was cut off, or a new one. A new one is newer by its name than
/// all that are there, whatever the clock of another deployer says: rollback and retention go by that order.
fn own_release(
    request: &DeployRequest,
    commit: &CommitSha,
    facts: &BTreeMap<HostName, Facts>,
) -> ReleaseId {
    let asked = ReleaseId::of(commit, request.requested_at);
    let known = || facts.values().flat_map(|facts| &facts.releases);
    let is_own = |(id, record): &(&ReleaseId, &Option<ReleaseRecord>)| {
        let made = record.as_ref();
        let mine = made.is_some_and(|made| made.deployment == request.deployment);
        let same = made.is_some_and(|made| made.commit.as_ref() == Some(commit));
        mine && same && id.is_ours() && asked.is_not_after(id)
    };
    if let Some((id, _)) = known().find(is_own) {
        return id.clone();
    }
    let others = known().filter(|(id, record)| **id != asked || record.is_some());
    let newest = others.filter_map(|(id, _)| id.made_at()).max();
    match newest {
        Some(newest) if newest.as_second() >= request.requested_at.as_second() => {
            ReleaseId::of(commit, newest + 1.second())
        }
        _ => asked,
    }
}

/// What to do where a healthy release of this commit is live on every host.
fn live_everywhere(
    environment: &Environment,
    commit: &CommitSha,
    facts: &BTreeMap<HostName, Facts>,
) -> Option<Goal> {
    let same_commit = |facts: &Facts| {
        let live = facts.live()?;
        let record = facts.record(live)?;
        (record.commit.as_ref() == Some(commit) && record.state == ReleaseState::Healthy)
            .then(|| live.clone())
    };
    let mut live = facts.values().map(same_commit);
    let first = live.next()??;
    live.all(|other| other.as_ref() == Some(&first))
        .then(|| stay_or_settle(environment, first, facts))
}

/// Whether this very deployment swapped to `release` before it was cut off. A host that runs it proves that the barrier
/// was passed: every host has it ready, and the database is migrated.
fn resumes(
    request: &DeployRequest,
    release: &ReleaseId,
    facts: &BTreeMap<HostName, Facts>,
) -> bool {
    let swapped = |facts: &Facts| {
        let by = facts
            .record(release)
            .and_then(|record| record.live_by.as_ref());
        facts.live() == Some(release) && by == Some(&request.deployment)
    };
    let here = |facts: &Facts| {
        let state = facts.record(release).map(|record| record.state);
        matches!(
            state,
            Some(ReleaseState::Ready | ReleaseState::Live | ReleaseState::Healthy)
        )
    };
    facts.values().any(swapped) && facts.values().all(here)
}

/// Whether this very deployment was cut off while it was taken back: a host still runs it, and another does not any more.
fn was_being_taken_back(
    request: &DeployRequest,
    release: &ReleaseId,
    facts: &BTreeMap<HostName, Facts>,
) -> bool {
    let runs = |facts: &Facts| {
        let by = facts
            .record(release)
            .and_then(|record| record.live_by.as_ref());
        facts.live() == Some(release) && by == Some(&request.deployment)
    };
    facts.values().any(runs)
}

/// Nothing is to be done for a release that is live, unless it was never proven that everything follows it, or another
/// deployment was cut off on its way to a swap.
fn stay_or_settle(
    environment: &Environment,
    release: ReleaseId,
    facts: &BTreeMap<HostName, Facts>,
) -> Goal {
    let settled = |host: &Host| {
        let facts = facts.get(&host.name);
        let record = facts.and_then(|facts| facts.record(&release));
        let whole = facts.is_some_and(|facts| cut_off(environment, host, facts).is_empty());
        whole && record.is_some_and(|record| record.settled)
    };
    if environment.hosts.iter().all(settled) {
        Goal::Nothing { release }
    } else {
        Goal::Return { release }
    }
}

/// What somebody began who was cut off on the way to a swap that never came: a release that was ready, or about to be live,
/// and was not given up, and workers whose hand-over was neither proven nor taken back.
pub(super) fn cut_off(environment: &Environment, host: &Host, facts: &Facts) -> Vec<String> {
    let live = facts.live();
    let unfinished = |(id, record): (&ReleaseId, &Option<ReleaseRecord>)| {
        let begun = record
            .as_ref()
            .is_some_and(|record| record.state.is_begun());
        (begun && Some(id) != live).then(|| format!("release {id}"))
    };
    let works = host.roles.contains(&Role::Worker);
    let handed_over = |workers: &Workers| {
        let begun = works && facts.begun.contains(&workers.group);
        begun.then(|| format!("workers of {}", workers.group))
    };
    let releases = facts.releases.iter().filter_map(unfinished);
    let workers = environment.workers.iter().filter_map(handed_over);
    releases.chain(workers).collect()
}

fn goal_of_rollback(
    wish: Wish<'_>,
    to: Option<&ReleaseId>,
    facts: &BTreeMap<HostName, Facts>,
) -> Result<Goal, Refusal> {
    let (request, environment) = (wish.request, &wish.environment.name);
    let everywhere = |id: &ReleaseId| is_way_back(id, facts);
    let is_live = |id: &ReleaseId| facts.values().all(|facts| facts.live() == Some(id));
    if let Some(release) = to {
        return if resumes(request, release, facts) {
            Ok(Goal::Resume {
                release: release.clone(),
            })
        } else if !everywhere(release) {
            let why = match facts.values().find_map(|facts| facts.record(release)) {
                Some(_) => format!("release {release} was never healthy on every host"),
                None if facts
                    .values()
                    .any(|facts| facts.releases.contains_key(release)) =>
                {
                    format!("nothing proves that release {release} was ever live on every host")
                }
                None => format!("there is no release {release}"),
            };
            Err(nothing_to_return_to(environment, why))
        } else if is_live(release) {
            Ok(stay_or_settle(wish.environment, release.clone(), facts))
        } else {
            Ok(Goal::Return {
                release: release.clone(),
            })
        };
    }
    let ours = |id: &&ReleaseId| was_being_taken_back(request, id, facts);
    if let Some(release) = facts.values().find_map(|host| host.live().filter(ours)) {
        let release = release.clone();
        return Ok(if resumes(request, &release, facts) {
            Goal::Resume { release }
        } else {
            Goal::TakeBack { release }
        });
    }
    let newest_live = facts.values().filter_map(Facts::live).max();
    // What was live before this one comes first: a newer one may have been rolled away from for a reason.
    let replaced = newest_live.and_then(|live| {
        facts
            .values()
            .find_map(|facts| facts.record(live)?.previous.as_ref())
    });
    let earlier =
        |id: &ReleaseId| newest_live.is_some_and(|live| id != live && id.is_not_after(live));
    if let Some(release) = replaced.filter(|id| earlier(id) && everywhere(id)) {
        return Ok(Goal::Return {
            release: release.clone(),
        });
    }
    let candidates = facts
        .values()
        .next()
        .map(|facts| facts.releases.keys())
        .into_iter()
        .flatten();
    let before = candidates
        .filter(|id| newest_live.is_none_or(|live| *id < live))
        .filter(|id| everywhere(id))
        .max();
    match before {
        Some(release) => Ok(Goal::Return {
            release: release.clone(),
        }),
        None => Err(nothing_to_return_to(
            environment,
            "there is no earlier release that was healthy on every host".to_owned(),
        )),
    }
}

/// Whether a rollback may go to a release on every host. Where another tool made it, its name alone may mean different
/// things on different hosts, as Deployer counts on each by itself.
fn is_way_back(id: &ReleaseId, facts: &BTreeMap<HostName, Facts>) -> bool {
    let mut commits = facts.values().map(|facts| facts.commit(id));
    let first = commits.next().flatten();
    let same = facts.len() < 2 || first.is_some() && commits.all(|commit| commit == first);
    let foreign = facts.values().any(|facts| facts.is_foreign(id));
    facts.values().all(|facts| facts.is_way_back(id)) && (same || !foreign)
}

fn nothing_to_return_to(environment: &EnvironmentName, message: String) -> Refusal {
    let hint = format!(
        "See what is there with `cutover releases {environment}`, or deploy the commit that you want."
    );
    Refusal {
        failure: Box::new(Failure {
            host: None,
            step: "plan".to_owned(),
            message,
            hint: Some(hint),
        }),
        more: Vec::new(),
        held: false,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::config::Config;
    use crate::names::DeploymentId;

    const COMMIT: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    /// What a deployment of the commit is to achieve where `r1` of it is live and healthy, and more is true.
    fn goal_where(more: &str) -> Goal {
        let text = "app = \"x\"\nrepository = \"github:a/b\"\n[environments.production]\npath = \"/srv/app\"\n\
            [[environments.production.hosts]]\nname = \"web1\"\naddress = \"a@b\"\n\
            [[environments.production.workers]]\ngroup = \"mail\"\n";
        let config = Config::parse("x", text).unwrap_or_else(|problems| panic!("{problems}"));
        let commit = CommitSha::parse(COMMIT).unwrap();
        let request = DeployRequest {
            deployment: DeploymentId::parse("d3").unwrap(),
            kind: Kind::Deploy {
                commit: commit.clone(),
            },
            actor: "alice".to_owned(),
            run_url: None,
            keeper: None,
            plan_digest: None,
            allow_destructive: false,
            requested_at: Timestamp::UNIX_EPOCH,
        };
        let mut facts = Facts::default();
        facts.hear("current link releases/r1");
        facts.hear(&record("r1", "healthy"));
        facts.hear(more);
        assert!(facts.strange.is_empty(), "{:?}", facts.strange);
        let facts = BTreeMap::from([(HostName::parse("web1").unwrap(), facts)]);
        let environment = config.environment("production").unwrap();
        goal_of_deploy(environment, &request, &commit, &facts)
    }

    fn record(id: &str, state: &str) -> String {
        format!(
            "release {id} {{\"release\":\"{id}\",\"state\":\"{state}\",\"commit\":\"{COMMIT}\",\"digest\":null,\
             \"deployment\":\"d1\",\"actor\":\"alice\",\"run_url\":null,\"settled\":true,\"live_by\":null,\
             \"previous\":null,\"changed_at\":\"2026-01-01T00:00:00Z\"}}"
        )
    }

    #[test]
    fn what_is_live_is_proven_anew_where_somebody_was_cut_off_on_his_way_to_a_swap() {
        let release = ReleaseId::parse("r1").unwrap();
        let nothing = Goal::Nothing {
            release: release.clone(),
        };
        let anew = Goal::Return { release };
        assert_eq!(goal_where("tool curl"), nothing);
        assert_eq!(goal_where(&record("r2", "ready")), anew);
        assert_eq!(goal_where(&record("r2", "live")), anew);
        assert_eq!(goal_where("begun mail"), anew);
        // It ended, or is nothing that this file knows.
        assert_eq!(goal_where(&record("r2", "failed")), nothing);
        assert_eq!(goal_where(&record("r2", "staging")), nothing);
        assert_eq!(goal_where("begun import"), nothing);
    }
}
