//! The command line: `cutover <command>`.

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use tracing_subscriber::EnvFilter;

pub mod serve;

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

    /// Which log lines are written: a level, or `target=level` pairs.
    #[arg(long, global = true, default_value = "info", env = "CUTOVER_LOG")]
    log_filter: String,

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
}

/// Runs the command to its end.
pub async fn run(cli: Cli) -> ExitCode {
    start_log(cli.log, &cli.log_filter);
    match cli.command {
        Command::Serve(args) => serve::run(args).await,
    }
}

fn start_log(format: LogFormat, filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}
