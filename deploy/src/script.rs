//! The shell scripts that run on hosts. Each is a constant file, run as `sh -euc SCRIPT NAME ARGUMENT…`: values are only
//! ever arguments, so no value can become shell text.

mod manager;

#[cfg(feature = "run")]
pub(crate) use manager::running;
pub use manager::{recipe, server_recipe};

/// Takes and holds the lease of a host.
pub const LEASE: &str = include_str!("script/lease.sh");
/// Tells what a holder that is gone left running on a host, and how it ended.
pub const OUTLIVED: &str = include_str!("script/outlived.sh");
/// Tells what is true on a host.
pub const PROBE: &str = include_str!("script/probe.sh");
/// Tells what a host offers, and what another tool left; an argument of [`PROBE`].
pub const AROUND: &str = include_str!("script/around.sh");
/// Runs steps that only prepare, and ends them when nobody waits any more.
pub const GUARD: &str = include_str!("script/guard.sh");
/// Runs steps that change what is live to their end.
pub const FINISH: &str = include_str!("script/finish.sh");
/// Runs steps one after another under the fence.
pub const STEPS: &str = include_str!("script/steps.sh");
/// Lists the migrations of the live release.
pub const MIGRATIONS: &str = include_str!("script/migrations.sh");
/// Tells how a segment ended whose line was lost.
pub const ENDED: &str = include_str!("script/ended.sh");
/// Places or lifts a hold.
pub const HOLD: &str = include_str!("script/hold.sh");
/// Answers for PHP-FPM, in the live pool, while the lease is held.
pub const ASK: &str = include_str!("script/ask.php");
/// Waits to hear which script it is.
pub const LANE: &str = include_str!("script/lane.sh");
/// Asks the app how it is.
pub const HEALTH: &str = include_str!("script/health.sh");

/// Tells what a host has that a `cutover.toml` speaks of.
pub const LOOK: &str = include_str!("script/look.sh");
/// Counts the requests in an access log.
pub const ACCESS_LOG: &str = include_str!("script/access-log.sh");
/// Asks the app how its queue stands.
pub const QUEUE_ASK: &str = include_str!("script/queue.sh");
/// The script of the app's own language that does; an argument of [`QUEUE_ASK`].
pub const QUEUE_PHP: &str = include_str!("script/queue.php");
/// Runs a script that may take only so long.
pub const BOUNDED: &str = include_str!("script/bounded.sh");
/// What the doctor asks a host: of the machine and the app's files, …
pub const DOCTOR_HOST: &str = include_str!("script/doctor/host.sh");
/// … of rights under sudo, …
pub const DOCTOR_RIGHTS: &str = include_str!("script/doctor/rights.sh");
/// … of workers and their supervisor, …
pub const DOCTOR_PROCESSES: &str = include_str!("script/doctor/processes.sh");
/// … or of the units that systemd has for them, …
pub const DOCTOR_UNITS: &str = include_str!("script/doctor/units.sh");
/// … and of what they do with signals, and which units have those that no manager lists, …
pub const DOCTOR_OWNERS: &str = include_str!("script/doctor/owners.sh");
/// … of the PHP of the command line, by [`DOCTOR_APP`], …
pub const DOCTOR_PHP: &str = include_str!("script/doctor/php.sh");
/// … which tells of the app, …
pub const DOCTOR_APP: &str = include_str!("script/doctor/app.php");
/// … of the web server, …
pub const DOCTOR_WEB: &str = include_str!("script/doctor/web.sh");
/// … of containers, …
pub const DOCTOR_CONTAINERS: &str = include_str!("script/doctor/containers.sh");
/// … of cron, …
pub const DOCTOR_CRON: &str = include_str!("script/doctor/cron.sh");
/// … of PHP-FPM, by [`ASK`] in its pool, …
pub const DOCTOR_ANSWERS: &str = include_str!("script/doctor/answers.sh");
/// … and whether it runs at all.
pub const DOCTOR_FPM: &str = include_str!("script/doctor/fpm.sh");

/// Runs a shell line of the user's; an argument of the scripts that do something around one.
pub const LINE: &str = include_str!("script/line.sh");

/// A script that is a step of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    /// Makes the folder of a release from the artifact.
    Unpack,
    /// Links what all releases share.
    Link,
    /// Runs a shell line of the user's.
    Line,
    /// The same, and says so where it fails.
    LineIfPossible,
    /// Runs a shell line that changes the database, and keeps what it tells to have migrated.
    Migrate,
    /// Runs a shell line that rolls that back.
    MigrateBack,
    /// Keeps where a release stands.
    Mark,
    /// The same, and says so where it cannot.
    MarkIfPossible,
    /// Makes a release live.
    Swap,
    /// Takes the first release of a host back.
    Withdraw,
    /// Reloads PHP-FPM.
    Fpm,
    /// Reloads a web server, and proves that it did.
    Reload,
    /// Runs a shell line of the user's until it succeeds.
    Prove,
    /// Makes workers that run what `current` leads to follow a release.
    Workers,
    /// Has servers that keep the app in memory follow a release, one after another.
    Servers,
    /// Runs another script for a while, and says so where it does not come to its end.
    Soon,
    /// Starts workers of a release beside all others.
    WorkersStart,
    /// Has workers of other releases take no further job until they are told to end.
    WorkersPause,
    /// Has workers that pause take jobs again.
    WorkersResume,
    /// Ends all workers that were started for other releases.
    WorkersEnd,
    /// Proves that a release has its workers.
    WorkersProve,
    /// Takes back what was begun with workers of a release.
    WorkersRestore,
    /// Names what else runs on older releases.
    Older,
    /// Removes releases.
    Prune,
    /// Fails where a file cannot be read that will be watched.
    Readable,
    /// Takes away what was brought and not made live.
    Clean,
}

impl Script {
    /// The text of the script.
    pub fn text(self) -> &'static str {
        match self {
            Self::Unpack => include_str!("script/unpack.sh"),
            Self::Link => include_str!("script/link.sh"),
            Self::Line => LINE,
            Self::LineIfPossible => include_str!("script/line-if-possible.sh"),
            Self::Migrate => include_str!("script/migrate.sh"),
            Self::MigrateBack => include_str!("script/migrate-back.sh"),
            Self::Mark => include_str!("script/mark.sh"),
            Self::MarkIfPossible => include_str!("script/mark-if-possible.sh"),
            Self::Swap => include_str!("script/swap.sh"),
            Self::Withdraw => include_str!("script/withdraw.sh"),
            Self::Fpm => include_str!("script/fpm.sh"),
            Self::Reload => include_str!("script/reload.sh"),
            Self::Prove => include_str!("script/prove.sh"),
            Self::Workers => include_str!("script/workers.sh"),
            Self::Servers => include_str!("script/servers.sh"),
            Self::Soon => include_str!("script/soon.sh"),
            Self::WorkersStart => include_str!("script/workers-start.sh"),
            Self::WorkersPause => include_str!("script/workers-pause.sh"),
            Self::WorkersResume => include_str!("script/workers-resume.sh"),
            Self::WorkersEnd => include_str!("script/workers-end.sh"),
            Self::WorkersProve => include_str!("script/workers-prove.sh"),
            Self::WorkersRestore => include_str!("script/workers-restore.sh"),
            Self::Older => include_str!("script/older.sh"),
            Self::Prune => include_str!("script/prune.sh"),
            Self::Readable => include_str!("script/readable.sh"),
            Self::Clean => include_str!("script/clean.sh"),
        }
    }
}

/// The script that lists workers; an argument of [`Script::Workers`] and its like, and of a look at a host.
pub const ROSTER: &str = include_str!("script/roster.sh");

/// The script that tells and keeps what is proven of workers; an argument of [`Script::Workers`] and its like.
pub const PROOF: &str = include_str!("script/proof.sh");

#[cfg(test)]
mod tests;
