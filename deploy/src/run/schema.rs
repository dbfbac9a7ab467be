//! What hosts tell of their databases while a deployment runs, and whether that is a reason to stop.

use std::collections::BTreeMap;

use super::{Events, phase};
use crate::config::Destructive;
use crate::migrations::{Danger, Migrated, Preview};
use crate::{Event, Failure, HostName, Kind};

/// So many destructive statements are named in a failure; the notes name all.
const NAMED: usize = 5;
/// How the name of a step that shows migrations begins.
const PREVIEW: &str = "preview: ";

/// What hosts have told of their databases.
#[derive(Debug, Default)]
pub(super) struct Schema {
    /// By host and step: each line of the user's may speak of another database.
    previews: BTreeMap<(HostName, String), Vec<String>>,
    migrated: BTreeMap<HostName, Migrated>,
}

impl Schema {
    /// Takes in what happens; only what previews and migrations print is kept.
    pub(super) fn hear(&mut self, event: &Event) {
        let Event::Line {
            host: Some(host),
            step,
            text,
        } = event
        else {
            return;
        };
        if step.starts_with(PREVIEW) {
            let step = (host.clone(), step.clone());
            self.previews.entry(step).or_default().push(text.clone());
        } else if step.starts_with("migrate: ") {
            self.migrated.entry(host.clone()).or_default().hear(text);
        }
    }

    /// What all databases together have had done to them; `None` where no migration has said a word.
    pub(super) fn migrated(&self) -> Migrated {
        let mut hosts = self.migrated.values();
        let mut all = hosts.next().cloned().unwrap_or_default();
        hosts.for_each(|migrated| all.add(migrated));
        all
    }

    fn previews(&self, host: &HostName) -> Vec<Preview> {
        let of_host = self.previews.iter().filter(|((of, _), _)| of == host);
        of_host
            .map(|(_, lines)| Preview::read(lines.iter().map(String::as_str)))
            .collect()
    }
}

/// Refuses what the preview of a host shows to be destructive, unless that is allowed. Tells what it found.
pub(super) fn judge(
    host: &HostName,
    in_use: bool,
    job: phase::Job<'_>,
    events: &Events,
) -> Result<(), Box<Failure>> {
    let previews = events.schema().previews(host);
    for statement in previews.iter().flat_map(Preview::unknown) {
        let said = format!(
            "nobody here knows whether this is destructive: {}",
            statement.shown()
        );
        events.note(Some(host), said);
    }
    let dangers = previews.iter().flat_map(|preview| preview.dangers(in_use));
    let dangers: Vec<Danger> = dangers.collect();
    let policy = job.environment.migrations.destructive;
    if job.request.allow_destructive || policy == Destructive::Allow {
        for danger in &dangers {
            events.note(
                Some(host),
                format!("destructive and allowed: {}", danger.line()),
            );
        }
        return Ok(());
    }
    if dangers.is_empty() {
        return Ok(());
    }
    for danger in &dangers {
        events.note(Some(host), format!("destructive: {}", danger.line()));
    }
    Err(Box::new(refused(host, job, &dangers)))
}

/// What to do about a preview that could not be made.
pub(super) fn hinted(mut failure: Failure, job: phase::Job<'_>) -> Failure {
    if failure.step.starts_with(PREVIEW) && failure.hint.is_none() {
        failure.hint = Some(format!(
            "Nobody knows what these migrations take away, so none has run. If you do: {}.",
            leave(job)
        ));
    }
    failure
}

/// How a deployment gets leave.
fn leave(job: phase::Job<'_>) -> String {
    let commit = match &job.request.kind {
        Kind::Deploy { commit } => commit.to_string(),
        Kind::Rollback { .. } => String::new(),
    };
    let name = &job.environment.name;
    format!(
        "`cutover deploy {name} {commit} --allow-destructive`, or the action's input `allow-destructive`"
    )
}

fn refused(host: &HostName, job: phase::Job<'_>, dangers: &[Danger]) -> Failure {
    let named: Vec<String> = dangers.iter().take(NAMED).map(Danger::line).collect();
    let more = match dangers.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    Failure {
        host: Some(host.clone()),
        step: "preview".to_owned(),
        message: format!(
            "nothing was migrated, because migrations are destructive: {}{more}",
            named.join("; ")
        ),
        hint: Some(format!(
            "The live release uses the same schema until the swap and after a rollback, so take away only what no \
             release needs any more. If that is so: {}.",
            leave(job)
        )),
    }
}
