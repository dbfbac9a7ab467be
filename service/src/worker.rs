//! Runs one deployment: build, pipeline, ledger. Decides only what its ending means for the queue.

use std::sync::Arc;
use std::time::Duration;

use cutover_deploy::config::Environment;
use cutover_deploy::source::Position;
use cutover_deploy::{CommitSha, Event, Failure, Kind, LeftOver, Outcome};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, error, info, info_span, warn};

use crate::settings::App;
use crate::store::{Deployment, Live, PutBack, Store, StoreError};

mod deployer;
mod pipeline;
mod scribe;

pub use deployer::{Deployer, Job};
pub use pipeline::Pipeline;

/// A ledger that cannot be written is tried again after this long, then after twice as long each time.
const LEDGER_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_LEDGER_PAUSE: Duration = Duration::from_secs(30);
/// How often it is tried after the service was told to stop; the next start takes it from there.
const LAST_TRIES: u32 = 5;

/// A deployment that found its lease held by somebody else is tried again after this long.
const HELD_PAUSE: Duration = Duration::from_mins(1);

/// Whether a deployment is new to this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    /// It was claimed just now.
    Claimed,
    /// It was running when the service ended.
    TakenUp,
}

/// What is done with a deployment whose pipeline has returned.
#[derive(Debug, PartialEq, Eq)]
enum Ending {
    Conclude(Outcome),
    PutBack(PutBack),
}

/// Runs deployments, one call each.
#[derive(Debug)]
pub struct Worker<D> {
    store: Store,
    apps: Arc<[App]>,
    deployer: D,
}

impl<D: Deployer> Worker<D> {
    /// A worker for these apps.
    pub fn new(store: Store, apps: Arc<[App]>, deployer: D) -> Self {
        Self {
            store,
            apps,
            deployer,
        }
    }

    /// Runs a claimed deployment to its end. `stop` calls it off as long as nothing live was changed; it then goes
    /// back into the queue.
    pub async fn run(&self, deployment: &Deployment, take: Take, stop: &CancellationToken) {
        let sha = deployment.commit().map(CommitSha::as_str);
        let span = info_span!(
            "deployment",
            deployment.id = %deployment.id,
            app = %deployment.app,
            environment = %deployment.environment,
            sha
        );
        self.run_inside(deployment, take, stop)
            .instrument(span)
            .await;
    }

    async fn run_inside(&self, deployment: &Deployment, take: Take, stop: &CancellationToken) {
        info!(
            actor = deployment.request.actor,
            taken_up = take == Take::TakenUp,
            "deployment {} begins",
            deployment.id
        );
        let outcome = match (self.place(deployment), self.allowed(deployment, take).await) {
            (_, Err(failure)) => Outcome::Refused {
                failure,
                held: false,
            },
            (Some((app, environment)), Ok(())) => {
                self.pipeline(deployment, app, environment, take, stop)
                    .await
            }
            (None, Ok(())) => not_configured(deployment),
        };
        match ending(outcome, stop.is_cancelled()) {
            Ending::PutBack(why) => {
                info!(
                    "deployment {} goes back into the queue: {why}",
                    deployment.id
                );
                let now = cutover_deploy::now();
                let not_before = match why {
                    PutBack::Stop => None,
                    PutBack::Held(_) => now.checked_add(HELD_PAUSE).ok(),
                };
                let id = &deployment.id;
                self.keep(stop, || self.store.put_back(id, &why, not_before, now))
                    .await;
            }
            Ending::Conclude(outcome) => self.conclude(deployment, &outcome, stop).await,
        }
    }

    /// Asks again, at the last moment, whether who wrote the command may. One that had begun before is not asked about:
    /// it may be past its swap, and has to come to an end that is healthy.
    async fn allowed(&self, deployment: &Deployment, take: Take) -> Result<(), Failure> {
        if deployment.asked_by.is_none() || take == Take::TakenUp {
            return Ok(());
        }
        match self.store.command_of(&deployment.id).await {
            Ok(Some(command)) => self.deployer.may_begin(&command).await,
            Ok(None) => Err(unproven(
                "the command that asked for this is not in the ledger",
            )),
            Err(error) => Err(unproven(&error.to_string())),
        }
    }

    /// Ends a deployment whose task came to an end that nobody meant.
    pub async fn lost(&self, deployment: &Deployment, stop: &CancellationToken) {
        let hosts = self
            .place(deployment)
            .map(|(_, environment)| environment.hosts.as_slice())
            .unwrap_or_default();
        let left = hosts.iter().map(|host| LeftOver {
            host: host.name.clone(),
            current: None,
            state: "unknown: the service lost track of this deployment".to_owned(),
        });
        let outcome = Outcome::Failed {
            failure: Failure {
                host: None,
                step: "service".to_owned(),
                message: "the deployment's task ended unexpectedly".to_owned(),
                hint: Some(format!(
                    "See what is live with `cutover status {}`.",
                    deployment.environment
                )),
            },
            left: left.collect(),
        };
        self.conclude(deployment, &outcome, stop).await;
    }

    fn place(&self, deployment: &Deployment) -> Option<(&App, &Environment)> {
        let app = self
            .apps
            .iter()
            .find(|app| app.config.app == deployment.app)?;
        let environment = app.config.environments.get(&deployment.environment)?;
        Some((app, environment))
    }

    async fn pipeline(
        &self,
        deployment: &Deployment,
        app: &App,
        environment: &Environment,
        take: Take,
        stop: &CancellationToken,
    ) -> Outcome {
        let (events, happened) = unbounded_channel();
        let scribe = scribe::write(self.store.clone(), deployment.id.clone(), happened);
        if take == Take::TakenUp {
            let text = "the service was restarted and takes this deployment up again".to_owned();
            // The scribe ends only after every sender has.
            drop(events.send(Event::Note { host: None, text }));
        }
        let work = async {
            let outcome = self
                .work(deployment, app, environment, take, &events, stop)
                .await;
            drop(events);
            outcome
        };
        let (outcome, ()) = tokio::join!(work, scribe);
        outcome
    }

    async fn work(
        &self,
        deployment: &Deployment,
        app: &App,
        environment: &Environment,
        take: Take,
        events: &UnboundedSender<Event>,
        stop: &CancellationToken,
    ) -> Outcome {
        let request = &deployment.request;
        let artifact = match &request.kind {
            Kind::Rollback { .. } => None,
            Kind::Deploy { commit } => {
                let needed = tokio::select! {
                    needed = self.needs_artifact(deployment, app, environment, take) => needed,
                    () = stop.cancelled() => return Outcome::Cancelled,
                };
                // One that was held up already is not built again before the way is free.
                if deployment.not_before.is_some() && take == Take::Claimed {
                    let held = self.deployer.held(app, environment, request);
                    let held = tokio::select! {
                        held = held => held,
                        () = stop.cancelled() => return Outcome::Cancelled,
                    };
                    if let Some(failure) = held {
                        return Outcome::Refused {
                            failure,
                            held: true,
                        };
                    }
                }
                if needed {
                    let newest = tokio::select! {
                        newest = self.newest(deployment, app, commit) => newest,
                        () = stop.cancelled() => return Outcome::Cancelled,
                    };
                    if let Err(outcome) = newest {
                        return outcome;
                    }
                    match self.deployer.build(app, commit, events, stop).await {
                        Ok(artifact) => Some(artifact),
                        Err(_) if stop.is_cancelled() => return Outcome::Cancelled,
                        Err(failure) => {
                            return Outcome::Failed {
                                failure,
                                left: Vec::new(),
                            };
                        }
                    }
                } else {
                    None
                }
            }
        };
        let job = Job {
            app,
            environment,
            request,
            artifact: artifact.as_ref(),
        };
        let outcome = self.deployer.deploy(&job, events, stop).await;
        if let Some(artifact) = artifact
            && let Err(error) = tokio::fs::remove_file(&artifact.file).await
        {
            warn!(file = %artifact.file.display(), %error, "an artifact cannot be removed");
        }
        outcome
    }

    /// Nothing when a push still is what its branch leads to, else how its deployment ends: hooks may come late, out
    /// of order, or again after months, and none of them may put an older commit in the place of a newer one.
    async fn newest(
        &self,
        deployment: &Deployment,
        app: &App,
        commit: &CommitSha,
    ) -> Result<(), Outcome> {
        let Some(branch) = &deployment.branch else {
            return Ok(());
        };
        let position = self.deployer.position(app, commit, branch).await;
        let position = position.map_err(|failure| Outcome::Failed {
            failure,
            left: Vec::new(),
        })?;
        let message = match position {
            Position::Head => return Ok(()),
            Position::Behind { head } => {
                format!("outdated: {branch} is at {} already", head.short())
            }
            Position::Elsewhere => {
                format!("commit {} is not on the branch {branch}", commit.short())
            }
        };
        Err(Outcome::Refused {
            failure: Failure {
                host: None,
                step: "push".to_owned(),
                message,
                hint: Some(format!("Push again to deploy what {branch} leads to.")),
            },
            held: false,
        })
    }

    /// Whether something has to be built. Hosts are asked, which costs each a connection, only where there is a reason
    /// to expect a no: the deployment had begun before, or its commit is live by the ledger.
    async fn needs_artifact(
        &self,
        deployment: &Deployment,
        app: &App,
        environment: &Environment,
        take: Take,
    ) -> bool {
        let ledger = self
            .store
            .last_live(&deployment.app, &deployment.environment)
            .await;
        let live = ledger.ok().flatten().and_then(|last| last.live?.commit);
        let may_be_there = take == Take::TakenUp || live.as_ref() == deployment.commit();
        !may_be_there
            || self
                .deployer
                .needs_artifact(app, environment, &deployment.request)
                .await
    }

    async fn conclude(&self, deployment: &Deployment, outcome: &Outcome, stop: &CancellationToken) {
        let live = self.live(deployment, outcome).await;
        if let Some(failure) = outcome.failure() {
            warn!(
                failure = failure.line(),
                hint = failure.hint,
                "deployment {} failed",
                deployment.id
            );
        }
        info!(
            outcome = outcome.word(),
            "deployment {} ended", deployment.id
        );
        self.keep(stop, || {
            self.store.conclude(
                &deployment.id,
                outcome,
                live.as_ref(),
                cutover_deploy::now(),
            )
        })
        .await;
    }

    /// What is live after an outcome, as far as it tells.
    async fn live(&self, deployment: &Deployment, outcome: &Outcome) -> Option<Live> {
        let (release, own) = match outcome {
            Outcome::Deployed { release, .. } | Outcome::Unchanged { release } => {
                (release, deployment.commit())
            }
            Outcome::RolledBack { restored, .. } => (restored, None),
            _ => return None,
        };
        let mut commit = own.cloned();
        if commit.is_none() {
            commit = self
                .store
                .commit_of(deployment, release)
                .await
                .unwrap_or_default();
        }
        if commit.is_none()
            && let Some((app, environment)) = self.place(deployment)
        {
            commit = self.deployer.commit_of(app, environment, release).await;
        }
        Some(Live {
            release: release.clone(),
            commit,
        })
    }

    /// Writes to the ledger until it is written. An environment whose deployment has no written end takes no other, so
    /// nothing but a stop ends this early.
    async fn keep<F: Future<Output = Result<(), StoreError>>>(
        &self,
        stop: &CancellationToken,
        write: impl Fn() -> F,
    ) {
        let mut pause = LEDGER_PAUSE;
        let mut last_tries = LAST_TRIES;
        while let Err(error) = write().await {
            let error = anyhow::Error::from(error);
            error!(
                error = format!("{error:#}"),
                "the end of a deployment cannot be written down"
            );
            if stop.is_cancelled() {
                last_tries -= 1;
                if last_tries == 0 {
                    return;
                }
                tokio::time::sleep(LEDGER_PAUSE).await;
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
            pause = (pause * 2).min(LONGEST_LEDGER_PAUSE);
        }
    }
}

/// A deployment that was called off because the service stops is not over, nor is one that was held up by somebody.
fn ending(outcome: Outcome, stopping: bool) -> Ending {
    match outcome {
        Outcome::Cancelled if stopping => Ending::PutBack(PutBack::Stop),
        Outcome::Refused {
            failure,
            held: true,
        } => Ending::PutBack(PutBack::Held(failure)),
        outcome => Ending::Conclude(outcome),
    }
}

fn unproven(why: &str) -> Failure {
    Failure {
        host: None,
        step: "permission".to_owned(),
        message: why.to_owned(),
        hint: None,
    }
}

fn not_configured(deployment: &Deployment) -> Outcome {
    Outcome::Refused {
        failure: Failure {
            host: None,
            step: "settings".to_owned(),
            message: format!(
                "{}/{} is no longer configured",
                deployment.app, deployment.environment
            ),
            hint: Some(
                "Add the app to service.toml, or the environment to its cutover.toml.".to_owned(),
            ),
        },
        held: false,
    }
}

#[cfg(test)]
mod tests;
