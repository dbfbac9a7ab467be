//! `cutover.toml`: what is deployed, how, and where to. Valid by construction: the only way in is [`Config::parse`],
//! which tells every problem of the file at once.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::{AppName, DatabaseName, EnvironmentName, HostName};

mod alarms;
mod containers;
mod defaults;
mod document;
mod explain;
mod findings;
mod grammar;
mod place;
mod problem;
mod raw;
mod recipe;
mod runtimes;
mod schema;
mod shape;
mod valid;
mod workers;

pub use alarms::{AccessLog, Alarms, Command, Prometheus, Queue, Restarts, Then};
pub(crate) use containers::MadeFor;
pub use containers::{Compose, Containers, Docker, Image, Kubernetes};
pub use explain::Explained;
pub use problem::{Problem, Problems};
pub use runtimes::{Following, Runtime, RuntimeKind};
pub use schema::schema;
pub use workers::{AfterDrain, HandOver, Manager, Workers};

/// A whole, valid `cutover.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The app's name.
    pub app: AppName,
    /// Where its code lives.
    pub repository: Repository,
    /// What kind of app it is; gives the steps their defaults.
    pub recipe: Recipe,
    /// How a release is built.
    pub build: Build,
    /// What all releases of an app share.
    pub shared: Shared,
    /// What runs on hosts.
    pub steps: Steps,
    /// The places it runs, by name.
    pub environments: BTreeMap<EnvironmentName, Environment>,
}

/// A repository on a forge: `github:acme/shop`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Which forge.
    pub forge: ForgeKind,
    /// `owner/name`; on GitLab groups may nest.
    pub path: String,
}

/// The forges that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForgeKind {
    /// github.com or GitHub Enterprise Server.
    GitHub,
    /// gitlab.com or self-managed GitLab.
    GitLab,
}

/// A set of default steps for a kind of app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Recipe {
    /// A Laravel app.
    Laravel,
    /// No defaults at all.
    None,
}

/// How a release is built, away from any live host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// Shell lines, run in order in a clean checkout of the commit.
    pub steps: Vec<String>,
    /// Paths left out of the artifact, as in `.gitignore` without wildcards: a name or a relative path.
    pub exclude: Vec<String>,
    /// Variables for the build steps, beside the few that are always set.
    pub env: BTreeMap<String, String>,
    /// Ends the whole build after this long. Default 15 minutes.
    pub timeout: Duration,
    /// Whether build steps are shut in by bubblewrap.
    pub sandbox: Sandbox,
}

/// Whether build steps are shut in by bubblewrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sandbox {
    /// Where `bwrap` works; otherwise not, and the log says so. The default.
    Auto,
    /// Always; a build fails where `bwrap` does not work.
    Require,
    /// Never.
    Off,
}

/// What all releases of an app share, by links into `<path>/shared`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// Relative paths of files. A deployment stops when one is absent or empty in `shared/`.
    pub files: Vec<String>,
    /// Relative paths of folders. Made when absent, from the release's own where it has one.
    pub dirs: Vec<String>,
}

/// Shell lines that run on hosts, each in the folder of the new release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steps {
    /// On every host after the links are made: caches and the like.
    pub prepare: Vec<String>,
    /// On every host, last before the barrier: must fail if the release cannot boot.
    pub preflight: Vec<String>,
    /// Shows the SQL of what `migrate` would run, on the hosts with the role `migrate`, before any of them migrates.
    pub preview: Vec<String>,
    /// Once per database, on the host with the role `migrate`, after every host is prepared.
    pub migrate: Vec<String>,
    /// Rolls back what `migrate` has run, where the environment wants that of a release that is taken back.
    pub migrate_back: Vec<String>,
    /// On every host with the role `web` right before its swap, but not on a way back.
    pub before_swap: Vec<String>,
    /// On every host right after the swap, on the way back as well.
    pub after_swap: Vec<String>,
    /// On every host with the role `web` when it is healthy, and on every way back whether it is or not.
    pub after_health: Vec<String>,
}

/// A place an app runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Its name.
    pub name: EnvironmentName,
    /// Pushes to this branch are deployed; none are when absent.
    pub branch: Option<String>,
    /// The folder on every host that holds `current`, `releases`, `shared`. Absolute.
    pub path: String,
    /// Where people find the app.
    pub url: Option<String>,
    /// Healthy releases that are kept, the live one included. Default 5.
    pub keep_releases: u32,
    /// Failed releases that are kept for a look. Default 1.
    pub keep_failed: u32,
    /// Waits at most this long for the lease of a host. Default 10 minutes.
    pub lock_wait: Duration,
    /// Ends a step on a host after this long. Default 15 minutes.
    pub step_timeout: Duration,
    /// How several hosts become live.
    pub strategy: Strategy,
    /// Hosts of a wave: of each one when rolling, of the first one with a canary. Default 1.
    pub batch: u32,
    /// Asks for the health of a wave this long before the next one begins, and before the release counts as healthy.
    /// Default 0 s.
    pub watch: Duration,
    /// What is looked at for as long, beside health.
    pub alarms: Alarms,
    /// What migrations may do.
    pub migrations: Migrations,
    /// The machines, at least one.
    pub hosts: Vec<Host>,
    /// How the app tells that it is well; no check at all when absent.
    pub health: Option<Health>,
    /// Processes that must follow the release.
    pub workers: Vec<Workers>,
    /// What PHP-FPM needs after a swap; nothing when absent.
    pub php_fpm: Option<PhpFpm>,
    /// What else serves the web, on hosts with the role `web`.
    pub runtimes: Vec<Runtime>,
}

/// How the hosts of an environment become live, when every one of them is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// All at once. The default.
    All,
    /// Wave after wave of `batch` hosts, in the order of the file.
    Rolling,
    /// The first `batch` hosts, then all the others at once.
    Canary,
}

/// What migrations may do, and what becomes of them when a release is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrations {
    /// What is done with migrations that take something away which the live release may still use. Default `refuse`.
    pub destructive: Destructive,
    /// What becomes of the migrations of a release that is taken back. Default `keep`.
    pub on_rollback: OnRollback,
}

/// What is done with migrations that drop, rename, empty or tighten something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Destructive {
    /// The deployment fails before anything is migrated, unless it was asked for with leave to do so. The default.
    Refuse,
    /// They run.
    Allow,
}

/// What becomes of the migrations of a release that is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnRollback {
    /// They stay. The default.
    Keep,
    /// `steps.migrate_back` runs in that release, once the release before is live and healthy.
    RollBack,
}

/// A machine reached by SSH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// What it is called in output.
    pub name: HostName,
    /// The environment that it is a host of.
    pub environment: EnvironmentName,
    /// Where and as whom it is reached.
    pub address: Address,
    /// What it does.
    pub roles: Vec<Role>,
    /// Which database its release speaks to; hosts that say the same share one. Default `default`.
    pub database: DatabaseName,
}

/// Where and as whom a host is reached: `deploy@web1.example.com:22`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The user; ssh's own choice when absent.
    pub user: Option<String>,
    /// A name or an IP address (IPv6 without brackets).
    pub host: String,
    /// The port. Default 22.
    pub port: u16,
}

/// What a host does.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Serves requests: health is checked here and PHP-FPM is followed.
    Web,
    /// Runs workers.
    Worker,
    /// Runs what must run once per database.
    Migrate,
}

/// How the app tells that it is well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Asked from each host with the role `web`, by `curl` on that host: `http://127.0.0.1/health`. Over https the name
    /// here must be that of the certificate; `host_header` does not change what is verified.
    pub url: String,
    /// The `Host` header; the one of `url` when absent.
    pub host_header: Option<String>,
    /// How often it is asked before it counts as failed. Default 10.
    pub attempts: u32,
    /// The pause between attempts. Default 2 s.
    pub interval: Duration,
    /// The longest wait for one answer. Default 5 s.
    pub timeout: Duration,
    /// The HTTP status that is wanted. Default 200.
    pub status: u16,
    /// A text that the body must contain.
    pub contains: Option<String>,
    /// Fields of the JSON body, by dotted path, and the value each must have.
    pub json: BTreeMap<String, serde_json::Value>,
    /// The JSON field, by dotted path, whose text must contain the release id or be its commit: proof that the new code
    /// answers.
    pub release_field: Option<String>,
    /// The header that must name the release in the same way.
    pub release_header: Option<String>,
    /// Headers, and a text that each must contain.
    pub headers: BTreeMap<String, String>,
    /// What is asked on a host.
    pub through: Through,
    /// Addresses that are asked as well, by the deployer itself, once all hosts of a wave have swapped.
    pub outside: Vec<String>,
}

/// What is asked for health on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Through {
    /// Its web server, by `curl`. The default.
    Web,
    /// The pool of PHP-FPM, for the path of `url` in the release's own folder. Wants `php_fpm.pool`.
    Fpm,
}

/// How PHP-FPM comes to serve a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhpFpm {
    /// The systemd unit, `php8.2-fpm`: given where it is reloaded.
    pub service: Option<String>,
    /// Where the pool takes FastCGI, as seen from the host. Without it the pool is not asked.
    pub pool: Option<PoolAddress>,
    /// The script in a release that answers requests. Default `public/index.php`.
    pub script: String,
    /// Paths that a release answers in the live pool before it is swapped in, beside the one of health.
    pub warm: Vec<String>,
    /// What is done.
    pub after_swap: FpmAction,
    /// Whether `systemctl` is called through `sudo -n`. Default true.
    pub sudo: bool,
}

/// Where a pool takes FastCGI, as seen from the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PoolAddress {
    /// A Unix socket.
    Socket(String),
    /// A host and a port.
    Port(String, u16),
}

#[cfg(feature = "run")]
impl PoolAddress {
    /// As PHP names it.
    pub(crate) fn stream(&self) -> String {
        match self {
            Self::Socket(path) => format!("unix://{path}"),
            Self::Port(..) => format!("tcp://{self}"),
        }
    }
}

impl fmt::Display for PoolAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => f.write_str(path),
            Self::Port(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Port(host, port) => write!(f, "{host}:{port}"),
        }
    }
}

/// What is done to PHP-FPM after a swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FpmAction {
    /// What the pool says it needs: nothing, or processes that begin anew. The default with `pool`.
    Auto,
    /// Nothing: right where nginx passes `$realpath_root`. The default without `pool`.
    Nothing,
    /// `OPcache` forgets everything; no request is cut off. Wants `pool`.
    Reset,
    /// `systemctl reload`, which cuts requests off without a `process_control_timeout`. Wants `service`.
    Reload,
}

impl Config {
    /// Reads the text of a `cutover.toml`. `file` is only its name, for the problems.
    pub fn parse(file: &str, text: &str) -> Result<Self, Problems> {
        read(text).map_err(|problems| Problems {
            file: file.to_owned(),
            problems,
        })
    }

    /// The whole of it as TOML with every default written out, and marked what is a default and what the recipe gives.
    pub fn explain(&self) -> Explained<'_> {
        Explained(self)
    }

    /// The environment called `name`.
    pub fn environment(&self, name: &str) -> Option<&Environment> {
        self.environments
            .iter()
            .find(|(known, _)| known.as_str() == name)
            .map(|(_, environment)| environment)
    }
}

fn read(text: &str) -> Result<Config, Vec<Problem>> {
    let (document, problems) = document::Document::parse(text);
    let Some(document) = document else {
        return Err(problems);
    };
    let mut findings = findings::Findings::new(&document, problems);
    let config =
        shape::read(&document, &mut findings).and_then(|raw| valid::config(raw, &mut findings));
    let problems = findings.finish();
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(problems),
    }
}

impl Environment {
    /// The hosts that have `role`.
    pub fn with_role(&self, role: Role) -> impl Iterator<Item = &Host> {
        self.hosts
            .iter()
            .filter(move |host| host.roles.contains(&role))
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let forge = match self.forge {
            ForgeKind::GitHub => "github",
            ForgeKind::GitLab => "gitlab",
        };
        write!(f, "{forge}:{}", self.path)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl Role {
    /// The word for it in the file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Worker => "worker",
            Self::Migrate => "migrate",
        }
    }
}
