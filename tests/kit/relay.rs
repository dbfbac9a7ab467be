//! A wire between a deployer and a host that can be cut in the middle: both ends then hear a reset, as from a firewall
//! that forgot the connection.

use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

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
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port is free");
        let address = listener.local_addr();
        let cut = Arc::new(Notify::new());
        let task = tokio::spawn(accept(listener, port, Arc::clone(&cut)));
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

async fn accept(listener: TcpListener, port: u16, cut: Arc<Notify>) {
    while let Ok((near, _)) = listener.accept().await {
        let cut = Arc::clone(&cut);
        tokio::spawn(async move {
            let cut = cut.notified();
            if let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await {
                hand_on(near, far, cut).await;
            }
        });
    }
}

async fn hand_on(mut near: TcpStream, mut far: TcpStream, cut: impl Future<Output = ()>) {
    tokio::select! {
        _ = copy_bidirectional(&mut near, &mut far) => {}
        () = cut => {
            // Closed without a word of farewell, a socket sends a reset.
            near.set_zero_linger().ok();
            far.set_zero_linger().ok();
        }
    }
}
