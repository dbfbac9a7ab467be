//! What the processor did for whoever deploys, by the kernel's own count: this program and all that it waited for,
//! without the lines.

use std::fs;

use rustix::process::{self, WaitOptions};

/// The kernel counts in hundredths of a second.
const TICKS: f64 = 100.0;

/// Children of children come back to this program when they lose their parent, so that they are counted as well.
pub(crate) fn adopt_orphans() {
    process::set_child_subreaper(Some(process::getpid())).ok();
}

/// Takes in what has ended.
pub(crate) fn reap() {
    while let Ok(Some(_)) = process::wait(WaitOptions::NOHANG) {}
}

/// Seconds so far. `lines` is the folder of the thread that is not counted.
pub(crate) fn seconds(lines: &str) -> f64 {
    let own = ticks("/proc/self/stat", 13..17);
    let lines = ticks(&format!("{lines}/stat"), 13..15);
    let masters: f64 = masters().map(|stat| ticks(&stat, 13..15)).sum();
    (own + masters - lines) / TICKS
}

/// The connections that are kept: they are children of this program and still run.
fn masters() -> impl Iterator<Item = String> {
    let me = std::process::id().to_string();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .map(|entry| format!("{}/stat", entry.path().display()))
        .filter(move |stat| {
            let text = fs::read_to_string(stat).unwrap_or_default();
            let mut rest = text.rsplit(") ").next().unwrap_or_default().split(' ');
            text.contains(" (ssh) ") && rest.nth(1) == Some(&me)
        })
}

/// The sum of some of the fields of a `stat` file, counted from 0.
fn ticks(stat: &str, fields: std::ops::Range<usize>) -> f64 {
    let text = fs::read_to_string(stat).unwrap_or_default();
    // The second field is a name in brackets, which may hold anything.
    let rest = text.rsplit(") ").next().unwrap_or_default();
    let fields = fields.start - 2..fields.end - 2;
    let values = rest.split(' ').skip(fields.start).take(fields.len());
    values.filter_map(|value| value.parse::<f64>().ok()).sum()
}
