//! What follows a swap on a host, in words: from the configuration, and from what the pool of PHP-FPM told of itself.

use serde::Serialize;

use crate::config::{
    AfterDrain, Environment, Following, FpmAction, HandOver, Host, PhpFpm, Role, Runtime, Workers,
};
use crate::names::HostName;
use crate::pool::{Follows, Passes, Pool};

/// Something that follows a swap on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AfterSwap {
    /// The host.
    pub host: HostName,
    /// What: `php-fpm`, or the kind and name of a runtime or group.
    pub what: String,
    /// How, in words.
    pub how: String,
}

impl AfterSwap {
    /// All of it in a line.
    pub fn line(&self) -> String {
        format!(
            "after the swap on {}: {}: {}",
            self.host, self.what, self.how
        )
    }
}

/// All that follows a swap on a host, in the order in which it does. `pool` is what PHP-FPM said, where it was asked.
pub fn after_swap(
    environment: &Environment,
    host: &Host,
    pool: Option<&Result<Pool, String>>,
) -> Vec<AfterSwap> {
    let mut told = Vec::new();
    let mut tell = |what: String, how: String| {
        let host = host.name.clone();
        told.push(AfterSwap { host, what, how });
    };
    if host.roles.contains(&Role::Web) {
        match (&environment.php_fpm, pool) {
            (Some(fpm), _) => tell("php-fpm".to_owned(), of_pool(fpm, pool, &environment.path)),
            (None, Some(Err(why))) => tell("php-fpm".to_owned(), format!("not known: {why}")),
            (None, _) => {}
        }
        for runtime in &environment.runtimes {
            let what = format!("{} {}", runtime.kind.word(), runtime.name());
            tell(what, of_runtime(runtime));
        }
    }
    if host.roles.contains(&Role::Worker) {
        for workers in &environment.workers {
            tell(format!("workers {}", workers.group), of_workers(workers));
        }
    }
    told
}

fn of_pool(fpm: &PhpFpm, pool: Option<&Result<Pool, String>>, root: &str) -> String {
    if let (FpmAction::Reload, Some(service)) = (fpm.after_swap, &fpm.service) {
        return format!("reload, by `systemctl reload {service}`");
    }
    let pool = match pool {
        None => return "nothing, and nobody has looked whether that is right".to_owned(),
        Some(Err(said)) => return format!("not known, the pool does not tell: {said}"),
        Some(Ok(pool)) => pool,
    };
    let line = pool.line(root);
    let stale = fpm.after_swap == FpmAction::Nothing && pool.passes(root) == Passes::Current;
    match pool.follows(fpm.after_swap, root) {
        Err(why) => format!("it cannot follow: {why}"),
        Ok(Follows::Renew) => format!("its processes begin anew after their request ({line})"),
        Ok(Follows::Reset) => {
            format!("reset of OPcache, once every request that began before has ended ({line})")
        }
        Ok(Follows::Nothing) if stale => {
            format!("nothing, so it goes on serving the old release ({line})")
        }
        Ok(Follows::Nothing) => {
            format!("nothing; OPcache forgets releases that are removed ({line})")
        }
    }
}

fn of_runtime(runtime: &Runtime) -> String {
    let mut how = match &runtime.follows {
        Following::Restarted(processes) => {
            let manager = processes.manager.word();
            match processes.expect {
                1 if runtime.kind.listens() => format!(
                    "ended, started anew by {manager} and proven; until it is up nobody takes its connections"
                ),
                1 => format!("ended, started anew by {manager} and proven"),
                all => format!(
                    "each of {all} ended, started anew by {manager} and proven, one after another"
                ),
            }
        }
        Following::Reloaded { service, .. } => {
            format!("reload, by `systemctl reload {service}`, proven by a new process of it")
        }
        Following::Lines { stop, start, .. } => {
            let lines = [("stop", stop), ("start", start)];
            let lines = lines.into_iter().filter(|(_, line)| line.is_some());
            let lines: Vec<&str> = lines.map(|(verb, _)| verb).collect();
            match lines.as_slice() {
                [] => "nothing is run".to_owned(),
                lines => format!("lines of yours: {}", lines.join(", ")),
            }
        }
    };
    if let Some(line) = &runtime.prove {
        how = format!("{how}; then `{line}` must succeed");
    }
    how
}

fn of_workers(workers: &Workers) -> String {
    let manager = workers.manager.word();
    let seconds = workers.drain_timeout.as_secs();
    let then = match workers.after_drain {
        AfterDrain::Fail => "the release is taken back",
        AfterDrain::Force => "they are killed",
        AfterDrain::Keep => "they may go on",
    };
    match workers.hand_over {
        HandOver::Overlap if workers.after_drain == AfterDrain::Keep => {
            format!(
                "overlap by {manager}: new ones are proven before the swap, old ones finish in the background"
            )
        }
        HandOver::Overlap => format!(
            "overlap by {manager}: new ones are proven before the swap, old ones have {seconds} s to finish, then {then}"
        ),
        HandOver::Drain => format!(
            "drain: each finishes its job and is started anew by {manager}; after {seconds} s {then}"
        ),
        HandOver::Restart => format!("restart by {manager}, which kills a job that outlasts it"),
    }
}
