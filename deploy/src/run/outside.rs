//! What is asked from where the deployer runs, by a client that a door brings: this crate speaks no HTTP.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use crate::health::Answer;

/// A GET request for an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The address, of http or https.
    pub url: String,
    /// The longest wait for the whole answer.
    pub timeout: Duration,
    /// The variable of the door's own environment whose value is sent as a bearer token.
    pub token_env: Option<String>,
}

/// The answer to come. It always does: what went wrong stands in it.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// Asks addresses from here: verifies certificates, follows no redirects, reads no more of a body than it must.
pub trait Outside: fmt::Debug + Send + Sync {
    /// Asks once.
    fn ask(&self, question: Question) -> Answering<'_>;
}
