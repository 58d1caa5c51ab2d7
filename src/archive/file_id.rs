//! Device and inode of a file.

use rustix::fs;

/// Identifies a file of this machine, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct FileId(u64, u64);

impl FileId {
    pub(super) fn of(stat: &fs::Stat) -> FileId {
        FileId(stat.st_dev, stat.st_ino)
    }
}
