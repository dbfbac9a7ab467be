//! What a file says of runtimes.

use schemars::JsonSchema;
use serde::Deserialize;

use super::DURATION;
use crate::config::{Manager, RuntimeKind};

/// Something that serves the web beside PHP-FPM and must follow the release.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Runtime {
    /// What it is.
    #[schemars(required, example = &"octane")]
    pub(in crate::config) kind: Option<RuntimeKind>,
    /// Who starts its processes: `supervisor`, `systemd` or `systemd_user`. Default `supervisor`.
    #[schemars(extend("default" = "supervisor"))]
    pub(in crate::config) manager: Option<Manager>,
    /// The name of the supervisor program or group, or of the systemd unit; with `command` a name for output. Default with
    /// `apache` `apache2`, with `nginx` `nginx`.
    #[schemars(example = &"shop-octane")]
    pub(in crate::config) group: Option<String>,
    /// Processes that the manager starts, each with a port of its own, on each host with the role `web`. They are
    /// restarted one after another. Default 1.
    #[schemars(extend("default" = 1), range(min = 1, max = 100))]
    pub(in crate::config) expect: Option<u32>,
    /// How long all of it may take: 1s to 24h. What has not ended its requests by then is killed. Default `1m`.
    #[schemars(extend("default" = "1m", "pattern" = DURATION))]
    pub(in crate::config) timeout: Option<String>,
    /// Whether the manager is asked through `sudo -n`. Default true.
    #[schemars(extend("default" = true))]
    pub(in crate::config) sudo: Option<bool>,
    /// With `command`: the shell line that starts the new one.
    #[schemars(example = &"bin/server start")]
    pub(in crate::config) start: Option<String>,
    /// With `command`: the shell line that stops the old one, before `start`.
    #[schemars(example = &"bin/server stop")]
    pub(in crate::config) stop: Option<String>,
    /// A shell line that is tried until it succeeds, at most for `timeout`: proof that the release answers. Wanted for
    /// `command`.
    #[schemars(example = &"curl -fsS http://127.0.0.1:8000/health | grep -qF $CUTOVER_RELEASE")]
    pub(in crate::config) prove: Option<String>,
}
