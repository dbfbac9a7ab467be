//! What later steps and people get: the files that a runner reads when the step is over.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use cutover_deploy::{CommitSha, Outcome, ReleaseId};

use crate::console::Console;
use crate::inputs::{Ci, Runner};

/// The outputs of a step. One that is not known is an empty text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Outputs {
    /// The release that is live afterwards.
    pub(crate) release: Option<ReleaseId>,
    /// The release that was live before.
    pub(crate) previous: Option<ReleaseId>,
    /// The outcome's word.
    pub(crate) outcome: String,
    /// The commit that was to become live.
    pub(crate) commit: Option<CommitSha>,
    /// Where people find the app.
    pub(crate) url: Option<String>,
}

impl Outputs {
    /// What is known when a deployment has ended. `live` is the release that was live when it was planned.
    pub(crate) fn of(
        outcome: &Outcome,
        live: Option<&ReleaseId>,
        commit: Option<&CommitSha>,
        url: Option<&str>,
    ) -> Self {
        let (release, previous) = match outcome {
            Outcome::Deployed { release, previous } => (Some(release), previous.as_ref()),
            Outcome::Unchanged { release } => (Some(release), Some(release)),
            Outcome::RolledBack { restored, .. } => (Some(restored), live),
            Outcome::Failed { left, .. } if !left.is_empty() => (None, live),
            _ => (live, live),
        };
        Self {
            release: release.cloned(),
            previous: previous.cloned(),
            outcome: outcome.word().to_owned(),
            commit: commit.cloned(),
            url: url.map(str::to_owned),
        }
    }

    /// Hands them to later steps, where the runner takes them.
    pub(crate) fn hand_over<W: Write>(&self, runner: &Runner, console: &mut Console<W>) {
        let lines = match runner.ci {
            Ci::GitHub => self.lines(&uuid::Uuid::new_v4().simple().to_string()),
            Ci::GitLab => self.variables(),
        };
        append(runner.output.as_deref(), &lines, console);
    }

    /// The lines for the file that `GITHUB_OUTPUT` names. No value can end its own block: nobody knows the delimiter.
    fn lines(&self, delimiter: &str) -> String {
        let line = |(name, value)| format!("{name}<<{delimiter}\n{value}\n{delimiter}\n");
        self.values().map(line).concat()
    }

    /// The lines of a dotenv report, which GitLab gives to later jobs as variables: under names that are no inputs, or
    /// a rollback would get the live release for its goal. It takes values as they are, to the end of the line.
    fn variables(&self) -> String {
        let line = |(name, value): (&str, String)| {
            format!(
                "CUTOVER_OUTPUT_{}={}\n",
                name.to_uppercase(),
                value.replace(char::is_control, "")
            )
        };
        self.values().map(line).concat()
    }

    fn values(&self) -> [(&'static str, String); 5] {
        let text = |id: &Option<ReleaseId>| id.as_ref().map(ToString::to_string);
        [
            ("release", text(&self.release)),
            ("previous", text(&self.previous)),
            ("outcome", Some(self.outcome.clone())),
            ("commit", self.commit.as_ref().map(ToString::to_string)),
            ("url", self.url.clone()),
        ]
        .map(|(name, value)| (name, value.unwrap_or_default()))
    }
}

/// Removes what an earlier job has left on GitLab's runner: it would be told again, and deployed with the rest.
pub(crate) fn forget(runner: &Runner) {
    if let (Ci::GitLab, Some(file)) = (runner.ci, &runner.output) {
        drop(fs::remove_file(file));
    }
}

/// Appends to a file of the runner, where it has one. What cannot be written is told and fails nothing.
pub(crate) fn append<W: Write>(file: Option<&Path>, text: &str, console: &mut Console<W>) {
    let Some(file) = file else { return };
    let appended = OpenOptions::new()
        .append(true)
        .create(true)
        .open(file)
        .and_then(|mut file: std::fs::File| file.write_all(text.as_bytes()));
    if let Err(error) = appended {
        let error: io::Error = error;
        console.warning(&format!("cannot write {}: {error}", file.display()));
    }
}

#[cfg(test)]
mod tests {
    use cutover_deploy::{Failure, HostName, LeftOver};

    use super::*;

    fn id(text: &str) -> ReleaseId {
        ReleaseId::parse(text).unwrap()
    }

    fn told(outcome: &Outcome) -> String {
        let outputs = Outputs::of(outcome, Some(&id("before")), None, None);
        let text = |id: Option<ReleaseId>| id.map_or("-".to_owned(), |id| id.to_string());
        format!(
            "{} {} after {}",
            outputs.outcome,
            text(outputs.release),
            text(outputs.previous)
        )
    }

    #[test]
    fn release_is_what_is_live_afterwards_and_empty_when_nobody_knows() {
        let failure = Failure {
            host: None,
            step: "health".to_owned(),
            message: "HTTP 500".to_owned(),
            hint: None,
        };
        let left = LeftOver {
            host: HostName::parse("web1").unwrap(),
            current: Some(id("new")),
            state: "unhealthy".to_owned(),
        };
        let failed = |left| Outcome::Failed {
            failure: failure.clone(),
            left,
        };
        let told = [
            told(&Outcome::Deployed {
                release: id("new"),
                previous: Some(id("before")),
            }),
            told(&Outcome::Unchanged {
                release: id("before"),
            }),
            told(&Outcome::RolledBack {
                restored: id("before"),
                failed: id("new"),
                failure: failure.clone(),
            }),
            told(&failed(Vec::new())),
            told(&failed(vec![left])),
            told(&Outcome::Cancelled),
        ];
        insta::assert_snapshot!(told.join("\n"), @r"
        deployed new after before
        unchanged before after before
        rolled_back before after before
        failed before after before
        failed - after before
        cancelled before after before
        ");
    }

    #[test]
    fn every_output_is_a_block_of_its_own() {
        let outputs = Outputs {
            release: Some(id("new")),
            outcome: "deployed".to_owned(),
            ..Outputs::default()
        };
        insta::assert_snapshot!(outputs.lines("END"), @r"
        release<<END
        new
        END
        previous<<END

        END
        outcome<<END
        deployed
        END
        commit<<END

        END
        url<<END

        END
        ");
        insta::assert_snapshot!(outputs.variables(), @"
        CUTOVER_OUTPUT_RELEASE=new
        CUTOVER_OUTPUT_PREVIOUS=
        CUTOVER_OUTPUT_OUTCOME=deployed
        CUTOVER_OUTPUT_COMMIT=
        CUTOVER_OUTPUT_URL=
        ");
    }
}
