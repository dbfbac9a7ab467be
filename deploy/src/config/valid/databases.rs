//! Which host migrates which database: one for each, or nobody knows how often a migration runs.

use std::collections::BTreeMap;

use super::super::document::quoted;
use super::super::findings::{Fault, Findings};
use super::super::place::Place;
use super::super::{Role, Steps, raw};
use super::hosts::Hosts;

/// Refuses a database that two hosts migrate, and one that is named and that no host migrates.
pub(super) fn check(
    raw: Option<&[raw::Host]>,
    steps: &Steps,
    hosts: &Hosts,
    place: &Place,
    findings: &mut Findings<'_>,
) {
    let Some(roles) = hosts.roles.as_ref().filter(|_| !steps.migrate.is_empty()) else {
        return;
    };
    let mut migrated = BTreeMap::new();
    for (index, host) in &hosts.good {
        if !host.roles.contains(&Role::Migrate) {
            continue;
        }
        let Some(first) = migrated.insert(host.database.as_str(), &host.name) else {
            continue;
        };
        let message = format!(
            "{first} and {} would both migrate the database {}",
            host.name,
            quoted(host.database.as_str())
        );
        let help = "take `\"migrate\"` out of the roles of one, or name two databases: `database = \"eu\"`";
        findings.add(&place.index(*index).key("roles"), Fault::new(message, help));
    }
    let named = |index: usize| {
        raw.and_then(|raw| raw.get(index))
            .is_some_and(|host| host.database.is_some())
    };
    for (index, host) in &hosts.good {
        if !named(*index)
            || migrated.contains_key(host.database.as_str())
            || !roles.contains(&Role::Migrate)
        {
            continue;
        }
        let message = format!(
            "no host migrates the database {}",
            quoted(host.database.as_str())
        );
        let help = "add `\"migrate\"` to the roles of one of its hosts, or take `database` out";
        findings.add(
            &place.index(*index).key("database"),
            Fault::new(message, help),
        );
    }
}
