//! The worlds in which everything is tested together.

mod github;
mod kit;
#[cfg(feature = "machines")]
mod machine;
mod service;
