//! PHP-FPM, by what its pool tells of itself.

use super::Severity::{Loses, Remark, Risk};
use super::checks::{CONTROL_TIMEOUT, Check, DOCUMENT_ROOT, OPCACHE, POOL, WRITES};
use super::{Diagnosis, Look, Severity};
use crate::config::{FpmAction, PhpFpm, Role};
use crate::pool::{Follows, Opcache, Passes, Pool};

/// Fewer percent of OPcache are room for no release more.
const ROOM_PERCENT: u64 = 10;
const BY_POOL: [&Check; 3] = [&DOCUMENT_ROOT, &OPCACHE, &WRITES];

pub(super) fn judge(look: Look<'_>, told: &mut Diagnosis) {
    let Some(fpm) = look.environment.php_fpm.as_ref() else {
        if let Some(Err(why)) = &look.seen.pool {
            told.blind_to(&BY_POOL, why);
            told.blind(&CONTROL_TIMEOUT, why.as_str());
        }
        return;
    };
    if !look.host.roles.contains(&Role::Web) {
        return;
    }
    let pool = match (&look.seen.pool, &fpm.pool) {
        (Some(Ok(pool)), _) => pool,
        (Some(Err(said)), Some(address)) => {
            let found = format!("{address}: {}", said.trim());
            let mend =
                format!("ls -l {address}, systemctl status php*-fpm, and `pool` in cutover.toml");
            told.verdict(&POOL, Some((Risk, found, mend)));
            told.blind_to(&BY_POOL, "the pool does not answer");
            told.blind(&CONTROL_TIMEOUT, "the pool does not answer");
            return;
        }
        _ => {
            let why = if fpm.pool.is_some() {
                "the pool was not asked"
            } else {
                "needs `pool` in cutover.toml"
            };
            told.blind_to(&BY_POOL, why);
            told.blind(&CONTROL_TIMEOUT, why);
            return;
        }
    };
    told.verdict(&POOL, None);
    document_root(look, fpm, pool, told);
    control_timeout(look, fpm, pool, told);
    match &pool.opcache {
        Some(opcache) => room(opcache, told),
        None if pool.enabled => {
            told.blind(&OPCACHE, "OPcache does not answer: `opcache.restrict_api`");
        }
        None => {}
    }
    let closed = &pool.unwritable;
    let found = format!("the pool's user may not write to {}", closed.join(", "));
    let mend = format!(
        "sudo chown -R {} {}",
        pool.user.as_deref().unwrap_or("USER"),
        closed.join(" ")
    );
    told.verdict(
        &WRITES,
        (!closed.is_empty()).then_some((Loses, found, mend)),
    );
}

fn document_root(look: Look<'_>, fpm: &PhpFpm, pool: &Pool, told: &mut Diagnosis) {
    let mend = "fastcgi_param SCRIPT_FILENAME $realpath_root$fastcgi_script_name;".to_owned();
    match pool.passes(&look.environment.path) {
        Passes::Unknown => {
            told.blind(
                &DOCUMENT_ROOT,
                "no request has told yet which path the web server passes",
            );
        }
        Passes::Release => told.verdict(&DOCUMENT_ROOT, None),
        Passes::Current => {
            let (severity, does) = by_current(fpm.after_swap, pool, &look.environment.path);
            let found = format!("the web server passes the path of `current`, and {does}");
            told.verdict(&DOCUMENT_ROOT, Some((severity, found, mend)));
        }
    }
}

/// What a swap costs where the path of `current` is passed.
fn by_current(action: FpmAction, pool: &Pool, root: &str) -> (Severity, &'static str) {
    match (action, pool.follows(action, root)) {
        (FpmAction::Nothing, _) => (Loses, "nothing is done after a swap"),
        (FpmAction::Reload, _) => (Remark, "each swap needs a reload"),
        (_, Ok(Follows::Renew)) if pool.waits && pool.reaches == Some(true) => (
            Remark,
            "each swap has its processes begin anew, for which requests wait a moment",
        ),
        (_, Ok(Follows::Renew)) => (
            Risk,
            "each swap has its processes begin anew: idle ones may run old code once more, for the pool cannot open its own socket",
        ),
        (_, Ok(_)) => (
            Loses,
            "each swap only resets OPcache: requests run the old code until the slowest one that began before has ended",
        ),
        (_, Err(_)) => (
            Risk,
            "OPcache takes no word or is off: a deployment stops before its swap",
        ),
    }
}

fn control_timeout(look: Look<'_>, fpm: &PhpFpm, pool: &Pool, told: &mut Diagnosis) {
    let written = pool
        .master
        .and_then(|master| look.seen.control.get(&master));
    let Some(written) = written else {
        let why = "needs the right to read php-fpm.conf of the pool's master";
        told.blind(&CONTROL_TIMEOUT, why);
        return;
    };
    let none = written
        .trim_end_matches(['s', 'm', 'h', 'd'])
        .parse::<u64>()
        .unwrap_or(0)
        == 0;
    let (severity, does) = if fpm.after_swap == FpmAction::Reload {
        (Loses, "each swap reloads PHP-FPM")
    } else {
        (Remark, "whoever reloads PHP-FPM cuts requests off")
    };
    let found = format!("process_control_timeout is 0, and {does}");
    let mend = "process_control_timeout = 30s in [global] of php-fpm.conf".to_owned();
    told.verdict(&CONTROL_TIMEOUT, none.then_some((severity, found, mend)));
}

fn room(opcache: &Opcache, told: &mut Diagnosis) {
    let whole = opcache.used_bytes + opcache.free_bytes + opcache.wasted_bytes;
    let free = opcache.free_bytes * 100 / whole.max(1);
    let keys = opcache.keys * 100 / opcache.most_keys.max(1);
    let short = opcache.full || free < ROOM_PERCENT || keys > 100 - ROOM_PERCENT;
    let full = if opcache.full {
        "is full"
    } else {
        "is nearly full"
    };
    let found = format!(
        "OPcache {full}: {free} % of {} MB are free, {keys} % of its keys are used",
        whole >> 20
    );
    let mend = format!(
        "opcache.memory_consumption={} in php.ini of PHP-FPM",
        (whole >> 20) * 2
    );
    told.verdict(&OPCACHE, short.then_some((Risk, found, mend)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_alone_has_requests_run_old_code_and_a_renewal_none() {
        let pool = Pool {
            php: "8.2.29".to_owned(),
            scripts: vec!["/srv/app/current/public/index.php".to_owned()],
            realpath_cache_seconds: 120,
            restricted_to: String::new(),
            enabled: true,
            renews: true,
            waits: true,
            opcache: Some(Opcache {
                full: false,
                used_bytes: 1,
                free_bytes: 9,
                wasted_bytes: 0,
                keys: 1,
                most_keys: 9,
            }),
            extensions: None,
            user: None,
            master: None,
            reaches: Some(true),
            unwritable: Vec::new(),
        };
        let bad = |action, pool: &Pool| by_current(action, pool, "/srv/app").0;
        let all = [
            FpmAction::Auto,
            FpmAction::Reset,
            FpmAction::Nothing,
            FpmAction::Reload,
        ];
        assert_eq!(
            all.map(|action| bad(action, &pool)),
            [Remark, Loses, Loses, Remark]
        );
        let shut = Pool {
            reaches: Some(false),
            ..pool.clone()
        };
        assert_eq!(bad(FpmAction::Auto, &shut), Risk);
        // Without the right to tell its processes, a reset is all that `auto` has.
        let bound = Pool {
            renews: false,
            ..pool
        };
        assert_eq!(bad(FpmAction::Auto, &bound), Loses);
        let closed = Pool {
            opcache: None,
            restricted_to: "/other".to_owned(),
            ..bound
        };
        assert_eq!(bad(FpmAction::Auto, &closed), Risk);
    }
}
