//! Whether an answer of the app is the one that is wanted.

use serde_json::Value;

use crate::config::Health;
use crate::names::ReleaseId;
use crate::text::plain;

/// What the app answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status; 0 when there was none.
    pub status: u16,
    /// Its headers, as they came.
    pub headers: Vec<(String, String)>,
    /// The body, at most 64 KiB of it; why there is none when there was no answer.
    pub body: String,
}

impl Answer {
    /// No answer, and why.
    pub fn none(why: impl Into<String>) -> Self {
        Self {
            body: why.into(),
            ..Self::default()
        }
    }

    /// Reads an answer as it comes over the line: a head, maybe after some that only announce it, and the body.
    pub fn read(status: u16, text: &str) -> Self {
        let (mut head, mut body) = ("", text);
        while body.starts_with("HTTP/") {
            (head, body) = body.split_once("\r\n\r\n").unwrap_or((body, ""));
            let announces = head.split(' ').nth(1).is_some_and(|s| s.starts_with('1'));
            if !announces {
                break;
            }
        }
        Self {
            status,
            headers: fields(head),
            body: body.to_owned(),
        }
    }

    /// What stands in the header of this name, whatever its case; several are joined by a comma.
    pub fn header(&self, name: &str) -> Option<String> {
        let named = |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
        let values = self.headers.iter().filter(named);
        let values: Vec<&str> = values.map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }
}

/// The fields of a head.
pub(crate) fn fields(head: &str) -> Vec<(String, String)> {
    let field = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.trim().to_owned(), value.trim().to_owned()))
    };
    head.lines().filter_map(field).collect()
}

/// Says what is wrong with an answer, in words that are fit for a log whatever the answer is. Without a release nothing
/// is asked of the fields that name it: others may answer as well.
pub fn judge(health: &Health, release: Option<&ReleaseId>, answer: &Answer) -> Result<(), String> {
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
    judge_headers(health, release, answer)?;
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
    let release = release.and_then(|release| Some((health.release_field.as_ref()?, release)));
    if health.json.is_empty() && release.is_none() {
        return Ok(());
    }
    let body: Value = serde_json::from_str(answer.body.trim())
        .map_err(|_| format!("the body is not JSON: {}", excerpt(&answer.body)))?;
    for (path, wanted) in &health.json {
        match field(&body, path) {
            Some(found) if found == wanted => {}
            Some(found) => {
                let found = short(&found.to_string());
                return Err(format!("{path} is {found}, not {wanted}"));
            }
            None => {
                return Err(format!(
                    "the body has no field {path}: {}",
                    excerpt(&answer.body)
                ));
            }
        }
    }
    let Some((path, release)) = release else {
        return Ok(());
    };
    match field(&body, path).and_then(Value::as_str) {
        Some(text) => of_release(path, text, release),
        None => Err(format!(
            "the body has no text {path}: {}",
            excerpt(&answer.body)
        )),
    }
}

fn judge_headers(
    health: &Health,
    release: Option<&ReleaseId>,
    answer: &Answer,
) -> Result<(), String> {
    for (name, wanted) in &health.headers {
        match answer.header(name) {
            Some(text) if text.contains(wanted.as_str()) => {}
            Some(text) => {
                let text = short(&text);
                return Err(format!(
                    "the header {name} is {text:?} and does not contain {wanted:?}"
                ));
            }
            None => {
                return Err(format!(
                    "there is no header {name}, which must contain {wanted:?}"
                ));
            }
        }
    }
    let Some((name, release)) = health.release_header.as_ref().zip(release) else {
        return Ok(());
    };
    match answer.header(name) {
        Some(text) => of_release(&format!("the header {name}"), &text, release),
        None => Err(format!(
            "there is no header {name}, which must name release {release}"
        )),
    }
}

/// Whether a text names the release: by its id somewhere in it, or by the commit it was made from, of at least the 7
/// digits that the id has of it.
fn of_release(place: &str, text: &str, release: &ReleaseId) -> Result<(), String> {
    let commit = |short: &str| {
        let digits = (7..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
        digits && text.to_ascii_lowercase().starts_with(short)
    };
    if text.contains(release.as_str()) || release.commit_digits().is_some_and(commit) {
        return Ok(());
    }
    Err(format!(
        "{place} is {:?}, so release {release} does not answer",
        short(text)
    ))
}

fn field<'a>(body: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(body, |value, key| match value {
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        other => other.get(key),
    })
}

/// The beginning of a text in one line and without control characters, for messages.
pub(crate) fn excerpt(text: &str) -> String {
    let line = short(text);
    if line.is_empty() {
        return "an empty body".to_owned();
    }
    line
}

fn short(text: &str) -> String {
    // Of a long one the beginning is enough, and what follows is not worth reading.
    let start = text.chars().take(2048).collect::<String>();
    let line = start.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = plain(&line);
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
    use crate::config::Through;

    fn health() -> Health {
        Health {
            url: "http://127.0.0.1/health".into(),
            host_header: None,
            attempts: 1,
            interval: Duration::ZERO,
            timeout: Duration::from_secs(1),
            status: 200,
            contains: None,
            headers: BTreeMap::from([("content-type".into(), "json".into())]),
            release_header: None,
            through: Through::Web,
            outside: Vec::new(),
            json: BTreeMap::from([("db.ok".into(), json!(true))]),
            release_field: Some("release".into()),
        }
    }

    fn judged(status: u16, body: &str) -> String {
        let release = ReleaseId::parse("20260520T123456Z-1a2b3c4").unwrap();
        let answer = Answer {
            status,
            headers: vec![("Content-Type".into(), "application/json".into())],
            body: body.to_owned(),
        };
        judge(&health(), Some(&release), &answer)
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

    #[test]
    fn the_release_is_named_by_its_id_or_its_commit() {
        let asked = Health {
            json: BTreeMap::new(),
            release_field: None,
            headers: BTreeMap::new(),
            release_header: Some("X-Release".into()),
            ..health()
        };
        let release = ReleaseId::parse("20260520T123456Z-1a2b3c4").unwrap();
        let said = |value: &str| {
            let head = format!("HTTP/1.1 200 OK\r\nx-release: {value}\r\n\r\nok");
            let answer = Answer::read(200, &head);
            let judged = judge(&asked, Some(&release), &answer);
            judged.err().unwrap_or_else(|| "healthy".to_owned())
        };
        insta::assert_snapshot!([
            said("20260520T123456Z-1a2b3c4"),
            said("/srv/app/releases/20260520T123456Z-1a2b3c4/public"),
            said("1a2b3c4"),
            said("1A2B3C4d5e6f708192a3b4c5d6e7f8091a2b3c4d"),
            said("1a2b3c"),
            said("1a2b3c4 or so"),
            said("20260101T000000Z-1a2b3c4"),
            said(""),
            judge(&asked, Some(&release), &Answer::read(200, "HTTP/1.1 200 OK\r\n\r\n")).unwrap_err(),
            format!("{:?}", judge(&asked, None, &Answer::read(200, ""))),
        ].join("\n"), @r#"
        healthy
        healthy
        healthy
        healthy
        the header X-Release is "1a2b3c", so release 20260520T123456Z-1a2b3c4 does not answer
        the header X-Release is "1a2b3c4 or so", so release 20260520T123456Z-1a2b3c4 does not answer
        the header X-Release is "20260101T000000Z-1a2b3c4", so release 20260520T123456Z-1a2b3c4 does not answer
        the header X-Release is "", so release 20260520T123456Z-1a2b3c4 does not answer
        there is no header X-Release, which must name release 20260520T123456Z-1a2b3c4
        Ok(())
        "#);
    }

    #[test]
    fn headers_are_judged_and_the_last_head_counts() {
        let text = "HTTP/1.1 103 Early Hints\r\nX-App: early\r\n\r\nHTTP/1.1 200 OK\r\nX-App: one\r\nx-app: two\r\n\r\nHTTP/1.1 is a protocol\r\n\r\nHello: you\r\n\r\n";
        let answer = Answer::read(200, text);
        assert_eq!(
            answer.body,
            "HTTP/1.1 is a protocol\r\n\r\nHello: you\r\n\r\n"
        );
        let said = |name: &str, wanted: &str| {
            let health = Health {
                json: BTreeMap::new(),
                release_field: None,
                headers: BTreeMap::from([(name.into(), wanted.into())]),
                ..health()
            };
            let judged = judge(&health, None, &answer);
            judged.err().unwrap_or_else(|| "healthy".to_owned())
        };
        insta::assert_snapshot!([
            said("X-APP", "two"),
            said("x-app", "early"),
            said("hello", "you"),
        ].join("\n"), @r#"
        healthy
        the header x-app is "one, two" and does not contain "early"
        there is no header hello, which must contain "you"
        "#);
    }

    #[test]
    fn no_control_character_and_no_flood_of_an_answer_reaches_a_message() {
        let evil = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\u{85}\u{202e}evil\r\n\u{0}".repeat(1000);
        let json =
            serde_json::to_string(&json!({ "db": { "ok": evil }, "release": evil })).unwrap();
        let well =
            serde_json::to_string(&json!({ "db": { "ok": true }, "release": evil })).unwrap();
        let header = Answer {
            status: 200,
            headers: vec![("Content-Type".into(), evil.clone())],
            body: String::new(),
        };
        let release = ReleaseId::parse("20260520T123456Z-1a2b3c4").unwrap();
        for said in [
            judged(0, &evil),
            judged(500, &evil),
            judged(200, &evil),
            judged(200, &json),
            judged(200, &well),
            judge(&health(), Some(&release), &header).unwrap_err(),
        ] {
            assert!(!said.contains(char::is_control), "{said:?}");
            assert!(said.chars().count() < 500, "{said}");
        }
    }
}
