//! What takes too long, where `timeout` is not GNU's.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use super::super::STEPS;
use super::servers::{is_there, shells};
use super::{Script, Stage};

/// Ends only the process that it started, and has a status of its own for that.
const OTHER: &str =
    "shift 2; seconds=$1; shift; \"$@\" & sleep \"$seconds\"; kill \"$!\"; exit 125";

/// How a step ends that may take a second.
fn ends(stage: &Stage, shell: &[&str], line: &str) -> String {
    fs::write(stage.0.join(".cutover/fence"), "1\n").unwrap();
    let mut steps = stage.by(shell, STEPS);
    steps.arg("nonce").arg(&stage.0).args(["1", "build", line]);
    steps.args(["1", "1", ""]).arg(&stage.0);
    let said = steps.output().unwrap();
    let text = String::from_utf8(said.stdout).unwrap();
    let mut lines = text.lines();
    let mark = lines.find_map(|line| line.strip_prefix("\u{1e}nonce end "));
    mark.unwrap_or_default().to_owned()
}

#[test]
fn a_step_that_takes_too_long_and_then_ends_well_was_not_in_time() {
    for shell in shells() {
        if !is_there(&["busybox", "sh"]) {
            continue;
        }
        let stage = Stage::tooled(&["timeout"]);
        let line = "trap 'exit 0' TERM; sleep 9 & wait";
        assert_eq!(ends(&stage, shell, line), "124 build", "{shell:?}");
        assert_eq!(ends(&stage, shell, "sleep 0.5"), "0 build", "{shell:?}");
    }
}

#[test]
fn what_is_left_of_a_step_that_took_too_long_ends_whatever_its_timeout_says() {
    for shell in shells() {
        let stage = Stage::tooled(&[]);
        stage.program("timeout", OTHER);
        let line = "sh -c 'sleep 2; touch \"$0/late\"' \"$1\" >/dev/null 2>&1 & sleep 9";
        assert_eq!(ends(&stage, shell, line), "125 build", "{shell:?}");
        sleep(Duration::from_millis(1500));
        assert!(!stage.0.join("late").exists(), "{shell:?}");
    }
}

#[test]
fn what_a_way_back_does_not_wait_for_leaves_nothing_running() {
    for shell in shells() {
        let stage = Stage::tooled(&[]);
        stage.program("timeout", OTHER);
        let mut soon = stage.by(shell, Script::Soon.text());
        let line = "sh -c 'sleep 2; touch \"$0/late\"' \"$1\" >/dev/null; :";
        soon.args(["1", line, "runtime octane"]).arg(&stage.0);
        let said = soon.output().unwrap();
        let words = String::from_utf8(said.stdout).unwrap();
        assert_eq!(words, "not done within 1 s, and not waited for\n");
        sleep(Duration::from_millis(1500));
        assert!(!stage.0.join("late").exists(), "{shell:?}");
    }
}
