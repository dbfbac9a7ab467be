//! Packing: one gzip-compressed tar with a digest, the same bytes for the same tree.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

use super::failure;
use crate::{Artifact, CommitSha, Digest, Failure, Part};

/// What a release is told by; hosts write their own into it.
const REVISION: &str = "REVISION";
/// An artifact has about as many parts at most, and as many entries in each at least: each costs a host a moment.
const MOST_PARTS: usize = 256;
const FEWEST_ENTRIES: usize = 8;

/// One thing in a folder that is to be packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Where it lies, below the folder.
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
}

/// What an [`Entry`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    File,
    /// A symbolic link, and what it says.
    Link(PathBuf),
}

/// Packs a folder into `file`, without the paths in `exclude`. Removes `file` again when that fails.
pub(super) async fn pack(
    tree: PathBuf,
    file: PathBuf,
    exclude: Vec<String>,
    commit: CommitSha,
    made_at: u64,
) -> Result<Artifact, Failure> {
    let entries = entries(&tree, exclude).await?;
    pack_entries(tree, entries, file, commit, made_at).await
}

/// Lists a folder without the paths in `exclude`, in the order of names, so that equal trees give equal bytes. Sockets
/// and the like are left out.
pub(super) async fn entries(tree: &Path, exclude: Vec<String>) -> Result<Vec<Entry>, Failure> {
    let root = tree.to_owned();
    let listed = tokio::task::spawn_blocking(move || {
        let mut entries = Vec::new();
        list(&root, Path::new(""), &exclude, &mut entries)?;
        Ok(entries)
    });
    let listed = listed
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)));
    listed.map_err(|error| failure("pack", format!("cannot read {}: {error}", tree.display())))
}

/// Packs these entries of a folder into `file`. Removes `file` again when that fails.
///
/// Every file is to get the time of the commit, which the first entry, an empty `REVISION`, has: web servers make ETags
/// of time and size, so a time that is always the same would let a changed asset of the same size pass for the old one.
pub(super) async fn pack_entries(
    tree: PathBuf,
    entries: Vec<Entry>,
    file: PathBuf,
    commit: CommitSha,
    made_at: u64,
) -> Result<Artifact, Failure> {
    let to = file.clone();
    let packed = tokio::task::spawn_blocking(move || write(&tree, &entries, &to, made_at)).await;
    let packed = packed.unwrap_or_else(|error| Err(io::Error::other(error)));
    match packed {
        Ok(Packed {
            digest,
            bytes,
            files,
            unpacked_bytes,
            parts,
        }) => Ok(Artifact {
            file,
            digest,
            bytes,
            files,
            unpacked_bytes,
            commit,
            parts,
        }),
        Err(error) => {
            drop(fs::remove_file(&file));
            Err(failure(
                "pack",
                format!("cannot write {}: {error}", file.display()),
            ))
        }
    }
}

struct Packed {
    digest: Digest,
    bytes: u64,
    files: u64,
    unpacked_bytes: u64,
    parts: Vec<Part>,
}

/// Counts and hashes what is written, as a whole and since the last cut.
struct Hashing<W> {
    to: W,
    hash: Sha256,
    bytes: u64,
    part: Sha256,
    part_bytes: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.part.update(&bytes[..written]);
        self.bytes += written as u64;
        self.part_bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Compresses part by part. What follows a cut does not depend on what came before it, and gzip reads the parts of a
/// file as one.
struct Parts<W: Write> {
    /// Absent only while one part ends and the next begins.
    encoder: Option<GzEncoder<Hashing<W>>>,
    parts: Vec<Part>,
}

impl<W: Write> Parts<W> {
    fn new(to: W) -> Self {
        let to = Hashing {
            to,
            hash: Sha256::new(),
            bytes: 0,
            part: Sha256::new(),
            part_bytes: 0,
        };
        Self {
            encoder: Some(GzEncoder::new(to, Compression::fast())),
            parts: Vec::new(),
        }
    }

    fn cut(&mut self) -> io::Result<()> {
        let to = self.end()?;
        self.encoder = Some(GzEncoder::new(to, Compression::fast()));
        Ok(())
    }

    fn end(&mut self) -> io::Result<Hashing<W>> {
        let encoder = self.encoder.take().ok_or_else(over)?;
        let mut to = encoder.finish()?;
        let digest = hex::encode(&to.part.finalize_reset()[..8]);
        let bytes = std::mem::take(&mut to.part_bytes);
        self.parts.push(Part { bytes, digest });
        Ok(to)
    }
}

impl<W: Write> Write for Parts<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.encoder.as_mut().ok_or_else(over)?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.encoder.as_mut().ok_or_else(over)?.flush()
    }
}

fn over() -> io::Error {
    io::Error::other("nothing is written to an archive that is over")
}

/// Where a part begins: at every so many entries, by their names alone, so that a new file changes only its own part.
struct Cuts {
    every: u64,
}

impl Cuts {
    fn of(entries: usize) -> Self {
        let every = (entries / MOST_PARTS).next_power_of_two();
        Self {
            every: every.max(FEWEST_ENTRIES) as u64,
        }
    }

    fn before(&self, path: &Path) -> bool {
        let hash = Sha256::digest(path.as_os_str().as_bytes());
        let start = hash[..8]
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        start % self.every == 0
    }
}

fn list(
    tree: &Path,
    folder: &Path,
    exclude: &[String],
    entries: &mut Vec<Entry>,
) -> io::Result<()> {
    let mut found = fs::read_dir(tree.join(folder))?.collect::<io::Result<Vec<_>>>()?;
    found.sort_by_key(fs::DirEntry::file_name);
    for entry in found {
        let path = folder.join(entry.file_name());
        if is_excluded(&path, exclude) {
            continue;
        }
        let kind = entry.file_type()?;
        let kind = if kind.is_dir() {
            Kind::Folder
        } else if kind.is_symlink() {
            Kind::Link(fs::read_link(entry.path())?)
        } else if kind.is_file() {
            Kind::File
        } else {
            continue;
        };
        let is_folder = kind == Kind::Folder;
        entries.push(Entry {
            path: path.clone(),
            kind,
        });
        if is_folder {
            list(tree, &path, exclude, entries)?;
        }
    }
    Ok(())
}

/// A name excludes every entry of that name, a path only the one it leads to.
fn is_excluded(path: &Path, exclude: &[String]) -> bool {
    exclude
        .iter()
        .map(|exclude| exclude.trim_matches('/'))
        .any(|exclude| {
            if exclude.contains('/') {
                path == Path::new(exclude)
            } else {
                path.file_name() == Some(exclude.as_ref())
            }
        })
}

fn write(tree: &Path, entries: &[Entry], file: &Path, made_at: u64) -> io::Result<Packed> {
    let mut archive = tar::Builder::new(Parts::new(BufWriter::new(File::create(file)?)));
    // Times would make every part another one with every commit, so only the first entry has one, for all.
    let mut first = header(tar::EntryType::Regular, 0o644, 0, made_at);
    archive.append_data(&mut first, REVISION, io::empty())?;
    archive.get_mut().cut()?;
    let cuts = Cuts::of(entries.len());
    let (mut files, mut unpacked_bytes) = (0, 0);
    let entries = entries.iter().filter(|e| e.path != Path::new(REVISION));
    for Entry { path, kind } in entries {
        if cuts.before(path) {
            archive.get_mut().cut()?;
        }
        match kind {
            Kind::Folder => {
                let mut header = header(tar::EntryType::Directory, 0o755, 0, 0);
                archive.append_data(&mut header, path, io::empty())?;
            }
            Kind::Link(target) => {
                let mut header = header(tar::EntryType::Symlink, 0o777, 0, 0);
                archive.append_link(&mut header, path, target)?;
            }
            Kind::File => {
                let from = File::open(tree.join(path))?;
                let metadata = from.metadata()?;
                let mode = if metadata.permissions().mode() & 0o111 == 0 {
                    0o644
                } else {
                    0o755
                };
                let bytes = metadata.len();
                let mut header = header(tar::EntryType::Regular, mode, bytes, 0);
                archive.append_data(&mut header, path, from)?;
                files += 1;
                unpacked_bytes += bytes;
            }
        }
    }
    let mut parts = archive.into_inner()?;
    let mut to = parts.end()?;
    to.flush()?;
    let digest = Digest::parse(&hex::encode(to.hash.finalize())).map_err(io::Error::other)?;
    Ok(Packed {
        digest,
        bytes: to.bytes,
        files,
        unpacked_bytes,
        parts: parts.parts,
    })
}

/// A header without owner: that is no part of what was built.
fn header(kind: tar::EntryType, mode: u32, size: u64, made_at: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(made_at);
    header
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by it")]

    use super::*;

    /// A tree of 200 files, packed with the time `made_at`.
    async fn packed(changed: &str, made_at: u64) -> Artifact {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        fs::create_dir(&tree).unwrap();
        for n in 0..200 {
            fs::write(tree.join(format!("file{n}")), format!("content {n}")).unwrap();
        }
        fs::write(tree.join("file100"), changed).unwrap();
        let commit = CommitSha::parse(&"0".repeat(40)).unwrap();
        let file = folder.path().join("artifact");
        pack(tree, file, Vec::new(), commit, made_at).await.unwrap()
    }

    #[tokio::test]
    async fn another_commit_changes_the_time_and_the_parts_of_the_files_that_it_changes() {
        let (before, after) = (packed("a", 1).await, packed("b", 2).await);
        let new = after
            .parts
            .iter()
            .filter(|part| !before.parts.contains(part));
        assert_eq!(new.count(), 2, "{:#?}", after.parts);
        assert!(after.parts.len() > 10, "{:#?}", after.parts);
        let sum: u64 = after.parts.iter().map(|part| part.bytes).sum();
        assert_eq!(sum, after.bytes);
    }

    #[tokio::test]
    async fn the_same_tree_of_the_same_commit_gives_the_same_artifact() {
        let (one, other) = (packed("a", 1).await, packed("a", 1).await);
        assert_eq!(one.digest, other.digest);
    }
}
