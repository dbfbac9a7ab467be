//! A segment: steps of one phase on one host, sent as one exec whose output marks each step.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Events;
use super::lease::Leased;
use crate::host::{Channel, HostError};
use crate::plan::Step;
use crate::script::{FINISH, GUARD, STEPS};
use crate::{Event, Failure, ReleaseId};

/// How steps run.
pub(super) enum Mode<'a> {
    /// They only prepare: they end when we do, or when `cancel` says so.
    Guard {
        /// The artifact, its size, and where it goes.
        bring: Option<(&'a Path, u64, &'a str)>,
        cancel: &'a CancellationToken,
    },
    /// They change what is live: they run to their end, with or without us.
    Finish { folder: &'a str, segment: &'a str },
}

/// How a segment ended.
#[derive(Debug)]
pub(super) enum End {
    /// Every step succeeded.
    Done,
    /// A step failed.
    Failed(Failure),
    /// It was called off.
    Cancelled,
    /// The line was lost: what happened is unknown.
    Lost(HostError),
}

/// Follows the output of one segment.
struct Follower<'a> {
    leased: &'a Leased,
    events: &'a Events,
    nonce: String,
    step: Option<(String, Instant)>,
    tail: VecDeque<String>,
    failed: Option<(String, i32)>,
    fenced: bool,
}

/// Runs steps on a host. A step that takes longer than `limit` ends the segment.
pub(super) async fn run(
    leased: &Leased,
    steps: &[Step],
    mode: Mode<'_>,
    root: &str,
    limit: Duration,
    events: &Events,
) -> End {
    let nonce = nonce();
    let (script, name, mut args) = match &mode {
        Mode::Guard { bring, .. } => {
            let (bytes, file) = bring.map_or((0, ""), |(_, bytes, file)| (bytes, file));
            (GUARD, "guard", vec![bytes.to_string(), file.to_owned()])
        }
        Mode::Finish { folder, segment } => (
            FINISH,
            "finish",
            vec![(*folder).to_owned(), (*segment).to_owned()],
        ),
    };
    args.extend([
        STEPS.to_owned(),
        nonce.clone(),
        root.to_owned(),
        leased.facts.fence.to_string(),
    ]);
    for step in steps {
        args.extend([
            step.name.clone(),
            step.script.text().to_owned(),
            step.args.len().to_string(),
        ]);
        args.extend(step.args.iter().cloned());
    }
    let mut channel = match leased.connection.start(script, name, &args).await {
        Ok(channel) => channel,
        Err(error) => return End::Lost(error),
    };
    let mut follower = Follower {
        leased,
        events,
        nonce,
        step: None,
        tail: VecDeque::new(),
        failed: None,
        fenced: false,
    };
    let (bring, cancel) = match mode {
        Mode::Guard { bring, cancel } => (bring, Some(cancel)),
        Mode::Finish { .. } => (None, None),
    };
    // Feeding is a task of its own: the far end may stop reading and begin to talk at any byte.
    let feeding = bring
        .and_then(|(file, _, _)| Some((file.to_owned(), channel.take_stdin()?)))
        .map(|(file, stdin)| {
            follower.begin("bring");
            tokio::spawn(feed(file, stdin))
        });
    let stopped = follower.follow(&mut channel, limit, cancel).await;
    if let Some(feeding) = feeding {
        feeding.abort();
        drop(feeding.await);
    }
    match stopped {
        Some(end) => end,
        None => follower.end(channel).await,
    }
}

/// Sends a file and keeps stdin open until it is aborted: the end of stdin means that nobody waits any more.
async fn feed(file: std::path::PathBuf, mut stdin: impl tokio::io::AsyncWrite + Unpin) {
    if let Ok(mut file) = tokio::fs::File::open(file).await
        && tokio::io::copy(&mut file, &mut stdin).await.is_ok()
        && stdin.flush().await.is_ok()
    {
        std::future::pending::<()>().await;
    }
}

pub(super) fn nonce() -> String {
    let mut bytes = [0; 12];
    // Without randomness a step could fake the marks, so this is no place to go on.
    getrandom::fill(&mut bytes).expect("the kernel has randomness");
    hex::encode(bytes)
}

impl Follower<'_> {
    /// Reads until the output ends; something else than its end is returned.
    async fn follow(
        &mut self,
        channel: &mut Channel,
        limit: Duration,
        cancel: Option<&CancellationToken>,
    ) -> Option<End> {
        let mut deadline = Instant::now() + limit;
        let never = CancellationToken::new();
        let cancel = cancel.unwrap_or(&never);
        loop {
            let line = tokio::select! {
                line = channel.line() => line?,
                () = cancel.cancelled() => return Some(End::Cancelled),
                () = tokio::time::sleep_until(deadline) => return Some(End::Failed(self.too_long(limit))),
            };
            if self.hear(&line) {
                deadline = Instant::now() + limit;
            }
        }
    }

    /// Takes in a line; true when it marked a step.
    fn hear(&mut self, line: &str) -> bool {
        let mark = format!("\u{1e}{} ", self.nonce);
        let Some((before, mark)) = line.split_once(&mark) else {
            self.say(line);
            return false;
        };
        if !before.is_empty() {
            self.say(before);
        }
        match mark.split_once(' ') {
            Some(("begin", step)) => {
                self.finish(0);
                self.begin(step);
            }
            Some(("end", rest)) => {
                let status = rest
                    .split(' ')
                    .next()
                    .and_then(|status| status.parse().ok())
                    .unwrap_or(1);
                self.finish(status);
            }
            Some(("fenced", _)) => self.fenced = true,
            _ => {}
        }
        true
    }

    fn begin(&mut self, step: &str) {
        self.tail.clear();
        self.step = Some((step.to_owned(), Instant::now()));
        self.events.tell(Event::StepBegan {
            host: Some(self.leased.host.name.clone()),
            step: step.to_owned(),
        });
    }

    fn finish(&mut self, status: i32) {
        let Some((step, began)) = self.step.take() else {
            return;
        };
        let took_ms = began.elapsed().as_millis().try_into().unwrap_or(u64::MAX);
        let host = Some(self.leased.host.name.clone());
        self.events.tell(Event::StepEnded {
            host,
            step: step.clone(),
            status,
            took_ms,
        });
        if status != 0 {
            self.failed = Some((step, status));
        }
    }

    fn say(&mut self, line: &str) {
        let text: String = line.trim_end().chars().take(4096).collect();
        let host = self.leased.host.name.clone();
        let step = self
            .step
            .as_ref()
            .map(|(step, _)| step.clone())
            .unwrap_or_default();
        if let Some((worker, pid, release)) = proven(&text).filter(|_| step.starts_with("workers "))
        {
            self.events.tell(Event::WorkerProven {
                host,
                worker,
                pid,
                release,
            });
            return;
        }
        if !text.is_empty() {
            self.tail.push_back(text.clone());
            if self.tail.len() > 4 {
                self.tail.pop_front();
            }
        }
        self.events.tell(Event::Line {
            host: Some(host),
            step,
            text,
        });
    }

    async fn end(mut self, channel: Channel) -> End {
        let (status, stderr) = match channel.end().await {
            Ok(end) => end,
            Err(error) => return End::Lost(error),
        };
        if self.fenced {
            let message = "another deployment has taken the host over; nothing was done".to_owned();
            return End::Failed(self.failure("fence", message));
        }
        for line in stderr.lines().map(str::to_owned).collect::<Vec<_>>() {
            self.say(&line);
        }
        if status == 0 && self.failed.is_none() {
            self.finish(0);
            return End::Done;
        }
        self.finish(status);
        let (step, status) = self
            .failed
            .clone()
            .unwrap_or_else(|| ("start".to_owned(), status));
        let said = self
            .tail
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(" / ");
        let message = if said.is_empty() {
            format!("exit {status}")
        } else {
            format!("exit {status}: {said}")
        };
        End::Failed(self.failure(&step, message))
    }

    fn too_long(&mut self, limit: Duration) -> Failure {
        let step = self
            .step
            .as_ref()
            .map_or_else(|| "start".to_owned(), |(step, _)| step.clone());
        self.finish(124);
        let hint =
            "Raise `step_timeout` of the environment if this is how long it takes.".to_owned();
        Failure {
            hint: Some(hint),
            ..self.failure(&step, format!("not done after {} s", limit.as_secs()))
        }
    }

    fn failure(&self, step: &str, message: String) -> Failure {
        let hint = hint(&message).map(str::to_owned);
        Failure {
            host: Some(self.leased.host.name.clone()),
            step: step.to_owned(),
            message,
            hint,
        }
    }
}

/// What to do about words that are well known.
fn hint(message: &str) -> Option<&'static str> {
    let known = [
        (
            "No space left on device",
            "Make room on the host: remove old releases, or lower `keep_releases`.",
        ),
        (
            "a password is required",
            "Let the deploy user run this without a password: see templates/sudoers.",
        ),
        (
            "no such group",
            "Name the supervisor program as `supervisorctl status` shows it before the colon.",
        ),
        (
            "workers of",
            "See which jobs still run, then raise `drain_timeout`, or choose `after_drain`.",
        ),
    ];
    known
        .iter()
        .find(|(words, _)| message.contains(words))
        .map(|(_, hint)| *hint)
}

/// Reads `proven NAME PID RELEASE`, the words of the worker script.
fn proven(line: &str) -> Option<(String, u32, ReleaseId)> {
    let mut words = line.strip_prefix("proven ")?.split(' ');
    let (worker, pid, release) = (words.next()?, words.next()?, words.next()?);
    Some((
        worker.to_owned(),
        pid.parse().ok()?,
        ReleaseId::parse(release).ok()?,
    ))
}
