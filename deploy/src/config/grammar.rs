//! The texts in a file that have a grammar of their own. Pure: a text comes in, a value or its fault goes out.

use super::document::quoted;
use super::findings::Fault;

mod address;
mod path;
mod repository;
mod time;
mod url;

pub(super) use address::{address, host_header, pool};
pub(super) use path::{absolute_path, excluded_path, relative_path};
pub(super) use repository::{branch, repository};
pub(super) use time::{Range, duration, spelled};
pub(super) use url::{request_path, url};

/// The longest shell line. Longer ones belong into a script of the repository.
const LINE_LIMIT_BYTES: usize = 16 * 1024;

/// Reads a shell line of the user's own: anything that can be handed to a shell as one argument.
pub(super) fn shell_line(text: &str) -> Result<String, Fault> {
    if text.trim().is_empty() {
        return Err(Fault::new(
            "the step is empty",
            "write a shell line, or take the entry out",
        ));
    }
    if let Some(control) = text
        .chars()
        .find(|c| c.is_control() && !matches!(c, '\n' | '\t'))
    {
        let message = format!(
            "the step contains the control character {}",
            quoted(&control.to_string())
        );
        return Err(Fault::new(
            message,
            "take it out; lines are ended by a line feed alone",
        ));
    }
    if text.len() > LINE_LIMIT_BYTES {
        let message = format!(
            "the step has {} bytes, more than {LINE_LIMIT_BYTES}",
            text.len()
        );
        return Err(Fault::new(
            message,
            "put it into a script of the repository and call that",
        ));
    }
    Ok(text.to_owned())
}

/// Reads the name of a variable for build steps.
pub(super) fn variable(text: &str) -> Result<String, Fault> {
    let head = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !head || !text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        let message = format!("{} is not the name of a variable", quoted(text));
        return Err(Fault::new(
            message,
            "write A-Z, a-z, 0-9 and `_`, not beginning with a digit: `APP_ENV`",
        ));
    }
    if text.starts_with("CUTOVER_") {
        return Err(Fault::new(
            "names that begin with `CUTOVER_` are cutover's own",
            "choose another name",
        ));
    }
    Ok(text.to_owned())
}

/// Reads the name of a supervisor group or a systemd unit. Neither `*` nor `:` nor a leading dash gets through, which
/// would mean more than one name to the programs they are handed to.
pub(super) fn process_name(what: &str, text: &str, example: &str) -> Result<String, Fault> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
    if text.len() > 200
        || !text.chars().all(allowed)
        || !text.starts_with(|c: char| c.is_ascii_alphanumeric())
    {
        let message = format!("{} is not the name of {what}", quoted(text));
        let help = format!(
            "write the bare name, of letters, digits, `.`, `_`, `-` and `@`: `\"{example}\"`"
        );
        return Err(Fault::new(message, help));
    }
    Ok(text.to_owned())
}

/// Reads a text that is handed on as a line: neither empty nor more than one.
pub(super) fn one_line(text: &str) -> Result<String, Fault> {
    if text.trim().is_empty() || text.contains(char::is_control) {
        let message = format!("{} is no line", quoted(text));
        let help = "write one line, or call a script of yours in it";
        return Err(Fault::new(message, help));
    }
    Ok(text.to_owned())
}

/// Reads the dotted path of a field in a JSON body.
pub(super) fn field_path(text: &str) -> Result<String, Fault> {
    if text.split('.').any(str::is_empty) || text.contains(char::is_control) {
        let message = format!("{} is not the path of a JSON field", quoted(text));
        return Err(Fault::new(
            message,
            "write the names on the way to the field with dots between: `\"database.ok\"`",
        ));
    }
    Ok(text.to_owned())
}

/// Reads what an alarm is called in output.
pub(super) fn alarm_name(text: &str) -> Result<String, Fault> {
    let allowed = |c: char| c.is_alphanumeric() || " ._-".contains(c);
    if text.trim() != text || text.is_empty() || text.len() > 60 || !text.chars().all(allowed) {
        let message = format!("{} is not a name", quoted(text));
        let help = "write at most 60 letters, digits, spaces, `.`, `_` and `-`";
        return Err(Fault::new(message, help));
    }
    Ok(text.to_owned())
}

/// Reads a query of Prometheus, which alone can judge it.
pub(super) fn query(text: &str) -> Result<String, Fault> {
    let odd = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if text.trim().is_empty() || text.contains(odd) {
        let message = format!("{} is not a query", quoted(text));
        return Err(Fault::new(message, "write what Prometheus takes"));
    }
    Ok(text.to_owned())
}

/// Reads the variable that holds a token. Whoever may change the file could have any variable of a door sent anywhere, so
/// none is but those that were made for it.
pub(super) fn token_variable(text: &str) -> Result<String, Fault> {
    let name = variable(text)?;
    if name.starts_with("PROMETHEUS_") {
        return Ok(name);
    }
    let message = format!("{} may not be sent anywhere", quoted(text));
    let help = "name a variable that begins with `PROMETHEUS_`: `PROMETHEUS_TOKEN`";
    Err(Fault::new(message, help))
}

/// Reads the name of a header.
pub(super) fn header_name(text: &str) -> Result<String, Fault> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if text.is_empty() || !text.chars().all(allowed) {
        let message = format!("{} is not the name of a header", quoted(text));
        return Err(Fault::new(message, "write the bare name: `X-Release`"));
    }
    Ok(text.to_owned())
}

/// Reads a text that must appear in an answer.
pub(super) fn wanted_text(text: &str) -> Result<String, Fault> {
    if text.is_empty() {
        return Err(Fault::new(
            "everything contains the empty text",
            "write what only a good answer contains",
        ));
    }
    Ok(text.to_owned())
}
