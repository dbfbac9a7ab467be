//! The one place that writes to the terminal.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use cutover_deploy::config::{Problem, Problems};
use cutover_deploy::{Event, Failure};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;

/// What ends a command before it did its work.
#[derive(Debug)]
pub(super) struct Trouble {
    message: String,
    hint: Option<String>,
    file: Option<Problems>,
    exit: u8,
}

impl Trouble {
    /// Input or configuration that cannot be used: exit code 2.
    pub(super) fn input(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
            file: None,
            exit: 2,
        }
    }

    /// A `cutover.toml` that cannot be used: exit code 2.
    pub(super) fn file(problems: Problems) -> Self {
        let message = problems.to_string();
        Self {
            file: Some(problems),
            ..Self::input(message)
        }
    }

    /// Something that failed: exit code 1.
    pub(super) fn failed(failure: &Failure) -> Self {
        Self {
            message: failure.line(),
            hint: failure.hint.clone(),
            file: None,
            exit: 1,
        }
    }

    /// The same with what to do about it.
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// All that is wrong, for machines: each problem of a file with its place.
    pub(super) fn problems(&self) -> Vec<Value> {
        let Some(Problems { file, problems }) = &self.file else {
            return vec![json!({ "message": self.message, "hint": self.hint })];
        };
        let told = |problem: &Problem| {
            json!({
                "file": file,
                "line": problem.line,
                "column": problem.column,
                "key": problem.key,
                "message": problem.message,
                "hint": problem.help,
            })
        };
        problems.iter().map(told).collect()
    }
}

/// Tells what ended a command, and gives its exit code.
pub(super) fn conclude(ended: Result<u8, Trouble>) -> ExitCode {
    match ended {
        Ok(code) => ExitCode::from(code),
        Err(trouble) => {
            say(&format!("error: {}", trouble.message));
            if let Some(hint) = trouble.hint {
                say(&format!("  {hint}"));
            }
            ExitCode::from(trouble.exit)
        }
    }
}

/// A failure, and below it what to do about it.
pub(super) fn with_hint(failure: &Failure) -> String {
    let hint = failure
        .hint
        .as_ref()
        .map(|hint| format!("\n    {hint}"))
        .unwrap_or_default();
    format!("{}{hint}", failure.line())
}

/// Prints a text.
pub(super) fn print(text: &str) {
    write_on(io::stdout(), &printable(text));
}

/// Prints a text that is of no use in part. Whoever has stopped to read wants no more of it; a full disk is told.
pub(super) fn print_whole(text: &str) -> Result<(), Trouble> {
    match write(io::stdout(), &printable(text)) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Trouble {
            message: format!("cannot print all of it: {error}"),
            hint: None,
            file: None,
            exit: 1,
        }),
        _ => Ok(()),
    }
}

/// Prints a value as JSON.
pub(super) fn print_json(value: &impl Serialize) {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    write_on(io::stdout(), &text);
}

/// Says something to the person who waits, beside the output.
pub(super) fn say(text: &str) {
    write_on(io::stderr(), &printable(text));
}

/// Shows a deployment as it runs.
#[derive(Debug)]
pub(super) struct Show {
    began: Instant,
    json: bool,
}

impl Show {
    pub(super) fn new(json: bool) -> Self {
        Self {
            began: Instant::now(),
            json,
        }
    }

    /// Shows one event: a JSON line, or text with the time since the beginning.
    pub(super) fn event(&self, event: &Event) {
        if self.json {
            let event = serde_json::to_string(event).unwrap_or_default();
            return write_on(io::stdout(), &event);
        }
        // The end of a step names it again; only long ones need their beginning told, and output does that.
        if let Event::StepBegan { .. } = event {
            return;
        }
        let at = self.began.elapsed();
        for line in event.to_string().lines() {
            let (seconds, tenths) = (at.as_secs(), at.subsec_millis() / 100);
            let line = format!("{seconds:>4}.{tenths}  {}", printable(line));
            write_on(io::stdout(), &line);
        }
    }
}

/// Writes a line, or goes on without: what nobody reads stops no deployment.
fn write_on(to: impl Write, line: &str) {
    drop(write(to, line));
}

fn write(mut to: impl Write, line: &str) -> io::Result<()> {
    writeln!(to, "{line}")?;
    to.flush()
}

/// A text whose lines cannot steer the terminal: parts of it may come from a host.
fn printable(text: &str) -> String {
    let harmless = |c: char| !c.is_control() || c == '\t' || c == '\n';
    text.chars()
        .map(|c| if harmless(c) { c } else { '·' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_host_says_cannot_steer_the_terminal() {
        assert_eq!(
            printable("web1\n\tis \u{1b}[2Jgone\r\u{9b}1A\n"),
            "web1\n\tis ·[2Jgone··1A\n"
        );
    }
}
