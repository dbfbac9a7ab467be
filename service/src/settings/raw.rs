//! What `service.toml` says, word for word. Nothing here is checked beyond its shape.

use std::path::PathBuf;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) listen: Option<String>,
    pub(super) public_url: Option<String>,
    pub(super) data_dir: Option<PathBuf>,
    #[serde(default)]
    pub(super) github: GitHub,
    #[serde(default)]
    pub(super) gitlab: GitLab,
    #[serde(default)]
    pub(super) chat: Chat,
    #[serde(default)]
    pub(super) pages: Pages,
    #[serde(default)]
    pub(super) apps: Vec<App>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Chat {
    pub(super) prefixes: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pages {
    pub(super) token_file: Option<PathBuf>,
}

#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GitHub {
    pub(super) webhook_secret_file: Option<PathBuf>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) app_id: Option<u64>,
    pub(super) private_key_file: Option<PathBuf>,
    pub(super) api_url: Option<String>,
}

#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GitLab {
    pub(super) webhook_token_file: Option<PathBuf>,
    pub(super) signing_secret_file: Option<PathBuf>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) api_url: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct App {
    pub(super) config: PathBuf,
    pub(super) ssh_key: Option<PathBuf>,
    pub(super) known_hosts: Option<PathBuf>,
    pub(super) ssh_config: Option<PathBuf>,
    pub(super) git_url: Option<String>,
}
