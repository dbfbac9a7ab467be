//! What a step is given: its inputs and what the runner says of the job. The one place that reads the environment.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cutover_deploy::config::Environment;
use cutover_deploy::{Config, EnvironmentName, ReleaseId};
use secrecy::SecretString;

use crate::failure::{Failure, Fault};

mod ci;
mod runner;
mod ssh;

pub(crate) use ci::Ci;
pub(crate) use runner::{Place, Runner};

/// The inputs of a step. Valid by construction.
#[derive(Debug, Clone)]
pub(crate) struct Inputs {
    /// What is to be done.
    pub(crate) command: Command,
    /// Where.
    pub(crate) environment: Environment,
    /// Whether migrations may take away what the live release may still use.
    pub(crate) allow_destructive: bool,
    /// The whole configuration.
    pub(crate) config: Config,
    /// The folder that the job has built.
    pub(crate) workspace: PathBuf,
    /// The private key, as `ssh` reads it.
    pub(crate) ssh_key: SecretString,
    /// The pinned host keys, as `ssh` reads them.
    pub(crate) known_hosts: String,
    /// The token that a deployment is entered at GitHub with.
    pub(crate) token: Option<SecretString>,
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
    /// Say what a deployment would do, and change nothing.
    Plan,
    /// Look whether a deployment could go ahead, and change nothing.
    Check,
}

/// The value of a variable that `cutover.toml` names.
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok()
}

impl Inputs {
    /// Reads the environment and the configuration, and tells everything that is wrong with either.
    pub(crate) fn from_env(runner: &Runner) -> Result<Self, Failure> {
        let input = |name: &str| {
            let given = env::var(runner.ci.variable(name)).unwrap_or_default();
            match (runner.ci, name) {
                // What else is given may be told, so that no file is read for it.
                (Ci::GitLab, "ssh-key" | "known-hosts") => of_a_file(given),
                _ => given,
            }
        };
        Self::read(runner, &input, &|file| fs::read_to_string(file))
    }

    fn read(
        runner: &Runner,
        input: &dyn Fn(&str) -> String,
        file: &dyn Fn(&Path) -> io::Result<String>,
    ) -> Result<Self, Failure> {
        let mut faults = Faults(Vec::new());
        let ci = runner.ci;
        let given = Given { ci, input };
        let command = faults.take(given.command());
        let allow_destructive = faults.take(given.yes_or_no("allow-destructive"));
        let workspace = faults.take(runner.workspace.clone().ok_or_else(|| no_workspace(ci)));
        let ssh_key = faults.take(ssh::private_key(ci, &input("ssh-key")));
        let known_hosts = faults.take(ssh::known_hosts(ci, &input("known-hosts")));
        let config = workspace
            .as_deref()
            .and_then(|workspace| faults.take_all(given.config(workspace, file)));
        let environment = faults.take(given.environment(config.as_ref()));
        let token = Some(given.trimmed("token")).filter(|token| !token.is_empty());
        match (
            command,
            environment,
            config,
            workspace,
            ssh_key,
            known_hosts,
            allow_destructive,
        ) {
            (
                Some(command),
                Some(Some(environment)),
                Some(config),
                Some(workspace),
                Some(ssh_key),
                Some(known_hosts),
                Some(allow_destructive),
            ) => Ok(Self {
                command,
                allow_destructive,
                environment,
                config,
                workspace,
                ssh_key,
                known_hosts,
                token: token.map(SecretString::from),
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

fn no_workspace(ci: Ci) -> Fault {
    let name = ci.workspace();
    Fault {
        title: name.to_owned(),
        spot: None,
        message: format!("`{name}` is not set, so there is nothing to take a release from"),
        hint: Some(
            "A runner sets it. Elsewhere set it to the folder that holds the repository."
                .to_owned(),
        ),
    }
}

/// A variable of GitLab's type `File` is the path of a file that holds the value.
fn of_a_file(given: String) -> String {
    let is_path = given.starts_with('/') && !given.contains('\n');
    let text = is_path.then(|| fs::read_to_string(&given).ok()).flatten();
    text.unwrap_or(given)
}

/// The inputs as they were given.
struct Given<'a> {
    ci: Ci,
    input: &'a dyn Fn(&str) -> String,
}

impl Given<'_> {
    fn trimmed(&self, name: &str) -> String {
        (self.input)(name).trim().to_owned()
    }

    fn yes_or_no(&self, name: &str) -> Result<bool, Fault> {
        match self.trimmed(name).as_str() {
            "" | "false" => Ok(false),
            "true" => Ok(true),
            other => Err(self.ci.fault(
                name,
                &format!("is {other:?}, which is neither true nor false"),
                &format!("Write {}, or leave it out.", self.ci.written(name, "true")),
            )),
        }
    }

    fn command(&self) -> Result<Command, Fault> {
        let (command, release) = (self.trimmed("command"), self.trimmed("release"));
        let ci = self.ci;
        let to = || match release.as_str() {
            "" => Ok(None),
            text => ReleaseId::parse(text).map(Some).map_err(|_| {
                let written = ci.written("release", "20260520T123456Z-1a2b3c4");
                ci.fault(
                    "release",
                    &format!("is {text:?}, which is no release"),
                    &format!("Write one as `cutover releases` lists it: {written}."),
                )
            }),
        };
        let read = match command.as_str() {
            "rollback" => return Ok(Command::Rollback { to: to()? }),
            "deploy" | "" => Command::Deploy,
            "plan" => Command::Plan,
            "check" => Command::Check,
            other => {
                let known = ["deploy", "rollback", "plan", "check"];
                let known = known.map(|command| ci.written("command", command));
                let (last, others) = (&known[3], known[..3].join(", "));
                return Err(ci.fault(
                    "command",
                    &format!("is {other:?}, which is no command"),
                    &format!("Write {others} or {last}."),
                ));
            }
        };
        if release.is_empty() {
            return Ok(read);
        }
        let written = ci.written("command", "rollback");
        Err(ci.fault(
            "release",
            "is only for a rollback",
            &format!("Write {written}, or leave `{}` out.", ci.named("release")),
        ))
    }

    fn config(
        &self,
        workspace: &Path,
        file: &dyn Fn(&Path) -> io::Result<String>,
    ) -> Result<Config, Vec<Fault>> {
        let given = self.trimmed("config");
        let name = match given.as_str() {
            "" => "cutover.toml",
            name => name,
        };
        let path = workspace.join(name);
        let text = file(&path).map_err(|error| {
            let written = self.ci.written("config", "cutover.toml");
            vec![self.ci.fault(
                "config",
                &format!("leads to {name}, which cannot be read: {error}"),
                &format!(
                    "Check out the repository in an earlier step, and write the file's path below it: {written}."
                ),
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
    fn environment(&self, config: Option<&Config>) -> Result<Option<Environment>, Fault> {
        let name = self.trimmed("environment");
        if name.is_empty() {
            let written = self.ci.written("environment", "production");
            return Err(self.ci.fault(
                "environment",
                "is missing",
                &format!("Write the name of an environment of cutover.toml: {written}."),
            ));
        }
        let Some(config) = config else {
            return Ok(None);
        };
        if let Some(environment) = config.environment(&name) {
            return Ok(Some(environment.clone()));
        }
        let known: Vec<&str> = config
            .environments
            .keys()
            .map(EnvironmentName::as_str)
            .collect();
        Err(self.ci.fault(
            "environment",
            &format!("is {name:?}, which cutover.toml does not have"),
            &format!("There are: {}.", known.join(", ")),
        ))
    }
}

#[cfg(test)]
mod tests;
