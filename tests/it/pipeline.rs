//! The pipeline on real hosts: what is live in the end, whatever happened on the way.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod bad_commit;
mod budget;
mod fault;
mod hold;
mod hostile;
mod keep;
mod laravel;
mod lease;
mod line;
mod overtaken;
mod plan;
mod release;
mod scene;
mod several;
mod source;
mod table;
mod takers;
mod told;
mod waves;
