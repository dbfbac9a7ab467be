//! GitLab: deliveries come in through [`hook`], reports go out through [`api`].

pub mod api;
pub mod hook;

mod comment;
mod desk;
