//! Tables of a file that say what containers are made of.

use schemars::JsonSchema;
use serde::Deserialize;

const COMMAND: &[&str] = &["php", "artisan", "queue:work"];
const OPTIONS: &[&str] = &["--network=host"];

/// With `docker`: what its containers are made of.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Docker {
    /// The image; `{commit}` and `{release}` stand for the release's own. One without them gets the folder of the
    /// release, and `shared`, at their own paths.
    #[schemars(required, example = &"registry.example.com/shop:{commit}")]
    pub(in super::super) image: Option<String>,
    /// The words of the command. Without it the image's own.
    #[schemars(example = COMMAND)]
    pub(in super::super) command: Option<Vec<String>>,
    /// Options of `docker create`. Default none.
    #[schemars(example = OPTIONS)]
    pub(in super::super) options: Option<Vec<String>>,
}

/// With `compose`: where its service, the group, is found.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Compose {
    /// The Compose file: absolute, or from the folder of the release on. Default `compose.yaml`.
    #[schemars(extend("default" = "compose.yaml"))]
    pub(in super::super) file: Option<String>,
    /// The name of the Compose project.
    #[schemars(required, example = &"shop")]
    pub(in super::super) project: Option<String>,
}

/// With `kubernetes`: where its Deployment, the group, is found.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Kubernetes {
    /// The namespace.
    #[schemars(required, example = &"shop")]
    pub(in super::super) namespace: Option<String>,
    /// The container of its pods that is the worker. Default: the group.
    pub(in super::super) container: Option<String>,
    /// The image of a release; `{commit}` or `{release}` stands in it. Without it the pods are started anew with the image
    /// that they have.
    #[schemars(example = &"registry.example.com/shop:{commit}")]
    pub(in super::super) image: Option<String>,
}
