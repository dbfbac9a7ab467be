//! A wire between a deployer and a host that can be cut in the middle: both ends then hear a reset, as from a firewall
//! that forgot the connection. It may be long.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// Hands everything on from a port of its own to another on 127.0.0.1. Ends with its value.
#[derive(Debug)]
pub struct Relay {
    port: u16,
    cut: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Relay {
    /// Starts one to this port.
    pub async fn to(port: u16) -> Self {
        Self::start(port, None).await
    }

    /// The same, where every piece is kept back so long on each way.
    pub async fn long(port: u16, each_way: Duration) -> Self {
        Self::start(port, Some(each_way)).await
    }

    async fn start(port: u16, each_way: Option<Duration>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port is free");
        let address = listener.local_addr();
        let cut = Arc::new(Notify::new());
        let task = tokio::spawn(accept(listener, port, each_way, Arc::clone(&cut)));
        Self {
            port: address.expect("a bound listener has an address").port(),
            cut,
            task,
        }
    }

    /// Its own port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Resets every connection that stands; new ones go through.
    pub fn cut(&self) {
        self.cut.notify_waiters();
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, port: u16, each_way: Option<Duration>, cut: Arc<Notify>) {
    while let Ok((near, _)) = listener.accept().await {
        let cut = Arc::clone(&cut);
        tokio::spawn(async move {
            let cut = cut.notified();
            if let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await {
                hand_on(near, far, each_way, cut).await;
            }
        });
    }
}

async fn hand_on(
    mut near: TcpStream,
    mut far: TcpStream,
    each_way: Option<Duration>,
    cut: impl Future<Output = ()>,
) {
    let handing = async {
        let Some(each_way) = each_way else {
            return copy_bidirectional(&mut near, &mut far).await.map(drop);
        };
        let (from_near, to_near) = near.split();
        let (from_far, to_far) = far.split();
        let (up, down) = (
            keep_back(from_near, to_far, each_way),
            keep_back(from_far, to_near, each_way),
        );
        tokio::try_join!(up, down).map(drop)
    };
    tokio::select! {
        _ = handing => {}
        () = cut => {
            // Closed without a word of farewell, a socket sends a reset.
            near.set_zero_linger().ok();
            far.set_zero_linger().ok();
        }
    }
}

async fn keep_back(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    each_way: Duration,
) -> io::Result<()> {
    let (send, mut sent) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let take = async move {
        let mut piece = vec![0; 64 * 1024];
        loop {
            let length = from.read(&mut piece).await?;
            let due = Instant::now() + each_way;
            if length == 0 || send.send((due, piece[..length].to_vec())).is_err() {
                return Ok(());
            }
        }
    };
    let give = async move {
        while let Some((due, bytes)) = sent.recv().await {
            sleep_until(due).await;
            to.write_all(&bytes).await?;
        }
        to.shutdown().await
    };
    tokio::try_join!(take, give).map(drop)
}
