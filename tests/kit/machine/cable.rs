//! The cable between a machine and this side, and what can happen to it.

use std::net::Ipv4Addr;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::Machine;
use super::long::LongCable;
use crate::command;

/// The first address of 198.18.0.0/15, which nobody on the internet has.
const RANGE: u32 = 0xC612_0000;
const PAIRS: u32 = 1 << 15;

impl Machine {
    /// The address that the machine has on its cable.
    pub fn ip(&self) -> Ipv4Addr {
        self.address
    }

    /// Pulls the cable out: what is sent gets lost, and nobody is told. Lines that are open stay open for their ends.
    pub async fn cut_cable(&self) {
        if !self.cut_long_cable(true) {
            self.cable(&["cut"]).await;
        }
    }

    /// Makes every packet come this much later, in each direction: an answer takes twice as long. Lines that are open
    /// stay open. Zero makes the cable short again.
    pub async fn delay(&self, each_way: Duration) {
        if self.long_cable.lock().expect("no panic under it").is_none() {
            let cable =
                LongCable::lay(&self.dir).expect("the folder of the machine can be written");
            *self.long_cable.lock().expect("no panic under it") = Some(cable);
            let mut ends = Command::new("/bin/sh");
            ends.args(["-c", include_str!("bin/tap"), "tap"])
                .arg(&self.dir)
                .args([&self.id, &self.near.to_string(), &self.address.to_string()])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            // They outlive this command, so nothing of theirs may be waited for.
            let status = ends.status().await.expect("there is a shell");
            assert!(
                status.success(),
                "the cable of {} cannot be made longer",
                self.name()
            );
        }
        if let Some(cable) = &*self.long_cable.lock().expect("no panic under it") {
            cable.set_delay(each_way);
        }
    }

    /// Loses all that comes in, while what the machine itself sends still arrives.
    pub async fn silence(&self) {
        self.cable(&["silence"]).await;
    }

    /// Answers every packet with a reset: open lines break at once and new ones are refused.
    pub async fn refuse(&self) {
        self.cable(&["refuse"]).await;
    }

    /// Loses this many of a hundred packets that come in, by chance.
    pub async fn lose(&self, percent: u8) {
        self.cable(&["lose", &percent.to_string()]).await;
    }

    /// Makes the cable whole again.
    pub async fn mend_cable(&self) {
        self.cut_long_cable(false);
        self.cable(&["mend"]).await;
    }

    fn cut_long_cable(&self, cut: bool) -> bool {
        let cable = self.long_cable.lock().expect("no panic under it");
        cable.as_ref().map(|cable| cable.set_cut(cut)).is_some()
    }

    async fn cable(&self, fault: &[&str]) {
        let mut cable = Command::new("/bin/sh");
        cable
            .args(["-c", include_str!("bin/cable"), "cable", &self.id])
            .args(fault);
        command::succeed(&mut cable).await;
    }
}

/// Two neighbouring addresses for the ends of a cable. They are drawn from 32,768 pairs, so that test runs beside this
/// one hardly ever draw the same; and if they do, making the route fails and says so.
pub(super) fn free_addresses() -> (Ipv4Addr, Ipv4Addr) {
    let drawn = u32::try_from(uuid::Uuid::new_v4().as_u128() % u128::from(PAIRS))
        .expect("it is below 32,768");
    let first = RANGE + drawn * 4;
    (
        Ipv4Addr::from_bits(first + 1),
        Ipv4Addr::from_bits(first + 2),
    )
}
