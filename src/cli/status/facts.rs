//! What is known of one day of a series.

use std::collections::BTreeMap;

use chrono::NaiveDate;

/// What is known of one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fact {
    pub(super) date: NaiveDate,
    pub(super) state: DayFact,
    /// Files that the day's record or journal names, without the absent; none of another job's.
    pub(super) files: u64,
    pub(super) bytes: u64,
    /// Files that upstream does not have, by the day's record.
    pub(super) absent: u64,
    /// Records by their series, where the job prefers one of several.
    pub(super) records: BTreeMap<String, u64>,
    /// The length of the record's lines.
    pub(super) body: u64,
    /// The job asks for the whole day.
    pub(super) whole: bool,
}

/// How a day stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DayFact {
    /// Final.
    Sealed,
    /// Whole when it was listed, too young to be final.
    Provisional,
    /// There is a record of this job, but of another question.
    Stale,
    /// There is a record of another job, which asks another question.
    Refused(String),
    /// There is no record yet, but the day was started.
    Started,
    /// There is no record.
    Missing,
    /// There is a record that cannot be used, and why.
    Unreadable(String),
}

impl DayFact {
    /// The word in `--json`.
    pub(super) fn name(&self) -> &'static str {
        match self {
            DayFact::Sealed => "sealed",
            DayFact::Provisional => "provisional",
            DayFact::Stale => "stale",
            DayFact::Refused(_) => "refused",
            DayFact::Started => "started",
            DayFact::Missing => "missing",
            DayFact::Unreadable(_) => "unreadable",
        }
    }
}
