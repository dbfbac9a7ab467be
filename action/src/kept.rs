//! What a step keeps for the case that it is killed, in the launcher's folder. Gone as soon as the step is over.

use std::fs;
use std::path::PathBuf;

use cutover_deploy::DeployRequest;
use serde::{Deserialize, Serialize};

use crate::inputs::Runner;

/// Where it is kept; nowhere without a launcher, after which nobody would look.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    request: DeployRequest,
    file: Option<PathBuf>,
}

/// What is left of a step that was killed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Left {
    /// What it was to do.
    pub(crate) request: DeployRequest,
    /// GitHub's number for its entry.
    pub(crate) entry: Option<u64>,
}

impl Kept {
    /// Keeps what a step is about to do.
    pub(crate) fn begin(runner: &Runner, request: &DeployRequest) -> Self {
        let kept = Self {
            request: request.clone(),
            file: file(runner),
        };
        kept.write(None);
        kept
    }

    /// What was kept by a step that was killed goes on being kept.
    pub(crate) fn resume(runner: &Runner, request: &DeployRequest) -> Self {
        Self {
            request: request.clone(),
            file: file(runner),
        }
    }

    /// Keeps GitHub's number for the entry.
    pub(crate) fn entered(&self, number: u64) {
        self.write(Some(number));
    }

    /// The step is over, and nothing is left to be done.
    pub(crate) fn over(&self) {
        if let Some(file) = &self.file {
            drop(fs::remove_file(file));
        }
    }

    /// Without it, only the tidying up after a killed step knows less.
    fn write(&self, entry: Option<u64>) {
        let request = self.request.clone();
        let text = serde_json::to_string(&Left { request, entry });
        if let (Some(file), Ok(text)) = (&self.file, text) {
            let new = file.with_extension("new");
            drop(fs::write(&new, text).and_then(|()| fs::rename(&new, file)));
        }
    }
}

/// What is left of a step that was killed; nothing where it came to its end.
pub(crate) fn left(runner: &Runner) -> Option<Left> {
    let text = fs::read_to_string(file(runner)?).ok()?;
    serde_json::from_str(&text).ok()
}

fn file(runner: &Runner) -> Option<PathBuf> {
    Some(runner.private.as_ref()?.join("deployment.json"))
}
