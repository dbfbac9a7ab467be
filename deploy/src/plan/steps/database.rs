//! The steps that concern the database.

use super::{Site, Step};
use crate::config::{Destructive, OnRollback, Role};
use crate::names::ReleaseId;
use crate::request::Kind;
use crate::script::{LINE, Script};

impl Site<'_> {
    /// Shows what the migrations would do, on hosts that migrate. Where that is allowed anyway, nothing depends on it.
    pub(super) fn preview(&self) -> Vec<Step> {
        if !self.migrates() || self.wish.config.steps.migrate.is_empty() {
            return Vec::new();
        }
        let lines = &self.wish.config.steps.preview;
        let allowed = self.wish.environment.migrations.destructive == Destructive::Allow;
        if allowed || self.wish.request.allow_destructive {
            self.around("preview", lines, Script::LineIfPossible, self.release)
        } else {
            self.lines("preview", lines, self.release)
        }
    }

    pub(super) fn migrate(&self) -> Vec<Step> {
        if !self.migrates() {
            return Vec::new();
        }
        let lines = &self.wish.config.steps.migrate;
        self.around("migrate", lines, Script::Migrate, self.release)
    }

    /// Rolls back what this release has migrated, for the case that it is taken back.
    pub(super) fn migrate_back(&self) -> Vec<Step> {
        match self.wish.request.kind {
            Kind::Deploy { .. } => self.back(self.release),
            Kind::Rollback { .. } => Vec::new(),
        }
    }

    /// The same for the release that a rollback leaves. It runs last: code of that release needs its schema, and code of
    /// the one before must get on with either.
    pub(super) fn migrate_back_left(&self) -> Vec<Step> {
        let left = self.previous.as_ref().filter(|left| *left > self.release);
        match (&self.wish.request.kind, left) {
            (Kind::Rollback { .. }, Some(left)) => self.back(left),
            _ => Vec::new(),
        }
    }

    fn back(&self, release: &ReleaseId) -> Vec<Step> {
        let policy = self.wish.environment.migrations.on_rollback;
        if policy == OnRollback::Keep || !self.migrates() {
            return Vec::new();
        }
        let lines = &self.wish.config.steps.migrate_back;
        self.around("migrate back", lines, Script::MigrateBack, release)
    }

    fn migrates(&self) -> bool {
        self.host.roles.contains(&Role::Migrate)
    }

    /// Lines that run inside another script.
    fn around(
        &self,
        kind: &str,
        lines: &[String],
        script: Script,
        release: &ReleaseId,
    ) -> Vec<Step> {
        let mut steps = self.lines(kind, lines, release);
        for step in &mut steps {
            step.script = script;
            step.args.push(LINE.to_owned());
        }
        steps
    }
}
