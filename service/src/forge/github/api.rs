//! GitHub's REST API: the few calls that reports and fetching need.
//!
//! Reports are not retried here: the outbox does that, and it knows what may be repeated. Every call has a time limit.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cutover_deploy::{CommitSha, DeploymentId};
use http_body_util::{BodyExt as _, Limited};
use octocrab::Octocrab;
use octocrab::models::{AppId, InstallationId};
use octocrab::service::middleware::retry::RetryConfig;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::settings::{GitHub as Settings, Login};

mod answer;

pub use crate::forge::trouble::{Trouble, Turn};

pub(super) use answer::parse;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Between tries to get a token for a deployment that waits for it.
const TOKEN_PAUSES: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(15),
];
const LARGEST_ANSWER: usize = 4 * 1024 * 1024;
const PER_PAGE: u32 = 100;

/// A client for one GitHub. Clones share logins.
#[derive(Clone)]
pub struct GitHub {
    inner: Arc<Inner>,
}

struct Inner {
    api_url: String,
    client: Client,
}

enum Client {
    Token(Octocrab, SecretString),
    /// The App itself, and its installations by repository.
    App(Octocrab, Mutex<HashMap<String, Octocrab>>),
}

impl fmt::Debug for GitHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitHub")
            .field("api_url", &self.inner.api_url)
            .finish_non_exhaustive()
    }
}

/// A deployment that GitHub is to enter.
#[derive(Debug, Clone, Serialize)]
pub struct NewDeployment<'a> {
    /// The full commit.
    #[serde(rename = "ref")]
    pub commit: &'a CommitSha,
    /// Always `deploy`.
    pub task: &'static str,
    /// Never: the exact commit is deployed, nothing is merged into it.
    pub auto_merge: bool,
    /// Always none: what must be green is decided here, not there.
    pub required_contexts: [&'static str; 0],
    /// How the entry is found again.
    pub payload: Payload<'a>,
    /// The environment.
    pub environment: &'a str,
    /// At most 140 characters.
    pub description: &'a str,
    /// Never: environments here stay.
    pub transient_environment: bool,
    /// Whether people use it.
    pub production_environment: bool,
}

/// What our entries carry, so that one is found again when the answer to its creation was lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Payload<'a> {
    /// Our deployment.
    pub cutover_deployment: &'a DeploymentId,
    /// Which of its entries.
    pub entry: &'static str,
}

/// The state of an entry, as GitHub is told.
#[derive(Debug, Clone, Serialize)]
pub struct NewDeploymentStatus<'a> {
    /// `queued`, `in_progress`, `success`, `failure`, `error`, `inactive`.
    pub state: &'static str,
    /// At most 140 characters.
    pub description: &'a str,
    /// Where the deployment can be followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_url: Option<&'a str>,
    /// Where people find the app.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment_url: Option<&'a str>,
    /// Whether GitHub sets older entries inactive; it does so outside production only.
    pub auto_inactive: bool,
}

/// The mark on a commit, as GitHub is told.
#[derive(Debug, Clone, Serialize)]
pub struct NewCommitStatus<'a> {
    /// `pending`, `success`, `failure`, `error`.
    pub state: &'static str,
    /// Where the deployment can be followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_url: Option<&'a str>,
    /// At most 140 characters.
    pub description: &'a str,
    /// `cutover/<environment>`.
    pub context: &'a str,
}

#[derive(Deserialize)]
struct Installation {
    id: u64,
}

#[derive(Deserialize)]
struct Entered {
    id: u64,
    sha: String,
    #[serde(default)]
    payload: Value,
}

#[derive(Deserialize)]
struct StatusRow {
    state: String,
    #[serde(default)]
    description: Option<String>,
}

impl GitHub {
    /// Makes a client; talks to nobody yet. Must be called inside a tokio runtime.
    pub fn new(settings: &Settings) -> anyhow::Result<Self> {
        let builder = Octocrab::builder()
            .base_uri(settings.api_url.as_str())
            .context("cannot use github.api_url")?
            .add_retry_config(RetryConfig::None)
            .set_connect_timeout(Some(CONNECT_TIMEOUT))
            .set_read_timeout(Some(CALL_TIMEOUT));
        let client = match &settings.login {
            Login::Token(token) => {
                let octocrab = builder
                    .personal_token(token.expose_secret().to_owned())
                    .build();
                Client::Token(
                    octocrab.context("cannot make a client for GitHub")?,
                    token.clone(),
                )
            }
            Login::App { id, private_key } => {
                let octocrab = builder
                    .app_from_rsa_pem(AppId(*id), private_key.expose_secret().as_bytes())
                    .ok()
                    .context(
                        "cannot read github.private_key_file: it must be an RSA key in PEM form",
                    )?
                    .build();
                let installations = Mutex::new(HashMap::new());
                Client::App(
                    octocrab.context("cannot make a client for GitHub")?,
                    installations,
                )
            }
        };
        Ok(Self {
            inner: Arc::new(Inner {
                api_url: settings.api_url.clone(),
                client,
            }),
        })
    }

    /// The URL that git fetches `repository` from.
    pub fn git_url(&self, repository: &str) -> String {
        let api = &self.inner.api_url;
        let web = match api.as_str() {
            "https://api.github.com" => "https://github.com",
            _ => api.strip_suffix("/api/v3").unwrap_or(api),
        };
        format!("{web}/{repository}.git")
    }

    /// The `Authorization` header with which git may fetch `repository`.
    pub async fn git_authorization(&self, repository: &str) -> Result<SecretString, Trouble> {
        let token = match &self.inner.client {
            Client::Token(_, token) => token.clone(),
            Client::App(..) => self.patient_token(repository).await?,
        };
        let pair = format!("x-access-token:{}", token.expose_secret());
        Ok(SecretString::from(format!(
            "Basic {}",
            STANDARD.encode(pair)
        )))
    }

    /// A token of the App's installation. A deployment waits for it, so a short trouble of GitHub's is waited out.
    async fn patient_token(&self, repository: &str) -> Result<SecretString, Trouble> {
        let ask = |octocrab: Octocrab| async move { octocrab.installation_token().await };
        let mut pauses = TOKEN_PAUSES.into_iter();
        loop {
            let asked =
                tokio::time::timeout(CALL_TIMEOUT, self.as_installed(repository, ask)).await;
            let trouble = match asked.unwrap_or_else(|_| Err(Trouble::no_answer("timed out"))) {
                Ok(token) => return Ok(token),
                Err(trouble) => trouble,
            };
            match (trouble.turn, pauses.next()) {
                (Turn::Never, _) | (_, None) => return Err(trouble),
                (_, Some(pause)) => tokio::time::sleep(pause).await,
            }
        }
    }

    /// Marks a commit.
    pub async fn mark_commit(
        &self,
        repository: &str,
        commit: &CommitSha,
        status: &NewCommitStatus<'_>,
    ) -> Result<(), Trouble> {
        self.post(
            repository,
            &format!("/repos/{repository}/statuses/{commit}"),
            status,
        )
        .await?;
        Ok(())
    }

    /// Enters a deployment and returns GitHub's number for it.
    pub async fn enter(&self, repository: &str, new: &NewDeployment<'_>) -> Result<u64, Trouble> {
        let body = self
            .post(repository, &format!("/repos/{repository}/deployments"), new)
            .await?;
        let entered: Entered = answer::parse(&body)?;
        if entered.sha != new.commit.as_str() {
            return Err(Trouble::refused(format!(
                "GitHub entered the commit {} instead",
                entered.sha
            )));
        }
        Ok(entered.id)
    }

    /// The number of an entry that was made before, found by its payload.
    pub async fn find_entry(
        &self,
        repository: &str,
        new: &NewDeployment<'_>,
    ) -> Result<Option<u64>, Trouble> {
        let NewDeployment {
            commit,
            environment,
            ..
        } = new;
        let route = format!(
            "/repos/{repository}/deployments?sha={commit}&environment={environment}&task=deploy&per_page={PER_PAGE}"
        );
        let found: Vec<Entered> = answer::parse(&self.get(repository, &route).await?)?;
        let wanted = serde_json::to_value(&new.payload).unwrap_or_default();
        Ok(found
            .iter()
            .find(|entry| same_payload(&entry.payload, &wanted))
            .map(|entry| entry.id))
    }

    /// Tells the state of an entry.
    pub async fn mark_entry(
        &self,
        repository: &str,
        number: u64,
        status: &NewDeploymentStatus<'_>,
    ) -> Result<(), Trouble> {
        let route = format!("/repos/{repository}/deployments/{number}/statuses");
        self.post(repository, &route, status).await?;
        Ok(())
    }

    /// Whether the newest state of an entry is already this one.
    pub async fn entry_is_marked(
        &self,
        repository: &str,
        number: u64,
        status: &NewDeploymentStatus<'_>,
    ) -> Result<bool, Trouble> {
        let route = format!("/repos/{repository}/deployments/{number}/statuses?per_page=1");
        let found: Vec<StatusRow> = answer::parse(&self.get(repository, &route).await?)?;
        Ok(found.first().is_some_and(|newest| {
            newest.state == status.state
                && newest.description.as_deref().unwrap_or_default() == status.description
        }))
    }

    pub(super) async fn post(
        &self,
        repository: &str,
        route: &str,
        body: &impl Serialize,
    ) -> Result<Vec<u8>, Trouble> {
        let ask = |octocrab: Octocrab| async move { octocrab._post(route, Some(body)).await };
        self.call(repository, ask).await
    }

    pub(super) async fn patch(
        &self,
        repository: &str,
        route: &str,
        body: &impl Serialize,
    ) -> Result<Vec<u8>, Trouble> {
        let ask = |octocrab: Octocrab| async move { octocrab._patch(route, Some(body)).await };
        self.call(repository, ask).await
    }

    /// What is there, or nothing where GitHub says that there is no such thing.
    pub(super) async fn get_if_there(
        &self,
        repository: &str,
        route: &str,
    ) -> Result<Option<Vec<u8>>, Trouble> {
        match self.get(repository, route).await {
            Ok(body) => Ok(Some(body)),
            Err(trouble) if trouble.missing => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    pub(super) async fn get(&self, repository: &str, route: &str) -> Result<Vec<u8>, Trouble> {
        let ask = |octocrab: Octocrab| async move { octocrab._get(route).await };
        self.call(repository, ask).await
    }

    async fn call<B, F>(
        &self,
        repository: &str,
        ask: impl Fn(Octocrab) -> F,
    ) -> Result<Vec<u8>, Trouble>
    where
        F: Future<Output = octocrab::Result<Response<B>>>,
        B: axum::body::HttpBody<Data: Into<axum::body::Bytes>>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let call = async { read(self.as_installed(repository, ask).await?).await };
        let answered = tokio::time::timeout(CALL_TIMEOUT, call).await;
        let (status, headers, body) = answered.map_err(|_| Trouble::no_answer("timed out"))??;
        if status == StatusCode::UNAUTHORIZED {
            self.forget(repository).await;
        }
        answer::judge(status, &headers, &body, cutover_deploy::now())?;
        Ok(body)
    }

    /// Asks with the client for `repository`. An installation that is gone may have been made anew under another id:
    /// it is looked up again, once.
    async fn as_installed<T, F>(
        &self,
        repository: &str,
        ask: impl Fn(Octocrab) -> F,
    ) -> Result<T, Trouble>
    where
        F: Future<Output = octocrab::Result<T>>,
    {
        match ask(self.client_for(repository).await?).await {
            Err(error) if answer::is_gone(&error) => {
                self.forget(repository).await;
                ask(self.client_for(repository).await?).await
            }
            asked => asked,
        }
        .map_err(answer::of_error)
    }

    /// The client that may speak for `repository`: the token's, or that of the App's installation there.
    async fn client_for(&self, repository: &str) -> Result<Octocrab, Trouble> {
        let (app, installations) = match &self.inner.client {
            Client::Token(octocrab, _) => return Ok(octocrab.clone()),
            Client::App(app, installations) => (app, installations),
        };
        let mut installations = installations.lock().await;
        if let Some(known) = installations.get(repository) {
            return Ok(known.clone());
        }
        let call = async {
            let response = app._get(format!("/repos/{repository}/installation")).await;
            read(response.map_err(answer::of_error)?).await
        };
        let answered = tokio::time::timeout(CALL_TIMEOUT, call).await;
        let (status, headers, body) = answered.map_err(|_| Trouble::no_answer("timed out"))??;
        answer::judge(status, &headers, &body, cutover_deploy::now())?;
        let installation: Installation = answer::parse(&body)?;
        let client = app
            .installation(InstallationId(installation.id))
            .map_err(answer::of_error)?;
        installations.insert(repository.to_owned(), client.clone());
        Ok(client)
    }

    /// Looks the installation up again next time: it may have been removed and made anew.
    async fn forget(&self, repository: &str) {
        if let Client::App(_, installations) = &self.inner.client {
            installations.lock().await.remove(repository);
        }
    }
}

type Response<B> = axum::http::Response<B>;

async fn read<B>(response: Response<B>) -> Result<(StatusCode, HeaderMap, Vec<u8>), Trouble>
where
    B: axum::body::HttpBody<Data: Into<axum::body::Bytes>>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (parts, body) = response.into_parts();
    let collected = Limited::new(body, LARGEST_ANSWER).collect().await;
    let body = collected.map_err(|error| Trouble::no_answer(&error.to_string()))?;
    Ok((parts.status, parts.headers, body.to_bytes().to_vec()))
}

/// GitHub returns a payload as it was sent, or as JSON inside a string.
fn same_payload(found: &Value, wanted: &Value) -> bool {
    match found {
        Value::String(text) => {
            serde_json::from_str::<Value>(text).is_ok_and(|found| &found == wanted)
        }
        _ => found == wanted,
    }
}
