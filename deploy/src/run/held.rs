//! A lease that is held: a channel that lives as long as its holder speaks.

use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::host::Channel;

/// The holder speaks this often. The host takes one for gone that has been silent for a minute: a line can be dead for
/// hours before the host's own sshd finds out.
const BEAT: Duration = Duration::from_secs(15);

/// The lease of one host. Dropped, it ends without a word, as when we are killed.
pub(super) struct Held {
    channel: Channel,
    done: oneshot::Sender<()>,
    beating: JoinHandle<()>,
}

impl Held {
    /// Holds the lease that `channel` has taken.
    pub(super) fn new(mut channel: Channel) -> Self {
        let (done, told) = oneshot::channel();
        let beating = match channel.take_stdin() {
            Some(stdin) => tokio::spawn(beat(stdin, told)),
            None => tokio::spawn(async {}),
        };
        Self {
            channel,
            done,
            beating,
        }
    }

    /// Gives the lease back.
    pub(super) async fn give_back(self) {
        self.done.send(()).ok();
        drop(self.beating.await);
        drop(self.channel.end().await);
    }
}

async fn beat(mut stdin: impl AsyncWrite + Unpin, mut told: oneshot::Receiver<()>) {
    loop {
        let word: &[u8] = tokio::select! {
            done = &mut told => match done {
                Ok(()) => b"done\n",
                Err(_) => return,
            },
            () = tokio::time::sleep(BEAT) => b"alive\n",
        };
        let written = stdin.write_all(word).await.is_ok() && stdin.flush().await.is_ok();
        if !written || word == b"done\n" {
            return;
        }
    }
}
