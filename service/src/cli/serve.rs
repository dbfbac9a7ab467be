//! `cutover serve`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::serve::Service;
use crate::settings::Settings;

/// What `cutover serve` is given.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 ended by a signal, 1 it cannot serve, 2 bad settings.")]
pub struct Args {
    /// The settings of the service; `templates/service.toml` is their manual.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "service.toml",
        env = "CUTOVER_SETTINGS"
    )]
    config: PathBuf,
}

/// Serves until SIGTERM or SIGINT. Exit code 2 for bad settings, 1 for anything else that went wrong.
pub async fn run(args: Args) -> ExitCode {
    let settings = match Settings::load(&args.config) {
        Ok(settings) => settings,
        Err(bad) => {
            error!("{bad}");
            return ExitCode::from(2);
        }
    };
    match serve(settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(settings: Settings) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    stop_on_signals(stop.clone())?;
    Service::bind(settings).await?.run(stop).await
}

fn stop_on_signals(stop: CancellationToken) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if stop.is_cancelled() {
                warn!(
                    "still waiting for deployments that are past their swap; they are ended cleanly"
                );
            } else {
                info!("stopping: no deployment begins any more");
                stop.cancel();
            }
        }
    });
    Ok(())
}
