//! Which commit and which release a command means, when it does not say so itself.

use cutover_deploy::config::Environment;
use cutover_deploy::{CommitSha, ReleaseId, run};

use super::desk::Change;
use super::prefixes::Prefixes;
use super::{Back, Code, Refusal, code};
use crate::settings::App;

/// The head of a change, if it may be deployed. `seen` is what it was when the command was written: whoever wrote it has
/// not looked at what came later.
pub(super) fn head(
    change: Option<Change>,
    seen: Option<&CommitSha>,
    prefixes: &Prefixes,
) -> Result<CommitSha, Refusal> {
    let Some(change) = change else {
        let why = "There is no such change.";
        return Err(Refusal::new(Code::StaleRef, why, None));
    };
    if change.fork {
        let why = "This change comes from a fork, and code of forks is not deployed.";
        return Err(Refusal::new(Code::ForkDenied, why, None));
    }
    if !change.open {
        let spelled = prefixes.spelled("deploy <branch|tag|commit> to <environment>");
        let help = format!("Name what to deploy: {spelled}.");
        let why = "This change is closed.";
        return Err(Refusal::new(Code::ClosedPr, why, Some(help)));
    }
    match seen {
        Some(seen) if *seen != change.head => {
            let why = format!(
                "This change was at `{}` when you wrote, and is at `{}` now.",
                seen.short(),
                change.head.short()
            );
            let help = "Look at what came, and write the command again.".to_owned();
            Err(Refusal::new(Code::StaleRef, why, Some(help)))
        }
        _ => Ok(change.head),
    }
}

/// The healthy release that is meant, as the hosts know it: so many back from the live one, or by id or commit.
pub(super) async fn release(
    app: &App,
    environment: &Environment,
    back: &Back,
) -> Result<ReleaseId, Refusal> {
    let mut all = Vec::new();
    for (host, facts) in run::survey(environment, &app.config.shared, &app.access).await {
        all.push(facts.map_err(|failure| {
            let why = format!(
                "Host `{host}` could not be asked: {}.",
                code(&failure.line())
            );
            Refusal::new(Code::InternalError, why, None)
        })?);
    }
    let Some(first) = all.first() else {
        return Err(Refusal::new(Code::NothingToDo, "There are no hosts.", None));
    };
    let live = all.iter().filter_map(|facts| facts.live()).max();
    let healthy = first
        .releases
        .keys()
        .rev()
        .filter(|id| all.iter().all(|facts| facts.is_way_back(id)));
    let mut healthy = healthy.filter(|id| Some(*id) != live);
    let found = match back {
        Back::Named(name) => healthy.find(|id| {
            let commit = first.commit(id).map(CommitSha::as_str);
            let by_commit = name.as_str().len() >= 7
                && commit
                    .is_some_and(|commit| commit.starts_with(&name.as_str().to_ascii_lowercase()));
            *id == name || by_commit
        }),
        Back::Steps(steps) => healthy
            .filter(|id| live.is_none_or(|live| *id < live))
            .nth(usize::from(steps.saturating_sub(1))),
        Back::Previous => None,
    };
    found.cloned().ok_or_else(|| {
        let meant = match back {
            Back::Named(name) => format!(
                "There is no earlier healthy release {}.",
                code(name.as_str())
            ),
            Back::Steps(steps) => {
                format!("There are fewer than {steps} healthy releases before the live one.")
            }
            Back::Previous => "There is no previous healthy release.".to_owned(),
        };
        Refusal::new(Code::StaleRef, meant, None)
    })
}
