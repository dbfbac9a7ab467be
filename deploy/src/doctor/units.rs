//! How systemd ends and restarts workers.

use std::collections::BTreeMap;

use super::Severity::{Loses, Risk};
use super::checks::{Check, KILL_MODE, KILL_SIGNAL, RESTART, TIMEOUT_STOP, UNIT_STOP};
use super::work::{Bound, Work, severity};
use super::{Diagnosis, Look};

const ALL: [&Check; 4] = [&KILL_MODE, &KILL_SIGNAL, &RESTART, &TIMEOUT_STOP];

/// A unit as systemd shows it.
pub type Unit = BTreeMap<String, String>;

/// How long a job of a unit may take, or why that is not known; `None` where it takes none.
type Job = Option<Result<Bound, String>>;

/// Judges the units of a group, whose processes have these words.
pub(super) fn judge(look: Look<'_>, group: &str, commands: &[Vec<String>], told: &mut Diagnosis) {
    let config = look.seen.app.as_ref().and_then(|app| app.config.as_ref());
    let work = commands.iter().find_map(|words| Work::read(words));
    let job: Job = work.filter(Work::takes_jobs).map(|work| work.bound(config));
    let units = look.seen.units.get(group);
    let loaded = |unit: &&Unit| unit.get("LoadState").is_some_and(|state| state == "loaded");
    let units: Vec<&Unit> = units.into_iter().flatten().filter(loaded).collect();
    if units.is_empty() {
        let why = look.seen.trouble.get("units").map(String::as_str);
        let why = why.unwrap_or("systemd knows no such unit that runs");
        told.blind_to(&ALL, &format!("{group}: {why}"));
    }
    for unit in units {
        one(look, unit, job.clone(), told);
    }
}

/// Judges one unit.
pub(super) fn one(look: Look<'_>, unit: &Unit, job: Job, told: &mut Diagnosis) {
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
    let unseen = || Err("how long a job may take was not seen".to_owned());
    let bound = match job.unwrap_or_else(unseen) {
        Ok(bound) => bound,
        Err(why) => return told.blind(&TIMEOUT_STOP, format!("{id}: {why}")),
    };
    let waits = value("TimeoutStopUSec");
    let waited = seconds(waits).filter(|seconds| *seconds <= bound.seconds);
    let found = format!("{id}: TimeoutStopSec is {waits}, and a job may take {bound}");
    let mend = format!("TimeoutStopSec={}", bound.seconds + 10);
    let short = waited.map(|waited| (severity(look, bound.told, waited), found, mend));
    told.verdict(&TIMEOUT_STOP, short);
}

/// What supervisor's unit is called, by Debian and by others.
pub(crate) const SUPERVISORS: [&str; 2] = ["supervisor", "supervisord"];

/// Judges the unit of the supervisor that has a group, by its process, whose jobs take this long or why that was not seen.
/// Where systemd does not run there is no unit.
pub(super) fn of_supervisor(
    look: Look<'_>,
    group: &str,
    supervisor: Option<u32>,
    bound: Result<Bound, String>,
    told: &mut Diagnosis,
) {
    let of = |name: &&str| look.seen.units.get(*name);
    let units: Vec<&Unit> = SUPERVISORS.iter().filter_map(of).flatten().collect();
    let trouble = look.seen.trouble.get("units");
    if units.is_empty() && trouble.is_none() {
        return;
    }
    let has = |unit: &&&Unit| {
        let main: Option<u32> = unit.get("MainPID").and_then(|pid| pid.parse().ok());
        main.is_some() && main == supervisor
    };
    let unit = units.iter().find(has).ok_or_else(|| {
        let unknown = "no unit of systemd is known to run its supervisor";
        format!("group {group}: {}", trouble.map_or(unknown, String::as_str))
    });
    let (unit, bound) = match bound.and_then(|bound| Ok((unit?, bound))) {
        Ok(known) => known,
        Err(why) => return told.blind(&UNIT_STOP, why),
    };
    let value = |key: &str| unit.get(key).map_or("", String::as_str);
    let (id, waits) = (value("Id"), value("TimeoutStopUSec"));
    let waited = seconds(waits).filter(|seconds| *seconds <= bound.seconds);
    let found = format!("{id}: TimeoutStopSec is {waits}, and a job of {group} may take {bound}");
    let mend = drop_in(id, bound.seconds + 10);
    let short = waited.map(|waited| (severity(look, bound.told, waited), found, mend));
    told.verdict(&UNIT_STOP, short);
}

/// The line that gives a unit so many seconds to end. Its file is read after all others.
fn drop_in(id: &str, seconds: u64) -> String {
    let folder = format!("/etc/systemd/system/{id}.d");
    format!(
        "sudo mkdir -p {folder} && printf '[Service]\\nTimeoutStopSec={seconds}\\n' | \
         sudo tee {folder}/zz-stop.conf && sudo systemctl daemon-reload"
    )
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
    use crate::HostName;
    use crate::config::Config;
    use crate::doctor::{Seen, diagnose};

    /// What is told of the unit of the supervisor of a group `w`.
    fn told(lines: &[&str], trouble: Option<&str>) -> Vec<String> {
        let text = "app = \"x\"\nrepository = \"github:a/b\"\nrecipe = \"laravel\"\n\
            [environments.production]\npath = \"/srv/app\"\n\
            [[environments.production.hosts]]\nname = \"a\"\naddress = \"a@b\"\n\
            [[environments.production.workers]]\ngroup = \"w\"\n";
        let config = Config::parse("x", text).unwrap();
        let mut seen = Seen::default();
        for line in lines {
            seen.hear(line, 0);
        }
        let trouble = trouble.map(|said| ("units".to_owned(), said.to_owned()));
        seen.trouble.extend(trouble);
        let environment = config.environment("production").unwrap();
        let host = HostName::parse("a").unwrap();
        let told = diagnose(&config, environment, &[(host, seen)]).remove(0);
        let of = |id: &str| id == UNIT_STOP.id;
        let found = told.findings.iter().filter(|found| of(found.id));
        let unseen = told.unseen.iter().filter(|unseen| of(unseen.id));
        let fine = told.fine.iter().filter(|id| of(id));
        let found = found.map(|found| found.mend.clone());
        found
            .chain(unseen.map(|unseen| format!("not checked: {}", unseen.why)))
            .chain(fine.map(|_| "fine".to_owned()))
            .collect()
    }

    #[test]
    fn a_unit_of_supervisor_that_could_not_be_judged_was_not_checked() {
        let program = "ini command=php /srv/app/current/artisan queue:work --timeout=60";
        let with = |program: &str, waits: &str| {
            let unit = format!("unit supervisor TimeoutStopUSec={waits}");
            let lines = [
                "supervisor 1 /etc/supervisord.conf",
                "ini [program:w]",
                program,
                "unit supervisor Id=supervisor.service",
                "unit supervisor MainPID=1",
                &unit,
            ];
            told(&lines, None)
        };
        assert_eq!(with(program, "1min 30s"), ["fine"]);
        assert_eq!(
            with(program, "1min"),
            ["sudo mkdir -p /etc/systemd/system/supervisor.service.d && \
                 printf '[Service]\\nTimeoutStopSec=70\\n' | \
                 sudo tee /etc/systemd/system/supervisor.service.d/zz-stop.conf && sudo systemctl daemon-reload"]
        );
        assert_eq!(
            with(&program.replace("=60", "=0"), "1min"),
            ["not checked: w: nothing limits a job"]
        );
        let ini = ["supervisor 1 /x", "ini [program:w]", program];
        let why = "Failed to connect to bus";
        assert_eq!(
            told(&ini, Some(why)),
            [format!("not checked: group w: {why}")]
        );
        let other = [&ini[..], &["unit supervisor MainPID=0"]].concat();
        assert_eq!(
            told(&other, None),
            ["not checked: group w: no unit of systemd is known to run its supervisor"]
        );
        assert_eq!(
            told(&["unit supervisor MainPID=1"], None),
            [
                "not checked: group w: no file of supervisor that may be read tells of it; needs a running worker, or root"
            ]
        );
        // Without systemd there is no unit.
        assert_eq!(told(&ini, None), [""; 0]);
    }

    #[test]
    fn times_of_systemd_are_read() {
        let read = ["90s", "1min 30s", "1h 500ms", "infinity"].map(seconds);
        assert_eq!(read, [Some(90), Some(90), Some(3600), None]);
    }
}
