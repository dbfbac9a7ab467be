//! What the machine knows of databases: which is migrated next, and what is left in them.

use super::{Machine, Outcome, Phase};
use crate::migrations::Migrated;
use crate::names::HostName;

impl Machine {
    /// Takes in what hosts have told of their migrations.
    pub fn learn(&mut self, migrated: Migrated) {
        self.migrated = Some(migrated);
    }

    /// What is left in the database by a release that did not become live, in sentences.
    pub fn left_in_the_database(&self) -> Option<String> {
        let migrated = self
            .migrated
            .as_ref()
            .filter(|_| !self.migrating.is_empty())?;
        let done = matches!(self.phase, Some(Phase::Keep)) && self.cause.is_none();
        let said = migrated.left(self.goal.release(), self.gave_back)?;
        (!done).then_some(said)
    }

    /// The next host whose database is to be migrated: one after another, so that a failure leaves the others alone.
    pub(super) fn next_to_migrate(&self) -> Option<&HostName> {
        let has = |host: &&HostName| {
            let view = self.hosts.get(*host);
            view.is_some_and(|view| view.phases.contains(&Phase::Migrate))
        };
        let mut hosts = self.waves.iter().flatten().filter(has);
        hosts.find(|host| !self.migrating.contains(*host))
    }

    /// The outcome, whose failure also says what is left in the database.
    pub(super) fn with_the_database(&self, mut outcome: Outcome) -> Outcome {
        if let Outcome::RolledBack { failure, .. } | Outcome::Failed { failure, .. } = &mut outcome
            && let Some(said) = self.left_in_the_database()
        {
            let hint = failure.hint.take().map(|hint| format!("{hint} {said}"));
            failure.hint = Some(hint.unwrap_or(said));
        }
        outcome
    }
}
