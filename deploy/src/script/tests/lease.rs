//! The lease of a host, and who was called off while waiting for it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::super::{LEASE, OUTLIVED};
use super::Stage;
use super::servers::shells;

/// Somebody who asks for the lease.
struct Asker {
    process: Child,
    said: BufReader<ChildStdout>,
}

impl Asker {
    /// What it hears, until a line begins so or all is said.
    fn hears(&mut self, word: &str) -> String {
        let mut all = String::new();
        let mut line = String::new();
        while !line.starts_with(word) {
            line.clear();
            if self.said.read_line(&mut line).unwrap() == 0 {
                break;
            }
            all.push_str(&line);
        }
        all
    }

    /// Its line is closed.
    fn leaves(self) -> Child {
        let mut process = self.process;
        drop((self.said, process.stdin.take()));
        process
    }
}

impl Stage {
    fn asks_for_lease(&self, shell: &[&str], deployment: &str, wait: &str) -> Asker {
        let mut lease = self.by(shell, LEASE);
        let holder = format!("{{\"deployment\":\"{deployment}\"}}");
        lease.arg(&self.0).args([wait, &holder, OUTLIVED]);
        lease.args(["ask-1.php", "<?php", ":"]);
        lease.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = lease.stderr(Stdio::null()).spawn().unwrap();
        let said = BufReader::new(process.stdout.take().unwrap());
        Asker { process, said }
    }

    /// Locks a file, as a holder or a step of his does, until it is killed.
    fn locks(&self, file: &str) -> Child {
        let file = self.0.join(file);
        let mut lock = Command::new("flock");
        lock.arg("--no-fork").arg(&file).args(["sleep", "61"]);
        let lock = lock.spawn().unwrap();
        let is_free = || {
            let mut asked = Command::new("flock");
            let free = asked.arg("-n").arg(&file).arg("true").status().unwrap();
            free.success()
        };
        while is_free() {
            sleep(Duration::from_millis(10));
        }
        lock
    }

    fn reads(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.0.join(".cutover").join(file)).ok()
    }
}

/// Whether a process ends in a few seconds. Then it is killed.
fn ends(mut process: Child) -> bool {
    let began = Instant::now();
    let has_ended = loop {
        if process.try_wait().unwrap().is_some() {
            break true;
        }
        if began.elapsed() > Duration::from_secs(5) {
            break false;
        }
        sleep(Duration::from_millis(10));
    };
    process.kill().unwrap();
    process.wait().unwrap();
    has_ended
}

#[test]
fn who_is_called_off_while_he_waits_never_holds_the_lease() {
    for shell in shells() {
        let stage = Stage::tooled(&[]);
        fs::write(stage.0.join(".cutover/lock"), "").unwrap();
        let mut holder = stage.locks(".cutover/lock");
        let mut waits = stage.asks_for_lease(shell, "b", "60");
        assert_eq!(waits.hears("held"), "here\nheld \n");
        let gone = waits.leaves();
        holder.kill().unwrap();
        holder.wait().unwrap();
        assert!(ends(gone), "{shell:?}");
        assert_eq!(stage.reads("lock").as_deref(), Some(""), "{shell:?}");
        assert_eq!(stage.reads("fence"), None, "{shell:?}");
        let mut next = stage.asks_for_lease(shell, "c", "0");
        assert_eq!(
            next.hears("greeted"),
            "here\nhere\nfence 1\ngreeted\n",
            "{shell:?}"
        );
        assert!(ends(next.leaves()));
    }
}

#[test]
fn who_is_called_off_while_a_step_still_runs_frees_the_lease_and_leaves_nothing() {
    for shell in shells() {
        let stage = Stage::tooled(&[]);
        let mut step = stage.locks(".cutover");
        let mut waits = stage.asks_for_lease(shell, "b", "0");
        waits.hears("here");
        while stage.reads("ask-1.php").as_deref() != Some("<?php") {
            sleep(Duration::from_millis(10));
        }
        assert!(ends(waits.leaves()), "{shell:?}");
        assert_eq!(stage.reads("ask-1.php"), None, "{shell:?}");
        let mut next = stage.asks_for_lease(shell, "c", "0");
        let heard = "here\nhere\ndied {\"deployment\":\"b\"}\n";
        assert_eq!(next.hears("died"), heard, "{shell:?}");
        step.kill().unwrap();
        step.wait().unwrap();
        assert!(next.hears("greeted").ends_with("fence 1\ngreeted\n"));
        assert!(ends(next.leaves()));
    }
}
