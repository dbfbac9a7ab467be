//! Whose runner a step stands on, and how inputs are handed over and written there.

use crate::failure::Fault;

/// Whose runner a step stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ci {
    /// GitHub Actions, and whatever sets what it sets. The default.
    GitHub,
    /// GitLab CI, which says `GITLAB_CI=true`.
    GitLab,
}

impl Ci {
    pub(super) fn of(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        match variable("GITLAB_CI").as_deref() {
            Some("true") => Self::GitLab,
            _ => Self::GitHub,
        }
    }

    /// The variable that hands an input over.
    pub(crate) fn variable(self, input: &str) -> String {
        match self {
            Self::GitHub => format!("INPUT_{}", input.to_uppercase().replace(' ', "_")),
            Self::GitLab => self.named(input),
        }
    }

    /// An input as people know it.
    pub(crate) fn named(self, input: &str) -> String {
        match self {
            Self::GitHub => input.to_owned(),
            Self::GitLab => format!("CUTOVER_{}", input.to_uppercase().replace('-', "_")),
        }
    }

    /// An input with its value, as people write it into their file.
    pub(super) fn written(self, input: &str, value: &str) -> String {
        format!("`{}: {value}`", self.named(input))
    }

    /// The variable that tells the folder of the job.
    pub(super) fn workspace(self) -> &'static str {
        match self {
            Self::GitHub => "GITHUB_WORKSPACE",
            Self::GitLab => "CI_PROJECT_DIR",
        }
    }

    /// What is wrong with an input.
    pub(crate) fn fault(self, input: &str, message: &str, hint: &str) -> Fault {
        let name = self.named(input);
        let title = match self {
            Self::GitHub => format!("input {name}"),
            Self::GitLab => format!("variable {name}"),
        };
        Fault {
            title,
            spot: None,
            message: format!("`{name}` {message}"),
            hint: Some(hint.to_owned()),
        }
    }
}
