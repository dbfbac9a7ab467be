//! Where the kit keeps what takes long to make or to bring: published contracts, machine images.

use std::path::{Path, PathBuf};

/// Names the kit's cache folder: `$XDG_CACHE_HOME/cutover-kit` when that is set, else `target/kit-cache`.
pub(crate) fn folder() -> PathBuf {
    match std::env::var_os("XDG_CACHE_HOME").filter(|home| !home.is_empty()) {
        Some(home) => Path::new(&home).join("cutover-kit"),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/kit-cache"),
    }
}
