//! Emptying `work`: parts, quarantine, retired files, journals. Loses unfinished work only.

use std::path::Path;

use chrono::NaiveDate;

use super::journal::Journal;
use super::{Archive, Error, STATE};
use crate::manifest::SeriesId;

/// What `clean` removed, or would not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Files removed.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Days that another process is working on; when there are any, nothing was removed.
    pub held: Vec<(String, NaiveDate)>,
}

impl Archive {
    /// Empties `.sunhaul/work`, unless a day of it is being worked on.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn clean(&self) -> Result<Cleaned, Error> {
        let mut cleaned = Cleaned::default();
        // Held until the end, so that nobody begins a day while its files go.
        let mut locks = Vec::new();
        let journals = self.tree.path(&format!("{STATE}/work/journal"));
        for series in entries(&journals)? {
            let Some(id) = series.file_name().and_then(|n| n.to_str()).map(|n| SeriesId(n.to_owned())) else {
                continue;
            };
            for journal in entries(&series)? {
                let date = journal.file_stem().and_then(|s| s.to_str()).and_then(|s| s.parse::<NaiveDate>().ok());
                let Some(date) = date else { continue };
                match Journal::open(&self.tree, &id, date, self.lock)? {
                    Some(lock) => locks.push(lock),
                    None => cleaned.held.push((id.0.clone(), date)),
                }
            }
        }
        if cleaned.held.is_empty() {
            for kind in ["journal", "partial", "quarantine", "retired"] {
                empty(&self.tree.path(&format!("{STATE}/work/{kind}")), &mut cleaned)?;
            }
        }
        Ok(cleaned)
    }
}

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
