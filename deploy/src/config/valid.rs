//! Judges what a file says, and makes a [`Config`] of it. Pure; goes on after a fault, so that all are told at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::document::quoted;
use super::findings::{Fault, Findings, Noted};
use super::grammar::{self, Range};
use super::place::Place;
use super::{Build, Config, Recipe, Steps, defaults, raw};
use crate::names::{AppName, BadName, EnvironmentName};

mod alarms;
mod claims;
mod containers;
mod databases;
mod environment;
mod health;
mod hosts;
mod processes;
mod runtimes;
mod shared;
mod workers;

/// The whole file. `None` only where a fault is noted.
pub(super) fn config(raw: raw::File, findings: &mut Findings<'_>) -> Option<Config> {
    let top = Place::top();
    let recipe = raw.recipe.unwrap_or(defaults::RECIPE);
    let raw::Source::Build = raw.source.unwrap_or(raw::Source::Build);
    let app = raw.app.and_then(|name| {
        findings.take(
            &top.key("app"),
            AppName::parse(&name).map_err(|bad| bad_name(&bad)),
        )
    });
    let repository = raw
        .repository
        .and_then(|text| findings.take(&top.key("repository"), grammar::repository(&text)));
    let build = build(
        raw.build.unwrap_or_default(),
        recipe,
        &top.key("build"),
        findings,
    );
    let shared = shared::shared(
        raw.shared.unwrap_or_default(),
        recipe,
        &top.key("shared"),
        findings,
    );
    let steps = steps(
        raw.steps.unwrap_or_default(),
        recipe,
        &top.key("steps"),
        findings,
    );
    let place = top.key("environments");
    let environments = environments(
        raw.environments.unwrap_or_default(),
        &steps,
        &place,
        findings,
    );
    Some(Config {
        app: app?,
        repository: repository?,
        recipe,
        build: build?,
        shared,
        steps,
        environments,
    })
}

fn build(
    raw: raw::Build,
    recipe: Recipe,
    place: &Place,
    findings: &mut Findings<'_>,
) -> Option<Build> {
    let given = recipe.defaults();
    let exclude = list(
        raw.exclude,
        given.build_exclude,
        &place.key("exclude"),
        findings,
        grammar::excluded_path,
    );
    let mut env = BTreeMap::new();
    for (name, value) in raw.env.unwrap_or_default() {
        let place = place.key("env").key(&name);
        if value.contains('\0') {
            findings.add(
                &place,
                Fault::new(
                    "the value contains a NUL",
                    "take it out; no variable can hold one",
                ),
            );
        }
        match grammar::variable(&name) {
            Ok(name) => drop(env.insert(name, value)),
            Err(fault) => findings.add_at_key(&place, fault),
        }
    }
    let timeout = Time::running(raw.timeout, defaults::BUILD_TIMEOUT);
    Some(Build {
        steps: shell_lines(raw.steps, given.build_steps, &place.key("steps"), findings),
        exclude,
        env,
        timeout: timeout.read(&place.key("timeout"), findings)?,
        sandbox: raw.sandbox.unwrap_or(defaults::BUILD_SANDBOX),
    })
}

fn steps(raw: raw::Steps, recipe: Recipe, place: &Place, findings: &mut Findings<'_>) -> Steps {
    let given = recipe.defaults();
    Steps {
        prepare: shell_lines(raw.prepare, given.prepare, &place.key("prepare"), findings),
        preflight: shell_lines(
            raw.preflight,
            given.preflight,
            &place.key("preflight"),
            findings,
        ),
        preview: shell_lines(raw.preview, given.preview, &place.key("preview"), findings),
        migrate: shell_lines(raw.migrate, given.migrate, &place.key("migrate"), findings),
        migrate_back: shell_lines(
            raw.migrate_back,
            given.migrate_back,
            &place.key("migrate_back"),
            findings,
        ),
        before_swap: shell_lines(
            raw.before_swap,
            given.before_swap,
            &place.key("before_swap"),
            findings,
        ),
        after_swap: shell_lines(
            raw.after_swap,
            given.after_swap,
            &place.key("after_swap"),
            findings,
        ),
        after_health: shell_lines(
            raw.after_health,
            given.after_health,
            &place.key("after_health"),
            findings,
        ),
    }
}

fn environments(
    raw: BTreeMap<String, raw::Environment>,
    steps: &Steps,
    place: &Place,
    findings: &mut Findings<'_>,
) -> BTreeMap<EnvironmentName, super::Environment> {
    if raw.is_empty() && !findings.is_broken_below(place) {
        let help = "add a table `[environments.production]` with `path` and hosts";
        findings.add(
            place,
            Fault::new("there is no environment to deploy to", help),
        );
    }
    let mut claims = claims::Claims::default();
    let mut environments = BTreeMap::new();
    for (name, raw) in raw {
        let place = place.key(&name);
        let name = match EnvironmentName::parse(&name) {
            Ok(name) => Some(name),
            Err(bad) => {
                findings.add_at_key(&place, bad_name(&bad));
                None
            }
        };
        let rim = environment::Rim {
            name,
            steps,
            claims: &mut claims,
        };
        if let Some(environment) = environment::environment(raw, rim, &place, findings) {
            environments.insert(environment.name.clone(), environment);
        }
    }
    environments
}

/// A length of time as a file gives it, and what holds where it does not.
struct Time {
    text: Option<String>,
    default: Duration,
    range: Range,
}

impl Time {
    /// Of something that waits for others.
    fn waiting(text: Option<String>, default: Duration) -> Self {
        let range = Range::WAIT;
        Self {
            text,
            default,
            range,
        }
    }

    /// Of something that runs on a host or in a build.
    fn running(text: Option<String>, default: Duration) -> Self {
        let range = Range::RUN;
        Self {
            text,
            default,
            range,
        }
    }

    /// Of a question over HTTP.
    fn asking(text: Option<String>, default: Duration) -> Self {
        let range = Range::ASK;
        Self {
            text,
            default,
            range,
        }
    }

    fn read(self, place: &Place, findings: &mut Findings<'_>) -> Option<Duration> {
        match self.text {
            None => Some(self.default),
            Some(text) => findings.take(place, grammar::duration(&text, self.range)),
        }
    }
}

/// Reads tables of which each has a group of its own, the good ones with their position in the file. `called` stands before
/// the name of one that is given twice.
fn named_once<R, T>(
    raw: Vec<R>,
    place: &Place,
    findings: &mut Findings<'_>,
    called: &str,
    read: impl Fn(R, &Place, &mut Findings<'_>) -> Option<T>,
    name: impl Fn(&T) -> &str,
) -> Vec<(usize, T)> {
    let mut names = BTreeSet::new();
    let mut good = Vec::new();
    for (index, raw) in raw.into_iter().enumerate() {
        let place = place.index(index);
        let Some(read) = read(raw, &place, findings) else {
            continue;
        };
        if !names.insert(name(&read).to_owned()) {
            let message = format!("{called}{} is given twice", quoted(name(&read)));
            let help = "write one table for each group";
            findings.add(&place.key("group"), Fault::new(message, help));
        }
        good.push((index, read));
    }
    good
}

/// The value of a key that may be left out.
fn optional<T>(
    text: Option<String>,
    place: &Place,
    findings: &mut Findings<'_>,
    read: impl Fn(&str) -> Result<T, Fault>,
) -> Result<Option<T>, Noted> {
    text.map(|text| findings.take(place, read(&text)).ok_or(Noted))
        .transpose()
}

fn shell_lines(
    given: Option<Vec<String>>,
    recipe: &[&str],
    place: &Place,
    findings: &mut Findings<'_>,
) -> Vec<String> {
    list(given, recipe, place, findings, grammar::shell_line)
}

fn list(
    given: Option<Vec<String>>,
    recipe: &[&str],
    place: &Place,
    findings: &mut Findings<'_>,
    read: impl Fn(&str) -> Result<String, Fault>,
) -> Vec<String> {
    let Some(given) = given else {
        return recipe.iter().map(|&text| text.to_owned()).collect();
    };
    let entries = given.iter().enumerate();
    entries
        .filter_map(|(index, text)| findings.take(&place.index(index), read(text)))
        .collect()
}

fn bad_name(bad: &BadName) -> Fault {
    let message = format!("{} is not {}", quoted(&bad.text), bad.what);
    Fault::new(message, format!("write {}", bad.rule))
}
