//! Making way for a file that is not what its day's record says: it goes to `retired/`, and a run fetches the right one.
//!
//! What it does not do: fetch, or delete anything.

use chrono::NaiveDate;
use rustix::fs::{self, AtFlags, FileType, RenameFlags};
use rustix::io::Errno;

use super::journal::Journal;
use super::name::{LONGEST, cut};
use super::reader::record_of;
use super::safe_dir::length_of;
use super::{Archive, DayRecord, Error, FileLine};
use crate::manifest::SeriesId;

impl Archive {
    /// Retires those of these paths that the day's record names and that do not hold its bytes, under the day's lock.
    /// Gives the paths that were moved; `None` when another process holds the day. The record stays, and beside
    /// it a journal: the next run fetches what the record names and the archive does not have.
    ///
    /// A folder in a file's place stays: it may hold what is the user's. A record that cannot be read names nothing.
    ///
    /// # Errors
    /// [`Error::NoLocks`] and [`Error::Storage`].
    pub fn retire_changed(
        &self,
        series: &SeriesId,
        date: NaiveDate,
        paths: &[String],
    ) -> Result<Option<Vec<String>>, Error> {
        let Some(journal) = Journal::open(&self.tree, series, date, self.lock)? else { return Ok(None) };
        let moved = self.make_way(series, date, paths);
        // Where a file was moved the journal stays, though it is empty: a later run sees by it that the day is not finished.
        if moved.as_ref().is_ok_and(Vec::is_empty) {
            journal.remove_if_new()?;
        }
        self.sweep(series, date);
        moved.map(Some)
    }

    fn make_way(&self, series: &SeriesId, date: NaiveDate, paths: &[String]) -> Result<Vec<String>, Error> {
        let record = match DayRecord::read(&self.tree, &record_of(series, date), series, date) {
            Ok(Some(record)) => record,
            Ok(None) | Err(Error::Record { .. }) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut ground = self.ground()?;
        let mut moved = Vec::new();
        let named = |line: &&FileLine| line.sha256.is_some() && paths.contains(&line.path);
        // A file that was there before stays the user's, whatever became of it.
        for line in record.files.iter().filter(named).filter(|line| !line.preexisting) {
            let (dir, name) = self.tree.place(&line.path)?;
            let kind = match fs::statat(&*dir, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                Err(Errno::NOENT) => continue,
                Err(e) => return Err(Error::storage("look at", self.tree.path(&line.path), e.into())),
            };
            // Looked at again under the lock: somebody may have mended it.
            let bytes = if kind == FileType::RegularFile { self.hash(&line.path)? } else { None };
            if kind == FileType::Directory || (bytes.is_some() && bytes == line.sha256) {
                continue;
            }
            if let Some(ground) = &mut ground {
                let others = ground.owners(self, series, date, std::slice::from_ref(&line.path))?;
                if others.into_values().flatten().any(|other| other.sha256 == bytes) {
                    // It is another day's, and right.
                    continue;
                }
                ground.retired(self, &line.path)?;
            }
            let copy = self.retired_copy(series, date, &line.path)?;
            if self.set_aside(series, date, &line.path, copy.as_deref())?.is_some() {
                moved.push(line.path.clone());
            }
        }
        Ok(moved)
    }

    /// Moves what has a path to the day's folder of `retired/`, under a name that nothing has there, and then removes the copy of
    /// it that lies there. Gives its path there; `None` when there is nothing to move.
    pub(super) fn set_aside(
        &self,
        series: &SeriesId,
        date: NaiveDate,
        path: &str,
        copy: Option<&str>,
    ) -> Result<Option<String>, Error> {
        let (dir, name) = self.tree.place(path)?;
        let folder = Archive::retired(series, date);
        let to = self.tree.make(&folder)?;
        let failed = |e: Errno| Error::storage("retire", self.tree.path(path), e.into());
        let mut target = cut(name, LONGEST).to_owned();
        for attempt in 1u32.. {
            match fs::renameat_with(&*dir, name, &*to, &target, RenameFlags::NOREPLACE) {
                Ok(()) => {
                    if let Some(copy) = copy {
                        self.tree.remove(copy)?;
                    }
                    return Ok(Some(format!("{folder}/{target}")));
                }
                Err(Errno::NOENT) => return Ok(None),
                Err(Errno::EXIST) => {
                    let more = format!(".{attempt}");
                    target = format!("{}{more}", cut(name, LONGEST - more.len()));
                }
                Err(e) => return Err(failed(e)),
            }
        }
        Ok(None)
    }

    /// A retired file of the day that has the bytes of the one at a path, which is read: kept once each, files that come again
    /// in each run, and are refused, would fill the disk otherwise.
    fn retired_copy(&self, series: &SeriesId, date: NaiveDate, path: &str) -> Result<Option<String>, Error> {
        let folder = Archive::retired(series, date);
        for name in self.tree.names(&folder)? {
            let retired = format!("{folder}/{name}");
            if self.are_equally_long(path, &retired)? && self.hash(&retired)? == self.hash(path)? {
                return Ok(Some(retired));
            }
        }
        Ok(None)
    }

    /// True when two paths have files of one length.
    pub(super) fn are_equally_long(&self, path: &str, other: &str) -> Result<bool, Error> {
        let (Some(one), Some(other)) = (self.tree.stat(path)?, self.tree.stat(other)?) else { return Ok(false) };
        let length = length_of(&one);
        Ok(length.is_some() && length == length_of(&other))
    }
}
