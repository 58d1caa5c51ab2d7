//! Removing what stands at a name, a directory with all that it holds. Symlinks are never followed.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;

use rustix::fs::{self, AtFlags, FileType};
use rustix::io::Errno;

use super::Error;
use super::safe_dir::{Tree, enter, list, split};

impl Tree {
    /// Removes what stands at a path below the root, a directory with all that it holds. A symlink is removed itself.
    /// Gives the files removed and their bytes.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub(super) fn remove(&self, relative: &str) -> Result<Removed, Error> {
        let (directory, name) = split(relative);
        let Some(dir) = self.look(directory)? else { return Ok(Removed::default()) };
        remove_at(&dir, OsStr::new(name)).map_err(|e| Error::storage("remove", self.path(relative), e.into()))
    }
}

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Removed {
    pub(super) files: u64,
    pub(super) bytes: u64,
}

impl Removed {
    fn add(&mut self, other: Removed) {
        self.files += other.files;
        self.bytes += other.bytes;
    }
}

/// Removes one name, a directory with all that it holds. What is gone already is no error.
pub(super) fn remove_at(parent: &OwnedFd, name: &OsStr) -> Result<Removed, Errno> {
    let stat = match fs::statat(parent, name.as_bytes(), AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(Errno::NOENT) => return Ok(Removed::default()),
        Err(e) => return Err(e),
    };
    let mut removed = Removed::default();
    let flags = if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
        let dir = enter(parent, name)?;
        for entry in list(&dir)? {
            removed.add(remove_at(&dir, &entry.name)?);
        }
        AtFlags::REMOVEDIR
    } else {
        removed.add(Removed { files: 1, bytes: u64::try_from(stat.st_size).unwrap_or(0) });
        AtFlags::empty()
    };
    match fs::unlinkat(parent, name.as_bytes(), flags) {
        Ok(()) | Err(Errno::NOENT) => Ok(removed),
        Err(e) => Err(e),
    }
}
