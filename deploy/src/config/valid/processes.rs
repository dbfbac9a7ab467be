//! Processes that must follow the release: workers and PHP-FPM.

use std::collections::BTreeSet;

use super::super::document::quoted;
use super::super::findings::{Fault, Findings};
use super::super::grammar;
use super::super::place::Place;
use super::super::{PhpFpm, Workers, defaults, raw};
use super::Time;

/// Reads the groups of workers, the good ones with their position in the file.
pub(super) fn workers(
    raw: Vec<raw::Workers>,
    place: &Place,
    findings: &mut Findings<'_>,
) -> Vec<(usize, Workers)> {
    let mut groups = BTreeSet::new();
    let mut read = Vec::new();
    for (index, raw) in raw.into_iter().enumerate() {
        let place = place.index(index);
        let Some(workers) = group(raw, &place, findings) else {
            continue;
        };
        if !groups.insert(workers.group.clone()) {
            let message = format!("the group {} is given twice", quoted(&workers.group));
            findings.add(
                &place.key("group"),
                Fault::new(message, "write one table for each group"),
            );
        }
        read.push((index, workers));
    }
    read
}

fn group(raw: raw::Workers, place: &Place, findings: &mut Findings<'_>) -> Option<Workers> {
    let named = |text: String| {
        let read = grammar::process_name("a supervisor group", &text, "shop-worker");
        findings.take(&place.key("group"), read)
    };
    let group = raw.group.and_then(named);
    let drain = Time::running(raw.drain_timeout, defaults::WORKERS_DRAIN_TIMEOUT);
    let drain_timeout = drain.read(&place.key("drain_timeout"), findings);
    Some(Workers {
        group: group?,
        expect: raw.expect.unwrap_or(defaults::WORKERS_EXPECT),
        hand_over: raw.hand_over.unwrap_or(defaults::WORKERS_HAND_OVER),
        drain_timeout: drain_timeout?,
        after_drain: raw.after_drain.unwrap_or(defaults::WORKERS_AFTER_DRAIN),
        sudo: raw.sudo.unwrap_or(defaults::WORKERS_SUDO),
    })
}

/// Reads what PHP-FPM needs.
pub(super) fn php_fpm(
    raw: raw::PhpFpm,
    place: &Place,
    findings: &mut Findings<'_>,
) -> Option<PhpFpm> {
    let named = |text: String| {
        let read = grammar::process_name("a systemd unit", &text, "php8.2-fpm");
        findings.take(&place.key("service"), read)
    };
    Some(PhpFpm {
        service: raw.service.and_then(named)?,
        after_swap: raw.after_swap.unwrap_or(defaults::FPM_AFTER_SWAP),
        sudo: raw.sudo.unwrap_or(defaults::FPM_SUDO),
    })
}
