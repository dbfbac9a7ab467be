//! The webhook service and command line of cutover.
//!
//! A forge tells of a push; [`http`] proves, keeps and answers it; [`matching`] says which environments it concerns;
//! the [`store`] queues a deployment for each; the [`queue`] hands them to a [`worker`], which runs the pipeline of
//! `cutover_deploy`; [`report`] tells the forge what became of it. Everything acknowledged survives a crash, and
//! nothing that a forge sends ever becomes shell text.

pub mod chat;
pub mod cli;
pub mod forge;
pub mod http;
pub mod lookout;
pub mod matching;
pub mod queue;
pub mod report;
pub mod serve;
pub mod settings;
pub mod store;
pub mod warden;
pub mod worker;

#[cfg(test)]
mod testing;
