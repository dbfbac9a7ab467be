//! Looking at a machine past SSH: from inside, but not by the way that the code under test takes.

use tokio::process::Command;

use super::{APP, Machine};
use crate::{command, picture};

/// The processes of every session of the user that deploys. systemd keeps those apart that outlive their line, too.
const SESSIONS: &str = "
for scope in /sys/fs/cgroup/user.slice/user-*.slice/session-*.scope/cgroup.procs; do
  if [ -e \"$scope\" ]; then xargs -r ps -o pid=,ppid=,args= -p <\"$scope\" || :; fi
done
if [ -e .cutover/lock ] && ! flock --nonblock --shared .cutover/lock true; then echo 'a lock on .cutover/lock'; fi
";

impl Machine {
    /// What the folder of the app looks like: `current`, releases, what is shared, what the deploy tool keeps.
    ///
    /// Releases are numbered in the order in which they were made, and keep their number for the life of this value.
    pub async fn picture(&self) -> String {
        let mut listing = self.shell_of("root", include_str!("../host/bin/listing"));
        let listing = command::succeed(listing.arg(APP)).await;
        let mut names = self.names.lock().expect("no panic under it");
        picture::draw(&listing, &mut names)
    }

    /// What would be left behind if the machine were closed now, a line each. A machine that is off leaves nothing.
    pub async fn left_over(&self) -> String {
        if self.leader().is_none() {
            return String::new();
        }
        self.sh_as_root(SESSIONS).await
    }

    /// A command inside the machine, as its root.
    pub(super) fn inside(&self) -> Command {
        let leader = self
            .leader()
            .unwrap_or_else(|| panic!("{} is off", self.name()));
        let mut inside = Command::new("nsenter");
        inside
            .args(["--target", &leader.to_string(), "--all", "--"])
            .stdin(std::process::Stdio::null());
        inside
    }
}
