//! Units that systemd restarts, where `systemctl` is a few lines of shell.

use std::process::Command;

use super::servers::shells;
use super::{Stage, recipe};
use crate::config::Manager;

/// Two units, of which each has ended its job only when the other has begun to end its own.
const SYSTEMCTL: &str = r#"case $1 in
  show) for n in 1 2; do printf 'Id=mail@%s.service\nLoadState=loaded\nActiveState=active\nMainPID=0\n\n' "$n"; done ;;
  restart)
    [ ! -e "$STAGE/fails.$2" ] || exit 5
    touch "$STAGE/ends.$2"
    tries=0
    while [ "$(ls "$STAGE" | grep -c '^ends')" -lt 2 ]; do
      tries=$((tries + 1)) && [ "$tries" -lt 50 ] || exit 6
      sleep 0.1
    done ;;
esac"#;

/// How a restart of the group by a shell ends.
fn restart(stage: &Stage, shell: &[&str]) -> Option<i32> {
    let mut command = Command::new(shell[0]);
    command.args(&shell[1..]).arg("-euc");
    command.args([recipe(Manager::Systemd), "systemd", "restart"]);
    command
        .arg(&stage.0)
        .args(["mail", "no", "hand_over restart"]);
    let path = format!("{}:/usr/bin:/bin", stage.0.join("bin").display());
    command.env("PATH", path).env("STAGE", &stage.0);
    command.output().unwrap().status.code()
}

#[test]
fn all_units_of_a_group_are_restarted_at_once_and_each_must_be() {
    for shell in shells() {
        let stage = Stage::serving("");
        stage.program("systemctl", SYSTEMCTL);
        assert_eq!(restart(&stage, shell), Some(0), "{shell:?}");
        std::fs::write(stage.0.join("fails.mail@1.service"), "").unwrap();
        assert_eq!(restart(&stage, shell), Some(5), "{shell:?}");
    }
}
