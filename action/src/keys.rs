//! The files that `ssh` reads, in a folder that nobody else can look into and that goes with the step.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use cutover_deploy::run::Access;
use cutover_outside::Web;
use secrecy::ExposeSecret as _;
use tempfile::TempDir;

use crate::failure::Failure;
use crate::inputs::{self, Ci, Inputs, Runner};

/// A private folder with the key and the pinned host keys. Removed when this value goes.
#[derive(Debug)]
pub(crate) struct Keys {
    folder: TempDir,
}

impl Keys {
    /// Writes the files and has `ssh-keygen` read the key, so that a bad one is told before anything begins.
    pub(crate) async fn write(inputs: &Inputs, runner: &Runner) -> Result<Self, Failure> {
        let cannot = |error: io::Error| {
            Failure::runner(format!(
                "cannot write to {}: {error}",
                runner.temp.display()
            ))
        };
        fs::create_dir_all(&runner.temp).map_err(cannot)?;
        let folder = tempfile::Builder::new()
            .prefix("cutover-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(&runner.temp)
            .map_err(cannot)?;
        let keys = Self { folder };
        write(&keys.key_file(), inputs.ssh_key.expose_secret()).map_err(cannot)?;
        write(&keys.known_hosts(), &inputs.known_hosts).map_err(cannot)?;
        read_key(runner.ci, &keys.key_file()).await?;
        Ok(keys)
    }

    /// The folder itself; artifacts lie beside the keys.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// How hosts are reached.
    pub(crate) fn access(&self) -> Access {
        Access {
            key_file: Some(self.key_file()),
            known_hosts: Some(self.known_hosts()),
            ssh_config: None,
            connect_timeout: None,
            kept: None,
            outside: Some(Arc::new(Web::new(inputs::variable))),
        }
    }

    fn key_file(&self) -> PathBuf {
        self.folder.path().join("key")
    }

    fn known_hosts(&self) -> PathBuf {
        self.folder.path().join("known_hosts")
    }
}

/// Removes the folder of this step where no launcher does it, and with it a key that a killed step has left there.
pub(crate) fn tidy(runner: &Runner) {
    if let (Ci::GitLab, Some(folder)) = (runner.ci, &runner.private) {
        drop(fs::remove_dir_all(folder));
    }
}

fn write(file: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(file)?.write_all(text.as_bytes())
}

/// Reads the key as `ssh` would. Where there is no `ssh-keygen`, the connection will tell.
async fn read_key(ci: Ci, file: &Path) -> Result<(), Failure> {
    let mut keygen = tokio::process::Command::new("ssh-keygen");
    keygen.args(["-y", "-P", "", "-f"]).arg(file);
    keygen.env("LC_ALL", "C").stdin(Stdio::null());
    let Ok(output) = keygen.output().await else {
        return Ok(());
    };
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let fault = if said.contains("passphrase") {
        ci.fault(
            "ssh-key",
            "is a key with a passphrase, which nobody can type here",
            "Take the passphrase off a copy, `ssh-keygen -p -N '' -f deploy_key`, or make a key of its own for deployments.",
        )
    } else {
        ci.fault(
            "ssh-key",
            "is not a key that ssh can read",
            "Save the text of the key file again, whole and unchanged, with its first and last line.",
        )
    };
    Err(Failure::input(vec![fault]))
}
