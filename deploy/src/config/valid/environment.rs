//! One environment, and whether its parts fit together.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::findings::{Fault, Findings, Noted};
use super::super::grammar;
use super::super::place::Place;
use super::super::{
    Environment, Health, Migrations, OnRollback, PhpFpm, Role, Runtime, Steps, Through, Workers,
    defaults, raw,
};
use super::claims::Claims;
use super::hosts::{self, Hosts};
use super::{Time, alarms, databases, health, optional, processes, runtimes, workers};
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
    let at = |key: &str| place.key(key);
    let hosts = hosts::hosts(
        raw.hosts.as_deref(),
        rim.name.as_ref(),
        &at("hosts"),
        findings,
    );
    check_roles(&raw, rim.steps, &hosts, place, findings);
    databases::check(
        raw.hosts.as_deref(),
        rim.steps,
        &hosts,
        &at("hosts"),
        findings,
    );
    let migrations = migrations(
        raw.migrations.as_ref(),
        rim.steps,
        &at("migrations"),
        findings,
    );
    let watch = Time::waiting(raw.watch.clone(), defaults::WATCH);
    let watch = watch.read(&at("watch"), findings);
    check_watch(&raw, watch, place, findings);
    check_alarms(&raw, watch, hosts.roles.as_ref(), &at("alarms"), findings);
    let alarms = raw.alarms.unwrap_or_default();
    let alarms = alarms::alarms(alarms, &at("alarms"), findings);
    let branch = optional(raw.branch, &at("branch"), findings, grammar::branch);
    let path = optional(raw.path, &at("path"), findings, grammar::absolute_path);
    let url = optional(raw.url, &at("url"), findings, |text| {
        grammar::url(text, "https://shop.example.com")
    });
    let lock_wait = Time::waiting(raw.lock_wait, defaults::LOCK_WAIT);
    let lock_wait = lock_wait.read(&at("lock_wait"), findings);
    let step_timeout = Time::running(raw.step_timeout, defaults::STEP_TIMEOUT);
    let step_timeout = step_timeout.read(&at("step_timeout"), findings);
    let health = raw
        .health
        .map(|raw| health::health(raw, &at("health"), findings).ok_or(Noted));
    let workers = workers::workers(raw.workers.unwrap_or_default(), &at("workers"), findings);
    let php_fpm = raw
        .php_fpm
        .map(|raw| processes::php_fpm(raw, &at("php_fpm"), findings).ok_or(Noted));
    let runtimes = runtimes::runtimes(raw.runtimes.unwrap_or_default(), &at("runtimes"), findings);
    check_through(health.as_ref(), php_fpm.as_ref(), &at("health"), findings);
    let name = rim.name?;
    let path = path.ok().flatten();
    let claimant = Claimant {
        name: &name,
        path: path.as_deref(),
        hosts: &hosts,
        workers: &workers,
        runtimes: &runtimes,
    };
    claimant.claim(rim.claims, place, findings);
    Some(Environment {
        name,
        branch: branch.ok()?,
        path: path?,
        url: url.ok()?,
        keep_releases: raw.keep_releases.unwrap_or(defaults::KEEP_RELEASES),
        keep_failed: raw.keep_failed.unwrap_or(defaults::KEEP_FAILED),
        lock_wait: lock_wait?,
        step_timeout: step_timeout?,
        strategy: raw.strategy.unwrap_or(defaults::STRATEGY),
        batch: raw.batch.unwrap_or(defaults::BATCH),
        watch: watch?,
        alarms: alarms?,
        migrations,
        hosts: hosts.whole()?,
        health: health.transpose().ok()?,
        workers: workers.into_iter().map(|(_, workers)| workers).collect(),
        php_fpm: php_fpm.transpose().ok()?,
        runtimes: runtimes.into_iter().map(|(_, runtime)| runtime).collect(),
    })
}

fn migrations(
    raw: Option<&raw::Migrations>,
    steps: &Steps,
    place: &Place,
    findings: &mut Findings<'_>,
) -> Migrations {
    let destructive = raw.and_then(|raw| raw.destructive);
    let on_rollback = raw.and_then(|raw| raw.on_rollback);
    let on_rollback = on_rollback.unwrap_or(defaults::ON_ROLLBACK);
    if on_rollback == OnRollback::RollBack && steps.migrate_back.is_empty() {
        let message = "there are no steps that roll migrations back";
        let help = "write `migrate_back` under `[steps]`, or `on_rollback = \"keep\"`";
        findings.add(&place.key("on_rollback"), Fault::new(message, help));
    }
    Migrations {
        destructive: destructive.unwrap_or(defaults::DESTRUCTIVE),
        on_rollback,
    }
}

/// Whether there is something to watch.
fn check_watch(
    raw: &raw::Environment,
    watch: Option<Duration>,
    place: &Place,
    findings: &mut Findings<'_>,
) {
    let alarms = raw.alarms.as_ref().is_some_and(has_alarms);
    if raw.health.is_none() && !alarms && watch.is_some_and(|watch| !watch.is_zero()) {
        let help = "add a table `health` or `alarms` to the environment, or take `watch` out";
        let message = "what is watched is health, and the app is not asked for it";
        findings.add(&place.key("watch"), Fault::new(message, help));
    }
}

fn has_alarms(raw: &raw::Alarms) -> bool {
    let listed = |count: Option<usize>| count.is_some_and(|count| count > 0);
    raw.access_log.is_some()
        || raw.queue.is_some()
        || raw.workers.is_some()
        || listed(raw.prometheus.as_ref().map(Vec::len))
        || listed(raw.commands.as_ref().map(Vec::len))
}

/// Whether there is a time and a place for alarms to be looked at.
fn check_alarms(
    raw: &raw::Environment,
    watch: Option<Duration>,
    roles: Option<&BTreeSet<Role>>,
    place: &Place,
    findings: &mut Findings<'_>,
) {
    let Some(alarms) = raw.alarms.as_ref().filter(|raw| has_alarms(raw)) else {
        return;
    };
    if watch.is_some_and(|watch| watch.is_zero()) {
        let message = "alarms are looked at while a release is watched, which takes no time";
        let help = "say for how long: `watch = \"5m\"` in the environment";
        findings.add(place, Fault::new(message, help));
    }
    if alarms.workers.is_some() && raw.workers.as_ref().is_none_or(Vec::is_empty) {
        let message = "there are no workers that could be looked at";
        let help = "add a table `workers` to the environment, or take this one out";
        findings.add(&place.key("workers"), Fault::new(message, help));
    }
    let wanted = [
        ("access_log", alarms.access_log.is_some(), Role::Web),
        ("queue", alarms.queue.is_some(), Role::Worker),
    ];
    for (key, given, role) in wanted {
        if given && roles.is_some_and(|roles| !roles.contains(&role)) {
            let word = role.word();
            let message = format!("it is on hosts with the role `{word}`, and there is none");
            let help = format!("add `\"{word}\"` to the roles of a host, or take `{key}` out");
            findings.add(&place.key(key), Fault::new(message, help));
        }
    }
}

/// Whether health can be asked the way it is to be.
fn check_through(
    health: Option<&Result<Health, Noted>>,
    php_fpm: Option<&Result<PhpFpm, Noted>>,
    place: &Place,
    findings: &mut Findings<'_>,
) {
    let pool = match php_fpm {
        None => false,
        Some(Ok(fpm)) => fpm.pool.is_some(),
        Some(Err(Noted)) => return,
    };
    if let Some(Ok(health)) = health
        && health.through == Through::Fpm
        && !pool
    {
        let help = "add `pool` to a table `php_fpm`, or take `through` out";
        let message = "there is no pool that could be asked";
        findings.add(&place.key("through"), Fault::new(message, help));
    }
}

/// Whether there is a host for everything that needs one of some role.
fn check_roles(
    raw: &raw::Environment,
    steps: &Steps,
    hosts: &Hosts,
    place: &Place,
    findings: &mut Findings<'_>,
) {
    let Some(roles) = &hosts.roles else {
        return;
    };
    let mut check = |needed: bool, role: Role, key: &str, message: &str| {
        if needed && !roles.contains(&role) {
            let other = match role {
                Role::Migrate => "write `migrate = []` under `[steps]`".to_owned(),
                Role::Web | Role::Worker => format!("take `{key}` out"),
            };
            let help = format!(
                "add `\"{}\"` to the roles of a host, or {other}",
                role.word()
            );
            findings.add(&place.key(key), Fault::new(message, help));
        }
    };
    let health = "health is asked on hosts with the role `web`, and there is none";
    check(raw.health.is_some(), Role::Web, "health", health);
    let workers = "workers run on hosts with the role `worker`, and there is none";
    check(
        raw.workers.as_ref().is_some_and(|all| !all.is_empty()),
        Role::Worker,
        "workers",
        workers,
    );
    let php_fpm = "PHP-FPM runs on hosts with the role `web`, and there is none";
    check(raw.php_fpm.is_some(), Role::Web, "php_fpm", php_fpm);
    let runtimes = "runtimes are on hosts with the role `web`, and there is none";
    check(
        raw.runtimes.as_ref().is_some_and(|all| !all.is_empty()),
        Role::Web,
        "runtimes",
        runtimes,
    );
    let migrate = "there are migrate steps and no host with the role `migrate`";
    check(!steps.migrate.is_empty(), Role::Migrate, "hosts", migrate);
}

/// An environment as far as it claims things on hosts.
struct Claimant<'c> {
    name: &'c EnvironmentName,
    path: Option<&'c str>,
    hosts: &'c Hosts,
    workers: &'c [(usize, Workers)],
    runtimes: &'c [(usize, Runtime)],
}

impl Claimant<'_> {
    fn claim(&self, claims: &mut Claims, place: &Place, findings: &mut Findings<'_>) {
        let name = self.name.as_str();
        for (index, host) in &self.hosts.good {
            if let Some(path) = self.path {
                let place = place.key("hosts").index(*index).key("address");
                findings.take(&place, claims.tree(name, host, path));
            }
        }
        for (index, workers) in self.workers {
            let place = place.key("workers").index(*index).key("group");
            let mut hosts = self.hosts.good.iter();
            let taken = hosts.find_map(|(_, host)| claims.group(name, host, &workers.group).err());
            findings.take(&place, taken.map_or(Ok(()), Err));
        }
        for (index, runtime) in self.runtimes {
            // A web server may serve several environments.
            let Some(processes) = runtime.processes() else {
                continue;
            };
            let place = place.key("runtimes").index(*index).key("group");
            let hosts = self.hosts.good.iter();
            let mut served = hosts.filter(|(_, host)| host.roles.contains(&Role::Web));
            let taken =
                served.find_map(|(_, host)| claims.runtime(name, host, &processes.group).err());
            findings.take(&place, taken.map_or(Ok(()), Err));
        }
    }
}
