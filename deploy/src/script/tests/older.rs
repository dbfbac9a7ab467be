//! What runs on another release, by real processes.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use insta::assert_snapshot;

use super::{Script, Stage};

/// Says that it has begun, and ends when its stdin does.
const ARTISAN: &str = "echo up >>\"${0%/*}/up\"; read -r _ || :";

/// Processes of a release.
struct Running<'a> {
    release: &'a Path,
    all: Vec<Child>,
}

impl Running<'_> {
    /// Has a shell run the release's artisan, by a line with `ARTISAN` in it.
    fn start(&mut self, line: &str) -> u32 {
        let artisan = self.release.join("artisan");
        let line = line.replace("ARTISAN", artisan.to_str().unwrap());
        let mut shell = Command::new("sh");
        shell.args(["-c", &line]).stdin(Stdio::piped());
        self.all.push(shell.spawn().unwrap());
        self.all.last().unwrap().id()
    }

    /// Waits until all have opened their script, by which they are seen.
    fn all_up(&self) {
        let up = || fs::read_to_string(self.release.join("up")).unwrap_or_default();
        let deadline = Instant::now() + Duration::from_secs(20);
        while up().lines().count() < self.all.len() {
            assert!(Instant::now() < deadline, "{:?}", up());
            sleep(Duration::from_millis(10));
        }
    }

    fn end(self) {
        for mut child in self.all {
            drop(child.stdin.take());
            child.wait().unwrap();
        }
    }
}

/// A line of the journal by which a hand-over has told of these.
fn told(release: &str, pids: &[u32]) -> String {
    let pids = pids.iter().map(|pid| format!("{{\"pid\":\"{pid}\"}}"));
    let pids = pids.collect::<Vec<_>>().join(",");
    format!("{{\"did\":\"workers\",\"release\":\"{release}\",\"workers\":[{pids}]}}\n")
}

#[test]
fn what_no_hand_over_has_told_of_is_named_and_workers_of_no_group_as_left_behind() {
    let stage = Stage::with("", "");
    let release = stage.0.join("releases/old");
    fs::create_dir_all(&release).unwrap();
    fs::write(release.join("artisan"), ARTISAN).unwrap();
    let mut running = Running {
        release: &release,
        all: Vec::new(),
    };
    let drains = [
        running.start("exec sh ARTISAN queue:work"),
        // What its manager lists only wraps it.
        running.start("sh ARTISAN horizon:work; :"),
    ];
    let removed = running.start("exec sh ARTISAN queue:work");
    let run = running.start("exec sh ARTISAN schedule:run");
    let once = running.start("exec sh ARTISAN queue:work --once");
    // A group that was told of before the last swap may be gone since.
    let swap = "{\"did\":\"swap\",\"release\":\"new\"}\n";
    let journal = told("old", &[removed]) + swap + &told("new", &drains);
    fs::write(stage.0.join(".cutover/log.jsonl"), journal).unwrap();
    running.all_up();
    let mut shell = Command::new("sh");
    shell.args(["-euc", Script::Older.text(), "older"]);
    let said = shell.arg(&stage.0).arg("new").output().unwrap();
    running.end();
    let mut said = String::from_utf8(said.stdout).unwrap();
    said = said.replace(release.join("artisan").to_str().unwrap(), "artisan");
    for (pid, number) in [(removed, 1), (run, 2), (once, 3)] {
        said = said.replace(&format!("(pid {pid})"), &format!("(pid {number})"));
    }
    let mut lines: Vec<_> = said.lines().collect();
    lines.sort_by_key(|line| line.split("(pid ").nth(1));
    assert_snapshot!(lines.join("\n"), @"
    left behind on old: sh artisan queue:work (pid 1), of no group in cutover.toml; it stays there until you end it or its group
    still runs on old: sh artisan schedule:run (pid 2)
    still runs on old: sh artisan queue:work --once (pid 3)
    ");
}
