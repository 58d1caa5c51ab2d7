//! Sizes of listed files: what the listing says, else what the lock knows.

use std::collections::HashMap;

use chrono::NaiveDate;

use crate::archive::FileLine;
use crate::cli::Result;
use crate::lock::{LockWithRecords, LockedFile};
use crate::manifest::SeriesId;
use crate::source::RemoteFile;

/// What is known of a file's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileSize {
    /// By the listing.
    Listed(u64),
    /// By the lock.
    Expected(u64),
    Unknown,
}

impl FileSize {
    /// By whatever tells it.
    pub(super) fn bytes(&self) -> Option<u64> {
        match *self {
            FileSize::Listed(bytes) | FileSize::Expected(bytes) => Some(bytes),
            FileSize::Unknown => None,
        }
    }

    /// By the listing alone.
    pub(super) fn listed(&self) -> Option<u64> {
        if let FileSize::Listed(bytes) = *self { Some(bytes) } else { None }
    }
}

/// The lock's files of one series.
pub(super) struct LockedSizes<'a> {
    lock: Option<&'a LockWithRecords>,
    series: &'a SeriesId,
    /// Of all its files.
    mean: Option<u64>,
}

impl<'a> LockedSizes<'a> {
    /// Those of a lock, if there is one.
    pub(super) fn for_series(lock: Option<&'a LockWithRecords>, series: &'a SeriesId) -> LockedSizes<'a> {
        let days = lock.iter().flat_map(|held| held.lock().days()).filter(|row| row.series == series.0);
        let (files, bytes) = days.fold((0u64, 0u64), |(files, bytes), row| (files + row.files, bytes + row.bytes));
        LockedSizes { lock, series, mean: bytes.checked_div(files) }
    }

    /// Those of a day.
    ///
    /// # Errors
    /// When the lock is damaged.
    pub(super) fn of_day(&self, date: NaiveDate) -> Result<DaySizes> {
        let files = self.lock.map(|held| held.files(self.series, date)).transpose()?.flatten().unwrap_or_default();
        let by_key = files.into_iter().map(|file| (file.key.clone(), file)).collect();
        Ok(DaySizes { by_key, mean: self.mean })
    }
}

/// The lock's files of one day.
pub(super) struct DaySizes {
    by_key: HashMap<String, LockedFile>,
    mean: Option<u64>,
}

impl DaySizes {
    /// The size of a listed file.
    pub(super) fn of_file(&self, file: &RemoteFile) -> FileSize {
        let expected = || self.by_key.get(&file.key).and_then(|locked| locked.bytes).or(self.mean);
        match file.bytes {
            Some(bytes) => FileSize::Listed(bytes),
            None => expected().map_or(FileSize::Unknown, FileSize::Expected),
        }
    }

    /// True when the lock has a file of these bytes.
    pub(super) fn has(&self, line: &FileLine) -> bool {
        self.by_key.get(&line.key).is_some_and(|locked| locked.sha256 == line.sha256)
    }
}
