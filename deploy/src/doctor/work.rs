//! The command line of a worker, and how long its longest job may take.

use std::time::Duration;

use super::Diagnosis;
use super::Severity::{Loses, Remark, Risk};
use super::checks::DRAIN;
use super::seen::AppConfig;
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

    /// The longest that a job may take.
    pub(super) fn longest(&self, config: Option<&AppConfig>) -> Longest {
        let told = if self.command == "horizon" {
            config.and_then(|config| config.horizon_timeout)
        } else {
            self.option("--timeout").and_then(|text| text.parse().ok())
        };
        match told.unwrap_or(TIMEOUT_SECONDS) {
            0 => Longest::None,
            seconds => Longest::Limit(Duration::from_secs(seconds)),
        }
    }

    /// The seconds that a job may take; `None` where nothing limits it, or what does was not seen.
    pub(super) fn limit(&self, config: Option<&AppConfig>) -> Option<u64> {
        let seen = if self.command == "horizon" {
            config.is_some_and(|config| config.horizon_timeout.is_some())
        } else {
            let given = self.option("--timeout");
            given.is_none_or(|text| text.parse::<u64>().is_ok())
        };
        match self.longest(config) {
            Longest::Limit(longest) if seen => Some(longest.as_secs()),
            _ => None,
        }
    }
}

/// Whether a deployment waits longer than a job may take.
pub(super) fn drain(workers: &Workers, longest: Longest, told: &mut Diagnosis) {
    let (group, drain) = (&workers.group, workers.drain_timeout.as_secs());
    let (severity, does) = match workers.after_drain {
        AfterDrain::Force => (Loses, "is killed then"),
        AfterDrain::Fail => (Risk, "takes the deployment back"),
        AfterDrain::Keep => (Remark, "goes on with old code"),
    };
    match longest {
        Longest::Limit(longest) => {
            let longest = longest.as_secs();
            let found = format!(
                "{group}: drain_timeout is {drain} s, and a job that takes {longest} s {does}"
            );
            let mend = format!("drain_timeout = \"{}s\"", longest + 10);
            let short = drain <= longest;
            told.verdict(&DRAIN, short.then_some((severity, found, mend)));
        }
        // Where no job is killed, that nothing limits it is said already.
        Longest::None if workers.after_drain != AfterDrain::Force => {}
        Longest::None => {
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
        let config = AppConfig {
            horizon_timeout: Some(900),
            ..AppConfig::default()
        };
        assert_eq!(
            work.longest(Some(&config)),
            Longest::Limit(Duration::from_mins(15))
        );
        assert_eq!(work.longest(None), Longest::Limit(Duration::from_mins(1)));
    }
}
