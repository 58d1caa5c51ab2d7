//! What a plan is made from: what the day records of an archive say, behind a trait, so that a plan stays a pure function.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use crate::day::Window;
use crate::digest::{Digest, PrefixedDigest};
use crate::manifest::{Query, SeriesId};

/// What a day record says of its day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaySummary {
    /// What the day was asked for.
    pub spec: Digest,
    /// The labels that it was asked for.
    pub window: Window,
    /// Whether it is final.
    pub state: Finality,
    /// The job that wrote it.
    pub job: String,
    /// Files, without the absent ones.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that upstream does not have.
    pub absent: u64,
    /// `sha256:` and the digest of its files.
    pub digest: PrefixedDigest,
    /// Files that are not there, of a day that an earlier run began to repair and did not finish.
    pub missing: u64,
}

/// How final a day record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finality {
    /// Final.
    Sealed,
    /// Whole, but too young to be final.
    Provisional,
}

/// What is found where a day record would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DayStatus {
    /// Nothing.
    Missing,
    /// Nothing yet, but the day was started.
    Started {
        /// How many files are there.
        files: u64,
    },
    /// A record.
    Known(DaySummary),
    /// Something that is no record, and why; safe to show.
    Unreadable(String),
}

/// The day records of an archive.
pub trait DayRecords {
    /// Why they cannot be read.
    type Error;

    /// The days of a series of which there may be something; of every other day there is nothing. Called once for each
    /// series of a plan.
    ///
    /// # Errors
    /// When that cannot be found out.
    fn noted(&self, series: &SeriesId) -> Result<BTreeSet<NaiveDate>, Self::Error>;

    /// What is known of one day. Called once for each noted day of a plan, so it must be cheap.
    ///
    /// # Errors
    /// When the plan is to be given up. A record that cannot be read is no error.
    fn known(&self, series: &SeriesId, date: NaiveDate) -> Result<DayStatus, Self::Error>;

    /// What a series was asked for before, as far as that was noted. Called once for each series of a plan.
    ///
    /// # Errors
    /// When that cannot be found out.
    fn queries(&self, _series: &SeriesId) -> Result<Vec<Query>, Self::Error> {
        Ok(Vec::new())
    }
}
