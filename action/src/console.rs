//! The log of a step, written the way a runner reads it. The one place that writes to it.

use std::io::{self, Write};

use crate::failure::Fault;

/// Writes lines and workflow commands.
///
/// A runner takes every line that looks like a command for one, also when a host or the app has printed it. So commands
/// are stopped while text is written, and only whoever knows the token can begin them anew.
#[derive(Debug)]
pub(crate) struct Console<W: Write> {
    to: W,
    token: String,
    stopped: bool,
    in_group: bool,
}

impl Console<io::Stdout> {
    /// The log of this step.
    pub(crate) fn stdout() -> Self {
        Self::new(io::stdout(), uuid::Uuid::new_v4().simple().to_string())
    }
}

impl<W: Write> Console<W> {
    /// Writes to `to`; nobody but this value may know `token`.
    pub(crate) fn new(to: W, token: String) -> Self {
        Self {
            to,
            token,
            stopped: false,
            in_group: false,
        }
    }

    /// Writes text, whatever it says.
    pub(crate) fn text(&mut self, text: &str) {
        if !self.stopped {
            let token = self.token.clone();
            self.line(&format!("::stop-commands::{token}"));
            self.stopped = true;
        }
        for line in text.lines() {
            self.line(&inert(line));
        }
    }

    /// Begins a part of the log that can be folded; the one before it ends.
    pub(crate) fn group(&mut self, name: &str) {
        self.end_group();
        self.command(&format!("::group::{}", data(name)));
        self.in_group = true;
    }

    /// Ends the part of the log that can be folded.
    pub(crate) fn end_group(&mut self) {
        if self.in_group {
            self.command("::endgroup::");
            self.in_group = false;
        }
    }

    /// Tells of a fault where people look first: beside the run, and at the line of the file.
    pub(crate) fn error(&mut self, fault: &Fault) {
        self.end_group();
        let place = fault.spot.as_ref().map_or(String::new(), |spot| {
            let (line, column) = (spot.line, spot.column);
            format!("file={},line={line},col={column},", property(&spot.file))
        });
        let (title, text) = (property(&fault.title), data(&fault.text()));
        self.command(&format!("::error {place}title={title}::{text}"));
    }

    /// Tells of something that should be looked at and failed nothing.
    pub(crate) fn warning(&mut self, text: &str) {
        self.command(&format!("::warning title=cutover::{}", data(text)));
    }

    fn command(&mut self, command: &str) {
        if self.stopped {
            let token = self.token.clone();
            self.line(&format!("::{token}::"));
            self.stopped = false;
        }
        self.line(command);
    }

    /// A log that nobody can read stops no deployment.
    fn line(&mut self, line: &str) {
        drop(writeln!(self.to, "{line}").and_then(|()| self.to.flush()));
    }
}

/// What follows a step in the log is not ours: its commands count again.
impl<W: Write> Drop for Console<W> {
    fn drop(&mut self) {
        self.end_group();
        if self.stopped {
            let token = self.token.clone();
            self.line(&format!("::{token}::"));
        }
    }
}

/// A line that cannot steer a terminal.
fn inert(line: &str) -> String {
    line.chars()
        .map(|c| if c.is_control() && c != '\t' { '·' } else { c })
        .collect()
}

/// Text after the `::` of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// The value of a property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Spot;

    fn written(write: impl FnOnce(&mut Console<&mut Vec<u8>>)) -> String {
        let mut bytes = Vec::new();
        let mut console = Console::new(&mut bytes, "TOKEN".to_owned());
        write(&mut console);
        drop(console);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn text_cannot_give_commands_to_the_runner() {
        let log = written(|console| {
            console.group("stage");
            console.text("fine\n::set-output name=outcome::deployed\n  ::add-mask::x");
            console.text("::stop-commands::mine\r\n\u{1b}[31m##[error]red");
            console.group("switch");
            console.text("::endgroup::");
        });
        insta::assert_snapshot!(log, @r"
        ::group::stage
        ::stop-commands::TOKEN
        fine
        ::set-output name=outcome::deployed
          ::add-mask::x
        ::stop-commands::mine
        ·[31m##[error]red
        ::TOKEN::
        ::endgroup::
        ::group::switch
        ::stop-commands::TOKEN
        ::endgroup::
        ::TOKEN::
        ::endgroup::
        ");
    }

    #[test]
    fn annotations_are_escaped_and_point_to_their_line() {
        let fault = Fault {
            title: "a, b: 100%".to_owned(),
            spot: Some(Spot {
                file: "sub/cutover.toml".to_owned(),
                line: 3,
                column: 7,
            }),
            message: "50% is\r\nnot: a, number".to_owned(),
            hint: Some("Write `0.5`.\n::error::x".to_owned()),
        };
        let log = written(|console| {
            console.error(&fault);
            console.warning("a\nb");
            console.group("x\n::y");
        });
        insta::assert_snapshot!(log, @r"
        ::error file=sub/cutover.toml,line=3,col=7,title=a%2C b%3A 100%25::50%25 is%0D%0Anot: a, number%0AWrite `0.5`.%0A::error::x
        ::warning title=cutover::a%0Ab
        ::group::x%0A::y
        ::endgroup::
        ");
    }
}
