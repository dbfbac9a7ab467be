//! One request of a webhook, as GitHub sends it and as an attacker or a broken proxy would.

use std::fmt;

use aws_lc_rs::hmac;

/// A webhook request that is ready to be sent, once or often. Clones are redeliveries: they keep their id.
#[derive(Clone)]
pub struct Delivery {
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    secret: String,
}

/// What the hook's receiver said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reception {
    pub status: u16,
    pub body: String,
}

/// What a hook is installed on: a repository, or an App (`integration`).
#[derive(Debug)]
pub(super) struct Target {
    pub(super) kind: &'static str,
    pub(super) id: u64,
}

impl Delivery {
    pub(super) fn signed(event: &str, target: &Target, body: Vec<u8>, secret: &str) -> Self {
        let headers = [
            ("Accept", "*/*".to_owned()),
            ("Content-Type", "application/json".to_owned()),
            ("User-Agent", "GitHub-Hookshot/0a1b2c3".to_owned()),
            ("X-GitHub-Delivery", uuid::Uuid::new_v4().to_string()),
            ("X-GitHub-Event", event.to_owned()),
            ("X-GitHub-Hook-ID", "1".to_owned()),
            (
                "X-GitHub-Hook-Installation-Target-ID",
                target.id.to_string(),
            ),
            (
                "X-GitHub-Hook-Installation-Target-Type",
                target.kind.to_owned(),
            ),
        ];
        let headers = headers
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec();
        Self {
            headers,
            body,
            secret: secret.to_owned(),
        }
        .resigned()
    }

    /// The GUID that is the same in every redelivery.
    pub fn id(&self) -> &str {
        self.header("X-GitHub-Delivery")
            .expect("every delivery has an id")
    }

    /// The value of a header, by its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name));
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

    /// The same event told a second time by another hook or another push: all the same but the id.
    #[must_use]
    pub fn with_new_id(self) -> Self {
        self.with_id(&uuid::Uuid::new_v4().to_string())
    }

    #[must_use]
    pub fn with_id(self, id: &str) -> Self {
        self.with_header("X-GitHub-Delivery", id)
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
        self.resigned()
    }

    /// Signs with another secret.
    #[must_use]
    pub fn signed_with(mut self, secret: &str) -> Self {
        secret.clone_into(&mut self.secret);
        self.resigned()
    }

    /// A signature of the right form that belongs to no secret.
    #[must_use]
    pub fn with_wrong_signature(self) -> Self {
        self.with_header("X-Hub-Signature-256", &format!("sha256={}", "0".repeat(64)))
    }

    /// No signature at all.
    #[must_use]
    pub fn unsigned(self) -> Self {
        self.without_header("X-Hub-Signature-256")
            .without_header("X-Hub-Signature")
    }

    /// The right signature, cut after this many hex digits.
    #[must_use]
    pub fn with_truncated_signature(self, digits: usize) -> Self {
        let whole = self.header("X-Hub-Signature-256").unwrap_or_default();
        let cut = whole["sha256=".len()..][..digits].to_owned();
        self.with_header("X-Hub-Signature-256", &format!("sha256={cut}"))
    }

    /// Only the legacy SHA-1 signature, which is right.
    #[must_use]
    pub fn sha1_only(self) -> Self {
        self.without_header("X-Hub-Signature-256")
    }

    /// The legacy SHA-1 signature under the name of the new one.
    #[must_use]
    pub fn sha1_as_sha256(self) -> Self {
        let sha1 = self
            .header("X-Hub-Signature")
            .unwrap_or_default()
            .to_owned();
        self.with_header("X-Hub-Signature-256", &sha1)
    }

    /// One byte of the body changed after signing.
    #[must_use]
    pub fn tampered(mut self) -> Self {
        let last = self.body.len() - 1;
        self.body.insert(last, b' ');
        self
    }

    fn resigned(self) -> Self {
        let mac = |algorithm| {
            let key = hmac::Key::new(algorithm, self.secret.as_bytes());
            hex::encode(hmac::sign(&key, &self.body))
        };
        let (sha256, sha1) = (
            mac(hmac::HMAC_SHA256),
            mac(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        );
        self.with_header("X-Hub-Signature", &format!("sha1={sha1}"))
            .with_header("X-Hub-Signature-256", &format!("sha256={sha256}"))
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let event = self.header("X-GitHub-Event").unwrap_or("no event");
        write!(
            f,
            "{event} delivery {} of {} bytes",
            self.id(),
            self.body.len()
        )
    }
}
