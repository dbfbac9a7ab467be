//! The command line of a worker, and how long its longest job may take.

use std::fmt;
use std::time::Duration;

use super::Severity::{Loses, Remark, Risk};
use super::checks::DRAIN;
use super::seen::{AppConfig, JobTimeout};
use super::{Diagnosis, Look, Severity};
use crate::config::{AfterDrain, Workers};

/// What `queue:work` takes when it is not told.
const TIMEOUT_SECONDS: u64 = 60;
/// Options that may have their value as the next word.
const WITH_VALUE: [&str; 12] = [
    "--queue",
    "--name",
    "--timeout",
    "--tries",
    "--sleep",
    "--rest",
    "--backoff",
    "--delay",
    "--memory",
    "--max-time",
    "--max-jobs",
    "--env",
];

/// What a worker was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Work<'a> {
    /// `queue:work`, `horizon`, …
    pub(super) command: &'a str,
    /// The connection, where one is named.
    pub(super) connection: Option<&'a str>,
    rest: &'a [String],
}

/// The longest that a job may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Longest {
    /// It is ended after this long.
    Limit(Duration),
    /// Nothing ends it.
    None,
    /// What ends it was not seen.
    Unseen,
}

/// How long the longest job may take, and the file of the app that says so where it is not the worker that was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bound {
    /// In seconds.
    pub(super) seconds: u64,
    /// What the worker itself was told; 0 for ever.
    pub(super) told: Option<u64>,
    file: Option<String>,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.seconds)?;
        match &self.file {
            Some(file) => write!(f, " ($timeout in {file})"),
            None => Ok(()),
        }
    }
}

impl<'a> Work<'a> {
    /// Reads the words of a process; `None` where they are none of `artisan`.
    pub(super) fn read(words: &'a [String]) -> Option<Self> {
        let artisan = |word: &String| word == "artisan" || word.ends_with("/artisan");
        let at = words.iter().position(artisan)?;
        // Options of artisan itself may stand before the command.
        let after = &words[at + 1..];
        let at = after.iter().position(|word| !word.starts_with('-'))?;
        let (command, rest) = (&after[at], &after[at + 1..]);
        let mut bare = None;
        let mut words = rest.iter();
        while let Some(word) = words.next() {
            if WITH_VALUE.contains(&word.as_str()) {
                words.next();
            } else if !word.starts_with('-') {
                bare = Some(word.as_str());
                break;
            }
        }
        Some(Self {
            command,
            connection: bare,
            rest,
        })
    }

    /// Whether it takes jobs from a queue.
    pub(super) fn takes_jobs(&self) -> bool {
        matches!(self.command, "queue:work" | "queue:listen" | "horizon")
    }

    /// Whether it runs jobs or the schedule.
    pub(super) fn is_worker(&self) -> bool {
        self.takes_jobs() || self.command == "schedule:work"
    }

    /// Whether it is one worker with options of its own.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.command, "queue:work" | "queue:listen")
    }

    /// The value of an option.
    pub(super) fn option(&self, name: &str) -> Option<&'a str> {
        let mut words = self.rest.iter();
        while let Some(word) = words.next() {
            match word.strip_prefix(name) {
                Some("") => return words.next().map(String::as_str),
                Some(value) if value.starts_with('=') => return Some(&value[1..]),
                _ => {}
            }
        }
        None
    }

    /// The seconds that it was told a job may take, 0 for ever; `None` where that was not seen.
    pub(super) fn told(&self, config: Option<&AppConfig>) -> Option<u64> {
        if self.command == "horizon" {
            let all = config?.horizon.values().map(|horizon| horizon.timeout);
            return all.reduce(longer);
        }
        let given = self.option("--timeout");
        given.map_or(Some(TIMEOUT_SECONDS), |text| text.parse().ok())
    }

    /// The longest that a job may take.
    pub(super) fn longest(&self, config: Option<&AppConfig>) -> Longest {
        longest(self.told(config), config)
    }

    /// The same with who says so, or why there is no such thing.
    pub(super) fn bound(&self, config: Option<&AppConfig>) -> Result<Bound, String> {
        bound(self.told(config), config)
    }

    /// What says that nothing limits a job.
    pub(super) fn endless(&self, config: Option<&AppConfig>) -> String {
        match longest_job(config) {
            Some(job) if job.seconds == 0 => format!("$timeout is 0 in {}", job.file),
            _ if self.command == "horizon" => "timeout is 0 in config/horizon.php".to_owned(),
            _ => "--timeout=0".to_owned(),
        }
    }
}

/// The longer of two limits, of which 0 is none.
fn longer(one: u64, other: u64) -> u64 {
    if one == 0 || other == 0 {
        0
    } else {
        one.max(other)
    }
}

fn longest_job(config: Option<&AppConfig>) -> Option<&JobTimeout> {
    config.and_then(|config| config.longest_job.as_ref())
}

/// The longest that a job may take where its worker was told so many seconds, 0 for ever. What a job says itself goes before
/// that, and whichever job a worker takes, it may be that one.
pub(super) fn longest(told: Option<u64>, config: Option<&AppConfig>) -> Longest {
    let own = longest_job(config).map(|job| job.seconds);
    let unread = config.is_some_and(|config| config.jobs_unread);
    let all = told.map(|told| own.map_or(told, |own| longer(told, own)));
    match all {
        Some(0) => Longest::None,
        Some(seconds) if !unread => Longest::Limit(Duration::from_secs(seconds)),
        _ => Longest::Unseen,
    }
}

/// The same with who says so, or why there is no such thing.
pub(super) fn bound(told: Option<u64>, config: Option<&AppConfig>) -> Result<Bound, String> {
    match (longest(told, config), config) {
        (Longest::Limit(longest), _) => {
            let seconds = longest.as_secs();
            let own = longest_job(config).filter(|_| told != Some(seconds));
            let file = own.map(|job| job.file.clone());
            Ok(Bound {
                seconds,
                told,
                file,
            })
        }
        (Longest::None, _) => Err("nothing limits a job".to_owned()),
        (Longest::Unseen, Some(config)) if config.jobs_unread => {
            Err("the app has more code than was looked through for jobs".to_owned())
        }
        (Longest::Unseen, _) => Err("how long a job may take was not seen".to_owned()),
    }
}

/// How bad it is that a worker which was told so many seconds, 0 for ever, gets no more than these. What only a job says may
/// be said of another queue, which workers with more time serve.
pub(super) fn severity(look: Look<'_>, told: Option<u64>, gets: u64) -> Severity {
    let by_itself = told.is_some_and(|told| told == 0 || gets <= told);
    if by_itself || super::queue::serves_one(look) {
        Loses
    } else {
        Risk
    }
}

/// Whether a deployment waits longer than a job may take.
pub(super) fn drain(look: Look<'_>, workers: &Workers, work: &Work<'_>, told: &mut Diagnosis) {
    let config = look.seen.app.as_ref().and_then(|app| app.config.as_ref());
    let (group, drain) = (&workers.group, workers.drain_timeout.as_secs());
    let (severity, does) = match workers.after_drain {
        AfterDrain::Force => (severity(look, work.told(config), drain), "is killed then"),
        AfterDrain::Fail => (Risk, "takes the deployment back"),
        AfterDrain::Keep => (Remark, "goes on with old code"),
    };
    match (work.bound(config), work.longest(config)) {
        (Ok(bound), _) => {
            let found =
                format!("{group}: drain_timeout is {drain} s, and a job that takes {bound} {does}");
            let mend = format!("drain_timeout = \"{}s\"", bound.seconds + 10);
            let short = drain <= bound.seconds;
            told.verdict(&DRAIN, short.then_some((severity, found, mend)));
        }
        (Err(why), Longest::Unseen) => told.blind(&DRAIN, format!("{group}: {why}")),
        // Where no job is killed, that nothing limits it is said already.
        _ if workers.after_drain != AfterDrain::Force => {}
        _ => {
            let found =
                format!("{group}: drain_timeout is {drain} s, and a job that takes longer {does}");
            let mend = format!("--timeout= shorter than {drain}, or after_drain = \"fail\"");
            told.verdict(&DRAIN, Some((severity, found, mend)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Horizon;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_command_line_is_read_as_artisan_reads_it() {
        let line = words(
            "php8.2 /srv/app/current/artisan queue:work --queue high --timeout=90 redis --tries 3",
        );
        let work = Work::read(&line).unwrap();
        assert_eq!(
            (work.command, work.connection),
            ("queue:work", Some("redis"))
        );
        assert_eq!(
            (work.option("--tries"), work.option("--max-time")),
            (Some("3"), None)
        );
        assert_eq!(work.longest(None), Longest::Limit(Duration::from_secs(90)));
        assert_eq!(Work::read(&words("vim artisan.php")), None);
        let line = words("php artisan --env=production -n queue:work redis");
        let work = Work::read(&line).unwrap();
        assert_eq!(
            (work.command, work.connection),
            ("queue:work", Some("redis"))
        );
        assert_eq!(Work::read(&words("php artisan --version")), None);
    }

    #[test]
    fn horizon_takes_as_long_as_its_configuration_says() {
        let line = words("php artisan horizon");
        let work = Work::read(&line).unwrap();
        let of = |timeout| Horizon {
            connection: "redis".to_owned(),
            timeout,
        };
        let mut config = AppConfig::default();
        // Who was not seen to have any supervisor has not said a minute either.
        assert_eq!(work.longest(None), Longest::Unseen);
        assert_eq!(work.longest(Some(&config)), Longest::Unseen);
        config.horizon = [("a".to_owned(), of(60)), ("b".to_owned(), of(900))].into();
        let longest = Longest::Limit(Duration::from_mins(15));
        assert_eq!(work.longest(Some(&config)), longest);
        config.horizon.insert("c".to_owned(), of(0));
        assert_eq!(work.longest(Some(&config)), Longest::None);
    }

    #[test]
    fn what_a_job_says_itself_goes_before_what_its_worker_was_told() {
        let line = words("php artisan queue:work --timeout=60");
        let work = Work::read(&line).unwrap();
        let with = |seconds| AppConfig {
            longest_job: Some(JobTimeout {
                seconds,
                file: "app/Jobs/Report.php".to_owned(),
            }),
            ..AppConfig::default()
        };
        let bound = |config: &AppConfig| work.bound(Some(config)).map(|bound| bound.to_string());
        let longest = "900 s ($timeout in app/Jobs/Report.php)".to_owned();
        assert_eq!(bound(&with(900)), Ok(longest));
        assert_eq!(bound(&with(30)), Ok("60 s".to_owned()));
        assert_eq!(bound(&with(0)), Err("nothing limits a job".to_owned()));
        let endless = "$timeout is 0 in app/Jobs/Report.php";
        assert_eq!(work.endless(Some(&with(0))), endless);
        // In what was not read another job may say more.
        let unread = AppConfig {
            jobs_unread: true,
            ..with(900)
        };
        assert!(bound(&unread).unwrap_err().contains("more code"));
    }
}
