//! Forges: where code lives, who tells of pushes, and who is told what became of them. A closed set.

use cutover_deploy::AppName;
use cutover_deploy::config::ForgeKind;
use secrecy::SecretString;

use crate::chat::Comment;
use crate::settings::{App, Settings};

pub mod github;
pub mod gitlab;
pub mod pause;
pub mod push;
pub mod trouble;

use push::Push;
use trouble::Trouble;

/// What a delivery says, as far as it is understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivered {
    /// The hook was just made.
    Ping,
    /// A ref moved.
    Push(Push),
    /// A person wrote a comment.
    Comment(Box<Comment>),
    /// A comment that is not read, and why.
    Unheard(String),
    /// An event that asks for nothing here.
    Other,
}

/// A forge that is spoken to.
#[derive(Debug, Clone)]
pub enum Forge {
    /// github.com or GitHub Enterprise Server.
    GitHub(github::api::GitHub),
    /// gitlab.com or self-managed GitLab.
    GitLab(gitlab::api::GitLab),
}

/// The forges of all apps.
#[derive(Debug, Clone, Default)]
pub struct Forges {
    github: Option<github::api::GitHub>,
    gitlab: Option<gitlab::api::GitLab>,
    /// Which app is where.
    homes: Vec<(AppName, ForgeKind)>,
}

impl Forges {
    /// Makes the clients that the settings have logins for; talks to nobody yet. Must be called inside a tokio runtime.
    pub fn new(settings: &Settings) -> anyhow::Result<Self> {
        let github = settings.github.as_ref().map(github::api::GitHub::new);
        let gitlab = settings.gitlab.as_ref().map(gitlab::api::GitLab::new);
        Ok(Self {
            github: github.transpose()?,
            gitlab: gitlab.transpose()?,
            homes: settings.apps.iter().map(home).collect(),
        })
    }

    /// The forge of an app; trouble that lasts when the settings know none.
    pub fn of(&self, app: &AppName) -> Result<Forge, Trouble> {
        let home = self.kind(app).and_then(|kind| self.at(kind));
        home.ok_or_else(|| {
            Trouble::refused(format!("no app {app} with a forge is in the settings"))
        })
    }

    /// The client for one forge, where an app is there.
    pub fn at(&self, kind: ForgeKind) -> Option<Forge> {
        match kind {
            ForgeKind::GitHub => self.github.clone().map(Forge::GitHub),
            ForgeKind::GitLab => self.gitlab.clone().map(Forge::GitLab),
        }
    }

    /// Where an app is, if it is known.
    pub fn kind(&self, app: &AppName) -> Option<ForgeKind> {
        let known = self.homes.iter().find(|(known, _)| known == app);
        known.map(|(_, kind)| *kind)
    }
}

impl Forge {
    /// The URL that git fetches `repository` from.
    pub fn git_url(&self, repository: &str) -> String {
        match self {
            Self::GitHub(github) => github.git_url(repository),
            Self::GitLab(gitlab) => gitlab.git_url(repository),
        }
    }

    /// The `Authorization` header with which git may fetch `repository`.
    pub async fn git_authorization(&self, repository: &str) -> Result<SecretString, Trouble> {
        match self {
            Self::GitHub(github) => github.git_authorization(repository).await,
            Self::GitLab(gitlab) => Ok(gitlab.git_authorization()),
        }
    }
}

/// The word for a forge in tables, logs and addresses.
pub fn word(forge: ForgeKind) -> &'static str {
    match forge {
        ForgeKind::GitHub => "github",
        ForgeKind::GitLab => "gitlab",
    }
}

fn home(app: &App) -> (AppName, ForgeKind) {
    (app.config.app.clone(), app.config.repository.forge)
}
