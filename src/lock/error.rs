//! What can be wrong with a lock, always with its path and, where there is one, the line.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::archive::{self, HeldLock};
use crate::manifest::Diagnostics;
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
        /// The line itself, as far as it is text.
        text: String,
        /// What of it is meant.
        part: LinePart,
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
    /// Another process is about to write it, or holds the file that its writers lock.
    #[error(
        "could not write the lock `{}`: {by}; hint: run the same command again when it has ended",
        escape(&path.to_string_lossy())
    )]
    Held {
        /// The lock.
        path: PathBuf,
        /// By whom, and what.
        by: HeldLock,
    },
    /// The filesystem of the lock has no locks.
    #[error(
        "no file locks on the filesystem of `{}`: {source}; hint: write `archive: {{ lock: none }}` and let one process \
         at a time write this lock", escape(&path.to_string_lossy())
    )]
    NoLocks {
        /// The file that was to be locked.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A day record that the lock is made from cannot be read.
    #[error(transparent)]
    Record(#[from] archive::Error),
}

/// What of a line is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinePart {
    /// All of it.
    Whole,
    /// The character at this byte, from 0.
    Byte(usize),
    /// Where this stands in it first.
    Text(String),
}

impl LinePart {
    /// The bytes of a line that are meant.
    fn range_in(&self, text: &str) -> Range<usize> {
        match self {
            LinePart::Byte(at) if *at < text.len() => *at..*at + 1,
            LinePart::Text(part) if text.contains(part) => {
                let start = text.find(part).unwrap_or_default();
                start..start + part.len()
            }
            _ => 0..text.len(),
        }
    }
}

/// What helps against a lock that was edited or cut.
pub(super) const RESTORE: &str =
    "take it back from git, or remove it and let `sunhaul lock` write it from the archive's records";

/// What helps against an empty lock: `flock job.lock ...` makes one.
pub(super) const BEGIN: &str = "take it back from git, or remove it and let a run begin a new one; `flock` makes an empty file of the name that it is given";

/// What helps against a merge that was not finished.
pub(super) const MERGE: &str = "take either side whole (`git checkout --ours` or `--theirs` with its path), then `sunhaul run` adds the other days";

impl Error {
    pub(super) fn line(path: &Path, line: usize, why: impl Into<String>) -> Error {
        let why = why.into();
        Error::Line { path: path.to_owned(), line, why, hint: RESTORE, text: String::new(), part: LinePart::Whole }
    }

    /// A line that is not the JSON that it should be.
    pub(super) fn json(path: &Path, line: usize, what: &str, error: &serde_json::Error) -> Error {
        let text = error.to_string();
        // What the library says may repeat names out of the file.
        let reason = escape(text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason));
        let wrong = Error::line(path, line, format!("{what}: {reason}"));
        match error.column().checked_sub(1) {
            Some(at) => wrong.at(LinePart::Byte(at)),
            None => wrong,
        }
    }

    /// Says what else helps.
    pub(super) fn with_hint(mut self, other: &'static str) -> Error {
        if let Error::Line { hint, .. } = &mut self {
            *hint = other;
        }
        self
    }

    /// Says what of the line is meant.
    pub(super) fn at(mut self, meant: LinePart) -> Error {
        if let Error::Line { part, .. } = &mut self {
            *part = meant;
        }
        self
    }

    /// Adds the line itself, unless it is there.
    pub(super) fn in_line(mut self, line: &[u8]) -> Error {
        if let Error::Line { text, .. } = &mut self
            && text.is_empty()
        {
            String::from_utf8_lossy(line).trim_end_matches(['\r', '\n']).clone_into(text);
        }
        self
    }

    /// The error beside its line, for a reader; `None` where it has no line.
    #[must_use]
    pub fn beside_its_line(&self) -> Option<Diagnostics> {
        match self {
            Error::Line { path, line, why, hint, text, part } => {
                Some(Diagnostics::of_line(path, *line, text, part.range_in(text), why, hint))
            }
            _ => None,
        }
    }

    pub(super) fn storage(action: &'static str, path: &Path, source: io::Error) -> Error {
        Error::Storage { action, path: path.to_owned(), source }
    }
}
