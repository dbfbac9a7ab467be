//! What is wrong in a `cutover.toml`: every problem, where it stands, and what to write instead.

use std::fmt;

/// How many problems are shown; a file with more of them is hardly a `cutover.toml`.
const SHOWN: usize = 50;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// The place as a path of keys: `environments.production.hosts[0].address`. Empty where the file is no TOML.
    pub key: String,
    /// What is wrong; lower case, no full stop.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

/// Everything that is wrong in one file, in the order of its lines. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    /// The file as it was named by the caller.
    pub file: String,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

impl std::error::Error for Problems {}

/// Each problem begins with `file:line:column`, which editors and terminals make a link of.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in self.problems.iter().take(SHOWN) {
            writeln!(f, "{}:{problem}", self.file)?;
        }
        match self.problems.len() {
            1 => write!(f, "1 problem in {}", self.file),
            many if many > SHOWN => write!(
                f,
                "{many} problems in {}, the first {SHOWN} are shown",
                self.file
            ),
            many => write!(f, "{many} problems in {}", self.file),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}
