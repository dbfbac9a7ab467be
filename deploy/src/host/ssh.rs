//! Hosts over OpenSSH. One connection per host and deployment; every script is one channel on it.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openssh::{ControlPersist, KnownHosts, Session, SessionBuilder, Stdio};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::task::JoinHandle;

use super::offer::{Offer, offer};
use super::{ConnectReason, HostError, lane};
use crate::HostName;
use crate::config::Host;
use crate::run::Access;
use crate::script::LANE;

/// A line is handed on in parts of at most this many bytes.
const LINE_BYTES: usize = 4 * 1024;
/// This much of what a script says on stderr is kept, for messages.
const STDERR_BYTES: u64 = 8 * 1024;
/// The ssh master process ends this long after its last channel, also when we are killed.
const PERSIST_SECONDS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(2);
/// What ends by itself, such as a script whose stdin has ended, may take this long for it.
const ENDING: Duration = Duration::from_secs(15);
/// A silent peer counts as lost after three of these.
const ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// An open connection to a host.
pub(crate) struct Connection {
    name: HostName,
    /// Channels that are open, or will be in a moment, and wait to hear which script they are.
    lanes: Mutex<VecDeque<JoinHandle<Option<Channel>>>>,
    session: Arc<Session>,
    folder: Folder,
    idled: bool,
}

/// Holds the control socket, without which the session could not be ended; goes after it.
type Folder = Arc<TempDir>;

/// A script that runs on a host.
pub(crate) struct Channel {
    host: HostName,
    child: openssh::Child<Arc<Session>>,
    stdin: Option<openssh::ChildStdin>,
    stdout: BufReader<openssh::ChildStdout>,
    stderr: JoinHandle<String>,
    /// Whether the part that was read last came to the end of its line.
    whole: bool,
    _folder: Folder,
}

impl Connection {
    /// Connects and logs in. Host keys are pinned: an unknown one is refused.
    pub(crate) async fn open(host: &Host, access: &Access) -> Result<Self, HostError> {
        let failed = |why: String| connect_error(host, &why);
        // Sockets have short paths (some 60 characters), which the usual folders for temporary files may exceed.
        // Those of a process that was killed are left behind, so the name tells whose it is.
        let folder = tempfile::Builder::new()
            .prefix(&format!("cutover-{}-", std::process::id()))
            .tempdir_in("/tmp")
            .map_err(|e| failed(e.to_string()))?;
        let connect_timeout = access.connect_timeout.unwrap_or(Duration::from_secs(10));
        let mut builder = SessionBuilder::default();
        builder
            .known_hosts_check(KnownHosts::Strict)
            .control_directory(folder.path())
            .control_persist(ControlPersist::IdleFor(PERSIST_SECONDS))
            .server_alive_interval(ALIVE_INTERVAL)
            .connect_timeout(connect_timeout)
            .port(host.address.port);
        if let Some(user) = &host.address.user {
            builder.user(user.clone());
        }
        if let Some(file) = &access.key_file {
            builder.keyfile(file);
        }
        if let Some(file) = &access.known_hosts {
            builder.user_known_hosts_file(file);
        }
        if let Some(file) = &access.ssh_config {
            builder.config_file(file);
        }
        // ssh's own limit ends with the handshake; logging in may hang as well.
        let limit = connect_timeout + ENDING;
        let session = within(&host.name, limit, builder.connect_mux(&host.address.host)).await?;
        let session = match session {
            Ok(session) => session,
            Err(error) => return Err(failed(chain(&error)).with_offer(host, access).await),
        };
        Ok(Self {
            name: host.name.clone(),
            lanes: Mutex::default(),
            session: Arc::new(session),
            folder: Arc::new(folder),
            idled: false,
        })
    }

    /// Whether it still stands. One that nobody used for a while ends by itself.
    pub(crate) async fn stands(&self) -> bool {
        matches!(
            within(&self.name, ENDING, self.session.check()).await,
            Ok(Ok(()))
        )
    }

    /// Opens channels ahead until as many are there: each takes a round trip that nobody has to wait for then.
    pub(crate) fn open_lanes(&self, count: usize) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        while lanes.len() < count {
            let (name, session) = (self.name.clone(), Arc::clone(&self.session));
            let folder = Arc::clone(&self.folder);
            lanes.push_back(tokio::spawn(async move {
                exec(name, session, folder, LANE, "lane", &[]).await.ok()
            }));
        }
    }

    /// Opens the lanes that every deployment needs first: for the lease, and for what follows it.
    pub(crate) fn open_lanes_ahead(&self) {
        self.open_lanes(2);
    }

    /// Makes it ready to wait for its next use. The lanes hold it open for as long, and only while we live.
    pub(crate) fn lay_by(&mut self) {
        self.idled = true;
        self.open_lanes_ahead();
    }

    /// Whether nobody used it for a while: its line may be dead without a word.
    pub(crate) fn has_idled(&self) -> bool {
        self.idled
    }

    /// Starts a script: `sh -euc SCRIPT NAME ARGUMENT…`.
    pub(crate) async fn start(
        &self,
        script: &str,
        name: &str,
        args: &[String],
    ) -> Result<Channel, HostError> {
        if let Some(line) = lane::line(script, name, args)
            && let Some(mut lane) = self.lane().await
            && lane.send_line(&line).await.is_ok()
        {
            return Ok(lane);
        }
        let (session, folder) = (Arc::clone(&self.session), Arc::clone(&self.folder));
        exec(self.name.clone(), session, folder, script, name, args).await
    }

    async fn lane(&self) -> Option<Channel> {
        let lane = self
            .lanes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()?;
        within(&self.name, ENDING, lane).await.ok()?.ok()?
    }

    /// Ends the connection. Channels must be over.
    pub(crate) async fn close(self) {
        for lane in self
            .lanes
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
        {
            lane.abort();
            drop(lane.await);
        }
        if let Ok(session) = Arc::try_unwrap(self.session) {
            drop(within(&self.name, ENDING, session.close()).await);
        }
        drop(self.folder);
    }
}

/// Opens a channel and starts a script on it.
async fn exec(
    host: HostName,
    session: Arc<Session>,
    folder: Folder,
    script: &str,
    name: &str,
    args: &[String],
) -> Result<Channel, HostError> {
    let mut command = Arc::clone(&session).arc_command("sh");
    command.arg("-euc").arg(script).arg(name).args(args);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = match command.spawn().await {
        Ok(child) => child,
        Err(error) if session.check().await.is_ok() => {
            return Err(HostError::Channel {
                host: host.clone(),
                why: chain(&error),
            });
        }
        Err(_) => return Err(HostError::Lost(host.clone())),
    };
    let stdin = child.stdin().take();
    let (Some(stdout), Some(stderr)) = (child.stdout().take(), child.stderr().take()) else {
        return Err(HostError::Channel {
            host: host.clone(),
            why: "no pipes".to_owned(),
        });
    };
    let stderr = tokio::spawn(async move {
        let mut text = Vec::new();
        let mut stderr = stderr;
        drop(
            (&mut stderr)
                .take(STDERR_BYTES)
                .read_to_end(&mut text)
                .await,
        );
        drop(tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await);
        String::from_utf8_lossy(&text).into_owned()
    });
    Ok(Channel {
        host: host.clone(),
        child,
        stdin,
        stdout: BufReader::new(stdout),
        stderr,
        whole: true,
        _folder: folder,
    })
}

impl Channel {
    /// The next line of stdout without its end, or a part of a very long one; `None` at the end.
    pub(crate) async fn line(&mut self) -> Option<String> {
        let part = self.part().await?;
        Some(String::from_utf8_lossy(&part).into_owned())
    }

    /// Whether the last line, or part of one, came to its end.
    pub(crate) fn whole(&self) -> bool {
        self.whole
    }

    /// The same as [`Channel::line`], as bytes: a part may end in the middle of a character.
    pub(crate) async fn part(&mut self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        let mut reader = (&mut self.stdout).take(LINE_BYTES as u64);
        match reader.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => None,
            Ok(_) => {
                self.whole = line.last() == Some(&b'\n');
                if self.whole {
                    line.pop();
                }
                Some(line)
            }
        }
    }

    /// The writing end of stdin, to feed it from another task. What comes back must be kept, or stdin ends.
    pub(crate) fn take_stdin(&mut self) -> Option<openssh::ChildStdin> {
        self.stdin.take()
    }

    /// Sends a line.
    pub(crate) async fn send_line(&mut self, line: &str) -> Result<(), HostError> {
        let Some(stdin) = self.stdin.as_mut() else {
            return Err(HostError::Lost(self.host.clone()));
        };
        let text = format!("{line}\n");
        match stdin.write_all(text.as_bytes()).await {
            Ok(()) => stdin
                .flush()
                .await
                .map_err(|_| HostError::Lost(self.host.clone())),
            Err(_) => Err(HostError::Lost(self.host.clone())),
        }
    }

    /// The error for a script that ended without the answer that was awaited.
    pub(crate) fn lost(&self) -> HostError {
        HostError::Lost(self.host.clone())
    }

    /// Ends stdin, reads what is left, and returns the exit status with what was said on stderr.
    /// A connection that broke is an error, because nobody knows what the script did.
    pub(crate) async fn end(self) -> Result<(i32, String), HostError> {
        let host = self.host.clone();
        within(&host, ENDING, self.ended()).await?
    }

    async fn ended(mut self) -> Result<(i32, String), HostError> {
        drop(self.stdin.take());
        drop(tokio::io::copy(&mut self.stdout, &mut tokio::io::sink()).await);
        let status = self.child.wait().await;
        let stderr = self.stderr.await.unwrap_or_default();
        match status {
            // Only a signal leaves no code behind, and 128 is what a shell would say of it.
            Ok(status) => Ok((status.code().unwrap_or(128), stderr)),
            Err(openssh::Error::Remote(error)) if error.kind() == std::io::ErrorKind::NotFound => {
                Ok((127, stderr))
            }
            // A script that was killed looks the same as a line that broke, and a broken line is noticed late.
            Err(_) => Err(HostError::Lost(self.host)),
        }
    }
}

/// Waits for an answer of a host, but not for ever.
pub(crate) async fn within<T>(
    host: &HostName,
    limit: Duration,
    answer: impl Future<Output = T>,
) -> Result<T, HostError> {
    let silent = |_| HostError::Silent {
        host: host.clone(),
        seconds: limit.as_secs(),
    };
    tokio::time::timeout(limit, answer).await.map_err(silent)
}

/// Sorts ssh's words into what a reader can act on. The one place that reads them.
fn connect_error(host: &Host, why: &str) -> HostError {
    let reason = if why.contains("Host key verification failed")
        || why.contains("host key is known")
    {
        ConnectReason::HostKey(Offer::Unknown)
    } else if why.contains("Permission denied") || why.contains("Too many authentication failures")
    {
        ConnectReason::Refused
    } else {
        ConnectReason::Unreachable
    };
    let line = why
        .lines()
        .rfind(|line| !line.trim().is_empty())
        .unwrap_or("no answer")
        .trim();
    let why = match &reason {
        ConnectReason::HostKey(_) => "the host key is not a pinned one".to_owned(),
        ConnectReason::Refused => format!("the host does not take the key ({line})"),
        ConnectReason::Unreachable => line.to_owned(),
    };
    HostError::Connect {
        address: host.address.to_string(),
        reason,
        why,
    }
}

impl HostError {
    /// Where the key was the reason, the same with the key that the host offers.
    async fn with_offer(mut self, host: &Host, access: &Access) -> Self {
        if let Self::Connect {
            reason: ConnectReason::HostKey(offered),
            ..
        } = &mut self
        {
            *offered = offer(host, access).await;
        }
        self
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
