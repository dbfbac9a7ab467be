//! What a step keeps for the case that it is killed, in the launcher's folder. Gone as soon as the step is over.

use std::fs;
use std::path::PathBuf;

use cutover_deploy::{CommitSha, DeployRequest, Outcome};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::inputs::Runner;

/// Where it is kept; nowhere without a launcher, after which nobody would look.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    request: DeployRequest,
    folder: Option<PathBuf>,
}

/// What is left of a step that was killed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Left {
    /// What it was to do.
    pub(crate) request: DeployRequest,
    /// GitHub's number for its entry.
    pub(crate) entry: Option<u64>,
}

/// How a deployment ended, while GitHub had not heard of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct End {
    /// How.
    pub(crate) outcome: Outcome,
    /// The commit that was live before.
    pub(crate) live_commit: Option<CommitSha>,
}

const BEGUN: &str = "deployment.json";
const ENDED: &str = "ended.json";

impl Kept {
    /// Keeps what a step is about to do.
    pub(crate) fn begin(runner: &Runner, request: &DeployRequest) -> Self {
        let kept = Self {
            request: request.clone(),
            folder: runner.private.clone(),
        };
        kept.begun(None);
        kept
    }

    /// What was kept by a step that was killed goes on being kept.
    pub(crate) fn resume(runner: &Runner, request: &DeployRequest) -> Self {
        Self {
            request: request.clone(),
            folder: runner.private.clone(),
        }
    }

    /// Keeps GitHub's number for the entry.
    pub(crate) fn entered(&self, number: u64) {
        self.begun(Some(number));
    }

    /// Keeps how it ended.
    pub(crate) fn ended(&self, end: &End) {
        self.write(ENDED, end);
    }

    /// The step is over, and nothing is left to be done.
    pub(crate) fn over(&self) {
        if let Some(folder) = &self.folder {
            drop(fs::remove_file(folder.join(BEGUN)));
        }
    }

    fn begun(&self, entry: Option<u64>) {
        let request = self.request.clone();
        self.write(BEGUN, &Left { request, entry });
    }

    /// Without it, only the tidying up after a killed step knows less.
    fn write(&self, name: &str, value: &impl Serialize) {
        if let (Some(folder), Ok(text)) = (&self.folder, serde_json::to_string(value)) {
            let (new, file) = (folder.join(format!("{name}.new")), folder.join(name));
            drop(fs::write(&new, text).and_then(|()| fs::rename(&new, file)));
        }
    }
}

/// What is left of a step that was killed; nothing where it came to its end.
pub(crate) fn left(runner: &Runner) -> Option<Left> {
    read(runner, BEGUN)
}

/// How the deployment of a step that was killed had ended by then.
pub(crate) fn end(runner: &Runner) -> Option<End> {
    read(runner, ENDED)
}

fn read<T: DeserializeOwned>(runner: &Runner, name: &str) -> Option<T> {
    let text = fs::read_to_string(runner.private.as_ref()?.join(name)).ok()?;
    serde_json::from_str(&text).ok()
}
