//! The root filesystem that all machines stand on, made once and kept.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use crate::{cache, command};

const RECIPE: &str = include_str!("bin/image");

/// The folder of the image. The first to ask makes it, which takes some minutes; it is kept until its recipe changes.
pub(super) async fn folder() -> PathBuf {
    let key = hex::encode(&Sha256::digest(RECIPE)[..6]);
    let made = cache::folder("image-bookworm", &key, async |scratch: &Path| {
        let root = scratch.join("root");
        command::succeed(
            Command::new("/bin/sh")
                .args(["-c", RECIPE, "image"])
                .arg(root),
        )
        .await;
    });
    made.await.join("root")
}
