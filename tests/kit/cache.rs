//! Things that take long to make or to bring and are the same for every test.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Below it lies one folder per thing and key: `$XDG_CACHE_HOME/cutover-kit` when that is set, which outlives a clone,
/// else `target/kit-cache`.
pub(crate) fn root() -> PathBuf {
    match std::env::var_os("XDG_CACHE_HOME").filter(|home| !home.is_empty()) {
        Some(home) => Path::new(&home).join("cutover-kit"),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/kit-cache"),
    }
}

/// A program that runs the jobs of a forge on this machine, `act` or `gitlab-ci-local`, or judges files: `kubernetes-validate`.
///
/// Panics when it was not brought by `tests/fetch-ci-clients.sh`.
pub fn ci_client(name: &str) -> PathBuf {
    let program = root().join("ci/bin").join(name);
    let program = program.canonicalize();
    program.unwrap_or_else(|_| panic!("there is no {name}: run tests/fetch-ci-clients.sh"))
}

/// A program that deploys as well and was brought by `benches/peers.sh`; `None` when it was not.
pub fn peer(name: &str) -> Option<PathBuf> {
    root().join("peers/bin").join(name).canonicalize().ok()
}

/// The folder of `name` for `key`; `make` fills it if nobody has. Tests in other processes wait meanwhile.
pub(crate) async fn folder(name: &str, key: &str, make: impl AsyncFnOnce(&Path)) -> PathBuf {
    let root = root();
    fs::create_dir_all(&root).expect("target can be written");
    let root = root.canonicalize().expect("it was just made");
    let made = root.join(format!("{name}-{key}"));
    if made.is_dir() {
        return made;
    }
    let lock = root.join(format!("{name}.lock"));
    let held = tokio::task::spawn_blocking(move || {
        let file = File::create(lock)?;
        file.lock()?;
        Ok::<_, std::io::Error>(file)
    });
    let held = held
        .await
        .expect("no panic in it")
        .expect("the cache can be locked");
    if !made.is_dir() {
        let scratch = root.join(format!("{name}.new"));
        // What a killed test left half made is begun anew.
        drop(fs::remove_dir_all(&scratch));
        fs::create_dir_all(&scratch).expect("the cache can be written");
        make(&scratch).await;
        fs::rename(&scratch, &made).expect("nobody else makes it under the lock");
    }
    drop(held);
    made
}
