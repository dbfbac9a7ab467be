//! Jobs of three lengths, put on the queue without a pause by whatever release is live.

use std::time::Duration;

use kit::machine::Machine;
use tokio::process::{Child, Command};

use crate::site::Site;

/// Puts a job of 0.1 s on the queue, every fifth time one of 3 s and every twentieth one of 20 s as well, until its stdin
/// ends. Several hosts together do that about once a second, as one does.
const DISPATCH: &str = include_str!("dispatch.sh");

/// Whoever dispatches, on every host.
pub(crate) struct Work {
    dispatchers: Vec<Child>,
}

impl Work {
    pub(crate) fn begin(site: &Site) -> Self {
        let hosts = site.machines.len();
        let dispatcher = |machine| dispatcher(machine, hosts);
        let dispatchers = site.machines.iter().map(dispatcher).collect();
        Self { dispatchers }
    }

    /// Dispatches no more. By host, what whoever dispatched had to complain of.
    pub(crate) async fn end(self) -> Vec<String> {
        let mut said = Vec::new();
        for mut dispatcher in self.dispatchers {
            drop(dispatcher.stdin.take());
            let ended =
                tokio::time::timeout(Duration::from_secs(30), dispatcher.wait_with_output()).await;
            said.push(match ended {
                Ok(Ok(output)) => String::from_utf8_lossy(&output.stderr).into_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "whoever dispatches does not end".to_owned(),
            });
        }
        said
    }
}

fn dispatcher(machine: &Machine, hosts: usize) -> Child {
    let mut shell: Command = machine.shell(&format!("set -- {hosts}\n{DISPATCH}"));
    shell
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true);
    shell
        .spawn()
        .expect("a shell can be started inside the machine")
}
