//! The job's lock, `lock/1`: what every file of the job must be, in git beside the manifest.
//!
//! A header, lines for the active regions that the job follows, then a line a day, each followed by a line for each of its files: sorted, so that a new day is only added
//! lines and branches merge. It is a pure function of the old lock, the manifest, the day records and an instant. What
//! it does not do: fetch, or judge what a run fetched; `run` holds files against it.

mod diff;
mod error;
mod format;
mod read;
mod regions;
#[cfg(test)]
mod tests;
mod with_records;
mod write;
mod writer_lock;

use std::path::{Path, PathBuf};

use crate::manifest::is_yaml;

pub use diff::{ChangedFile, DayChange, Replaced, replaced};
pub use error::{Error, LinePart};
pub use format::{DayRow, Detail, LockHeader, LockedFile, schema};
pub use read::{Lock, job_of};
pub use regions::{RegionRow, regions_of, rows_of};
pub use with_records::LockWithRecords;
pub use write::{AHEAD, Moved, Takes, is_ahead, may_write, write};

/// Where the lock of a manifest is: its path with `.lock` for `.yaml`.
#[must_use]
pub fn path_of(manifest: &Path) -> PathBuf {
    if is_yaml(manifest) { manifest.with_extension("lock") } else { append(manifest, ".lock") }
}

fn append(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}
