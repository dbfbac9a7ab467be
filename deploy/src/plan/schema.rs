//! What becomes of the database when a release is rolled back.

use std::collections::BTreeMap;

use super::{Goal, Wish};
use crate::config::OnRollback;
use crate::facts::Facts;
use crate::names::HostName;
use crate::request::Kind;

/// What a rollback does with the schema, in words; `None` where no app migrates anything, and for other deployments.
pub(super) fn of_rollback(
    wish: Wish<'_>,
    goal: &Goal,
    facts: &BTreeMap<HostName, Facts>,
) -> Option<String> {
    let way_back = matches!(wish.request.kind, Kind::Rollback { .. });
    let nothing = matches!(goal, Goal::Nothing { .. });
    if !way_back || nothing || wish.config.steps.migrate.is_empty() {
        return None;
    }
    let brought = facts
        .values()
        .filter_map(|facts| Some((facts.live()?, facts.migrated.get(facts.live()?)?)))
        .find(|(live, _)| *live > goal.release());
    let policy = wish.environment.migrations.on_rollback;
    Some(match (policy, brought) {
        (OnRollback::Keep, Some((live, names))) => format!(
            "the schema of the database stays as it is: {live} brought {}, and a rollback takes no migration back",
            names.join(", ")
        ),
        (OnRollback::Keep, None) => {
            "the schema of the database stays as it is: a rollback takes no migration back".to_owned()
        }
        (OnRollback::RollBack, Some((live, names))) => format!(
            "at last the migrations that {live} brought are rolled back: {}",
            names.join(", ")
        ),
        (OnRollback::RollBack, None) => {
            "the schema of the database stays as it is: no migration is known to have come with what is live".to_owned()
        }
    })
}
