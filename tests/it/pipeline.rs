//! The pipeline on real hosts: what is live in the end, whatever happened on the way.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod fault;
mod release;
mod scene;
mod several;
mod told;
