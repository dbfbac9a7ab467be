//! The parts of a deployment.

use serde::{Deserialize, Serialize};

/// A part of a deployment that runs on several hosts at once and ends on all of them before the next begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Brings and prepares the release beside the live one.
    Stage,
    /// Changes the database.
    Migrate,
    /// Asks the new release in the live pool, before anybody else can.
    Warm,
    /// Where several hosts swap at once: starts workers of the release beside those of the one that is live.
    Start,
    /// The same: hosts leave a load balancer, and workers of the release that goes take no further job.
    Leave,
    /// Makes the release live and its processes follow.
    Switch,
    /// Asks the app how it is.
    Health,
    /// Has the hosts come back that left before their swap: to a load balancer, mostly.
    Rejoin,
    /// Asks the app how it is from outside, where the hosts of the wave have come back to.
    Outside,
    /// Goes on asking for a while.
    Watch,
    /// Marks the release healthy and removes old ones.
    Keep,
    /// Makes the previous release live again and its processes follow.
    Undo,
    /// Takes workers back that were started where nothing was swapped, and starts those again that were told to end.
    Recall,
    /// Asks the restored app how it is.
    UndoHealth,
    /// Rolls back what was migrated, where the environment wants that of a release that is taken back.
    MigrateBack,
    /// Has the hosts come back that left before their swap, whether they swapped or not.
    UndoRejoin,
    /// Asks the restored app from outside.
    UndoOutside,
    /// Takes away what was brought, when nothing was swapped.
    Abandon,
}

impl Phase {
    /// The word for it in output.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stage => "stage",
            Self::Warm => "warm",
            Self::Migrate => "migrate",
            Self::Start => "start",
            Self::Leave => "leave",
            Self::Switch => "switch",
            Self::Health => "health",
            Self::Rejoin => "rejoin",
            Self::Outside => "outside",
            Self::Watch => "watch",
            Self::Keep => "keep",
            Self::Undo => "undo",
            Self::Recall => "recall",
            Self::UndoHealth => "health after undo",
            Self::MigrateBack => "migrate back",
            Self::UndoRejoin => "rejoin after undo",
            Self::UndoOutside => "outside after undo",
            Self::Abandon => "abandon",
        }
    }

    /// Whether a wave of hosts swaps in it, or is proven.
    pub(super) fn is_of_a_wave(self) -> bool {
        matches!(
            self,
            Self::Start
                | Self::Leave
                | Self::Switch
                | Self::Health
                | Self::Rejoin
                | Self::Outside
                | Self::Watch
        )
    }

    /// Whether what was live before is brought back in it, or is proven.
    pub(super) fn goes_back(self) -> bool {
        matches!(
            self,
            Self::Undo | Self::Recall | Self::UndoHealth | Self::UndoRejoin | Self::UndoOutside
        )
    }
}
