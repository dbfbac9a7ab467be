//! What the web server serves, and the scheduler's lines of cron.

use super::Severity::{Loses, Remark, Risk};
use super::checks::{CRON_USER, DOTFILES, PINNED, SEVERAL, STATIC};
use super::{Diagnosis, Look};
use crate::config::{Recipe, Role};

pub(super) fn judge(look: Look<'_>, told: &mut Diagnosis) {
    if look.host.roles.contains(&Role::Web) {
        served(look, told);
    }
    if look.config.recipe == Recipe::Laravel {
        cron(look, told);
    }
}

fn served(look: Look<'_>, told: &mut Diagnosis) {
    let why = match (&look.environment.health, look.seen.trouble.get("web")) {
        (None, _) => "needs `[health]`, whose address is asked",
        (Some(_), Some(trouble)) => trouble,
        (Some(_), None) => "the web server was not asked",
    };
    if look.seen.served.is_empty() && look.seen.unasked.is_empty() {
        told.blind(&DOTFILES, why);
        if look.environment.health.is_none() {
            told.blind(&STATIC, why);
        }
    }
    if look.seen.file.is_none() && look.seen.trouble.contains_key("web") {
        told.blind(&STATIC, why);
    }
    for (path, why) in &look.seen.unasked {
        let secret = matches!(path.as_str(), ".env" | ".git/HEAD");
        let check = if secret { &DOTFILES } else { &STATIC };
        told.blind(check, format!("/{path}: {why}"));
    }
    for (path, served) in &look.seen.served {
        let found = format!("/{path} is handed out");
        let mend = format!(
            "root {}/current/public; and location ~ /\\.(?!well-known) {{ return 404; }}",
            look.environment.path
        );
        told.verdict(&DOTFILES, served.then_some((Risk, found, mend)));
    }
    match &look.seen.file {
        // Without a file that could be asked for there is nothing to look at.
        None => {}
        Some((path, status, closed)) => {
            let found = match closed {
                Some(folder) => format!(
                    "/{path} is in the release and answers {status}: others may not enter {folder}"
                ),
                None => format!("/{path} is in the release and answers {status}"),
            };
            let mend = closed
                .as_ref()
                .map_or("see the web server's error log".to_owned(), |folder| {
                    format!("chmod o+x {folder}")
                });
            told.verdict(&STATIC, (*status != 200).then_some((Loses, found, mend)));
        }
    }
}

fn cron(look: Look<'_>, told: &mut Diagnosis) {
    let (seen, root) = (look.seen, &look.environment.path);
    let Some((uid, user)) = &seen.user else {
        told.blind_to(&[&PINNED, &CRON_USER], "the host does not tell who deploys");
        return;
    };
    if seen.cron.is_empty() && *uid != 0 {
        let why = "no line that runs the scheduler may be seen; crontabs of other users need root";
        told.blind_to(&[&PINNED, &CRON_USER], why);
        return;
    }
    for (place, whose, line) in &seen.cron {
        let pinned = line.contains(&format!("{root}/releases/"));
        let found = format!("{place}: {line}");
        let mend = format!("cd {root}/current && php artisan schedule:run");
        told.verdict(&PINNED, pinned.then_some((Loses, found, mend.clone())));
        let found = format!("{place} runs it as {whose}, and {user} deploys");
        let mend = format!("crontab -e as {user}: * * * * * {mend}");
        told.verdict(&CRON_USER, (whose != user).then_some((Risk, found, mend)));
    }
}

/// Tells of a scheduler that runs on several hosts, on each but the first.
pub(super) fn several_schedulers(looks: &[Look<'_>], told: &mut [Diagnosis]) {
    let schedules = |look: &Look<'_>| !look.seen.cron.is_empty();
    let mut with = looks.iter().zip(told).filter(|(look, _)| schedules(look));
    let Some((first, told)) = with.next() else {
        return;
    };
    told.verdict(&SEVERAL, None);
    for (_, told) in with {
        let found = format!("the scheduler runs on {} as well", first.host.name);
        let mend = "->onOneServer() in the schedule, and a cache that hosts share".to_owned();
        told.verdict(&SEVERAL, Some((Remark, found, mend)));
    }
}

#[cfg(test)]
mod tests {
    use crate::HostName;
    use crate::config::Config;
    use crate::doctor::{Seen, diagnose};

    #[test]
    fn what_was_asked_for_in_vain_is_not_called_fine() {
        let text = "app = \"x\"\nrepository = \"github:a/b\"\nrecipe = \"laravel\"\n\
             [environments.production]\npath = \"/srv/app\"\n\
             [[environments.production.hosts]]\nname = \"a\"\naddress = \"a@b\"\n";
        let config = Config::parse("x", text).unwrap();
        let mut seen = Seen::default();
        for line in [
            "unasked .env the answer is 301",
            "unserved .git/HEAD",
            "unasked app.css the answer is error 28 of curl",
        ] {
            seen.hear(line, 0);
        }
        let environment = config.environment("production").unwrap();
        let host = HostName::parse("a").unwrap();
        let told = diagnose(&config, environment, &[(host, seen)]).remove(0);
        let of_web = told
            .unseen
            .iter()
            .filter(|unseen| unseen.id.starts_with("web."));
        let whys: Vec<&str> = of_web.map(|unseen| unseen.why.as_str()).collect();
        assert_eq!(
            whys,
            [
                "/.env: the answer is 301",
                "/app.css: the answer is error 28 of curl"
            ]
        );
        assert!(told.fine.iter().all(|id| !id.starts_with("web.")));
    }
}
