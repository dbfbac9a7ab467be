//! A long cable: every packet of a machine comes by here and goes on later, as over the way to a real data centre.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How often a direction that is silent looks whether the cable is still wanted.
const LOOK: Duration = Duration::from_millis(50);

/// The way between two ends, one pair of threads in each direction. Ends with its value.
#[derive(Debug)]
pub(super) struct LongCable {
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    delay_micros: AtomicU64,
    cut: AtomicBool,
    over: AtomicBool,
}

impl LongCable {
    /// Lays it between the ends whose sockets are in this folder, or will be in a moment.
    pub(super) fn lay(folder: &Path) -> io::Result<Self> {
        let state = Arc::<State>::default();
        let socket = |name: &str| UnixDatagram::bind(folder.join(name));
        let (near, far) = (socket("near.out")?, socket("far.out")?);
        for (from, to, into) in [
            (near.try_clone()?, far.try_clone()?, "far.in"),
            (far, near, "near.in"),
        ] {
            let (sender, receiver) = channel();
            let (of_reader, of_writer) = (Arc::clone(&state), Arc::clone(&state));
            let into = folder.join(into);
            from.set_read_timeout(Some(LOOK))?;
            thread::spawn(move || of_reader.read(&from, &sender));
            thread::spawn(move || of_writer.write(&to, &into, &receiver));
        }
        Ok(Self { state })
    }

    /// Sets how long each packet is under way from now on, in one direction.
    pub(super) fn set_delay(&self, delay: Duration) {
        let micros = u64::try_from(delay.as_micros()).expect("no cable is that long");
        self.state.delay_micros.store(micros, Ordering::Relaxed);
    }

    /// Loses everything, or lets it through again. What is under way is lost too.
    pub(super) fn set_cut(&self, cut: bool) {
        self.state.cut.store(cut, Ordering::Relaxed);
    }
}

impl State {
    fn read(&self, from: &UnixDatagram, queue: &Sender<(Instant, Vec<u8>)>) {
        let mut packet = vec![0; 1 << 16];
        while !self.over.load(Ordering::Relaxed) {
            let Ok(length) = from.recv(&mut packet) else {
                continue;
            };
            let delay = Duration::from_micros(self.delay_micros.load(Ordering::Relaxed));
            if queue
                .send((Instant::now() + delay, packet[..length].to_vec()))
                .is_err()
            {
                return;
            }
        }
    }

    fn write(&self, to: &UnixDatagram, into: &Path, queue: &Receiver<(Instant, Vec<u8>)>) {
        while let Ok((due, packet)) = queue.recv() {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if !self.cut.load(Ordering::Relaxed) {
                // An end that is not there, or takes no more, loses the packet, as a cable does.
                drop(to.send_to(&packet, into));
            }
        }
    }
}

impl Drop for LongCable {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::Relaxed);
    }
}
