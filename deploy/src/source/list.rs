//! What an artifact holds, without unpacking it.

use std::collections::BTreeSet;
use std::path::Path;

use flate2::read::GzDecoder;

use crate::Artifact;

/// The names of the migrations in an artifact, by the files in `database/migrations`. None where it cannot be read.
pub(crate) async fn migrations(artifact: &Artifact) -> BTreeSet<String> {
    let file = artifact.file.clone();
    let listing = tokio::task::spawn_blocking(move || listed(&file));
    listing.await.ok().and_then(Result::ok).unwrap_or_default()
}

fn listed(file: &Path) -> std::io::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    let mut archive = tar::Archive::new(GzDecoder::new(std::fs::File::open(file)?));
    for entry in archive.entries()? {
        let entry = entry?;
        let path = entry.path()?;
        let path = path.strip_prefix(".").unwrap_or(&path);
        let below = path.parent() == Some(Path::new("database/migrations"));
        if below && path.extension().is_some_and(|end| end == "php") {
            names.extend(
                path.file_stem()
                    .map(|name| name.to_string_lossy().into_owned()),
            );
        }
    }
    Ok(names)
}
