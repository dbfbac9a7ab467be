//! The gate that stands before `sh` on a host: it fails, cuts, holds and lists the steps of a deployment.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

use crate::host::Cut;
use crate::wait_for;

/// The program itself, which looks for its orders beside itself.
pub(crate) const PROGRAM: &str = include_str!("host/bin/gate");

/// A folder with `bin/gate`, which comes before `/bin/sh` on the host's search path, and with its orders in `faults`.
#[derive(Debug)]
pub(crate) struct Gate {
    home: PathBuf,
}

impl Gate {
    pub(crate) fn at(home: PathBuf) -> Self {
        Self { home }
    }

    pub(crate) fn fail(&self, step: &str, exit: u8, stderr: &str) {
        write(self.order(&format!("{step}.stderr")), stderr);
        self.give(step, &format!("fail {exit}"));
    }

    pub(crate) fn cut(&self, step: &str, cut: Cut) {
        let word = match cut {
            Cut::Before => "before",
            Cut::AsItBegins => "during",
            Cut::After => "after",
        };
        self.give(step, word);
    }

    pub(crate) fn hold(&self, step: &str) {
        drop(fs::remove_file(self.order(&format!("{step}.reached"))));
        self.give(step, "hold");
    }

    /// The same for a step that has this argument. Returns the name by which this order is known from now on.
    pub(crate) fn hold_where(&self, step: &str, argument: &str) -> String {
        // As the program spells the names of steps.
        let odd = |c: char| !(c.is_ascii_alphanumeric() || "_.-".contains(c));
        let name = |text: &str| {
            let parts = text.split(odd).filter(|part| !part.is_empty());
            parts.collect::<Vec<_>>().join("-")
        };
        let order = format!("{}@{}", name(step), name(argument));
        drop(fs::remove_file(self.order(&format!("{order}.reached"))));
        self.give(&order, &format!("hold\n{argument}"));
        order
    }

    pub(crate) async fn reached(&self, step: &str, host: &str) {
        let file = self.order(&format!("{step}.reached"));
        wait_for(
            format!("step {step} on {host}"),
            Duration::from_mins(1),
            async || {
                if file.exists() {
                    Ok(())
                } else {
                    Err(format!("steps so far: {:?}", self.steps()))
                }
            },
        )
        .await;
    }

    pub(crate) fn mend(&self, step: &str) {
        drop(fs::remove_file(self.order(step)));
    }

    /// Puts the gate in place. Without orders it only notes the names of the steps.
    pub(crate) fn watch(&self) {
        let place = self.home.join("bin/sh");
        if !place.exists() {
            symlink("gate", place).expect("the host can be written");
        }
    }

    pub(crate) fn steps(&self) -> Vec<String> {
        let log = fs::read_to_string(self.home.join("log/steps")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }

    fn give(&self, step: &str, order: &str) {
        self.watch();
        // Renamed into place, so that no step reads half of it.
        let new = self.order(&format!(".{step}"));
        write(new.clone(), order);
        fs::rename(new, self.order(step)).expect("the host can be written");
    }

    fn order(&self, name: &str) -> PathBuf {
        self.home.join("faults").join(name)
    }
}

fn write(path: PathBuf, text: &str) {
    fs::write(path, format!("{text}\n")).expect("the host can be written");
}
