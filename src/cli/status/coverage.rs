//! Days of one series folded into months and gaps.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Serialize;

use super::thin::{ThinDay, thin_days};
use crate::archive::{DayHeader, Error, Started, State};
use crate::cli::Result;
use crate::day::Day;
use crate::digest::Digest;
use crate::failure::Class;

/// What is known of one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fact {
    pub(super) date: NaiveDate,
    pub(super) state: DayFact,
    /// Files that the day's record or journal names, without the absent; none of another job's.
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

/// One series.
#[derive(Debug, Serialize)]
pub(super) struct SeriesStatus {
    pub(super) series: String,
    pub(super) months: Vec<Month>,
    /// Days in a row without a usable record, which were not started either.
    pub(super) gaps: Vec<Gap>,
    /// Days that were started and are not finished.
    pub(super) started: Vec<StartedDay>,
    /// Days in a row that belong to another job, which asks for something else.
    pub(super) refused: Vec<Refused>,
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
    pub(super) started: u64,
    pub(super) refused: u64,
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

impl Gap {
    fn of(date: NaiveDate) -> Gap {
        Gap { start: date, end: date.succ_opt().unwrap_or(date), days: 1 }
    }

    fn grow(&mut self) {
        self.end = self.end.succ_opt().unwrap_or(self.end);
        self.days += 1;
    }
}

/// A day that was started and is not finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct StartedDay {
    pub(super) date: NaiveDate,
    /// What is there of it.
    pub(super) files: u64,
    pub(super) bytes: u64,
}

/// Days in a row of another job, half-open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Refused {
    #[serde(flatten)]
    pub(super) days: Gap,
    pub(super) job: String,
}

/// What the header of a day's record says of the day to `job`, or its journal where there is no record.
///
/// # Errors
/// When the disk fails; a record that cannot be used is a fact.
pub(super) fn fact(
    (job, day, spec): (&str, &Day, Digest),
    header: std::result::Result<Option<DayHeader>, Error>,
    started: impl FnOnce() -> std::result::Result<Option<Started>, Error>,
) -> Result<Fact> {
    let whole = *day == Day::whole(day.date);
    let (state, files, bytes) = match header {
        Ok(None) => match started()? {
            None => (DayFact::Missing, 0, 0),
            Some(Started { files, bytes }) => (DayFact::Started, files, bytes),
        },
        Ok(Some(header)) if header.spec != spec && header.job != job => (DayFact::Refused(header.job), 0, 0),
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
    let (mut started, mut refused): (Vec<StartedDay>, Vec<Refused>) = Default::default();
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
            DayFact::Started => {
                month.started += 1;
                started.push(StartedDay { date: fact.date, files: fact.files, bytes: fact.bytes });
            }
            DayFact::Refused(job) => {
                month.refused += 1;
                match refused.last_mut() {
                    Some(last) if last.days.end == fact.date && last.job == *job => last.days.grow(),
                    _ => refused.push(Refused { days: Gap::of(fact.date), job: job.clone() }),
                }
            }
            DayFact::Missing | DayFact::Unreadable(_) => {
                month.missing += 1;
                match gaps.last_mut() {
                    Some(gap) if gap.end == fact.date => gap.grow(),
                    _ => gaps.push(Gap::of(fact.date)),
                }
            }
        }
        if let DayFact::Unreadable(why) = &fact.state {
            unreadable.push(why.clone());
        }
    }
    let thin = thin_days(facts);
    let months = months.into_values().collect();
    SeriesStatus { series: series.to_owned(), months, gaps, started, refused, thin, unreadable }
}

/// A header for tests.
#[cfg(test)]
pub(super) fn header(date: &str, job: &str, state: State, spec: Digest, files: u64) -> DayHeader {
    DayHeader {
        format: "day/1".into(),
        job: job.into(),
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
        check: None,
    }
}
