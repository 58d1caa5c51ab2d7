//! Emptying `work`: parts, quarantine, retired files, journals. Loses unfinished work only.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::NaiveDate;

use super::journal::Journal;
use super::{Archive, Error, STAGING, STATE};
use crate::manifest::SeriesId;

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
    /// Empties `.sunhaul/work`, unless a day of it is being worked on.
    ///
    /// Each day is locked while it is emptied, one at a time: there may be more of them than a process may open files.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn clean(&self) -> Result<Cleaned, Error> {
        let mut cleaned = Cleaned::default();
        let journals = days_in(&self.root, "journal")?;
        for (series, date) in &journals {
            if Journal::open(&self.tree, series, *date, self.lock)?.is_none() {
                cleaned.held.push((series.0.clone(), *date));
            }
        }
        if !cleaned.held.is_empty() {
            return Ok(cleaned);
        }
        let mut days = journals;
        for kind in FOLDERS {
            days.extend(days_in(&self.root, kind)?);
        }
        for (series, date) in days {
            self.clean_day(&series, date, &mut cleaned)?;
        }
        let staging = self.tree.path(STAGING);
        if staging.is_dir() {
            empty(&staging, &mut cleaned)?;
        }
        Ok(cleaned)
    }

    fn clean_day(&self, series: &SeriesId, date: NaiveDate, cleaned: &mut Cleaned) -> Result<(), Error> {
        let path = self.tree.path(&Archive::work("journal", series)).join(format!("{date}.jsonl"));
        let length = path.symlink_metadata().ok().map(|meta| meta.len());
        let Some(journal) = Journal::open(&self.tree, series, date, self.lock)? else {
            // Begun by somebody just now.
            cleaned.held.push((series.0.clone(), date));
            return Ok(());
        };
        for kind in FOLDERS {
            let folder = self.tree.path(&Archive::work(kind, series)).join(date.to_string());
            if folder.is_dir() {
                empty(&folder, cleaned)?;
            }
        }
        cleaned.files += u64::from(length.is_some());
        cleaned.bytes += length.unwrap_or_default();
        journal.remove()?;
        self.sweep(series, date);
        Ok(())
    }

    /// The days that have a journal, wherever it comes from: those that are worked on, and those that a kill left.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn journalled(root: &Path) -> Result<BTreeSet<(SeriesId, NaiveDate)>, Error> {
        days_in(root, "journal")
    }
}

/// The days that have something of a kind in `work`.
fn days_in(root: &Path, kind: &str) -> Result<BTreeSet<(SeriesId, NaiveDate)>, Error> {
    let mut days = BTreeSet::new();
    for series in entries(&root.join(format!("{STATE}/work/{kind}")))? {
        let Some(id) = series.file_name().and_then(|n| n.to_str()).map(|n| SeriesId(n.to_owned())) else {
            continue;
        };
        for day in entries(&series)? {
            let name = day.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            days.extend(name.trim_end_matches(".jsonl").parse().ok().map(|date| (id.clone(), date)));
        }
    }
    Ok(days)
}

/// Where a day may have a folder of its own.
const FOLDERS: [&str; 3] = ["partial", "quarantine", "retired"];

fn entries(folder: &Path) -> Result<Vec<std::path::PathBuf>, Error> {
    let failed = |e| Error::storage("look into", folder, e);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    std::fs::read_dir(folder).map_err(failed)?.map(|e| e.map(|e| e.path()).map_err(failed)).collect()
}

fn empty(folder: &Path, cleaned: &mut Cleaned) -> Result<(), Error> {
    for path in entries(folder)? {
        let meta = path.symlink_metadata().map_err(|e| Error::storage("look at", &path, e))?;
        if meta.is_dir() {
            empty(&path, cleaned)?;
            std::fs::remove_dir(&path).map_err(|e| Error::storage("remove", &path, e))?;
        } else {
            std::fs::remove_file(&path).map_err(|e| Error::storage("remove", &path, e))?;
            cleaned.files += 1;
            cleaned.bytes += meta.len();
        }
    }
    Ok(())
}
