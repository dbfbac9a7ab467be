//! A pool of PHP-FPM, asked over FastCGI through the connection to its host: before the swap for the new release, after
//! it to forget the old one. What answers for the pool itself is a script that is there as long as the lease is.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use fastcgi_client::response::Content;
use fastcgi_client::{Client, ClientError, Params, Request, StreamExt as _};
use sha2::{Digest as _, Sha256};
use tokio::net::UnixStream;
use tokio::time::Instant;

use super::lease::Leased;
use super::phase::{Job, again, finish, unknown};
use super::segment::End;
use super::{Events, ask};
use crate::config::{Environment, Health, Host, PhpFpm, PoolAddress, Role};
use crate::health::{Answer, excerpt, judge};
use crate::host::{HostError, within};
use crate::machine::{Live, Phase, Report};
use crate::plan::{HostPlan, Plan, Step};
use crate::pool::{self, Pool};
use crate::script::ASK;
use crate::{Event, Failure, Kind, ReleaseId};

/// A pool answers within this time, or it is taken for stuck: all of its processes may be at work.
const PATIENCE: Duration = Duration::from_secs(30);
/// A host that is there answers within this time.
const STILL_THERE: Duration = Duration::from_secs(10);
/// What is said of a line that nobody answered on.
const CLOSED: &str = "it was closed without an answer";
/// This much of an answer is read.
const BODY_BYTES: usize = 64 * 1024;

mod follow;
mod visit;

use follow::Told;
use visit::Visit;

/// Why a pool did not do what it was asked for.
enum Trouble {
    /// The line to its host was lost.
    Lost(HostError),
    /// It cannot be reached, or answers something else; in words.
    Said(String),
}

/// The name and the text of the script that answers for the pool of a host, or two empty ones. The name tells the text:
/// `OPcache` may never look at a file again.
pub(super) fn answers(environment: &Environment, host: &Host) -> [String; 2] {
    match pool_of(environment, host) {
        Some(_) => [file_name(), ASK.to_owned()],
        None => Default::default(),
    }
}

fn file_name() -> String {
    let digest = hex::encode(Sha256::digest(ASK.as_bytes()));
    format!("ask-{}.php", &digest[..12])
}

/// The pool of a host, where there is one to ask.
pub(super) fn pool_of<'a>(
    environment: &'a Environment,
    host: &Host,
) -> Option<(&'a PhpFpm, &'a PoolAddress)> {
    let web = host.roles.contains(&Role::Web);
    let fpm = environment.php_fpm.as_ref().filter(|_| web)?;
    Some((fpm, fpm.pool.as_ref()?))
}

/// Asks the release in the live pool for its health and for the paths that are to be warm.
pub(super) async fn warm(
    release: &ReleaseId,
    job: Job<'_>,
    leased: &mut Leased,
    events: &Events,
) -> Report {
    let mut seen = warmed(release, job, leased, events).await;
    if let Err(Trouble::Lost(error)) = &seen {
        if let Err(failure) = again(error, job, leased, events).await {
            return unknown(failure);
        }
        seen = warmed(release, job, leased, events).await;
    }
    match seen {
        Ok(()) => Report::Done,
        // Who goes back may do so because of the very pool that does not answer; health proves the rest.
        Err(trouble) if matches!(job.request.kind, Kind::Rollback { .. }) => {
            let failure = failure(trouble, Phase::Warm, job, leased);
            events.note(Some(&leased.host.name), failure.line());
            Report::Done
        }
        Err(trouble) => Report::Failed {
            failure: failure(trouble, Phase::Warm, job, leased),
            live: Live::Old,
        },
    }
}

async fn warmed(
    release: &ReleaseId,
    job: Job<'_>,
    leased: &mut Leased,
    events: &Events,
) -> Result<(), Trouble> {
    let Some((fpm, address)) = pool_of(job.environment, &leased.host) else {
        return Ok(());
    };
    let root = leased.root();
    let pool = known(address, leased).await?;
    let (told, follows) = (pool.line(&root), pool.follows(fpm.after_swap, &root));
    events.note(Some(&leased.host.name), format!("php-fpm: {told}"));
    follows.map_err(Trouble::Said)?;
    let visit = Visit::of(
        release,
        fpm,
        job.environment.health.as_ref(),
        &leased.root(),
    );
    let health = job.environment.health.as_ref();
    let first = health.map(|health| (Visit::path_of(health), Some(health)));
    let others = fpm.warm.iter().map(|path| (path.clone(), None));
    for (path, health) in first.into_iter().chain(others) {
        let began = Instant::now();
        events.tell(Event::StepBegan {
            host: Some(leased.host.name.clone()),
            step: path.clone(),
        });
        let answered = put(address, leased, visit.params(&path), PATIENCE).await;
        let judged = answered.and_then(|answer| {
            let judged = match health {
                Some(health) => judge(health, Some(release), &answer),
                None => fit(&answer),
            };
            judged.map_err(|said| Trouble::Said(format!("{path} of the new release: {said}")))
        });
        events.tell(Event::StepEnded {
            host: Some(leased.host.name.clone()),
            step: path,
            status: i32::from(judged.is_err()),
            took_ms: began.elapsed().as_millis().try_into().unwrap_or(u64::MAX),
        });
        judged?;
    }
    Ok(())
}

/// Asks the release in the live pool for its health, once.
pub(super) async fn health(
    release: &ReleaseId,
    health: &Health,
    job: Job<'_>,
    leased: &Leased,
) -> Result<Answer, HostError> {
    let Some((fpm, address)) = pool_of(job.environment, &leased.host) else {
        return Ok(Answer::none("no pool is known here"));
    };
    let visit = Visit::of(release, fpm, Some(health), &leased.root());
    let params = visit.params(&Visit::path_of(health));
    match put(address, leased, params, health.timeout).await {
        Ok(answer) => Ok(answer),
        Err(Trouble::Said(said)) => Ok(Answer::none(said)),
        Err(Trouble::Lost(error)) => Err(error),
    }
}

/// Whether a page that is only to be warm is one.
fn fit(answer: &Answer) -> Result<(), String> {
    match answer.status {
        200 if answer.body.trim().is_empty() => Err("HTTP 200 with an empty body".to_owned()),
        200..400 => Ok(()),
        status => Err(format!("HTTP {status}: {}", excerpt(&answer.body))),
    }
}

/// Runs the steps of a phase that run to their end, and beside them has the pool do what it must.
pub(super) async fn beside(
    phase: Phase,
    plan: &Plan,
    steps: &[Step],
    host: &HostPlan,
    job: Job<'_>,
    leased: &mut Leased,
    events: &Events,
) -> End {
    let Some((fpm, address)) = pool_of(job.environment, &leased.host) else {
        return finish(phase, steps, host, job, leased, events).await;
    };
    match phase {
        Phase::Keep => forget(address, &host.removed, leased, events).await,
        Phase::Abandon => {
            forget(address, std::slice::from_ref(&plan.release), leased, events).await;
        }
        _ => {}
    }
    let swaps = matches!(phase, Phase::Switch | Phase::Undo);
    let swap = steps.iter().find(|step| swaps && step.name == "swap");
    let Some([_, release, tag, ..]) = swap.map(|swap| &swap.args[..]) else {
        return finish(phase, steps, host, job, leased, events).await;
    };
    let follows = follow::follows(fpm, address, leased).await;
    let Some(word) = follows.word() else {
        return finish(phase, steps, host, job, leased, events).await;
    };
    let told = Told {
        follows,
        word,
        release: release.clone(),
        next: format!("{}/current.{tag}", folder(leased)),
        address,
    };
    told.beside(phase, steps, host, job, leased, events).await
}

/// Has the pool forget the scripts of releases that go. That they stay would cost memory and nothing else, so it stops
/// nothing.
async fn forget(
    address: &PoolAddress,
    releases: &[ReleaseId],
    leased: &mut Leased,
    events: &Events,
) {
    if releases.is_empty() {
        return;
    }
    let root = leased.root();
    let folders: Vec<String> = releases
        .iter()
        .map(|release| format!("{root}/releases/{release}"))
        .collect();
    let answer = put(
        address,
        leased,
        own(leased, "forget", &folders.join("\n")),
        PATIENCE,
    )
    .await;
    let said = match answer {
        Ok(answer) => pool::forgotten(&answer),
        Err(Trouble::Said(said)) => Err(said),
        Err(Trouble::Lost(error)) => Err(error.to_string()),
    };
    let told = match said {
        Ok(0) => return,
        Ok(scripts) => format!("php-fpm: OPcache forgot {scripts} scripts of releases that go"),
        Err(said) => format!("php-fpm: OPcache keeps the scripts of releases that go: {said}"),
    };
    events.note(Some(&leased.host.name), told);
}

/// What the pool told of itself, asked for once.
async fn known<'a>(address: &PoolAddress, leased: &'a mut Leased) -> Result<&'a Pool, Trouble> {
    let pool = if let Some(pool) = leased.pool.take() {
        pool
    } else {
        let answer = put(address, leased, own(leased, "status", ""), PATIENCE).await?;
        Pool::read(&answer)
            .map_err(|said| Trouble::Said(format!("{said} (asked by {})", script(leased))))?
    };
    Ok(leased.pool.insert(pool))
}

fn folder(leased: &Leased) -> String {
    format!("{}/.cutover", leased.root())
}

/// The script that answers for the pool.
fn script(leased: &Leased) -> String {
    format!("{}/{}", folder(leased), file_name())
}

/// A question to it.
fn own(leased: &Leased, word: &str, paths: &str) -> Params<'static> {
    let current = format!("{}/current", leased.root());
    question(&script(leased), word, paths).custom("CUTOVER_CURRENT", current)
}

/// The same to a copy of it.
pub(super) fn question(file: &str, word: &str, paths: &str) -> Params<'static> {
    let name = file.rsplit('/').next().unwrap_or(file);
    Params::default()
        .request_method("GET")
        .script_filename(file.to_owned())
        .script_name(format!("/{name}"))
        .custom("CUTOVER_ASK", word.to_owned())
        .custom("CUTOVER_PATHS", paths.to_owned())
}

/// Puts a request to the pool.
async fn put(
    address: &PoolAddress,
    leased: &Leased,
    params: Params<'_>,
    limit: Duration,
) -> Result<Answer, Trouble> {
    let socket = leased.connection.lead_to(address).await;
    let answered = match socket {
        Ok(socket) => call(&socket, params, limit).await,
        Err(HostError::Channel { why, .. }) => Err(why),
        Err(error) => return Err(Trouble::Lost(error)),
    };
    match answered {
        Ok(answer) => Ok(answer),
        Err(_) if !answers_at_all(leased).await => {
            Err(Trouble::Lost(HostError::Lost(leased.host.name.clone())))
        }
        Err(said) => Err(Trouble::Said(format!(
            "PHP-FPM does not answer at {address}: {said}"
        ))),
    }
}

/// Whether the host is still there: a dead line is noticed by nobody else for three quarters of a minute.
async fn answers_at_all(leased: &Leased) -> bool {
    let asking = ask::lines(&leased.connection, "true", "true", &[], |_| {});
    let asked = within(&leased.host.name, STILL_THERE, asking).await;
    matches!(asked, Ok(Ok(_)))
}

/// One request over FastCGI.
pub(super) async fn call(
    socket: &Path,
    params: Params<'_>,
    limit: Duration,
) -> Result<Answer, String> {
    let line = UnixStream::connect(socket).await;
    let line = line.map_err(|e| e.to_string())?;
    let calling = async {
        let request = Request::new_tokio(params, tokio::io::empty());
        let client = Client::new_tokio(line);
        let answering = client.execute_once_stream(request).await;
        let mut answering = answering.map_err(|e| why(&e))?;
        let mut written = Vec::new();
        while let Some(content) = answering.next().await {
            match content.map_err(|e| why(&e))? {
                Content::Stdout(bytes) if written.len() < BODY_BYTES => {
                    written.extend_from_slice(&bytes);
                }
                Content::Stdout(_) | Content::Stderr(_) => {}
            }
        }
        if written.is_empty() {
            return Err(CLOSED.to_owned());
        }
        Ok(pool::answer(&written))
    };
    let timed = tokio::time::timeout(limit, calling).await;
    timed.unwrap_or_else(|_| Err(format!("no answer within {} s", limit.as_secs())))
}

/// Why there was no answer. What sshd could not lead anywhere ends in one of several ways.
fn why(error: &ClientError) -> String {
    let closed = matches!(error, ClientError::Io(error) if matches!(
        error.kind(),
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof
    ));
    if closed {
        CLOSED.to_owned()
    } else {
        error.to_string()
    }
}

fn failure(trouble: Trouble, phase: Phase, job: Job<'_>, leased: &Leased) -> Failure {
    let said = match trouble {
        Trouble::Lost(error) => return error.failure(&leased.host, phase.word()),
        Trouble::Said(said) => said,
    };
    let user = leased
        .host
        .address
        .user
        .as_deref()
        .unwrap_or("the deploy user");
    let hint = if said.contains("does not answer") {
        format!(
            "Check that the pool listens there, that {user} may open it (`sudo usermod -aG www-data {user}`, then log in \
             anew), and that sshd lets it through (`AllowStreamLocalForwarding`, `AllowTcpForwarding`)."
        )
    } else if said.contains("current") || said.contains("OPcache") {
        "Let nginx pass `$realpath_root` (see templates/nginx.conf), or set `after_swap = \"reload\"` and a \
         `process_control_timeout` in php-fpm.conf."
            .to_owned()
    } else if said.contains(&file_name()) {
        format!(
            "The pool's user must be able to read {}: `ls -ld {0}`.",
            folder(leased)
        )
    } else {
        let name = &job.environment.name;
        format!(
            "What was live still is. Mend the release, or take the path out of `warm` of {name}."
        )
    };
    Failure {
        host: Some(leased.host.name.clone()),
        step: phase.word().to_owned(),
        message: said,
        hint: Some(hint),
    }
}
