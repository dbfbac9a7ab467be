//! What shuts build steps in: bubblewrap, where it works.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::failure;
use crate::Failure;
use crate::config::Sandbox;

/// The folders of the system that build steps may read.
const READABLE: [&str; 8] = [
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt", "/nix",
];

/// What build steps may read of `/etc`: what programs need to start, find hosts and trust certificates. The rest holds
/// passwords and keys.
const READABLE_ETC: [&str; 17] = [
    "alternatives",
    "ca-certificates",
    "ca-certificates.conf",
    "group",
    "host.conf",
    "hosts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "nsswitch.conf",
    "passwd",
    "php",
    "pki",
    "protocols",
    "resolv.conf",
    "ssl",
];

/// How a build step is started.
#[derive(Debug, Clone)]
pub(super) enum Shell {
    /// Shut in by bubblewrap: it sees the system's programs, the build and its cache, and nothing else.
    Shut { hidden: Vec<PathBuf> },
    /// As an ordinary process.
    Open,
}

/// Chooses by configuration and by what works here. The text says what was chosen where a reader should know.
pub(super) async fn choose(
    sandbox: Sandbox,
    hidden: &[PathBuf],
    tree: &Path,
    cache: &Path,
) -> Result<(Shell, Option<String>), Failure> {
    if sandbox == Sandbox::Off {
        return Ok((Shell::Open, None));
    }
    let shell = Shell::Shut {
        hidden: hidden.to_vec(),
    };
    let mut trial = shell.command(tree, cache);
    let works = trial.arg("true").output().await;
    match (works, sandbox) {
        (Ok(output), _) if output.status.success() => Ok((shell, None)),
        (works, Sandbox::Require) => {
            let why = works.map_or_else(
                |e| e.to_string(),
                |o| String::from_utf8_lossy(&o.stderr).trim().to_owned(),
            );
            Err(Failure {
                hint: Some(
                    "Install it: `apt-get install bubblewrap`, or set `build.sandbox = \"auto\"`."
                        .to_owned(),
                ),
                ..failure("build", format!("bubblewrap does not work here: {why}"))
            })
        }
        _ => Ok((
            Shell::Open,
            Some("bubblewrap does not work here: build steps run without a sandbox".to_owned()),
        )),
    }
}

impl Shell {
    /// The command that starts a program, whose name and arguments are to follow.
    pub(super) fn command(&self, tree: &Path, cache: &Path) -> Command {
        let Self::Shut { hidden } = self else {
            // `env` stands in for the sandbox, so that both are followed by a program and its arguments.
            let mut command = Command::new("env");
            command.current_dir(tree);
            return command;
        };
        let mut command = Command::new("bwrap");
        command.args([
            "--unshare-pid",
            "--unshare-ipc",
            "--unshare-uts",
            "--unshare-cgroup-try",
        ]);
        command.args([
            "--die-with-parent",
            "--new-session",
            // Root inside would be root outside: without this it could mount what is hidden.
            "--cap-drop",
            "ALL",
            "--proc",
            "/proc",
            "--dev",
            "/dev",
        ]);
        command.args(["--tmpfs", "/tmp", "--tmpfs", "/run"]);
        for folder in READABLE {
            command.args(["--ro-bind-try", folder, folder]);
        }
        for name in READABLE_ETC {
            let path = format!("/etc/{name}");
            command.args(["--ro-bind-try", &path, &path]);
        }
        // Names are looked up through /run on many systems; the build may fetch what it depends on.
        command.args([
            "--ro-bind-try",
            "/run/systemd/resolve",
            "/run/systemd/resolve",
        ]);
        // By its real name, or a link would lead past the cover; what is not there needs none.
        for path in hidden.iter().filter_map(|path| path.canonicalize().ok()) {
            if !READABLE.iter().any(|shown| path.starts_with(shown)) {
                continue;
            }
            if path.is_dir() {
                command.arg("--tmpfs").arg(path);
            } else {
                command.args(["--ro-bind", "/dev/null"]).arg(path);
            }
        }
        command
            .arg("--bind")
            .arg(tree)
            .arg(tree)
            .arg("--bind")
            .arg(cache)
            .arg(cache);
        command.arg("--chdir").arg(tree).arg("--");
        command
    }
}
