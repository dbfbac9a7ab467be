//! Whether what is seen while a release is watched is an alarm.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use crate::config::{AccessLog, Command, Prometheus, Queue, Restarts, Then};
use crate::health::{Answer, excerpt};

/// Something that is looked at from one host, or from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alarm {
    /// The access log of the web server.
    AccessLog(AccessLog),
    /// The queue of Laravel.
    Queue(Queue),
    /// The worker processes.
    Workers(Restarts),
    /// A number that Prometheus knows.
    Prometheus(Prometheus),
    /// A shell line.
    Command(Command),
}

impl Alarm {
    /// What it is called in output.
    pub fn name(&self) -> &str {
        match self {
            Self::AccessLog(_) => "access log",
            Self::Queue(_) => "queue",
            Self::Workers(_) => "workers",
            Self::Prometheus(prometheus) => &prometheus.name,
            Self::Command(command) => &command.name,
        }
    }

    /// What follows when it rings.
    pub fn then(&self) -> Then {
        match self {
            Self::AccessLog(log) => log.then,
            Self::Queue(queue) => queue.then,
            Self::Workers(workers) => workers.then,
            Self::Prometheus(prometheus) => prometheus.then,
            Self::Command(command) => command.then,
        }
    }

    /// What is seen where it cannot be looked at: nobody knows, so it rings.
    pub fn unreadable(&self, why: &str) -> Look {
        Look {
            alarm: self.name().to_owned(),
            value: None,
            limit: None,
            rings: true,
            seen: format!("it cannot be looked at: {}", excerpt(why)),
        }
    }
}

/// What one look came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// What was looked at.
    pub alarm: String,
    /// The number, where there is one.
    pub value: Option<f64>,
    /// The number above which it rings.
    pub limit: Option<f64>,
    /// Whether it rings.
    pub rings: bool,
    /// All of it in words that are fit for a log.
    pub seen: String,
}

impl Look {
    fn above(alarm: &str, value: f64, limit: f64, seen: String) -> Self {
        Self {
            alarm: alarm.to_owned(),
            value: Some(value),
            limit: Some(limit),
            rings: value > limit,
            seen,
        }
    }
}

/// Requests that an access log tells of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Requests {
    /// All of them.
    pub all: u64,
    /// Those that ended with 5xx.
    pub failed: u64,
}

/// Judges the requests since the swap.
pub fn requests(log: &AccessLog, seen: Requests) -> Look {
    let Requests { all, failed } = seen;
    #[expect(
        clippy::cast_precision_loss,
        reason = "a share needs no more digits than these"
    )]
    let percent = if all == 0 {
        0.0
    } else {
        failed as f64 * 100.0 / all as f64
    };
    let mut said = format!(
        "{failed} of {all} requests since the swap ended with 5xx ({percent:.1} %), limit {} %",
        log.percent
    );
    let few = all < u64::from(log.requests);
    if few {
        said = format!("{said} from {} requests on", log.requests);
    }
    let look = Look::above("access log", percent, f64::from(log.percent), said);
    Look {
        rings: look.rings && !few,
        ..look
    }
}

/// Judges what the app tells of its queue: the words of `script/queue.php`.
pub fn queue(queue: &Queue, said: &str) -> Result<Vec<Look>, String> {
    #[derive(Deserialize)]
    struct Told {
        failed: u32,
        /// Absent where the driver of the queue cannot tell.
        overdue: Option<u32>,
    }
    let told: Told =
        serde_json::from_str(said).map_err(|_| format!("the app answers strangely: {said}"))?;
    let jobs = |count: u32| if count == 1 { "job" } else { "jobs" };
    let look = |alarm: &str, count: u32, limit: u32, what: &str| {
        let said = format!("{count} {} {what}, limit {limit}", jobs(count));
        Look::above(alarm, count.into(), limit.into(), said)
    };
    let failed = look(
        "failed jobs",
        told.failed,
        queue.failed,
        "failed since the swap",
    );
    let overdue = told.overdue.map(|count| {
        let what = "reserved for longer than `retry_after`";
        look("overdue jobs", count, queue.overdue, what)
    });
    Ok([Some(failed), overdue].into_iter().flatten().collect())
}

/// The workers of a host, over several looks.
#[derive(Debug, Clone, Default)]
pub struct Roll {
    pids: BTreeMap<String, u32>,
    counts: BTreeMap<String, u32>,
    /// Those that are counted and meant to stay; `None` before the first look.
    staying: Option<BTreeSet<String>>,
    /// How many of these went, and nobody has come for them yet.
    gone: usize,
    restarts: u32,
}

/// A worker in one look.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'w> {
    /// Its name in its manager.
    pub name: &'w str,
    /// The manager's word for its state.
    pub state: &'w str,
    /// Its process, while it has one.
    pub pid: Option<u32>,
    /// How often its manager says that it has started it anew, ever.
    pub restarts: Option<u32>,
}

impl Roll {
    /// Judges one more look at the workers.
    pub fn look<'w>(
        &mut self,
        limits: &Restarts,
        workers: impl IntoIterator<Item = Seen<'w>>,
    ) -> Look {
        let (mut stuck, mut staying, mut came) = (Vec::new(), BTreeSet::new(), 0);
        for worker in workers {
            let Seen { name, state, .. } = worker;
            // Behind it some managers say why.
            let word = state.split(':').next().unwrap_or_default();
            if matches!(word, "BACKOFF" | "FATAL") {
                stuck.push(format!("{name} is {state}"));
            }
            if worker.restarts.is_some() && !matches!(word, "ENDING" | "LOST") {
                came += usize::from(!self.counts.contains_key(name));
                staying.insert(name.to_owned());
            }
            self.restarts += self.anew(worker);
        }
        self.restarts += self.replaced(staying, came);
        let limit = limits.restarts;
        let times = if self.restarts == 1 { "time" } else { "times" };
        let mut said = format!(
            "workers started anew {} {times} while watched, limit {limit}",
            self.restarts
        );
        if !stuck.is_empty() {
            said = format!("{said}; {}", stuck.join(", "));
        }
        let look = Look::above("workers", self.restarts.into(), limit.into(), said);
        Look {
            rings: look.rings || !stuck.is_empty(),
            ..look
        }
    }

    /// How often a worker was started anew since the look before.
    fn anew(&mut self, worker: Seen<'_>) -> u32 {
        // A manager that counts sees those too that come and go between two looks.
        if let Some(count) = worker.restarts {
            let before = self.counts.insert(worker.name.to_owned(), count);
            // One that came since the look before was started anew since then as well.
            let before = before.or(self.staying.is_some().then_some(0));
            return before.map_or(0, |before| count.saturating_sub(before));
        }
        // One that is on its way has no process yet, and is compared when it has.
        let Some(pid) = worker.pid else {
            return 0;
        };
        let before = self.pids.insert(worker.name.to_owned(), pid);
        u32::from(before.is_some_and(|before| before != pid))
    }

    /// How many came for one that went, which is a start anew under another name: a pod that was evicted, or deleted. More
    /// of them than before are none, and neither are those that finish their last job.
    fn replaced(&mut self, staying: BTreeSet<String>, came: usize) -> u32 {
        let Some(before) = self.staying.replace(staying) else {
            return 0;
        };
        let now = self.staying.iter().flatten();
        let left = before.len() - now.filter(|name| before.contains(*name)).count();
        self.gone += left;
        let replaced = self.gone.min(came);
        self.gone -= replaced;
        u32::try_from(replaced).unwrap_or(u32::MAX)
    }
}

/// The address of a query.
pub fn query_url(prometheus: &Prometheus) -> String {
    let mut query = String::new();
    for byte in prometheus.query.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            query.push(byte.into());
        } else {
            query.push('%');
            query.push_str(&hex::encode_upper([byte]));
        }
    }
    let server = prometheus.url.trim_end_matches('/');
    format!("{server}/api/v1/query?query={query}")
}

/// Judges the answer of Prometheus to a query.
pub fn answer(prometheus: &Prometheus, answer: &Answer) -> Result<Look, String> {
    let body = excerpt(&answer.body);
    if answer.status == 0 {
        return Err(format!("no answer: {body}"));
    }
    let read: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    if read["status"] == "error" {
        let why = read["error"].as_str().unwrap_or_default();
        return Err(format!("Prometheus says: {}", excerpt(why)));
    }
    if answer.status != 200 || read["status"] != "success" {
        return Err(format!("HTTP {}: {body}", answer.status));
    }
    let number = |sample: &Value| sample[1].as_str()?.parse::<f64>().ok();
    let result = &read["data"]["result"];
    let numbers: Option<Vec<f64>> = match read["data"]["resultType"].as_str() {
        Some("scalar") => number(result).map(|number| vec![number]),
        Some("vector") => result.as_array().and_then(|all| {
            let numbers = all.iter().map(|series| number(&series["value"]));
            numbers.collect()
        }),
        _ => None,
    };
    let numbers = numbers.ok_or("the query gives neither a number nor a vector of numbers")?;
    let limit = prometheus.above.as_f64().unwrap_or(0.0);
    // What is not a number is what a division by nothing gives.
    let highest = numbers.iter().copied().filter(|number| !number.is_nan());
    let Some(highest) = highest.reduce(f64::max) else {
        return Ok(Look {
            alarm: prometheus.name.clone(),
            value: None,
            limit: Some(limit),
            rings: false,
            seen: format!("no number, limit {limit}"),
        });
    };
    let of = match numbers.len() {
        1 => String::new(),
        count => format!(", the highest of {count}"),
    };
    let said = format!("{highest}{of}, limit {limit}");
    Ok(Look::above(&prometheus.name, highest, limit, said))
}

/// Judges how a shell line ended, by its status and the last that it said.
pub fn ended(command: &Command, status: i32, said: &str) -> Look {
    let said = match (status, said.trim()) {
        (0, _) | (_, "") => format!("exit {status}"),
        (124, said) => format!("not done after a minute: {}", excerpt(said)),
        (_, said) => format!("exit {status}: {}", excerpt(said)),
    };
    Look::above(&command.name, status.into(), 0.0, said)
}

/// How often an alarm rang in a row.
#[derive(Debug, Clone, Default)]
pub struct InARow(u32);

impl InARow {
    /// Takes in all that one look at an alarm came to; how often in a row something of it rang now.
    pub fn hear(&mut self, looks: &[Look]) -> u32 {
        let rings = looks.iter().any(|look| look.rings);
        self.0 = if rings { self.0 + 1 } else { 0 };
        self.0
    }
}

#[cfg(test)]
mod tests;
