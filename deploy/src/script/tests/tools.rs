//! Hosts with tools of their own.

use std::fs;
use std::process::Command;

use super::Stage;

impl Stage {
    /// A host with a release, of which some tools are `BusyBox`'s.
    pub(super) fn tooled(tools: &[&str]) -> Self {
        let stage = Self::serving("");
        fs::create_dir(stage.0.join(".cutover/releases")).unwrap();
        fs::create_dir(stage.0.join("shared")).unwrap();
        for tool in tools {
            stage.program(tool, &format!("exec busybox {tool} \"$@\""));
        }
        stage
    }

    /// Begins to run a script by a shell, which looks for the tools of the stage first.
    pub(super) fn by(&self, shell: &[&str], script: &str) -> Command {
        let mut command = Command::new(shell[0]);
        command.args(&shell[1..]).args(["-euc", script, "script"]);
        let path = std::env::var("PATH").unwrap();
        let bin = self.0.join("bin");
        command.env("PATH", format!("{}:{path}", bin.display()));
        command
    }
}
