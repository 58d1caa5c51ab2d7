//! How a day of a plan stands: to do and why, done, or of another job.

use std::fmt;

use super::Change;
use crate::day::{Day, Scale, Window};
use crate::digest::Digest;
use crate::manifest::SeriesId;
use crate::untrusted::escape;

/// Why a day is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToDoReason {
    /// It has no record.
    New,
    /// It has no record, but was started.
    Started {
        /// How many files are there.
        files: u64,
    },
    /// It has a record, and an earlier run that was to fetch missing files of it again did not get all of them.
    Incomplete {
        /// How many files are missing.
        missing: u64,
    },
    /// Its record is not final.
    Provisional,
    /// Its record answers another query of this job.
    Stale(Change),
    /// Its record cannot be read; why.
    Damaged(String),
    /// Its files are not those of the lock.
    Differs,
}

impl ToDoReason {
    /// The word in `--json` and tables.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match self {
            ToDoReason::New => "new",
            ToDoReason::Started { .. } | ToDoReason::Incomplete { .. } => "started",
            ToDoReason::Provisional => "provisional",
            ToDoReason::Stale(_) => "stale",
            ToDoReason::Damaged(_) => "damaged",
            ToDoReason::Differs => "differs",
        }
    }
}

impl fmt::Display for ToDoReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ToDoReason::New => f.write_str("not fetched yet"),
            ToDoReason::Started { files: 0 } => f.write_str("not finished, no file is complete yet"),
            ToDoReason::Started { files: 1 } => f.write_str("not finished, 1 file is there"),
            ToDoReason::Started { files } => write!(f, "not finished, {files} files are there"),
            ToDoReason::Incomplete { missing: 1 } => f.write_str("not finished, 1 file of its record is missing"),
            ToDoReason::Incomplete { missing } => write!(f, "not finished, {missing} files of its record are missing"),
            ToDoReason::Provisional => f.write_str("was too young to be final when it was listed"),
            ToDoReason::Stale(change) => change.fmt(f),
            ToDoReason::Damaged(why) => write!(f, "its record cannot be read: {why}"),
            ToDoReason::Differs => f.write_str("its files are not those of the lock"),
        }
    }
}

/// How a day stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DayStanding {
    /// It is to be done, and why.
    ToDo(ToDoReason),
    /// Its record answers it.
    Done(Done),
    /// This job may not do it: it belongs to another job, which asks for something else.
    Refused {
        /// The other job.
        job: String,
    },
}

/// What is known of a day that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The job that sealed it; another one may share it.
    pub job: String,
    /// The lock says that it was done, and the archive has no record of it.
    pub elsewhere: bool,
    /// Its record has absent files, or no file at all.
    pub lacks_files: bool,
}

/// Days in a row of one series that stand alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EqualDays {
    /// Their windows together.
    pub window: Window,
    /// How each of them stands.
    pub standing: DayStanding,
    /// What they were asked for, where the range has left them behind and the manifest asks for something else now.
    pub spec: Option<Digest>,
}

/// A day of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedDay<'p> {
    /// Which series, as an index into [`Manifest::series`](crate::manifest::Manifest::series).
    pub series: usize,
    /// The series' id.
    pub id: &'p SeriesId,
    /// The scale of its labels.
    pub scale: Scale,
    /// The day and its window.
    pub day: Day,
    /// How it stands.
    pub standing: &'p DayStanding,
    /// What it was asked for, where the range has left it behind and the manifest asks for something else now.
    pub spec: Option<Digest>,
}

impl PlannedDay<'_> {
    /// The word in `--json` and tables.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match self.standing {
            DayStanding::ToDo(reason) => reason.state(),
            DayStanding::Done(_) => "done",
            DayStanding::Refused { .. } => "refused",
        }
    }
}

/// Why a day stands as it does.
impl fmt::Display for PlannedDay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.standing {
            DayStanding::ToDo(reason) => reason.fmt(f),
            DayStanding::Done(Done { job, .. }) => write!(f, "sealed by the job `{}`", escape(job)),
            DayStanding::Refused { job } => write!(
                f,
                "{} {} belongs to the job `{}`, which requests something else; give the series an id of its own \
                 (`as: ...`) or the job another `archive.root`",
                self.id,
                self.day.date,
                escape(job)
            ),
        }
    }
}
