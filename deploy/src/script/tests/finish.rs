//! Steps that run to their end although nobody hears them any more.

use std::fs;
use std::process::{Command, Stdio};

use super::super::FINISH;
use super::Stage;
use super::servers::{is_there, shells};

/// Like uutils' it ends where its reader does, unless it is told otherwise.
const TEE: &str = "case $1 in
  -p) shift; exec \"$TEE\" \"$@\" ;;
  *) exec env --default-signal=PIPE \"$TEE\" \"$@\" ;;
esac";

#[test]
fn steps_run_to_their_end_and_are_kept_whatever_tee_does_without_a_reader() {
    let found = Command::new("sh").args(["-c", "command -v tee"]).output();
    let tee = String::from_utf8(found.unwrap().stdout).unwrap();
    for (shell, busybox) in shells().flat_map(|shell| [(shell, false), (shell, true)]) {
        if busybox && !is_there(&["busybox", "sh"]) {
            continue;
        }
        let tools: &[&str] = if busybox { &["tee"] } else { &[] };
        let stage = Stage::tooled(tools);
        if !busybox {
            stage.program("tee", TEE);
        }
        let (heard, said) = std::io::pipe().unwrap();
        drop(heard);
        let folder = stage.0.join(".cutover/steps/r1");
        let steps = "echo one; sleep 0.1; echo two; sleep 0.1; echo three; exit 3";
        let mut finish = stage.by(shell, FINISH);
        finish.arg(&folder).args(["switch", steps]);
        finish.env("TEE", tee.trim()).stderr(Stdio::null());
        let status = finish.stdout(said).status().unwrap();
        assert_eq!(status.code(), Some(3), "{shell:?}");
        let read = |file: &str| fs::read_to_string(folder.join(file)).unwrap();
        assert_eq!(read("switch.log"), "one\ntwo\nthree\n", "{shell:?}");
        assert_eq!(read("switch.status"), "3\n");
    }
}
