//! What every command needs that goes to hosts itself: the configuration, the environment, the keys.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use cutover_deploy::config::Environment;
use cutover_deploy::run::{Access, Kept};
use cutover_deploy::{Config, EnvironmentName};
use cutover_outside::Web;

use super::console::Trouble;

/// Where hosts are described and how they are reached.
#[derive(Debug, Clone, Args)]
pub(super) struct Site {
    /// The `cutover.toml` that describes the app and its hosts.
    #[arg(
        long,
        short,
        default_value = "cutover.toml",
        env = "CUTOVER_CONFIG",
        value_name = "FILE"
    )]
    pub(super) config: PathBuf,

    /// The private key; ssh's own choice when left out.
    #[arg(long, env = "CUTOVER_SSH_KEY", value_name = "FILE")]
    ssh_key: Option<PathBuf>,

    /// The file with the pinned host keys; `~/.ssh/known_hosts` when left out. Unknown keys are refused.
    #[arg(long, env = "CUTOVER_KNOWN_HOSTS", value_name = "FILE")]
    known_hosts: Option<PathBuf>,

    /// An `ssh_config` to use instead of your own.
    #[arg(long, env = "CUTOVER_SSH_CONFIG", value_name = "FILE")]
    ssh_config: Option<PathBuf>,
}

/// For whom a command prints.
#[derive(Debug, Clone, Args)]
pub(super) struct Output {
    /// Prints JSON for machines; while a deployment runs, an event a line.
    #[arg(long)]
    pub(super) json: bool,
}

/// Who asks, as hosts and journals will name them.
#[derive(Debug, Clone, Args)]
pub(super) struct Asker {
    /// Who asks, as it is told to others; who has locked an environment is known by it.
    #[arg(
        long,
        env = "USER",
        default_value = "somebody at a shell",
        hide_env_values = true
    )]
    pub(super) actor: String,
}

impl Site {
    /// Reads the configuration, or tells everything that is wrong with it.
    pub(super) fn read(&self) -> Result<Config, Trouble> {
        let file = self.config.display();
        let text = std::fs::read_to_string(&self.config).map_err(|error| {
            Trouble::input(format!("cannot read {file}: {error}")).hint(
                "Name the file with `--config`, or begin with a copy of templates/cutover.toml.",
            )
        })?;
        Config::parse(&file.to_string(), &text).map_err(Trouble::file)
    }

    /// How hosts are reached.
    pub(super) fn access(&self) -> Result<Access, Trouble> {
        for file in [&self.ssh_key, &self.known_hosts, &self.ssh_config]
            .into_iter()
            .flatten()
        {
            std::fs::File::open(file).map_err(|error| {
                Trouble::input(format!("cannot read {}: {error}", file.display()))
            })?;
        }
        Ok(Access {
            key_file: self.ssh_key.clone(),
            known_hosts: self.known_hosts.clone(),
            ssh_config: self.ssh_config.clone(),
            connect_timeout: None,
            kept: Some(Kept::new(Duration::ZERO)),
            outside: Some(Arc::new(Web::new(|name| std::env::var(name).ok()))),
        })
    }
}

/// The environment of that name, or the ones that there are.
pub(super) fn environment<'a>(config: &'a Config, name: &str) -> Result<&'a Environment, Trouble> {
    config.environment(name).ok_or_else(|| {
        let known: Vec<&str> = config
            .environments
            .keys()
            .map(EnvironmentName::as_str)
            .collect();
        Trouble::input(format!("there is no environment {name:?}"))
            .hint(format!("There are: {}.", known.join(", ")))
    })
}
