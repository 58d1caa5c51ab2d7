//! Days of one series folded into months and gaps.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Serialize;

use super::thin::{ThinDay, thin_days};
use crate::archive::{DayHeader, Error, State};
use crate::cli::Result;
use crate::day::Day;
use crate::digest::Digest;
use crate::failure::Class;

/// What is known of one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fact {
    pub(super) date: NaiveDate,
    pub(super) state: DayFact,
    /// Files in the record, without the absent; none without a record.
    pub(super) files: u64,
    pub(super) bytes: u64,
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
    /// There is a record, but of another question.
    Stale,
    /// There is no record.
    Missing,
    /// There is a record that cannot be used, and why.
    Unreadable(String),
}

/// One series.
#[derive(Debug, Serialize)]
pub(super) struct SeriesStatus {
    pub(super) series: String,
    pub(super) months: Vec<Month>,
    /// Runs of days without a usable record.
    pub(super) gaps: Vec<Gap>,
    pub(super) thin: Vec<ThinDay>,
    /// Records that cannot be used, and why.
    pub(super) unreadable: Vec<String>,
}

/// One month of one series, as far as it lies in the job's range.
#[derive(Debug, Default, Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are those of the JSON")]
pub(super) struct Month {
    pub(super) month: String,
    pub(super) days: u64,
    pub(super) sealed: u64,
    pub(super) provisional: u64,
    pub(super) stale: u64,
    pub(super) missing: u64,
    pub(super) files: u64,
    pub(super) bytes: u64,
}

/// Days in a row without a record, half-open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Gap {
    pub(super) start: NaiveDate,
    pub(super) end: NaiveDate,
    pub(super) days: u64,
}

/// What the header of a day's record says of the day.
///
/// # Errors
/// When the disk fails; a record that cannot be used is a fact.
pub(super) fn fact(day: &Day, spec: Digest, header: std::result::Result<Option<DayHeader>, Error>) -> Result<Fact> {
    let whole = *day == Day::whole(day.date);
    let (state, files, bytes) = match header {
        Ok(None) => (DayFact::Missing, 0, 0),
        Ok(Some(header)) => {
            let state = match header.state {
                _ if header.spec != spec => DayFact::Stale,
                State::Sealed => DayFact::Sealed,
                State::Provisional => DayFact::Provisional,
            };
            (state, header.files, header.bytes)
        }
        Err(error) if error.class() == Class::Record => (DayFact::Unreadable(error.to_string()), 0, 0),
        Err(error) => return Err(error.into()),
    };
    Ok(Fact { date: day.date, state, files, bytes, whole })
}

/// Folds the days of one series, which are in order.
pub(super) fn of_series(series: &str, facts: &[Fact]) -> SeriesStatus {
    let mut months: BTreeMap<String, Month> = BTreeMap::new();
    let mut gaps: Vec<Gap> = Vec::new();
    let mut unreadable = Vec::new();
    for fact in facts {
        let name = fact.date.format("%Y-%m").to_string();
        let month = months.entry(name.clone()).or_insert_with(|| Month { month: name, ..Month::default() });
        month.days += 1;
        month.files += fact.files;
        month.bytes += fact.bytes;
        match &fact.state {
            DayFact::Sealed => month.sealed += 1,
            DayFact::Provisional => month.provisional += 1,
            DayFact::Stale => month.stale += 1,
            DayFact::Missing | DayFact::Unreadable(_) => {
                month.missing += 1;
                let end = fact.date.succ_opt().unwrap_or(fact.date);
                match gaps.last_mut() {
                    Some(gap) if gap.end == fact.date => {
                        gap.end = end;
                        gap.days += 1;
                    }
                    _ => gaps.push(Gap { start: fact.date, end, days: 1 }),
                }
            }
        }
        if let DayFact::Unreadable(why) = &fact.state {
            unreadable.push(why.clone());
        }
    }
    let thin = thin_days(facts);
    SeriesStatus { series: series.to_owned(), months: months.into_values().collect(), gaps, thin, unreadable }
}

/// A header for tests.
#[cfg(test)]
pub(super) fn header(date: &str, state: State, spec: Digest, files: u64) -> DayHeader {
    DayHeader {
        format: "day/1".into(),
        job: "december".into(),
        series: "sharp_720s".into(),
        date: date.parse().unwrap(),
        scale: crate::day::Scale::Utc,
        window: [String::new(), String::new()],
        spec,
        state,
        files,
        bytes: files * 576_000,
        absent: 0,
        digest: String::new(),
        body: 0,
        check: spec,
    }
}
