//! How the app tells that it is well.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::findings::{Fault, Findings};
use super::super::grammar;
use super::super::place::Place;
use super::super::{Health, defaults, raw};
use super::{Time, optional};

/// Reads a health check.
pub(super) fn health(
    raw: raw::Health,
    place: &Place,
    findings: &mut Findings<'_>,
) -> Option<Health> {
    let at = |key: &str| place.key(key);
    let url = optional(raw.url, &at("url"), findings, |text| {
        grammar::url(text, "http://127.0.0.1/health")
    });
    let host_header = optional(
        raw.host_header,
        &at("host_header"),
        findings,
        grammar::host_header,
    );
    let contains = optional(
        raw.contains,
        &at("contains"),
        findings,
        grammar::wanted_text,
    );
    let release_field = optional(
        raw.release_field,
        &at("release_field"),
        findings,
        grammar::field_path,
    );
    let release_header = optional(
        raw.release_header,
        &at("release_header"),
        findings,
        grammar::header_name,
    );
    let headers = headers(raw.headers.unwrap_or_default(), &at("headers"), findings);
    let outside = outside(raw.outside.unwrap_or_default(), &at("outside"), findings);
    let json = fields(raw.json.unwrap_or_default(), &at("json"), findings);
    let interval = Time::asking(raw.interval, defaults::HEALTH_INTERVAL);
    let timeout = Time::asking(raw.timeout, defaults::HEALTH_TIMEOUT);
    let interval = interval.read(&at("interval"), findings);
    let timeout = timeout.read(&at("timeout"), findings);
    Some(Health {
        url: url.ok()??,
        host_header: host_header.ok()?,
        attempts: raw.attempts.unwrap_or(defaults::HEALTH_ATTEMPTS),
        interval: interval?,
        timeout: timeout?,
        status: raw.status.unwrap_or(defaults::HEALTH_STATUS),
        contains: contains.ok()?,
        json,
        release_field: release_field.ok()?,
        release_header: release_header.ok()?,
        headers,
        through: raw.through.unwrap_or(defaults::HEALTH_THROUGH),
        outside,
    })
}

fn headers(
    raw: BTreeMap<String, String>,
    place: &Place,
    findings: &mut Findings<'_>,
) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::new();
    for (name, wanted) in raw {
        let place = place.key(&name);
        if let Err(fault) = grammar::header_name(&name) {
            findings.add_at_key(&place, fault);
        } else if let Some(wanted) = findings.take(&place, grammar::wanted_text(&wanted)) {
            headers.insert(name, wanted);
        }
    }
    headers
}

fn outside(raw: Vec<String>, place: &Place, findings: &mut Findings<'_>) -> Vec<String> {
    let mut outside: Vec<String> = Vec::new();
    for (index, text) in raw.into_iter().enumerate() {
        let place = place.index(index);
        let read = grammar::url(&text, "https://shop.example.com/health");
        match findings.take(&place, read) {
            Some(url) if outside.contains(&url) => {
                findings.add(
                    &place,
                    Fault::new("the address is given twice", "name it once"),
                );
            }
            url => outside.extend(url),
        }
    }
    outside
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
