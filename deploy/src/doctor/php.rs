//! PHP on the command line and in the pool, beside what the release needs.

use std::collections::{BTreeMap, BTreeSet};

use super::Severity::{Loses, Risk};
use super::checks::{EXTENSIONS, PCNTL, PLATFORM, VERSIONS};
use super::seen::{App, Listed, Seen};
use super::work::Work;
use super::{Diagnosis, Look};
use crate::config::{Recipe, Role};
use crate::pool::Pool;

pub(super) fn judge(look: Look<'_>, told: &mut Diagnosis) {
    if look.config.recipe != Recipe::Laravel {
        return;
    }
    // Those in containers have a PHP of their own.
    let mut groups = look.environment.workers.iter();
    let works = look.host.roles.contains(&Role::Worker)
        && groups.any(|workers| workers.containers.is_none());
    let asked = works && signals(look, told);
    let Some(app) = &look.seen.app else {
        let why = look.seen.trouble.get("php");
        let why = why.map_or(
            "PHP of the command line does not tell of the app",
            String::as_str,
        );
        told.blind_to(&[&VERSIONS, &PLATFORM, &EXTENSIONS], why);
        if works && !asked {
            told.blind(&PCNTL, why);
        }
        return;
    };
    if works {
        let found = format!(
            "PHP {} of the command line lacks pcntl_async_signals",
            app.php
        );
        let mend = "take pcntl_* out of disable_functions in php.ini of the command line, or install pcntl";
        told.verdict(
            &PCNTL,
            (!app.signals).then_some((Loses, found, mend.to_owned())),
        );
    }
    let pool = look.seen.pool.as_ref().and_then(|pool| pool.as_ref().ok());
    versions(look, app, pool, told);
    let mut sides = vec![("the command line", app.php.as_str(), Some(&app.extensions))];
    if let Some(pool) = pool {
        sides.push(("PHP-FPM", &pool.php, pool.extensions.as_ref()));
    }
    for (side, version, extensions) in sides {
        platform(side, version, app.needs_php, told);
        if let Some(extensions) = extensions {
            missing(side, version, &app.needs, extensions, told);
        }
    }
}

/// By the kernel's word, whether each worker on the host itself handles TERM; false where it has said so of none.
fn signals(look: Look<'_>, told: &mut Diagnosis) -> bool {
    let seen = look.seen;
    let in_container = |listed: &&Listed| {
        let mut groups = look.environment.workers.iter();
        let group = groups.find(|workers| workers.group == listed.group);
        group.is_none_or(|workers| workers.containers.is_some())
    };
    let mut asked = false;
    for listed in seen.listed.iter().filter(|listed| !in_container(listed)) {
        let pid = listed.pid.map(|pid| run_by(seen, pid));
        let handles = pid.and_then(|pid| Some((pid, *seen.handles.get(&pid)?)));
        let Some((pid, handles)) = handles else {
            continue;
        };
        let process = seen.processes.iter().find(|process| process.pid == pid);
        let words = process.map_or(&[][..], |process| process.words.as_slice());
        let what = Work::read(words).map_or("artisan", |work| work.command);
        let found = format!(
            "{} runs {what} (pid {pid}) and does not handle TERM",
            listed.name
        );
        let mend = "install pcntl for the PHP that it runs, take pcntl_* out of disable_functions there, then restart it";
        told.verdict(
            &PCNTL,
            (!handles).then_some((Loses, found, mend.to_owned())),
        );
        asked = true;
    }
    asked
}

/// The worker that a process runs: one such as `timeout` or `doppler run`, which passes TERM on, has its words after its own.
fn run_by(seen: &Seen, pid: u32) -> u32 {
    let of = |pid: u32| seen.processes.iter().find(|process| process.pid == pid);
    let mut at = pid;
    while let Some(above) = of(at) {
        let below = seen.processes.iter().find(|process| {
            let fewer = process.words.len() < above.words.len();
            let same = fewer && above.words.ends_with(&process.words);
            process.parent == at && same && Work::read(&process.words).is_some()
        });
        match below {
            Some(below) => at = below.pid,
            None => break,
        }
    }
    at
}

/// `8.2` of `8.2.29-1~deb12`.
fn minor(version: &str) -> String {
    version.split('.').take(2).collect::<Vec<_>>().join(".")
}

fn versions(look: Look<'_>, app: &App, pool: Option<&Pool>, told: &mut Diagnosis) {
    let mut all: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    all.entry(minor(&app.php))
        .or_default()
        .push("the command line");
    if let Some(pool) = pool {
        all.entry(minor(&pool.php)).or_default().push("PHP-FPM");
    }
    for process in &look.seen.processes {
        let program = process.program.as_deref().unwrap_or_default();
        let version = program
            .rsplit('/')
            .next()
            .and_then(|name| name.strip_prefix("php"));
        if let Some(version) = version.filter(|version| version.contains('.')) {
            let who = all.entry(version.to_owned()).or_default();
            if !who.contains(&"workers") {
                who.push("workers");
            }
        }
    }
    let named: Vec<String> = all
        .iter()
        .map(|(version, who)| format!("{version} in {}", who.join(" and ")))
        .collect();
    let found = format!("PHP is {}", named.join(", "));
    let wanted = pool.map_or(&app.php, |pool| &pool.php);
    let mend = format!(
        "sudo update-alternatives --set php /usr/bin/php{}",
        minor(wanted)
    );
    told.verdict(&VERSIONS, (all.len() > 1).then_some((Risk, found, mend)));
}

fn platform(side: &str, version: &str, needs: Option<u64>, told: &mut Diagnosis) {
    let Some(needs) = needs else { return };
    let mut parts = version
        .split(['.', '-'])
        .map(|part| part.parse::<u64>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    let has = next() * 10_000 + next() * 100 + next();
    let wanted = format!("{}.{}.{}", needs / 10_000, needs / 100 % 100, needs % 100);
    let found = format!("{side} is PHP {version}, and the release needs {wanted}");
    let mend = format!("apt-get install php{}-cli php{0}-fpm", minor(&wanted));
    told.verdict(&PLATFORM, (has < needs).then_some((Risk, found, mend)));
}

/// Whether a name may stand in a command that somebody copies: it comes from a release.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
    !name.is_empty() && name.chars().all(plain)
}

fn missing(
    side: &str,
    version: &str,
    needs: &BTreeMap<String, String>,
    has: &BTreeSet<String>,
    told: &mut Diagnosis,
) {
    let lacks: Vec<(&String, &String)> = needs
        .iter()
        .filter(|(name, _)| !has.contains(*name))
        .collect();
    let named: Vec<String> = lacks
        .iter()
        .map(|(name, by)| format!("{name} (wanted by {by})"))
        .collect();
    let found = format!("PHP {version} of {side} lacks {}", named.join(", "));
    let packages: Vec<String> = lacks
        .iter()
        .filter(|(name, _)| is_plain(name))
        .map(|(name, _)| format!("php{}-{name}", minor(version)))
        .collect();
    let mend = if packages.is_empty() {
        "the name of an extension after `ext-`, in composer.json".to_owned()
    } else {
        format!("sudo apt-get install {}", packages.join(" "))
    };
    told.verdict(
        &EXTENSIONS,
        (!lacks.is_empty()).then_some((Risk, found, mend)),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HostName;
    use crate::doctor::Finding;

    fn found(names: &[&str]) -> Finding {
        let mut told = Diagnosis {
            after_swap: Vec::new(),
            host: HostName::parse("web1").unwrap(),
            findings: Vec::new(),
            unseen: Vec::new(),
            fine: Vec::new(),
        };
        let needs = names.iter().map(|name| (*name).to_owned());
        let needs = needs.map(|name| (name, "acme/shop".to_owned())).collect();
        missing("PHP-FPM", "8.2.29", &needs, &BTreeSet::new(), &mut told);
        told.findings.remove(0)
    }

    #[test]
    fn only_plain_names_of_extensions_stand_in_a_command() {
        let finding = found(&["gd", "x; reboot", "pdo_mysql"]);
        assert_eq!(
            finding.mend,
            "sudo apt-get install php8.2-gd php8.2-pdo_mysql"
        );
        assert!(finding.found.contains("x; reboot"), "{finding:?}");
        let finding = found(&["$(reboot)"]);
        assert_eq!(
            finding.mend,
            "the name of an extension after `ext-`, in composer.json"
        );
    }

    /// Where the PHP of the command line told nothing, what is said of `php.pcntl` by the kernel's word.
    fn signals(manager: &str, word: &str) -> Vec<String> {
        let worker = "process 7 1 0 - - php\u{1f}artisan\u{1f}queue:work";
        signals_of(manager, &[worker, word])
    }

    fn signals_of(manager: &str, lines: &[&str]) -> Vec<String> {
        let told = crate::doctor::workers::tests::told(manager, lines);
        let found = told.findings.iter().filter(|found| found.id == PCNTL.id);
        let fine = told.fine.iter().filter(|id| **id == PCNTL.id);
        found
            .map(|found| found.found.clone())
            .chain(fine.map(|_| "fine".to_owned()))
            .collect()
    }

    #[test]
    fn who_only_passes_term_on_is_asked_for_the_worker_below_it() {
        let wrapper = "process 7 1 0 - - timeout\u{1f}3600\u{1f}php\u{1f}artisan\u{1f}queue:work";
        let worker = "process 8 7 0 - - php\u{1f}artisan\u{1f}queue:work";
        let with = |word: &str| signals_of("", &[worker, wrapper, "handles 7 no", word]);
        assert_eq!(with("handles 8 yes"), ["fine"]);
        let deaf = "w:w_00 runs queue:work (pid 8) and does not handle TERM";
        assert_eq!(with("handles 8 no"), [deaf]);
        // It is so young that nothing is known of it.
        assert_eq!(with(""), [""; 0]);
        // A child with other words is none that is run instead.
        let other = worker.replace("queue:work", "horizon");
        let told = signals_of("", &[&other, wrapper, "handles 7 no", "handles 8 yes"]);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("(pid 7)"), "{told:?}");
    }

    #[test]
    fn a_worker_that_does_not_handle_term_is_named_by_the_kernels_word() {
        let deaf = "w:w_00 runs queue:work (pid 7) and does not handle TERM";
        assert_eq!(signals("", "handles 7 no"), [deaf]);
        assert_eq!(signals("", "handles 7 yes"), ["fine"]);
        // It has ended since it was listed.
        assert_eq!(signals("", "handles 8 no"), [""; 0]);
        // What a container does with it is another question.
        let boxed = "manager = \"compose\"\ncompose = { project = \"x\" }";
        assert_eq!(signals(boxed, "handles 7 no"), [""; 0]);
    }
}
