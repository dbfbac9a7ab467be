//! What could lose jobs or requests on a host, or would surprise its owner: facts in, findings out. Pure; who asks hosts
//! is `run::doctor`. A check that could not look is told as such and never counts as fine.

use serde::Serialize;

use crate::HostName;
use crate::config::{Config, Environment, Host};
use crate::plan::{AfterSwap, after_swap};

mod checks;
mod containers;
mod files;
mod host;
mod ini;
mod owners;
mod php;
mod pool;
mod queue;
mod running;
mod runtimes;
mod seen;
mod start;
mod supervised;
mod units;
mod unmanaged;
mod web;
mod work;
mod workers;

pub use checks::{ALL, Check};
#[cfg(test)]
pub(crate) use host::commands_with_sudo;
#[cfg(feature = "run")]
pub(crate) use host::{OPEN_ROOT, commands_asked};
pub use ini::Ini;
pub use running::{Hearing, Running};
pub use seen::{
    App, AppConfig, Connection, Horizon, JobTimeout, Listed, Process, Room, Seen, Silent,
};
#[cfg(feature = "run")]
pub(crate) use units::SUPERVISORS;
pub use units::Unit;
#[cfg(feature = "run")]
pub(crate) use unmanaged::may_be_supervised;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// A deployment, a restart or a crash loses jobs or requests, or has them run on old code.
    Loses,
    /// Something else goes wrong one day.
    Risk,
    /// Worth knowing.
    Remark,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The stable name of the check.
    pub id: &'static str,
    /// How bad it is here.
    pub severity: Severity,
    /// What was found.
    pub found: String,
    /// Why it matters.
    pub why: &'static str,
    /// The line that mends it.
    pub mend: String,
}

/// A check that could not look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unseen {
    /// The stable name of the check.
    pub id: &'static str,
    /// Why it could not.
    pub why: String,
}

/// What is to be told of one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// The host.
    pub host: HostName,
    /// What was found, the worst first.
    pub findings: Vec<Finding>,
    /// What could not be looked at.
    pub unseen: Vec<Unseen>,
    /// What follows a swap here.
    pub after_swap: Vec<AfterSwap>,
    /// The checks that looked and found nothing. What does not apply here stands nowhere.
    pub fine: Vec<&'static str>,
}

/// A host as judges see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look<'a> {
    pub(crate) config: &'a Config,
    pub(crate) environment: &'a Environment,
    pub(crate) host: &'a Host,
    pub(crate) seen: &'a Seen,
}

/// Judges every host of an environment by what was seen there, in the order of the file.
pub fn diagnose(
    config: &Config,
    environment: &Environment,
    seen: &[(HostName, Seen)],
) -> Vec<Diagnosis> {
    let of = |name: &HostName| environment.hosts.iter().find(|host| host.name == *name);
    let looks: Vec<Look<'_>> = seen
        .iter()
        .filter_map(|(name, seen)| {
            Some(Look {
                config,
                environment,
                host: of(name)?,
                seen,
            })
        })
        .collect();
    let mut told: Vec<Diagnosis> = looks.iter().map(|look| judged(*look)).collect();
    web::several_schedulers(&looks, &mut told);
    told.iter_mut().for_each(Diagnosis::finish);
    told
}

fn judged(look: Look<'_>) -> Diagnosis {
    let mut told = Diagnosis {
        host: look.host.name.clone(),
        findings: Vec::new(),
        unseen: Vec::new(),
        after_swap: Vec::new(),
        fine: Vec::new(),
    };
    host::judge(look, &mut told);
    if look.seen.silent.is_some() {
        for check in ALL.iter().filter(|check| !check.id.starts_with("host.")) {
            told.blind(check, "the host was not seen");
        }
        return told;
    }
    told.after_swap = after_swap(look.environment, look.host, look.seen.pool.as_ref());
    files::judge(look, &mut told);
    workers::judge(look, &mut told);
    runtimes::judge(look, &mut told);
    queue::judge(look, &mut told);
    php::judge(look, &mut told);
    pool::judge(look, &mut told);
    web::judge(look, &mut told);
    containers::judge(look, &mut told);
    told
}

impl Diagnosis {
    /// Takes in that a check looked, and found something where `found` is.
    pub(crate) fn verdict(
        &mut self,
        check: &'static Check,
        found: Option<(Severity, String, String)>,
    ) {
        match found {
            None => self.fine.push(check.id),
            Some((severity, found, mend)) => self.findings.push(Finding {
                id: check.id,
                severity,
                found,
                why: check.why,
                mend,
            }),
        }
    }

    /// Takes in that a check could not look.
    pub(crate) fn blind(&mut self, check: &'static Check, why: impl Into<String>) {
        let (id, why) = (check.id, why.into());
        self.unseen.push(Unseen { id, why });
    }

    /// The same for several checks.
    pub(crate) fn blind_to(&mut self, checks: &[&'static Check], why: &str) {
        for check in checks {
            self.blind(check, why);
        }
    }

    /// The worst first, and only that counts as fine of which nothing else was told.
    fn finish(&mut self) {
        self.findings
            .sort_by(|a, b| (a.severity, a.id).cmp(&(b.severity, b.id)));
        self.findings.dedup();
        self.unseen
            .sort_by(|a, b| (a.id, &a.why).cmp(&(b.id, &b.why)));
        self.unseen.dedup();
        let Self {
            findings, unseen, ..
        } = self;
        self.fine.retain(|id| {
            !findings.iter().any(|found| found.id == *id)
                && !unseen.iter().any(|unseen| unseen.id == *id)
        });
        self.fine.sort_unstable();
        self.fine.dedup();
    }

    /// Whether a deployment, a restart or a crash would lose jobs or requests here.
    pub fn loses(&self) -> bool {
        self.findings
            .iter()
            .any(|found| found.severity == Severity::Loses)
    }

    /// Whether something that could lose jobs or requests could not be looked at.
    pub fn is_blind(&self) -> bool {
        let worst = |id: &str| ALL.iter().find(|check| check.id == id);
        self.unseen
            .iter()
            .any(|unseen| worst(unseen.id).is_some_and(|check| check.worst == Severity::Loses))
    }
}

impl Severity {
    /// The words for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Loses => "loses jobs or requests",
            Self::Risk => "risk",
            Self::Remark => "remark",
        }
    }
}
