//! What GitHub publishes, where `tests/fetch-contracts.sh` has put it.

use std::path::{Path, PathBuf};

/// Names its folder: below `$XDG_CACHE_HOME/cutover-kit` when that is set, else below `target/kit-cache`.
pub(super) fn folder() -> PathBuf {
    let cache = match std::env::var_os("XDG_CACHE_HOME").filter(|home| !home.is_empty()) {
        Some(home) => Path::new(&home).join("cutover-kit"),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/kit-cache"),
    };
    cache.join("github")
}
