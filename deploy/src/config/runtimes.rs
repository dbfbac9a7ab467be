//! What serves the web beside PHP-FPM, and how it follows a release.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Manager, Workers};

/// Something that serves the web beside PHP-FPM, and how it follows a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runtime {
    /// What it is.
    pub kind: RuntimeKind,
    /// How it is made to follow.
    pub follows: Following,
    /// How long that may take; whoever has not ended its requests by then is killed. Default 1 minute.
    pub timeout: Duration,
    /// The user's line that must succeed in the end.
    pub prove: Option<String>,
}

/// What a runtime is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuntimeKind {
    /// Laravel Octane on Swoole, `RoadRunner` or `FrankenPHP`.
    Octane,
    /// Laravel Reverb.
    Reverb,
    /// `pulse:check` or `pulse:work` of Laravel Pulse.
    Pulse,
    /// A program that renders pages on the server, as that of Inertia.
    Ssr,
    /// Apache, which takes up its configuration anew.
    Apache,
    /// nginx, which does the same.
    Nginx,
    /// The user's own lines.
    Command,
}

/// How a runtime is made to follow a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Following {
    /// Its processes are ended one after another, and their manager starts them on `current`.
    Restarted(Workers),
    /// The systemd unit is reloaded.
    Reloaded {
        /// The unit.
        service: String,
        /// Whether systemd is asked through `sudo -n`. Default true.
        sudo: bool,
    },
    /// Lines of the user's run.
    Lines {
        /// A name for output.
        name: String,
        /// Ends the old one.
        stop: Option<String>,
        /// Starts the new one.
        start: Option<String>,
    },
}

impl RuntimeKind {
    /// The word for it in a file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Octane => "octane",
            Self::Reverb => "reverb",
            Self::Pulse => "pulse",
            Self::Ssr => "ssr",
            Self::Apache => "apache",
            Self::Nginx => "nginx",
            Self::Command => "command",
        }
    }

    /// Whether its processes are ended and started anew.
    pub(crate) fn restarts(self) -> bool {
        !matches!(self, Self::Apache | Self::Nginx | Self::Command)
    }

    /// Whether one of its processes counts as up only when it takes connections.
    pub(crate) fn listens(self) -> bool {
        matches!(self, Self::Octane | Self::Reverb | Self::Ssr)
    }

    /// The systemd unit that is reloaded where a file says nothing.
    pub(super) fn unit(self) -> Option<&'static str> {
        match self {
            Self::Apache => Some("apache2"),
            Self::Nginx => Some("nginx"),
            _ => None,
        }
    }

    /// Whether an `artisan` command makes a process of its kind.
    pub(crate) fn is_run_by(self, command: &str) -> bool {
        match self {
            Self::Octane => command.starts_with("octane:") && command != "octane:reload",
            Self::Reverb => command == "reverb:start",
            Self::Pulse => matches!(command, "pulse:check" | "pulse:work"),
            Self::Ssr => command == "inertia:start-ssr",
            Self::Apache | Self::Nginx | Self::Command => false,
        }
    }
}

impl Runtime {
    /// Its group, its unit or its name.
    pub fn name(&self) -> &str {
        match &self.follows {
            Following::Restarted(processes) => &processes.group,
            Following::Reloaded { service, .. } => service,
            Following::Lines { name, .. } => name,
        }
    }

    /// Its processes, where they have a manager that lists them.
    pub fn processes(&self) -> Option<&Workers> {
        match &self.follows {
            Following::Restarted(processes) => Some(processes),
            Following::Reloaded { .. } | Following::Lines { .. } => None,
        }
    }

    /// How long one of its processes may take to end: each in turn, and as long for all of them to come up.
    pub(crate) fn share(&self) -> Duration {
        let processes = self.processes().map_or(1, |processes| processes.expect);
        self.timeout / (processes + 1)
    }

    /// What the recipe of its manager gets beside group and sudo: `key value`, a line each.
    pub(crate) fn settings(&self) -> String {
        let given = self.processes().map(Workers::settings).unwrap_or_default();
        let grace = self.share().as_secs();
        let listens = if self.kind.listens() {
            "\nlistens yes"
        } else {
            ""
        };
        format!("{given}{listens}\ngrace {grace}")
    }
}

impl Manager {
    /// Whether it can have runtimes: it lists their processes and starts them again.
    pub(super) fn has_runtimes(self) -> bool {
        matches!(self, Self::Supervisor | Self::Systemd | Self::SystemdUser)
    }
}
