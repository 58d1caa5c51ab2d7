//! What can be wrong with a lock, always with its path and, where there is one, the line.

use std::io;
use std::path::{Path, PathBuf};

use crate::archive;
use crate::untrusted::escape;

/// Why a lock cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A line that does not say what it should.
    #[error("`{}`, line {line}: {why}; hint: {hint}", escape(&path.to_string_lossy()))]
    Line {
        /// The lock.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong; safe to show.
        why: String,
        /// What to do.
        hint: &'static str,
    },
    /// The operating system said no.
    #[error("could not {action} `{}`: {source}", escape(&path.to_string_lossy()))]
    Storage {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The filesystem of the manifest has no locks.
    #[error(
        "no file locks on the filesystem of `{}`: {source}; hint: write `archive: {{ lock: none }}` and let one process \
         at a time write this lock", escape(&path.to_string_lossy())
    )]
    NoLocks {
        /// The manifest.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A day record that the lock is made from cannot be read.
    #[error(transparent)]
    Record(#[from] archive::Error),
}

/// What helps against a lock that was edited or cut.
pub(super) const RESTORE: &str =
    "take it back from git, or remove it and let `sunhaul lock` write it from the archive's records";

/// What helps against a merge that was not finished.
pub(super) const MERGE: &str = "take either side whole (`git checkout --ours` or `--theirs` with its path), then `sunhaul run` adds the other days";

impl Error {
    pub(super) fn line(path: &Path, line: usize, why: impl Into<String>) -> Error {
        Error::Line { path: path.to_owned(), line, why: why.into(), hint: RESTORE }
    }

    pub(super) fn storage(action: &'static str, path: &Path, source: io::Error) -> Error {
        Error::Storage { action, path: path.to_owned(), source }
    }
}
