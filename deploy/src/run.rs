//! The driver: asks the machine what comes next, runs it on hosts, reports back. Decides nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Environment};
use crate::facts::Facts;
use crate::machine::{self, Machine, Next};
use crate::plan::{self, Plan, Refusal, Wish};
use crate::{Artifact, DeployRequest, Event, Failure, HostName, Matrix, Outcome, clock};

mod ask;
mod bring;
mod check;
mod doctor;
mod follower;
mod health;
mod held;
mod hold;
mod lease;
mod look;
mod outside;
mod phase;
mod planned;
mod pool;
mod schema;
mod segment;
mod watch;

pub use crate::host::Kept;
pub use ask::{Roster, Worker, held, needs_artifact, survey, workers};
pub use check::{Checked, check};
pub use doctor::examine;
pub use hold::{HoldAnswer, Wanted, hold};
pub use look::{OfferedKey, Unseen, look};
pub use outside::{Answering, Outside, Question};
pub use planned::{Planned, planned};

use lease::{Leased, NoLease};
use schema::Schema;

/// How hosts are reached. Everything that is absent is left to ssh's own configuration.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// The private key file (`IdentityFile`, with `IdentitiesOnly`).
    pub key_file: Option<PathBuf>,
    /// The file with the pinned host keys (`UserKnownHostsFile`). Unknown keys are always refused.
    pub known_hosts: Option<PathBuf>,
    /// An `ssh_config` to use instead of the user's own.
    pub ssh_config: Option<PathBuf>,
    /// The longest wait for a connection. Default 10 s.
    pub connect_timeout: Option<Duration>,
    /// Where connections wait that were opened ahead or are kept between deployments. None are when absent.
    pub kept: Option<Kept>,
    /// Asks addresses from here. Where it is absent, nothing outside can be asked.
    pub outside: Option<Arc<dyn Outside>>,
}

/// Begins to connect to every host of an environment, for a deployment that follows soon: its build takes as long.
/// Without a place to keep connections it does nothing.
pub fn open_ahead(environment: &Environment, access: &Access) {
    if let Some(kept) = &access.kept {
        for host in &environment.hosts {
            kept.open_ahead(host, access);
        }
    }
}

/// Where events go. A door that does not listen any more stops no deployment.
#[derive(Debug, Clone)]
struct Events {
    to: UnboundedSender<Event>,
    /// What was told of databases on the way.
    schema: Arc<Mutex<Schema>>,
}

impl Events {
    fn tell(&self, event: Event) {
        self.schema().hear(&event);
        drop(self.to.send(event));
    }

    fn schema(&self) -> MutexGuard<'_, Schema> {
        self.schema.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, host: Option<&HostName>, text: impl Into<String>) {
        self.tell(Event::Note {
            host: host.cloned(),
            text: text.into(),
        });
    }
}

/// Runs one deployment to its end and returns how it ended; the same is the last event.
///
/// Running the same request again is safe: a release that is already live but not yet proven is taken up at its
/// health check, everything else begins anew. `artifact` may be absent for a rollback and where [`needs_artifact`]
/// said so. `cancel` calls the deployment off until the swap begins; between waves of hosts it takes back what was
/// swapped; from the last wave on it runs to its end.
pub async fn deploy(
    config: &Config,
    environment: &Environment,
    request: &DeployRequest,
    artifact: Option<&Artifact>,
    access: &Access,
    events: &UnboundedSender<Event>,
    cancel: &CancellationToken,
) -> Outcome {
    let events = Events {
        to: events.clone(),
        schema: Arc::default(),
    };
    let outcome = match lease::take(
        environment,
        request,
        &config.shared,
        access,
        &events,
        cancel,
    )
    .await
    {
        Err(NoLease::Cancelled) => Outcome::Cancelled,
        Err(NoLease::Refused { failure, held }) => Outcome::Refused { failure, held },
        Ok(mut hosts) => {
            let facts = hosts
                .iter()
                .map(|(name, host)| (name.clone(), host.facts.clone()))
                .collect();
            let wish = Wish {
                config,
                environment,
                request,
                artifact,
                now: clock::now(),
            };
            let outcome = match plan::plan(wish, &facts).and_then(|plan| demanded(plan, wish)) {
                Err(refusal) => {
                    for failure in &refusal.more {
                        events.note(failure.host.as_ref(), with_hint(failure));
                    }
                    Outcome::Refused {
                        failure: *refusal.failure,
                        held: refusal.held,
                    }
                }
                Ok(plan) => {
                    for (name, host) in &hosts {
                        host.connection.open_lanes(plan.hosts[name].channels());
                    }
                    tell_plan(&plan, &facts, &events);
                    let job = phase::Job {
                        environment,
                        request,
                        artifact,
                        access,
                        shared: &config.shared,
                        whole: true,
                    };
                    run(&plan, job, &mut hosts, &events, cancel).await
                }
            };
            // The lease goes last: whoever waits for it finds hosts that are done.
            release(hosts, access).await;
            outcome
        }
    };
    events.tell(Event::Concluded {
        outcome: outcome.clone(),
    });
    outcome
}

/// The plan, unless another one was demanded.
fn demanded(plan: Plan, wish: Wish<'_>) -> Result<Plan, Refusal> {
    let digest = plan.digest(wish);
    match &wish.request.plan_digest {
        Some(demanded) if *demanded != digest => Err(Refusal {
            failure: Box::new(Failure {
                host: None,
                step: "plan".to_owned(),
                message: format!("the plan has changed since: it is {digest} now, not {demanded}"),
                hint: Some(format!(
                    "Look at what has changed with `cutover plan {}`, and demand the new digest.",
                    wish.environment.name
                )),
            }),
            more: Vec::new(),
            held: false,
        }),
        _ => Ok(plan),
    }
}

async fn run(
    plan: &Plan,
    job: phase::Job<'_>,
    hosts: &mut BTreeMap<HostName, Leased>,
    events: &Events,
    cancel: &CancellationToken,
) -> Outcome {
    let mut machine = Machine::new(plan);
    let live = |(name, host): (&HostName, &Leased)| (name.clone(), host.facts.live().cloned());
    let mut matrix = Matrix::of(hosts.iter().map(live));
    loop {
        if cancel.is_cancelled() {
            machine.cancel();
        }
        let (phase, names) = match machine.proceed() {
            Next::Run(phase, names) => (phase, names),
            Next::Conclude(outcome) => {
                // A failure says it itself.
                if let Some(left) = machine.left_in_the_database()
                    && outcome.failure().is_none()
                {
                    events.note(None, left);
                }
                if matrix.tells() {
                    events.tell(Event::Matrix(matrix));
                }
                return outcome;
            }
        };
        events.tell(Event::PhaseBegan {
            phase: match machine.wave_of() {
                Some((wave, of)) => format!("{} (wave {wave} of {of})", phase.word()),
                None => phase.word().to_owned(),
            },
        });
        // Who calls off is heard by what prepares, and while a wave is watched that others follow.
        let deaf = CancellationToken::new();
        let last = machine.is_last_wave();
        let undo = matches!(
            phase,
            machine::Phase::UndoHealth | machine::Phase::UndoOutside
        );
        let job = phase::Job {
            whole: last || undo,
            ..job
        };
        let cancel_phase = if phase == machine::Phase::Watch && last {
            &deaf
        } else {
            cancel
        };
        // Whoever sees something wrong while a wave is watched ends that for all hosts: they go back together.
        let over = &cancel_phase.child_token();
        let running = hosts
            .iter_mut()
            .filter(|(name, _)| names.contains(name))
            .map(|(name, host)| {
                let host_plan = &plan.hosts[name];
                async move {
                    let began = Instant::now();
                    let report = phase::run(phase, plan, host_plan, job, host, events, over).await;
                    if phase == machine::Phase::Watch
                        && matches!(report, machine::Report::Failed { .. })
                    {
                        over.cancel();
                    }
                    (name, report, began.elapsed())
                }
            });
        for (name, report, took) in join_all(running).await {
            matrix.note(plan, phase, name, &report, took);
            machine.report(name, report);
        }
        if phase == machine::Phase::Migrate {
            machine.learn(events.schema().migrated());
        }
        for (host, failure) in machine.failures() {
            events.note(Some(host), with_hint(failure));
        }
    }
}

/// Polls futures side by side on this task, because they borrow what a spawned task could not.
async fn join_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        let mut pending = false;
        for (future, output) in running.iter_mut().filter(|(_, output)| output.is_none()) {
            match future.as_mut().poll(context) {
                std::task::Poll::Ready(value) => *output = Some(value),
                std::task::Poll::Pending => pending = true,
            }
        }
        if pending {
            std::task::Poll::Pending
        } else {
            std::task::Poll::Ready(())
        }
    })
    .await;
    running
        .into_iter()
        .filter_map(|(_, output)| output)
        .collect()
}

async fn release(hosts: BTreeMap<HostName, Leased>, access: &Access) {
    let releasing = hosts.into_values().map(|host| host.release(access));
    join_all(releasing).await;
}

fn tell_plan(plan: &Plan, facts: &BTreeMap<HostName, Facts>, events: &Events) {
    for (name, facts) in facts {
        if let Some(holder) = &facts.died {
            let mut note = format!(
                "the last deployment here ended without a word: {}",
                holder.line()
            );
            if let Some(outlived) = &facts.outlived {
                note = format!("{note}; {}", outlived.line());
            }
            events.note(Some(name), note);
        }
        for path in &facts.leftovers {
            events.note(
                Some(name),
                format!("left over from an interrupted deployment: {path}"),
            );
        }
    }
    for (name, remark) in &plan.remarks {
        events.note(Some(name), remark.clone());
    }
    events.tell(Event::Planned {
        release: plan.release.clone(),
        commit: plan.commit.clone(),
        previous: plan.previous.clone(),
        previous_commit: plan.previous_commit.clone(),
        lines: plan.lines(),
    });
}

fn with_hint(failure: &Failure) -> String {
    match &failure.hint {
        Some(hint) => format!("{}. {hint}", failure.line()),
        None => failure.line(),
    }
}
