//! How containers that run workers were started, and how they are stopped, by the word of who runs them.

use super::Severity::Loses;
use super::checks::{Check, GRACE, IMAGE_SIGNAL, SHELL_FORM};
use super::containers::{cuts_off, shell};
use super::work::{Longest, Work};
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
        Some(Self {
            group,
            name,
            grace_seconds,
            signal,
            shell,
            words: words.map(str::to_owned).collect(),
        })
    }
}

/// Judges the containers of a group.
pub(super) fn judge(look: Look<'_>, workers: &Workers, told: &mut Diagnosis) {
    let mut of = look.seen.containers.iter();
    if !of.any(|container| container.group == workers.group) {
        let why = look.seen.trouble.get("running").map(String::as_str);
        let why = why.unwrap_or("no container of it runs");
        told.blind_to(&ALL, &format!("group {}: {why}", workers.group));
    }
    for container in &look.seen.containers {
        if container.group == workers.group {
            one(look, workers, container, told);
        }
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
    if let Some(signal) = &container.signal {
        let found = format!("{name} is stopped by {signal}");
        let mend = "STOPSIGNAL SIGTERM in its Dockerfile, and no other where it is started";
        let cut = cuts_off(signal).then(|| (Loses, found, mend.to_owned()));
        told.verdict(&IMAGE_SIGNAL, cut);
    }
    let config = look.seen.app.as_ref().and_then(|app| app.config.as_ref());
    let work = Work::read(&container.words).filter(Work::takes_jobs);
    let longest = match work.map(|work| work.longest(config)) {
        Some(Longest::Limit(longest)) => longest.as_secs(),
        // What is waited for is as much as a job may take.
        Some(Longest::None) | None => 0,
    };
    let (grace, drain) = (container.grace_seconds, workers.drain_timeout.as_secs());
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
    fn what_only_an_image_says_was_not_seen() {
        assert_eq!(
            told("kubernetes", &["container w deployment/w 120 - unknown "]),
            [
                "not checked container.shell-form: deployment/w: its command stands in its image, and not here"
            ]
        );
        let nothing = told("compose", &[]);
        assert_eq!(nothing.len(), 3, "{nothing:?}");
        assert!(nothing[0].ends_with("group w: no container of it runs"));
    }
}
