//! What is worth knowing of a host and stands in nobody's way: what another tool left there, and what could not be
//! removed.

use std::collections::BTreeMap;

use super::{Wish, goal};
use crate::config::{Environment, Host, Shared};
use crate::facts::{Facts, Legacy, Tool};
use crate::names::{HostName, ReleaseId};

/// What a person should know of a host, a sentence each, with the command that mends it.
pub fn remarks(
    environment: &Environment,
    shared: &Shared,
    host: &Host,
    facts: &Facts,
) -> Vec<String> {
    let root = &environment.path;
    let mut remarks = Vec::new();
    for gone in &facts.gone {
        remarks.push(format!(
            "{gone} was removed, but not all of it could be: files of another user lie there. It is tried again each \
             time; this ends it: `ssh {} sudo rm -rf {gone}`.",
            super::fit::ssh_line(host)
        ));
    }
    remarks.extend(cut_off(environment, host, facts));
    let foreign: Vec<&ReleaseId> = facts.foreign().collect();
    let live = facts.live().filter(|id| facts.is_foreign(id));
    if let Some(live) = live {
        let tool = facts.legacy.tool();
        remarks.push(made(tool, live, &foreign, facts));
        remarks.push(ways_back(tool, &foreign, facts));
        remarks.push(left_alone(tool, &facts.legacy));
        remarks.extend(unshared(root, shared, &facts.legacy));
    } else if !foreign.is_empty() && enough_of_ours(environment, facts) {
        let folders: Vec<String> = foreign
            .iter()
            .map(|id| format!("{root}/releases/{id}"))
            .collect();
        remarks.push(format!(
            "what {} made is not needed any more, and nobody but you removes it: `ssh {} rm -rf {}`.",
            facts.legacy.tool(),
            super::fit::ssh_line(host),
            folders.join(" ")
        ));
    }
    remarks
}

/// What was begun and never came to an end. While somebody else is at it, nobody knows that yet.
fn cut_off(environment: &Environment, host: &Host, facts: &Facts) -> Option<String> {
    let begun = goal::cut_off(environment, host, facts);
    let over = facts.fence > 0 || facts.holder.is_none();
    let live = facts.live().filter(|_| over && !begun.is_empty())?;
    Some(format!(
        "a deployment was cut off here and left unfinished: {}. The next one goes on from there; one of what is live \
         ({live}) takes it back and proves everything anew.",
        begun.join(", ")
    ))
}

/// What is to be told of every host.
pub(super) fn of_all(wish: Wish<'_>, facts: &BTreeMap<HostName, Facts>) -> Vec<(HostName, String)> {
    let of = |host: &Host| {
        let told = facts
            .get(&host.name)
            .map(|facts| remarks(wish.environment, &wish.config.shared, host, facts));
        let name = host.name.clone();
        told.unwrap_or_default()
            .into_iter()
            .map(move |told| (name.clone(), told))
    };
    wish.environment.hosts.iter().flat_map(of).collect()
}

fn counted(releases: usize) -> String {
    match releases {
        1 => "1 release".to_owned(),
        count => format!("{count} releases"),
    }
}

/// Whether so many healthy releases were made here that nobody needs those of another tool any more.
fn enough_of_ours(environment: &Environment, facts: &Facts) -> bool {
    let ours = |id: &&ReleaseId| facts.was_healthy(id) && !facts.is_foreign(id);
    facts.releases.keys().filter(ours).count() >= environment.keep_releases as usize
}

fn made(tool: Tool, live: &ReleaseId, foreign: &[&ReleaseId], facts: &Facts) -> String {
    let of = facts.commit(live);
    let of = of.map_or_else(String::new, |commit| format!(", commit {}", commit.short()));
    format!(
        "{tool} made the live release {live}{of}, and {} in all; the first deployment goes on from there",
        counted(foreign.len())
    )
}

fn ways_back(tool: Tool, foreign: &[&ReleaseId], facts: &Facts) -> String {
    let named = |back: bool| {
        let of = foreign.iter().filter(|id| facts.is_way_back(id) == back);
        let names: Vec<&str> = of.map(|id| id.as_str()).collect();
        names.join(", ")
    };
    let (back, other) = (named(true), named(false));
    let mut told = format!("a rollback reaches {back}");
    if !other.is_empty() {
        let why = match tool {
            Tool::Deployer => "Deployer's log says what was begun, not what was live",
            Tool::Capistrano if facts.legacy.has("releases/current") => {
                "`releases/current` is left of a swap that was cut off, so revisions.log may be wrong"
            }
            Tool::Capistrano => "revisions.log does not say that they were live",
            Tool::Envoyer | Tool::Another => "nothing says that they were live",
        };
        told = format!("{told}, and not {other}: {why}");
    }
    told
}

fn left_alone(tool: Tool, legacy: &Legacy) -> String {
    let own: Vec<String> = legacy
        .traces
        .iter()
        .filter(|trace| !matches!(trace.as_str(), ".env" | "storage"))
        .map(|trace| format!("`{}`", trace.trim_end_matches("/HEAD")))
        .collect();
    let own = if own.is_empty() {
        String::new()
    } else {
        format!(", nor {}", own.join(", "))
    };
    format!(
        "cutover never removes a release that {tool} made{own}; what it keeps itself lies in `.cutover`"
    )
}

/// What the other tool shares between releases and we would not, or have elsewhere.
fn unshared(root: &str, shared: &Shared, legacy: &Legacy) -> Vec<String> {
    let ours = |path: &String| {
        shared.files.iter().chain(&shared.dirs).any(|own| {
            let below = path.strip_prefix(own.as_str());
            below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    let theirs: Vec<&str> = legacy
        .linked
        .iter()
        .filter(|path| !ours(path))
        .map(String::as_str)
        .collect();
    let mut told = Vec::new();
    if !theirs.is_empty() {
        told.push(format!(
            "the live release shares {}, and `[shared]` does not: what lies there would be missing from the next \
             release. Add it to `shared.dirs` or `shared.files`.",
            theirs.join(", ")
        ));
    }
    if legacy.tool() == Tool::Envoyer {
        told.push(format!(
            "`.env` and `storage` lie beside the releases, where Envoyer has them: let `shared` lead there with `mkdir -p \
             {root}/shared && ln -s ../.env ../storage {root}/shared/`."
        ));
    }
    told
}
