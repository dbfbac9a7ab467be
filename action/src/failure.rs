//! What ends a step before a deployment could begin.

use cutover_deploy::config;

/// Why a step did not begin: everything that is wrong, and its exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What is wrong; never empty.
    pub(crate) faults: Vec<Fault>,
    /// 2 for bad input and configuration, 1 for anything else.
    pub(crate) exit: u8,
}

/// One thing that is wrong, as an annotation tells it. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// What it is about, in a few words.
    pub(crate) title: String,
    /// Where it stands in a file of the repository.
    pub(crate) spot: Option<Spot>,
    /// What is wrong; lower case, no full stop.
    pub(crate) message: String,
    /// What to do: a sentence with what to write.
    pub(crate) hint: Option<String>,
}

/// A place in a file of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spot {
    /// Its path below the workspace.
    pub(crate) file: String,
    /// The line, from 1.
    pub(crate) line: usize,
    /// The column, from 1.
    pub(crate) column: usize,
}

impl Failure {
    /// Input that cannot be used.
    pub(crate) fn input(faults: Vec<Fault>) -> Self {
        Self { faults, exit: 2 }
    }

    /// Something that failed on the runner.
    pub(crate) fn runner(message: String) -> Self {
        let fault = Fault {
            title: "cutover".to_owned(),
            spot: None,
            message,
            hint: None,
        };
        Self {
            faults: vec![fault],
            exit: 1,
        }
    }
}

impl Fault {
    /// What is wrong at one place of a `cutover.toml`.
    pub(crate) fn config(file: &str, problem: &config::Problem) -> Self {
        let message = if problem.key.is_empty() {
            problem.message.clone()
        } else {
            format!("{}: {}", problem.key, problem.message)
        };
        Self {
            title: file.to_owned(),
            spot: Some(Spot {
                file: file.to_owned(),
                line: problem.line,
                column: problem.column,
            }),
            message,
            hint: problem.help.clone(),
        }
    }

    /// What a deployment or a check failed at.
    pub(crate) fn of(title: String, failure: &cutover_deploy::Failure) -> Self {
        Self {
            title,
            spot: None,
            message: failure.line(),
            hint: failure.hint.clone(),
        }
    }

    /// The message, and the hint on a line of its own.
    pub(crate) fn text(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{}\n{hint}", self.message),
            None => self.message.clone(),
        }
    }
}
