//! What GitHub sends: proof of origin first, then headers, then the few fields of a payload that are used.
//!
//! Everything here is hostile until the signature holds, and bounded afterwards.

use axum::http::HeaderMap;
use cutover_deploy::CommitSha;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use sha2::Sha256;

use super::comment;
use crate::forge::Delivered;
use crate::forge::push::{LONGEST_NAME, LONGEST_REF, Moved, Push, printable, subject};

/// Why a delivery is not from GitHub as far as can be told. Tells a caller nothing of the secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    /// There is no `X-Hub-Signature-256`.
    #[error("the header X-Hub-Signature-256 is missing")]
    Missing,
    /// There is only the old SHA-1 signature, which proves too little.
    #[error("only a SHA-1 signature: X-Hub-Signature-256 is required")]
    Sha1Only,
    /// The header is not `sha256=` and 64 hexadecimal digits.
    #[error("X-Hub-Signature-256 is malformed")]
    Malformed,
    /// No live secret made this signature.
    #[error("the signature does not match")]
    Wrong,
}

/// The signature that a delivery claims to have; asked for before any of its body is read.
pub fn signature(headers: &HeaderMap) -> Result<[u8; 32], Unproven> {
    let mut signatures = headers.get_all("x-hub-signature-256").iter();
    let signature = match (signatures.next(), signatures.next()) {
        (Some(signature), None) => signature.as_bytes(),
        (Some(_), Some(_)) => return Err(Unproven::Malformed),
        (None, _) if headers.contains_key("x-hub-signature") => return Err(Unproven::Sha1Only),
        (None, _) => return Err(Unproven::Missing),
    };
    let digits = signature
        .strip_prefix(b"sha256=")
        .ok_or(Unproven::Malformed)?;
    let mut given = [0_u8; 32];
    hex::decode_to_slice(digits, &mut given).map_err(|_| Unproven::Malformed)?;
    Ok(given)
}

/// Checks the signature of `body` against every live secret, in constant time.
pub fn verify(headers: &HeaderMap, body: &[u8], secrets: &[SecretString]) -> Result<(), Unproven> {
    let given = signature(headers)?;
    // Every secret is tried, whether or not an earlier one matched: the time tells nothing.
    let mut proven = false;
    for secret in secrets {
        let mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes());
        let mut mac = mac.map_err(|_| Unproven::Wrong)?;
        mac.update(body);
        proven |= mac.verify_slice(&given).is_ok();
    }
    if proven { Ok(()) } else { Err(Unproven::Wrong) }
}

/// The headers of a delivery that are used; no other is ever looked at, logged or stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headers {
    /// `X-GitHub-Event`: `push`.
    pub event: String,
    /// `X-GitHub-Delivery`: a GUID in lower case, the same on every redelivery.
    pub delivery: String,
    /// `X-GitHub-Hook-ID`, where it is a number.
    pub hook_id: Option<String>,
}

/// What is wrong with a delivery whose signature holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadDelivery {
    /// A header is absent or not of its form.
    #[error("the header {0} is missing or malformed")]
    Header(&'static str),
    /// The hook sends a form.
    #[error("the body is not JSON: set the webhook's content type to application/json")]
    NotJson,
    /// The body is no JSON document, or not the one its event promises. Names a place, never a value.
    #[error("the body cannot be read as a {event} event: {why}, line {line} column {column}")]
    Payload {
        /// Which event.
        event: String,
        /// The kind of mistake.
        why: &'static str,
        /// Where, from 1.
        line: usize,
        /// Where, from 1.
        column: usize,
    },
    /// `after` is not a full SHA-1.
    #[error("`after` is not a commit")]
    Commit,
}

impl Headers {
    /// Reads the headers that are used, or names the one that is wrong.
    pub fn read(headers: &HeaderMap) -> Result<Self, BadDelivery> {
        let one = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let word = |text: &&str| {
            (1..=60).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        };
        let event = one("x-github-event")
            .filter(word)
            .ok_or(BadDelivery::Header("X-GitHub-Event"))?;
        let delivery = one("x-github-delivery")
            .filter(|text| text.len() == 36)
            .and_then(|text| uuid::Uuid::try_parse(text).ok())
            .ok_or(BadDelivery::Header("X-GitHub-Delivery"))?;
        let json = one("content-type").is_some_and(|kind| {
            let kind = kind.split(';').next().unwrap_or_default().trim();
            kind.eq_ignore_ascii_case("application/json")
        });
        if !json {
            return Err(BadDelivery::NotJson);
        }
        let number = |text: &&str| {
            (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
        };
        Ok(Self {
            event: event.to_owned(),
            delivery: delivery.hyphenated().to_string(),
            hook_id: one("x-github-hook-id").filter(number).map(str::to_owned),
        })
    }
}

#[derive(Deserialize)]
struct PushPayload {
    #[serde(rename = "ref")]
    name: String,
    after: String,
    #[serde(default)]
    deleted: bool,
    repository: Repository,
    pusher: Option<Pusher>,
    sender: Option<Sender>,
    head_commit: Option<HeadCommit>,
}

#[derive(Deserialize)]
struct HeadCommit {
    message: Option<String>,
}

#[derive(Deserialize)]
struct Repository {
    full_name: String,
}

#[derive(Deserialize)]
struct Pusher {
    name: Option<String>,
}

#[derive(Deserialize)]
struct Sender {
    login: Option<String>,
}

/// Reads a body whose signature holds.
pub fn read(event: &str, body: &[u8]) -> Result<Delivered, BadDelivery> {
    let bad = |error: serde_json::Error| BadDelivery::Payload {
        event: event.to_owned(),
        why: match error.classify() {
            serde_json::error::Category::Data => "a field is missing or of another type",
            serde_json::error::Category::Eof => "it ends too early",
            _ => "it is not JSON",
        },
        line: error.line(),
        column: error.column(),
    };
    if event == "push" {
        let payload: PushPayload = serde_json::from_slice(body).map_err(bad)?;
        return push(payload).map(Delivered::Push);
    }
    if comment::EVENTS.contains(&event) {
        let payload: comment::Payload = serde_json::from_slice(body).map_err(bad)?;
        return Ok(comment::delivered(payload));
    }
    let _: serde::de::IgnoredAny = serde_json::from_slice(body).map_err(bad)?;
    Ok(if event == "ping" {
        Delivered::Ping
    } else {
        Delivered::Other
    })
}

fn push(payload: PushPayload) -> Result<Push, BadDelivery> {
    let name = printable(&payload.name, LONGEST_REF);
    let what = if payload.deleted {
        Moved::Deleted { name }
    } else if let Some(branch) = name.strip_prefix("refs/heads/") {
        Moved::Branch {
            commit: CommitSha::parse(&payload.after).map_err(|_| BadDelivery::Commit)?,
            name: branch.to_owned(),
        }
    } else {
        Moved::Other { name }
    };
    let pusher = payload.pusher.and_then(|pusher| pusher.name);
    let sender = payload.sender.and_then(|sender| sender.login);
    Ok(Push {
        repository: printable(&payload.repository.full_name, 2 * LONGEST_NAME),
        what,
        pusher: printable(
            &pusher.or(sender).unwrap_or_else(|| "somebody".to_owned()),
            LONGEST_NAME,
        ),
        subject: payload.head_commit.and_then(|head| subject(&head.message?)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "It's a Secret to Everybody";
    const BODY: &[u8] = b"Hello, World!";
    const SIGNATURE: &str =
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    fn signed(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        headers
    }

    fn secrets(all: &[&str]) -> Vec<SecretString> {
        all.iter()
            .map(|secret| SecretString::from(*secret))
            .collect()
    }

    #[test]
    fn githubs_own_example_is_proven_by_any_live_secret() {
        let headers = signed("x-hub-signature-256", SIGNATURE);
        assert_eq!(verify(&headers, BODY, &secrets(&[SECRET])), Ok(()));
        assert_eq!(
            verify(&headers, BODY, &secrets(&[SECRET, "the next one"])),
            Ok(())
        );
        assert_eq!(
            verify(&headers, BODY, &secrets(&["the next one", SECRET])),
            Ok(())
        );
        assert_eq!(
            verify(&headers, BODY, &secrets(&["the next one"])),
            Err(Unproven::Wrong)
        );
        assert_eq!(verify(&headers, BODY, &[]), Err(Unproven::Wrong));
    }

    #[test]
    fn every_other_signature_is_refused_by_its_kind() {
        let cases = [
            ("x-hub-signature-256", "", Unproven::Malformed),
            ("x-hub-signature-256", &SIGNATURE[..70], Unproven::Malformed),
            ("x-hub-signature-256", &SIGNATURE[7..], Unproven::Malformed),
            (
                "x-hub-signature-256",
                &SIGNATURE.replace('7', "8"),
                Unproven::Wrong,
            ),
            (
                "x-hub-signature-256",
                &SIGNATURE.replace('7', "x"),
                Unproven::Malformed,
            ),
            (
                "x-hub-signature",
                "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59",
                Unproven::Sha1Only,
            ),
            ("x-other", "sha256=", Unproven::Missing),
        ];
        for (name, value, why) in cases {
            assert_eq!(
                verify(&signed(name, value), BODY, &secrets(&[SECRET])),
                Err(why),
                "{name}: {value}"
            );
        }
        let mut twice = signed("x-hub-signature-256", SIGNATURE);
        twice.append("x-hub-signature-256", SIGNATURE.parse().unwrap());
        assert_eq!(
            verify(&twice, BODY, &secrets(&[SECRET])),
            Err(Unproven::Malformed)
        );
        assert_eq!(
            verify(
                &signed("x-hub-signature-256", SIGNATURE),
                b"Hello, World?",
                &secrets(&[SECRET])
            ),
            Err(Unproven::Wrong)
        );
    }

    #[test]
    fn a_payload_error_names_the_place_and_no_value() {
        let error = read(
            "push",
            br#"{"ref": "refs/heads/main", "after": 7, "repository": {"full_name": "sesame"}}"#,
        );
        let text = error.unwrap_err().to_string();
        assert!(
            text.contains("a field is missing or of another type, line 1"),
            "{text}"
        );
        assert!(!text.contains("sesame"), "{text}");
        assert!(
            read("push", b"{")
                .unwrap_err()
                .to_string()
                .contains("ends too early")
        );
        assert!(
            read("ping", b"no")
                .unwrap_err()
                .to_string()
                .contains("not JSON")
        );
        assert!(read("ping", b"\xff\xfe").is_err());
    }

    #[test]
    fn what_a_push_says_is_bounded_and_printable() {
        let body = serde_json::json!({
            "ref": "refs/heads/main", "after": "a".repeat(40), "repository": {"full_name": "acme/shop"},
            "pusher": {"name": format!("al\u{1b}[31mice\n{}", "x".repeat(500))},
        });
        let Delivered::Push(push) = read("push", body.to_string().as_bytes()).unwrap() else {
            panic!("not a push");
        };
        assert!(push.pusher.starts_with("al[31micex"));
        assert_eq!(push.pusher.chars().count(), LONGEST_NAME);
    }

    #[test]
    fn a_branch_must_point_to_a_whole_commit() {
        let body = |after: &str| {
            serde_json::json!({"ref": "refs/heads/main", "after": after, "repository": {"full_name": "acme/shop"}})
                .to_string()
        };
        assert_eq!(
            read("push", body("--upload-pack=x").as_bytes()),
            Err(BadDelivery::Commit)
        );
        assert_eq!(
            read("push", body("abc1234").as_bytes()),
            Err(BadDelivery::Commit)
        );
    }
}
