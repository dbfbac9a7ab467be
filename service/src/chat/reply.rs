//! What is answered to a command: pure, from what the ledger knows to the text of one comment.
//!
//! Text of people stands in code only, where a forge makes no mention and no link of it.

use cutover_deploy::config::ForgeKind;
use cutover_deploy::{Failure, Kind, Outcome};
use jiff::Timestamp;
use serde_json::json;

use super::desk::Reaction;
use super::prefixes::Prefixes;
use super::{Ask, Code, Place, Refusal, code};
use crate::store::{Command, Decision, Deployment, Hold, HoldKind, State};

/// Replies begin with this; comments that do are never read.
pub const MARK: &str = "<!-- cutover:";
/// Below what any forge takes for a comment.
const LONGEST_BODY: usize = 60_000;
const LONGEST_FAILURE: usize = 4_000;

/// How a command stands, for its comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The newest reaction.
    pub reaction: Reaction,
    /// The whole text; none where nobody is answered.
    pub body: Option<String>,
    /// Whether nothing more will be said.
    pub is_final: bool,
}

/// What tells the reply of a command from all other comments.
pub fn mark(id: &str) -> String {
    format!("{MARK}{{\"v\":1,\"command\":\"{id}\"")
}

/// What the comment of a decided command is answered now. `holds` are those of the deployment's environment.
pub fn reply(
    command: &Command,
    decision: &Decision,
    deployment: Option<&Deployment>,
    holds: &[Hold],
    prefixes: &Prefixes,
) -> Reply {
    let (reaction, state, text) = match decision {
        Decision::Refused { refusal, quiet } => {
            let text = (!quiet).then(|| refused(refusal));
            (Reaction::Failed, refusal.code.word(), text)
        }
        Decision::Locked { until } => (
            Reaction::Done,
            "lock_acquired",
            Some(locked(command, *until, prefixes)),
        ),
        Decision::Unlocked { ended } => (
            Reaction::Done,
            "unlock_completed",
            Some(unlocked(command, ended)),
        ),
        Decision::Answered { text } => (Reaction::Done, "answered", Some(text.clone())),
        Decision::Queued { what } => match deployment {
            Some(deployment) => {
                let (reaction, state) = stands(deployment);
                (
                    reaction,
                    state,
                    Some(moving(prefixes, deployment, what, holds)),
                )
            }
            None => (
                Reaction::Failed,
                "internal_error",
                Some("The deployment is gone.".to_owned()),
            ),
        },
    };
    let body = text.map(|text| {
        let said = json!(deployment.map(|deployment| deployment.id.as_str()));
        let text: String = text.chars().take(LONGEST_BODY).collect();
        let mark = mark(&command.new.id);
        format!("{mark},\"deployment\":{said},\"state\":\"{state}\"}} -->\n{text}\n")
    });
    Reply {
        is_final: reaction != Reaction::Seen,
        reaction,
        body,
    }
}

fn stands(deployment: &Deployment) -> (Reaction, &'static str) {
    match &deployment.outcome {
        Some(outcome) if outcome.exit_code() == 0 => (Reaction::Done, outcome.word()),
        Some(outcome) => (Reaction::Failed, outcome.word()),
        None => (Reaction::Seen, deployment.state.word()),
    }
}

fn refused(refusal: &Refusal) -> String {
    let help = refusal
        .help
        .as_deref()
        .map_or_else(String::new, |help| format!("\n\n{help}"));
    format!(
        "**Refused** (`{}`). {}{help}",
        refusal.code.word(),
        refusal.why
    )
}

fn locked(command: &Command, until: Option<Timestamp>, prefixes: &Prefixes) -> String {
    let Ask::Lock { place, reason, .. } = &command.new.ask else {
        return "**Locked.**".to_owned();
    };
    let name = &place.environment;
    let until = until.map_or_else(String::new, |until| format!(" until {}", moment(until)));
    let reason = reason
        .as_deref()
        .map_or_else(String::new, |reason| format!(": {}", code(reason)));
    let unlock = prefixes.spelled(&format!("unlock {name}"));
    format!(
        "**Locked** `{name}`{until}, by {}{reason}.\n\nPushes wait, the newest is remembered. {unlock} lets them go.",
        code(&command.new.author)
    )
}

fn unlocked(command: &Command, ended: &[String]) -> String {
    let name = match &command.new.ask {
        Ask::Unlock { place, .. } => place.environment.as_str(),
        _ => "it",
    };
    let ended: Vec<_> = ended.iter().map(|line| code(line)).collect();
    format!(
        "**Unlocked** `{name}`, which was {}. What waited goes on.",
        ended.join(" and ")
    )
}

/// The reply of a command that led to a deployment, in every state of it.
fn moving(prefixes: &Prefixes, deployment: &Deployment, what: &str, holds: &[Hold]) -> String {
    let environment = &deployment.environment;
    let by = code(deployment.asked_by.as_deref().unwrap_or("somebody"));
    let verb = match deployment.request.kind {
        Kind::Deploy { .. } => "Deployment",
        Kind::Rollback { .. } => "Rollback",
    };
    let log = deployment
        .request
        .run_url
        .as_deref()
        .map_or_else(String::new, |url| format!("\n\n[Follow it]({url})"));
    let head =
        |state: &str| format!("**{verb} {state}**: {what} on `{environment}`, asked for by {by}.");
    let Some(outcome) = &deployment.outcome else {
        let state = match deployment.state {
            State::Running => "running",
            _ => "queued",
        };
        return format!("{}{log}", head(state));
    };
    let result = match outcome {
        Outcome::Deployed { release, previous } => {
            let before = previous
                .as_ref()
                .map_or("nothing", |previous| previous.as_str());
            format!(
                "{}\n\n`{release}` is live and healthy; before it was `{before}`.",
                head("done")
            )
        }
        Outcome::Unchanged { release } => {
            format!(
                "{}\n\n`{release}` was live already; nothing was changed.",
                head("done")
            )
        }
        Outcome::RolledBack {
            restored,
            failed,
            failure,
        } => {
            let told = told(failure);
            format!(
                "{}\n\n`{failed}` failed; `{restored}` is live and healthy again.{told}",
                head("failed")
            )
        }
        Outcome::Failed { failure, left } if left.is_empty() => {
            format!(
                "{}\n\nWhat was live still is.{}",
                head("failed"),
                told(failure)
            )
        }
        Outcome::Failed { failure, left } => {
            let hosts: Vec<_> = left.iter().map(|left| format!("`{}`", left.host)).collect();
            let hosts = hosts.join(", ");
            format!(
                "{}\n\n**Not restored on {hosts}.**{}",
                head("failed"),
                told(failure)
            )
        }
        Outcome::Refused { failure, .. } => {
            format!(
                "{}\n\nNothing was changed.{}",
                head("refused"),
                told(failure)
            )
        }
        Outcome::Cancelled => format!("{}\n\nWhat was live still is.", head("cancelled")),
        Outcome::Superseded => format!(
            "{}\n\nA newer deployment took its place.",
            head("superseded")
        ),
    };
    let held = matches!(deployment.request.kind, Kind::Rollback { .. })
        && outcome.exit_code() == 0
        && holds.iter().any(|hold| hold.kind == HoldKind::Rollback);
    let hold = if held {
        let unlock = prefixes.spelled(&format!("unlock {environment}"));
        format!("\n\n`{environment}` is held: pushes wait until {unlock}.")
    } else {
        String::new()
    };
    format!("{result}{hold}{log}")
}

/// A failure in a block of its own that nothing inside can end.
fn told(failure: &Failure) -> String {
    let hint = failure
        .hint
        .as_deref()
        .map_or_else(String::new, |hint| format!("\n{hint}"));
    let text = anstream::adapter::strip_str(&format!("{}{hint}", failure.line())).to_string();
    let text: String = text
        .replace("```", "'''")
        .chars()
        .filter(|c| *c == '\n' || !c.is_control())
        .take(LONGEST_FAILURE)
        .collect();
    format!("\n\n```text\n{text}\n```")
}

/// Who holds an environment, for whom it keeps from something.
pub(super) fn in_the_way(prefixes: &Prefixes, place: &Place, hold: &Hold) -> Refusal {
    let environment = &place.environment;
    let until = hold
        .until
        .map_or_else(String::new, |until| format!(", until {}", moment(until)));
    let why = format!(
        "`{environment}` is {} since {}{until}.",
        code(&hold.line()),
        moment(hold.since)
    );
    let unlock = prefixes.spelled(&format!("unlock {environment}"));
    let force = prefixes.spelled(&format!("unlock {environment} --force"));
    let help = format!(
        "{} can end that by {unlock}, a maintainer by {force}.",
        code(&hold.owner)
    );
    Refusal::new(Code::LockConflict, why, Some(help))
}

/// What can be asked.
pub(super) fn help(prefixes: &Prefixes, places: &[Place]) -> String {
    let deploy = match prefixes.forge {
        ForgeKind::GitHub => "deploy it; in a pull request without a name: its head",
        ForgeKind::GitLab => "deploy it; in a merge request without a name: its head",
    };
    let lines = [
        ("deploy <branch|tag|commit> to <environment>", deploy),
        (
            "rollback <environment> [steps|commit|release] [--reason …]",
            "back to an earlier healthy release, and hold the environment",
        ),
        ("lock <environment> [--for 2h] [--reason …]", "pushes wait"),
        (
            "unlock <environment>",
            "what waits goes on; `--force` for what somebody else holds",
        ),
        (
            "status [environment]",
            "what is live, runs, waits and holds",
        ),
    ];
    let rows = lines.map(|(command, what)| {
        format!(
            "| {} | {what} |",
            prefixes.spelled(command).replace('|', "\\|")
        )
    });
    let names: Vec<_> = places
        .iter()
        .map(|place| format!("`{}`", place.environment))
        .collect();
    format!(
        "| command | what it does |\n|---|---|\n{}\n\nOne command a line, at the beginning of the line. Environments: {}.",
        rows.join("\n"),
        names.join(", ")
    )
}

/// How an environment stands, as one paragraph.
pub fn status(
    place: &Place,
    live: Option<&Deployment>,
    open: &[Deployment],
    holds: &[Hold],
) -> String {
    let mut lines = vec![format!("**`{}`**", place.environment)];
    let live_text = live.and_then(|deployment| {
        let live = deployment.live.as_ref()?;
        let since = deployment.ended_at.map(moment).unwrap_or_default();
        Some(format!("live: `{}` since {since}", live.release))
    });
    lines.push(live_text.unwrap_or_else(|| "live: nothing that was deployed from here".to_owned()));
    for deployment in open {
        let what = deployment
            .commit()
            .map_or("a rollback", |commit| commit.short());
        let state = deployment.state.word();
        lines.push(format!(
            "{state}: `{what}`, {}",
            code(&deployment.request.actor)
        ));
    }
    for hold in holds {
        let until = hold
            .until
            .map_or_else(String::new, |until| format!(", until {}", moment(until)));
        lines.push(format!(
            "{} since {}{until}",
            code(&hold.line()),
            moment(hold.since)
        ));
    }
    if open.is_empty() && holds.is_empty() {
        lines.push("nothing runs, waits or holds it".to_owned());
    }
    lines.join("\n- ")
}

fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
