//! The bytes a release is made from.

use std::path::PathBuf;

use crate::names::{CommitSha, Digest};

/// A packed release: a gzip-compressed tar on this machine, with its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Where the bytes lie.
    pub file: PathBuf,
    /// SHA-256 of the file.
    pub digest: Digest,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// Number of files inside.
    pub files: u64,
    /// Size of the files inside, in bytes: what a host needs room for.
    pub unpacked_bytes: u64,
    /// The commit it was made from.
    pub commit: CommitSha,
}
