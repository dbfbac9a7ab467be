//! PHP-FPM, which must follow the release.

use super::super::findings::{Fault, Findings};
use super::super::grammar;
use super::super::place::Place;
use super::super::{FpmAction, PhpFpm, defaults, raw};
use super::optional;

/// Reads how PHP-FPM comes to serve a release.
pub(super) fn php_fpm(
    raw: raw::PhpFpm,
    place: &Place,
    findings: &mut Findings<'_>,
) -> Option<PhpFpm> {
    let service = optional(raw.service, &place.key("service"), findings, |text| {
        grammar::process_name("a systemd unit", text, "php8.2-fpm")
    });
    let pool = optional(raw.pool, &place.key("pool"), findings, grammar::pool);
    let script = optional(
        raw.script,
        &place.key("script"),
        findings,
        grammar::relative_path,
    );
    let warm = raw.warm.unwrap_or_default().into_iter().enumerate();
    let warm: Vec<_> = warm
        .map(|(index, path)| {
            let place = place.key("warm").index(index);
            findings.take(&place, grammar::request_path(&path))
        })
        .collect();
    let (service, pool) = (service.ok()?, pool.ok()?);
    let after_swap = raw.after_swap;
    let after_swap = after_swap.unwrap_or_else(|| defaults::fpm_after_swap(pool.is_some()));
    let wanting = match after_swap {
        FpmAction::Auto | FpmAction::Reset if pool.is_none() => {
            Some(("pool", "add `pool`: `\"/run/php/php8.2-fpm.sock\"`"))
        }
        FpmAction::Reload if service.is_none() => {
            Some(("service", "add `service`: `\"php8.2-fpm\"`"))
        }
        FpmAction::Nothing if pool.is_none() && raw.after_swap.is_none() => Some((
            "pool",
            "add `pool`, or say `after_swap = \"nothing\"`, or take the table out",
        )),
        _ => None,
    };
    if let Some((key, help)) = wanting {
        let message = format!("without `{key}` there is nothing that could be done");
        findings.add(place, Fault::new(message, help));
        return None;
    }
    Some(PhpFpm {
        service,
        pool,
        script: script
            .ok()?
            .unwrap_or_else(|| defaults::FPM_SCRIPT.to_owned()),
        warm: warm.into_iter().collect::<Option<_>>()?,
        after_swap,
        sudo: raw.sudo.unwrap_or(defaults::FPM_SUDO),
    })
}
