//! `service.toml`: the operator's word on apps, forges, secrets and keys.
//!
//! Raw text becomes valid settings in one step that tells every problem at once. Nothing below this file reads the
//! environment.

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cutover_deploy::Config;
use cutover_deploy::config::ForgeKind;
use cutover_deploy::run::{Access, Kept};
use cutover_outside::Web;
use secrecy::{ExposeSecret as _, SecretString};

mod gitlab;
mod pages;
mod raw;
mod secret;

#[cfg(test)]
mod tests;

use crate::chat::Prefixes;
pub use gitlab::{GitLab, HookSecrets};
pub use pages::Pages;
use secret::Place;

const DEFAULT_LISTEN: &str = "127.0.0.1:8787";
const DEFAULT_API: &str = "https://api.github.com";
/// Below this a secret can be guessed; GitHub's own advice is a long random string.
const SHORTEST_WEBHOOK_SECRET: usize = 16;
/// Connections to hosts stay open for so long after a deployment, for the next one.
const KEEP_CONNECTIONS: Duration = Duration::from_mins(5);

/// Everything the service needs to run. Valid by construction.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where HTTP is served. Default `127.0.0.1:8787`; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How people and forges reach the service, without a trailing slash; `http://<listen>` when absent.
    pub public_url: Option<String>,
    /// The folder of the service's own: ledger, mirrors, builds. Made when absent.
    pub data_dir: PathBuf,
    /// How GitHub is heard and spoken to; absent when no app is there.
    pub github: Option<GitHub>,
    /// How GitLab is heard and spoken to; absent when no app is there.
    pub gitlab: Option<GitLab>,
    /// What lines in comments must begin with to be commands; what is usual on each forge when absent.
    pub chat: Option<Vec<String>>,
    /// Who may read pages and JSON.
    pub pages: Pages,
    /// What may be deployed, at least one.
    pub apps: Vec<App>,
    /// Every file that holds a secret or a key; build steps must not see their folders.
    pub secret_files: Vec<PathBuf>,
}

/// How GitHub is heard and spoken to.
#[derive(Debug, Clone)]
pub struct GitHub {
    /// Any of these may have signed a delivery; never empty.
    pub webhook_secrets: Vec<SecretString>,
    /// Who the service is at GitHub.
    pub login: Login,
    /// The REST API. Default `https://api.github.com`; `https://<host>/api/v3` for GitHub Enterprise Server.
    pub api_url: String,
}

/// Who the service is at GitHub.
#[derive(Debug, Clone)]
pub enum Login {
    /// A personal or machine user's token.
    Token(SecretString),
    /// A GitHub App.
    App {
        /// The App's id.
        id: u64,
        /// Its private key, PEM.
        private_key: SecretString,
    },
}

/// One app, as the operator allows it.
#[derive(Debug, Clone)]
pub struct App {
    /// Its `cutover.toml`.
    pub config: Config,
    /// The file that the configuration was read from.
    pub file: PathBuf,
    /// How its hosts are reached.
    pub access: Access,
    /// What git fetches from, when it is not the forge's own URL of the repository.
    pub git_url: Option<String>,
}

/// What is wrong with the settings, a line each. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadSettings {
    /// The settings file.
    pub file: PathBuf,
    /// What is wrong and what to write.
    pub problems: Vec<String>,
}

impl std::error::Error for BadSettings {}

impl fmt::Display for BadSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be used", self.file.display())?;
        for problem in &self.problems {
            write!(f, "\n  {}", problem.replace('\n', "\n    "))?;
        }
        Ok(())
    }
}

impl Settings {
    /// Reads `file` and everything it names. Relative paths are taken from the folder of `file`.
    pub fn load(file: &Path) -> Result<Self, BadSettings> {
        Self::load_with(file, &|name| std::env::var(name).ok())
    }

    /// The folder of the ledger; nothing but the service looks into it.
    pub fn ledger_dir(&self) -> PathBuf {
        self.data_dir.join("ledger")
    }

    /// What lines in comments must begin with on a forge.
    pub fn prefixes(&self, forge: ForgeKind) -> Prefixes {
        match &self.chat {
            Some(all) => Prefixes::new(forge, all.clone()),
            None => Prefixes::usual(forge),
        }
    }

    /// As [`load`](Self::load), with the environment given as a function.
    pub fn load_with(
        file: &Path,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, BadSettings> {
        let bad = |problems| BadSettings {
            file: file.to_owned(),
            problems,
        };
        let text = fs::read_to_string(file).map_err(|error| {
            bad(vec![format!(
                "cannot be read: {error}: name the file with `--config`, or begin with a copy of templates/service.toml"
            )])
        })?;
        let raw: raw::Settings =
            toml::from_str(&text).map_err(|error| bad(vec![unread(&text, &error)]))?;
        let folder = file.parent().unwrap_or(Path::new(""));
        let mut check = Check {
            folder,
            variable,
            problems: Vec::new(),
            secret_files: Vec::new(),
        };
        let settings = check.settings(raw);
        match settings {
            Some(settings) if check.problems.is_empty() => Ok(settings),
            _ => Err(bad(check.problems)),
        }
    }
}

/// What is wrong with the text and where, without the text: a secret may stand there by mistake.
fn unread(text: &str, error: &toml::de::Error) -> String {
    let message = error.message();
    // `invalid type: string "…", expected u64` shows the value too.
    let message = match (message.split_once(": "), message.rsplit_once(", expected ")) {
        (Some((what, _)), Some((_, expected))) if what.starts_with("invalid ") => {
            format!("{what}, expected {expected}")
        }
        _ => message.to_owned(),
    };
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else {
        return message;
    };
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    format!("line {line}, column {column}: {message}")
}

/// Collects problems while raw settings become valid ones.
struct Check<'a> {
    folder: &'a Path,
    variable: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<String>,
    secret_files: Vec<PathBuf>,
}

impl Check<'_> {
    fn settings(&mut self, raw: raw::Settings) -> Option<Settings> {
        let listen = self.listen(raw.listen.as_deref().unwrap_or(DEFAULT_LISTEN));
        let public_url = raw.public_url.and_then(|url| self.url("public_url", &url));
        let data_dir = if let Some(dir) = raw.data_dir {
            Some(self.path(&dir))
        } else {
            self.problem("no data_dir: set `data_dir = \"/var/lib/cutover\"`".to_owned());
            None
        };
        let chat = self.chat(raw.chat);
        let pages = self.pages(raw.pages);
        let before = std::mem::take(&mut self.problems);
        let apps = self.apps(raw.apps);
        let of_apps = std::mem::replace(&mut self.problems, before);
        let on = |forge| apps.iter().any(|app| app.config.repository.forge == forge);
        // A forge is needed when an app is there, and checked when anything is said about it.
        let github = (on(ForgeKind::GitHub) || raw.github != raw::GitHub::default())
            .then(|| self.github(raw.github));
        let gitlab = (on(ForgeKind::GitLab) || raw.gitlab != raw::GitLab::default())
            .then(|| self.gitlab(&raw.gitlab));
        self.problems.extend(of_apps);
        Some(Settings {
            listen: listen?,
            public_url,
            data_dir: data_dir?,
            github: github.map_or(Some(None), |github| github.map(Some))?,
            gitlab: gitlab.map_or(Some(None), |gitlab| gitlab.map(Some))?,
            chat,
            pages,
            apps,
            secret_files: std::mem::take(&mut self.secret_files),
        })
    }

    fn github(&mut self, raw: raw::GitHub) -> Option<GitHub> {
        let webhook_secrets = self.secret(
            "github.webhook_secret_file",
            raw.webhook_secret_file.as_deref(),
        );
        if let Some(secrets) = &webhook_secrets
            && secrets
                .iter()
                .any(|s| s.expose_secret().len() < SHORTEST_WEBHOOK_SECRET)
        {
            self.problem(format!(
                "a webhook secret is shorter than {SHORTEST_WEBHOOK_SECRET} characters: make one with `openssl rand -hex 32`"
            ));
        }
        let api_url = self.url(
            "github.api_url",
            raw.api_url.as_deref().unwrap_or(DEFAULT_API),
        );
        let login = match (raw.app_id, raw.private_key_file) {
            (Some(id), Some(file)) => {
                if raw.token_file.is_some() {
                    self.problem(
                        "github: both a token and an App are set: remove `token_file` or `app_id`"
                            .to_owned(),
                    );
                }
                self.private_key(&file)
                    .map(|private_key| Login::App { id, private_key })
            }
            (Some(_), None) => {
                self.problem("github.app_id needs `private_key_file = \"…\"`".to_owned());
                None
            }
            (None, Some(_)) => {
                self.problem("github.private_key_file needs `app_id = …`".to_owned());
                None
            }
            (None, None) => self
                .secret("github.token_file", raw.token_file.as_deref())
                .and_then(|lines| lines.into_iter().next())
                .map(Login::Token),
        };
        Some(GitHub {
            webhook_secrets: webhook_secrets?,
            login: login?,
            api_url: api_url?,
        })
    }

    fn chat(&mut self, raw: raw::Chat) -> Option<Vec<String>> {
        let prefixes = raw.prefixes?;
        let sound = |prefix: &String| {
            let named = prefix
                .strip_prefix('@')
                .and_then(|rest| rest.strip_suffix(' '));
            let name = |name: &str| !name.is_empty() && !name.contains(char::is_whitespace);
            prefix == "/" || prefix == "." || named.is_some_and(name)
        };
        for bad in prefixes.iter().filter(|prefix| !sound(prefix)) {
            self.problem(format!(
                "chat.prefixes: {bad:?} is no prefix: write `\"/\"`, `\".\"` or `\"@cutover \"` with a space at its end"
            ));
        }
        Some(prefixes)
    }

    fn secret(&mut self, key: &'static str, file: Option<&Path>) -> Option<Vec<SecretString>> {
        let file = file.map(|file| self.path(file));
        let place = match key {
            "github.token_file" => Place {
                key,
                variable: "CUTOVER_GITHUB_TOKEN",
                what: "token for GitHub (or `app_id` and `private_key_file` of a GitHub App)",
                file: file.as_deref(),
            },
            _ => Place {
                key,
                variable: "CUTOVER_GITHUB_WEBHOOK_SECRET",
                what: "webhook secret of GitHub",
                file: file.as_deref(),
            },
        };
        let lines = place.lines(self.variable);
        self.secret_files.extend(file.clone());
        lines.map_err(|problem| self.problem(problem)).ok()
    }

    fn private_key(&mut self, file: &Path) -> Option<SecretString> {
        let file = self.path(file);
        self.secret_files.push(file.clone());
        match fs::read_to_string(&file) {
            Ok(text) if text.contains("PRIVATE KEY") => Some(SecretString::from(text)),
            Ok(_) => {
                self.problem(format!(
                    "github.private_key_file: {} holds no PEM private key: download one from the App's settings page",
                    file.display()
                ));
                None
            }
            Err(error) => {
                self.problem(format!(
                    "github.private_key_file: cannot read {}: {error}",
                    file.display()
                ));
                None
            }
        }
    }

    fn apps(&mut self, raw: Vec<raw::App>) -> Vec<App> {
        if raw.is_empty() {
            self.problem(
                "no app: add `[[apps]]` with `config = \"path/to/cutover.toml\"`".to_owned(),
            );
        }
        let mut apps: Vec<App> = Vec::new();
        for entry in raw {
            let Some(app) = self.app(entry) else { continue };
            if let Some(twin) = apps.iter().find(|known| known.config.app == app.config.app) {
                self.problem(format!(
                    "two apps are called {}: {} and {}",
                    app.config.app,
                    twin.file.display(),
                    app.file.display()
                ));
            }
            apps.push(app);
        }
        apps
    }

    fn app(&mut self, raw: raw::App) -> Option<App> {
        let file = self.path(&raw.config);
        let name = file.display().to_string();
        let text = fs::read_to_string(&file)
            .map_err(|error| self.problem(format!("apps.config: cannot read {name}: {error}")))
            .ok()?;
        let config = Config::parse(&name, &text)
            .map_err(|problems| self.problem(problems.to_string()))
            .ok()?;
        let access = Access {
            key_file: self.existing("apps.ssh_key", raw.ssh_key.as_deref()),
            known_hosts: self.existing("apps.known_hosts", raw.known_hosts.as_deref()),
            ssh_config: self.existing("apps.ssh_config", raw.ssh_config.as_deref()),
            connect_timeout: None,
            kept: Some(Kept::new(KEEP_CONNECTIONS)),
            outside: Some(Arc::new(Web::new(|name| std::env::var(name).ok()))),
        };
        self.secret_files.extend(access.key_file.clone());
        Some(App {
            config,
            file,
            access,
            git_url: raw.git_url,
        })
    }

    fn listen(&mut self, text: &str) -> Option<SocketAddr> {
        text.parse()
            .map_err(|_| {
                self.problem(format!(
                    "listen: {text:?} is not an address and a port: write `{DEFAULT_LISTEN}`"
                ));
            })
            .ok()
    }

    fn url(&mut self, key: &str, text: &str) -> Option<String> {
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"));
        let sound = rest.is_some_and(|rest| {
            !rest.is_empty()
                && !rest.starts_with('/')
                && !text.contains(|c: char| c.is_whitespace() || "?#@\"".contains(c))
        });
        if !sound {
            // Where there is an @ there may be a password before it.
            let shown = if text.contains('@') {
                "what is set".to_owned()
            } else {
                format!("{text:?}")
            };
            self.problem(format!(
                "{key}: {shown} is not a plain http or https URL: write `https://deploy.example.com`"
            ));
            return None;
        }
        Some(text.trim_end_matches('/').to_owned())
    }

    fn existing(&mut self, key: &str, file: Option<&Path>) -> Option<PathBuf> {
        let file = self.path(file?);
        if !file.is_file() {
            self.problem(format!("{key}: {} is not a file", file.display()));
        }
        Some(file)
    }

    fn path(&self, path: &Path) -> PathBuf {
        let path = self.folder.join(path);
        std::path::absolute(&path).unwrap_or(path)
    }

    fn problem(&mut self, text: String) {
        self.problems.push(text);
    }
}
