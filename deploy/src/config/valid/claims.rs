//! What environments lay claim to on hosts. No two of them may own the same thing.

use std::collections::BTreeMap;

use super::super::document::quoted;
use super::super::findings::Fault;
use super::super::{Address, Host, Role};

/// A machine, whoever logs in there: its name in small letters, and the port.
pub(super) type Machine = (String, u16);

/// Who owns what, by the names of environments.
#[derive(Debug, Default)]
pub(super) struct Claims {
    trees: BTreeMap<(Machine, String), String>,
    groups: BTreeMap<(Machine, String), String>,
    runtimes: BTreeMap<(Machine, String), String>,
}

/// The machine that an address leads to.
pub(super) fn machine(address: &Address) -> Machine {
    (address.host.to_ascii_lowercase(), address.port)
}

impl Claims {
    /// Claims the tree at `path` on `host`; a fault when another environment has it.
    pub(super) fn tree(&mut self, environment: &str, host: &Host, path: &str) -> Result<(), Fault> {
        let owner = claim(
            &mut self.trees,
            (machine(&host.address), path.to_owned()),
            environment,
        );
        match owner {
            None => Ok(()),
            Some(owner) => {
                let message = format!(
                    "{environment} and {owner} would fight over the same {}",
                    quoted(&format!("{path}/current"))
                );
                Err(Fault::new(
                    message,
                    "give each environment a path or a host of its own",
                ))
            }
        }
    }

    /// Claims the supervisor group on `host`, if workers run there; a fault when another environment has it,
    /// or a runtime does.
    pub(super) fn group(
        &mut self,
        environment: &str,
        host: &Host,
        group: &str,
    ) -> Result<(), Fault> {
        if !host.roles.contains(&Role::Worker) {
            return Ok(());
        }
        let key = (machine(&host.address), group.to_owned());
        if let Some(owner) = self.runtimes.get(&key) {
            return Err(has_it_too(host, owner));
        }
        let owner = claim(&mut self.groups, key, environment);
        match owner {
            None => Ok(()),
            Some(owner) => {
                let message = format!("on {} these are the workers of {owner} too", host.name);
                Err(Fault::new(
                    message,
                    "give each environment a supervisor group of its own",
                ))
            }
        }
    }

    /// Claims the group of a runtime on `host`; a fault when another environment has it, or workers do.
    pub(super) fn runtime(
        &mut self,
        environment: &str,
        host: &Host,
        group: &str,
    ) -> Result<(), Fault> {
        let key = (machine(&host.address), group.to_owned());
        let owner = match self.groups.get(&key) {
            Some(owner) => Some(owner.clone()),
            None => claim(&mut self.runtimes, key, environment),
        };
        match owner {
            None => Ok(()),
            Some(owner) => Err(has_it_too(host, &owner)),
        }
    }
}

fn has_it_too(host: &Host, owner: &str) -> Fault {
    let message = format!("on {} {owner} has this group too", host.name);
    Fault::new(message, "give each runtime a group of its own")
}

/// The owner, where it is another one.
fn claim<K: Ord>(owners: &mut BTreeMap<K, String>, thing: K, environment: &str) -> Option<String> {
    let owner = owners
        .entry(thing)
        .or_insert_with(|| environment.to_owned());
    (owner != environment).then(|| owner.clone())
}
