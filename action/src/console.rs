//! The log of a step, written the way a runner reads it. The one place that writes to it.

use std::io::{self, Write};

use crate::failure::Fault;
use crate::inputs::Ci;

/// Writes lines, parts that can be folded, and what went wrong.
///
/// A runner takes every line that looks like a command for one, also when a host or the app has printed it. GitHub's is
/// told to take none while text is written, and only whoever knows the token can begin them anew; GitLab's needs
/// control characters for it, which no text keeps.
#[derive(Debug)]
pub(crate) struct Console<W: Write> {
    to: W,
    dialect: Dialect,
    part: Option<String>,
}

/// How a runner wants to be told.
#[derive(Debug)]
pub(crate) enum Dialect {
    /// By workflow commands.
    GitHub {
        /// Nobody but the console may know it.
        token: String,
        /// Whether commands are stopped now.
        stopped: bool,
    },
    /// By marks in the text, and colours.
    GitLab {
        /// The seconds since 1970, which every mark has.
        now: fn() -> i64,
        /// How many parts there were.
        parts: u32,
    },
}

/// Shorter words than this are everywhere in a log.
const LEAST_MASKED: usize = 16;

const RED: &str = "\u{1b}[31;1m";
const YELLOW: &str = "\u{1b}[33;1m";
const PLAIN: &str = "\u{1b}[0m";
/// What GitLab wants around its marks: they vanish from where they are shown as text.
const ERASED: &str = "\u{1b}[0K";

impl Console<io::Stdout> {
    /// The log of this step.
    pub(crate) fn stdout(ci: Ci) -> Self {
        let dialect = match ci {
            Ci::GitHub => Dialect::GitHub {
                token: uuid::Uuid::new_v4().simple().to_string(),
                stopped: false,
            },
            Ci::GitLab => Dialect::GitLab {
                now: || cutover_deploy::now().as_second(),
                parts: 0,
            },
        };
        Self::new(io::stdout(), dialect)
    }
}

impl<W: Write> Console<W> {
    /// Writes to `to`.
    pub(crate) fn new(to: W, dialect: Dialect) -> Self {
        Self {
            to,
            dialect,
            part: None,
        }
    }

    /// Writes text, whatever it says.
    pub(crate) fn text(&mut self, text: &str) {
        if let Dialect::GitHub { token, stopped } = &mut self.dialect
            && !*stopped
        {
            *stopped = true;
            let command = format!("::stop-commands::{token}");
            self.line(&command);
        }
        for line in text.lines() {
            let line = inert(line);
            // The older way to write a command, which colours and folds lines also while commands are stopped.
            let line = match &self.dialect {
                Dialect::GitHub { .. } => line.replace("##[", "##·["),
                Dialect::GitLab { .. } => line,
            };
            self.line(&line);
        }
    }

    /// Begins a part of the log that can be folded; the one before it ends.
    pub(crate) fn group(&mut self, name: &str) {
        self.end_group();
        let part = match &mut self.dialect {
            Dialect::GitHub { .. } => {
                self.command(&format!("::group::{}", data(name)));
                String::new()
            }
            Dialect::GitLab { now, parts } => {
                *parts += 1;
                let part = format!("cutover_{parts}_{}", plain(name));
                let mark = format!("section_start:{}:{part}\r", now());
                self.line(&format!("{ERASED}{mark}{ERASED}{}", inert(name)));
                part
            }
        };
        self.part = Some(part);
    }

    /// Ends the part of the log that can be folded.
    pub(crate) fn end_group(&mut self) {
        let Some(part) = self.part.take() else { return };
        match &self.dialect {
            Dialect::GitHub { .. } => self.command("::endgroup::"),
            Dialect::GitLab { now, .. } => {
                let mark = format!("section_end:{}:{part}\r", now());
                self.line(&format!("{ERASED}{mark}{ERASED}"));
            }
        }
    }

    /// Tells of a fault where people look first: beside the run, and at the line of the file.
    pub(crate) fn error(&mut self, fault: &Fault) {
        self.end_group();
        match &self.dialect {
            Dialect::GitHub { .. } => {
                let place = fault.spot.as_ref().map_or(String::new(), |spot| {
                    let (line, column) = (spot.line, spot.column);
                    format!("file={},line={line},col={column},", property(&spot.file))
                });
                let (title, text) = (property(&fault.title), data(&fault.text()));
                self.command(&format!("::error {place}title={title}::{text}"));
            }
            Dialect::GitLab { .. } => {
                let place = fault.spot.as_ref().map_or_else(
                    || fault.title.clone(),
                    |spot| format!("{}:{}:{}", spot.file, spot.line, spot.column),
                );
                self.coloured(RED, &format!("error: {place}: {}", fault.text()));
            }
        }
    }

    /// Has GitHub's runner show `***` wherever this secret is printed from now on, by whomever. It takes the words itself
    /// and shows none of them; GitLab masks its variables without being told.
    pub(crate) fn mask(&mut self, secret: &str) {
        if let Dialect::GitHub { .. } = self.dialect {
            let lines = secret.lines().filter(|line| line.len() >= LEAST_MASKED);
            for line in lines.filter(|line| !line.starts_with("-----")) {
                self.command(&format!("::add-mask::{}", data(line)));
            }
        }
    }

    /// Tells of something that should be looked at and failed nothing.
    pub(crate) fn warning(&mut self, text: &str) {
        match &self.dialect {
            Dialect::GitHub { .. } => {
                self.command(&format!("::warning title=cutover::{}", data(text)));
            }
            Dialect::GitLab { .. } => self.coloured(YELLOW, &format!("warning: {text}")),
        }
    }

    fn coloured(&mut self, colour: &str, text: &str) {
        for line in text.lines() {
            self.line(&format!("{colour}{}{PLAIN}", inert(line)));
        }
    }

    fn command(&mut self, command: &str) {
        self.resume();
        self.line(command);
    }

    /// GitHub's runner takes commands again.
    fn resume(&mut self) {
        if let Dialect::GitHub { token, stopped } = &mut self.dialect
            && *stopped
        {
            *stopped = false;
            let command = format!("::{token}::");
            self.line(&command);
        }
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
        self.resume();
    }
}

/// A name as GitLab's marks may have it.
fn plain(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    name.chars().map(plain).collect()
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
        let token = "TOKEN".to_owned();
        let stopped = false;
        let mut console = Console::new(&mut bytes, Dialect::GitHub { token, stopped });
        write(&mut console);
        drop(console);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn gitlab_gets_parts_and_colours_and_text_can_make_neither() {
        let mut bytes = Vec::new();
        let now: fn() -> i64 = || 1_700_000_000;
        let mut console = Console::new(&mut bytes, Dialect::GitLab { now, parts: 0 });
        console.group("stage");
        console.text("fine\n\u{1b}[0Ksection_end:1:cutover_1_stage\r\u{1b}[0K\n::error::x");
        console.group("mark: live");
        console.warning("a\nb");
        console.error(&Fault {
            title: "production: rolled back".to_owned(),
            spot: None,
            message: "health: HTTP 500 \u{1b}[32m".to_owned(),
            hint: Some("Look at the log.".to_owned()),
        });
        drop(console);
        let log = String::from_utf8(bytes).unwrap();
        let log = log.replace('\u{1b}', "ESC").replace('\r', "CR");
        insta::assert_snapshot!(log, @"
        ESC[0Ksection_start:1700000000:cutover_1_stageCRESC[0Kstage
        fine
        ·[0Ksection_end:1:cutover_1_stage··[0K
        ::error::x
        ESC[0Ksection_end:1700000000:cutover_1_stageCRESC[0K
        ESC[0Ksection_start:1700000000:cutover_2_mark__liveCRESC[0Kmark: live
        ESC[33;1mwarning: aESC[0m
        ESC[33;1mbESC[0m
        ESC[0Ksection_end:1700000000:cutover_2_mark__liveCRESC[0K
        ESC[31;1merror: production: rolled back: health: HTTP 500 ·[32mESC[0m
        ESC[31;1mLook at the log.ESC[0m
        ");
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
        ·[31m##·[error]red
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
