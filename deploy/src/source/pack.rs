//! Packing: one gzip-compressed tar with a digest, the same bytes for the same tree.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

use super::failure;
use crate::{Artifact, CommitSha, Digest, Failure};

/// Packs a folder into `file`, without the paths in `exclude`. Removes `file` again when that fails.
///
/// Every file gets the time of the commit: web servers make ETags of time and size, so a time that is always the same
/// would let a changed asset of the same size pass for the old one.
pub(super) async fn pack(
    tree: PathBuf,
    file: PathBuf,
    exclude: Vec<String>,
    commit: CommitSha,
    made_at: u64,
) -> Result<Artifact, Failure> {
    let to = file.clone();
    let packed = tokio::task::spawn_blocking(move || write(&tree, &to, &exclude, made_at)).await;
    let packed = packed.unwrap_or_else(|error| Err(io::Error::other(error)));
    match packed {
        Ok(Packed {
            digest,
            bytes,
            files,
            unpacked_bytes,
        }) => Ok(Artifact {
            file,
            digest,
            bytes,
            files,
            unpacked_bytes,
            commit,
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
}

/// Counts and hashes what is written.
struct Hashing<W> {
    to: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

fn write(tree: &Path, file: &Path, exclude: &[String], made_at: u64) -> io::Result<Packed> {
    let to = Hashing {
        to: BufWriter::new(File::create(file)?),
        hash: Sha256::new(),
        bytes: 0,
    };
    let mut archive = tar::Builder::new(GzEncoder::new(to, Compression::fast()));
    let mut packing = Packing {
        archive: &mut archive,
        tree,
        exclude,
        made_at,
        files: 0,
        unpacked_bytes: 0,
    };
    packing.folder(Path::new(""))?;
    let (files, unpacked_bytes) = (packing.files, packing.unpacked_bytes);
    let mut to = archive.into_inner()?.finish()?;
    to.flush()?;
    let digest = Digest::parse(&hex::encode(to.hash.finalize())).map_err(io::Error::other)?;
    Ok(Packed {
        digest,
        bytes: to.bytes,
        files,
        unpacked_bytes,
    })
}

struct Packing<'a, W: Write> {
    archive: &'a mut tar::Builder<W>,
    tree: &'a Path,
    exclude: &'a [String],
    made_at: u64,
    files: u64,
    unpacked_bytes: u64,
}

impl<W: Write> Packing<'_, W> {
    /// Packs the entries of a folder in the order of their names, so that equal trees give equal bytes.
    fn folder(&mut self, path: &Path) -> io::Result<()> {
        let mut entries = fs::read_dir(self.tree.join(path))?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = path.join(entry.file_name());
            if self.is_excluded(&path) {
                continue;
            }
            let kind = entry.file_type()?;
            if kind.is_dir() {
                let mut header = self.header(tar::EntryType::Directory, 0o755, 0);
                self.archive.append_data(&mut header, &path, io::empty())?;
                self.folder(&path)?;
            } else if kind.is_symlink() {
                let mut header = self.header(tar::EntryType::Symlink, 0o777, 0);
                self.archive
                    .append_link(&mut header, &path, fs::read_link(entry.path())?)?;
            } else if kind.is_file() {
                self.file(&path, &entry)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, entry: &fs::DirEntry) -> io::Result<()> {
        let file = File::open(entry.path())?;
        let metadata = file.metadata()?;
        let mode = if metadata.permissions().mode() & 0o111 == 0 {
            0o644
        } else {
            0o755
        };
        let mut header = self.header(tar::EntryType::Regular, mode, metadata.len());
        self.files += 1;
        self.unpacked_bytes += metadata.len();
        self.archive.append_data(&mut header, path, file)
    }

    /// A name excludes every entry of that name, a path only the one it leads to.
    fn is_excluded(&self, path: &Path) -> bool {
        self.exclude
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

    /// A header without owner: that is no part of what was built.
    fn header(&self, kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(size);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(self.made_at);
        header
    }
}
