//! What an answer of GitLab's means for the one who waits for it: good, try again later, or never.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::forge::trouble::{Trouble, Turn, clip, seconds_between};

/// A limit that names no time.
const LIMIT_PAUSE: Duration = Duration::from_mins(1);
/// How GitLab's state machines begin to say that something is there already, or further on.
const NO_WAY: &str = "cannot transition";

#[derive(Deserialize)]
struct Said {
    #[serde(alias = "error")]
    message: Value,
    #[serde(default)]
    error_description: Option<String>,
}

/// Nothing when the call was successful, else what is to be done.
pub(super) fn judge(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<(), Trouble> {
    if status.is_success() {
        return Ok(());
    }
    let mut message = format!("GitLab answered {}", status.as_u16());
    if let Ok(said) = serde_json::from_slice::<Said>(body) {
        let words = said.message.as_str().map(str::to_owned);
        let words = words.unwrap_or_else(|| said.message.to_string());
        for words in [Some(words), said.error_description].iter().flatten() {
            message.push_str(": ");
            message.push_str(&clip(words));
        }
    }
    let asked = pause(headers, now);
    let turn = match status.as_u16() {
        429 => Turn::Pause(asked.unwrap_or(LIMIT_PAUSE)),
        // A token that was renewed makes it right; 409 is somebody else's update of the same commit.
        401 | 408 | 409 | 425 => Turn::Again,
        300..500 => Turn::Never,
        _ => asked.map_or(Turn::Again, Turn::Pause),
    };
    Err(Trouble {
        message,
        turn,
        missing: status == StatusCode::NOT_FOUND,
    })
}

fn pause(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
    if let Some(seconds) = number("retry-after") {
        return Some(seconds_between(0, seconds));
    }
    let used_up = number("ratelimit-remaining") == Some(0);
    let reset = number("ratelimit-reset").filter(|_| used_up)?;
    Some(seconds_between(now.as_second(), reset.saturating_add(1)))
}

/// Takes GitLab's refusal to move something to where it is, or was, for success: only the answer before was lost, or
/// the service began anew.
pub(super) fn unless_there(answered: Result<Vec<u8>, Trouble>) -> Result<(), Trouble> {
    match answered {
        Err(trouble)
            if trouble.message.starts_with("GitLab answered 400")
                && trouble.message.to_ascii_lowercase().contains(NO_WAY) =>
        {
            Ok(())
        }
        other => other.map(drop),
    }
}

/// An error of the client itself, before or instead of an answer. Addresses stay out of it.
pub(super) fn of_error(error: &reqwest::Error) -> Trouble {
    if error.is_timeout() {
        return Trouble::silence("GitLab", "timed out");
    }
    let mut text = "the connection failed".to_owned();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text = next.to_string();
        cause = next.source();
    }
    Trouble::silence("GitLab", &text)
}

pub(in crate::forge::gitlab) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Trouble> {
    serde_json::from_slice(body).map_err(|error| Trouble {
        message: format!(
            "GitLab's answer cannot be read, line {} column {}",
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

    fn judged(status: u16, headers: &[(&'static str, &str)], body: &str) -> Result<(), Trouble> {
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
    }

    fn turn(status: u16, headers: &[(&'static str, &str)]) -> Turn {
        judged(status, headers, "<html>").unwrap_err().turn
    }

    #[test]
    fn a_limit_is_waited_out_as_long_as_gitlab_says() {
        let seconds = |n| Turn::Pause(Duration::from_secs(n));
        assert_eq!(turn(429, &[("retry-after", "7")]), seconds(7));
        let used_up = [("ratelimit-remaining", "0"), ("ratelimit-reset", "1030")];
        assert_eq!(turn(429, &used_up), seconds(31));
        assert_eq!(turn(429, &[]), seconds(60));
        assert_eq!(turn(429, &[("retry-after", "99999999")]), seconds(3600));
        assert_eq!(turn(503, &[("retry-after", "5")]), seconds(5));
    }

    #[test]
    fn what_cannot_succeed_is_not_tried_again() {
        for status in [301, 400, 403, 404, 410, 422] {
            assert_eq!(turn(status, &[]), Turn::Never, "{status}");
        }
        for status in [401, 408, 409, 500, 502, 503] {
            assert_eq!(turn(status, &[]), Turn::Again, "{status}");
        }
        assert_eq!(judged(202, &[], ""), Ok(()));
    }

    #[test]
    fn what_is_there_already_is_as_good_as_made() {
        let said = |status, body| unless_there(judged(status, &[], body).map(|()| Vec::new()));
        let twice =
            r#"{"message":"Cannot transition status via :run from :running (Reason(s): …)"}"#;
        assert_eq!(said(400, twice), Ok(()));
        assert_eq!(
            said(
                400,
                r#"{"message":{"status":["cannot transition via \"succeed\""]}}"#
            ),
            Ok(())
        );
        let trouble = said(400, r#"{"error":"ref is missing"}"#).unwrap_err();
        assert_eq!(trouble.message, "GitLab answered 400: ref is missing");
        assert!(said(500, twice).is_err());
    }
}
