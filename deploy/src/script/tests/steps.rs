//! Steps one after another, and what becomes of those behind one that fails.

use std::fs;
use std::process::Command;

use insta::assert_snapshot;

use super::super::STEPS;
use super::{Script, Stage};

/// Runs steps, each with the block that it is of, and shows what begins, what is said and how it ends.
fn told(steps: &[(&str, &str, &str)]) -> String {
    let stage = Stage::with("", "");
    fs::write(stage.0.join(".cutover/fence"), "1\n").unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-euc", STEPS, "steps", "nonce"]);
    shell.arg(&stage.0).arg("1");
    for (name, script, block) in steps {
        shell.args([name, script, "9", "1", block, "an argument"]);
    }
    let said = shell.output().unwrap();
    let text = String::from_utf8(said.stdout).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty());
    let lines = lines.map(|line| line.trim_start_matches("\u{1e}nonce "));
    let lines: Vec<&str> = lines.collect();
    format!("{}\nexit {:?}", lines.join("\n"), said.status.code())
}

#[test]
fn of_a_block_that_fails_the_rest_is_left_out_and_what_is_behind_it_runs() {
    let steps = [
        ("swap", "echo swapped", ""),
        ("runtime octane", "exit 70", "octane"),
        ("runtime octane prove", "echo never", "octane"),
        ("runtime mail", "echo mail; exit 7", "mail"),
        ("runtime own", "echo \"$1\"", "own"),
        ("runtime own prove", "echo proven", "own"),
    ];
    assert_snapshot!(told(&steps), @"
    begin swap
    swapped
    end 0 swap
    begin runtime octane
    end 70 runtime octane
    begin runtime mail
    mail
    end 7 runtime mail
    begin runtime own
    an argument
    end 0 runtime own
    begin runtime own prove
    proven
    end 0 runtime own prove
    all 70
    exit Some(70)
    ");
}

#[test]
fn behind_a_step_of_no_block_that_fails_nothing_runs() {
    let steps = [
        ("runtime octane", "exit 70", "octane"),
        ("swap", "exit 3", ""),
        ("runtime own", "echo never", "own"),
    ];
    assert_snapshot!(told(&steps), @"
    begin runtime octane
    end 70 runtime octane
    begin swap
    end 3 swap
    all 70
    exit Some(70)
    ");
}

#[test]
fn what_a_way_back_does_not_wait_for_is_ended_and_stops_nothing() {
    let soon = |seconds: &str, script: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-euc", Script::Soon.text(), "step", seconds, script]);
        let said = shell.args(["name", "an argument"]).output().unwrap();
        assert!(said.status.success(), "{said:?}");
        String::from_utf8(said.stdout).unwrap()
    };
    assert_eq!(soon("9", "echo \"$0: $1\""), "name: an argument\n");
    let words = "not done within 1 s, and not waited for\n";
    assert_eq!(soon("1", "sleep 100"), words);
    assert_eq!(soon("1", "exit 7"), words);
}
