//! The bytes a release is made from.

use std::fmt;
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
    /// What the file consists of, in order: parts that are the same in the next artifact where nothing changed. Empty
    /// when nobody knows; then it is brought whole.
    pub parts: Vec<Part>,
}

/// A part of an artifact's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// How long it is.
    pub bytes: u64,
    /// The beginning of its SHA-256. It only says where to look: the digest of the whole proves what was put together.
    pub digest: String,
}

impl Part {
    /// Reads what [`Part`] shows: its size and its digest.
    pub fn parse(text: &str) -> Option<Self> {
        let (bytes, digest) = text.split_once(' ')?;
        let is_hex = digest.len() == 16 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then_some(())?;
        Some(Self {
            bytes: bytes.parse().ok()?,
            digest: digest.to_owned(),
        })
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.bytes, self.digest)
    }
}
