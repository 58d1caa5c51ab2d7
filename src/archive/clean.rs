//! Emptying `work`: parts, quarantine, retired files, and journals, of which only the owners of files are kept.

use std::path::Path;

use chrono::NaiveDate;
use rustix::fs::FileType;

use super::day::retired_lines_of;
use super::journal::{self, Journal};
use super::remove::Removed;
use super::safe_dir::Tree;
use super::work_folders::{FOLDERS, JOURNALS, KINDS, RETIRED_LINES, days_in, sweep};
use super::{Archive, Error, STAGING, WORK};
use crate::manifest::{LockMode, SeriesId};

/// What `clean` removed, or would not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Files removed.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Days that another process is working on; when there were any at the beginning, nothing was removed.
    pub held: Vec<(String, NaiveDate)>,
}

impl Archive {
    /// Empties `.sunhaul/work` of the archive at `root`, unless a day of it is being worked on. A symlink there is removed
    /// itself: what it leads to is not the archive's. The journals of unfinished days that have files stay.
    ///
    /// Each day is locked while it is emptied, one at a time: there may be more of them than a process may open files.
    ///
    /// # Errors
    /// [`Error::Storage`]; also when `.sunhaul` or its `work` is a symlink, and nothing was removed then.
    pub fn clean(root: &Path, lock: LockMode) -> Result<Cleaned, Error> {
        let tree = Tree::open(root)?;
        let mut cleaned = Cleaned::default();
        if tree.look(WORK)?.is_none() {
            return Ok(cleaned);
        }
        let journals = days_in(&tree, JOURNALS)?;
        for (series, date) in &journals {
            match Journal::open(&tree, series, *date, lock) {
                Ok(None) => cleaned.held.push((series.0.clone(), *date)),
                // Nobody holds it, or something that nobody can hold stands in its place.
                Ok(Some(_)) | Err(Error::Record { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        if !cleaned.held.is_empty() {
            return Ok(cleaned);
        }
        cleaned.unlink_links(&tree)?;
        let mut days = journals;
        for kind in FOLDERS.into_iter().chain([RETIRED_LINES]) {
            days.extend(days_in(&tree, kind)?);
        }
        for (series, date) in days {
            cleaned.day(&tree, &series, date, lock)?;
        }
        cleaned.count(tree.remove(STAGING)?);
        Ok(cleaned)
    }
}

impl Cleaned {
    fn count(&mut self, removed: Removed) {
        self.files += removed.files;
        self.bytes += removed.bytes;
    }

    /// Removes the symlinks that stand where a folder of a kind, or of a series, is due.
    fn unlink_links(&mut self, tree: &Tree) -> Result<(), Error> {
        for kind in KINDS {
            let folder = format!("{WORK}/{kind}");
            if tree.is_link(&folder)? {
                self.count(tree.remove(&folder)?);
                continue;
            }
            for entry in tree.entries(&folder)?.iter().filter(|entry| entry.kind == FileType::Symlink) {
                let Some(name) = entry.text() else { continue };
                self.count(tree.remove(&format!("{folder}/{name}"))?);
            }
        }
        Ok(())
    }

    fn day(&mut self, tree: &Tree, series: &SeriesId, date: NaiveDate, lock: LockMode) -> Result<(), Error> {
        let own = journal::path_of(series, date);
        let was_there = tree.exists(&own)?;
        let journal = match Journal::open(tree, series, date, lock) {
            Ok(Some(journal)) => Some(journal),
            Ok(None) => {
                // Another process has just started on it.
                self.held.push((series.0.clone(), date));
                return Ok(());
            }
            // A pipe, a link or a folder stands in its place.
            Err(Error::Record { .. }) => None,
            Err(error) => return Err(error),
        };
        // Only the journal says who owns the files of an unfinished day.
        let is_needed = journal.as_ref().map_or(Ok(false), |journal| journal.forget(tree))?;
        // What it says of files goes with them, and is not counted.
        tree.remove(&retired_lines_of(series, date))?;
        for kind in FOLDERS {
            self.count(tree.remove(&format!("{}/{date}", Archive::work(kind, series)))?);
        }
        if !is_needed {
            let removed = tree.remove(&own)?;
            if was_there {
                self.count(removed);
            }
        }
        drop(journal);
        sweep(tree, series, date);
        Ok(())
    }
}
