//! Containers of workers, where `docker` is a few lines of shell.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::servers::shells;
use super::{Stage, recipe};
use crate::config::Manager;

/// One container of an older release, which is about to start again the first time that it is looked at, and runs then.
const DOCKER: &str = r#"case $1 in
  ps) echo aaa ;;
  inspect)
    if [ -e "$STAGE/looked" ]; then state=running; else state=restarting; fi
    touch "$STAGE/looked"
    echo "aaa /mail.old-1 $state 7 0 1 old" ;;
  *) echo "$*" >>"$STAGE/told" ;;
esac"#;

#[test]
fn a_container_is_told_one_thing_though_it_starts_again_meanwhile() {
    for shell in shells() {
        let stage = Stage::tooled(&[]);
        stage.program("docker", DOCKER);
        let mut keep = stage.by(shell, recipe(Manager::Docker));
        keep.arg("keep").arg(&stage.0).args(["mail", "no"]);
        keep.args(["hand_over overlap\ngrace 9", "new"]);
        let said = keep.env("STAGE", &stage.0).output().unwrap();
        assert!(said.status.success(), "{said:?}");
        let told = || fs::read_to_string(stage.0.join("told")).unwrap_or_default();
        let began = Instant::now();
        while told().is_empty() && began.elapsed() < Duration::from_secs(5) {
            sleep(Duration::from_millis(10));
        }
        assert_eq!(told(), "rm --force aaa\n", "{shell:?}");
    }
}
