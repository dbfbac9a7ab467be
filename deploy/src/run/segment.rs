//! A segment: steps of one phase on one host, sent as one exec whose output marks each step.

use std::io::SeekFrom;
use std::ops::Range;
use std::path::PathBuf;

use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;

use super::bring::Bring;
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
        /// The artifact that is brought first.
        bring: Option<Bring<'a>>,
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
            let args = bring.as_ref().map_or_else(Default::default, Bring::args);
            (GUARD, "guard", args.to_vec())
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
            step.block.clone().unwrap_or_default(),
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
        .and_then(|bring| Some((bring, channel.take_stdin()?)))
        .map(|(bring, stdin)| {
            follower.begin("bring");
            tokio::spawn(feed(bring.from.to_owned(), bring.sent, stdin))
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

/// Sends ranges of a file and keeps stdin open until it is aborted: the end of stdin means that nobody waits any more.
async fn feed(file: PathBuf, ranges: Vec<Range<u64>>, mut stdin: impl AsyncWrite + Unpin) {
    let sending = async {
        let mut file = tokio::fs::File::open(file).await?;
        for range in ranges {
            file.seek(SeekFrom::Start(range.start)).await?;
            let mut part = (&mut file).take(range.end - range.start);
            tokio::io::copy(&mut part, &mut stdin).await?;
        }
        stdin.flush().await
    };
    if sending.await.is_ok() {
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
