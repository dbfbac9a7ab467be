//! Which releases are kept, and which one is the way back.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::{Facts, ReleaseRecord, ReleaseState};
use crate::names::ReleaseId;

/// The releases to remove once `live` is live and healthy, oldest first.
///
/// Healthy ones and failed ones have quotas of their own, so failures never push out what rollback needs. `live`, the
/// newest healthy one before it, `previous`, and releases that nothing is known of or that another tool made are never
/// removed.
pub(super) fn to_remove(
    releases: &BTreeMap<ReleaseId, Option<ReleaseRecord>>,
    live: &ReleaseId,
    previous: Option<&ReleaseId>,
    keep_healthy: u32,
    keep_failed: u32,
) -> Vec<ReleaseId> {
    let healthy = |id: &ReleaseId| matches!(releases.get(id), Some(Some(record)) if record.state == ReleaseState::Healthy && record.digest.is_some());
    // What is not removed does not count either.
    let foreign = matches!(releases.get(live), Some(record) if record.as_ref().is_none_or(|record| record.digest.is_none()));
    let before = releases.keys().rfind(|id| *id < live && healthy(id));
    let spared: BTreeSet<&ReleaseId> = before
        .into_iter()
        .chain(previous)
        .filter(|id| *id != live)
        .collect();
    let mut healthy_left = keep_healthy.saturating_sub(u32::from(!foreign)).max(1);
    for id in &spared {
        healthy_left = healthy_left.saturating_sub(u32::from(healthy(id)));
    }
    let mut failed_left = keep_failed;
    let mut remove = Vec::new();
    for (id, record) in releases.iter().rev() {
        let Some(record) = record
            .as_ref()
            .filter(|record| record.digest.is_some() && id != live && !spared.contains(id))
        else {
            continue;
        };
        let left = if record.state == ReleaseState::Healthy {
            &mut healthy_left
        } else {
            &mut failed_left
        };
        match left.checked_sub(1) {
            Some(less) => *left = less,
            None => remove.push(id.clone()),
        }
    }
    remove.reverse();
    remove
}

/// The releases that failed or were given up, beyond their quota, oldest first. `live` is never one of them.
pub(super) fn failed_to_remove(
    releases: &BTreeMap<ReleaseId, Option<ReleaseRecord>>,
    live: Option<&ReleaseId>,
    keep_failed: u32,
) -> Vec<ReleaseId> {
    let failed =
        |record: &ReleaseRecord| record.state != ReleaseState::Healthy && record.digest.is_some();
    let mut remove: Vec<ReleaseId> = releases
        .iter()
        .rev()
        .filter(|(id, record)| Some(*id) != live && record.as_ref().is_some_and(failed))
        .skip(keep_failed as usize)
        .map(|(id, _)| id.clone())
        .collect();
    remove.reverse();
    remove
}

/// What is made live again when a release that is new here fails: what is live, unless that was never proven because its
/// deployer died; then what was live and healthy before it.
pub(super) fn way_back(facts: &Facts) -> Option<ReleaseId> {
    let live = facts.live()?;
    let unproven = facts
        .record(live)
        .filter(|record| record.state == ReleaseState::Live);
    let before = unproven.and_then(|record| record.previous.as_ref());
    let before = before.filter(|id| facts.is_way_back(id));
    Some(before.unwrap_or(live).clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{CommitSha, DeploymentId, Digest};

    fn releases(states: &str) -> BTreeMap<ReleaseId, Option<ReleaseRecord>> {
        states
            .chars()
            .enumerate()
            .map(|(n, letter)| {
                let release = id(n);
                let state = match letter {
                    'h' | 'o' => ReleaseState::Healthy,
                    'f' => ReleaseState::Failed,
                    's' => ReleaseState::Staging,
                    'r' => ReleaseState::RolledBack,
                    _ => return (release, None),
                };
                let digest = Digest::parse(&"b".repeat(64)).unwrap();
                let record = ReleaseRecord {
                    release: release.clone(),
                    state,
                    commit: Some(CommitSha::parse(&"a".repeat(40)).unwrap()),
                    digest: (letter != 'o').then_some(digest),
                    deployment: DeploymentId::parse("d").unwrap(),
                    actor: "alice".into(),
                    run_url: None,
                    settled: true,
                    live_by: None,
                    previous: None,
                    changed_at: Timestamp::UNIX_EPOCH,
                };
                (release, Some(record))
            })
            .collect()
    }

    use jiff::Timestamp;

    fn id(n: usize) -> ReleaseId {
        ReleaseId::parse(&format!("r{n:02}")).unwrap()
    }

    /// Removes after the last release of `states` became live with keep = `healthy`, and shows what is left.
    fn left(states: &str, healthy: u32, failed: u32) -> String {
        let all = releases(states);
        let gone = to_remove(&all, &id(states.len() - 1), None, healthy, failed);
        states
            .chars()
            .enumerate()
            .map(|(n, state)| if gone.contains(&id(n)) { '.' } else { state })
            .collect()
    }

    #[test]
    fn failures_never_push_out_what_rollback_needs() {
        assert_eq!(left("hffffffffffh", 3, 1), "h.........fh");
        assert_eq!(left("hhhfrsfh", 2, 0), "..h....h");
    }

    #[test]
    fn the_newest_healthy_before_the_live_one_stays_even_with_keep_one() {
        assert_eq!(left("hhhh", 1, 0), "..hh");
        assert_eq!(left("hhhh", 3, 0), ".hhh");
    }

    #[test]
    fn on_the_way_back_the_next_way_back_stays() {
        let gone = to_remove(&releases("hhhhhhh"), &id(1), Some(&id(6)), 5, 0);
        assert!(!gone.contains(&id(0)) && !gone.contains(&id(6)), "{gone:?}");
    }

    #[test]
    fn what_nothing_is_known_of_stays() {
        assert_eq!(left("??hhh", 1, 0), "??.hh");
    }

    #[test]
    fn what_another_tool_made_stays_even_when_it_was_returned_to() {
        assert_eq!(left("oohhh", 1, 0), "oo.hh");
    }
}
