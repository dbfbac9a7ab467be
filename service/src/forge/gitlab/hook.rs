//! What GitLab sends: proof of origin first, then headers, then the few fields of a payload that are used.
//!
//! Everything here is hostile until it is proven, and bounded afterwards.

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cutover_deploy::CommitSha;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::comment;
use crate::forge::Delivered;
use crate::forge::push::{LONGEST_NAME, LONGEST_REF, Moved, Push, printable, subject};
use crate::settings::HookSecrets;

#[cfg(test)]
mod tests;

/// A signature counts this long before and after its time: clocks differ, and captured requests grow old.
const WINDOW: SignedDuration = SignedDuration::from_mins(5);
/// What stands in front of the base64 of a signing secret.
const SIGNING_PREFIX: &str = "whsec_";
/// What GitLab writes for a ref that points nowhere.
const NOWHERE: char = '0';

/// Why a delivery is not from GitLab as far as can be told. Tells a caller nothing of the secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    /// There is no `X-Gitlab-Token`.
    #[error("the header X-Gitlab-Token is missing")]
    NoToken,
    /// No live secret is this token.
    #[error("the token does not match")]
    WrongToken,
    /// A signing secret is set, and the request is not signed; a token alone proves less and does not count.
    #[error(
        "the request is not signed: webhook-id, webhook-timestamp and webhook-signature are required"
    )]
    Unsigned,
    /// A header of the signature is not of its form.
    #[error("webhook-id, webhook-timestamp or webhook-signature is malformed")]
    Malformed,
    /// No live secret made any of these signatures.
    #[error("the signature does not match")]
    WrongSignature,
    /// The signature holds, and is more than five minutes away from the clock of the service.
    #[error("the signature is more than five minutes old, or from the future")]
    Stale,
}

/// What the headers of a delivery prove, and what is left to prove by its body.
#[derive(Debug)]
pub enum Proof<'a> {
    /// The token is right, which proves all that it can.
    Token,
    /// A signature of the right form.
    Signature(Signature<'a>),
}

/// A signature of the right form, which may hold for a body.
#[derive(Debug)]
pub struct Signature<'a> {
    id: &'a str,
    at: &'a str,
    signed_at: Timestamp,
    given: Vec<Vec<u8>>,
    secrets: &'a [SecretString],
}

/// Proves where a delivery comes from as far as its headers do, so that no body is read for a stranger: by signature
/// when there is a signing secret, else by token.
pub fn proof<'a>(headers: &'a HeaderMap, secrets: &'a HookSecrets) -> Result<Proof<'a>, Unproven> {
    if secrets.signing.is_empty() {
        verify_token(headers, &secrets.tokens).map(|()| Proof::Token)
    } else {
        Signature::read(headers, &secrets.signing).map(Proof::Signature)
    }
}

impl Proof<'_> {
    /// Proves what is left.
    pub fn verify(&self, body: &[u8], now: Timestamp) -> Result<(), Unproven> {
        match self {
            Self::Token => Ok(()),
            Self::Signature(signature) => signature.verify(body, now),
        }
    }
}

fn verify_token(headers: &HeaderMap, tokens: &[SecretString]) -> Result<(), Unproven> {
    let mut given = headers.get_all("x-gitlab-token").iter();
    let given = match (given.next(), given.next()) {
        (Some(given), None) => given.as_bytes(),
        (Some(_), Some(_)) => return Err(Unproven::WrongToken),
        (None, _) => return Err(Unproven::NoToken),
    };
    // MACs of both are compared, in constant time: neither length nor a common beginning shows. Every token is tried.
    let mut proven = false;
    for token in tokens {
        let wanted = mac(b"", &[token.expose_secret().as_bytes()])?.finalize();
        proven |= mac(b"", &[given])?.verify(&wanted.into_bytes()).is_ok();
    }
    if proven {
        Ok(())
    } else {
        Err(Unproven::WrongToken)
    }
}

impl<'a> Signature<'a> {
    fn read(headers: &'a HeaderMap, secrets: &'a [SecretString]) -> Result<Self, Unproven> {
        let one = |name: &str| {
            let mut all = headers.get_all(name).iter();
            match (all.next(), all.next()) {
                (Some(value), None) => value.to_str().map_err(|_| Unproven::Malformed),
                (Some(_), Some(_)) => Err(Unproven::Malformed),
                (None, _) => Err(Unproven::Unsigned),
            }
        };
        let (id, at, signatures) = (
            one("webhook-id")?,
            one("webhook-timestamp")?,
            one("webhook-signature")?,
        );
        let seconds: i64 = at.parse().map_err(|_| Unproven::Malformed)?;
        let signed_at = Timestamp::from_second(seconds).map_err(|_| Unproven::Malformed)?;
        // Signatures of versions that are not known are passed over, as the format asks.
        let given: Vec<Vec<u8>> = signatures
            .split(' ')
            .filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok())
            .collect();
        if given.is_empty() {
            return Err(Unproven::Malformed);
        }
        Ok(Self {
            id,
            at,
            signed_at,
            given,
            secrets,
        })
    }

    fn verify(&self, body: &[u8], now: Timestamp) -> Result<(), Unproven> {
        let said = [self.id.as_bytes(), b".", self.at.as_bytes(), b".", body];
        // Every secret is tried, whether or not an earlier one matched: the time tells nothing.
        let mut proven = false;
        for secret in self.secrets {
            let key = signing_key(secret).ok_or(Unproven::WrongSignature)?;
            let right = mac(&key, &said)?;
            for signature in &self.given {
                proven |= right.clone().verify_slice(signature).is_ok();
            }
        }
        if !proven {
            return Err(Unproven::WrongSignature);
        }
        if now.duration_since(self.signed_at).abs() > WINDOW {
            return Err(Unproven::Stale);
        }
        Ok(())
    }
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Result<Hmac<Sha256>, Unproven> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| Unproven::WrongSignature)?;
    for part in parts {
        mac.update(part);
    }
    Ok(mac)
}

/// The key in a signing secret, `whsec_` and base64; nothing when it is not of that form.
pub(crate) fn signing_key(secret: &SecretString) -> Option<Vec<u8>> {
    let text = secret.expose_secret().strip_prefix(SIGNING_PREFIX)?;
    STANDARD.decode(text).ok()
}

/// What is wrong with a delivery that is proven.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadDelivery {
    /// A header is absent or not of its form.
    #[error("the header {0} is missing or malformed")]
    Header(&'static str),
    /// The body is no JSON document, or not the one its event promises. Names a place, never a value.
    #[error("the body cannot be read as a {event}: {why}, line {line} column {column}")]
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

/// The headers of a delivery that are used; no other is ever looked at, logged or stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headers {
    /// `X-Gitlab-Event`: `Push Hook`.
    pub event: String,
    /// What is the same whenever the delivery is sent again: the signed `webhook-id`, else `Idempotency-Key`, else a
    /// digest. Never `X-Gitlab-Event-UUID`, which hooks that set each other off share.
    pub delivery: String,
    /// `X-Gitlab-Webhook-UUID`.
    pub hook_id: Option<String>,
}

impl Headers {
    /// Reads the headers that are used, or names the one that is wrong.
    pub fn read(
        headers: &HeaderMap,
        body: &[u8],
        secrets: &HookSecrets,
    ) -> Result<Self, BadDelivery> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let words = |text: &&str| {
            (1..=60).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b' ')
        };
        let event = text("x-gitlab-event")
            .filter(words)
            .ok_or(BadDelivery::Header("X-Gitlab-Event"))?;
        let key = |name: &'static str| match headers.get(name) {
            None => Ok(None),
            Some(_) => text(name)
                .filter(is_key)
                .map(Some)
                .ok_or(BadDelivery::Header(name)),
        };
        let hook_id = text("x-gitlab-webhook-uuid").filter(is_key);
        // Only what is signed counts where there is a signature: whoever captured a request can change the rest.
        let given = if secrets.signing.is_empty() {
            key("idempotency-key")?.or(key("webhook-id")?)
        } else {
            key("webhook-id")?
        };
        let delivery = given.map_or_else(
            || {
                digest(&[
                    event.as_bytes(),
                    hook_id.unwrap_or_default().as_bytes(),
                    body,
                ])
            },
            str::to_owned,
        );
        Ok(Self {
            event: event.to_owned(),
            delivery,
            hook_id: hook_id.map(str::to_owned),
        })
    }
}

fn is_key(text: &&str) -> bool {
    (1..=200).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// For a GitLab older than 17.4, which names no delivery.
fn digest(parts: &[&[u8]]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.len().to_be_bytes());
        digest.update(part);
    }
    format!("sha256:{}", hex::encode(digest.finalize()))
}

#[derive(Deserialize)]
struct Kind {
    #[serde(default)]
    object_kind: Option<String>,
}

#[derive(Deserialize)]
struct PushPayload {
    #[serde(rename = "ref")]
    name: String,
    after: String,
    #[serde(default)]
    checkout_sha: Option<String>,
    project: Project,
    #[serde(default)]
    user_username: Option<String>,
    #[serde(default)]
    user_name: Option<String>,
    #[serde(default)]
    commits: Vec<Commit>,
}

#[derive(Deserialize)]
struct Commit {
    id: String,
    message: Option<String>,
}

#[derive(Deserialize)]
struct Project {
    path_with_namespace: String,
}

/// Reads a body that is proven. What it is stands in the body, which is signed; `event` only names it in errors.
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
    let kind: Kind = serde_json::from_slice(body).map_err(bad)?;
    match kind.object_kind.as_deref() {
        Some("push" | "tag_push") => {
            let payload = serde_json::from_slice(body).map_err(bad)?;
            push(payload).map(Delivered::Push)
        }
        Some("note") => {
            let payload = serde_json::from_slice(body).map_err(bad)?;
            Ok(comment::delivered(payload))
        }
        _ => Ok(Delivered::Other),
    }
}

fn push(payload: PushPayload) -> Result<Push, BadDelivery> {
    let name = printable(&payload.name, LONGEST_REF);
    let gone = payload.checkout_sha.is_none() || payload.after.chars().all(|c| c == NOWHERE);
    let what = if gone {
        Moved::Deleted { name }
    } else if let Some(branch) = name.strip_prefix("refs/heads/") {
        Moved::Branch {
            commit: CommitSha::parse(&payload.after).map_err(|_| BadDelivery::Commit)?,
            name: branch.to_owned(),
        }
    } else {
        Moved::Other { name }
    };
    // At most twenty are told, and not all of them in the order of their making.
    let newest = payload
        .commits
        .into_iter()
        .find(|commit| commit.id == payload.after);
    let pusher = payload.user_username.or(payload.user_name);
    Ok(Push {
        repository: printable(&payload.project.path_with_namespace, LONGEST_REF),
        what,
        pusher: printable(
            &pusher.unwrap_or_else(|| "somebody".to_owned()),
            LONGEST_NAME,
        ),
        subject: newest.and_then(|commit| subject(&commit.message?)),
    })
}
