//! The command line: `cutover <command>`.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use tracing_subscriber::EnvFilter;

mod console;
mod direct;
mod doctor;
mod hold;
mod init;
mod look;
mod plan;
mod provision;
pub mod serve;
mod signals;
mod site;

/// A failure is told once, by whoever handles it; the client for GitHub would tell it a second time.
const LOUD: &str = "info,octocrab=off";
const QUIET: &str = "warn,octocrab=off";

/// Deploys Laravel apps over SSH by atomic release switch.
#[derive(Debug, Parser)]
#[command(name = "cutover", version, max_term_width = 100)]
pub struct Cli {
    /// How log lines on standard error look.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "text",
        env = "CUTOVER_LOG_FORMAT"
    )]
    log: LogFormat,

    /// Which log lines are written: a level, or `target=level` pairs. `info` for `serve`, `warn` otherwise,
    /// without the HTTP client's own lines.
    #[arg(long, global = true, env = "CUTOVER_LOG")]
    log_filter: Option<String>,

    #[command(subcommand)]
    command: Command,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// A JSON object a line, for machines.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Listens for webhooks and deploys what they ask for.
    Serve(serve::Args),
    /// Builds a commit and makes it live, straight over SSH.
    Deploy(direct::DeployArgs),
    /// Tells every step that a deployment would run; hosts stay as they are.
    Plan(plan::PlanArgs),
    /// Returns to an earlier release, straight over SSH.
    Rollback(direct::RollbackArgs),
    /// Keeps an environment for its owner: deployments of others are refused.
    Lock(hold::LockArgs),
    /// Ends a lock.
    Unlock(hold::UnlockArgs),
    /// Tells who deploys to an environment now, and who has locked it.
    Who(hold::WhoArgs),
    /// Tells what is live on every host of an environment.
    Status(look::StatusArgs),
    /// Lists the releases on every host of an environment.
    Releases(look::ReleasesArgs),
    /// Checks the configuration and every host; changes nothing.
    Check(look::CheckArgs),
    /// Writes a first `cutover.toml` from what a repository and a host show.
    Init(init::InitArgs),
    /// Prints a script that makes a bare host fit for an environment.
    Provision(provision::ProvisionArgs),
    /// Tells what would lose jobs or requests on hosts, why, and what mends it; hosts stay as they are.
    Doctor(doctor::DoctorArgs),
}

/// Runs the command to its end.
pub async fn run(cli: Cli) -> ExitCode {
    let quiet = !matches!(cli.command, Command::Serve(_));
    let filter = cli
        .log_filter
        .as_deref()
        .unwrap_or(if quiet { QUIET } else { LOUD });
    start_log(cli.log, filter);
    match cli.command {
        Command::Serve(args) => serve::run(args).await,
        Command::Deploy(args) => direct::deploy(args).await,
        Command::Plan(args) => plan::plan(args).await,
        Command::Rollback(args) => direct::rollback(args).await,
        Command::Lock(args) => hold::lock(args).await,
        Command::Unlock(args) => hold::unlock(args).await,
        Command::Who(args) => hold::who(args).await,
        Command::Status(args) => look::status(args).await,
        Command::Releases(args) => look::releases(args).await,
        Command::Check(args) => look::check(args).await,
        Command::Init(args) => init::init(args).await,
        Command::Provision(args) => provision::provision(&args),
        Command::Doctor(args) => doctor::doctor(args).await,
    }
}

fn start_log(format: LogFormat, filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new(LOUD));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        // It would tell on standard error that standard error is gone, and panic.
        .log_internal_errors(false);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn every_command_tells_its_exit_codes() {
        for command in Cli::command().get_subcommands() {
            let help = command.clone().render_long_help().to_string();
            assert!(help.contains("Exit codes"), "{help}");
        }
    }

    #[test]
    fn what_prints_no_json_does_not_offer_it() {
        for line in [
            "cutover init --json",
            "cutover provision production --print --json",
            "cutover check --show --json",
        ] {
            let read = Cli::try_parse_from(line.split(' '));
            let told = read.map(drop).unwrap_err().to_string();
            assert!(told.contains("--json"), "{line}: {told}");
        }
    }
}
