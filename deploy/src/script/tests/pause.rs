//! Workers that take no further job, as processes of this machine.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

use super::super::PROOF;
use super::servers::{SHELLS, shells};
use super::{RECIPE, ROSTER, Script, Stage};

/// Keeps what it hears, as Laravel's worker does.
const WORKER: &str = "trap 'echo pauses >>\"$0\"' USR2; trap 'echo goes on >>\"$0\"' CONT
    echo works >>\"$0\"; while :; do sleep 0.02; done";
/// To it a signal is death.
const DEAF: &str = "echo works >>\"$0\"; while :; do sleep 0.02; done";

/// Ended when the test ends, however it ends.
struct Worker(Child);

impl Worker {
    /// One that is up.
    fn up(text: &str, file: &Path, verb: &str) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", text]).arg(file).arg(verb);
        let worker = Self(shell.spawn().unwrap());
        said(file, "works");
        worker
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Waits until a file ends with a line.
fn said(file: &Path, line: &str) {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let text = fs::read_to_string(file).unwrap_or_default();
        if text.lines().last() == Some(line) {
            return;
        }
        assert!(Instant::now() < until, "{line} is not in {text:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Has seconds pass quickly.
fn quick(stage: &Stage) {
    let bin = stage.0.join("bin");
    fs::create_dir_all(&bin).unwrap();
    let sleep = "#!/bin/sh\necho \"$1\" >>\"${0%/*}/slept\"\nexec /bin/sleep 0.02\n";
    fs::write(bin.join("sleep"), sleep).unwrap();
    fs::set_permissions(bin.join("sleep"), fs::Permissions::from_mode(0o755)).unwrap();
}

fn pause(shell: &[&str], stage: &Stage, roster: &str, need: &str) -> Output {
    pause_for("20", shell, stage, roster, need)
}

fn pause_for(seconds: &str, shell: &[&str], stage: &Stage, roster: &str, need: &str) -> Output {
    let bin = stage.0.join("bin");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(shell[0]);
    command.args(&shell[1..]).env("PATH", path);
    command.args(["-euc", Script::WorkersPause.text(), "script"]);
    command
        .arg(&stage.0)
        .args(["new", need, seconds, roster, RECIPE]);
    command.args(["fake", "mail", "no", "hand_over drain"]);
    command.output().unwrap()
}

#[test]
fn workers_of_laravel_pause_and_go_on_by_themselves_and_nobody_else_is_touched() {
    for shell in shells() {
        pauses_and_goes_on(shell);
    }
}

fn pauses_and_goes_on(shell: &[&str]) {
    let stage = Stage::with("", "");
    quick(&stage);
    let file = |name: &str| stage.0.join(name);
    let old = Worker::up(WORKER, &file("old"), "queue:work");
    let new = Worker::up(WORKER, &file("new"), "queue:work");
    let other = Worker::up(WORKER, &file("other"), "messenger:consume");
    let mut deaf = Worker::up(DEAF, &file("deaf"), "queue:work");
    let line = |worker: &Worker, release: &str| {
        let pid = worker.0.id();
        format!("mail:{pid} RUNNING {pid} {release} 1\n")
    };
    let table = line(&old, "old") + &line(&new, "new") + &line(&other, "old") + &line(&deaf, "old");
    fs::write(file("table"), table + "mail:0 STOPPED - - -\n").unwrap();
    let told = pause(shell, &stage, ROSTER, "yes");
    assert!(told.status.success(), "{shell:?} {told:?}");
    let paused = format!("paused {}\n", old.0.id());
    assert_eq!(String::from_utf8_lossy(&told.stdout), paused);
    // Nobody tells it to end.
    said(&file("old"), "goes on");
    let heard = |name: &str| fs::read_to_string(file(name)).unwrap();
    assert_eq!(heard("old"), "works\npauses\ngoes on\n");
    let seconds = heard("bin/slept");
    assert_eq!(seconds.lines().filter(|slept| *slept == "1").count(), 20);
    for name in ["new", "other", "deaf"] {
        assert_eq!(heard(name), "works\n", "{name}");
    }
    assert!(deaf.0.try_wait().unwrap().is_none());
}

#[test]
fn workers_of_a_release_that_comes_back_go_on_when_that_is_proven() {
    let stage = Stage::with("", "");
    let file = stage.0.join("old");
    let old = Worker::up(WORKER, &file, "queue:work");
    let line = format!("mail:1 RUNNING {} old 1\n", old.0.id());
    fs::write(stage.0.join("table"), &line).unwrap();
    assert!(pause(SHELLS[0], &stage, ROSTER, "yes").status.success());
    said(&file, "pauses");
    let began = Instant::now();
    let mut proof = Command::new("sh");
    proof.args(["-euc", PROOF, "proof"]).arg(&stage.0);
    let proof = proof.args(["old", "mail", &line]).output().unwrap();
    assert!(proof.status.success(), "{proof:?}");
    said(&file, "goes on");
    // By themselves they would after twenty.
    assert!(began.elapsed() < Duration::from_secs(15));
}

#[test]
fn where_no_mark_can_be_written_nobody_pauses_and_nothing_fails() {
    for shell in shells() {
        let stage = Stage::with("", "");
        quick(&stage);
        let file = stage.0.join("old");
        let old = Worker::up(WORKER, &file, "queue:work");
        let line = format!("mail:1 RUNNING {} old 1\n", old.0.id());
        fs::write(stage.0.join("table"), line).unwrap();
        fs::remove_dir(stage.0.join(".cutover")).unwrap();
        let told = pause(shell, &stage, ROSTER, "yes");
        assert!(told.status.success(), "{shell:?} {told:?}");
        let words = String::from_utf8_lossy(&told.stdout);
        assert!(words.starts_with("nobody pauses: "), "{shell:?} {told:?}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "works\n");
    }
}

#[test]
fn a_later_pause_is_not_ended_by_an_earlier_one() {
    for shell in shells() {
        let stage = Stage::with("", "");
        quick(&stage);
        let file = stage.0.join("old");
        let old = Worker::up(WORKER, &file, "queue:work");
        let line = format!("mail:1 RUNNING {} old 1\n", old.0.id());
        fs::write(stage.0.join("table"), &line).unwrap();
        for seconds in ["20", "100000"] {
            let told = pause_for(seconds, shell, &stage, ROSTER, "yes");
            assert!(told.status.success(), "{told:?}");
        }
        // The earlier one is over long before.
        let slept = stage.0.join("bin/slept");
        let until = Instant::now() + Duration::from_secs(20);
        while fs::read_to_string(&slept).unwrap().lines().count() < 60 {
            assert!(Instant::now() < until, "{shell:?} nobody waits");
        }
        let heard = fs::read_to_string(&file).unwrap();
        assert!(!heard.contains("goes on"), "{shell:?} {heard}");
        fs::remove_file(stage.0.join(".cutover/paused.mail")).unwrap();
        said(&file, "goes on");
    }
}

#[test]
fn a_manager_that_cannot_be_asked_stops_a_swap_and_no_way_back() {
    let stage = Stage::with("", "");
    let told = |need| pause(SHELLS[0], &stage, "echo nobody is there >&2; exit 69", need);
    assert_eq!(told("yes").status.code(), Some(69));
    assert_eq!(told("no").status.code(), Some(0));
}
