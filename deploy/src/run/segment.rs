//! A segment: steps of one phase on one host, sent as one exec whose output marks each step.

use std::path::Path;

use tokio::io::AsyncWriteExt as _;
use tokio_util::sync::CancellationToken;

use super::follower::{Follower, GRACE, Heard};
use super::lease::Leased;
use super::{Events, ask};
use crate::Failure;
use crate::host::{HostError, within};
use crate::plan::Step;
use crate::script::{ENDED, FINISH, GUARD, STEPS};

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
    /// Nobody could learn how it ended.
    Unknown(Failure),
    /// It was called off.
    Cancelled,
    /// The line was lost: what happened after what was heard is unknown.
    Lost(HostError, Heard),
}

/// Runs steps on a host.
pub(super) async fn run(
    leased: &Leased,
    steps: &[Step],
    mode: Mode<'_>,
    root: &str,
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
            step.limit.as_secs().max(1).to_string(),
            step.args.len().to_string(),
        ]);
        args.extend(step.args.iter().cloned());
    }
    let mut channel = match leased.connection.start(script, name, &args).await {
        Ok(channel) => channel,
        Err(error) => return End::Lost(error, Heard::nothing(nonce)),
    };
    let mut follower = Follower::new(leased, steps, Heard::nothing(nonce), events);
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
    let stopped = follower.follow(&mut channel, cancel).await;
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

/// Learns from what the host keeps how a segment ended whose line was lost; `None` when none of its steps began.
pub(super) async fn learn(
    leased: &Leased,
    steps: &[Step],
    folder: &str,
    segment: &str,
    heard: Heard,
    events: &Events,
) -> Option<End> {
    let args = [
        folder.to_owned(),
        segment.to_owned(),
        heard.nonce.clone(),
        heard.lines.to_string(),
    ];
    let mut follower = Follower::new(leased, steps, heard, events);
    let asking = ask::lines(&leased.connection, ENDED, "ended", &args, |line| {
        follower.hear(line);
    });
    let asked = within(&leased.host.name, GRACE, asking).await;
    if let Err(error) = asked.and_then(|asked| asked) {
        return Some(End::Lost(error, follower.heard()));
    }
    match follower.status {
        Some(_) if follower.fenced => None,
        Some(status) => Some(follower.conclude(status, "")),
        None => None,
    }
}
