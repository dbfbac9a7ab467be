//! Tables of workers: what a host runs, and what only the repository speaks of.

use std::fmt::Write as _;

use super::site::{Machine, Worker};
use super::{Horizon, Kind, Repository, line};

/// What a worker may take longer than its longest job, in seconds.
const SPARE_SECONDS: u64 = 10;
/// The longest time that `drain_timeout` may be, in seconds.
const MOST_SECONDS: u64 = 24 * 60 * 60;
/// What a job may take where nobody says it, in seconds.
const TIMEOUT_SECONDS: u64 = 60;
/// A master of Horizon, one supervisor and one worker: there are never less.
const PROCESSES_OF_HORIZON: u32 = 3;

/// Writes the tables for the app at `path`. Horizon gets one as long as no host was looked at, where it would be seen.
pub(super) fn write(
    text: &mut String,
    environment: &str,
    path: &str,
    repository: &Repository,
    machine: Option<&Machine>,
) {
    let running: Vec<&Worker> = machine
        .iter()
        .flat_map(|host| host.workers_of(path))
        .collect();
    for worker in &running {
        writeln!(text, "\n[[environments.{environment}.workers]]").unwrap_or_default();
        if worker.is_horizon() {
            horizon(text, &worker.name, repository.horizon.as_ref());
        } else {
            plain(text, worker);
        }
    }
    if machine.is_none() && repository.kind == Kind::Laravel && repository.horizon.is_none() {
        write!(
            text,
            "\n# Queue workers, where the app has some; `cutover provision` sets them up by this name, under supervisor.\n\
             # [[environments.{environment}.workers]]\n# group = \"{}-worker\"\n# expect = 2\n",
            repository.app
        )
        .unwrap_or_default();
    }
    if repository.horizon.is_none() || running.iter().any(|worker| worker.is_horizon()) {
        return;
    }
    let group = format!("{}-horizon", repository.app);
    if machine.is_some() {
        write!(
            text,
            "\n# There is laravel/horizon, and nothing that the host shows runs it.\n\
             # [[environments.{environment}.workers]]\n# manager = \"horizon\"\n# group = \"{group}\"\n\
             # expect = {PROCESSES_OF_HORIZON}\n"
        )
        .unwrap_or_default();
        return;
    }
    write!(
        text,
        "\n# There is laravel/horizon; `cutover provision` sets it up by this name; take it out where it is not used.\n\
         [[environments.{environment}.workers]]\n"
    )
    .unwrap_or_default();
    horizon(text, &group, repository.horizon.as_ref());
}

/// A group that supervisor or systemd lists.
fn plain(text: &mut String, worker: &Worker) {
    if worker.systemd {
        line(text, "manager", "systemd", "");
    }
    line(text, "group", &worker.name, "");
    writeln!(text, "expect = {}", worker.count).unwrap_or_default();
    // The scheduler ends at once, whatever it is at.
    if worker
        .artisan()
        .is_none_or(|command| command == "schedule:work")
    {
        return;
    }
    let longest = timeout(&worker.command).unwrap_or(TIMEOUT_SECONDS);
    drain(text, Some(longest), "--timeout");
}

/// Horizon, whoever starts it: its processes tell what they run, and its manager lists the master alone.
fn horizon(text: &mut String, group: &str, known: Option<&Horizon>) {
    line(text, "manager", "horizon", "");
    line(text, "group", group, "");
    write!(
        text,
        "# CHANGE THIS: as many processes as there always are: the master, its supervisors, and of their workers the fewest\n\
         # that config/horizon.php lets run\nexpect = {PROCESSES_OF_HORIZON}\n"
    )
    .unwrap_or_default();
    let longest = known.and_then(|horizon| horizon.timeout_seconds);
    drain(text, longest, "timeout in config/horizon.php");
}

/// How long a job may be waited for, where `says` ends it after so many seconds; `None` where that was not seen.
fn drain(text: &mut String, longest: Option<u64>, says: &str) {
    match longest {
        None => {
            let note =
                format!("CHANGE THIS: longer than the longest job ({says}, which was not seen)");
            let usual = format!("{}s", TIMEOUT_SECONDS + SPARE_SECONDS);
            line(text, "drain_timeout", &usual, &note);
        }
        Some(0) => {
            writeln!(
                text,
                "# CHANGE THIS: nothing ends a job, as {says} is 0; this must be longer than the longest one takes\n\
                 drain_timeout = \"1h\""
            )
            .unwrap_or_default();
        }
        Some(longest) if longest.saturating_add(SPARE_SECONDS) > MOST_SECONDS => {
            let note =
                format!("CHANGE THIS: a job may take longer ({says}) than is ever waited for");
            line(text, "drain_timeout", "24h", &note);
        }
        Some(longest) => {
            let note = format!("longer than the longest job ({says})");
            let seconds = longest.saturating_add(SPARE_SECONDS);
            line(text, "drain_timeout", &format!("{seconds}s"), &note);
        }
    }
}

impl Worker {
    fn is_horizon(&self) -> bool {
        self.artisan() == Some("horizon")
    }
}

/// `--timeout` of a command line.
fn timeout(command: &str) -> Option<u64> {
    let (_, rest) = command.split_once("--timeout")?;
    let digits = rest.trim_start_matches(['=', ' ']);
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    digits[..end].parse().ok()
}

/// The longest `timeout` that config/horizon.php gives to a supervisor, in seconds; 0 where one has no end, `None` where a
/// value is no plain number or there is none.
pub fn horizon_timeout(config: &str) -> Option<u64> {
    let comment = |line: &&str| line.trim_start().starts_with(['/', '*', '|', '#']);
    let code: Vec<&str> = config.lines().filter(|line| !comment(line)).collect();
    let code = code.join("\n").replace('"', "'");
    let values = code.split("'timeout'").skip(1).map(|rest| {
        let rest = rest.trim_start().strip_prefix("=>")?.trim_start();
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let (digits, rest) = rest.split_at(end);
        let ends = rest.trim_start().starts_with([',', ']', ')']);
        digits.parse::<u64>().ok().filter(|_| ends)
    });
    let values: Vec<u64> = values.collect::<Option<_>>()?;
    if values.contains(&0) {
        return Some(0);
    }
    // A supervisor that is told nothing has Horizon's own.
    Some(values.into_iter().max()?.max(TIMEOUT_SECONDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_timeout_of_horizon_is_read_where_it_is_a_number() {
        let stock = "'waits' => ['redis:default' => 60],\n'defaults' => ['supervisor-1' => [\n    'tries' => 1,\n    \
            'timeout' => 60,\n]],\n/*\n | 'timeout' => 5000,\n */\n";
        let read = |more: &str| horizon_timeout(&format!("{stock}{more}"));
        assert_eq!(read(""), Some(60));
        assert_eq!(read("'long' => ['timeout' => 900],"), Some(900));
        assert_eq!(read("'short' => [\"timeout\"=>30 ]"), Some(60));
        assert_eq!(read("'endless' => ['timeout' => 0],"), Some(0));
        for unread in ["env('SECONDS', 60)", "60 * 5", "1_000", "60.5", ""] {
            assert_eq!(
                read(&format!("'x' => ['timeout' => {unread}],")),
                None,
                "{unread}"
            );
        }
        assert_eq!(horizon_timeout("<?php return [];"), None);
    }
}
