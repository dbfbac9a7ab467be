//! What a file says of alarms.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::Then;
use super::DURATION;

/// What is looked at while a release is watched, beside its health.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Alarms {
    /// The pause between looks: 100ms to 10m. Default `10s`.
    #[schemars(extend("default" = "10s", "pattern" = DURATION))]
    pub(in super::super) interval: Option<String>,
    /// An alarm counts once it rang in as many looks in a row. Default 2.
    #[schemars(extend("default" = 2), range(min = 1, max = 1000))]
    pub(in super::super) times: Option<u32>,
    /// The share of requests since the swap that ended with 5xx, on each host with the role `web`. Default: not looked at.
    pub(in super::super) access_log: Option<AccessLog>,
    /// The queue of Laravel, asked on one host with the role `worker`. Default: not looked at.
    pub(in super::super) queue: Option<Queue>,
    /// Workers that start again and again, on each host with the role `worker`. Default: not looked at.
    pub(in super::super) workers: Option<Restarts>,
    /// Numbers that Prometheus knows, asked by whoever deploys. Default: none.
    #[schemars(example = json!([{ "name": "errors", "url": "https://prometheus.example.com", "query": "shop:errors:rate1m", "above": 0.05 }]))]
    pub(in super::super) prometheus: Option<Vec<Prometheus>>,
    /// Shell lines on each host that succeed as long as all is well. Default: none.
    #[schemars(example = json!([{ "name": "checkout", "run": "php artisan shop:probe" }]))]
    pub(in super::super) commands: Option<Vec<Command>>,
}

/// The share of requests since the swap that ended with 5xx.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct AccessLog {
    /// The file, in the combined format or one that begins like it. Absolute.
    #[schemars(required, example = &"/var/log/nginx/access.log")]
    pub(in super::super) path: Option<String>,
    /// Rings above this share of all requests, in percent. Default 5.
    #[schemars(extend("default" = 5), range(min = 0, max = 99))]
    pub(in super::super) percent: Option<u32>,
    /// Rings only once there were as many requests. Default 50.
    #[schemars(extend("default" = 50), range(min = 1, max = 1_000_000))]
    pub(in super::super) requests: Option<u32>,
    /// What follows when it rings. Default `roll_back`.
    #[schemars(extend("default" = "roll_back"))]
    pub(in super::super) then: Option<Then>,
}

/// Damage to the queue of Laravel since the swap.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Queue {
    /// Rings when more jobs than these have failed since the swap.
    #[schemars(required, example = 0, range(min = 0, max = 1_000_000))]
    pub(in super::super) failed: Option<u32>,
    /// Rings when more jobs than these are reserved for longer than `retry_after`. Default 0.
    #[schemars(extend("default" = 0), range(min = 0, max = 1_000_000))]
    pub(in super::super) overdue: Option<u32>,
    /// The queues that are looked at for that. Default: the one that the connection names.
    #[schemars(example = json!(["default", "mails"]))]
    pub(in super::super) queues: Option<Vec<String>>,
    /// What follows when it rings. Default `roll_back`.
    #[schemars(extend("default" = "roll_back"))]
    pub(in super::super) then: Option<Then>,
}

/// Workers that start again and again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Restarts {
    /// Rings when workers of a host were started anew more often than this, or cannot be started.
    #[schemars(required, example = 3, range(min = 0, max = 1_000_000))]
    pub(in super::super) restarts: Option<u32>,
    /// What follows when it rings. Default `roll_back`.
    #[schemars(extend("default" = "roll_back"))]
    pub(in super::super) then: Option<Then>,
}

/// A number that Prometheus knows.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Prometheus {
    /// What it is called in output.
    #[schemars(required, example = &"errors")]
    pub(in super::super) name: Option<String>,
    /// The address of the server; `/api/v1/query` is added.
    #[schemars(required, example = &"https://prometheus.example.com")]
    pub(in super::super) url: Option<String>,
    /// The query. Of several series the highest counts; no series is no alarm.
    #[schemars(required, example = &"shop:errors:rate1m")]
    pub(in super::super) query: Option<String>,
    /// Rings when the value is above this number.
    #[schemars(required, example = json!(0.05))]
    pub(in super::super) above: Option<Value>,
    /// The variable in the environment of whoever deploys that holds a bearer token. Begins with `PROMETHEUS_`.
    /// Default: no token.
    #[schemars(example = &"PROMETHEUS_TOKEN")]
    pub(in super::super) token_env: Option<String>,
    /// What follows when it rings. Default `roll_back`.
    #[schemars(extend("default" = "roll_back"))]
    pub(in super::super) then: Option<Then>,
}

/// A shell line that succeeds as long as all is well.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Command {
    /// What it is called in output.
    #[schemars(required, example = &"checkout")]
    pub(in super::super) name: Option<String>,
    /// The line; it runs in the folder of the release and has a minute.
    #[schemars(required, example = &"php artisan shop:probe")]
    pub(in super::super) run: Option<String>,
    /// What follows when it rings. Default `roll_back`.
    #[schemars(extend("default" = "roll_back"))]
    pub(in super::super) then: Option<Then>,
}
