//! How values read on a page.

use jiff::Timestamp;
use minijinja::value::Value;
use minijinja::{Error, Output, State};

/// `12 ms`, `1.2 s`, `2 min 5 s`.
pub(super) fn took(ms: f64) -> String {
    if ms < 1_000.0 {
        format!("{ms:.0} ms")
    } else if ms < 60_000.0 {
        format!("{:.1} s", ms / 1_000.0)
    } else {
        let (minutes, seconds) = ((ms / 60_000.0).floor(), (ms / 1_000.0) % 60.0);
        format!("{minutes:.0} min {seconds:.0} s")
    }
}

/// `2026-05-20 12:34:56 UTC`.
pub(super) fn moment(at: &str) -> String {
    at.parse::<Timestamp>().map_or_else(
        |_| at.to_owned(),
        |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}

/// `2026-05-20T12:34:56Z`, as machines read it in a page.
pub(super) fn stamp(at: &str) -> String {
    at.parse::<Timestamp>().map_or_else(
        |_| at.to_owned(),
        |at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    )
}

/// How long before or after `now` it is: `just now`, `5 min ago`, `in 3 days`.
pub(super) fn ago(at: &str, now: Timestamp) -> String {
    let Ok(at) = at.parse::<Timestamp>() else {
        return String::new();
    };
    let seconds = (now - at).get_seconds();
    let size = seconds.unsigned_abs();
    if size < 60 {
        let said = if seconds >= 0 {
            "just now"
        } else {
            "in a moment"
        };
        return said.to_owned();
    }
    let (length, unit) = match size {
        60..3_600 => (60, "min"),
        3_600..86_400 => (3_600, "hour"),
        _ => (86_400, "day"),
    };
    // What was set to end in two hours does not end "in 1 hour" a second later.
    let whole = if seconds >= 0 {
        size
    } else {
        size + length / 2
    };
    let count = whole / length;
    let plural = if count == 1 || unit == "min" { "" } else { "s" };
    if seconds >= 0 {
        format!("{count} {unit}{plural} ago")
    } else {
        format!("in {count} {unit}{plural}")
    }
}

/// The text without escape sequences, and with a mark in place of every character that would show as something else:
/// control characters, and those that turn the direction of what follows.
pub(super) fn plain(text: &str) -> String {
    let tricks = |c: char| {
        (c.is_control() && !matches!(c, '\n' | '\t'))
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}')
    };
    anstream::adapter::strip_str(text)
        .to_string()
        .chars()
        .map(|c| if tricks(c) { '\u{fffd}' } else { c })
        .collect()
}

/// Writes a value into a page: every text made plain, then escaped.
pub(super) fn write(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), Error> {
    match value.as_str() {
        Some(text) if !value.is_safe() => {
            minijinja::escape_formatter(out, state, &Value::from(plain(text)))
        }
        _ => minijinja::escape_formatter(out, state, value),
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn times_read_well() {
        assert_eq!(
            [took(12.0), took(1_234.0), took(125_000.0)],
            ["12 ms", "1.2 s", "2 min 5 s"]
        );
        assert_eq!(
            moment("2026-05-20T12:34:56.789Z"),
            "2026-05-20 12:34:56 UTC"
        );
        assert_eq!(stamp("2026-05-20T12:34:56.789Z"), "2026-05-20T12:34:56Z");
        let at = "2026-05-20T12:34:56Z";
        let now: Timestamp = at.parse().unwrap();
        let said = [
            0, 59, 60, 3_599, 3_600, 7_200, 86_400, 800_000, -30, -90, -7_199, -86_400,
        ]
        .map(|later| ago(at, now + SignedDuration::from_secs(later)));
        assert_eq!(
            said,
            [
                "just now",
                "just now",
                "1 min ago",
                "59 min ago",
                "1 hour ago",
                "2 hours ago",
                "1 day ago",
                "9 days ago",
                "in a moment",
                "in 2 min",
                "in 2 hours",
                "in 1 day"
            ]
        );
    }

    #[test]
    fn nothing_shows_as_something_else() {
        assert_eq!(plain("\u{1b}[31mred\u{1b}[0m\ttab\nline"), "red\ttab\nline");
        assert_eq!(plain("\u{1b}]8;;https://evil.example\u{7}text"), "text");
        assert_eq!(
            plain("safe\u{202e}cod.exe\u{85}"),
            "safe\u{fffd}cod.exe\u{fffd}"
        );
    }
}
