//! A lock held against an archive: what the planner asks of it, and the files that a run is bound to.

use std::collections::HashMap;
use std::path::PathBuf;

use chrono::NaiveDate;

use super::format::{DayRow, LockedFile};
use super::{Error, Lock};
use crate::archive::{Archive, DayRecord, FileLine, MADE, Reader, RecordState};
use crate::fits::Digests;
use crate::manifest::{Identity, Manifest, SeriesId};
use crate::plan::{DaySummary, Finality, Pin, Pins};

/// A lock, the archive beside it, and what counts as the same file.
#[derive(Debug)]
pub struct LockWithRecords {
    lock: Lock,
    root: PathBuf,
    identity: Identity,
    records: Option<PathBuf>,
}

impl LockWithRecords {
    /// Holds a lock against the archive of its job. `records` is a further folder of day records, as the archive's own
    /// `.sunhaul/days`, for a lock that holds days alone.
    #[must_use]
    pub fn new(lock: Lock, manifest: &Manifest, records: Option<PathBuf>) -> LockWithRecords {
        LockWithRecords { lock, root: manifest.archive.root.clone(), identity: manifest.identity, records }
    }

    /// The lock.
    #[must_use]
    pub fn lock(&self) -> &Lock {
        &self.lock
    }

    /// What counts as the same file.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// The files of a day: those of the lock, or where it holds days alone, those of a day record with its digest.
    /// `None` when there is no such record either.
    ///
    /// # Errors
    /// As [`Lock::files`]. A record that cannot be read is as good as none.
    pub fn files(&self, series: &SeriesId, date: NaiveDate) -> Result<Option<Vec<LockedFile>>, Error> {
        if let Some(files) = self.lock.files(series, date)? {
            return Ok(Some(files));
        }
        let Some(row) = self.lock.day(series, date) else { return Ok(None) };
        if row.files + row.absent == 0 {
            return Ok(Some(Vec::new()));
        }
        let own = || Archive::record(&self.root, series, date).ok().flatten();
        let other = || Reader::open(self.records.as_deref()?).ok()?.loose_record(series, date).ok().flatten();
        let is_locked = |record: &DayRecord| record.header.spec == row.spec && row.is_of(record);
        let record = own().filter(is_locked).or_else(|| other().filter(is_locked));
        Ok(record.map(|record| record.files.into_iter().map(LockedFile::from_line).collect()))
    }

    /// True when the files of a day can be known from the lock and the records at hand.
    ///
    /// # Errors
    /// As [`LockWithRecords::files`].
    pub fn knows(&self, series: &SeriesId, date: NaiveDate) -> Result<bool, Error> {
        if self.lock.detail() == super::Detail::Files {
            return Ok(self.lock.day(series, date).is_some());
        }
        self.files(series, date).map(|files| files.is_some())
    }

    /// True when the absent files of a record are those of the lock's day, as far as that tells.
    fn has_absent(&self, row: &DayRow, series: &SeriesId, date: NaiveDate) -> bool {
        let record = || Archive::record(&self.root, series, date).ok().flatten();
        row.absent_digest.is_none() || record().is_some_and(|record| row.is_of(&record))
    }

    /// True unless a record has other bytes than the lock for a file that both have, each by its own query.
    fn agrees_where_both_ask(&self, series: &SeriesId, date: NaiveDate) -> bool {
        let Ok(Some(locked)) = self.files(series, date) else { return true };
        let Ok(Some(record)) = Archive::record(&self.root, series, date) else { return true };
        // What was made of the answers to another query is another file.
        let locked = locked.iter().filter(|file| file.sha256.is_some() && !file.key.starts_with(MADE));
        let locked: HashMap<&str, &LockedFile> = locked.map(|file| (file.key.as_str(), file)).collect();
        let mut lines = record.files.iter().filter(|line| line.sha256.is_some());
        lines.all(|line| locked.get(line.key.as_str()).is_none_or(|locked| locked.is(line, self.identity)))
    }

    /// True when a record's files are those of the lock's day, where their bytes differ and only their data count.
    fn agrees_by_data(&self, series: &SeriesId, date: NaiveDate) -> bool {
        let Ok(Some(locked)) = self.lock.files(series, date) else { return false };
        let Ok(Some(record)) = Archive::record(&self.root, series, date) else { return false };
        locked.len() == record.files.len()
            && locked.iter().zip(&record.files).all(|(locked, line)| {
                locked.path == line.path && locked.key == line.key && locked.is(line, self.identity)
            })
    }
}

impl LockedFile {
    /// True when a file is the locked one: by its bytes, or by the headers and data of the same record.
    #[must_use]
    pub fn is(&self, line: &FileLine, identity: Identity) -> bool {
        let digests = || Digests::of_line(line.header, line.data.as_deref());
        let has_digests = || self.has_digests(line.recnum, digests().as_ref());
        self.sha256 == line.sha256 || (identity == Identity::FitsData && has_digests())
    }

    /// True when these are the headers and data of the same record, whatever else the bytes of either file say.
    #[must_use]
    pub fn has_digests(&self, recnum: Option<i64>, digests: Option<&Digests>) -> bool {
        let own = self.digests();
        self.recnum == recnum && own.is_some() && own.as_ref() == digests
    }

    /// What makes a FITS file the same one, where it was taken.
    #[must_use]
    pub fn digests(&self) -> Option<Digests> {
        Digests::of_line(self.header, self.data.as_deref())
    }
}

impl DayRow {
    fn recorded(&self) -> Finality {
        match self.state {
            RecordState::Sealed => Finality::Sealed,
            RecordState::Provisional => Finality::Provisional,
        }
    }
}

impl Pins for LockWithRecords {
    fn pinned(&self, series: &SeriesId, date: NaiveDate) -> Option<Pin> {
        self.lock.day(series, date).map(|row| Pin { spec: row.spec, window: row.asked_window(), state: row.recorded() })
    }

    fn agrees(&self, series: &SeriesId, date: NaiveDate, known: &DaySummary) -> bool {
        let Some(row) = self.lock.day(series, date) else { return false };
        if row.spec != known.spec {
            return self.agrees_where_both_ask(series, date);
        }
        let is_same = row.digest == known.digest && row.absent == known.absent;
        (is_same && self.has_absent(row, series, date))
            || (self.identity == Identity::FitsData && self.agrees_by_data(series, date))
    }

    fn days(&self) -> Vec<(SeriesId, NaiveDate)> {
        self.lock.days().map(|row| (SeriesId(row.series.clone()), row.date)).collect()
    }

    fn dates(&self, series: &SeriesId) -> Vec<NaiveDate> {
        self.lock.dates(series).collect()
    }
}
