//! A line of a known delay: a TCP proxy on loopback that holds every byte back by half of a round trip, and counts.
//!
//! What it models is the delay alone: no loss, no limit on what is under way, no slow start.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// At most this much is taken off a socket at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// A line to one port of this machine. It ends with the program.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// The round trip.
    pub(crate) delay: Duration,
    /// Where it is entered.
    pub(crate) port: u16,
    up: Arc<AtomicU64>,
}

/// The threads of the lines: their work is not the work of whoever uses them.
#[derive(Debug)]
pub(crate) struct Lines {
    /// All lines, in the order of their delays.
    pub(crate) lines: Vec<Line>,
    /// The thread that moves the bytes, as a folder below `/proc`.
    pub(crate) thread: String,
}

impl Lines {
    /// Opens a line for every delay, all to `port`.
    pub(crate) fn open(delays: &[Duration], port: u16) -> io::Result<Self> {
        let (told, hear) = std::sync::mpsc::channel();
        let delays = delays.to_owned();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(error) => return drop(told.send(Err(error))),
            };
            runtime.block_on(async {
                drop(told.send(serve(&delays, port).await));
                std::future::pending::<()>().await;
            });
        });
        hear.recv().map_err(io::Error::other)?
    }
}

impl Line {
    /// The bytes that went up since it was opened.
    pub(crate) fn bytes_up(&self) -> u64 {
        self.up.load(Ordering::Relaxed)
    }
}

async fn serve(delays: &[Duration], port: u16) -> io::Result<Lines> {
    let mut lines = Vec::new();
    for delay in delays {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let line = Line {
            delay: *delay,
            port: listener.local_addr()?.port(),
            up: Arc::default(),
        };
        lines.push(line.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let line = line.clone();
                tokio::spawn(async move {
                    drop(line.carry(stream, port).await);
                });
            }
        });
    }
    let thread = std::fs::read_link("/proc/thread-self")?;
    let thread = format!("/proc/{}", thread.display());
    Ok(Lines { lines, thread })
}

impl Line {
    /// Carries one connection to its end. Over a real line the near end could speak a round trip after its first
    /// packet, and the far end would hear of it half of one later; here the kernel answers the near end at once.
    async fn carry(&self, near: TcpStream, port: u16) -> io::Result<()> {
        near.set_nodelay(true)?;
        let (from_near, to_near) = near.into_split();
        let half = self.delay / 2;
        tokio::time::sleep(self.delay).await;
        let (upward, arriving) = mpsc::unbounded_channel();
        let reading = tokio::spawn(take(from_near, half, upward, Some(Arc::clone(&self.up))));
        tokio::time::sleep(half).await;
        let far = TcpStream::connect(("127.0.0.1", port)).await?;
        far.set_nodelay(true)?;
        let (from_far, to_far) = far.into_split();
        let (downward, returning) = mpsc::unbounded_channel();
        tokio::spawn(take(from_far, half, downward, None));
        let up = tokio::spawn(give(to_far, arriving));
        give(to_near, returning).await;
        reading.abort();
        up.abort();
        Ok(())
    }
}

type Parcel = (Instant, Vec<u8>);

async fn take(
    mut from: OwnedReadHalf,
    half: Duration,
    to: mpsc::UnboundedSender<Parcel>,
    count: Option<Arc<AtomicU64>>,
) {
    let mut chunk = vec![0; CHUNK_BYTES];
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        if let Some(count) = &count {
            count.fetch_add(read as u64, Ordering::Relaxed);
        }
        let due = Instant::now() + half;
        if to.send((due, chunk[..read].to_vec())).is_err() {
            return;
        }
    }
}

async fn give(mut to: OwnedWriteHalf, mut from: mpsc::UnboundedReceiver<Parcel>) {
    while let Some((due, bytes)) = from.recv().await {
        // A timer that is over within its own grain is not waited for.
        if due > Instant::now() {
            tokio::time::sleep_until(due).await;
        }
        if to.write_all(&bytes).await.is_err() {
            return;
        }
    }
}
