//! What is looked at while a release is watched, beside its health.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Number;

/// All alarms of an environment. None by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarms {
    /// The pause between looks. Default 10 s.
    pub interval: Duration,
    /// An alarm counts once it rang in as many looks in a row. Default 2.
    pub times: u32,
    /// The access log of the web server, on each host with the role `web`.
    pub access_log: Option<AccessLog>,
    /// The queue of Laravel, asked on one host with the role `worker`.
    pub queue: Option<Queue>,
    /// The worker processes, on each host with the role `worker`.
    pub workers: Option<Restarts>,
    /// Prometheus, asked by the deployer.
    pub prometheus: Vec<Prometheus>,
    /// Shell lines, on each host.
    pub commands: Vec<Command>,
}

/// What follows when an alarm rings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// All hosts go back. The default.
    RollBack,
    /// It is told, and nothing else.
    Tell,
}

/// Requests since the swap that ended with 5xx.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessLog {
    /// The file, in the combined format or one that begins like it. Absolute.
    pub path: String,
    /// Rings above this share of all requests, in percent. Default 5.
    pub percent: u32,
    /// Rings only once there were as many requests. Default 50.
    pub requests: u32,
    /// What follows.
    pub then: Then,
}

/// Damage to the queue since the swap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Rings when more jobs than these have failed since.
    pub failed: u32,
    /// Rings when more jobs than these are reserved for longer than `retry_after`. Default 0.
    pub overdue: u32,
    /// The queues that are looked at for that. Default: the one of the connection.
    pub queues: Vec<String>,
    /// What follows.
    pub then: Then,
}

/// Workers that start again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restarts {
    /// Rings when there were more restarts than these on a host.
    pub restarts: u32,
    /// What follows.
    pub then: Then,
}

/// A number that Prometheus knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prometheus {
    /// What it is called in output.
    pub name: String,
    /// The address of the server, to which `/api/v1/query` is added.
    pub url: String,
    /// The query. Of several series the highest counts.
    pub query: String,
    /// Rings when the value is above this.
    pub above: Number,
    /// The variable of the deployer's environment that holds a bearer token; its name begins with `PROMETHEUS_`.
    pub token_env: Option<String>,
    /// What follows.
    pub then: Then,
}

/// A shell line that succeeds as long as all is well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// What it is called in output.
    pub name: String,
    /// The line; it has a minute.
    pub run: String,
    /// What follows.
    pub then: Then,
}

impl Alarms {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        let Self {
            interval: _,
            times: _,
            access_log,
            queue,
            workers,
            prometheus,
            commands,
        } = self;
        let none = access_log.is_none() && queue.is_none() && workers.is_none();
        none && prometheus.is_empty() && commands.is_empty()
    }
}
