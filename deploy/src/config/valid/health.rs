//! How the app tells that it is well.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::findings::{Fault, Findings};
use super::super::grammar::{self, Range};
use super::super::place::Place;
use super::super::{Health, defaults, raw};
use super::Time;

/// Reads a health check.
pub(super) fn health(
    raw: raw::Health,
    place: &Place,
    findings: &mut Findings<'_>,
) -> Option<Health> {
    let mut take =
        |key: &str, text: Option<String>, read: fn(&str) -> Result<String, Fault>| match text {
            None => Some(None),
            Some(text) => findings.take(&place.key(key), read(&text)).map(Some),
        };
    let url = take("url", raw.url, |text| {
        grammar::url(text, "http://127.0.0.1/health")
    });
    let host_header = take("host_header", raw.host_header, grammar::host_header);
    let contains = take("contains", raw.contains, grammar::wanted_text);
    let release_field = take("release_field", raw.release_field, grammar::field_path);
    let json = fields(raw.json.unwrap_or_default(), &place.key("json"), findings);
    let interval = Time {
        text: raw.interval,
        default: defaults::HEALTH_INTERVAL,
        range: Range::ASK,
    };
    let timeout = Time {
        text: raw.timeout,
        default: defaults::HEALTH_TIMEOUT,
        range: Range::ASK,
    };
    let interval = interval.read(&place.key("interval"), findings);
    let timeout = timeout.read(&place.key("timeout"), findings);
    Some(Health {
        url: url??,
        host_header: host_header?,
        attempts: raw.attempts.unwrap_or(defaults::HEALTH_ATTEMPTS),
        interval: interval?,
        timeout: timeout?,
        status: raw.status.unwrap_or(defaults::HEALTH_STATUS),
        contains: contains?,
        json,
        release_field: release_field?,
    })
}

/// Fields by dotted path. `"database.ok" = true` and a table `database = { ok = true }` say the same.
fn fields(
    raw: BTreeMap<String, Value>,
    place: &Place,
    findings: &mut Findings<'_>,
) -> BTreeMap<String, Value> {
    let mut fields = BTreeMap::new();
    let mut rest: Vec<(Place, String, Value)> = raw
        .into_iter()
        .rev()
        .map(|(key, value)| (place.key(&key), key, value))
        .collect();
    while let Some((place, path, value)) = rest.pop() {
        if let Err(fault) = grammar::field_path(&path) {
            findings.add_at_key(&place, fault);
            continue;
        }
        match value {
            Value::Object(table) if table.is_empty() => {
                findings.add(
                    &place,
                    Fault::new(
                        "no field is named",
                        "write a field and its value: `\"database.ok\" = true`",
                    ),
                );
            }
            Value::Object(table) => {
                let below = |(key, value): (String, Value)| {
                    (place.key(&key), format!("{path}.{key}"), value)
                };
                rest.extend(table.into_iter().map(below));
            }
            value => {
                if fields.insert(path, value).is_some() {
                    findings.add_at_key(
                        &place,
                        Fault::new("the field is given twice", "keep one of the two"),
                    );
                }
            }
        }
    }
    fields
}
