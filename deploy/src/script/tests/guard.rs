//! What is brought for steps is not left behind when nobody waits for them any more.

use std::fs;
use std::io::Write as _;
use std::process::{Child, Stdio};
use std::time::Duration;

use super::super::GUARD;
use super::Stage;

/// Begins to bring five bytes for steps.
fn bring(stage: &Stage, steps: &str, stdout: Stdio) -> Child {
    let incoming = stage.0.join(".cutover/incoming/d1.tar.gz");
    let mut guard = stage.by(&["sh"], GUARD);
    guard.arg(incoming);
    guard.args(["5", "new 5", "5 abc", steps]).arg(&stage.0);
    guard.stdin(Stdio::piped()).stdout(stdout);
    let mut guard = guard.spawn().unwrap();
    guard.stdin.as_mut().unwrap().write_all(b"bytes").unwrap();
    guard
}

fn left(stage: &Stage) -> Vec<String> {
    let files = fs::read_dir(stage.0.join(".cutover/incoming")).unwrap();
    let name = |file: fs::DirEntry| file.file_name().into_string().unwrap();
    files.map(|file| name(file.unwrap())).collect()
}

fn is_there(stage: &Stage, file: &str) -> bool {
    stage.0.join(file).exists()
}

#[test]
fn steps_that_nobody_hears_any_more_end_with_what_was_brought() {
    let stage = Stage::tooled(&[]);
    let (heard, said) = std::io::pipe().unwrap();
    drop(heard);
    let steps = "echo begins; touch \"$1/went-on\"";
    let mut guard = bring(&stage, steps, said.into());
    let stdin = guard.stdin.take();
    assert!(!guard.wait().unwrap().success());
    drop(stdin);
    assert!(!is_there(&stage, "went-on"));
    assert_eq!(left(&stage), [""; 0]);
}

#[test]
fn steps_are_ended_though_their_group_is_only_about_to_be() {
    let stage = Stage::tooled(&[]);
    // Longer than it takes to be ended, and not for ever.
    let slow = "touch \"$5/about\"\nsleep 2\nPATH=/usr/bin:/bin exec setsid \"$@\"";
    stage.program("setsid", slow);
    let mut guard = bring(&stage, "touch \"$1/went-on\"", Stdio::null());
    while !is_there(&stage, "about") {
        assert!(guard.try_wait().unwrap().is_none(), "it never began");
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(guard.stdin.take());
    assert_eq!(guard.wait().unwrap().code(), Some(143));
    assert!(!is_there(&stage, "went-on"));
    assert_eq!(left(&stage), [""; 0]);
}
