//! One environment, and whether its parts fit together.

use super::super::findings::{Fault, Findings};
use super::super::grammar::{self, Range};
use super::super::place::Place;
use super::super::{Environment, Role, Steps, Workers, defaults, raw};
use super::Time;
use super::claims::Claims;
use super::hosts::{Hosts, hosts};
use super::{health, processes};
use crate::names::EnvironmentName;

/// What is known around an environment.
#[derive(Debug)]
pub(super) struct Rim<'r> {
    /// Its name, where that is a good one.
    pub(super) name: Option<EnvironmentName>,
    /// The steps of the app.
    pub(super) steps: &'r Steps,
    /// What the environments before have claimed.
    pub(super) claims: &'r mut Claims,
}

/// Reads one environment. `None` only where a fault is noted.
pub(super) fn environment(
    raw: raw::Environment,
    rim: Rim<'_>,
    place: &Place,
    findings: &mut Findings<'_>,
) -> Option<Environment> {
    let branch = optional(raw.branch, &place.key("branch"), findings, grammar::branch);
    let path = optional(
        raw.path,
        &place.key("path"),
        findings,
        grammar::absolute_path,
    );
    let url = optional(raw.url, &place.key("url"), findings, |text| {
        grammar::url(text, "https://shop.example.com")
    });
    let lock_wait = Time {
        text: raw.lock_wait,
        default: defaults::LOCK_WAIT,
        range: Range::WAIT,
    };
    let step_timeout = Time {
        text: raw.step_timeout,
        default: defaults::STEP_TIMEOUT,
        range: Range::RUN,
    };
    let lock_wait = lock_wait.read(&place.key("lock_wait"), findings);
    let step_timeout = step_timeout.read(&place.key("step_timeout"), findings);
    let hosts = hosts(raw.hosts, &place.key("hosts"), findings);
    let needs = Needs {
        health: raw.health.is_some(),
        workers: raw
            .workers
            .as_ref()
            .is_some_and(|workers| !workers.is_empty()),
        php_fpm: raw.php_fpm.is_some(),
        migrate: !rim.steps.migrate.is_empty(),
    };
    needs.check(&hosts, place, findings);
    let health = raw
        .health
        .map(|raw| health::health(raw, &place.key("health"), findings));
    let workers = processes::workers(
        raw.workers.unwrap_or_default(),
        &place.key("workers"),
        findings,
    );
    let php_fpm = raw
        .php_fpm
        .map(|raw| processes::php_fpm(raw, &place.key("php_fpm"), findings));
    let name = rim.name?;
    let path = path?;
    claim(
        rim.claims,
        &Claimant {
            name: &name,
            path: path.as_deref(),
            hosts: &hosts,
            workers: &workers,
        },
        place,
        findings,
    );
    Some(Environment {
        name,
        branch: branch?,
        path: path?,
        url: url?,
        keep_releases: raw.keep_releases.unwrap_or(defaults::KEEP_RELEASES),
        keep_failed: raw.keep_failed.unwrap_or(defaults::KEEP_FAILED),
        lock_wait: lock_wait?,
        step_timeout: step_timeout?,
        hosts: hosts
            .whole
            .then(|| hosts.good.into_iter().map(|(_, host)| host).collect())?,
        health: transpose(health)?,
        workers: workers.into_iter().map(|(_, workers)| workers).collect(),
        php_fpm: transpose(php_fpm)?,
    })
}

/// What an environment has that needs a host of some role.
struct Needs {
    health: bool,
    workers: bool,
    php_fpm: bool,
    migrate: bool,
}

impl Needs {
    fn check(&self, hosts: &Hosts, place: &Place, findings: &mut Findings<'_>) {
        let Some(roles) = &hosts.roles else {
            return;
        };
        let needs = [
            (
                self.health,
                Role::Web,
                "health",
                "health is asked on hosts with the role `web`, and there is none",
            ),
            (
                self.workers,
                Role::Worker,
                "workers",
                "workers run on hosts with the role `worker`, and there is none",
            ),
            (
                self.php_fpm,
                Role::Web,
                "php_fpm",
                "PHP-FPM runs on hosts with the role `web`, and there is none",
            ),
            (
                self.migrate,
                Role::Migrate,
                "hosts",
                "there are migrate steps and no host with the role `migrate`",
            ),
        ];
        for (needed, role, key, message) in needs {
            if needed && !roles.contains(&role) {
                let other = match role {
                    Role::Migrate => "write `migrate = []` under `[steps]`".to_owned(),
                    _ => format!("take `{key}` out"),
                };
                let help = format!(
                    "add `\"{}\"` to the roles of a host, or {other}",
                    role.word()
                );
                findings.add(&place.key(key), Fault::new(message, help));
            }
        }
    }
}

/// An environment as far as it claims things on hosts.
struct Claimant<'c> {
    name: &'c EnvironmentName,
    path: Option<&'c str>,
    hosts: &'c Hosts,
    workers: &'c [(usize, Workers)],
}

fn claim(claims: &mut Claims, who: &Claimant<'_>, place: &Place, findings: &mut Findings<'_>) {
    let name = who.name.as_str();
    for (index, host) in &who.hosts.good {
        if let Some(path) = who.path {
            let place = place.key("hosts").index(*index).key("address");
            findings.take(&place, claims.tree(name, host, path));
        }
    }
    for (index, workers) in who.workers {
        let place = place.key("workers").index(*index).key("group");
        let taken = who
            .hosts
            .good
            .iter()
            .find_map(|(_, host)| claims.group(name, host, &workers.group).err());
        findings.take(&place, taken.map_or(Ok(()), Err));
    }
}

/// `Some(None)` where nothing is given, `None` where what is given is faulty.
fn optional(
    text: Option<String>,
    place: &Place,
    findings: &mut Findings<'_>,
    read: impl Fn(&str) -> Result<String, Fault>,
) -> Option<Option<String>> {
    match text {
        None => Some(None),
        Some(text) => findings.take(place, read(&text)).map(Some),
    }
}

fn transpose<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    match read {
        Some(None) => None,
        Some(some) => Some(some),
        None => Some(None),
    }
}
