//! What can go wrong in the archive, always with the path.

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::HeldLock;
use crate::failure::{Class, Failure, limit_hint};
use crate::untrusted::escape;

/// A failure of the archive itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system said no.
    #[error("could not {action} `{}`: {source}{}", escape(&path.to_string_lossy()), hint(source))]
    Storage {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The filesystem has no locks.
    #[error(
        "no file locks on the filesystem of `{}`: {source}; hint: write `archive: {{ lock: none }}` and let one \
         process at a time work on this archive", escape(&path.to_string_lossy())
    )]
    NoLocks {
        /// The journal that was to be locked.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another process holds the lock on a file that days share.
    #[error("{0}; hint: run the same command again when it has ended")]
    Locked(HeldLock),
    /// A record or journal that does not say what it should.
    #[error("`{}`, line {line}: {why}", escape(&path.to_string_lossy()))]
    Record {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong and what to do.
        why: String,
    },
    /// A record that a newer version wrote.
    #[error("`{}` is written as `{format}`, which this version does not know; use a newer sunhaul",
        escape(&path.to_string_lossy()))]
    Newer {
        /// The record.
        path: PathBuf,
        /// What it calls itself; safe to show.
        format: String,
    },
    /// The path is taken by other bytes.
    #[error(
        "`{path}` is taken by a file that sunhaul did not put there and that holds other bytes; hint: move it away, or \
         choose another layout or root"
    )]
    Occupied {
        /// The path below the root.
        path: String,
    },
    /// Something else than a file stands at the path.
    #[error(
        "{what} is in the way at `{path}`, and sunhaul neither replaces nor follows it; hint: move it away and run the same \
         command again, or choose another layout or root"
    )]
    InTheWay {
        /// The path below the root.
        path: String,
        /// What it is, such as `a symlink`.
        what: &'static str,
    },
    /// The path holds other bytes than were put there.
    #[error(
        "`{path}` does not hold what sunhaul put there: it was edited, replaced or damaged since; hint: move it away and \
         run the same command again, or, for a day that has a record, let `sunhaul verify --repair` move what differs \
         from it to `.sunhaul/work/retired`"
    )]
    Changed {
        /// The path below the root.
        path: String,
    },
    /// The path holds the file of another day.
    #[error(
        "`{path}` is the file of {by}, with other bytes; hint: choose a layout that holds `{{series}}` and the whole \
         `{{date:...}}`, or another root; where two days exchange their paths, run once with a third layout in between"
    )]
    Claimed {
        /// The path below the root.
        path: String,
        /// The other series and its day; safe to show.
        by: String,
    },
    /// A file is not where this run has put it.
    #[error(
        "`{path}` is not where it was put: somebody moved or replaced it, or its folder, meanwhile; hint: run the same \
         command again, it fetches what is not there"
    )]
    Moved {
        /// The path below the root.
        path: String,
    },
    /// The root, or the folder of the archive's own state, was moved or replaced.
    #[error(
        "`{}` is not the folder any more that this command began to work in: somebody moved or replaced it meanwhile; \
         hint: put it back and run the same command again", escape(&path.to_string_lossy())
    )]
    FolderMoved {
        /// The folder.
        path: PathBuf,
    },
    /// Somebody else wrote to the same part.
    #[error(
        "another process fetches `{path}` as well; hint: with `lock: none`, let one process at a time work on an \
         archive, and run this one again"
    )]
    Shared {
        /// The path below the root.
        path: String,
    },
}

impl Error {
    pub(crate) fn storage(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Error {
        Error::Storage { action, path: path.into(), source }
    }

    pub(crate) fn record(path: &Path, line: usize, why: impl Into<String>) -> Error {
        Error::Record { path: path.to_owned(), line, why: why.into() }
    }

    /// The class that reports and exit codes go by.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            // Of one file alone: the disk is well.
            Error::Storage { action, source, .. } if is_too_long(source) && *action != ENTER_ROOT => Class::UnsafePath,
            Error::Storage { .. } | Error::NoLocks { .. } => Class::Storage,
            Error::Record { .. } | Error::Newer { .. } => Class::Record,
            Error::Occupied { .. } | Error::InTheWay { .. } | Error::Changed { .. } => Class::Occupied,
            Error::Claimed { .. } => Class::Collision,
            Error::Shared { .. } | Error::Moved { .. } | Error::FolderMoved { .. } | Error::Locked(_) => Class::Held,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::unasked(error.class(), error.to_string())
    }
}

/// What fails for the whole archive, not for one file of it.
pub(super) const ENTER_ROOT: &str = "enter the archive's root";

/// A name, or a path, that is longer than the filesystem takes.
fn is_too_long(source: &io::Error) -> bool {
    source.raw_os_error() == Some(Errno::NAMETOOLONG.raw_os_error())
}

fn hint(source: &io::Error) -> String {
    if let Some(hint) = limit_hint(source) {
        return format!("; hint: {hint}");
    }
    let hint = match source.kind() {
        _ if is_too_long(source) => "; hint: choose a layout that makes shorter names",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; hint: free some space and run the same command again"
        }
        io::ErrorKind::ReadOnlyFilesystem => "; hint: mount it writable, or choose another root with `--archive`",
        io::ErrorKind::CrossesDevices => {
            "; hint: let the archive's files and its `.sunhaul` lie on one filesystem, with nothing mounted in between"
        }
        io::ErrorKind::NotADirectory => "; hint: move it away, or put a folder in its place",
        io::ErrorKind::PermissionDenied => "; hint: check who owns it and its mode",
        _ => "",
    };
    hint.to_owned()
}
