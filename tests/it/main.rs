//! The worlds in which everything is tested together.

#![expect(clippy::unwrap_used, reason = "a test may end by a panic")]

mod action;
mod github;
mod gitlab;
mod kit;
#[cfg(feature = "machines")]
mod machine;
#[cfg(feature = "matrix")]
mod matrix;
mod pipeline;
mod queue;
mod report;
mod service;
mod templates;
mod walls;
