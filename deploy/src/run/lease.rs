//! The lease of every host: connect, take it, and hear what is true.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::ask::FIRST_WORD;
use super::held::Held;
use super::{Access, Events, join_all};
use crate::config::{Environment, Host, Shared};
use crate::facts::{Facts, Holder};
use crate::host::{Channel, ConnectReason, Connection, HostError, within};
use crate::plan::{fit, patience};
use crate::pool::Pool;
use crate::script::{AROUND, LEASE, OUTLIVED, PROBE};
use crate::text::plain;
use crate::{DeployRequest, Event, Failure, HostName, clock};

/// A host whose line was lost may take this long, or one step if that is shorter, to be reachable again.
const RECONNECT: Duration = Duration::from_mins(1);

/// Our own lease whose line was lost is free by then: the host takes a holder for gone who has been silent for a minute.
const OWN_END: Duration = Duration::from_secs(75);

/// A host whose lease is held.
pub(super) struct Leased {
    pub(super) host: Host,
    pub(super) connection: Connection,
    pub(super) facts: Facts,
    /// What the pool of PHP-FPM told of itself, once it was asked.
    pub(super) pool: Option<Pool>,
    /// How far the step named `swap` is.
    pub(super) swap: Arc<Swap>,
    root: String,
    /// Absent only while it is taken again.
    lease: Option<Held>,
}

/// How far a step named `swap` is, for what waits for it beside the steps.
#[derive(Default)]
pub(super) struct Swap {
    near: Notify,
    is_done: AtomicBool,
}

impl Swap {
    /// It comes next.
    pub(super) fn come_near(&self) {
        self.near.notify_one();
    }

    /// `current` leads to the release.
    pub(super) fn end(&self) {
        self.is_done.store(true, Ordering::Relaxed);
        // Whoever waits for its beginning waits no longer, whatever marked it.
        self.near.notify_one();
    }

    /// Waits until it comes next, begins or is done, whichever was not waited for yet.
    pub(super) async fn near(&self) {
        self.near.notified().await;
    }

    /// Whether `current` leads to the release.
    pub(super) fn is_done(&self) -> bool {
        self.is_done.load(Ordering::Relaxed)
    }
}

/// What a lease is taken for.
#[derive(Clone, Copy)]
struct Claim<'a> {
    environment: &'a Environment,
    request: &'a DeployRequest,
    shared: &'a Shared,
    /// How long it is waited for.
    wait: Duration,
}

/// Why there is no lease.
pub(super) enum NoLease {
    Cancelled,
    Refused { failure: Failure, held: bool },
}

/// Why a host did not greet back.
enum Ungreeted {
    /// Not a word came over the line.
    Gone(HostError),
    /// It says why.
    No(NoLease),
}

impl Leased {
    /// The path of the environment on this host.
    pub(super) fn root(&self) -> String {
        self.root.clone()
    }

    /// Gives the lease back and keeps or ends the connection.
    pub(super) async fn release(self, access: &Access) {
        if let Some(lease) = self.lease {
            lease.give_back().await;
        }
        self.connection.leave(&self.host, access).await;
    }
}

/// Takes the lease of every host of an environment, or none.
///
/// The first host's comes first and the others follow at once: two deployments of one environment meet at the first
/// host, so they can never hold one host each and wait for the other's.
pub(super) async fn take(
    environment: &Environment,
    request: &DeployRequest,
    shared: &Shared,
    access: &Access,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<BTreeMap<HostName, Leased>, NoLease> {
    let claim = Claim {
        environment,
        request,
        shared,
        wait: environment.lock_wait,
    };
    let opening = async |host: &Host| {
        let connection = Connection::reach(host, access).await;
        let connection = connection.inspect(Connection::open_lanes_ahead);
        connection.map_err(|error| refused(error.failure(host, "greet")))
    };
    let mut connections = Vec::new();
    let mut failures = Vec::new();
    for (host, opened) in environment
        .hosts
        .iter()
        .zip(join_all(environment.hosts.iter().map(opening)).await)
    {
        match opened {
            Ok(connection) => connections.push((host, connection)),
            Err(failure) => failures.push(failure),
        }
    }
    let mut held = BTreeMap::new();
    let mut rest = connections.into_iter();
    let first: Vec<_> = rest.next().into_iter().collect();
    for wave in [first, rest.collect()] {
        if !failures.is_empty() {
            close(wave).await;
            continue;
        }
        let taking = wave.into_iter().map(async |(host, connection)| {
            let connection = fresh(host, connection, access).await?;
            lease(host, connection, claim, access, events, cancel).await
        });
        for taken in join_all(taking).await {
            match taken {
                Ok(leased) => drop(held.insert(leased.host.name.clone(), leased)),
                Err(no) => failures.push(no),
            }
        }
    }
    let mut failures = failures.into_iter();
    let Some(first) = failures.next() else {
        return Ok(held);
    };
    for failure in failures {
        if let NoLease::Refused { failure, .. } = failure {
            events.note(failure.host.as_ref(), super::with_hint(&failure));
        }
    }
    super::release(held, access).await;
    Err(first)
}

/// The connection, or a new one where nobody used it for too long: the first host's lease may have been waited for.
async fn fresh(
    host: &Host,
    connection: Connection,
    access: &Access,
) -> Result<Connection, NoLease> {
    if connection.stands().await {
        return Ok(connection);
    }
    connection.close().await;
    let opened = Connection::open(host, access).await;
    opened.map_err(|error| refused(error.failure(host, "greet")))
}

async fn close(connections: Vec<(&Host, Connection)>) {
    for (_, connection) in connections {
        connection.close().await;
    }
}

async fn lease(
    host: &Host,
    connection: Connection,
    claim: Claim<'_>,
    access: &Access,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<Leased, NoLease> {
    let mut connection = connection;
    loop {
        let taken = tokio::select! {
            taken = greet(host, &connection, claim, events) => taken,
            () = cancel.cancelled() => Err(Ungreeted::No(NoLease::Cancelled)),
        };
        let no = match taken {
            Ok((lease, facts)) => {
                connection.prove();
                return Ok(Leased {
                    host: host.clone(),
                    connection,
                    facts,
                    pool: None,
                    swap: Arc::default(),
                    root: claim.environment.path.clone(),
                    lease: Some(Held::new(lease)),
                });
            }
            Err(no) => no,
        };
        if let (Ungreeted::Gone(_), true) = (&no, connection.has_idled()) {
            // It was kept for too long: nobody told us that its line is dead. Its end may take as long to be noticed.
            drop(tokio::spawn(connection.close()));
        } else {
            connection.close().await;
            return Err(match no {
                Ungreeted::Gone(error) => refused(error.failure(host, "greet")),
                Ungreeted::No(no) => no,
            });
        }
        let opened = Connection::open(host, access).await;
        connection = opened.map_err(|error| refused(error.failure(host, "greet")))?;
    }
}

async fn greet(
    host: &Host,
    connection: &Connection,
    claim: Claim<'_>,
    events: &Events,
) -> Result<(Channel, Facts), Ungreeted> {
    let Claim {
        environment,
        request,
        shared,
        wait,
    } = claim;
    let holder = Holder {
        actor: request.actor.clone(),
        deployment: request.deployment.clone(),
        kind: request.kind.word().to_owned(),
        since: clock::now(),
        run_url: request.run_url.clone(),
    };
    let mut args = vec![
        environment.path.clone(),
        wait.as_secs().to_string(),
        serde_json::to_string(&holder).unwrap_or_default(),
        OUTLIVED.to_owned(),
    ];
    args.extend(super::pool::answers(environment, host));
    args.extend([PROBE.to_owned(), AROUND.to_owned()]);
    args.extend(shared.files.iter().cloned());
    let lost = |error: HostError| Ungreeted::No(refused(error.failure(host, "greet")));
    let mut channel = connection
        .start(LEASE, "lease", &args)
        .await
        .map_err(Ungreeted::Gone)?;
    let mut facts = Facts::default();
    let mut other = None;
    // Beside the wait for the lease, steps of an earlier holder that still run are awaited, each of which has its limit.
    let limit = wait + patience(environment) + Duration::from_mins(1);
    let first_word = if connection.has_idled() {
        FIRST_WORD
    } else {
        limit
    };
    let mut next = within(&host.name, first_word, channel.line())
        .await
        .map_err(Ungreeted::Gone)?;
    let heard = next.is_some();
    while let Some(line) = next {
        if line == "greeted" {
            return Ok((channel, facts));
        }
        match line.split_once(' ') {
            Some(("held", body)) => {
                let holder = holder_line(body);
                events.tell(Event::Waiting {
                    host: host.name.clone(),
                    holder: holder.clone(),
                });
                other = Some(holder);
            }
            Some(("runs", step)) => {
                let theirs = facts.died.as_ref();
                if let Some(dead) = theirs.filter(|dead| dead.deployment != holder.deployment) {
                    let (step, whose) = (plain(step), dead.line());
                    let awaited =
                        format!("waiting for `{step}`, which still runs: {whose} left it behind");
                    events.note(Some(&host.name), awaited);
                }
            }
            _ if line == "here" => {}
            _ => facts.hear(&line),
        }
        next = within(&host.name, limit, news(&mut channel))
            .await
            .map_err(lost)?;
    }
    let ended = channel.end().await;
    let (status, stderr) = ended.map_err(|error| {
        if heard {
            lost(error)
        } else {
            Ungreeted::Gone(error)
        }
    })?;
    Err(Ungreeted::No(match (status, other) {
        (75, Some(holder)) => busy(host, wait, &holder),
        _ => refused(ungreeted(host, &environment.path, status, &stderr)),
    }))
}

/// The next line that tells something: `here` only finds out whether this line still stands, and makes no wait longer.
async fn news(channel: &mut Channel) -> Option<String> {
    loop {
        let line = channel.line().await;
        if line.as_deref() != Some("here") {
            return line;
        }
    }
}

fn holder_line(body: &str) -> String {
    match serde_json::from_str::<Holder>(body) {
        Ok(holder) => holder.line(),
        Err(_) if body.trim().is_empty() => "somebody who has not said who".to_owned(),
        Err(_) => format!(
            "somebody else: {}",
            body.chars().take(200).collect::<String>()
        ),
    }
}

fn busy(host: &Host, waited: Duration, holder: &str) -> NoLease {
    let failure = Failure {
        host: Some(host.name.clone()),
        step: "greet".to_owned(),
        message: format!(
            "the lease is held, and was not free after {} s: {holder}",
            waited.as_secs()
        ),
        hint: Some("Wait for it to end, or raise `lock_wait`. A lease ends with the process that holds it.".to_owned()),
    };
    NoLease::Refused {
        failure,
        held: true,
    }
}

fn refused(failure: Failure) -> NoLease {
    NoLease::Refused {
        failure,
        held: false,
    }
}

fn ungreeted(host: &Host, root: &str, status: i32, stderr: &str) -> Failure {
    let said = stderr
        .lines()
        .rfind(|line| !line.trim().is_empty())
        .unwrap_or("no reason given")
        .trim();
    let hint = if let Some(hint) = fit::denied(host, root, said) {
        hint
    } else if let Some((tool, _)) = said.split_once(" is not installed") {
        format!(
            "{} Nothing was changed.",
            fit::install(tool, &Facts::default())
        )
    } else if stderr.contains("No space left") || stderr.contains("I/O error") {
        format!("Look whether the disk is full: `df -h {root}`, and make room.")
    } else if stderr.contains("Not a directory") || stderr.contains("File exists") {
        format!(
            "Look what stands in the way: `ls -ld {root} {root}/releases {root}/shared {root}/.cutover`."
        )
    } else {
        "Check the host by hand; nothing was changed on it.".to_owned()
    };
    let message = format!("cannot prepare {root}: exit {status}: {said}");
    Failure {
        host: Some(host.name.clone()),
        step: "greet".to_owned(),
        message,
        hint: Some(hint),
    }
}

/// Connects again, and again where nobody answers: a host that starts its sshd anew is back in a moment.
async fn reconnect(
    host: &Host,
    access: &Access,
    patience: Duration,
) -> Result<Connection, HostError> {
    let deadline = tokio::time::Instant::now() + patience;
    loop {
        match Connection::open(host, access).await {
            Err(HostError::Connect {
                reason: ConnectReason::Unreachable,
                ..
            }) if tokio::time::Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            opened => return opened,
        }
    }
}

/// Connects again after a lost line and takes the lease again, awaiting whatever still runs there.
/// Fails when somebody else held the lease in between: the host is theirs then.
pub(super) async fn take_again(
    leased: &mut Leased,
    environment: &Environment,
    request: &DeployRequest,
    shared: &Shared,
    access: &Access,
    events: &Events,
) -> Result<(), Failure> {
    let host = leased.host.clone();
    let fence = leased.facts.fence;
    // Where the line still stands after all, its lease is given up first.
    leased.lease = None;
    let patience = environment.step_timeout.min(RECONNECT);
    let connection = reconnect(&host, access, patience)
        .await
        .map_err(|error| error.failure(&host, "reconnect"))?;
    let claim = Claim {
        environment,
        request,
        shared,
        wait: environment.lock_wait.max(OWN_END),
    };
    match greet(&host, &connection, claim, events).await {
        Ok((lease, facts)) if facts.fence == fence + 1 => {
            leased.lease = Some(Held::new(lease));
            leased.connection = connection;
            leased.facts = facts;
            Ok(())
        }
        Ok((lease, _)) => {
            // Given back in due form, or the next try would take this one for a deployment of its own that was cut off.
            Held::new(lease).give_back().await;
            connection.close().await;
            let message =
                "another deployment took the host over while the line was down".to_owned();
            Err(Failure {
                host: Some(host.name),
                step: "reconnect".to_owned(),
                message,
                hint: Some(format!(
                    "See what it does with `cutover status {}`; yours can be asked for again when it is over.",
                    environment.name
                )),
            })
        }
        Err(Ungreeted::Gone(error)) => Err(error.failure(&host, "reconnect")),
        Err(Ungreeted::No(NoLease::Refused { failure, .. })) => Err(failure),
        Err(Ungreeted::No(NoLease::Cancelled)) => {
            unreachable!("a greeting is not cancelled by itself")
        }
    }
}
