//! The worlds in which everything is tested together.

mod github;
mod kit;
mod pipeline;
mod service;
mod walls;
