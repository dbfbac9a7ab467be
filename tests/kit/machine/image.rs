//! The root filesystem that all machines stand on, made once and kept.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use crate::debian::Debian;
use crate::{cache, command};

const RECIPE: &str = include_str!("bin/image");
const BARE: &str = include_str!("bin/bare");

/// The folder of the image. The first to ask makes it, which takes some minutes; it is kept until its recipe changes.
pub(crate) async fn folder(debian: Debian) -> PathBuf {
    let key = hex::encode(&Sha256::digest(RECIPE)[..6]);
    let name = format!("image-{}", debian.suite());
    let made = cache::folder(&name, &key, async |scratch: &Path| {
        let root = scratch.join("root");
        command::succeed(
            Command::new("/bin/sh")
                .args(["-c", RECIPE, "image"])
                .arg(root)
                .args([debian.suite(), debian.php()]),
        )
        .await;
    });
    made.await.join("root")
}

/// The folder of an image with nothing on it but what a script installed on a bare Debian. Kept until the script changes.
pub(crate) async fn installed(debian: Debian, script: &str) -> PathBuf {
    let digest = Sha256::new().chain_update(BARE).chain_update(script);
    let key = hex::encode(&digest.finalize()[..6]);
    let name = format!("bare-{}", debian.suite());
    let made = cache::folder(&name, &key, async |scratch: &Path| {
        let root = scratch.join("root");
        let mut make = Command::new("/bin/sh");
        make.args(["-c", BARE, "bare"]).arg(root);
        command::succeed(make.args([debian.suite(), script])).await;
    });
    made.await.join("root")
}
