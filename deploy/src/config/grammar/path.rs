//! Paths on hosts and in releases. What gets through is one path, as it is: no way up, no second line, no hole.

use super::super::document::quoted;
use super::super::findings::Fault;

/// Linux's own limit, less what cutover appends.
const PATH_LIMIT_BYTES: usize = 3800;

/// Reads the folder of an environment.
pub(in super::super) fn absolute_path(text: &str) -> Result<String, Fault> {
    let wrong = |why: &str, help: &str| Err(Fault::new(format!("{} {why}", quoted(text)), help));
    if text == "/" {
        return wrong(
            "is the root of the host",
            "give the app a folder of its own: `\"/srv/shop\"`",
        );
    }
    if text.starts_with('~') {
        return wrong(
            "is not absolute",
            "write the home folder out: `\"/home/deploy/shop\"`",
        );
    }
    let Some(rest) = text.strip_prefix('/') else {
        return wrong("is not absolute", "begin with `/`: `\"/srv/shop\"`");
    };
    segments(text, rest)
}

/// Reads a path within a release.
pub(in super::super) fn relative_path(text: &str) -> Result<String, Fault> {
    let wrong = |why: &str, help: &str| Err(Fault::new(format!("{} {why}", quoted(text)), help));
    if text.is_empty() {
        return Err(Fault::new(
            "the path is empty",
            "write a path below the release: `\"storage\"`",
        ));
    }
    if text.starts_with('/') {
        return wrong(
            "is absolute",
            "write it from the folder of the release on: `\"storage/app\"`",
        );
    }
    if text.starts_with('-') {
        return wrong(
            "begins with a dash, which programs take for an option",
            "rename the file",
        );
    }
    segments(text, text)
}

/// Reads a path that is left out of a release: like a relative one, and no pattern.
pub(in super::super) fn excluded_path(text: &str) -> Result<String, Fault> {
    if text.contains(['*', '?', '[', '!']) {
        let message = format!("{} is a pattern", quoted(text));
        return Err(Fault::new(
            message,
            "write names or paths, one by one; patterns are not read here",
        ));
    }
    relative_path(text)
}

fn segments(text: &str, rest: &str) -> Result<String, Fault> {
    let wrong = |why: &str, help: &str| Err(Fault::new(format!("{} {why}", quoted(text)), help));
    if text.contains(char::is_control) {
        return wrong(
            "contains a control character",
            "write a path of printable characters, on one line",
        );
    }
    if text.len() > PATH_LIMIT_BYTES {
        return wrong("is too long", "write a shorter path");
    }
    if rest.ends_with('/') {
        let bare = text.trim_end_matches('/');
        return wrong("ends with a slash", &format!("write {}", quoted(bare)));
    }
    match rest
        .split('/')
        .find(|segment| matches!(*segment, "" | "." | ".."))
    {
        Some("..") => wrong("contains `..`", "write the path without going up"),
        Some(".") => wrong("contains `.`", "leave the `.` out"),
        Some(_) => wrong("contains `//`", "write single slashes"),
        None => Ok(text.to_owned()),
    }
}
