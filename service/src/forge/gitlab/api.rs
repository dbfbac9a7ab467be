//! GitLab's REST API: the few calls that reports and fetching need.
//!
//! Nothing here retries: the outbox does, and it knows what may be repeated. Every call has a time limit. The token goes
//! to the host of `api_url` only: redirects are not followed.

use std::fmt;
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cutover_deploy::CommitSha;
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode, Url, redirect};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::forge::trouble::Trouble;
use crate::settings::GitLab as Settings;

mod answer;

pub(super) use answer::parse;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
const LARGEST_ANSWER: usize = 4 * 1024 * 1024;
const PER_PAGE: &str = "100";

/// A client for one GitLab.
#[derive(Clone)]
pub struct GitLab {
    api_url: Url,
    token: SecretString,
    client: reqwest::Client,
}

impl fmt::Debug for GitLab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitLab")
            .field("api_url", &self.api_url.as_str())
            .finish_non_exhaustive()
    }
}

/// The mark on a commit, as GitLab is told.
#[derive(Debug, Clone, Serialize)]
pub struct NewCommitStatus<'a> {
    /// Where it is.
    pub state: State,
    /// The branch whose pipeline shows it, so that it joins the commit's own pipeline; GitLab's guess when absent.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub branch: Option<&'a str>,
    /// `cutover/<environment>`.
    pub name: &'a str,
    /// Where the deployment can be followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_url: Option<&'a str>,
    /// At most 140 characters.
    pub description: &'a str,
}

/// A deployment that GitLab is to enter.
#[derive(Debug, Clone, Serialize)]
pub struct NewDeployment<'a> {
    /// The environment.
    pub environment: &'a str,
    /// The full commit.
    pub sha: &'a CommitSha,
    /// The branch that it came by, or the commit itself.
    #[serde(rename = "ref")]
    pub name: &'a str,
    /// Never: tags are not deployed.
    pub tag: bool,
    /// Where it is.
    pub status: State,
}

/// Where a commit status or a deployment is; deployments are never `pending`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waiting.
    Pending,
    /// Running.
    Running,
    /// Live and healthy.
    Success,
    /// Tried and failed.
    Failed,
    /// Not tried to its end.
    Canceled,
}

#[derive(Deserialize)]
struct Entered {
    id: u64,
    sha: String,
    #[serde(rename = "ref")]
    name: String,
    status: String,
}

#[derive(Deserialize)]
struct Place {
    id: u64,
    name: String,
    external_url: Option<String>,
}

#[derive(Serialize)]
struct Status {
    status: State,
}

impl GitLab {
    /// Makes a client; talks to nobody yet.
    pub fn new(settings: &Settings) -> anyhow::Result<Self> {
        let mut token = HeaderValue::from_str(settings.token.expose_secret())
            .ok()
            .context("gitlab.token_file holds no token")?;
        token.set_sensitive(true);
        let client = reqwest::Client::builder()
            .user_agent(concat!("cutover/", env!("CARGO_PKG_VERSION")))
            .default_headers(HeaderMap::from_iter([(
                reqwest::header::HeaderName::from_static("private-token"),
                token,
            )]))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(CALL_TIMEOUT)
            .redirect(redirect::Policy::none())
            .build()
            .context("cannot make a client for GitLab")?;
        Ok(Self {
            api_url: Url::parse(&settings.api_url).context("cannot use gitlab.api_url")?,
            token: settings.token.clone(),
            client,
        })
    }

    /// The URL that git fetches `project` from.
    pub fn git_url(&self, project: &str) -> String {
        let api = self.api_url.as_str().trim_end_matches('/');
        let web = api.strip_suffix("/api/v4").unwrap_or(api);
        format!("{web}/{project}.git")
    }

    /// The `Authorization` header with which git may fetch.
    pub fn git_authorization(&self) -> SecretString {
        let pair = format!("oauth2:{}", self.token.expose_secret());
        SecretString::from(format!("Basic {}", STANDARD.encode(pair)))
    }

    /// Marks a commit. A mark that is there already, or further on, is as good as made.
    pub async fn mark_commit(
        &self,
        project: &str,
        commit: &CommitSha,
        status: &NewCommitStatus<'_>,
    ) -> Result<(), Trouble> {
        let url = self.url(project, &["statuses", commit.as_str()])?;
        answer::unless_there(self.send(Method::POST, url, status).await)
    }

    /// Makes an environment with this address, or corrects the address that GitLab shows.
    pub async fn place(
        &self,
        project: &str,
        environment: &str,
        external_url: &str,
    ) -> Result<(), Trouble> {
        #[derive(Serialize)]
        struct New<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            name: Option<&'a str>,
            external_url: &'a str,
        }
        let mut url = self.url(project, &["environments"])?;
        url.query_pairs_mut().append_pair("name", environment);
        let found: Vec<Place> = answer::parse(&self.get(url).await?)?;
        let found = found.into_iter().find(|place| place.name == environment);
        match found {
            Some(place) if place.external_url.as_deref() == Some(external_url) => {}
            Some(place) => {
                let url = self.url(project, &["environments", &place.id.to_string()])?;
                let new = New {
                    name: None,
                    external_url,
                };
                self.send(Method::PUT, url, &new).await?;
            }
            None => {
                let new = New {
                    name: Some(environment),
                    external_url,
                };
                let url = self.url(project, &["environments"])?;
                self.send(Method::POST, url, &new).await?;
            }
        }
        Ok(())
    }

    /// Enters a deployment and returns GitLab's number for it.
    pub async fn enter(&self, project: &str, new: &NewDeployment<'_>) -> Result<u64, Trouble> {
        let url = self.url(project, &["deployments"])?;
        let body = self.send(Method::POST, url, new).await?;
        answer::parse::<Entered>(&body).map(|entered| entered.id)
    }

    /// The numbers of deployments that look like this one, newest first.
    pub async fn alike(&self, project: &str, new: &NewDeployment<'_>) -> Result<Vec<u64>, Trouble> {
        let mut url = self.url(project, &["deployments"])?;
        url.query_pairs_mut()
            .append_pair("environment", new.environment)
            .append_pair("order_by", "id")
            .append_pair("sort", "desc")
            .append_pair("per_page", PER_PAGE);
        let found: Vec<Entered> = answer::parse(&self.get(url).await?)?;
        let alike = |entered: &&Entered| {
            entered.sha == new.sha.as_str()
                && entered.name == new.name
                && entered.status == new.status.word()
        };
        Ok(found
            .iter()
            .filter(alike)
            .map(|entered| entered.id)
            .collect())
    }

    /// Tells the state of a deployment. A state that it has already is as good as told.
    pub async fn mark(&self, project: &str, number: u64, status: State) -> Result<(), Trouble> {
        let url = self.url(project, &["deployments", &number.to_string()])?;
        answer::unless_there(self.send(Method::PUT, url, &Status { status }).await)
    }

    /// Each part becomes one segment: a project's slashes are escaped.
    pub(super) fn url(&self, project: &str, parts: &[&str]) -> Result<Url, Trouble> {
        let mut url = self.api_url.clone();
        url.path_segments_mut()
            .map_err(|()| Trouble::refused("gitlab.api_url cannot have a path".to_owned()))?
            .pop_if_empty()
            .extend(["projects", project])
            .extend(parts);
        Ok(url)
    }

    /// What is there; nothing where GitLab says that there is no such thing, or none that the token may see.
    pub(super) async fn get_if_there(&self, url: Url) -> Result<Option<Vec<u8>>, Trouble> {
        match self.get(url).await {
            Err(trouble) if trouble.missing => Ok(None),
            other => other.map(Some),
        }
    }

    pub(super) async fn get(&self, url: Url) -> Result<Vec<u8>, Trouble> {
        self.answered(self.client.get(url)).await
    }

    pub(super) async fn send(
        &self,
        method: Method,
        url: Url,
        body: &impl Serialize,
    ) -> Result<Vec<u8>, Trouble> {
        self.answered(self.client.request(method, url).json(body))
            .await
    }

    async fn answered(&self, request: reqwest::RequestBuilder) -> Result<Vec<u8>, Trouble> {
        let (status, headers, body) = read(request)
            .await
            .map_err(|error| answer::of_error(&error))?;
        answer::judge(status, &headers, &body, cutover_deploy::now())?;
        Ok(body)
    }
}

impl State {
    /// The word for it at GitLab.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }
}

async fn read(
    request: reqwest::RequestBuilder,
) -> Result<(StatusCode, HeaderMap, Vec<u8>), reqwest::Error> {
    let mut response = request.send().await?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        // What is longer is no answer of GitLab's; its beginning cannot be read as JSON.
        if body.len() + chunk.len() > LARGEST_ANSWER {
            break;
        }
        body.extend_from_slice(&chunk);
    }
    Ok((response.status(), response.headers().clone(), body))
}
