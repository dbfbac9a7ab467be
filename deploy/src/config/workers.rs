//! Groups of worker processes: who manages them, and how they follow a release.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::containers::{Containers, MadeFor};

/// A group of worker processes and how it follows a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workers {
    /// Who starts and ends them. Default supervisor.
    pub manager: Manager,
    /// The name of the group in its manager: `app-worker`.
    pub group: String,
    /// Processes that must run the release in the end. Default 1.
    pub expect: u32,
    /// How the old ones end.
    pub hand_over: HandOver,
    /// How long old ones may finish their job. Default 60 s.
    pub drain_timeout: Duration,
    /// What is done with those that have not finished by then.
    pub after_drain: AfterDrain,
    /// Whether the manager is asked through `sudo -n`. Default true.
    pub sudo: bool,
    /// A text in the command line of the processes, where no manager lists them.
    pub process: Option<String>,
    /// The user's line that starts workers, for [`Manager::Command`].
    pub start: Option<String>,
    /// The user's line that asks workers to end, for [`Manager::Command`]. Without it each gets TERM.
    pub end: Option<String>,
    /// What they are made of, where they are containers.
    pub containers: Option<Containers>,
}

/// Who starts workers and ends them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Manager {
    /// A supervisor group. The default.
    Supervisor,
    /// Units of systemd.
    Systemd,
    /// Units of the deploy user's own systemd.
    SystemdUser,
    /// Laravel Horizon, which its own manager starts again.
    Horizon,
    /// Nobody that could be asked: workers that `artisan queue:restart` reaches, and that something starts again.
    QueueRestart,
    /// The user's own lines.
    Command,
    /// Containers of plain Docker.
    Docker,
    /// Containers of a service of Docker Compose.
    Compose,
    /// Pods of a Deployment of Kubernetes.
    Kubernetes,
}

/// How workers of a release take over from older ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HandOver {
    /// New ones start beside the old ones before the swap; after it the old ones finish their job in the background.
    Overlap,
    /// Asked to end after the swap: each finishes its job and its manager starts it anew on `current`.
    Drain,
    /// Restarted by the manager, which kills a job that outlasts its patience.
    Restart,
}

/// What is done with workers that outlast the drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AfterDrain {
    /// The deployment fails and goes back. The default, but for [`HandOver::Overlap`].
    Fail,
    /// They are killed; their job is lost or retried, as the queue decides.
    Force,
    /// They are left to finish, and named in the output.
    Keep,
}

impl Manager {
    /// The word for it in a file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Supervisor => "supervisor",
            Self::Systemd => "systemd",
            Self::SystemdUser => "systemd_user",
            Self::Horizon => "horizon",
            Self::QueueRestart => "queue_restart",
            Self::Command => "command",
            Self::Docker => "docker",
            Self::Compose => "compose",
            Self::Kubernetes => "kubernetes",
        }
    }

    /// The hand-overs that its recipe knows.
    pub(super) fn hand_overs(self) -> &'static [HandOver] {
        match self {
            Self::Supervisor | Self::Systemd | Self::SystemdUser => {
                &[HandOver::Overlap, HandOver::Drain, HandOver::Restart]
            }
            Self::Horizon | Self::QueueRestart => &[HandOver::Drain],
            Self::Command => &[HandOver::Overlap, HandOver::Drain],
            // A container has its release for life.
            Self::Docker | Self::Compose | Self::Kubernetes => &[HandOver::Overlap],
        }
    }

    /// What stands where a file says nothing.
    pub(super) fn usual(self) -> HandOver {
        match self.hand_overs() {
            [only] => *only,
            _ => super::defaults::WORKERS_HAND_OVER,
        }
    }

    /// Whether it is asked through sudo where a file says nothing.
    pub(super) fn usually_by_sudo(self) -> bool {
        // A cluster is reached by a file of the user's own.
        self != Self::Kubernetes && super::defaults::WORKERS_SUDO
    }

    /// What stands in the command line of its processes; `None` where it lists them itself or a file must say it.
    pub(super) fn process(self) -> Option<&'static str> {
        match self {
            Self::Horizon => Some("artisan horizon"),
            Self::QueueRestart => Some("artisan queue:work"),
            _ => None,
        }
    }

    /// Whether its processes are known by their command line.
    pub(super) fn looks_at_command_lines(self) -> bool {
        self == Self::Command || self.process().is_some()
    }
}

impl HandOver {
    /// The word for it in a file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Overlap => "overlap",
            Self::Drain => "drain",
            Self::Restart => "restart",
        }
    }
}

impl AfterDrain {
    /// The word for it in a file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Force => "force",
            Self::Keep => "keep",
        }
    }

    /// What stands where a file says nothing: with an overlap nobody waits for old workers.
    pub(super) fn usual(hand_over: HandOver) -> Self {
        match hand_over {
            HandOver::Overlap => Self::Keep,
            HandOver::Drain | HandOver::Restart => Self::Fail,
        }
    }
}

impl Workers {
    /// The command that shows a reader what its manager knows.
    #[cfg(feature = "run")]
    pub(crate) fn look(&self) -> String {
        let group = &self.group;
        match self.manager {
            Manager::Supervisor => "supervisorctl status".to_owned(),
            Manager::Systemd => format!("systemctl list-units --all '{group}*'"),
            Manager::SystemdUser => format!("systemctl --user list-units --all '{group}*'"),
            Manager::Horizon | Manager::QueueRestart | Manager::Command => "ps ax".to_owned(),
            Manager::Docker | Manager::Compose => "docker ps --all".to_owned(),
            Manager::Kubernetes => format!("kubectl describe deployment {group}"),
        }
    }

    /// The file that tells what its manager has to allow.
    #[cfg(feature = "run")]
    pub(crate) fn needs(&self) -> &'static str {
        match self.manager {
            Manager::Docker | Manager::Compose | Manager::Kubernetes => "docs/containers.md",
            _ => "templates/sudoers",
        }
    }

    /// What the recipe of its manager gets beside group and sudo: `key value`, a line each.
    pub(crate) fn settings(&self) -> String {
        let mut lines = vec![format!("hand_over {}", self.hand_over.word())];
        let given = [
            ("process", &self.process),
            ("start", &self.start),
            ("end", &self.end),
        ];
        let given = given
            .into_iter()
            .filter_map(|(key, value)| Some(format!("{key} {}", value.as_ref()?)));
        lines.extend(given);
        if let Some(containers) = &self.containers {
            lines.push(format!("grace {}", self.drain_timeout.as_secs()));
            lines.extend(containers.found_by());
        }
        lines.join("\n")
    }

    /// The same, with all that it needs to make those of one release.
    pub(crate) fn settings_for(&self, made: MadeFor<'_>) -> String {
        let made = self.containers.iter().flat_map(|all| all.made_by(made));
        let lines: Vec<_> = [self.settings()].into_iter().chain(made).collect();
        lines.join("\n")
    }
}
