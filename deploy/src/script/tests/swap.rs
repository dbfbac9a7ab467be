//! A swap, and who waits for it in a pool.

use std::fs::{self, File};
use std::process::Child;
use std::time::{Duration, Instant};

use super::{Script, Stage};

/// Nobody waits for longer than this clock, which each look at it moves on by a second.
const DATE: &str = "cd \"${0%/*}\" && echo >>looks && wc -l <looks";

fn stage() -> Stage {
    let stage = Stage::serving("");
    fs::write(stage.0.join("ask.php"), "").unwrap();
    stage
}

fn swap(stage: &Stage, asked: &str) -> Child {
    let mut shell = stage.by(&["sh"], Script::Swap.text());
    shell.arg(&stage.0).args(["new", "tag", asked]);
    // As behind a step: the words of those that come later.
    shell.args(["mark live", "script"]).spawn().unwrap()
}

fn leads_to(stage: &Stage) -> String {
    let target = fs::read_link(stage.0.join("current")).unwrap();
    target.to_str().unwrap().to_owned()
}

#[test]
fn who_comes_soon_is_waited_for() {
    let stage = stage();
    // The time stands still.
    stage.program("date", "echo 1");
    let asked = stage.0.join("ask.php");
    let mut swapping = swap(&stage, asked.to_str().unwrap());
    // All is there but the rename.
    let until = Instant::now() + Duration::from_secs(20);
    while fs::symlink_metadata(stage.0.join(".cutover/current.tag")).is_err() {
        assert!(Instant::now() < until && leads_to(&stage) == "releases/old");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(leads_to(&stage), "releases/old");
    let asked = File::open(asked).unwrap();
    asked.lock_shared().unwrap();
    assert!(swapping.wait().unwrap().success());
    assert_eq!(leads_to(&stage), "releases/new");
}

#[test]
fn who_does_not_come_is_waited_for_five_seconds_and_where_nobody_is_asked_no_moment() {
    let stage = stage();
    stage.program("date", DATE);
    let looks = || {
        fs::read_to_string(stage.0.join("bin/looks"))
            .unwrap_or_default()
            .len()
    };
    let asked = stage.0.join("ask.php");
    assert!(
        swap(&stage, asked.to_str().unwrap())
            .wait()
            .unwrap()
            .success()
    );
    assert_eq!((leads_to(&stage).as_str(), looks()), ("releases/new", 6));
    // Nobody waits for what is so already.
    assert!(
        swap(&stage, asked.to_str().unwrap())
            .wait()
            .unwrap()
            .success()
    );
    assert_eq!(looks(), 6);
    fs::remove_file(&asked).unwrap();
    for asked in [asked.to_str().unwrap(), ""] {
        assert!(swap(&stage, asked).wait().unwrap().success());
    }
    assert_eq!(looks(), 6);
}
