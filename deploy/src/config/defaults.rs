//! The values of keys that a file leaves out and no recipe gives.

use std::time::Duration;

use super::{
    Destructive, FpmAction, HandOver, Manager, OnRollback, Recipe, Sandbox, Strategy, Then, Through,
};

pub(super) const RECIPE: Recipe = Recipe::None;

pub(super) const BUILD_TIMEOUT: Duration = Duration::from_mins(15);
pub(super) const BUILD_SANDBOX: Sandbox = Sandbox::Auto;

pub(super) const KEEP_RELEASES: u32 = 5;
pub(super) const KEEP_FAILED: u32 = 1;
pub(super) const LOCK_WAIT: Duration = Duration::from_mins(10);
pub(super) const STEP_TIMEOUT: Duration = Duration::from_mins(15);
pub(super) const STRATEGY: Strategy = Strategy::All;
pub(super) const BATCH: u32 = 1;
pub(super) const WATCH: Duration = Duration::ZERO;
pub(super) const ALARMS_INTERVAL: Duration = Duration::from_secs(10);
pub(super) const ALARMS_TIMES: u32 = 2;
pub(super) const ALARM_THEN: Then = Then::RollBack;
pub(super) const ACCESS_LOG_PERCENT: u32 = 5;
pub(super) const ACCESS_LOG_REQUESTS: u32 = 50;
pub(super) const QUEUE_OVERDUE: u32 = 0;
pub(super) const DESTRUCTIVE: Destructive = Destructive::Refuse;
pub(super) const ON_ROLLBACK: OnRollback = OnRollback::Keep;
pub(super) const DATABASE: &str = "default";
pub(super) const SSH_PORT: u16 = 22;

pub(super) const HEALTH_ATTEMPTS: u32 = 10;
pub(super) const HEALTH_INTERVAL: Duration = Duration::from_secs(2);
pub(super) const HEALTH_TIMEOUT: Duration = Duration::from_secs(5);
pub(super) const HEALTH_STATUS: u16 = 200;
pub(super) const HEALTH_THROUGH: Through = Through::Web;

pub(super) const WORKERS_MANAGER: Manager = Manager::Supervisor;
pub(super) const WORKERS_EXPECT: u32 = 1;
pub(super) const WORKERS_HAND_OVER: HandOver = HandOver::Drain;
pub(super) const WORKERS_DRAIN_TIMEOUT: Duration = Duration::from_mins(1);
pub(super) const WORKERS_SUDO: bool = true;

pub(super) const FPM_SCRIPT: &str = "public/index.php";
pub(super) const FPM_SUDO: bool = true;

/// What is done to PHP-FPM after a swap, by whether its pool can be asked.
pub(super) fn fpm_after_swap(pool: bool) -> FpmAction {
    if pool {
        FpmAction::Auto
    } else {
        FpmAction::Nothing
    }
}
