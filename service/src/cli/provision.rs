//! `cutover provision --print`: the script that makes a bare host fit for an environment. It only prints.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use cutover_deploy::HostName;
use cutover_deploy::provision::{Order, script};

use super::console::{self, Trouble};
use super::site::{Site, environment};

/// Prints a shell script that makes a bare Debian host fit for an environment. Nothing is run, and no host is asked.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 the script is printed, 1 it cannot be written, 2 bad input.")]
pub(super) struct ProvisionArgs {
    /// The environment, as in `cutover.toml`.
    environment: String,

    /// Prints the script. There is no other way: it is yours to read and to run.
    #[arg(long, required = true)]
    print: bool,

    /// The host, where the environment has several.
    #[arg(long)]
    host: Option<String>,

    /// The public key of whoever deploys, which is to be let in.
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,

    #[command(flatten)]
    site: Site,
}

/// Runs `cutover provision`.
pub(super) fn provision(args: &ProvisionArgs) -> ExitCode {
    console::conclude(try_provision(args))
}

fn try_provision(args: &ProvisionArgs) -> Result<u8, Trouble> {
    debug_assert!(args.print, "clap asks for it");
    let config = args.site.read()?;
    let environment = environment(&config, &args.environment)?;
    let named = |name: &HostName| args.host.as_ref().is_none_or(|host| host == name.as_str());
    let mut hosts = environment.hosts.iter().filter(|host| named(&host.name));
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        let names: Vec<&str> = environment
            .hosts
            .iter()
            .map(|host| host.name.as_str())
            .collect();
        return Err(Trouble::input("name one host with `--host`")
            .hint(format!("There are: {}.", names.join(", "))));
    };
    let read = |file: &PathBuf| {
        std::fs::read_to_string(file)
            .map_err(|error| Trouble::input(format!("cannot read {}: {error}", file.display())))
    };
    let key = args.public_key.as_ref().map(read).transpose()?;
    let text = script(Order {
        app: config.app.as_str(),
        recipe: config.recipe,
        environment,
        host,
        key: key.as_deref(),
    });
    console::print_whole(text.map_err(Trouble::input)?.trim_end())?;
    Ok(0)
}
