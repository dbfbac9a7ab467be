//! GitHub's interface, as far as a deployment is entered there. The one place that speaks to it.

use std::fmt;
use std::time::Duration;

use cutover_deploy::{CommitSha, DeploymentId};
use octocrab::Octocrab;
use octocrab::service::middleware::retry::RetryConfig;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::inputs::Place;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// One call takes at most this long: a deployment may have to wait for it.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Between tries to tell the state of an entry. Telling it twice does no harm, entering twice would.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];
const LONGEST_MESSAGE: usize = 300;
/// So many entries are looked through for the one that was live before.
const LOOKED_AT: u32 = 20;

/// What a job needs to be let in, as people write it.
pub(crate) const PERMISSIONS: &str = "permissions:\n  contents: read\n  deployments: write";

/// A repository at a GitHub, and the right to enter deployments there.
#[derive(Clone)]
pub(crate) struct GitHub {
    client: Octocrab,
    repository: String,
}

impl fmt::Debug for GitHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitHub")
            .field("repository", &self.repository)
            .finish_non_exhaustive()
    }
}

/// Why GitHub could not be told something; never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// What GitHub said.
    pub(crate) message: String,
    /// Whether the token may not.
    pub(crate) denied: bool,
    again: bool,
}

/// A deployment that GitHub is to enter.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct NewEntry {
    /// The full commit.
    #[serde(rename = "ref")]
    pub(crate) commit: CommitSha,
    task: &'static str,
    auto_merge: bool,
    required_contexts: [&'static str; 0],
    payload: Payload,
    environment: String,
    description: String,
    transient_environment: bool,
    production_environment: bool,
}

/// What our entries carry, so that people and programs can tell them from others.
#[derive(Debug, Clone, Serialize)]
struct Payload {
    cutover_deployment: DeploymentId,
    entry: &'static str,
}

/// The state of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct NewState {
    /// `in_progress`, `success`, `failure`, `error`, `inactive`.
    pub(crate) state: &'static str,
    /// At most 140 characters.
    pub(crate) description: String,
    /// Where the run can be followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) log_url: Option<String>,
    /// Where people find the app.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) environment_url: Option<String>,
    /// Whether GitHub sets older entries inactive; it does so outside production only.
    pub(crate) auto_inactive: bool,
}

#[derive(Debug, Deserialize)]
struct Entered {
    id: u64,
    #[serde(default)]
    payload: serde_json::Value,
}

#[derive(Debug, Deserialize)]
struct Told {
    state: String,
}

/// GitHub's own rule for what counts as production.
pub(crate) fn is_production(environment: &str) -> bool {
    environment == "production"
}

impl NewEntry {
    /// An entry that merges nothing and waits for nothing: the exact commit is what is deployed.
    pub(crate) fn new(
        deployment: &DeploymentId,
        entry: &'static str,
        commit: &CommitSha,
        environment: &str,
        description: String,
    ) -> Self {
        Self {
            commit: commit.clone(),
            task: "deploy",
            auto_merge: false,
            required_contexts: [],
            payload: Payload {
                cutover_deployment: deployment.clone(),
                entry,
            },
            environment: environment.to_owned(),
            description,
            transient_environment: false,
            production_environment: is_production(environment),
        }
    }
}

impl GitHub {
    /// A client for one repository. Fails for a URL that is none.
    pub(crate) fn new(place: &Place, token: &SecretString) -> Result<Self, Trouble> {
        let client = Octocrab::builder()
            .base_uri(place.api_url.as_str())
            .and_then(|builder| {
                builder
                    .add_retry_config(RetryConfig::None)
                    .set_connect_timeout(Some(CONNECT_TIMEOUT))
                    .set_read_timeout(Some(CALL_TIMEOUT))
                    .personal_token(token.expose_secret().to_owned())
                    .build()
            });
        Ok(Self {
            client: client.map_err(|error| trouble(&error))?,
            repository: place.repository.clone(),
        })
    }

    /// Enters a deployment and returns GitHub's number for it.
    pub(crate) async fn enter(&self, new: &NewEntry) -> Result<u64, Trouble> {
        let route = format!("/repos/{}/deployments", self.repository);
        let entered: Entered = self.post(&route, new).await?;
        Ok(entered.id)
    }

    /// Tells the state of an entry; tries again where GitHub is in trouble for a moment.
    pub(crate) async fn mark(&self, number: u64, state: &NewState) -> Result<(), Trouble> {
        let route = format!("/repos/{}/deployments/{number}/statuses", self.repository);
        let mut pauses = PAUSES.into_iter();
        loop {
            let told: Result<Told, Trouble> = self.post(&route, state).await;
            match (told, pauses.next()) {
                (Ok(_), _) => return Ok(()),
                (Err(trouble), Some(pause)) if trouble.again => tokio::time::sleep(pause).await,
                (Err(trouble), _) => return Err(trouble),
            }
        }
    }

    /// Sets the entry inactive that was live before `newest`: for production GitHub leaves that to us. Only an entry of
    /// cutover's is touched.
    pub(crate) async fn retire_older(&self, environment: &str, newest: u64) -> Result<(), Trouble> {
        let entries = format!("/repos/{}/deployments", self.repository);
        let route = format!("{entries}?environment={environment}&task=deploy&per_page={LOOKED_AT}");
        let found: Vec<Entered> = self.get(&route).await?;
        let older = found
            .into_iter()
            .filter(|entry| entry.id < newest && is_ours(entry));
        for entry in older {
            let route = format!("{entries}/{}/statuses?per_page=1", entry.id);
            let told: Vec<Told> = self.get(&route).await?;
            if told.first().is_some_and(|told| told.state == "success") {
                let inactive = NewState {
                    state: "inactive",
                    description: "no longer live".to_owned(),
                    log_url: None,
                    environment_url: None,
                    auto_inactive: false,
                };
                return self.mark(entry.id, &inactive).await;
            }
        }
        Ok(())
    }

    async fn get<R: serde::de::DeserializeOwned>(&self, route: &str) -> Result<R, Trouble> {
        answered(self.client.get::<R, _, ()>(route, None)).await
    }

    async fn post<R: serde::de::DeserializeOwned>(
        &self,
        route: &str,
        body: &impl Serialize,
    ) -> Result<R, Trouble> {
        answered(self.client.post::<_, R>(route, Some(body))).await
    }
}

async fn answered<R>(call: impl Future<Output = octocrab::Result<R>>) -> Result<R, Trouble> {
    match tokio::time::timeout(CALL_TIMEOUT, call).await {
        Ok(answered) => answered.map_err(|error| trouble(&error)),
        Err(_) => Err(Trouble {
            message: format!("no answer within {} s", CALL_TIMEOUT.as_secs()),
            denied: false,
            again: true,
        }),
    }
}

/// GitHub returns a payload as it was sent, or as JSON inside a string.
fn is_ours(entry: &Entered) -> bool {
    const KEY: &str = "cutover_deployment";
    match &entry.payload {
        serde_json::Value::String(text) => text.contains(KEY),
        payload => payload.get(KEY).is_some(),
    }
}

/// The one place that reads why a call failed.
fn trouble(error: &octocrab::Error) -> Trouble {
    let octocrab::Error::GitHub { source, .. } = error else {
        let inner = std::error::Error::source(error).map(ToString::to_string);
        return Trouble {
            message: clip(&inner.unwrap_or_else(|| error.to_string())),
            denied: false,
            again: true,
        };
    };
    let status = source.status_code.as_u16();
    let message = format!("GitHub answered {status}: {}", clip(&source.message));
    let limited = message.to_lowercase().contains("rate limit");
    Trouble {
        message,
        denied: matches!(status, 401 | 403 | 404) && !limited,
        again: status >= 500 || limited,
    }
}

fn clip(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(LONGEST_MESSAGE)
        .collect()
}
