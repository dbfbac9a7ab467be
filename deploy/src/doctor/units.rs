//! How systemd ends and restarts workers.

use std::collections::BTreeMap;

use super::Severity::{Loses, Risk};
use super::checks::{Check, KILL_MODE, KILL_SIGNAL, RESTART, TIMEOUT_STOP, UNIT_STOP};
use super::work::Longest;
use super::{Diagnosis, Look};
use crate::config::Workers;

const ALL: [&Check; 4] = [&KILL_MODE, &KILL_SIGNAL, &RESTART, &TIMEOUT_STOP];

/// A unit as systemd shows it.
pub type Unit = BTreeMap<String, String>;

/// Judges the units of a group, whose jobs take this long.
pub(super) fn judge(
    look: Look<'_>,
    workers: &Workers,
    longest: Option<Longest>,
    told: &mut Diagnosis,
) {
    let units = look.seen.units.get(&workers.group);
    let loaded = |unit: &&Unit| unit.get("LoadState").is_some_and(|state| state == "loaded");
    let units: Vec<&Unit> = units.into_iter().flatten().filter(loaded).collect();
    if units.is_empty() {
        let why = look.seen.trouble.get("units").map(String::as_str);
        let why = why.unwrap_or("systemd knows no such unit that runs");
        told.blind_to(&ALL, &format!("{}: {why}", workers.group));
    }
    for unit in units {
        one(unit, longest, told);
    }
}

fn one(unit: &Unit, longest: Option<Longest>, told: &mut Diagnosis) {
    let value = |key: &str| unit.get(key).map_or("", String::as_str);
    let id = value("Id");
    let restart = value("Restart");
    let found = format!("{id}: Restart={restart}");
    let mend = "Restart=always".to_owned();
    told.verdict(
        &RESTART,
        (restart != "always").then_some((Loses, found, mend)),
    );
    let mode = value("KillMode");
    let found = format!("{id}: KillMode={mode}");
    let mend = "KillMode=mixed".to_owned();
    told.verdict(&KILL_MODE, (mode != "mixed").then_some((Risk, found, mend)));
    let signal = value("KillSignal");
    let found = format!("{id}: KillSignal={signal}");
    let mend = "KillSignal=SIGTERM".to_owned();
    let term = matches!(signal, "15" | "SIGTERM");
    told.verdict(&KILL_SIGNAL, (!term).then_some((Loses, found, mend)));
    let Some(Longest::Limit(longest)) = longest else {
        told.blind(
            &TIMEOUT_STOP,
            format!("{id}: how long a job may take was not seen"),
        );
        return;
    };
    let waits = value("TimeoutStopUSec");
    let short = seconds(waits).is_some_and(|seconds| seconds <= longest.as_secs());
    let longest = longest.as_secs();
    let found = format!("{id}: TimeoutStopSec is {waits}, and a job may take {longest} s");
    let mend = format!("TimeoutStopSec={}", longest + 10);
    told.verdict(&TIMEOUT_STOP, short.then_some((Loses, found, mend)));
}

/// What supervisor's unit is called, by Debian and by others.
pub(crate) const SUPERVISORS: [&str; 2] = ["supervisor", "supervisord"];

/// Judges the unit of the supervisor that has a group, where systemd runs it.
pub(super) fn of_supervisor(look: Look<'_>, group: &str, longest: u64, told: &mut Diagnosis) {
    let units = SUPERVISORS
        .iter()
        .filter_map(|name| look.seen.units.get(*name));
    let has = |unit: &&Unit| {
        let pid = unit.get("MainPID").and_then(|pid| pid.parse().ok());
        let mut those = look.seen.supervisors.iter();
        those.any(|ini| Some(ini.pid) == pid && !ini.programs(group).is_empty())
    };
    for unit in units.flatten().filter(has) {
        let value = |key: &str| unit.get(key).map_or("", String::as_str);
        let (id, waits) = (value("Id"), value("TimeoutStopUSec"));
        let short = seconds(waits).is_some_and(|seconds| seconds <= longest);
        let found =
            format!("{id}: TimeoutStopSec is {waits}, and a job of {group} may take {longest} s");
        let enough = longest + 10;
        let mend = format!("sudo systemctl edit {id}: [Service] TimeoutStopSec={enough}");
        told.verdict(&UNIT_STOP, short.then_some((Loses, found, mend)));
    }
}

/// `1min 30s` in seconds; `None` for no end.
fn seconds(text: &str) -> Option<u64> {
    let mut whole = 0;
    for part in text.split(' ') {
        let at = part.find(|c: char| !c.is_ascii_digit())?;
        let unit = match &part[at..] {
            "ms" | "us" => 0,
            "s" => 1,
            "min" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return None,
        };
        whole += part[..at].parse::<u64>().ok()? * unit;
    }
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_systemd_are_read() {
        let read = ["90s", "1min 30s", "1h 500ms", "infinity"].map(seconds);
        assert_eq!(read, [Some(90), Some(90), Some(3600), None]);
    }
}
