//! What serves the web beside PHP-FPM: whether it is up, on which code, and whether it will follow a release.

use super::Severity::Loses;
use super::checks::{RUNTIME_FOLLOWS, RUNTIME_GAP, RUNTIME_RELOAD, RUNTIME_UNMANAGED};
use super::seen::Listed;
use super::unmanaged::strays;
use super::work::Work;
use super::{Diagnosis, Look};
use crate::config::{Role, Runtime, RuntimeKind, Workers};

/// The kinds of which a process of PHP tells which it is.
const KINDS: [RuntimeKind; 4] = [
    RuntimeKind::Octane,
    RuntimeKind::Reverb,
    RuntimeKind::Pulse,
    RuntimeKind::Ssr,
];

pub(super) fn judge(look: Look<'_>, told: &mut Diagnosis) {
    reload(look, told);
    unmanaged(look, told);
    if !look.host.roles.contains(&Role::Web) {
        return;
    }
    for runtime in &look.environment.runtimes {
        let Some(processes) = runtime.processes() else {
            continue;
        };
        follows(look, processes, told);
        gap(runtime, processes, told);
    }
}

/// What Octane's own reload starts is of the release that its master was started from.
fn reload(look: Look<'_>, told: &mut Diagnosis) {
    let lines = look.config.steps.after_swap.iter();
    let lines = lines.chain(&look.config.steps.after_health);
    let line = lines.clone().find(|line| line.contains("octane:reload"));
    let octane = |runtime: &Runtime| runtime.kind == RuntimeKind::Octane;
    if line.is_none() && !look.environment.runtimes.iter().any(octane) {
        return;
    }
    let mend = format!(
        "take the line out, and write [[environments.{}.runtimes]] with kind = \"octane\"",
        look.environment.name
    );
    let found = line.map(|line| (Loses, format!("a step runs `{line}`"), mend));
    told.verdict(&RUNTIME_RELOAD, found);
}

fn unmanaged(look: Look<'_>, told: &mut Diagnosis) {
    let runtimes = &look.environment.runtimes;
    let serves = |work: &Work<'_>| KINDS.iter().any(|kind| kind.is_run_by(work.command));
    let strays = strays(look, &look.seen.processes, serves);
    for (command, pid) in &strays {
        let kind = KINDS.iter().find(|kind| kind.is_run_by(command));
        let kind = kind.map_or("command", |kind| kind.word());
        let found = format!("nothing in the configuration has {command} (pid {pid})");
        let mend = format!(
            "[[environments.{}.runtimes]] with kind = \"{kind}\" and its group",
            look.environment.name
        );
        told.verdict(&RUNTIME_UNMANAGED, Some((Loses, found, mend)));
    }
    if strays.is_empty() && !runtimes.is_empty() && !look.seen.trouble.contains_key("processes") {
        told.verdict(&RUNTIME_UNMANAGED, None);
    }
}

fn follows(look: Look<'_>, processes: &Workers, told: &mut Diagnosis) {
    let group = &processes.group;
    if let Some(why) = look.seen.trouble.get(&format!("roster {group}")) {
        told.blind(&RUNTIME_FOLLOWS, format!("{group}: {why}"));
        return;
    }
    let Some(live) = &look.seen.live else {
        told.blind(&RUNTIME_FOLLOWS, "nothing is live yet");
        return;
    };
    let of = |listed: &&Listed| listed.group == *group;
    let listed: Vec<&Listed> = look.seen.listed.iter().filter(of).collect();
    let mut wrong = Vec::new();
    for one in &listed {
        match &one.release {
            Some(release) if release != live => {
                wrong.push(format!("{} serves {release}, and {live} is live", one.name));
            }
            None if one.pid.is_some() => told.blind(
                &RUNTIME_FOLLOWS,
                format!(
                    "{}: only its own user and root may see which release it serves",
                    one.name
                ),
            ),
            _ => {}
        }
    }
    let stays_behind = !wrong.is_empty();
    let up = listed.iter().filter(|one| one.state == "RUNNING").count();
    if up < processes.expect as usize {
        wrong.push(format!(
            "{up} of {} of {group} take requests",
            processes.expect
        ));
    }
    let mend = if stays_behind {
        format!(
            "end it: its {} starts it again on the live release",
            processes.manager.word()
        )
    } else {
        let down = |one: &&&Listed| !matches!(one.state.as_str(), "RUNNING" | "ENDING");
        let down: Vec<&str> = listed
            .iter()
            .filter(down)
            .map(|one| one.name.as_str())
            .collect();
        super::start::line(look.environment, processes, &down)
    };
    let found = (!wrong.is_empty()).then(|| (Loses, wrong.join(", "), mend));
    told.verdict(&RUNTIME_FOLLOWS, found);
}

fn gap(runtime: &Runtime, processes: &Workers, told: &mut Diagnosis) {
    if runtime.kind != RuntimeKind::Octane {
        return;
    }
    let group = &processes.group;
    let found =
        format!("{group} is one process: requests are refused from its end to its next start");
    let mend =
        "expect = 2, with a port each and both in the `upstream` of the web server".to_owned();
    let alone = processes.expect == 1;
    told.verdict(&RUNTIME_GAP, alone.then_some((Loses, found, mend)));
}

#[cfg(test)]
mod tests {
    use crate::HostName;
    use crate::config::Config;
    use crate::doctor::{Listed, Seen, diagnose};

    const LIVE: &str = "20260102T000000Z-2222222";

    /// What is found of runtimes on a host, a line each, by what is configured and what was seen.
    fn found(tables: &str, listed: &[(&str, &str)], lines: &[&str]) -> String {
        let text =
            format!("app = \"x\"\nrepository = \"github:a/b\"\nrecipe = \"laravel\"\n{tables}\n");
        let config = Config::parse("x", &text).unwrap_or_else(|problems| panic!("{problems}"));
        let mut seen = Seen::default();
        for (state, release) in listed {
            seen.listed.push(Listed {
                group: "web".to_owned(),
                name: "web:web_00".to_owned(),
                state: (*state).to_owned(),
                pid: Some(7),
                release: Some((*release).to_owned()),
            });
        }
        seen.live = Some(LIVE.to_owned());
        for line in lines {
            seen.hear(line, 0);
        }
        let host = HostName::parse("a").unwrap();
        let environment = config.environment("production").unwrap();
        let told = diagnose(&config, environment, &[(host, seen)]).remove(0);
        let of = |id: &str| id.starts_with("runtime.");
        let found = told.findings.iter().filter(|found| of(found.id));
        let found = found.map(|found| format!("{}: {}; {}", found.id, found.found, found.mend));
        let fine = told.fine.iter().filter(|id| of(id));
        let fine = fine.map(|id| format!("{id} is fine"));
        found.chain(fine).collect::<Vec<_>>().join("\n")
    }

    const HOST: &str = "[environments.production]\npath = \"/srv/app\"\n\
        [[environments.production.hosts]]\nname = \"a\"\naddress = \"a@b\"\n";

    #[test]
    fn an_octane_that_stays_behind_is_down_or_has_no_second_is_named() {
        let octane = |expect: u32| {
            format!(
                "{HOST}[[environments.production.runtimes]]\nkind = \"octane\"\ngroup = \"web\"\nexpect = {expect}"
            )
        };
        insta::assert_snapshot!([
            found(&octane(1), &[("RUNNING", "20260101T000000Z-1111111")], &[]),
            found(&octane(1), &[("FATAL", LIVE)], &[]),
            found(&octane(2), &[("RUNNING", LIVE), ("RUNNING", LIVE)], &[]),
        ].join("\n--\n"), @"
        runtime.follows: web:web_00 serves 20260101T000000Z-1111111, and 20260102T000000Z-2222222 is live; end it: its supervisor starts it again on the live release
        runtime.gap: web is one process: requests are refused from its end to its next start; expect = 2, with a port each and both in the `upstream` of the web server
        runtime.reload is fine
        runtime.unmanaged is fine
        --
        runtime.follows: 0 of 1 of web take requests; sudo supervisorctl start web:web_00; sudo supervisorctl tail web:web_00
        runtime.gap: web is one process: requests are refused from its end to its next start; expect = 2, with a port each and both in the `upstream` of the web server
        runtime.reload is fine
        runtime.unmanaged is fine
        --
        runtime.follows is fine
        runtime.gap is fine
        runtime.reload is fine
        runtime.unmanaged is fine
        ");
    }

    #[test]
    fn an_octane_that_nobody_names_is_found_and_so_is_a_reload_that_changes_nothing() {
        let process = format!(
            "process 9 1 1000 /usr/bin/php8.2 {LIVE} php\u{1f}/srv/app/current/artisan\u{1f}octane:start"
        );
        let reload = format!("[steps]\nafter_swap = [\"php artisan octane:reload\"]\n{HOST}");
        insta::assert_snapshot!([
            found(HOST, &[], &[&process]),
            found(&reload, &[], &[]),
            found(HOST, &[], &[]),
        ].join("\n--\n"), @r#"
        runtime.unmanaged: nothing in the configuration has octane:start (pid 9); [[environments.production.runtimes]] with kind = "octane" and its group
        --
        runtime.reload: a step runs `php artisan octane:reload`; take the line out, and write [[environments.production.runtimes]] with kind = "octane"
        --
        "#);
    }
}
