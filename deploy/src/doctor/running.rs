//! How containers that run workers were started, and how they are stopped, by the word of who runs them.

use super::Severity::{Loses, Remark};
use super::checks::{Check, GRACE, IMAGE_SIGNAL, PCNTL, SHELL_FORM};
use super::containers::{cuts_jobs_off, gets, is_shell, shell};
use super::work::{Work, severity};
use super::{Diagnosis, Look};
use crate::config::{Manager, Recipe, Workers};

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
    /// How many of these a hook takes before the signal comes; `None` where nobody can tell.
    pub hook_seconds: Option<u64>,
    /// The signal that is to end it; `None` where only its image says so.
    pub signal: Option<String>,
    /// Whether a shell is between that signal and PHP; `None` where only its image says so.
    pub shell: Option<bool>,
    /// Whether its worker listens for signals.
    pub hears: Hearing,
    /// The words of its command.
    pub words: Vec<String>,
}

/// Whether a worker listens for signals, as the kernel tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hearing {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// It does not yet, and began only seconds ago.
    NotYet,
    /// Its kernel was not asked.
    Unknown,
}

impl Running {
    /// Reads `GROUP NAME GRACE[-HOOK] SIGNAL FORM WORD␟WORD…`, with `?` for a hook of which nobody knows how long it takes.
    pub(super) fn read(rest: &str) -> Option<Self> {
        let mut parts = rest.splitn(6, ' ');
        let mut next = || parts.next();
        let (group, name) = (next()?.to_owned(), next()?.to_owned());
        let (grace, hook) = next().map(|text| text.split_once('-').unwrap_or((text, "0")))?;
        let grace_seconds = grace.parse().ok()?;
        let signal = next().filter(|signal| *signal != "-").map(str::to_owned);
        let (shell, hears) = match next()? {
            "shell" => (Some(true), Hearing::Unknown),
            "hears" => (Some(false), Hearing::Yes),
            "deaf" => (Some(false), Hearing::No),
            "young" => (Some(false), Hearing::NotYet),
            "words" => (Some(false), Hearing::Unknown),
            _ => (None, Hearing::Unknown),
        };
        let words = next().unwrap_or_default().split('\u{1f}');
        let words = words.map(str::trim).filter(|word| !word.is_empty());
        let words = words.map(str::to_owned).collect();
        Some(Self {
            group,
            name,
            grace_seconds,
            hook_seconds: hook.parse().ok(),
            signal,
            shell,
            hears,
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
        let why = look.seen.trouble.get(&format!("running {}", workers.group));
        let why = why.map(String::as_str);
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
    signal(look, container, told);
    hears(look, container, told);
    grace(look, workers, container, told);
}

fn signal(look: Look<'_>, container: &Running, told: &mut Diagnosis) {
    let name = &container.name;
    if let Some(signal) = &container.signal {
        let found = format!("{name} is stopped by {signal}");
        let mend = "STOPSIGNAL SIGTERM in its Dockerfile, and no other where it is started";
        let cut = cuts_jobs_off(look, signal).then(|| (Loses, found, mend.to_owned()));
        told.verdict(&IMAGE_SIGNAL, cut);
    } else if look.seen.images.is_empty() {
        // Where there is a Dockerfile, what it says of this is judged with it. Nobody can ask a cluster.
        let found =
            format!("{name}: the signal that ends it stands in its image, which no cluster tells");
        let mend =
            "docker image inspect --format '{{.Config.StopSignal}}' IMAGE  # nothing, or SIGTERM";
        told.verdict(&IMAGE_SIGNAL, Some((Remark, found, mend.to_owned())));
    }
}

/// A worker that listens for no signals dies of TERM in its job, or as the first process of its container does not even get it.
fn hears(look: Look<'_>, container: &Running, told: &mut Diagnosis) {
    if look.config.recipe != Recipe::Laravel || container.shell == Some(true) {
        return;
    }
    let name = &container.name;
    let mend =
        "docker-php-ext-install pcntl in its Dockerfile, and pcntl_* out of disable_functions";
    let work = Work::read(&container.words);
    match (container.hears, work) {
        (Hearing::Yes, _) => told.verdict(&PCNTL, None),
        (Hearing::NotYet, _) => told.blind(&PCNTL, format!("{name} has just begun: look again")),
        (Hearing::No, None) => {
            told.blind(
                &PCNTL,
                format!("{name}: what its command starts was not seen"),
            );
        }
        // The one that listens has others work, and does not wait for them in any case.
        (Hearing::No, Some(work)) if work.command == "queue:listen" => {}
        (Hearing::No, Some(_)) => {
            let found = format!("{name}: its worker listens for no signals");
            told.verdict(&PCNTL, Some((Loses, found, mend.to_owned())));
        }
        (Hearing::Unknown, _) => {
            let found =
                format!("{name}: whether the PHP of its image has pcntl is not seen from here");
            told.verdict(&PCNTL, Some((Remark, found, mend.to_owned())));
        }
    }
}

fn grace(look: Look<'_>, workers: &Workers, container: &Running, told: &mut Diagnosis) {
    let name = &container.name;
    let config = look.seen.app.as_ref().and_then(|app| app.config.as_ref());
    let work = Work::read(&container.words).filter(Work::takes_jobs);
    let bound = work.and_then(|work| work.bound(config).ok());
    let hook = container.hook_seconds.unwrap_or(0);
    let drain = workers.drain_timeout.as_secs();
    let left = container.grace_seconds.saturating_sub(hook);
    if container.hook_seconds.is_none() {
        let found = format!("{name}: a preStop hook takes of the {left} s that it gets to end");
        let mend = "terminationGracePeriodSeconds: long enough for both".to_owned();
        told.verdict(&GRACE, Some((Remark, found, mend)));
    }
    if bound.is_none() && left >= drain {
        let why = format!("{name}: how long a job may take was not seen");
        return told.blind(&GRACE, why);
    }
    // What is waited for is as much as a job may take, as far as anybody knows.
    let longest = bound.as_ref().map_or(0, |bound| bound.seconds);
    let gets = gets(name, container.grace_seconds, hook);
    let found = format!("{gets}, and a job may take {} s", drain.max(longest));
    let enough = drain.max(longest + 10) + hook;
    let mend = match workers.manager {
        Manager::Kubernetes => format!("terminationGracePeriodSeconds: {enough}"),
        Manager::Compose => format!("stop_grace_period: {enough}s"),
        // It is cutover that gives it.
        _ => format!("drain_timeout = \"{enough}s\", then deploy"),
    };
    let short = left < drain || left <= longest;
    let severity = match bound {
        Some(bound) if left >= drain => severity(look, bound.told, left),
        _ => Loses,
    };
    told.verdict(&GRACE, short.then_some((severity, found, mend)));
}

#[cfg(test)]
mod tests {
    use crate::HostName;
    use crate::config::Config;
    use crate::doctor::{Listed, Seen, diagnose};

    /// What is told of a Deployment and of containers of a group that waits 60 s.
    fn told(manager: &str, lines: &[&str]) -> Vec<String> {
        told_of(manager, "none", "container.", lines)
    }

    fn told_of(manager: &str, recipe: &str, area: &str, lines: &[&str]) -> Vec<String> {
        let text = format!(
            "app = \"x\"\nrepository = \"github:a/b\"\nrecipe = \"{recipe}\"\n[environments.production]\npath = \"/srv/app\"\n\
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
        seen.listed.push(Listed {
            group: "w".to_owned(),
            name: "w@r1-1".to_owned(),
            state: "RUNNING".to_owned(),
            pid: Some(1),
            release: None,
        });
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
        let of = |line: &String| line.contains(area);
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
    fn what_only_an_image_says_is_no_reason_to_call_a_cluster_unseen() {
        let pods = "container w deployment/w 120 - unknown ";
        assert_eq!(
            told("kubernetes", &[pods]),
            [
                "container.stop-signal: deployment/w: the signal that ends it stands in its image, which no cluster tells; docker image inspect --format '{{.Config.StopSignal}}' IMAGE  # nothing, or SIGTERM",
                "not checked container.grace: deployment/w: how long a job may take was not seen",
                "not checked container.shell-form: deployment/w: its command stands in its image, and not here",
            ]
        );
        // What the release's own Dockerfile says of it is judged, also when that is nothing.
        let of_signal = |line: &str| {
            let mut all = told("kubernetes", &[pods, "image Dockerfile FROM php:cli", line]);
            all.retain(|line| line.contains("stop-signal"));
            all
        };
        assert!(of_signal("").is_empty());
        assert_eq!(
            of_signal("image Dockerfile STOPSIGNAL SIGINT"),
            ["container.stop-signal: Dockerfile: STOPSIGNAL SIGINT; STOPSIGNAL SIGTERM"]
        );
        let nothing = told("compose", &[]);
        assert_eq!(nothing.len(), 3, "{nothing:?}");
        assert!(nothing[0].ends_with("group w: no container of it runs"));
    }

    #[test]
    fn a_hook_takes_its_time_of_the_grace() {
        let with = |grace: &str| {
            let words = "php\u{1f}artisan\u{1f}queue:work\u{1f}--timeout=60";
            let mut all = told(
                "kubernetes",
                &[&format!("container w deployment/w {grace} - words {words}")],
            );
            all.retain(|line| line.contains("container.grace"));
            all
        };
        assert!(with("76-15").is_empty());
        assert_eq!(
            with("75-15"),
            [
                "container.grace: deployment/w gets 60 s after its preStop hook of 15 s, and a job may take 60 s; terminationGracePeriodSeconds: 85"
            ]
        );
        assert_eq!(
            with("75-?"),
            [
                "container.grace: deployment/w: a preStop hook takes of the 75 s that it gets to end; terminationGracePeriodSeconds: long enough for both"
            ]
        );
    }

    #[test]
    fn a_container_is_asked_for_its_own_php_and_not_that_of_the_host() {
        let with = |manager: &str, form: &str, command: &str| {
            let line =
                format!("container w shop 70 SIGTERM {form} php\u{1f}artisan\u{1f}{command}");
            told_of(manager, "laravel", "php.pcntl", &[&line]).join("")
        };
        assert_eq!(with("compose", "hears", "queue:work"), "");
        assert_eq!(with("compose", "shell", "queue:work"), "");
        assert_eq!(with("compose", "deaf", "queue:listen"), "");
        assert_eq!(
            with("compose", "deaf", "queue:work"),
            "php.pcntl: shop: its worker listens for no signals; docker-php-ext-install pcntl in its Dockerfile, and pcntl_* out of disable_functions"
        );
        assert_eq!(
            with("compose", "young", "queue:work"),
            "not checked php.pcntl: shop has just begun: look again"
        );
        assert!(
            with("kubernetes", "words", "queue:work")
                .starts_with("php.pcntl: shop: whether the PHP of its image")
        );
    }

    #[test]
    fn quit_is_for_those_that_finish_a_job_on_it() {
        let with = |laravel: &str| {
            let app = format!("app {{\"laravel\":\"{laravel}\"}}");
            let line = "container w shop 70 SIGQUIT hears php\u{1f}artisan\u{1f}queue:work";
            told("compose", &[&app, line]).len()
        };
        assert_eq!([with("9.52.0"), with("10.0.0")], [1, 0]);
    }

    #[test]
    fn a_worker_in_a_container_may_be_a_pods_and_is_nobodys_elsewhere() {
        let seen = [
            "process 9 1 33 - - php\u{1f}artisan\u{1f}queue:work\u{1f}",
            "boxed 9",
        ];
        let unmanaged = |manager: &str, lines: &[&str]| {
            told_of(manager, "none", "workers.unmanaged", lines).len()
        };
        assert_eq!(unmanaged("kubernetes", &seen), 0);
        assert_eq!(unmanaged("kubernetes", &seen[..1]), 1);
        assert_eq!(unmanaged("compose", &seen), 1);
    }
}
