//! Asks addresses on the web from where cutover runs: the app from outside, and Prometheus.
//!
//! It is a crate of its own because the pipeline speaks no HTTP and each of its doors needs the same client. Certificates
//! are verified by what this machine trusts, redirects are answers and not followed, a proxy is the one that the
//! environment names, and every question has a connection of its own, as a new visitor has.

use std::error::Error as _;
use std::fmt;
use std::sync::OnceLock;

use cutover_deploy::health::Answer;
use cutover_deploy::run::{Answering, Outside, Question};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, ClientBuilder, redirect};

/// This much of a body is read.
const BODY_BYTES: usize = 64 * 1024;

/// The web, asked from here.
pub struct Web {
    /// Made when it is wanted: a machine that trusts nobody may still deploy.
    client: OnceLock<Result<Client, String>>,
    /// The same without a proxy, for this machine itself: a token for it goes nowhere else.
    near: OnceLock<Result<Client, String>>,
    variable: fn(&str) -> Option<String>,
}

impl Web {
    /// A client that takes tokens from where `variable` finds them.
    pub fn new(variable: fn(&str) -> Option<String>) -> Self {
        Self {
            client: OnceLock::new(),
            near: OnceLock::new(),
            variable,
        }
    }

    async fn answer(&self, question: Question) -> Result<Answer, String> {
        let near = question.token_env.is_some() && !question.url.starts_with("https://");
        let client = if near {
            self.near
                .get_or_init(|| client(Client::builder().no_proxy()))
        } else {
            self.client.get_or_init(|| client(Client::builder()))
        };
        let client = client.as_ref();
        let client = client.map_err(Clone::clone)?;
        let mut request = client.get(&question.url).timeout(question.timeout);
        if let Some(name) = &question.token_env {
            request = request.header(AUTHORIZATION, self.bearer(name)?);
        }
        let mut response = request.send().await.map_err(why)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = Vec::new();
        while body.len() < BODY_BYTES
            && let Some(chunk) = response.chunk().await.map_err(why)?
        {
            body.extend_from_slice(&chunk);
        }
        body.truncate(BODY_BYTES);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let headers = headers.iter();
        Ok(Answer {
            status,
            headers: headers
                .map(|(name, value)| (name.to_string(), text(value.as_bytes())))
                .collect(),
            body: text(&body),
        })
    }

    fn bearer(&self, name: &str) -> Result<HeaderValue, String> {
        let token = (self.variable)(name).filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| format!("the variable {name} is not set here"))?;
        let value = HeaderValue::from_str(&format!("Bearer {}", token.trim()));
        let mut value = value.map_err(|_| format!("the variable {name} holds no token"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Web")
    }
}

impl Outside for Web {
    fn ask(&self, question: Question) -> Answering<'_> {
        Box::pin(async move { self.answer(question).await.unwrap_or_else(Answer::none) })
    }
}

fn client(builder: ClientBuilder) -> Result<Client, String> {
    let client = builder
        .user_agent(concat!("cutover/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .pool_max_idle_per_host(0)
        .build();
    client.map_err(why)
}

/// The innermost reason tells most: the outer ones only say that a request failed. The address is for the caller to say.
fn why(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "it took too long".to_owned();
    }
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = error.to_string();
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
