//! A look at a few files of a day that is sealed, by their lengths alone.
//!
//! What it does not do: check the record, or hash anything; `verify` does.

use std::io::{BufRead as _, BufReader, Read as _};

use chrono::NaiveDate;

use super::reader::record_of;
use super::{Error, FileLine, Reader, RelativePath};
use crate::manifest::SeriesId;

/// No more bytes of a record are read than these: some days have millions of lines.
const READ: u64 = 64 * 1024;

/// What a look at some files found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpotCheck {
    /// How many files were looked at.
    pub looked_at: u64,
    /// How many of them are not there, or have another length.
    pub missing: u64,
    /// The path of the first of those.
    pub first_missing: Option<String>,
}

impl SpotCheck {
    /// Adds what another look found after this one.
    pub fn add(&mut self, later: SpotCheck) {
        self.looked_at += later.looked_at;
        self.missing += later.missing;
        self.first_missing = self.first_missing.take().or(later.first_missing);
    }
}

impl Reader {
    /// Looks whether the first `files` files of a day's record are there with their lengths. A record that is not there has
    /// none, and of a damaged one the files before the damage count.
    ///
    /// # Errors
    /// [`Error::Storage`] when the record cannot be read.
    pub fn spot_check(&self, series: &SeriesId, date: NaiveDate, files: usize) -> Result<SpotCheck, Error> {
        let mut found = SpotCheck::default();
        let Some(tree) = self.tree() else { return Ok(found) };
        let relative = record_of(series, date);
        let Some(record) = tree.open_file(&relative)? else { return Ok(found) };
        let lines = BufReader::new(record.take(READ)).split(b'\n').skip(1);
        let lines = lines.map_while(Result::ok).map_while(|line| serde_json::from_slice::<FileLine>(&line).ok());
        let is_own = |file: &FileLine| file.sha256.is_some() && RelativePath::is_one(&file.path);
        for file in lines.filter(is_own).take(files) {
            found.looked_at += 1;
            if tree.length(&file.path) != file.bytes {
                found.missing += 1;
                found.first_missing.get_or_insert(file.path);
            }
        }
        Ok(found)
    }
}
