//! Runs one step of a CI job and hands its exit code over.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    ExitCode::from(cutover_action::run().await)
}
