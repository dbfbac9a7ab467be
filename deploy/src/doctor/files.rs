//! The files of an app: `.env`, what releases share, what is kept.

use super::Severity::{Remark, Risk};
use super::checks::{BODY, DEBUG, ENV_KEYS, ENV_RIGHTS, HEALTH_RELEASE, KEPT, LINKED, VIEWS};
use super::{Diagnosis, Look};
use crate::config::{Recipe, Role};

/// No more keys are named.
const NAMED_KEYS: usize = 8;
/// What commands of Laravel itself, and of what comes with it, begin with.
const STOCK: [&str; 14] = [
    "cache", "config", "db", "event", "filament", "icons", "migrate", "optimize", "package",
    "queue", "route", "schedule", "storage", "view",
];
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
        views(look, told);
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
    // Where nothing is asked, that is said already.
    if let Some(health) = health {
        let told_apart = health.release_field.is_some() || health.release_header.is_some();
        let found = "health does not ask which release answers".to_owned();
        let mend = format!(
            "release_field = \"release\" in [environments.{name}.health], and an app that tells its `REVISION`"
        );
        told.verdict(
            &HEALTH_RELEASE,
            (!told_apart).then_some((Risk, found, mend)),
        );
    }
}

/// Whether views are compiled before they are asked for. `optimize` does so since Laravel 11.
fn views(look: Look<'_>, told: &mut Diagnosis) {
    if look.config.recipe != Recipe::Laravel {
        return;
    }
    let steps = &look.config.steps;
    let lines = || steps.prepare.iter().chain(&steps.before_swap);
    if lines().any(|line| line.contains("view:cache")) {
        return told.verdict(&VIEWS, None);
    }
    let Some(app) = &look.seen.app else {
        let why = look.seen.trouble.get("php").map(String::as_str);
        return told.blind(&VIEWS, why.unwrap_or("the app was not seen"));
    };
    if !app.views {
        return;
    }
    let optimize = |line: &&String| line.split_whitespace().any(|word| word == "optimize");
    match (lines().find(optimize), app.laravel_major()) {
        (Some(_), Some(11..)) => return told.verdict(&VIEWS, None),
        (Some(line), None) => {
            let why = format!("which Laravel runs `{line}` was not seen");
            return told.blind(&VIEWS, why);
        }
        _ => {}
    }
    // A line of the user's own may do it.
    if let Some(line) = lines().find(|line| !is_stock(line)) {
        return told.blind(&VIEWS, format!("what `{line}` does was not seen"));
    }
    let found = "no line of `steps.prepare` compiles views".to_owned();
    let mend = "\"php artisan view:cache\" in prepare of [steps]".to_owned();
    told.verdict(&VIEWS, Some((Risk, found, mend)));
}

/// Whether a line runs nothing but commands of `artisan` of which is known that they compile no views.
fn is_stock(line: &str) -> bool {
    let is_artisan = |word: &&str| *word == "artisan" || word.ends_with("/artisan");
    line.split(['&', '|', ';', '\n'])
        .filter(|part| !part.trim().is_empty())
        .all(|part| {
            let after = part.split_whitespace().skip_while(|word| !is_artisan(word));
            let command = after.skip(1).find(|word| !word.starts_with('-'));
            let area = command.and_then(|command| command.split(':').next());
            area.is_some_and(|area| STOCK.contains(&area))
        })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HostName;
    use crate::config::Config;
    use crate::doctor::{App, Seen, diagnose};

    /// What is told of views where these lines prepare a release of this Laravel.
    fn views(laravel: Option<&str>, lines: &str) -> String {
        let text = format!(
            "app = \"x\"\nrepository = \"github:a/b\"\nrecipe = \"laravel\"\n[steps]\nprepare = [{lines}]\n\
             [environments.production]\npath = \"/srv/app\"\n\
             [[environments.production.hosts]]\nname = \"a\"\naddress = \"a@b\"\n"
        );
        let config = Config::parse("x", &text).unwrap();
        let app = App {
            laravel: laravel.map(str::to_owned),
            views: true,
            ..App::default()
        };
        let seen = Seen {
            app: Some(app),
            ..Seen::default()
        };
        let environment = config.environment("production").unwrap();
        let host = HostName::parse("a").unwrap();
        let told = diagnose(&config, environment, &[(host, seen)]).remove(0);
        let found = told.findings.iter().find(|found| found.id == VIEWS.id);
        let unseen = told.unseen.iter().find(|unseen| unseen.id == VIEWS.id);
        let found = found.map(|found| format!("{:?}", found.severity));
        found
            .or(unseen.map(|unseen| unseen.why.clone()))
            .unwrap_or_default()
    }

    #[test]
    fn a_command_that_may_compile_views_is_not_called_one_that_does_not() {
        let known = Some("10.48.0");
        assert_eq!(views(known, "'php artisan config:cache --quiet'"), "Risk");
        assert_eq!(views(known, "'php artisan optimize'"), "Risk");
        assert_eq!(views(Some("11.0.0"), "'php artisan optimize'"), "");
        assert_eq!(views(known, "'php artisan view:cache'"), "");
        let unknown = "which Laravel runs `php artisan optimize` was not seen";
        assert_eq!(views(None, "'php artisan optimize'"), unknown);
        for own in [
            "php artisan app:warm",
            "php artisan config:cache && bin/warm",
            "make",
        ] {
            let why = format!("what `{own}` does was not seen");
            assert_eq!(views(known, &format!("'{own}'")), why);
        }
    }
}
