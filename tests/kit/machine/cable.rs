//! The cable between a machine and this side, and what can happen to it.

use std::net::Ipv4Addr;

use tokio::process::Command;

use super::Machine;
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
        self.cable(&["cut"]).await;
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
        self.cable(&["mend"]).await;
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
