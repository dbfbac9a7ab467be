//! Steps that nobody waits for any more: all that they began ends before somebody else has the fence.

use std::fs;
use std::io::Read as _;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::{scope, sleep};
use std::time::Duration;

use super::super::STEPS;
use super::Stage;
use super::servers::shells;

/// A step that leaves something running which makes the file `late` after two seconds.
struct Begun {
    stage: Stage,
    steps: Child,
    said: Option<ChildStdout>,
}

impl Begun {
    fn by(shell: &[&str], line: &str) -> Self {
        let stage = Stage::tooled(&[]);
        fs::write(stage.0.join(".cutover/fence"), "1\n").unwrap();
        let mut steps = stage.by(shell, STEPS);
        steps.arg("nonce").arg(&stage.0).args(["1", "build"]);
        let beside = "sh -c 'sleep 2; touch \"$0/late\"' \"$1\" >/dev/null 2>&1 &";
        steps.arg(format!("{beside} {line}"));
        steps.args(["60", "1", ""]).arg(&stage.0);
        steps.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut steps = steps.spawn().unwrap();
        let mut said = steps.stdout.take();
        let mut mark = [0; 20];
        said.as_mut().unwrap().read_exact(&mut mark).unwrap();
        assert_eq!(mark, *b"\n\x1enonce begin build\n");
        Self { stage, steps, said }
    }

    fn reaches(&self, file: &str) {
        while !self.stage.0.join(file).exists() {
            sleep(Duration::from_millis(10));
        }
    }

    fn is_told_to_end(&self) {
        let pid = self.steps.id().to_string();
        let told = Command::new("kill").arg(pid).status().unwrap();
        assert!(told.success());
    }

    /// How it ends, and whether anything of it goes on.
    fn ended(&mut self) -> (Option<i32>, bool) {
        let status = self.steps.wait().unwrap().code();
        sleep(Duration::from_millis(2300));
        (status, self.stage.0.join("late").exists())
    }
}

/// Tries something with all shells at once.
fn by_each(tries: impl Fn(&'static [&'static str]) + Sync) {
    let tries = &tries;
    scope(|all| {
        for shell in shells() {
            all.spawn(move || tries(shell));
        }
    });
}

#[test]
fn a_step_that_ends_when_nobody_hears_it_leaves_nothing_running() {
    by_each(|shell| {
        let line = "touch \"$1/runs\"; until [ -e \"$1/cut\" ]; do sleep 0.05; done; exit 1";
        let mut begun = Begun::by(shell, line);
        begun.reaches("runs");
        drop(begun.said.take());
        fs::write(begun.stage.0.join("cut"), "").unwrap();
        assert_eq!(begun.ended(), (Some(141), false), "{shell:?}");
    });
}

#[test]
fn a_step_that_has_just_ended_when_it_is_told_to_leaves_nothing_running() {
    by_each(|shell| {
        // Its end cannot be said as long as nobody reads.
        let line = "timeout 0.3 yes || true; touch \"$1/full\"; exit 1";
        let mut begun = Begun::by(shell, line);
        begun.reaches("full");
        sleep(Duration::from_millis(200));
        begun.is_told_to_end();
        let mut said = begun.said.take().unwrap();
        said.read_to_end(&mut Vec::new()).unwrap();
        assert_eq!(begun.ended(), (Some(143), false), "{shell:?}");
    });
}

#[test]
fn a_step_that_is_told_to_end_as_it_begins_hears_that() {
    by_each(|shell| {
        let mut all = Vec::new();
        for _ in 0..25 {
            let begun = Begun::by(shell, "sleep 1; touch \"$1/late\"");
            begun.is_told_to_end();
            all.push(begun);
        }
        let status = |begun: &mut Begun| begun.steps.wait().unwrap().code();
        assert!(all.iter_mut().all(|begun| status(begun) == Some(143)));
        sleep(Duration::from_millis(2300));
        let late = |begun: &&Begun| begun.stage.0.join("late").exists();
        assert_eq!(all.iter().filter(late).count(), 0, "by {shell:?}");
    });
}
