//! The machines of one environment.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};

use super::super::document::quoted;
use super::super::findings::{Fault, Findings};
use super::super::place::Place;
use super::super::{Host, Role, defaults, grammar, raw};
use super::bad_name;
use super::claims::machine;
use crate::names::{DatabaseName, EnvironmentName, HostName};

const ALL_ROLES: [Role; 3] = [Role::Web, Role::Worker, Role::Migrate];

/// The hosts as far as they could be read.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    /// The good ones, each with its position in the file.
    pub(super) good: Vec<(usize, Host)>,
    /// Whether all are good.
    complete: bool,
    /// All roles that some host has; `None` where that cannot be told.
    pub(super) roles: Option<BTreeSet<Role>>,
}

impl Hosts {
    /// All hosts, where all are good.
    pub(super) fn whole(self) -> Option<Vec<Host>> {
        self.complete
            .then(|| self.good.into_iter().map(|(_, host)| host).collect())
    }
}

/// Reads the hosts of one environment, none where that has no good name.
pub(super) fn hosts(
    raw: Option<&[raw::Host]>,
    environment: Option<&EnvironmentName>,
    place: &Place,
    findings: &mut Findings<'_>,
) -> Hosts {
    let Some(raw) = raw else {
        return Hosts::default();
    };
    let count = raw.len();
    let mut read = Hosts {
        good: Vec::new(),
        complete: true,
        roles: Some(BTreeSet::new()),
    };
    let mut taken = Taken::default();
    for (index, raw) in raw.iter().enumerate() {
        let place = place.index(index);
        let roles = roles(raw.roles.as_deref(), count, &place, findings);
        read.roles = match (read.roles, &roles) {
            (Some(known), Some(more)) => {
                Some(known.into_iter().chain(more.iter().copied()).collect())
            }
            _ => None,
        };
        let name = raw
            .name
            .as_ref()
            .and_then(|name| taken.name(name, &place.key("name"), findings));
        let address = raw
            .address
            .as_ref()
            .and_then(|text| findings.take(&place.key("address"), grammar::address(text)));
        if let Some(address) = &address {
            taken.machine(machine(address), &place, findings);
        }
        let database = raw.database.as_deref().unwrap_or(defaults::DATABASE);
        let database = DatabaseName::parse(database).map_err(|bad| bad_name(&bad));
        let database = findings.take(&place.key("database"), database);
        match (name, environment, address, roles, database) {
            (Some(name), Some(environment), Some(address), Some(roles), Some(database)) => {
                read.good.push((
                    index,
                    Host {
                        name,
                        environment: environment.clone(),
                        address,
                        roles,
                        database,
                    },
                ));
            }
            _ => read.complete = false,
        }
    }
    read
}

fn roles(
    raw: Option<&[Role]>,
    count: usize,
    host: &Place,
    findings: &mut Findings<'_>,
) -> Option<Vec<Role>> {
    let place = host.key("roles");
    match raw {
        _ if findings.is_broken_below(&place) || findings.is_broken(&place) => None,
        Some(roles) => Some(roles.to_vec()),
        None if count == 1 => Some(ALL_ROLES.to_vec()),
        None => {
            let message = "one of several hosts must say what it does";
            let help = "write `roles = [\"web\"]`, with any of `web`, `worker`, `migrate`";
            findings.add(&place, Fault::new(message, help));
            None
        }
    }
}

/// What the hosts before have taken.
#[derive(Debug, Default)]
struct Taken {
    names: BTreeSet<HostName>,
    machines: BTreeMap<(String, u16), Place>,
}

impl Taken {
    fn name(&mut self, text: &str, place: &Place, findings: &mut Findings<'_>) -> Option<HostName> {
        let name = findings.take(place, HostName::parse(text).map_err(|bad| bad_name(&bad)))?;
        if !self.names.insert(name.clone()) {
            let message = format!("another host is called {} too", quoted(text));
            findings.add(
                place,
                Fault::new(message, "give each host a name of its own"),
            );
        }
        Some(name)
    }

    fn machine(&mut self, machine: (String, u16), host: &Place, findings: &mut Findings<'_>) {
        match self.machines.entry(machine) {
            Entry::Vacant(free) => drop(free.insert(host.clone())),
            Entry::Occupied(taken) => {
                let message = format!("this is the same machine as {}", taken.get());
                let help = "name each machine once per environment, with all its roles";
                findings.add(&host.key("address"), Fault::new(message, help));
            }
        }
    }
}
