//! One request of a webhook, as GitLab sends it and as an attacker or a broken proxy would.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};

use super::world::Hook;
use crate::github::Reception;

/// A webhook request that is ready to be sent, once or often. Clones are what `Resend Request` sends: they keep their
/// key.
#[derive(Clone)]
pub struct Delivery {
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    hook: Hook,
}

impl Delivery {
    pub(super) fn new(event: &str, body: Vec<u8>, hook: &Hook, root: &str) -> Self {
        let headers = [
            ("Content-Type", "application/json".to_owned()),
            ("User-Agent", "GitLab/19.0.0".to_owned()),
            ("X-Gitlab-Event", event.to_owned()),
            ("X-Gitlab-Instance", root.to_owned()),
            ("X-Gitlab-Webhook-UUID", hook.uuid.clone()),
            ("X-Gitlab-Event-UUID", uuid::Uuid::new_v4().to_string()),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value));
        let mut delivery = Self {
            headers: headers.to_vec(),
            body,
            hook: hook.clone(),
        };
        if let Some(token) = &hook.token {
            delivery = delivery.with_header("X-Gitlab-Token", token);
        }
        delivery.with_new_id()
    }

    /// The key that is the same whenever the request is sent again.
    pub fn id(&self) -> &str {
        self.header("Idempotency-Key").unwrap_or("no key")
    }

    /// The value of a header, by its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let named = |(other, _): &&(String, String)| other.eq_ignore_ascii_case(name);
        let found = self.headers.iter().find(named);
        found.map(|(_, value)| value.as_str())
    }

    /// The body as JSON. Panics when it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    /// Sends it and returns what the receiver said. Fails when there was no answer.
    pub async fn send(&self, url: &str) -> Result<Reception, reqwest::Error> {
        let mut request = reqwest::Client::new().post(url).body(self.body.clone());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let response = request.send().await?;
        Ok(Reception {
            status: response.status().as_u16(),
            body: response.text().await?,
        })
    }

    /// The same told by another request: all the same but the key.
    #[must_use]
    pub fn with_new_id(self) -> Self {
        let id = uuid::Uuid::new_v4().to_string();
        self.with_header("Idempotency-Key", &id)
            .signed_at(Timestamp::now())
    }

    /// As GitLab before 17.4 sends it: with no key at all, so also unsigned.
    #[must_use]
    pub fn without_id(self) -> Self {
        self.unsigned().without_header("Idempotency-Key")
    }

    /// Sets a header, in place of the one of that name.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self = self.without_header(name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.headers
            .retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self
    }

    /// Sets another body, signed rightly.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.signed_at(Timestamp::now())
    }

    /// Signs with another secret, `whsec_…`.
    #[must_use]
    pub fn signed_with(mut self, secret: &str) -> Self {
        self.hook.signing_secret = Some(secret.to_owned());
        self.signed_at(Timestamp::now())
    }

    /// Signed rightly, but so long ago; negative is in the future.
    #[must_use]
    pub fn signed_ago(self, ago: SignedDuration) -> Self {
        self.signed_at(Timestamp::now() - ago)
    }

    /// The signature that holds, after one of a key that is not known: a secret that is being changed.
    #[must_use]
    pub fn with_two_signatures(self) -> Self {
        let right = self.header("webhook-signature").unwrap_or_default();
        let both = format!("v1,{} {right}", STANDARD.encode([7_u8; 32]));
        self.with_header("webhook-signature", &both)
    }

    /// No signature; the token stays.
    #[must_use]
    pub fn unsigned(self) -> Self {
        self.without_header("webhook-signature")
            .without_header("webhook-timestamp")
            .without_header("webhook-id")
    }

    /// One byte of the body changed after signing.
    #[must_use]
    pub fn tampered(mut self) -> Self {
        self.body.insert(self.body.len() - 1, b' ');
        self
    }

    fn signed_at(self, at: Timestamp) -> Self {
        let Some(secret) = self.hook.signing_secret.clone() else {
            return self;
        };
        let (id, at) = (self.id().to_owned(), at.as_second().to_string());
        let key = secret.strip_prefix("whsec_").unwrap_or(&secret);
        let key = STANDARD.decode(key).expect("a signing secret is base64");
        let mut said = format!("{id}.{at}.").into_bytes();
        said.extend(&self.body);
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &said);
        self.with_header("webhook-id", &id)
            .with_header("webhook-timestamp", &at)
            .with_header("webhook-signature", &format!("v1,{}", STANDARD.encode(mac)))
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let event = self.header("X-Gitlab-Event").unwrap_or("no event");
        write!(f, "{event} {} of {} bytes", self.id(), self.body.len())
    }
}
