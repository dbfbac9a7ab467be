//! `cutover lock`, `cutover unlock` and `cutover who`: holds on the hosts themselves, which every door respects.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Args;
use cutover_deploy::facts::Holder;
use cutover_deploy::run::{self, HoldAnswer, Wanted};
use cutover_deploy::{Failure, Hold, HostName, now};
use serde::Serialize;

use super::console::{self, Trouble};
use super::site::{Asker, Output, Site, environment};
use crate::chat::minutes;

const LOCKED_BY_ANOTHER: u8 = 4;

/// Keeps an environment for its owner: deployments of others, from wherever they come, are refused. What runs already
/// goes on.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 locked on every host, 1 a host could not be asked, \
    2 bad input, 4 somebody else holds it."
)]
pub(super) struct LockArgs {
    /// The environment, as in `cutover.toml`.
    environment: String,

    /// Why, for everybody who is stopped.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    /// When it ends by itself: `30m`, `2h`, `1d`, at most 30 days. Left out, it stays until `cutover unlock`.
    #[arg(long = "for", value_name = "TIME")]
    lasts: Option<String>,

    #[command(flatten)]
    site: Site,

    #[command(flatten)]
    output: Output,

    #[command(flatten)]
    asker: Asker,
}

/// Ends a lock.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 nothing is locked any more, 1 a host could not be asked, \
    2 bad input, 4 somebody else holds it."
)]
pub(super) struct UnlockArgs {
    /// The environment, as in `cutover.toml`.
    environment: String,

    /// Ends it also when it is somebody else's.
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    site: Site,

    #[command(flatten)]
    output: Output,

    #[command(flatten)]
    asker: Asker,
}

/// Tells who deploys to an environment now, and who has locked it.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 every host was asked, 1 one could not be asked, 2 bad input."
)]
pub(super) struct WhoArgs {
    /// The environment, as in `cutover.toml`.
    environment: String,

    #[command(flatten)]
    site: Site,

    #[command(flatten)]
    output: Output,
}

/// Who has what on one host.
#[derive(Debug, Serialize)]
struct Who {
    /// Who deploys there now.
    lease: Option<Holder>,
    /// Who keeps others from deploying.
    lock: Option<Hold>,
    failure: Option<Failure>,
}

/// Runs `cutover lock`.
pub(super) async fn lock(args: LockArgs) -> ExitCode {
    console::conclude(try_lock(args).await)
}

/// Runs `cutover unlock`.
pub(super) async fn unlock(args: UnlockArgs) -> ExitCode {
    let wanted = Wanted::Lifted {
        actor: args.asker.actor.clone(),
        keeper: None,
        force: args.force,
    };
    let UnlockArgs { site, output, .. } = &args;
    console::conclude(change(site, output, &args.environment, &wanted).await)
}

/// Runs `cutover who`.
pub(super) async fn who(args: WhoArgs) -> ExitCode {
    console::conclude(try_who(args).await)
}

async fn try_lock(args: LockArgs) -> Result<u8, Trouble> {
    let since = now();
    let until = match args.lasts.as_deref() {
        None => None,
        Some(text) => {
            let lasts = minutes(text).ok_or_else(|| {
                let message = format!("{text:?} is no time from 1m to 30d");
                Trouble::input(message).hint("Write `--for 30m`, `--for 2h` or `--for 1d`.")
            })?;
            Some(since + std::time::Duration::from_secs(u64::from(lasts) * 60))
        }
    };
    let hold = Hold::new(args.asker.actor.clone(), args.reason, since, until);
    let wanted = Wanted::Placed(hold);
    change(&args.site, &args.output, &args.environment, &wanted).await
}

async fn change(site: &Site, output: &Output, name: &str, wanted: &Wanted) -> Result<u8, Trouble> {
    let config = site.read()?;
    let environment = environment(&config, name)?;
    let answers = run::hold(environment, wanted, &site.access()?).await;
    let mut exit = 0;
    let mut told: BTreeMap<HostName, String> = BTreeMap::new();
    for (host, answer) in answers {
        let (code, text) = match answer {
            Ok(HoldAnswer::Placed { before: None }) => (0, "locked".to_owned()),
            Ok(HoldAnswer::Placed { before: Some(old) }) => {
                (0, format!("locked; before it was locked by {}", old.line()))
            }
            Ok(HoldAnswer::Lifted { before }) => (0, lifted(&before, name)),
            Ok(HoldAnswer::Absent) => (0, "nothing is locked".to_owned()),
            Ok(HoldAnswer::Taken { hold }) => (LOCKED_BY_ANOTHER, taken(&hold, name)),
            Err(failure) => (1, console::with_hint(&failure)),
        };
        exit = exit.max(code);
        told.insert(host, text);
    }
    if output.json {
        console::print_json(&told);
    } else {
        for (host, text) in &told {
            console::print(&format!("{host}: {text}"));
        }
    }
    Ok(exit)
}

fn lifted(before: &Hold, name: &str) -> String {
    let service = match before.keeper {
        Some(_) => format!(
            "\n  The service goes on holding its own deployments: end that in a comment with `/unlock {name}`."
        ),
        None => String::new(),
    };
    format!("unlocked; it was locked by {}{service}", before.line())
}

fn taken(hold: &Hold, name: &str) -> String {
    let help = match hold.ended_in_a_comment(name) {
        Some(help) => format!(
            "{help}\n  Where the service is down, `cutover unlock {name} --force` frees the hosts."
        ),
        None => format!("End it with `cutover unlock {name} --force`."),
    };
    format!("nothing was changed: locked by {}\n  {help}", hold.line())
}

async fn try_who(args: WhoArgs) -> Result<u8, Trouble> {
    let config = args.site.read()?;
    let environment = environment(&config, &args.environment)?;
    let heard = run::survey(environment, &config.shared, &args.site.access()?).await;
    let at = now();
    let hosts: BTreeMap<HostName, Who> = heard
        .into_iter()
        .map(|(host, heard)| match heard {
            Ok(facts) => (
                host,
                Who {
                    lease: facts.holder,
                    lock: facts.hold.filter(|hold| hold.stands(at)),
                    failure: None,
                },
            ),
            Err(failure) => (
                host,
                Who {
                    lease: None,
                    lock: None,
                    failure: Some(failure),
                },
            ),
        })
        .collect();
    if args.output.json {
        console::print_json(&hosts);
    } else {
        for (host, who) in &hosts {
            console::print(&format!("{host}: {}", who_text(who)));
        }
    }
    Ok(u8::from(hosts.values().any(|who| who.failure.is_some())))
}

fn who_text(who: &Who) -> String {
    if let Some(failure) = &who.failure {
        return console::with_hint(failure);
    }
    let lease = who.lease.as_ref().map(Holder::line);
    let lock = who
        .lock
        .as_ref()
        .map(|hold| format!("locked by {}", hold.line()));
    let both: Vec<String> = lease.into_iter().chain(lock).collect();
    if both.is_empty() {
        "nobody deploys there, and nothing is locked".to_owned()
    } else {
        both.join("\n  ")
    }
}
