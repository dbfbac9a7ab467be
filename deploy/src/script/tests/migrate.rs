//! Names of migrations that a host keeps.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::super::LINE;
use super::servers::{is_there, shells};
use super::{Script, Stage};

impl Stage {
    /// A script that runs a line around migrations of the release `new`, by a shell with the tools of the stage first.
    fn migrates(&self, shell: &[&str], script: Script, line: &str) -> Command {
        let mut command = self.by(shell, script.text());
        command.arg(&self.0).args(["new", "production", "", "r1"]);
        command.args(["web1", line, LINE]);
        command
    }

    fn keeps(&self) -> String {
        let kept = self.0.join(".cutover/releases/new.migrated");
        fs::read_to_string(kept).unwrap_or_default()
    }
}

#[test]
fn a_migration_is_kept_although_its_line_is_killed_later() {
    for shell in shells() {
        let stage = Stage::tooled(&[]);
        let lines = "echo Migrated: 2024_a; echo '  2024_b ..... 1ms DONE'; echo; sleep 61";
        let mut migrate = stage.migrates(shell, Script::Migrate, lines);
        migrate.stdout(Stdio::null()).process_group(0);
        let mut migrate = migrate.spawn().unwrap();
        let began = Instant::now();
        while stage.keeps() != "2024_a\n2024_b\n" && began.elapsed() < Duration::from_secs(9) {
            sleep(Duration::from_millis(20));
        }
        let group = format!("-{}", migrate.id());
        let killed = Command::new("kill").args(["-KILL", "--", &group]).status();
        assert!(killed.unwrap().success());
        migrate.wait().unwrap();
        assert_eq!(stage.keeps(), "2024_a\n2024_b\n", "by {shell:?}");
    }
}

#[test]
fn what_a_line_says_is_told_as_it_is_and_its_status_too() {
    for shell in shells() {
        let stage = Stage::tooled(&[]);
        let line = r"printf '  a \\n b\nMigrated:  2024_a (1.00ms)\nno DONE of mine\nlast'; exit 3";
        let mut migrate = stage.migrates(shell, Script::Migrate, line);
        let said = migrate.output().unwrap();
        let text = String::from_utf8(said.stdout).unwrap();
        let words = "  a \\n b\nMigrated:  2024_a (1.00ms)\nno DONE of mine\nlast\n";
        assert_eq!((text.as_str(), said.status.code()), (words, Some(3)));
        assert_eq!(stage.keeps(), "2024_a\n");
    }
}

#[test]
fn where_nothing_was_rolled_back_all_that_was_migrated_is_still_kept() {
    for (shell, tools) in [(&["dash"][..], &[][..]), (&["busybox", "sh"], &["grep"])] {
        if !is_there(shell) {
            continue;
        }
        let stage = Stage::tooled(tools);
        let kept = stage.0.join(".cutover/releases/new.migrated");
        for (line, left) in [
            ("exit 1", "2024_a\n2024_b\n"),
            ("echo Rolled back: 2024_b", "2024_a\n"),
        ] {
            fs::write(&kept, "2024_a\n2024_b\n").unwrap();
            let mut back = stage.migrates(shell, Script::MigrateBack, line);
            assert!(!back.output().unwrap().status.success());
            assert_eq!(stage.keeps(), left, "{line} by {shell:?}");
        }
    }
}
