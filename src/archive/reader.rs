//! An archive that is only looked at: nothing is made, locked or changed, and no symlink below the root is followed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use super::journal::{self, Started};
use super::record;
use super::safe_dir::Tree;
use super::{DayHeader, DayRecord, Error, FileLine, STATE};
use crate::manifest::SeriesId;

/// The folder of the reports of runs, below the root.
pub(super) const RUNS: &str = ".sunhaul/runs";

/// An archive as it stands on disk, or none: a root that is not there has no records.
#[derive(Debug)]
pub struct Reader {
    root: PathBuf,
    tree: Option<Tree>,
}

impl Reader {
    /// Opens the archive at `root`.
    ///
    /// # Errors
    /// [`Error::Storage`] when the root cannot be entered, or its `.sunhaul` is a symlink or no folder.
    pub fn open(root: &Path) -> Result<Reader, Error> {
        let tree = match Tree::open(root) {
            Ok(tree) => Some(tree),
            Err(Error::Storage { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let reader = Reader { root: root.to_owned(), tree };
        reader.has_state()?;
        Ok(reader)
    }

    /// What is below the root, where that is there.
    pub(super) fn tree(&self) -> Option<&Tree> {
        self.tree.as_ref()
    }

    /// True when an archive is there.
    ///
    /// # Errors
    /// [`Error::Storage`] when its `.sunhaul` is a symlink or no folder.
    pub fn has_state(&self) -> Result<bool, Error> {
        self.tree.as_ref().map_or(Ok(false), |tree| Ok(tree.look(STATE)?.is_some()))
    }

    /// Reads the header of a day's record: enough to plan by. `None` when there is no record.
    ///
    /// # Errors
    /// [`Error::Record`] when it is cut, corrupt, another day's or of a newer version, [`Error::Storage`] when it cannot
    /// be read.
    pub fn header(&self, series: &SeriesId, date: NaiveDate) -> Result<Option<DayHeader>, Error> {
        let Some(tree) = &self.tree else { return Ok(None) };
        record::read_header(tree, &record_of(series, date), series, date)
    }

    /// The series that have a folder of records, whichever job made them.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn series(&self) -> Result<BTreeSet<SeriesId>, Error> {
        let Some(tree) = &self.tree else { return Ok(BTreeSet::new()) };
        let entries = tree.entries(&format!("{STATE}/days"))?;
        let folders = entries.iter().filter(|entry| entry.is_dir()).filter_map(|entry| entry.text());
        Ok(folders.map(|name| SeriesId(name.to_owned())).collect())
    }

    /// The days of a series that have a record, or something else under its name.
    ///
    /// # Errors
    /// [`Error::Storage`] when the folder of its records cannot be looked into.
    pub fn recorded(&self, series: &SeriesId) -> Result<BTreeSet<NaiveDate>, Error> {
        let Some(tree) = &self.tree else { return Ok(BTreeSet::new()) };
        let entries = tree.entries(&format!("{STATE}/days/{series}"))?;
        Ok(entries.iter().filter_map(|entry| entry.text()?.strip_suffix(".jsonl")?.parse().ok()).collect())
    }

    /// Reads and checks a day's whole record. `None` when there is no record.
    ///
    /// # Errors
    /// As [`Reader::header`]; besides, lines that do not fit the header.
    pub fn record(&self, series: &SeriesId, date: NaiveDate) -> Result<Option<DayRecord>, Error> {
        let Some(tree) = &self.tree else { return Ok(None) };
        DayRecord::read(tree, &record_of(series, date), series, date)
    }

    /// As [`Reader::record`], of a folder that holds records alone, as an archive's `.sunhaul/days` does.
    ///
    /// # Errors
    /// As [`Reader::record`].
    pub fn loose_record(&self, series: &SeriesId, date: NaiveDate) -> Result<Option<DayRecord>, Error> {
        let Some(tree) = &self.tree else { return Ok(None) };
        DayRecord::read(tree, &format!("{series}/{date}.jsonl"), series, date)
    }

    /// A day's record as it lies on disk: checked, and its bytes.
    ///
    /// # Errors
    /// As [`Reader::record`]; [`Error::Storage`] when it is not there.
    pub fn record_with_bytes(&self, series: &SeriesId, date: NaiveDate) -> Result<(DayRecord, Vec<u8>), Error> {
        let relative = record_of(series, date);
        let read =
            self.tree.as_ref().map_or(Ok(None), |tree| DayRecord::read_with_bytes(tree, &relative, series, date))?;
        read.ok_or_else(|| Error::storage("read", self.root.join(relative), std::io::ErrorKind::NotFound.into()))
    }

    /// What is there of a day that was started and not sealed, by its journal alone. `None` when it was not started.
    ///
    /// # Errors
    /// [`Error::Storage`] when the journal cannot be read.
    pub fn started(&self, series: &SeriesId, date: NaiveDate) -> Result<Option<Started>, Error> {
        let Some(tree) = &self.tree else { return Ok(None) };
        journal::started(tree, series, date)
    }

    /// What the journal of such a day says of it.
    ///
    /// # Errors
    /// As [`Reader::started`].
    pub fn started_day(&self, series: &SeriesId, date: NaiveDate) -> Result<Option<journal::StartedDay>, Error> {
        let Some(tree) = &self.tree else { return Ok(None) };
        journal::read_started(tree, series, date)
    }

    /// The files themselves that [`Reader::started`] counts.
    ///
    /// # Errors
    /// As [`Reader::started`].
    pub fn started_files(&self, series: &SeriesId, date: NaiveDate) -> Result<Option<Vec<FileLine>>, Error> {
        let Some(tree) = &self.tree else { return Ok(None) };
        journal::started_files(tree, series, date)
    }

    /// The paths of a record's files that are not there with their length: what `run --check` asks.
    #[must_use]
    pub fn missing(&self, record: &DayRecord) -> Vec<String> {
        let is_there = |file: &&FileLine| self.tree.as_ref().and_then(|tree| tree.length(&file.path)) == file.bytes;
        let files = record.files.iter().filter(|f| f.sha256.is_some());
        files.filter(|f| !is_there(f)).map(|f| f.path.clone()).collect()
    }

    /// How many files of these days were proved by `checksum`, `structure`, `magic` and `size`, by their records' lines. A
    /// record that cannot be read counts nothing.
    #[must_use]
    pub fn checked(&self, series: &SeriesId, days: &[NaiveDate]) -> BTreeMap<String, u64> {
        super::check_counts::count(days, |day| {
            let tree = self.tree.as_ref()?;
            tree.read(&record_of(series, day)).ok()?
        })
    }

    /// The days that have a journal, wherever it comes from: those that are worked on, and those that a kill left.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn journalled(&self) -> Result<BTreeSet<(SeriesId, NaiveDate)>, Error> {
        self.tree.as_ref().map_or(Ok(BTreeSet::new()), super::work_folders::journalled)
    }

    /// The names in a folder of the state, sorted; none where there is no such folder.
    pub(super) fn names_in(&self, relative: &str) -> Result<Vec<String>, Error> {
        let Some(tree) = &self.tree else { return Ok(Vec::new()) };
        let entries = tree.entries(relative)?;
        let mut names: Vec<String> = entries.iter().filter_map(|entry| entry.text()).map(str::to_owned).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// The bytes of a file of the state.
    pub(super) fn read_state(&self, relative: &str) -> Result<Option<Vec<u8>>, Error> {
        self.tree.as_ref().map_or(Ok(None), |tree| tree.read(relative))
    }

    /// The names of the files of reports, the newest first: a run's id begins with its time, so that names sort by it. None
    /// where there is no folder of reports.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn reports(&self) -> Result<Vec<String>, Error> {
        let Some(tree) = &self.tree else { return Ok(Vec::new()) };
        let entries = tree.entries(RUNS)?;
        let names = entries
            .iter()
            .filter_map(|entry| entry.text())
            .filter(|name| Path::new(name).extension() == Some("json".as_ref()));
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort_unstable_by(|a, b| b.cmp(a));
        Ok(names)
    }

    /// The bytes of a report by its name.
    ///
    /// # Errors
    /// [`Error::Storage`] when it is not there, is no regular file, or cannot be read.
    pub fn report(&self, name: &str) -> Result<Vec<u8>, Error> {
        let bytes = self.tree.as_ref().map_or(Ok(None), |tree| tree.read(&format!("{RUNS}/{name}")))?;
        bytes
            .ok_or_else(|| Error::storage("read", self.root.join(RUNS).join(name), std::io::ErrorKind::NotFound.into()))
    }
}

/// Where the record of a day is, below the root.
pub(super) fn record_of(series: &SeriesId, date: NaiveDate) -> String {
    format!("{STATE}/days/{series}/{date}.jsonl")
}
