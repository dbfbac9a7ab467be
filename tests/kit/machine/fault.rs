//! What can be broken about a machine beside its cable and its power: its steps and its disk.

use std::fs::{self, File, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::Machine;
use crate::gate::{self, Gate};
use crate::host::Cut;

/// Where the gate lies on the machine.
const HOME: &str = "opt/kit";

impl Machine {
    /// Makes a step end with `exit` and these words on stderr instead of running, until it is mended.
    ///
    /// A step is known by the word after its script: `sh -euc SCRIPT NAME …`.
    pub fn fault_step(&self, step: &str, exit: u8, stderr: &str) {
        self.gate().fail(step, exit, stderr);
    }

    /// Cuts the line, once, at a step.
    pub fn cut_at(&self, step: &str, cut: Cut) {
        self.gate().cut(step, cut);
    }

    /// Makes a step wait before it begins, until it is mended.
    pub fn hold_at(&self, step: &str) {
        self.gate().hold(step);
    }

    /// The same for a step that has this argument, by which apps on one machine are told apart. Returns the name by
    /// which the step is then waited for and mended.
    pub fn hold_where(&self, step: &str, argument: &str) -> String {
        self.gate().hold_where(step, argument)
    }

    /// Waits until a step that is held has been reached. Panics after 60 s.
    pub async fn reached(&self, step: &str) {
        self.gate().reached(step, self.name()).await;
    }

    /// Takes the fault away from a step; one that is held goes on.
    pub fn mend_step(&self, step: &str) {
        self.gate().mend(step);
    }

    /// Keeps the name of every step from now on; the first fault does so too.
    pub fn watch_steps(&self) {
        self.gate().watch();
    }

    /// The names of the steps that have begun since they are watched.
    pub fn steps(&self) -> Vec<String> {
        self.gate().steps()
    }

    /// Leaves no room for a byte more on the machine's disk.
    pub fn fill_disk(&self) {
        let mut ballast = File::create(self.ballast()).expect("an empty file needs no room");
        for size in [1 << 20, 1 << 12, 1] {
            let block = vec![0; size];
            loop {
                match ballast.write(&block) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => panic!("cannot fill the disk of {}: {error}", self.name()),
                }
            }
        }
    }

    /// Makes room again.
    pub fn free_disk(&self) {
        drop(fs::remove_file(self.ballast()));
    }

    /// Beside what the machine itself writes, and on the same disk.
    fn ballast(&self) -> std::path::PathBuf {
        self.dir.join("disk/ballast")
    }

    fn gate(&self) -> Gate {
        Gate::at(self.root().join(HOME))
    }

    pub(super) fn install_gate(&self) {
        let home = self.root().join(HOME);
        for folder in ["bin", "faults", "log", "run"] {
            let folder = home.join(folder);
            fs::create_dir_all(&folder).expect("the machine can be written");
            self.give_to_deploy(&folder);
        }
        let program = home.join("bin/gate");
        fs::write(&program, gate::PROGRAM).expect("it was just made");
        fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("it was just made");
        symlink("/run/sshd.pid", home.join("run/sshd.pid")).expect("it was just made");
    }
}
