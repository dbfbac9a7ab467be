//! The root filesystem that all machines stand on, made once and kept.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use crate::debian::Debian;
use crate::{cache, command};

const RECIPE: &str = include_str!("bin/image");

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
