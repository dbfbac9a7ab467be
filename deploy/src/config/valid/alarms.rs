//! What is looked at while a release is watched.

use std::collections::BTreeSet;

use serde_json::{Number, Value};

use super::super::document::quoted;
use super::super::findings::{Fault, Findings};
use super::super::place::Place;
use super::super::{
    AccessLog, Alarms, Command, Prometheus, Queue, Restarts, defaults, grammar, raw,
};
use super::{Time, list, optional};

/// Reads all alarms. `None` only where a fault is noted.
pub(super) fn alarms(
    raw: raw::Alarms,
    place: &Place,
    findings: &mut Findings<'_>,
) -> Option<Alarms> {
    let interval = Time::asking(raw.interval, defaults::ALARMS_INTERVAL);
    let interval = interval.read(&place.key("interval"), findings);
    let access_log = raw.access_log;
    let access_log = access_log.map(|raw| log(raw, &place.key("access_log"), findings));
    let queue = raw.queue;
    let queue = queue.map(|raw| queued(raw, &place.key("queue"), findings));
    let restarts = |raw: raw::Restarts| {
        Some(Restarts {
            restarts: raw.restarts?,
            then: raw.then.unwrap_or(defaults::ALARM_THEN),
        })
    };
    let mut names = BTreeSet::new();
    let below = place.key("prometheus");
    let prometheus = raw.prometheus.unwrap_or_default();
    let prometheus: Vec<_> = (0..)
        .zip(prometheus)
        .map(|(index, raw)| asked(raw, &below.index(index), &mut names, findings))
        .collect();
    let below = place.key("commands");
    let commands = raw.commands.unwrap_or_default();
    let commands: Vec<_> = (0..)
        .zip(commands)
        .map(|(index, raw)| command(raw, &below.index(index), &mut names, findings))
        .collect();
    Some(Alarms {
        interval: interval?,
        times: raw.times.unwrap_or(defaults::ALARMS_TIMES),
        access_log: whole(access_log)?,
        queue: whole(queue)?,
        workers: whole(raw.workers.map(restarts))?,
        prometheus: prometheus.into_iter().collect::<Option<_>>()?,
        commands: commands.into_iter().collect::<Option<_>>()?,
    })
}

/// Nothing where nothing was given, and no value at all where a fault is noted.
#[expect(
    clippy::option_option,
    reason = "the outer one is whether it could be read, as everywhere here"
)]
fn whole<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    read.map_or(Some(None), |read| read.map(Some))
}

fn log(raw: raw::AccessLog, place: &Place, findings: &mut Findings<'_>) -> Option<AccessLog> {
    let path = optional(
        raw.path,
        &place.key("path"),
        findings,
        grammar::absolute_path,
    );
    Some(AccessLog {
        path: path.ok()??,
        percent: raw.percent.unwrap_or(defaults::ACCESS_LOG_PERCENT),
        requests: raw.requests.unwrap_or(defaults::ACCESS_LOG_REQUESTS),
        then: raw.then.unwrap_or(defaults::ALARM_THEN),
    })
}

fn queued(raw: raw::Queue, place: &Place, findings: &mut Findings<'_>) -> Option<Queue> {
    let place = place.key("queues");
    let queues = list(raw.queues, &[], &place, findings, |text| {
        if text.is_empty() || text.contains(char::is_control) {
            let message = format!("{} is not the name of a queue", quoted(text));
            return Err(Fault::new(message, "write the name that workers are given"));
        }
        Ok(text.to_owned())
    });
    Some(Queue {
        failed: raw.failed?,
        overdue: raw.overdue.unwrap_or(defaults::QUEUE_OVERDUE),
        queues,
        then: raw.then.unwrap_or(defaults::ALARM_THEN),
    })
}

fn asked(
    raw: raw::Prometheus,
    place: &Place,
    names: &mut BTreeSet<String>,
    findings: &mut Findings<'_>,
) -> Option<Prometheus> {
    let at = |key: &str| place.key(key);
    let name = named(raw.name, place, names, findings);
    let url = optional(raw.url, &at("url"), findings, |text| {
        server(&grammar::url(text, "https://prometheus.example.com")?)
    });
    let query = optional(raw.query, &at("query"), findings, grammar::query);
    let above = raw.above.map(|value| number(value, &at("above"), findings));
    let token_env = optional(
        raw.token_env,
        &at("token_env"),
        findings,
        grammar::token_variable,
    );
    let (url, token_env) = (url.ok()?, token_env.ok()?);
    if let Some(url) = url.as_ref().filter(|url| !is_private(url))
        && token_env.is_some()
    {
        let message = format!("the token would go to {} in the clear", quoted(url));
        let help = "write an address of https, or of this machine";
        findings.add(&at("url"), Fault::new(message, help));
        return None;
    }
    Some(Prometheus {
        name: name?,
        url: url?,
        query: query.ok()??,
        above: above??,
        token_env,
        then: raw.then.unwrap_or(defaults::ALARM_THEN),
    })
}

/// The address of a server, to which a path is added.
fn server(url: &str) -> Result<String, Fault> {
    if url.contains(['?', '#']) {
        let help = "write it as it is given to Grafana: `\"https://prometheus.example.com\"`";
        return Err(Fault::new("the address is that of a query", help));
    }
    Ok(url.to_owned())
}

/// Whether what is sent there cannot be read on the way.
fn is_private(url: &str) -> bool {
    let here = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
    let is_here = |known: &str| {
        let rest = url.strip_prefix(known);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
    };
    url.starts_with("https://") || here.into_iter().any(is_here)
}

fn number(value: Value, place: &Place, findings: &mut Findings<'_>) -> Option<Number> {
    if let Value::Number(number) = value {
        return Some(number);
    }
    let help = "write it without quotes: `0.05`";
    findings.add(place, Fault::new("a number is wanted", help));
    None
}

fn command(
    raw: raw::Command,
    place: &Place,
    names: &mut BTreeSet<String>,
    findings: &mut Findings<'_>,
) -> Option<Command> {
    let name = named(raw.name, place, names, findings);
    let run = optional(raw.run, &place.key("run"), findings, grammar::shell_line);
    Some(Command {
        name: name?,
        run: run.ok()??,
        then: raw.then.unwrap_or(defaults::ALARM_THEN),
    })
}

fn named(
    raw: Option<String>,
    place: &Place,
    names: &mut BTreeSet<String>,
    findings: &mut Findings<'_>,
) -> Option<String> {
    let place = place.key("name");
    let name = findings.take(&place, grammar::alarm_name(&raw?))?;
    if !names.insert(name.clone()) {
        let message = format!("another alarm is called {} too", quoted(&name));
        findings.add(&place, Fault::new(message, "give each a name of its own"));
    }
    Some(name)
}
