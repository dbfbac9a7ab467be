//! What migrate steps have done, read from what they print.

use super::is_migration;
use crate::names::ReleaseId;

/// What the migrate steps of a deployment have done, as far as they told it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Migrated {
    /// The migrations that are done, in their order.
    pub done: Vec<String>,
    /// The migration that began and did not end.
    pub broken: Option<String>,
    /// Whether it was said that there is nothing to do.
    pub nothing: bool,
}

impl Migrated {
    /// Takes in a line that a migrate step printed.
    pub fn hear(&mut self, line: &str) {
        let line = line.trim();
        if let Some(name) = line.strip_prefix("Migrating:") {
            self.broken = Some(name.trim().to_owned());
        } else if let Some(rest) = line.strip_prefix("Migrated:") {
            self.ended(rest);
        } else if line.ends_with("DONE") {
            self.ended(line);
        } else if line.ends_with("FAIL") {
            self.broken = first_name(line);
        }
        self.nothing |= line.ends_with("Nothing to migrate.");
    }

    fn ended(&mut self, rest: &str) {
        if let Some(name) = first_name(rest) {
            self.done.push(name);
            self.broken = None;
        }
    }

    /// Takes in what another host has told.
    pub fn add(&mut self, other: &Self) {
        for name in &other.done {
            if !self.done.contains(name) {
                self.done.push(name.clone());
            }
        }
        self.broken = self.broken.take().or_else(|| other.broken.clone());
        self.nothing &= other.nothing;
    }

    /// What is left in the database by a release that did not become live, in sentences; `None` where nothing is. What
    /// was `rolled_back` are the migrations that are done.
    pub fn left(&self, release: &ReleaseId, rolled_back: bool) -> Option<String> {
        let mut said = Vec::new();
        if !self.done.is_empty() && !rolled_back {
            let names = self.done.join(", ");
            said.push(format!(
                "The schema of the database stays as {release} has made it: {names} ran and no step rolls back."
            ));
        }
        if let Some(name) = &self.broken {
            said.push(format!(
                "{name} broke off: PostgreSQL takes back what it had done, MySQL, MariaDB and SQLite keep it."
            ));
        }
        if said.is_empty() && self.done.is_empty() && !self.nothing {
            said.push("What the migrate steps have changed in the database stays.".to_owned());
        }
        (!said.is_empty()).then(|| said.join(" "))
    }
}

/// The file name of a migration that a text begins with.
fn first_name(text: &str) -> Option<String> {
    let name = text.split_whitespace().next()?;
    is_migration(name).then(|| name.to_owned())
}
