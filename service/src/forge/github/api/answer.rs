//! What an answer of GitHub's means for the one who waits for it: good, try again later, or never.

use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::forge::trouble::{Trouble, Turn, clip, seconds_between};

/// GitHub asks for at least a minute after a secondary limit that names no time.
const SECONDARY_LIMIT_PAUSE: Duration = Duration::from_mins(1);

impl Trouble {
    pub(super) fn no_answer(why: &str) -> Self {
        Self::silence("GitHub", why)
    }
}

#[derive(Deserialize)]
struct Message {
    message: String,
    #[serde(default)]
    errors: Option<serde_json::Value>,
}

/// Nothing when the call was successful, else what is to be done.
pub(super) fn judge(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<(), Trouble> {
    if status == StatusCode::ACCEPTED {
        // GitHub's way to say that it merged something instead of entering a deployment.
        return Err(Trouble::refused(
            "GitHub answered 202 and made nothing".to_owned(),
        ));
    }
    if status.is_success() {
        return Ok(());
    }
    let said = serde_json::from_slice::<Message>(body).ok();
    let mut message = format!("GitHub answered {}", status.as_u16());
    if let Some(said) = said {
        message.push_str(": ");
        message.push_str(&clip(&said.message));
        if let Some(errors) = said.errors {
            message.push(' ');
            message.push_str(&clip(&errors.to_string()));
        }
    }
    let turn = match status.as_u16() {
        403 | 429 => limited(status, headers, &message, now),
        // A token that was renewed makes it right.
        401 | 408 | 425 => Turn::Again,
        // What was moved needs a change of the settings; nothing of ours follows.
        300..500 => Turn::Never,
        _ => pause(headers, now).map_or(Turn::Again, Turn::Pause),
    };
    Err(Trouble {
        message,
        turn,
        missing: matches!(status.as_u16(), 404 | 422),
    })
}

fn limited(status: StatusCode, headers: &HeaderMap, message: &str, now: Timestamp) -> Turn {
    if let Some(pause) = pause(headers, now) {
        return Turn::Pause(pause);
    }
    if is_limit(message) || status == StatusCode::TOO_MANY_REQUESTS {
        return Turn::Pause(SECONDARY_LIMIT_PAUSE);
    }
    Turn::Never
}

fn pause(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
    if let Some(seconds) = number("retry-after") {
        return Some(seconds_between(0, seconds));
    }
    if number("x-ratelimit-remaining") == Some(0) {
        let reset = number("x-ratelimit-reset")?;
        return Some(seconds_between(now.as_second(), reset.saturating_add(1)));
    }
    None
}

/// Whether GitHub knows no such installation, or no longer.
pub(super) fn is_gone(error: &octocrab::Error) -> bool {
    let octocrab::Error::GitHub { source, .. } = error else {
        return false;
    };
    [StatusCode::NOT_FOUND, StatusCode::UNAUTHORIZED].contains(&source.status_code)
}

fn is_limit(message: &str) -> bool {
    message.to_ascii_lowercase().contains("rate limit")
}

/// An error of the client itself, before or instead of an answer: with an App, that of asking for its token. One that
/// is refused now may be given when the installation is no longer suspended.
pub(super) fn of_error(error: octocrab::Error) -> Trouble {
    match error {
        octocrab::Error::GitHub { source, .. } => {
            let message = format!(
                "GitHub answered {}: {}",
                source.status_code.as_u16(),
                clip(&source.message)
            );
            // The client keeps no headers, so a limit is known by its words only.
            let turn = match source.status_code.as_u16() {
                429 => Turn::Pause(SECONDARY_LIMIT_PAUSE),
                403 if is_limit(&message) => Turn::Pause(SECONDARY_LIMIT_PAUSE),
                401 | 403 | 408 | 425 => Turn::Again,
                300..500 => Turn::Never,
                _ => Turn::Again,
            };
            Trouble {
                message,
                turn,
                missing: false,
            }
        }
        other => {
            let mut text = other.to_string();
            let mut cause = std::error::Error::source(&other);
            while let Some(next) = cause {
                text = next.to_string();
                cause = next.source();
            }
            Trouble::no_answer(&text)
        }
    }
}

pub(in crate::forge::github) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Trouble> {
    serde_json::from_slice(body).map_err(|error| Trouble {
        message: format!(
            "GitHub's answer cannot be read, line {} column {}",
            error.line(),
            error.column()
        ),
        turn: Turn::Again,
        missing: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forge::trouble::LONGEST_PAUSE;

    fn turn(status: u16, headers: &[(&'static str, &str)], body: &str) -> Turn {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let now = Timestamp::from_second(1_000).unwrap();
        judge(
            StatusCode::from_u16(status).unwrap(),
            &map,
            body.as_bytes(),
            now,
        )
        .unwrap_err()
        .turn
    }

    #[test]
    fn a_limit_is_waited_out_as_long_as_github_says() {
        assert_eq!(
            turn(429, &[("retry-after", "7")], ""),
            Turn::Pause(Duration::from_secs(7))
        );
        let used_up = [
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1030"),
        ];
        assert_eq!(
            turn(403, &used_up, ""),
            Turn::Pause(Duration::from_secs(31))
        );
        assert_eq!(
            turn(
                403,
                &[],
                r#"{"message":"You have exceeded a secondary rate limit"}"#
            ),
            Turn::Pause(SECONDARY_LIMIT_PAUSE)
        );
        assert_eq!(
            turn(429, &[("retry-after", "99999999")], ""),
            Turn::Pause(LONGEST_PAUSE)
        );
        assert_eq!(
            turn(503, &[("retry-after", "5")], ""),
            Turn::Pause(Duration::from_secs(5))
        );
    }

    #[test]
    fn what_cannot_succeed_is_not_tried_again() {
        for status in [301, 307, 400, 403, 404, 409, 410, 422] {
            assert_eq!(turn(status, &[], "{}"), Turn::Never, "{status}");
        }
        for status in [401, 408, 500, 502, 503] {
            assert_eq!(turn(status, &[], "<html>"), Turn::Again, "{status}");
        }
        assert_eq!(turn(202, &[], r#"{"message":"Auto-merged"}"#), Turn::Never);
    }
}
