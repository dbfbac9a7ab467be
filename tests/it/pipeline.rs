//! The pipeline on real hosts: what is live in the end, whatever happened on the way.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod adopt;
mod alarms;
mod bad_commit;
mod balancer;
mod bring;
mod budget;
mod busybox;
#[cfg(feature = "machines")]
mod containers;
mod database;
mod doctor;
mod fault;
mod hold;
mod hostile;
mod json;
mod keep;
mod kept;
mod laravel;
mod lease;
mod line;
mod overlap;
mod overtaken;
mod peers;
mod plan;
mod pool;
mod release;
mod runtimes;
mod scene;
mod several;
mod source;
mod table;
mod takers;
mod together;
mod told;
mod unasked;
mod unlisted;
mod unread;
mod watched;
mod waves;
