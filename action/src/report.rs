//! What GitHub gets to know of a deployment: an entry, and its state from beginning to end.
//!
//! Nothing here delays or fails a deployment: calls run beside it, and what cannot be told is a warning.

use cutover_deploy::{CommitSha, DeployRequest, Kind, Outcome};
use tokio::task::JoinHandle;

use crate::github::{GitHub, NewEntry, NewState, PERMISSIONS, Trouble, is_production};
use crate::inputs::{Inputs, Runner};
use crate::kept::Kept;

/// What GitHub allows for a description.
const LONGEST_DESCRIPTION: usize = 140;

/// The entry of one deployment at GitHub.
#[derive(Debug)]
pub(crate) struct Report {
    github: GitHub,
    site: Site,
    entering: Option<JoinHandle<Result<Entered, Trouble>>>,
}

/// An entry that GitHub has.
#[derive(Debug)]
struct Entered {
    number: u64,
    /// Why GitHub was not told that it is in progress, if so. Its end is told all the same.
    untold: Option<Trouble>,
}

/// What all that is told has in common.
#[derive(Debug, Clone)]
struct Site {
    request: DeployRequest,
    environment: String,
    url: Option<String>,
    kept: Kept,
}

impl Report {
    /// The report of a deployment; none where there is no GitHub. An error says why GitHub is told nothing.
    pub(crate) fn of(
        inputs: &Inputs,
        runner: &Runner,
        request: &DeployRequest,
        kept: &Kept,
    ) -> Result<Option<Self>, String> {
        let Some(place) = &runner.github else {
            return Ok(None);
        };
        let Some(token) = &inputs.token else {
            return Err(format!(
                "GitHub is not told of this deployment: the input `token` is empty. Leave it out, and give the job\n{PERMISSIONS}"
            ));
        };
        let github = GitHub::new(place, token).map_err(|trouble| untold(&trouble))?;
        Ok(Some(Self {
            github,
            site: Site {
                request: request.clone(),
                environment: inputs.environment.name.to_string(),
                url: inputs.environment.url.clone(),
                kept: kept.clone(),
            },
            entering: None,
        }))
    }

    /// Goes on with an entry that was made by a step that was killed.
    pub(crate) fn resume(mut self, number: u64) -> Self {
        self.entering = Some(tokio::spawn(async move {
            Ok(Entered {
                number,
                untold: None,
            })
        }));
        self
    }

    /// Enters the deployment of `commit` as running, beside whatever goes on. Once is enough.
    pub(crate) fn begin(&mut self, commit: &CommitSha) {
        if self.entering.is_some() {
            return;
        }
        let (github, site, commit) = (self.github.clone(), self.site.clone(), commit.clone());
        self.entering = Some(tokio::spawn(async move {
            let description = clip(&format!(
                "{} by {}",
                word(&site.request.kind),
                site.request.actor
            ));
            let number = github
                .enter(&site.entry("own", &commit, description))
                .await?;
            site.kept.entered(number);
            let description = format!("deploying to {}", site.environment);
            let state = site.state("in_progress", &description);
            let untold = github.mark(number, &state).await.err();
            Ok(Entered { number, untold })
        }));
    }

    /// Tells the end. `live_commit` is the commit that was live before. Returns what has to be told as a warning.
    pub(crate) async fn end(
        self,
        outcome: &Outcome,
        live_commit: Option<&CommitSha>,
    ) -> Option<String> {
        let ended = self.told_end(outcome, live_commit).await;
        ended.err().map(|trouble| untold(&trouble))
    }

    async fn told_end(
        mut self,
        outcome: &Outcome,
        live_commit: Option<&CommitSha>,
    ) -> Result<(), Trouble> {
        let Some(entering) = self.entering.take() else {
            return Ok(());
        };
        let Ok(entered) = entering.await else {
            return Ok(());
        };
        let Entered { number, untold } = entered?;
        self.mark_end(number, outcome, live_commit).await?;
        untold.map_or(Ok(()), Err)
    }

    async fn mark_end(
        &self,
        mut number: u64,
        outcome: &Outcome,
        live_commit: Option<&CommitSha>,
    ) -> Result<(), Trouble> {
        let (state, description) = told(outcome, &self.site.environment);
        let state = self.site.state(state, &description);
        self.github.mark(number, &state).await?;
        // What is live again shall be what GitHub shows as live.
        match (outcome, live_commit) {
            (
                Outcome::RolledBack {
                    restored, failed, ..
                },
                Some(commit),
            ) => {
                let why = clip(&format!("restored after {failed} failed"));
                let entry = self.site.entry("restored", commit, why);
                number = self.github.enter(&entry).await?;
                let words = format!("{restored} is live again");
                let state = self.site.state("success", &words);
                self.github.mark(number, &state).await?;
            }
            (Outcome::Deployed { .. } | Outcome::Unchanged { .. }, _) => {}
            _ => return Ok(()),
        }
        let environment = &self.site.environment;
        if is_production(environment) {
            self.github.retire_older(environment, number).await?;
        }
        Ok(())
    }
}

impl Site {
    fn entry(&self, entry: &'static str, commit: &CommitSha, description: String) -> NewEntry {
        let deployment = &self.request.deployment;
        NewEntry::new(deployment, entry, commit, &self.environment, description)
    }

    fn state(&self, state: &'static str, description: &str) -> NewState {
        NewState {
            state,
            description: clip(description),
            log_url: self.request.run_url.clone(),
            environment_url: self.url.clone(),
            auto_inactive: true,
        }
    }
}

fn word(kind: &Kind) -> &'static str {
    match kind {
        Kind::Deploy { .. } => "deployed",
        Kind::Rollback { .. } => "rolled back",
    }
}

/// The state and the words for an end.
fn told(outcome: &Outcome, environment: &str) -> (&'static str, String) {
    match outcome {
        Outcome::Deployed { release, .. } => {
            ("success", format!("{release} is live on {environment}"))
        }
        Outcome::Unchanged { release } => {
            let words = format!("{release} was live on {environment} already");
            ("success", words)
        }
        Outcome::RolledBack {
            restored, failure, ..
        } => {
            let line = failure.line();
            let words = format!("rolled back, {restored} is live again: {line}");
            ("failure", words)
        }
        Outcome::Failed { failure, left } if left.is_empty() => {
            let words = format!("failed, nothing live was changed: {}", failure.line());
            ("failure", words)
        }
        Outcome::Failed { failure, left } => {
            let hosts: Vec<_> = left.iter().map(|left| left.host.as_str()).collect();
            let (hosts, line) = (hosts.join(", "), failure.line());
            (
                "failure",
                format!("failed and NOT restored on {hosts}: {line}"),
            )
        }
        Outcome::Refused { failure, .. } => ("error", format!("refused: {}", failure.line())),
        Outcome::Cancelled => ("inactive", "cancelled: what was live still is".to_owned()),
        Outcome::Superseded => ("inactive", "superseded before it began".to_owned()),
    }
}

fn untold(trouble: &Trouble) -> String {
    let message = &trouble.message;
    if trouble.denied {
        format!(
            "GitHub does not let this job enter a deployment ({message}). It needs in the workflow:\n{PERMISSIONS}"
        )
    } else {
        format!("GitHub was not told all of this deployment: {message}")
    }
}

/// One printable line that GitHub takes.
fn clip(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if line.chars().count() <= LONGEST_DESCRIPTION {
        return line;
    }
    let mut cut: String = line.chars().take(LONGEST_DESCRIPTION - 1).collect();
    cut.push('…');
    cut
}
