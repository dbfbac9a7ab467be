//! Runs one step of a CI job and hands its exit code over.

use std::process::ExitCode;

use tokio::runtime::Runtime;

fn main() -> std::io::Result<ExitCode> {
    let runtime = Runtime::new()?;
    let exit = runtime.block_on(cutover_action::run());
    // Packing that was called off is not waited for.
    runtime.shutdown_background();
    Ok(ExitCode::from(exit))
}
