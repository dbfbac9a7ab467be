//! The release pipeline of cutover.
//!
//! A door (the service, the command line, the action) hands over a [`DeployRequest`] and an [`Artifact`]. What follows
//! is decided by pure functions: hosts are asked for [`facts`], [`plan`] makes a plan of them or refuses, and
//! [`machine`] says after every report what comes next. `run` is the driver: it asks the machine, runs constant shell
//! scripts on hosts, reports back, and decides nothing.
//!
//! The crate knows no forge, no HTTP, no database, no CI and no environment variable. Without the feature `run` it has
//! no tokio and no openssh either; that build is the proof.

mod artifact;
mod clock;
mod event;
mod hold;
mod layout;
mod matrix;
mod names;
mod outcome;
mod request;
mod under_way;

pub mod alarms;
pub mod config;
pub mod doctor;
pub mod draft;
pub mod facts;
pub mod health;
#[cfg(feature = "run")]
mod host;
pub mod machine;
pub mod migrations;
pub mod plan;
pub mod pool;
#[cfg(feature = "run")]
pub mod run;
pub mod script;
#[cfg(feature = "run")]
pub mod source;
mod text;

pub use artifact::{Artifact, Part};
pub use clock::now;
pub use config::Config;
pub use event::Event;
pub use hold::Hold;
pub use layout::Layout;
pub use matrix::Matrix;
pub use names::{
    AppName, BadName, CommitSha, DatabaseName, DeploymentId, Digest, EnvironmentName, HostName,
    ReleaseId,
};
pub use outcome::{Failure, LeftOver, Outcome};
pub use request::{DeployRequest, Kind};
pub use under_way::UnderWay;
