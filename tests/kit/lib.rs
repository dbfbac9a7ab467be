//! The test world of cutover.
//!
//! A [`Host`] is a real target in a folder: sshd and, on demand, nginx, PHP-FPM, Redis and supervisor with real
//! `queue:work` workers, all as the calling user on 127.0.0.1. It is broken on its own side ([`Host::cut_at`],
//! [`Host::fault_step`], [`Host::fill_disk`], …), looked at past SSH ([`Host::picture`], [`Host::workers`],
//! [`Host::jobs`]), and closed with the proof that nothing was left over ([`Host::close`]).
//!
//! A [`Repo`] is a real git repository; [`Repo::sample_app`] holds a Laravel app whose lock points to a
//! [`ComposerRepo`] on loopback, so that `composer install` is real; [`SampleApp`] names the ways to break it.
//! A [`Postgres`] is a database server of the test's own. [`Load`] asks the site without pause and reads every answer. [`wait_for`] is the only place that waits.
//!
//! A [`World`] is all of it at once, with `cutover serve` as a process ([`Service`]) between a
//! [`GitHub`](github::GitHub) and a host.
//! A [`Docker`] daemon and a [`Cluster`] of Kubernetes are real, and need root.
//! A [`machine::Machine`] is a host with real systemd that crashes and loses its cable; only root can have one.
//!
//! Whatever cannot be set up ends the test with a panic that shows why.

mod app;
mod balancer;
mod browser;
mod cache;
mod capistrano;
mod cluster;
mod command;
mod composer;
mod debian;
mod docker;
mod gate;
pub mod github;
pub mod gitlab;
mod host;
mod jobs;
mod line;
mod load;
pub mod machine;
mod picture;
mod postgres;
mod process;
mod relay;
mod repo;
mod service;
mod site;
mod talk;
mod trouble;
mod wait;
mod world;

pub use app::{Breakage, Files, SampleApp};
pub use balancer::Balancer;
pub use browser::{Browser, Shown};
pub use cache::{ci_client, peer};
pub use capistrano::Capistrano;
pub use cluster::Cluster;
pub use composer::ComposerRepo;
pub use debian::Debian;
pub use docker::{Docker, WORKER};
pub use host::{Cut, Daemon, Disk, FIRST, Host, HostOptions, Tools, Web, Worker};
pub use jobs::{JobRun, Jobs};
pub use load::{Judge, Load, LoadReport};
pub use postgres::Postgres;
pub use process::{Signal, signal, signal_group};
pub use relay::Relay;
pub use repo::Repo;
pub use service::{Service, program};
pub use site::Site;
pub use wait::wait_for;
pub use world::{REPOSITORY, Shared, World, WorldOptions, numbered};
