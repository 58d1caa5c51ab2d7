//! Any folder of FITS files as holdings: the files below it, by series and time.
//!
//! The folder is read once, at the start. Files that come later are not listed; files that change are served as they
//! then are, under another entity tag. What it does not do: write, or serve what the index does not name.

mod beneath;
mod index;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

use chrono::{Datelike as _, NaiveDate};

use self::beneath::Root;
use self::index::ServedFile;
use super::backend::{
    AnswerVersion, DayCount, FileContent, FileFacts, Holdings, OpenedFile, SeriesName, ServedItem, count,
};
use crate::day::Window;

/// A file that is not served, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its path below the folder, safe to show.
    pub path: String,
    /// Why, in words.
    pub reason: String,
}

/// The files of a folder.
#[derive(Debug)]
pub(super) struct ServedFolder {
    /// By series, then by path below the folder.
    series: BTreeMap<String, BTreeMap<String, ServedFile>>,
    root: Root,
}

impl ServedFolder {
    /// Reads the headers of every FITS file below `root`.
    pub(super) fn scan(root: &Path) -> io::Result<(ServedFolder, Vec<Skipped>)> {
        let index::Scanned { root, entries, skipped } = index::scan(root)?;
        let mut series: BTreeMap<String, BTreeMap<String, ServedFile>> = BTreeMap::new();
        for entry in entries {
            series.entry(entry.series.clone()).or_default().insert(entry.path.clone(), entry);
        }
        Ok((ServedFolder { series, root }, skipped))
    }

    /// The length that a file has now.
    fn size(&self, entry: &ServedFile) -> Option<u64> {
        Some(self.root.file(&entry.file).ok()??.metadata().ok()?.len())
    }
}

impl Holdings for ServedFolder {
    fn series(&self) -> Vec<SeriesName> {
        let told = |(name, files): (&String, &BTreeMap<String, ServedFile>)| {
            let example = files.values().map(|entry| entry.date_obs).min()?;
            Some(SeriesName { name: name.clone(), shape: AnswerVersion::V1, files: Some(files.len()), example })
        };
        self.series.iter().filter_map(told).collect()
    }

    fn shape(&self, series: &str) -> Option<AnswerVersion> {
        self.series.contains_key(series).then_some(AnswerVersion::V1)
    }

    fn list(&self, series: &str, window: Window) -> Option<Vec<ServedItem>> {
        let files = self.series.get(series)?.values().filter(|entry| window.contains(entry.date_obs));
        let item = |entry: &ServedFile| ServedItem {
            date_obs: entry.date_obs,
            paths: vec![entry.path.clone()],
            record: None,
            known: FileFacts { size: self.size(entry), ..entry.known.clone() },
        };
        let mut items: Vec<ServedItem> = files.map(item).collect();
        items.sort_by_key(|item| item.date_obs);
        Some(items)
    }

    fn years(&self, series: &str) -> Vec<i32> {
        let files = self.series.get(series).into_iter().flat_map(BTreeMap::values);
        files.map(|entry| entry.date_obs.year()).collect::<BTreeSet<i32>>().into_iter().collect()
    }

    fn days(&self, series: &str, year: i32) -> Vec<DayCount> {
        let files = self.series.get(series).into_iter().flat_map(BTreeMap::values);
        let mut days: BTreeMap<NaiveDate, usize> = BTreeMap::new();
        for date in files.map(|entry| entry.date_obs.date()).filter(|date| date.year() == year) {
            *days.entry(date).or_default() += 1;
        }
        days.into_iter().map(|(date, items)| DayCount { date, items }).collect()
    }

    fn fields(&self, _: &str) -> Option<&'static [&'static str]> {
        None
    }

    fn records(&self, _: &str, _: &[i64]) -> Vec<ServedItem> {
        Vec::new()
    }

    fn open(&self, series: &str, path: &str) -> io::Result<Option<OpenedFile>> {
        let Some(entry) = self.series.get(series).and_then(|files| files.get(path)) else {
            return Ok(None);
        };
        // What has taken a file's or a folder's place since the index was made may be anything.
        let Some(file) = self.root.file(&entry.file)? else { return Ok(None) };
        let metadata = file.metadata()?;
        let changed = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
        Ok(Some(OpenedFile {
            name: path.rsplit('/').next().unwrap_or(path).to_owned(),
            length: metadata.len(),
            etag: format!("\"{:x}-{:x}-{:x}\"", metadata.ino(), changed, metadata.len()),
            modified: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
            content: FileContent::File(file),
        }))
    }

    fn about(&self) -> String {
        let files: usize = self.series.values().map(BTreeMap::len).sum();
        format!("{} of {} series", count(files), self.series.len())
    }
}

#[cfg(test)]
mod tests;
