//! The files of an app: `.env`, what releases share, what is kept.

use super::Severity::{Remark, Risk};
use super::checks::{BODY, DEBUG, ENV_KEYS, ENV_RIGHTS, KEPT, LINKED};
use super::{Diagnosis, Look};
use crate::config::{Recipe, Role};

/// No more keys are named.
const NAMED_KEYS: usize = 8;
const NOTHING_LIVE: &str = "nothing is live yet";

pub(super) fn judge(look: Look<'_>, told: &mut Diagnosis) {
    let environment = look.environment;
    let few = environment.keep_releases < 2;
    let found = "only the live release and the one before it are kept".to_owned();
    told.verdict(
        &KEPT,
        few.then_some((Remark, found, "keep_releases = 5".to_owned())),
    );
    if look.host.roles.contains(&Role::Web) {
        body(look, told);
    }
    env(look, told);
    shared(look, told);
    let config = look.seen.app.as_ref().and_then(|app| app.config.as_ref());
    let Some(config) = config else {
        if let (Recipe::Laravel, Some(why)) = (look.config.recipe, look.seen.trouble.get("php")) {
            told.blind(&DEBUG, why.clone());
        }
        return;
    };
    let debugs = config.debug && config.env != "local" && config.env != "testing";
    let found = format!("APP_DEBUG is on, and APP_ENV is {:?}", config.env);
    let mend = format!(
        "APP_DEBUG=false in {}/shared/.env, then deploy",
        environment.path
    );
    told.verdict(&DEBUG, debugs.then_some((Risk, found, mend)));
}

fn body(look: Look<'_>, told: &mut Diagnosis) {
    let health = look.environment.health.as_ref();
    let read = |health: &crate::config::Health| {
        health.contains.is_some() || !health.json.is_empty() || health.release_field.is_some()
    };
    let found = match health {
        None => "health is not asked at all".to_owned(),
        Some(_) => "health reads no body: an empty page with 200 passes".to_owned(),
    };
    let name = &look.environment.name;
    let mend = format!(
        "json = {{ ok = true }} and release_field = \"release\" in [environments.{name}.health]"
    );
    let ill = !health.is_some_and(read);
    told.verdict(&BODY, ill.then_some((Risk, found, mend)));
}

fn env(look: Look<'_>, told: &mut Diagnosis) {
    if !look.config.shared.files.iter().any(|file| file == ".env") {
        return;
    }
    let seen = look.seen;
    let file = format!("{}/shared/.env", look.environment.path);
    match seen.env_mode {
        None => told.blind(&ENV_RIGHTS, format!("{file} is not there")),
        Some(mode) => {
            let open = mode & 0o004 != 0;
            let found = format!("{file} has the mode {mode:o}");
            let mend = format!("chmod o-rwx {file}");
            told.verdict(&ENV_RIGHTS, open.then_some((Risk, found, mend)));
        }
    }
    let Some(wanted) = &seen.example_keys else {
        // Without an example there is nothing to compare with.
        return;
    };
    match &seen.env_keys {
        None => told.blind(&ENV_KEYS, format!("needs the right to read {file}")),
        Some(keys) => {
            let missing: Vec<&str> = wanted.difference(keys).map(String::as_str).collect();
            let named = missing.iter().take(NAMED_KEYS).copied().collect::<Vec<_>>();
            let more = missing.len().saturating_sub(NAMED_KEYS);
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            let found = format!("{file} lacks {}{more} of .env.example", named.join(", "));
            let mend = format!("add them to {file}");
            told.verdict(
                &ENV_KEYS,
                (!missing.is_empty()).then_some((Risk, found, mend)),
            );
        }
    }
}

fn shared(look: Look<'_>, told: &mut Diagnosis) {
    let root = &look.environment.path;
    let shared = &look.config.shared;
    if look.seen.live.is_none() {
        told.blind(&LINKED, NOTHING_LIVE);
        return;
    }
    for path in shared.files.iter().chain(&shared.dirs) {
        match look.seen.linked.get(path) {
            None => told.blind(&LINKED, format!("the host did not tell of {path}")),
            Some(linked) => {
                let found = format!("{root}/current/{path} does not lead to {root}/shared/{path}");
                let mend = format!(
                    "cp -a {root}/current/{path} {root}/shared/ where that is empty, then deploy"
                );
                told.verdict(&LINKED, (!linked).then_some((Risk, found, mend)));
            }
        }
    }
}
