//! Forges: where code lives, who tells of pushes, and who is told what became of them. A closed set.

pub mod github;

pub use github::api::{Trouble, Turn};
