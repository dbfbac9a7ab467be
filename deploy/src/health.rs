//! Whether an answer of the app is the one that is wanted.

use serde_json::Value;

use crate::config::Health;
use crate::names::ReleaseId;

/// What the app answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status; 0 when there was none.
    pub status: u16,
    /// The body, at most 64 KiB of it; what `curl` said when there was no answer.
    pub body: String,
}

/// Says what is wrong with an answer, in words.
pub fn judge(health: &Health, release: &ReleaseId, answer: &Answer) -> Result<(), String> {
    if answer.status == 0 {
        return Err(format!("no answer: {}", excerpt(&answer.body)));
    }
    if answer.status != health.status {
        return Err(format!(
            "HTTP {}, not {}: {}",
            answer.status,
            health.status,
            excerpt(&answer.body)
        ));
    }
    if let Some(wanted) = health
        .contains
        .as_ref()
        .filter(|wanted| !answer.body.contains(wanted.as_str()))
    {
        return Err(format!(
            "the body does not contain {wanted:?}: {}",
            excerpt(&answer.body)
        ));
    }
    if health.json.is_empty() && health.release_field.is_none() {
        return Ok(());
    }
    let body: Value = serde_json::from_str(answer.body.trim())
        .map_err(|_| format!("the body is not JSON: {}", excerpt(&answer.body)))?;
    for (path, wanted) in &health.json {
        match field(&body, path) {
            Some(found) if found == wanted => {}
            Some(found) => return Err(format!("{path} is {found}, not {wanted}")),
            None => {
                return Err(format!(
                    "the body has no field {path}: {}",
                    excerpt(&answer.body)
                ));
            }
        }
    }
    let Some(path) = &health.release_field else {
        return Ok(());
    };
    match field(&body, path).and_then(Value::as_str) {
        Some(text) if text.contains(release.as_str()) => Ok(()),
        Some(text) => Err(format!(
            "{path} is {:?}, so release {release} does not answer",
            excerpt(text)
        )),
        None => Err(format!(
            "the body has no text {path}: {}",
            excerpt(&answer.body)
        )),
    }
}

fn field<'a>(body: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(body, |value, key| match value {
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        other => other.get(key),
    })
}

/// The beginning of a text in one line, for messages.
fn excerpt(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() {
        return "an empty body".to_owned();
    }
    match line.char_indices().nth(160) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn health() -> Health {
        Health {
            url: "http://127.0.0.1/health".into(),
            host_header: None,
            attempts: 1,
            interval: Duration::ZERO,
            timeout: Duration::from_secs(1),
            status: 200,
            contains: None,
            json: BTreeMap::from([("db.ok".into(), json!(true))]),
            release_field: Some("release".into()),
        }
    }

    fn judged(status: u16, body: &str) -> String {
        let release = ReleaseId::parse("20260520T123456Z-1a2b3c4").unwrap();
        let answer = Answer {
            status,
            body: body.to_owned(),
        };
        judge(&health(), &release, &answer)
            .err()
            .unwrap_or_else(|| "healthy".to_owned())
    }

    #[test]
    fn only_the_wanted_answer_of_the_wanted_release_is_healthy() {
        let good = r#"{"db":{"ok":true},"release":"/srv/app/releases/20260520T123456Z-1a2b3c4"}"#;
        insta::assert_snapshot!([
            judged(200, good),
            judged(500, "  Whoops\n looks like something went wrong "),
            judged(0, "curl: (7) Failed to connect"),
            judged(200, ""),
            judged(200, "<html>"),
            judged(200, r#"{"db":{"ok":false},"release":"x"}"#),
            judged(200, r#"{"release":"x"}"#),
            judged(200, &good.replace("123456Z", "111111Z")),
            judged(200, r#"{"db":{"ok":true},"release":7}"#),
        ].join("\n"), @r#"
        healthy
        HTTP 500, not 200: Whoops looks like something went wrong
        no answer: curl: (7) Failed to connect
        the body is not JSON: an empty body
        the body is not JSON: <html>
        db.ok is false, not true
        the body has no field db.ok: {"release":"x"}
        release is "/srv/app/releases/20260520T111111Z-1a2b3c4", so release 20260520T123456Z-1a2b3c4 does not answer
        the body has no text release: {"db":{"ok":true},"release":7}
        "#);
    }
}
