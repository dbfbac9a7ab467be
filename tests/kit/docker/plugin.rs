//! Compose as a plugin of Docker, which Debian 12 does not have.

use std::fs;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use super::Docker;
use crate::{cache, command};

const BRING: &str = include_str!("bin/compose");

impl Docker {
    /// From now on `docker compose` is Compose 2, here and on hosts that this daemon serves. It is brought once, by the
    /// network, and kept.
    pub async fn plug_compose_in(&self) {
        let key = hex::encode(&Sha256::digest(BRING)[..6]);
        let folder = cache::folder("compose", &key, async |folder: &Path| {
            let mut bring = Command::new("/bin/sh");
            bring.args(["-c", BRING, "compose"]);
            command::succeed(bring.arg(folder.join("docker-compose"))).await;
        });
        let plugin = folder.await.join("docker-compose");
        let plugins = self.dir().join(".docker/cli-plugins");
        fs::create_dir_all(&plugins).expect("the folder can be written");
        std::os::unix::fs::symlink(plugin, plugins.join("docker-compose"))
            .expect("nobody has plugged it in yet");
    }
}
