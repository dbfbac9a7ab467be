//! Puts holds on hosts and takes them away.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::{Access, ask, join_all};
use crate::config::{Environment, Host};
use crate::hold::Hold;
use crate::host::{Connection, HostError, within};
use crate::plan::fit;
use crate::script::HOLD;
use crate::{Failure, HostName, clock};

/// Longer than any disk takes to keep a line.
const PATIENCE: Duration = Duration::from_mins(1);
/// Somebody else's hold came in between.
const ANOTHER: i32 = 75;

/// What became of a hold on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HoldAnswer {
    /// It stands there now, in the place of the one before.
    Placed {
        /// The one before.
        before: Option<Hold>,
    },
    /// It is gone.
    Lifted {
        /// What it was.
        before: Hold,
    },
    /// There was none to take away.
    Absent,
    /// Nothing was changed: it belongs to somebody else.
    Taken {
        /// Whose it is.
        hold: Hold,
    },
}

/// What is wanted of the hold of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// It shall stand there, in the place of its owner's earlier one.
    Placed(Hold),
    /// This actor's shall be gone; by force, whoever's it is.
    Lifted {
        /// Who wants that.
        actor: String,
        /// The service that wants it, for the holds that it keeps itself.
        keeper: Option<String>,
        /// Whether somebody else's goes as well.
        force: bool,
    },
}

/// Places or lifts the hold on every host of an environment, all at once. A deployment that runs already is not stopped.
pub async fn hold(
    environment: &Environment,
    wanted: &Wanted,
    access: &Access,
) -> Vec<(HostName, Result<HoldAnswer, Failure>)> {
    let asking = environment.hosts.iter().map(async |host| {
        let done = on_host(environment, host, wanted, access).await;
        (host.name.clone(), done)
    });
    join_all(asking).await
}

async fn on_host(
    environment: &Environment,
    host: &Host,
    wanted: &Wanted,
    access: &Access,
) -> Result<HoldAnswer, Failure> {
    let failed = |error: HostError| error.failure(host, "hold");
    let connection = Connection::open(host, access).await.map_err(failed)?;
    let done = over(&connection, environment, host, wanted).await;
    connection.close().await;
    done
}

async fn over(
    connection: &Connection,
    environment: &Environment,
    host: &Host,
    wanted: &Wanted,
) -> Result<HoldAnswer, Failure> {
    let facts = ask::probe(connection, host, &environment.path, &[]).await?;
    let now = clock::now();
    let before = facts.hold;
    let (actor, held) = match (wanted, before.clone()) {
        (Wanted::Placed(new), before) => (&new.owner, HoldAnswer::Placed { before }),
        (Wanted::Lifted { actor, .. }, Some(before)) => (actor, HoldAnswer::Lifted { before }),
        (Wanted::Lifted { .. }, None) => return Ok(HoldAnswer::Absent),
    };
    let force = matches!(wanted, Wanted::Lifted { force: true, .. });
    let keeper = match wanted {
        Wanted::Placed(new) => new.keeper.as_ref(),
        Wanted::Lifted { keeper, .. } => keeper.as_ref(),
    };
    let foreign = |hold: &Hold| match (&hold.keeper, keeper) {
        _ if force => false,
        (None, None) => hold.stops(actor, now),
        (theirs, ours) => hold.stands(now) && theirs.as_ref() != ours,
    };
    if let Some(hold) = before.clone().filter(foreign) {
        return Ok(HoldAnswer::Taken { hold });
    }
    let args = arguments(environment, wanted, before.as_ref(), now);
    let mut there = String::new();
    let asking = ask::lines(connection, HOLD, "hold", &args, |line| {
        line.clone_into(&mut there);
    });
    let asked = within(&host.name, PATIENCE, asking).await;
    let (status, stderr) = asked
        .and_then(|asked| asked)
        .map_err(|error| error.failure(host, "hold"))?;
    match status {
        0 => Ok(held),
        ANOTHER if there.is_empty() => Ok(HoldAnswer::Absent),
        ANOTHER => Ok(HoldAnswer::Taken {
            hold: Hold::read(&there),
        }),
        _ => Err(Failure {
            host: Some(host.name.clone()),
            step: "hold".to_owned(),
            message: format!("exit {status}: {}", stderr.trim()),
            hint: fit::denied(host, &environment.path, &stderr).or_else(|| {
                let (line, root) = (fit::ssh_line(host), &environment.path);
                Some(format!(
                    "See whether there is room: `ssh {line} df -h {root}`."
                ))
            }),
        }),
    }
}

fn arguments(
    environment: &Environment,
    wanted: &Wanted,
    before: Option<&Hold>,
    now: Timestamp,
) -> [String; 4] {
    let (did, actor, text, reason) = match wanted {
        Wanted::Placed(hold) => {
            let text = json!(hold).to_string();
            ("hold", &hold.owner, text, hold.reason.as_ref())
        }
        Wanted::Lifted { actor, .. } => ("unhold", actor, String::new(), None),
    };
    let journal = json!({"at": now, "did": did, "actor": actor, "reason": reason});
    [
        environment.path.clone(),
        before.map_or_else(String::new, |hold| hold.text().to_owned()),
        text,
        journal.to_string(),
    ]
}
