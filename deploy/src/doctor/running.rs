//! How containers that run workers were started, and how they are stopped, by the word of who runs them.

use super::Severity::Loses;
use super::checks::{Check, GRACE, IMAGE_SIGNAL, SHELL_FORM};
use super::containers::{cuts_off, is_shell, shell};
use super::work::Work;
use super::{Diagnosis, Look};
use crate::config::{Manager, Workers};

const ALL: [&Check; 3] = [&SHELL_FORM, &GRACE, &IMAGE_SIGNAL];

/// A container that runs, or what a Deployment makes its pods from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// The group of workers.
    pub group: String,
    /// What it is called there.
    pub name: String,
    /// Seconds that it may take to end.
    pub grace_seconds: u64,
    /// The signal that is to end it; `None` where only its image says so.
    pub signal: Option<String>,
    /// Whether a shell is between that signal and PHP; `None` where only its image says so.
    pub shell: Option<bool>,
    /// The words of its command.
    pub words: Vec<String>,
}

impl Running {
    /// Reads `GROUP NAME GRACE SIGNAL FORM WORD␟WORD…`.
    pub(super) fn read(rest: &str) -> Option<Self> {
        let mut parts = rest.splitn(6, ' ');
        let mut next = || parts.next();
        let (group, name) = (next()?.to_owned(), next()?.to_owned());
        let grace_seconds = next()?.parse().ok()?;
        let signal = next().filter(|signal| *signal != "-").map(str::to_owned);
        let shell = match next()? {
            "shell" => Some(true),
            "words" => Some(false),
            _ => None,
        };
        let words = next().unwrap_or_default().split('\u{1f}');
        let words = words.map(str::trim).filter(|word| !word.is_empty());
        let words = words.map(str::to_owned).collect();
        Some(Self {
            group,
            name,
            grace_seconds,
            signal,
            shell,
            words: opened(words),
        })
    }
}

/// The words of what a shell is told, where that ends in one plain command; all others as they are.
fn opened(mut words: Vec<String>) -> Vec<String> {
    if let [before @ .., option, line] = words.as_slice()
        && option.starts_with('-')
        && option.ends_with('c')
        && before.iter().any(|word| is_shell(word))
        && let (head, line) = line.rsplit_once("exec ").unwrap_or(("", line))
        && !head.contains("queue:")
        && line.matches("artisan").count() == 1
        && !line.contains(|c| "\"'\\`$&|;<>()".contains(c))
    {
        let line: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        words.pop();
        words.extend(line);
    }
    words
}

/// Judges the containers of a group.
pub(super) fn judge(look: Look<'_>, workers: &Workers, told: &mut Diagnosis) {
    let all = look.seen.containers.iter();
    let mut group: Vec<_> = all.filter(|one| one.group == workers.group).collect();
    // Managers list them in any order.
    group.sort_by(|one, other| one.name.cmp(&other.name));
    if group.is_empty() {
        let why = look.seen.trouble.get("running").map(String::as_str);
        let why = why.unwrap_or("no container of it runs");
        told.blind_to(&ALL, &format!("group {}: {why}", workers.group));
    }
    for container in group {
        one(look, workers, container, told);
    }
}

fn one(look: Look<'_>, workers: &Workers, container: &Running, told: &mut Diagnosis) {
    let name = &container.name;
    match container.shell {
        None => told.blind(
            &SHELL_FORM,
            format!("{name}: its command stands in its image, and not here"),
        ),
        Some(under_shell) => {
            told.verdict(&SHELL_FORM, under_shell.then(|| shell(name, false)));
        }
    }
    match &container.signal {
        None => told.blind(
            &IMAGE_SIGNAL,
            format!("{name}: the signal that ends it stands in its image, and not here"),
        ),
        Some(signal) => {
            let found = format!("{name} is stopped by {signal}");
            let mend = "STOPSIGNAL SIGTERM in its Dockerfile, and no other where it is started";
            let cut = cuts_off(signal).then(|| (Loses, found, mend.to_owned()));
            told.verdict(&IMAGE_SIGNAL, cut);
        }
    }
    grace(look, workers, container, told);
}

fn grace(look: Look<'_>, workers: &Workers, container: &Running, told: &mut Diagnosis) {
    let name = &container.name;
    let config = look.seen.app.as_ref().and_then(|app| app.config.as_ref());
    let work = Work::read(&container.words).filter(Work::takes_jobs);
    let longest = work.and_then(|work| work.limit(config));
    let (grace, drain) = (container.grace_seconds, workers.drain_timeout.as_secs());
    if longest.is_none() && grace >= drain {
        let why = format!("{name}: how long a job may take was not seen");
        return told.blind(&GRACE, why);
    }
    // What is waited for is as much as a job may take, as far as anybody knows.
    let longest = longest.unwrap_or(0);
    let needs = drain.max(longest);
    let found = format!("{name} gets {grace} s, and a job may take {needs} s");
    let enough = drain.max(longest + 10);
    let mend = match workers.manager {
        Manager::Kubernetes => format!("terminationGracePeriodSeconds: {enough}"),
        Manager::Compose => format!("stop_grace_period: {enough}s"),
        // It is cutover that gives it.
        _ => format!("drain_timeout = \"{enough}s\", then deploy"),
    };
    let short = grace < drain || grace <= longest;
    told.verdict(&GRACE, short.then_some((Loses, found, mend)));
}

#[cfg(test)]
mod tests {
    use crate::HostName;
    use crate::config::Config;
    use crate::doctor::{Seen, diagnose};

    /// What is told of a Deployment and of containers of a group that waits 60 s.
    fn told(manager: &str, lines: &[&str]) -> Vec<String> {
        let text = format!(
            "app = \"x\"\nrepository = \"github:a/b\"\n[environments.production]\npath = \"/srv/app\"\n\
             [[environments.production.hosts]]\nname = \"a\"\naddress = \"a@b\"\n\
             [[environments.production.workers]]\ngroup = \"w\"\nmanager = \"{manager}\"\ndrain_timeout = \"60s\"\n\
             {manager} = {}\n",
            if manager == "kubernetes" {
                "{ namespace = \"x\" }"
            } else {
                "{ project = \"x\" }"
            }
        );
        let config = Config::parse("x", &text).unwrap();
        let mut seen = Seen::default();
        for line in lines {
            seen.hear(line, 0);
        }
        let host = HostName::parse("a").unwrap();
        let environment = config.environment("production").unwrap();
        let told = diagnose(&config, environment, &[(host, seen)]).remove(0);
        let found = told.findings.iter();
        let found = found.map(|found| format!("{}: {}; {}", found.id, found.found, found.mend));
        let unseen = told.unseen.iter();
        let unseen = unseen.map(|unseen| format!("not checked {}: {}", unseen.id, unseen.why));
        let of = |line: &String| line.contains("container.");
        found.chain(unseen).filter(of).collect()
    }

    #[test]
    fn a_grace_is_long_enough_for_the_longest_job_and_for_what_is_waited() {
        let with = |grace: u32, work: &str| {
            let line = format!(
                "container w shop {grace} SIGTERM words php\u{1f}artisan\u{1f}queue:work\u{1f}{work}"
            );
            told("compose", &[&line])
        };
        assert!(with(61, "--timeout=60").is_empty());
        assert_eq!(
            with(60, "--timeout=60"),
            ["container.grace: shop gets 60 s, and a job may take 60 s; stop_grace_period: 70s"]
        );
        assert_eq!(
            with(59, "--timeout=30"),
            ["container.grace: shop gets 59 s, and a job may take 60 s; stop_grace_period: 60s"]
        );
    }

    #[test]
    fn a_grace_is_not_fine_for_a_job_whose_length_was_not_seen() {
        let with = |grace: u32, words: &str| {
            let line = format!("container w shop {grace} SIGTERM words {words}");
            told("compose", &[&line])
        };
        let shell = "sh\u{1f}-c\u{1f}exec php artisan queue:work --timeout=600";
        assert_eq!(
            with(70, shell),
            ["container.grace: shop gets 70 s, and a job may take 600 s; stop_grace_period: 610s"]
        );
        assert!(with(610, &shell.replace("-c", "-ec")).is_empty());
        let prepares = shell.replace("exec", "php artisan config:cache && exec");
        assert_eq!(with(70, &prepares), with(70, shell));
        for unseen in [
            "/run-worker",
            "php\u{1f}artisan\u{1f}queue:work\u{1f}--timeout=0",
            "php\u{1f}artisan\u{1f}queue:work\u{1f}--timeout=$LONG",
            "php\u{1f}artisan\u{1f}horizon",
            "sh\u{1f}-c\u{1f}php artisan queue:work & exec php artisan queue:work --timeout=600",
            "sh\u{1f}-c\u{1f}exec php artisan queue:work --timeout=\"600\"",
        ] {
            assert_eq!(
                with(70, unseen),
                ["not checked container.grace: shop: how long a job may take was not seen"],
                "{unseen}"
            );
            // What is shorter than what is waited for is too short for any.
            assert_eq!(
                with(59, unseen),
                [
                    "container.grace: shop gets 59 s, and a job may take 60 s; stop_grace_period: 60s"
                ]
            );
        }
    }

    #[test]
    fn what_only_an_image_says_was_not_seen() {
        assert_eq!(
            told("kubernetes", &["container w deployment/w 120 - unknown "]),
            [
                "not checked container.grace: deployment/w: how long a job may take was not seen",
                "not checked container.shell-form: deployment/w: its command stands in its image, and not here",
                "not checked container.stop-signal: deployment/w: the signal that ends it stands in its image, and not here",
            ]
        );
        let nothing = told("compose", &[]);
        assert_eq!(nothing.len(), 3, "{nothing:?}");
        assert!(nothing[0].ends_with("group w: no container of it runs"));
    }
}
