//! What a step is given: its inputs and what the runner says of the job. The one place that reads the environment.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cutover_deploy::config::Environment;
use cutover_deploy::{CommitSha, Config, EnvironmentName, ReleaseId};
use secrecy::SecretString;

use crate::failure::{Failure, Fault};

mod ssh;

/// What the runner says of the job. All of it may be absent.
#[derive(Debug, Clone)]
pub(crate) struct Runner {
    /// The folder that the job checked out and built (`GITHUB_WORKSPACE`).
    pub(crate) workspace: Option<PathBuf>,
    /// The commit that the job runs for (`GITHUB_SHA`).
    pub(crate) commit: Option<CommitSha>,
    /// Who began the run (`GITHUB_ACTOR`).
    pub(crate) actor: Option<String>,
    /// Where people can follow the run.
    pub(crate) run_url: Option<String>,
    /// The file that takes outputs (`GITHUB_OUTPUT`).
    pub(crate) output: Option<PathBuf>,
    /// The file that takes the summary (`GITHUB_STEP_SUMMARY`).
    pub(crate) summary: Option<PathBuf>,
    /// Where keys and artifacts lie while the step runs: the launcher's folder, which it removes in any case
    /// (`CUTOVER_PRIVATE_DIR`), or the runner's for temporary files.
    pub(crate) temp: PathBuf,
}

/// The inputs of a step. Valid by construction.
#[derive(Debug, Clone)]
pub(crate) struct Inputs {
    /// What is to be done.
    pub(crate) command: Command,
    /// Where.
    pub(crate) environment: Environment,
    /// The whole configuration.
    pub(crate) config: Config,
    /// The folder that the job has built.
    pub(crate) workspace: PathBuf,
    /// The private key, as `ssh` reads it.
    pub(crate) ssh_key: SecretString,
    /// The pinned host keys, as `ssh` reads them.
    pub(crate) known_hosts: String,
}

/// What a step is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    /// Make live what the job has built. The default.
    Deploy,
    /// Return to an earlier release.
    Rollback {
        /// Which; the healthy one before the live one when absent.
        to: Option<ReleaseId>,
    },
    /// Look whether a deployment could go ahead, and change nothing.
    Check,
}

impl Runner {
    /// Reads the environment.
    pub(crate) fn from_env() -> Self {
        Self::read(&|name| env::var(name).ok(), env::temp_dir())
    }

    fn read(variable: &dyn Fn(&str) -> Option<String>, temp: PathBuf) -> Self {
        let variable = |name: &str| variable(name).filter(|text| !text.is_empty());
        let path = |name: &str| variable(name).map(PathBuf::from);
        let run_url = || {
            let server = variable("GITHUB_SERVER_URL")?;
            let (repository, run) = (variable("GITHUB_REPOSITORY")?, variable("GITHUB_RUN_ID")?);
            Some(format!("{server}/{repository}/actions/runs/{run}"))
        };
        Self {
            workspace: path("GITHUB_WORKSPACE"),
            commit: variable("GITHUB_SHA").and_then(|sha| CommitSha::parse(&sha).ok()),
            actor: variable("GITHUB_ACTOR"),
            run_url: run_url(),
            output: path("GITHUB_OUTPUT"),
            summary: path("GITHUB_STEP_SUMMARY"),
            temp: path("CUTOVER_PRIVATE_DIR")
                .or_else(|| path("RUNNER_TEMP"))
                .unwrap_or(temp),
        }
    }
}

impl Inputs {
    /// Reads the environment and the configuration, and tells everything that is wrong with either.
    pub(crate) fn from_env(runner: &Runner) -> Result<Self, Failure> {
        let input = |name: &str| env::var(variable_name(name)).unwrap_or_default();
        Self::read(runner, &input, &|file| fs::read_to_string(file))
    }

    fn read(
        runner: &Runner,
        input: &dyn Fn(&str) -> String,
        file: &dyn Fn(&Path) -> io::Result<String>,
    ) -> Result<Self, Failure> {
        let mut faults = Faults(Vec::new());
        let command = faults.take(command(
            &trimmed(input, "command"),
            &trimmed(input, "release"),
        ));
        let workspace = faults.take(runner.workspace.clone().ok_or_else(|| {
            let mut fault = Fault::input(
                "GITHUB_WORKSPACE",
                "is not set, so there is nothing to take a release from",
                "A runner sets it. Elsewhere set it to the folder that holds the repository.",
            );
            "GITHUB_WORKSPACE".clone_into(&mut fault.title);
            fault
        }));
        let ssh_key = faults.take(ssh::private_key(&input("ssh-key")));
        let known_hosts = faults.take(ssh::known_hosts(&input("known-hosts")));
        let config = workspace.as_deref().and_then(|workspace| {
            let name = trimmed(input, "config");
            faults.take_all(config(workspace, &name, file))
        });
        let environment = faults.take(environment(&trimmed(input, "environment"), config.as_ref()));
        match (
            command,
            environment,
            config,
            workspace,
            ssh_key,
            known_hosts,
        ) {
            (
                Some(command),
                Some(Some(environment)),
                Some(config),
                Some(workspace),
                Some(ssh_key),
                Some(known_hosts),
            ) => Ok(Self {
                command,
                environment,
                config,
                workspace,
                ssh_key,
                known_hosts,
            }),
            _ => Err(Failure::input(faults.0)),
        }
    }
}

/// Collects what is wrong, so that it is told at once.
struct Faults(Vec<Fault>);

impl Faults {
    fn take<T>(&mut self, read: Result<T, Fault>) -> Option<T> {
        self.take_all(read.map_err(|fault| vec![fault]))
    }

    fn take_all<T>(&mut self, read: Result<T, Vec<Fault>>) -> Option<T> {
        read.map_err(|faults| self.0.extend(faults)).ok()
    }
}

/// The variable by which a runner hands an input over.
fn variable_name(input: &str) -> String {
    format!("INPUT_{}", input.to_uppercase().replace(' ', "_"))
}

fn trimmed(input: &dyn Fn(&str) -> String, name: &str) -> String {
    input(name).trim().to_owned()
}

fn command(command: &str, release: &str) -> Result<Command, Fault> {
    let to = || match release {
        "" => Ok(None),
        text => ReleaseId::parse(text).map(Some).map_err(|_| {
            Fault::input(
                "release",
                &format!("is {text:?}, which is no release"),
                "Write one as `cutover releases` lists it: `release: 20260520T123456Z-1a2b3c4`.",
            )
        }),
    };
    match command {
        "rollback" => Ok(Command::Rollback { to: to()? }),
        "deploy" | "check" | "" if !release.is_empty() => Err(Fault::input(
            "release",
            "is only for a rollback",
            "Write `command: rollback`, or leave `release` out.",
        )),
        "deploy" | "" => Ok(Command::Deploy),
        "check" => Ok(Command::Check),
        other => Err(Fault::input(
            "command",
            &format!("is {other:?}, which is no command"),
            "Write `command: deploy`, `command: rollback` or `command: check`.",
        )),
    }
}

fn config(
    workspace: &Path,
    name: &str,
    file: &dyn Fn(&Path) -> io::Result<String>,
) -> Result<Config, Vec<Fault>> {
    let name = if name.is_empty() {
        "cutover.toml"
    } else {
        name
    };
    let path = workspace.join(name);
    let text = file(&path).map_err(|error| {
        vec![Fault::input(
            "config",
            &format!("leads to {name}, which cannot be read: {error}"),
            "Check out the repository in an earlier step, and write the file's path below it: `config: cutover.toml`.",
        )]
    })?;
    // Annotations are shown beside files only where their path is the repository's own.
    let below = path.strip_prefix(workspace).unwrap_or(&path);
    let shown = below.display().to_string();
    let shown = shown.trim_start_matches("./");
    Config::parse(shown, &text).map_err(|bad| {
        let faults = bad.problems.iter();
        faults
            .map(|problem| Fault::config(shown, problem))
            .collect()
    })
}

/// The environment; none yet where the configuration could not be read.
fn environment(name: &str, config: Option<&Config>) -> Result<Option<Environment>, Fault> {
    if name.is_empty() {
        return Err(Fault::input(
            "environment",
            "is missing",
            "Write the name of an environment of cutover.toml: `environment: production`.",
        ));
    }
    let Some(config) = config else {
        return Ok(None);
    };
    if let Some(environment) = config.environment(name) {
        return Ok(Some(environment.clone()));
    }
    let known: Vec<&str> = config
        .environments
        .keys()
        .map(EnvironmentName::as_str)
        .collect();
    Err(Fault::input(
        "environment",
        &format!("is {name:?}, which cutover.toml does not have"),
        &format!("There are: {}.", known.join(", ")),
    ))
}

#[cfg(test)]
mod tests;
