//! How supervisor ends and restarts workers.

use super::Severity::{Loses, Remark, Risk};
use super::checks::{AUTORESTART, Check, KILL_GROUP, STOP_GROUP, STOP_SIGNAL, STOP_WAIT};
use super::ini::{Ini, Program};
use super::seen::App;
use super::work::{Work, severity};
use super::{Diagnosis, Look};
use crate::config::Recipe;

/// What supervisor waits when it is not told.
const STOP_WAIT_SECONDS: u64 = 10;
const ALL: [&Check; 5] = [
    &STOP_WAIT,
    &STOP_SIGNAL,
    &STOP_GROUP,
    &KILL_GROUP,
    &AUTORESTART,
];

/// Judges the programs of a group.
pub(super) fn judge(look: Look<'_>, group: &str, told: &mut Diagnosis) {
    let inis = look.seen.supervisors.iter();
    let programs = inis.flat_map(|ini| ini.programs(group).into_iter().map(move |one| (ini, one)));
    let programs: Vec<(&Ini, Program<'_>)> = programs.collect();
    if programs.is_empty() {
        let why =
            "no file of supervisor that may be read tells of it; needs a running worker, or root";
        let why = format!("group {group}: {why}");
        told.blind_to(&ALL, &why);
        super::units::of_supervisor(look, group, None, Err(why), told);
    }
    for (ini, program) in programs {
        one(look, group, ini, program, told);
    }
}

/// Judges a program of a supervisor.
pub(super) fn one(
    look: Look<'_>,
    group: &str,
    ini: &Ini,
    program: Program<'_>,
    told: &mut Diagnosis,
) {
    stop_wait(look, group, ini, program, told);
    stop_signal(look, group, program, told);
    let to_group = program.is_on("stopasgroup").unwrap_or(false);
    let found = format!("{group}: stopasgroup=true");
    let mend = "stopasgroup=false and killasgroup=true".to_owned();
    told.verdict(&STOP_GROUP, to_group.then_some((Risk, found, mend)));
    let kills = program.is_on("killasgroup").unwrap_or(to_group);
    let found = format!("{group}: killasgroup is off");
    told.verdict(
        &KILL_GROUP,
        (!kills).then_some((Remark, found, "killasgroup=true".to_owned())),
    );
    let restarts = program.is_on("autorestart").unwrap_or(false);
    let written = program
        .value("autorestart")
        .unwrap_or("unexpected, by default");
    let found = format!("{group}: autorestart is {written}");
    told.verdict(
        &AUTORESTART,
        (!restarts).then_some((Loses, found, "autorestart=true".to_owned())),
    );
}

fn stop_wait(look: Look<'_>, group: &str, ini: &Ini, program: Program<'_>, told: &mut Diagnosis) {
    let words = program.words();
    let work = Work::read(&words);
    let config = look.seen.app.as_ref().and_then(|app| app.config.as_ref());
    let bound = match &work {
        Some(work) if work.takes_jobs() => {
            work.bound(config).map_err(|why| format!("{group}: {why}"))
        }
        None if look.config.recipe == Recipe::Laravel => Err(super::workers::unread(group, &words)),
        _ => return,
    };
    let waits = program
        .value("stopwaitsecs")
        .and_then(|text| text.parse().ok());
    let waits: u64 = waits.unwrap_or(STOP_WAIT_SECONDS);
    match &bound {
        Ok(bound) => {
            let short = waits <= bound.seconds;
            let found = format!("{group}: stopwaitsecs is {waits}, and a job may take {bound}");
            let mend = format!("stopwaitsecs={}", bound.seconds + 10);
            let severity = severity(look, bound.told, waits);
            told.verdict(&STOP_WAIT, short.then_some((severity, found, mend)));
        }
        Err(why) => told.blind(&STOP_WAIT, why.clone()),
    }
    super::units::of_supervisor(look, group, Some(ini.pid), bound, told);
}

/// Laravel 8 and 9 finish a job on TERM alone; QUIT came with 10, INT with 13.
fn stop_signal(look: Look<'_>, group: &str, program: Program<'_>, told: &mut Diagnosis) {
    let signal = program
        .value("stopsignal")
        .unwrap_or("TERM")
        .to_ascii_uppercase();
    let signal = signal.trim_start_matches("SIG");
    let major = look.seen.app.as_ref().and_then(App::laravel_major);
    let needs = match signal {
        "TERM" => 0,
        "QUIT" => 10,
        "INT" => 13,
        _ => u32::MAX,
    };
    let heard = match major {
        Some(major) => major >= needs,
        None if needs == 0 => true,
        None if needs == u32::MAX => false,
        None => {
            told.blind(
                &STOP_SIGNAL,
                format!("{group}: which Laravel finishes its job on {signal} is not known here"),
            );
            return;
        }
    };
    let found = format!("{group}: stopsignal is {signal}");
    told.verdict(
        &STOP_SIGNAL,
        (!heard).then_some((Loses, found, "stopsignal=TERM".to_owned())),
    );
}
