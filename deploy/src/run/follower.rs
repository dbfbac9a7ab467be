//! What a segment says while it runs: marks, which become events, and the output between them.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::lease::Leased;
use super::segment::End;
use super::{Events, ask};
use crate::config::Host;
use crate::host::{Channel, HostError};
use crate::plan::{Step, fit};
use crate::text::plain;
use crate::{Event, Failure, HostName, ReleaseId};

/// More lines than these are not told of one step. A host that prints more keeps them to itself.
const LINES: usize = 20_000;
/// The time that a mark may take on its way.
const SLACK: Duration = Duration::from_millis(500);
/// The host ends a step that takes too long; if it has not told so after this long, it never will.
pub(super) const GRACE: Duration = Duration::from_secs(45);

/// When all steps are over, the line may stay open this long: what a step left in the background can hold it for ever.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What was heard of a segment before its line was lost.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) nonce: String,
    pub(super) lines: usize,
    step: Option<(String, Instant)>,
    failed: Vec<Failed>,
}

/// A step that failed.
#[derive(Debug, Clone)]
struct Failed {
    step: String,
    status: i32,
    took: Duration,
    /// What it said last; `None` as long as it may go on.
    said: Option<String>,
}

impl Heard {
    pub(super) fn nothing(nonce: String) -> Self {
        Self {
            nonce,
            lines: 0,
            step: None,
            failed: Vec::new(),
        }
    }
}

/// Follows the output of one segment.
pub(super) struct Follower<'a> {
    leased: &'a Leased,
    events: &'a Events,
    steps: &'a [Step],
    /// How many have begun. Lines of the user's may have the same name.
    begun: usize,
    nonce: String,
    lines: usize,
    told: usize,
    step: Option<(String, Instant)>,
    tail: VecDeque<String>,
    /// Steps that failed, in their order; on a way back one may not be the last.
    failed: Vec<Failed>,
    pub(super) fenced: bool,
    pub(super) status: Option<i32>,
    /// Whether the line was still open when all steps were over.
    open: bool,
}

impl<'a> Follower<'a> {
    pub(super) fn new(
        leased: &'a Leased,
        steps: &'a [Step],
        heard: Heard,
        events: &'a Events,
    ) -> Self {
        Self {
            leased,
            events,
            steps,
            begun: 0,
            nonce: heard.nonce,
            lines: heard.lines,
            told: 0,
            step: heard.step,
            tail: VecDeque::new(),
            failed: heard.failed,
            fenced: false,
            status: None,
            open: false,
        }
    }

    pub(super) fn heard(&self) -> Heard {
        Heard {
            nonce: self.nonce.clone(),
            lines: self.lines,
            step: self.step.clone(),
            failed: self.failed.clone(),
        }
    }

    /// Reads until the output ends; something else than its end is returned.
    pub(super) async fn follow(
        &mut self,
        channel: &mut Channel,
        cancel: Option<&CancellationToken>,
    ) -> Option<End> {
        let limit = self.steps.iter().map(|step| step.limit).max();
        let limit = limit.unwrap_or_default() + GRACE;
        let mut deadline = Instant::now() + limit;
        let never = CancellationToken::new();
        let cancel = cancel.unwrap_or(&never);
        loop {
            let line = tokio::select! {
                line = channel.line() => line?,
                () = cancel.cancelled() => return Some(End::Cancelled),
                () = tokio::time::sleep_until(deadline) => {
                    self.open = self.status.is_some();
                    return (!self.open).then(|| End::Failed(self.never_ended(limit)));
                }
            };
            self.lines += usize::from(channel.whole());
            if self.hear(&line) {
                deadline = Instant::now()
                    + if self.status.is_some() {
                        LAST_WORDS
                    } else {
                        limit
                    };
            }
        }
    }

    /// Takes in a line; true when it marked a step.
    pub(super) fn hear(&mut self, line: &str) -> bool {
        let mark = format!("\u{1e}{} ", self.nonce);
        // A mark always begins a line of its own.
        let Some(mark) = line.strip_prefix(&mark) else {
            self.say(line);
            return false;
        };
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
            Some(("all" | "status", status)) => self.status = status.parse().ok(),
            _ => {}
        }
        true
    }

    pub(super) fn begin(&mut self, step: &str) {
        self.hear_out();
        self.tail.clear();
        self.told = 0;
        self.step = Some((step.to_owned(), Instant::now()));
        let rest = self.steps.get(self.begun..).unwrap_or_default();
        let at = rest.iter().position(|known| known.name == step);
        self.begun += at.map_or(0, |at| at + 1);
        // A line of the user's may take long, and who waits for the swap keeps a process of the pool waiting.
        let next = self.steps.get(self.begun);
        let next = next.is_some_and(|next| next.name == "swap");
        if step == "swap" || next && !step.starts_with("before swap: ") {
            self.leased.swap.come_near();
        }
        self.events.tell(Event::StepBegan {
            host: Some(self.leased.host.name.clone()),
            step: step.to_owned(),
        });
    }

    fn finish(&mut self, status: i32) {
        let Some((step, began)) = self.step.take() else {
            return;
        };
        let took = began.elapsed();
        let took_ms = took.as_millis().try_into().unwrap_or(u64::MAX);
        let host = Some(self.leased.host.name.clone());
        self.events.tell(Event::StepEnded {
            host,
            step: step.clone(),
            status,
            took_ms,
        });
        if status != 0 {
            self.failed.push(Failed {
                step,
                status,
                took,
                said: None,
            });
        }
    }

    /// Keeps what the step that failed last has said, for it says nothing more.
    fn hear_out(&mut self) {
        if let Some(last) = self.failed.last_mut() {
            let tail = || Vec::from_iter(self.tail.clone()).join(" / ");
            last.said.get_or_insert_with(tail);
        }
    }

    fn say(&mut self, line: &str) {
        let text = plain(line);
        if text.is_empty() {
            return;
        }
        let host = self.leased.host.name.clone();
        let step = self
            .step
            .as_ref()
            .map(|(step, _)| step.clone())
            .unwrap_or_default();
        // The further words of a step of a runtime say that it is a line of the user's.
        let group = step.strip_prefix("runtime ");
        let group = group.filter(|group| !group.contains(' '));
        let group = group.or_else(|| step.strip_prefix("workers "));
        let proven = group.map(|_| proven(&text, &host));
        if let Some(event) = proven.flatten() {
            self.events.tell(event);
            return;
        }
        // Its end comes later: it still has the disk keep that.
        if step == "swap" && text.starts_with("current -> ") {
            self.leased.swap.end();
        }
        // Nobody but a person ends it, so it must not be one line among many.
        if step == "older runs" && text.starts_with("left behind on ") {
            let host = Some(host);
            self.events.tell(Event::Note { host, text });
            return;
        }
        self.tail.push_back(text.chars().take(400).collect());
        if self.tail.len() > 4 {
            self.tail.pop_front();
        }
        self.told += 1;
        let text = match self.told.cmp(&LINES) {
            Ordering::Less => text,
            Ordering::Equal => "(the log is full; what follows is left out)".to_owned(),
            Ordering::Greater => return,
        };
        self.events.tell(Event::Line {
            host: Some(host),
            step,
            text,
        });
    }

    pub(super) async fn end(self, channel: Channel) -> End {
        if let Some(status) = self.status.filter(|_| self.open) {
            return self.conclude(status, "");
        }
        let heard = self.heard();
        match channel.end().await {
            // All went well only where the steps themselves say so.
            Ok((0, _)) if self.status.is_none() => {
                End::Lost(HostError::Lost(self.leased.host.name.clone()), heard)
            }
            Ok((status, stderr)) => {
                let status = self.status.unwrap_or(status);
                self.conclude(status, &stderr)
            }
            Err(error) => End::Lost(error, heard),
        }
    }

    pub(super) fn conclude(mut self, status: i32, stderr: &str) -> End {
        if self.fenced {
            let message = "another deployment has taken the host over; nothing was done".to_owned();
            return End::Failed(self.failure("fence", message));
        }
        for line in stderr.lines().map(str::to_owned).collect::<Vec<_>>() {
            self.say(&line);
        }
        self.finish(status);
        if status != 0 && self.failed.is_empty() {
            self.failed.push(Failed {
                step: "start".to_owned(),
                status,
                took: Duration::ZERO,
                said: None,
            });
        }
        self.hear_out();
        let failures = self.failed.iter().map(|failed| self.why(failed));
        failures.reduce(Failure::and).map_or(End::Done, End::Failed)
    }

    fn why(&self, failed: &Failed) -> Failure {
        let Failed { step, status, .. } = failed;
        let said = failed.said.as_deref().unwrap_or_default();
        if let Some(limit) = self.overran(failed) {
            return self.too_long(step, limit, said);
        }
        let message = if said.is_empty() {
            format!("exit {status}")
        } else {
            format!("exit {status}: {said}")
        };
        self.failure(step, message)
    }

    /// The limit of a step that was ended by it: `timeout` says so by its status, each in its own way, but so may others.
    fn overran(&self, failed: &Failed) -> Option<Duration> {
        let own = |known: &&Step| known.name == failed.step;
        let limit = self.steps.iter().find(own)?.limit;
        // The mark of its beginning may have come a little late.
        let ended = matches!(failed.status, 124 | 125 | 137 | 143) && failed.took + SLACK >= limit;
        ended.then_some(limit)
    }

    fn too_long(&self, step: &str, limit: Duration, said: &str) -> Failure {
        let hint =
            "Raise `step_timeout` of the environment if this is how long it takes.".to_owned();
        let mut message = format!("not done after {} s", limit.as_secs());
        if !said.is_empty() {
            message = format!("{message}: {said}");
        }
        Failure {
            hint: Some(hint),
            ..self.failure(step, message)
        }
    }

    fn never_ended(&mut self, limit: Duration) -> Failure {
        let step = self
            .step
            .as_ref()
            .map_or_else(|| "start".to_owned(), |(step, _)| step.clone());
        self.finish(124);
        self.too_long(&step, limit, "and the host does not end it")
    }

    fn failure(&self, step: &str, message: String) -> Failure {
        let leased = self.leased;
        let hint = hint(&message, &leased.host);
        let hint = hint.or_else(|| fit::denied(&leased.host, &leased.root(), &message));
        Failure {
            host: Some(self.leased.host.name.clone()),
            step: step.to_owned(),
            message,
            hint,
        }
    }
}

/// What to do about words that are well known.
fn hint(message: &str, host: &Host) -> Option<String> {
    let known = [
        (
            "No space left on device",
            "Make room on the host: remove old releases, or lower `keep_releases`.",
        ),
        (
            "I/O error",
            "Look whether the disk is full: `df -h`. Remove old releases, or lower `keep_releases`.",
        ),
        (
            "current is not a link",
            "Something made a folder of it meanwhile: `cutover check <environment>` says how to mend that.",
        ),
        (
            "is missing or empty",
            "Put it there: `cutover check <environment>` says how.",
        ),
        (
            "is a link out of the release",
            "Take that link out of the repository, or the path out of `[shared]`.",
        ),
        (
            "cannot be read",
            "Let the deploy user read it: on Debian, `sudo usermod -aG adm <user>` for logs.",
        ),
        (
            "did not arrive whole",
            "Deploy again: the artifact is sent anew.",
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
            "SHELL",
            "A shell is its first process and keeps TERM from PHP: let its last line begin with `exec`.",
        ),
        (
            "a job was lost",
            "137 is a kill: for want of memory, or because its grace was over. What it worked on is in the queue's log.",
        ),
        (
            "NeverPull",
            "No node has the image of this commit: push it before the deployment.",
        ),
        (
            "ImagePull",
            "No node can bring the image of this commit: push it before the deployment, and look at the pull secrets.",
        ),
        (
            "came up on the release",
            "See why in their own log; `drain` starts them after the swap instead. What was there before still runs.",
        ),
        (
            "servers of",
            "See why in its own log; raise `timeout` where its requests take longer.",
        ),
        (
            "runs is hidden",
            "Let the deploy user run it (`user=`, `User=`), and give its program no capabilities (`setcap -r`).",
        ),
        (
            "workers of",
            "See which jobs still run, then raise `drain_timeout`, or choose `after_drain`.",
        ),
    ];
    let (_, hint) = known.iter().find(|(words, _)| message.contains(words))?;
    let user = host.address.user.as_deref().unwrap_or("USER");
    let hint = hint.replace("<environment>", host.environment.as_str());
    Some(hint.replace("<user>", user))
}

/// Reads `proven NAME PID RELEASE SINCE`, the words of the worker scripts.
fn proven(line: &str, host: &HostName) -> Option<Event> {
    let mut words = line.strip_prefix("proven ")?.split(' ');
    let (worker, pid, release) = (words.next()?, words.next()?, words.next()?);
    Some(Event::WorkerProven {
        host: host.clone(),
        worker: worker.to_owned(),
        pid: pid.parse().ok()?,
        release: ReleaseId::parse(release).ok()?,
        since: words.next().and_then(ask::at),
    })
}
