//! The program `cutover`.

use std::process::ExitCode;

use clap::Parser as _;
use cutover::cli::{self, Cli};

#[tokio::main]
async fn main() -> ExitCode {
    cli::run(Cli::parse()).await
}
