//! Proof and catalogue that need no sunhaul: what the day records say, in forms that other programs read.
//!
//! Days are read one by one, so that memory follows the day and not the archive. What it does not do: ask a source,
//! hash data, or decide where an output goes; `cli` names the stream or the empty folder that is filled here.

mod address;
pub mod bagit;
pub mod csv;
pub mod keyword_table;
pub mod ro_crate;
pub mod sha256sums;
mod tables;

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use crate::archive::{self, DayRecord, FileLine, Reader, keeps_days_apart};
use crate::day::Day;
use crate::manifest::{Manifest, Series};
use crate::plan::{DayStanding, Plan, ToDoReason};
use crate::untrusted::escape;

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A record that is damaged, or storage that fails.
    #[error(transparent)]
    Archive(#[from] archive::Error),
    /// A file that is not as its record says.
    #[error("`{path}` {why}")]
    Differs {
        /// The path below the archive's root.
        path: String,
        /// What is wrong with it; safe to show.
        why: String,
    },
    /// The filesystem makes no hard link there.
    #[error("could not link `{path}` into the bag: {source}")]
    NoLink {
        /// The path below the archive's root.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// A file that is not in the archive, of a source that no address leads to later.
    #[error("`{path}` is not in the archive, and its source has no address that lasts")]
    NoAddress {
        /// The path below the archive's root.
        path: String,
    },
    /// A record's URL that does not lead to its source.
    #[error("the record of {series} {date} names a URL that is not one of its source: `{url}`")]
    Astray {
        /// The series' id; safe to show.
        series: String,
        /// The date.
        date: NaiveDate,
        /// The URL; safe to show.
        url: String,
    },
    /// More tables than anybody wants.
    #[error("`{keyword}` has more than {most} values: one table each would be too many")]
    TooManyTables {
        /// The keyword.
        keyword: String,
        /// The most tables.
        most: usize,
    },
    /// No day has a table of keywords.
    #[error("no day has a table of keywords")]
    NoKeywords,
    /// A manifest that was changed meanwhile.
    #[error("`{}` was changed while it was exported", escape(&path.to_string_lossy()))]
    Changed {
        /// The manifest.
        path: PathBuf,
    },
}

impl Error {
    fn storage(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Error {
        Error::Archive(archive::Error::storage(action, path, source))
    }
}

/// The days of a job that have a record which answers it, sealed or provisional, in the order of the manifest.
#[derive(Debug)]
pub struct Dataset<'a> {
    /// The job.
    pub job: &'a Manifest,
    plan: &'a Plan,
    /// Whether two days may name one path.
    shares_paths: bool,
}

/// One day to export.
#[derive(Debug, Clone, Copy)]
pub struct ChosenDay<'a> {
    /// Its series.
    pub series: &'a Series,
    /// The day.
    pub day: Day,
}

/// A day's record as it was read.
#[derive(Debug)]
pub struct Read<'a> {
    /// The series that it is of.
    pub series: &'a Series,
    /// The record, checked.
    pub record: DayRecord,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl<'a> Dataset<'a> {
    /// The days of a plan that have a record.
    #[must_use]
    pub fn of(job: &'a Manifest, plan: &'a Plan) -> Dataset<'a> {
        let shares_paths = !job.series.iter().all(|series| keeps_days_apart(&series.layout));
        Dataset { job, plan, shares_paths }
    }

    /// The days, by series in the manifest's order and by date.
    pub fn days(&self) -> impl Iterator<Item = ChosenDay<'a>> {
        let job = self.job;
        let recorded = self.plan.days_that(|standing| {
            matches!(standing, DayStanding::Done(_) | DayStanding::ToDo(ToDoReason::Provisional))
        });
        recorded.filter_map(|day| Some(ChosenDay { series: job.series.get(day.series)?, day: day.day }))
    }

    /// The number of days.
    #[must_use]
    pub fn day_count(&self) -> u64 {
        let counts = self.plan.counts();
        counts.done + counts.provisional
    }

    /// The archive's root.
    #[must_use]
    pub fn root(&self) -> &'a Path {
        &self.job.archive.root
    }

    /// Reads the days one by one.
    pub fn read(&self) -> impl Iterator<Item = Result<Read<'a>, Error>> {
        let root = self.root();
        self.days().map(move |ChosenDay { series, day }| {
            let (record, bytes) = Reader::open(root)?.record_with_bytes(&series.id, day.date)?;
            Ok(Read { series, record, bytes })
        })
    }

    /// Tells paths that were not told before: with some layouts, days share files.
    #[must_use]
    pub fn once(&self) -> Once {
        Once(self.shares_paths.then(HashSet::new))
    }
}

/// Paths that were told already; where no two days share any, none is kept.
#[derive(Debug)]
pub struct Once(Option<HashSet<String>>);

impl Once {
    /// True when the path was not told before.
    fn is_new(&mut self, path: &str) -> bool {
        self.0.as_mut().is_none_or(|told| told.insert(path.to_owned()))
    }
}

/// The files of a record that are not absent.
fn present(record: &DayRecord) -> impl Iterator<Item = (&FileLine, Present)> {
    record.files.iter().filter_map(|file| Some((file, Present { sha256: file.sha256?, bytes: file.bytes? })))
}

/// What a record says of a file that upstream has.
#[derive(Debug, Clone, Copy)]
struct Present {
    sha256: crate::digest::Digest,
    bytes: u64,
}
