//! What a file says, before it is judged: every key optional, no value trusted. The doc comments here are the
//! descriptions in the JSON Schema, so they are written for who edits a `cutover.toml`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    AfterDrain, Destructive, FpmAction, HandOver, Manager, OnRollback, Recipe, Role, Sandbox,
    Strategy, Through,
};

mod alarms;
mod containers;
mod runtimes;

pub(super) use alarms::{AccessLog, Alarms, Command, Prometheus, Queue, Restarts};
pub(super) use containers::{Compose, Docker, Kubernetes};
pub(super) use runtimes::Runtime;

/// How a length of time is written.
const DURATION: &str = "^[0-9]+(ms|s|m|h)$";

/// What cutover deploys, how, and where to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "cutover.toml")]
pub(super) struct File {
    /// The app's name: a-z, 0-9, `-` and `_`.
    #[schemars(required, example = &"shop")]
    pub(super) app: Option<String>,
    /// Where the code lives: `github:owner/name` or `gitlab:group/name`.
    #[schemars(required, example = &"github:acme/shop")]
    pub(super) repository: Option<String>,
    /// How a release comes to be. Default `build`.
    #[schemars(extend("default" = "build"))]
    pub(super) source: Option<Source>,
    /// Gives the steps of a kind of app to the keys that are left out. Default `none`.
    #[schemars(extend("default" = "none"))]
    pub(super) recipe: Option<Recipe>,
    /// How a release is built, away from the hosts.
    pub(super) build: Option<Build>,
    /// What all releases share: kept in `<path>/shared`, linked into every release.
    pub(super) shared: Option<Shared>,
    /// Shell lines that run on hosts, in the folder of the new release.
    pub(super) steps: Option<Steps>,
    /// The places the app runs, by name.
    #[schemars(required)]
    pub(super) environments: Option<BTreeMap<String, Environment>>,
}

/// How a release comes to be.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Source {
    /// Cutover takes the exact commit into a clean folder and runs `build.steps` there.
    Build,
}

/// How a release is built, away from the hosts.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Build {
    /// Shell lines, run in order in a clean checkout of the commit. Default: the recipe's.
    #[schemars(example = json!(["composer install --no-dev"]))]
    pub(super) steps: Option<Vec<String>>,
    /// Names or relative paths that are left out of the release; no wildcards. Default: the recipe's.
    #[schemars(example = json!([".git", "tests"]))]
    pub(super) exclude: Option<Vec<String>>,
    /// Variables for the build steps. The file is checked in: no secrets here. Default: none.
    #[schemars(example = json!({ "APP_ENV": "production" }))]
    pub(super) env: Option<BTreeMap<String, String>>,
    /// Ends the whole build after this long: 1s to 24h. Default `15m`.
    #[schemars(extend("default" = "15m", "pattern" = DURATION))]
    pub(super) timeout: Option<String>,
    /// Whether build steps are shut in by bubblewrap. Default `auto`.
    #[schemars(extend("default" = "auto"))]
    pub(super) sandbox: Option<Sandbox>,
}

/// What all releases share: kept in `<path>/shared`, linked into every release.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Shared {
    /// Relative paths of files; a deployment stops when one is absent or empty. Default: the recipe's.
    #[schemars(example = json!([".env"]))]
    pub(super) files: Option<Vec<String>>,
    /// Relative paths of folders; made when absent, from the release's own where it has one. Default: the recipe's.
    #[schemars(example = json!(["storage"]))]
    pub(super) dirs: Option<Vec<String>>,
}

/// Shell lines that run on hosts, in the folder of the new release.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Steps {
    /// On every host once `shared` is linked: caches and the like. Default: the recipe's.
    #[schemars(example = json!(["php artisan config:cache"]))]
    pub(super) prepare: Option<Vec<String>>,
    /// On every host, last before anything goes live: must fail if the release cannot boot. Default: the recipe's.
    #[schemars(example = json!(["php artisan --version"]))]
    pub(super) preflight: Option<Vec<String>>,
    /// Shows the SQL that `migrate` would run, on the hosts with the role `migrate`, before any of them migrates.
    /// Default: the recipe's.
    #[schemars(example = json!(["php artisan migrate --pretend --force"]))]
    pub(super) preview: Option<Vec<String>>,
    /// Once per database, on the host with the role `migrate`, when every host is prepared. Default: the recipe's.
    #[schemars(example = json!(["php artisan migrate --force"]))]
    pub(super) migrate: Option<Vec<String>>,
    /// Rolls back the migrations in `$CUTOVER_MIGRATIONS`, in the release that brought them, where `on_rollback` wants
    /// it. Default: the recipe's.
    #[schemars(example = json!(["php artisan migrate:rollback --force"]))]
    pub(super) migrate_back: Option<Vec<String>>,
    /// On every host with the role `web`, right before `current` changes: leave a load balancer. Not on a way back.
    /// Default: the recipe's.
    #[schemars(example = json!(["touch $CUTOVER_PATH/shared/away", "sleep 3"]))]
    pub(super) before_swap: Option<Vec<String>>,
    /// On every host right after `current` has changed, on the way back as well. Default: the recipe's.
    #[schemars(example = json!(["php artisan app:release-is-live"]))]
    pub(super) after_swap: Option<Vec<String>>,
    /// On every host with the role `web` when it is healthy, and on every way back in any case: return to the load
    /// balancer. Default: the recipe's.
    #[schemars(example = json!(["rm -f $CUTOVER_PATH/shared/away"]))]
    pub(super) after_health: Option<Vec<String>>,
}

/// A place the app runs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Environment {
    /// Pushes to this branch are deployed. Default: none are.
    #[schemars(example = &"main")]
    pub(super) branch: Option<String>,
    /// The folder on every host that holds `current`, `releases` and `shared`. Absolute.
    #[schemars(required, example = &"/srv/shop")]
    pub(super) path: Option<String>,
    /// Where people find the app; shown in reports. Default: not shown.
    #[schemars(example = &"https://shop.example.com")]
    pub(super) url: Option<String>,
    /// Healthy releases that are kept, the live one included. Default 5.
    #[schemars(extend("default" = 5), range(min = 1, max = 100))]
    pub(super) keep_releases: Option<u32>,
    /// Failed releases that are kept for a look. Default 1.
    #[schemars(extend("default" = 1), range(min = 0, max = 20))]
    pub(super) keep_failed: Option<u32>,
    /// Waits at most this long for a host on which something else is being deployed: 0s to 24h. Default `10m`.
    #[schemars(extend("default" = "10m", "pattern" = DURATION))]
    pub(super) lock_wait: Option<String>,
    /// Ends a step on a host after this long: 1s to 24h. Default `15m`.
    #[schemars(extend("default" = "15m", "pattern" = DURATION))]
    pub(super) step_timeout: Option<String>,
    /// How several hosts become live. Default `all`.
    #[schemars(extend("default" = "all"))]
    pub(super) strategy: Option<Strategy>,
    /// Hosts of a wave: of each one with `rolling`, of the first one with `canary`. Default 1.
    #[schemars(extend("default" = 1), range(min = 1, max = 100))]
    pub(super) batch: Option<u32>,
    /// Asks for the health of a wave this long before the next one begins, and before the release counts as healthy:
    /// 0s to 24h. Default `0s`.
    #[schemars(extend("default" = "0s", "pattern" = DURATION))]
    pub(super) watch: Option<String>,
    /// What is looked at for as long, beside health.
    pub(super) alarms: Option<Alarms>,
    /// What migrations may do.
    pub(super) migrations: Option<Migrations>,
    /// The machines, at least one.
    #[schemars(required, length(min = 1), example = json!([{ "name": "web1", "address": "deploy@web1.example.com" }]))]
    pub(super) hosts: Option<Vec<Host>>,
    /// How the app tells that it is well. Default: it is not asked.
    pub(super) health: Option<Health>,
    /// Groups of processes that must follow the release. Default: none.
    #[schemars(example = json!([{ "group": "shop-worker" }]))]
    pub(super) workers: Option<Vec<Workers>>,
    /// What PHP-FPM needs after a swap. Default: nothing.
    pub(super) php_fpm: Option<PhpFpm>,
    /// What else serves the web and must follow the release. Default: nothing.
    #[schemars(example = json!([{ "kind": "octane", "group": "shop-octane" }]))]
    pub(super) runtimes: Option<Vec<Runtime>>,
}

/// What migrations may do, and what becomes of them when a release is taken back.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Migrations {
    /// What is done with migrations that drop, rename, empty or tighten something. Default `refuse`.
    #[schemars(extend("default" = "refuse"))]
    pub(super) destructive: Option<Destructive>,
    /// What becomes of the migrations of a release that is taken back. Default `keep`.
    #[schemars(extend("default" = "keep"))]
    pub(super) on_rollback: Option<OnRollback>,
}

/// A machine reached by SSH.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Host {
    /// What it is called in output: letters, digits, `.`, `-` and `_`.
    #[schemars(required, example = &"web1")]
    pub(super) name: Option<String>,
    /// Where and as whom it is reached: `deploy@web1.example.com`, `deploy@web1.example.com:2222`, `deploy@[2001:db8::1]:22`.
    #[schemars(required, example = &"deploy@web1.example.com")]
    pub(super) address: Option<String>,
    /// What it does. Default: everything where it is the only host; several hosts must each say it.
    #[schemars(length(min = 1), extend("uniqueItems" = true), example = json!(["web", "worker", "migrate"]))]
    pub(super) roles: Option<Vec<Role>>,
    /// Which database its release speaks to; hosts that say the same share one. A name of yours. Default `default`.
    #[schemars(extend("default" = "default"))]
    pub(super) database: Option<String>,
}

/// How the app tells that it is well.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Health {
    /// Asked on each host with the role `web`, from that host itself.
    #[schemars(required, example = &"http://127.0.0.1/health")]
    pub(super) url: Option<String>,
    /// The `Host` header. Default: the host of `url`.
    #[schemars(example = &"shop.example.com")]
    pub(super) host_header: Option<String>,
    /// How often it is asked before it counts as failed. Default 10.
    #[schemars(extend("default" = 10), range(min = 1, max = 1000))]
    pub(super) attempts: Option<u32>,
    /// The pause between attempts: 100ms to 10m. Default `2s`.
    #[schemars(extend("default" = "2s", "pattern" = DURATION))]
    pub(super) interval: Option<String>,
    /// The longest wait for one answer: 100ms to 10m. Default `5s`.
    #[schemars(extend("default" = "5s", "pattern" = DURATION))]
    pub(super) timeout: Option<String>,
    /// The HTTP status that is wanted. Default 200.
    #[schemars(extend("default" = 200), range(min = 200, max = 599))]
    pub(super) status: Option<u16>,
    /// A text that the body must contain. Default: any body will do.
    #[schemars(example = &"all good")]
    pub(super) contains: Option<String>,
    /// Fields of the JSON body by dotted path, and the value each must have. Default: none.
    #[schemars(example = json!({ "database.ok": true }))]
    pub(super) json: Option<BTreeMap<String, Value>>,
    /// The JSON field, by dotted path, that must name the release by its id or its commit: proof that the new code
    /// answers. Default: not asked.
    #[schemars(example = &"release")]
    pub(super) release_field: Option<String>,
    /// The header that must name the release by its id or its commit. Default: not asked.
    #[schemars(example = &"X-Release")]
    pub(super) release_header: Option<String>,
    /// Headers of the answer, and a text that each must contain. Default: none.
    #[schemars(example = json!({ "Content-Type": "application/json" }))]
    pub(super) headers: Option<BTreeMap<String, String>>,
    /// What is asked on a host: its web server, or the pool of PHP-FPM. Default `web`.
    #[schemars(extend("default" = "web"))]
    pub(super) through: Option<Through>,
    /// Addresses that the deployer itself asks as well, once all hosts of a wave have swapped. They are judged as `url`
    /// is. Default: none.
    #[schemars(example = json!(["https://shop.example.com/health"]))]
    pub(super) outside: Option<Vec<String>>,
}

/// A group of processes that must follow the release.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Workers {
    /// Who starts workers and ends them. Default `supervisor`.
    #[schemars(extend("default" = "supervisor"))]
    pub(super) manager: Option<Manager>,
    /// The name of the supervisor program or group, of the systemd unit, of the service of Compose or of the Deployment; with
    /// other managers, a name for output.
    #[schemars(required, example = &"shop-worker")]
    pub(super) group: Option<String>,
    /// Processes that must run the release in the end, on each host with the role `worker`. Default 1.
    #[schemars(extend("default" = 1), range(min = 1, max = 1000))]
    pub(super) expect: Option<u32>,
    /// How workers of a release take over. Default `drain`; containers only know `overlap`.
    pub(super) hand_over: Option<HandOver>,
    /// How long old ones may finish their job: 1s to 24h. Default `1m`.
    #[schemars(extend("default" = "1m", "pattern" = DURATION))]
    pub(super) drain_timeout: Option<String>,
    /// What is done with those that have not finished by then. Default `fail`; with an overlap `keep`.
    pub(super) after_drain: Option<AfterDrain>,
    /// Whether the manager is asked through `sudo -n`. Default true; with `kubernetes` false.
    pub(super) sudo: Option<bool>,
    /// A text in the command line of the processes, where no manager lists them. Default with `horizon`
    /// `artisan horizon`, with `queue_restart` `artisan queue:work`; wanted for `command`.
    #[schemars(example = &"artisan queue:work")]
    pub(super) process: Option<String>,
    /// With `command`: the shell line that starts workers, in the folder of their release.
    #[schemars(example = &"bin/workers start")]
    pub(super) start: Option<String>,
    /// With `command`: the shell line that asks old workers to finish. Without it each gets TERM.
    #[schemars(example = &"kill -TERM $CUTOVER_PIDS")]
    pub(super) end: Option<String>,
    /// What containers are made of; wanted for `docker`.
    pub(super) docker: Option<Docker>,
    /// Where a service is found; wanted for `compose`.
    pub(super) compose: Option<Compose>,
    /// Where a Deployment is found; wanted for `kubernetes`.
    pub(super) kubernetes: Option<Kubernetes>,
}

/// How PHP-FPM comes to serve a release.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PhpFpm {
    /// Where the pool takes FastCGI, as the host sees it: the path of a socket, or `host:port`. Without it the pool is
    /// not asked.
    #[schemars(example = &"/run/php/php8.2-fpm.sock")]
    pub(super) pool: Option<String>,
    /// The script in a release that answers requests. Default `public/index.php`.
    #[schemars(extend("default" = "public/index.php"))]
    pub(super) script: Option<String>,
    /// Paths that a release must answer in the live pool before it is swapped in, beside the one of health.
    pub(super) warm: Option<Vec<String>>,
    /// The systemd unit; wanted for `reload`.
    #[schemars(example = &"php8.2-fpm")]
    pub(super) service: Option<String>,
    /// What is done after a swap. Default `auto` with `pool`, else `nothing`.
    pub(super) after_swap: Option<FpmAction>,
    /// Whether `systemctl` is called through `sudo -n`. Default true.
    #[schemars(extend("default" = true))]
    pub(super) sudo: Option<bool>,
}
