//! The file as TOML, before it means anything: values and where each of them stands.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::place::{Place, Segment};
use super::problem::Problem;

/// The longest file that is read. Real ones have a few kilobytes.
const SIZE_LIMIT_BYTES: usize = 256 * 1024;

/// What the TOML parser says about a key that is given twice.
const DUPLICATE: &str = "duplicate key";

/// A file that was read as TOML.
pub(super) struct Document<'t> {
    /// The whole file as one table.
    pub(super) root: Spanned<DeValue<'t>>,
    text: Text<'t>,
}

/// Whether a key or its value is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spot {
    Key,
    Value,
}

impl<'t> Document<'t> {
    /// Reads TOML. Keys that are given twice are told and the first one is gone on with; after any other fault of
    /// the syntax there is nothing to go on with.
    pub(super) fn parse(text: &'t str) -> (Option<Self>, Vec<Problem>) {
        if text.len() > SIZE_LIMIT_BYTES {
            return (None, vec![too_long(text)]);
        }
        let (root, errors) = DeTable::parse_recoverable(text);
        let text = Text::new(text);
        let only_duplicates = errors.iter().all(|error| error.message() == DUPLICATE);
        let mut problems: Vec<Problem> = errors.iter().map(|error| text.problem(error)).collect();
        if !only_duplicates {
            // One slip makes the parser stumble over the rest of its line too; the first word about a line counts.
            problems.sort_by_key(|problem| (problem.line, problem.column));
            problems.dedup_by_key(|problem| problem.line);
            return (None, problems);
        }
        let root = Spanned::new(root.span(), DeValue::Table(root.into_inner()));
        (Some(Self { root, text }), problems)
    }

    /// Line and column of `place`, or of the innermost thing on the way to it that is in the file.
    pub(super) fn position(&self, place: &Place, spot: Spot) -> (usize, usize) {
        let mut value = &self.root;
        let mut key = value.span();
        for segment in place.segments() {
            let next = match (segment, value.get_ref()) {
                (Segment::Key(name), DeValue::Table(table)) => {
                    table.get_key_value(name.as_str()).map(|(name, value)| {
                        key = name.span();
                        value
                    })
                }
                (Segment::Index(index), DeValue::Array(array)) => array.get(*index),
                _ => None,
            };
            match next {
                Some(next) => value = next,
                None => return self.text.position(value.span().start),
            }
        }
        match spot {
            Spot::Key => self.text.position(key.start),
            Spot::Value => self.text.position(value.span().start),
        }
    }
}

/// Text that knows where its lines begin.
struct Text<'t> {
    text: &'t str,
    lines: Vec<usize>,
}

impl<'t> Text<'t> {
    fn new(text: &'t str) -> Self {
        let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            text,
            lines: std::iter::once(0).chain(breaks).collect(),
        }
    }

    fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = self.lines[line - 1];
        let before = self.text.get(start..offset).unwrap_or_default();
        (line, before.chars().count() + 1)
    }

    fn problem(&self, error: &toml::de::Error) -> Problem {
        let span = error.span().unwrap_or_default();
        let (line, column) = self.position(span.start);
        let (message, help) = self.explain(error.message(), span);
        Problem {
            line,
            column,
            key: String::new(),
            message,
            help: Some(help),
        }
    }

    fn explain(&self, message: &str, span: Range<usize>) -> (String, String) {
        if message == DUPLICATE {
            let key = self.text.get(span).unwrap_or_default().trim();
            let message = format!("{} is given twice", quoted(key));
            return (
                message,
                "keep one of the two; a table may be opened only once".to_owned(),
            );
        }
        let help = "each line is `key = value` or `[table]`, and text stands in quotes: `branch = \"main\"`";
        (message.to_owned(), help.to_owned())
    }
}

fn too_long(text: &str) -> Problem {
    Problem {
        line: 1,
        column: 1,
        key: String::new(),
        message: format!(
            "the file has {} bytes, more than the {SIZE_LIMIT_BYTES} that are read",
            text.len()
        ),
        help: Some("move long scripts into the repository and call them from a step".to_owned()),
    }
}

/// Foreign text between backticks, shortened, with everything unprintable escaped and without passwords of URLs.
pub(super) fn quoted(text: &str) -> String {
    if text.is_empty() {
        return "`\"\"`".to_owned();
    }
    let text = without_password(text);
    let short: String = text.chars().take(60).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    let escaped = short
        .escape_debug()
        .to_string()
        .replace("\\\"", "\"")
        .replace("\\'", "'");
    format!("`{escaped}{more}`")
}

fn without_password(text: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Cow::Borrowed(text);
    };
    match rest.rsplit_once('@') {
        // A login name for ssh is no secret; before the `@` of a web address stands a password or a token.
        Some((user, _)) if scheme == "ssh" && !user.contains(':') => Cow::Borrowed(text),
        Some((_, host)) => Cow::Owned(format!("{scheme}://…@{host}")),
        None => Cow::Borrowed(text),
    }
}
