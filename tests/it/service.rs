//! The service as a process: hooks come in, deployments go out, reports go back, whatever happens to it.

mod chat;
mod crash;
mod forge;
mod gitlab;
mod hold;
mod hook;
mod pages;
mod push;
mod queue;
