//! How GitLab is heard and spoken to, by the operator's word.

use secrecy::{ExposeSecret as _, SecretString};

use super::secret::Place;
use super::{Check, SHORTEST_WEBHOOK_SECRET, raw};
use crate::forge::gitlab::hook::signing_key;

const DEFAULT_API: &str = "https://gitlab.com/api/v4";
/// The shortest key that the format of signing secrets allows, in bytes.
const SHORTEST_SIGNING_KEY: usize = 24;

/// How GitLab is heard and spoken to.
#[derive(Debug, Clone)]
pub struct GitLab {
    /// How a delivery is proven.
    pub hook: HookSecrets,
    /// A project, group or personal access token.
    pub token: SecretString,
    /// The REST API. Default `https://gitlab.com/api/v4`.
    pub api_url: String,
}

/// How a delivery of GitLab's is proven; at least one of the lists is not empty.
#[derive(Debug, Clone)]
pub struct HookSecrets {
    /// Any of these may be a delivery's `X-Gitlab-Token`. They count only while there is no signing secret.
    pub tokens: Vec<SecretString>,
    /// Any of these, `whsec_…`, may have signed a delivery.
    pub signing: Vec<SecretString>,
}

impl Check<'_> {
    pub(super) fn gitlab(&mut self, raw: &raw::GitLab) -> Option<GitLab> {
        let tokens = self.hook_secrets(
            "gitlab.webhook_token_file",
            "CUTOVER_GITLAB_WEBHOOK_TOKEN",
            "webhook token of GitLab",
            raw.webhook_token_file.as_deref(),
        );
        let signing = self.hook_secrets(
            "gitlab.signing_secret_file",
            "CUTOVER_GITLAB_SIGNING_SECRET",
            "signing secret of GitLab's webhook",
            raw.signing_secret_file.as_deref(),
        );
        let hook = tokens
            .zip(signing)
            .map(|(tokens, signing)| HookSecrets { tokens, signing });
        if let Some(hook) = &hook {
            self.sound(hook);
        }
        let api_url = raw.api_url.as_deref().unwrap_or(DEFAULT_API);
        let api_url = self.url("gitlab.api_url", api_url);
        let token = Place {
            key: "gitlab.token_file",
            variable: "CUTOVER_GITLAB_TOKEN",
            what: "token for GitLab",
            file: raw.token_file.as_deref(),
        };
        let token = self
            .lines(&token)
            .and_then(|lines| lines.into_iter().next());
        Some(GitLab {
            hook: hook?,
            token: token?,
            api_url: api_url?,
        })
    }

    /// The lines of a secret that may be absent.
    fn hook_secrets(
        &mut self,
        key: &'static str,
        variable: &'static str,
        what: &'static str,
        file: Option<&std::path::Path>,
    ) -> Option<Vec<SecretString>> {
        if file.is_none() && (self.variable)(variable).is_none() {
            return Some(Vec::new());
        }
        self.lines(&Place {
            key,
            variable,
            what,
            file,
        })
    }

    fn sound(&mut self, hook: &HookSecrets) {
        if hook.tokens.is_empty() && hook.signing.is_empty() {
            self.problem(
                "nothing proves what GitLab sends: set `gitlab.signing_secret_file = \"…\"` or \
                 `gitlab.webhook_token_file = \"…\"`"
                    .to_owned(),
            );
        }
        let short = |secret: &SecretString| secret.expose_secret().len() < SHORTEST_WEBHOOK_SECRET;
        if hook.tokens.iter().any(short) {
            self.problem(format!(
                "a webhook token of GitLab is shorter than {SHORTEST_WEBHOOK_SECRET} characters: make one with \
                 `openssl rand -hex 32`"
            ));
        }
        let odd = |secret: &SecretString| {
            signing_key(secret).is_none_or(|key| key.len() < SHORTEST_SIGNING_KEY)
        };
        if hook.signing.iter().any(odd) {
            self.problem(
                "a signing secret of GitLab is not `whsec_` and base64: copy it from the webhook's page".to_owned(),
            );
        }
    }

    fn lines(&mut self, place: &Place<'_>) -> Option<Vec<SecretString>> {
        let file = place.file.map(|file| self.path(file));
        let place = Place {
            file: file.as_deref(),
            ..*place
        };
        let lines = place.lines(self.variable);
        self.secret_files.extend(file.clone());
        lines.map_err(|problem| self.problem(problem)).ok()
    }
}
