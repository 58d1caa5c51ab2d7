//! Days of one series folded into months and gaps.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

pub(super) use super::facts::{DayFact, Fact};
use super::failed::FailedDay;
use super::thin_days::{ThinDay, thin_days};
use crate::archive::{DayHeader, Error, RecordState, Started};
use crate::cli::Result;
use crate::day::{self, Window};
use crate::digest::Digest;
use crate::failure::Class;

/// One day, and how it looks among the others.
#[derive(Debug)]
pub(super) struct CoverageDay {
    pub(super) fact: Fact,
    pub(super) is_thin: bool,
    /// It has no record of the present question, and failed when it was tried last.
    pub(super) is_failed: bool,
}

/// The days of a series. What is known of some of them is kept; the others are missing, and take no room.
#[derive(Debug)]
pub(super) struct CoverageDays {
    /// The windows of all that are asked for together.
    pub(super) range: Window,
    /// What is known, by date, also of days outside of the range that stay from before.
    pub(super) facts: Vec<Fact>,
    pub(super) thin: BTreeSet<NaiveDate>,
    pub(super) failed: BTreeSet<NaiveDate>,
}

impl CoverageDays {
    /// Each day, by date: those of the range, and those outside of it that stay from before.
    pub(super) fn iter(&self) -> impl Iterator<Item = CoverageDay> {
        let start = self.facts.partition_point(|fact| fact.date < self.range.start.date());
        let is_after = |fact: &Fact| fact.date > self.range.start.date() && self.range.day(fact.date).window.is_empty();
        let end = start + self.facts[start..].iter().position(is_after).unwrap_or(self.facts.len() - start);
        let mut within = self.facts[start..end].iter().peekable();
        let days = self.range.days().map(move |day| {
            let fact = within.next_if(|fact| fact.date == day.date);
            fact.cloned().unwrap_or_else(|| Fact::missing(&day))
        });
        let facts = self.facts[..start].iter().cloned().chain(days).chain(self.facts[end..].iter().cloned());
        facts.map(|fact| CoverageDay {
            is_thin: self.thin.contains(&fact.date),
            is_failed: self.failed.contains(&fact.date),
            fact,
        })
    }
}

impl Serialize for CoverageDays {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl Fact {
    fn missing(day: &day::Day) -> Fact {
        let whole = *day == day::Day::whole(day.date);
        let state = DayFact::Missing;
        Fact { date: day.date, state, files: 0, bytes: 0, absent: 0, records: BTreeMap::new(), body: 0, whole }
    }
}

impl Serialize for CoverageDay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Fact { date, state, files, bytes, absent, .. } = &self.fact;
        let mut day = serializer.serialize_struct("Day", 6)?;
        day.serialize_field("date", date)?;
        day.serialize_field("state", if self.is_failed { "failed" } else { state.name() })?;
        day.serialize_field("files", files)?;
        day.serialize_field("bytes", bytes)?;
        day.serialize_field("absent", absent)?;
        day.serialize_field("thin", &self.is_thin)?;
        day.end()
    }
}

/// One series.
#[derive(Debug, Serialize)]
pub(super) struct SeriesStatus {
    pub(super) series: String,
    /// Files, without the absent.
    pub(super) files: u64,
    pub(super) bytes: u64,
    /// Files that upstream does not have.
    pub(super) absent: u64,
    /// Records by their series, where the job prefers one of several.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) records: BTreeMap<String, u64>,
    /// How many files were proved in which way; null where the records were not read.
    pub(super) checked: Option<BTreeMap<String, u64>>,
    pub(super) months: Vec<CoverageMonth>,
    /// Days in a row without a usable record, which were not started either.
    pub(super) gaps: Vec<MissingDays>,
    /// Days that were started and are not finished.
    pub(super) started: Vec<UnfinishedDay>,
    /// Days in a row that belong to another job, which asks for something else.
    pub(super) refused: Vec<RefusedDays>,
    pub(super) thin: Vec<ThinDay>,
    /// Days without a record of the present question that failed when they were tried last.
    pub(super) failed: Vec<FailedDay>,
    /// Records that cannot be used, and why.
    pub(super) unreadable: Vec<String>,
    /// Each day.
    pub(super) days: CoverageDays,
}

/// One month of one series, as far as it lies in the job's range.
#[derive(Debug, Default, Serialize)]
pub(super) struct CoverageMonth {
    pub(super) month: String,
    pub(super) days: u64,
    pub(super) sealed: u64,
    pub(super) provisional: u64,
    pub(super) stale: u64,
    pub(super) started: u64,
    pub(super) refused: u64,
    pub(super) missing: u64,
    /// Of the stale, started and missing ones, those that failed when they were tried last.
    pub(super) failed: u64,
    pub(super) files: u64,
    pub(super) bytes: u64,
    /// Files that upstream does not have.
    pub(super) absent: u64,
}

/// Days in a row without a record, half-open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct MissingDays {
    pub(super) start: NaiveDate,
    pub(super) end: NaiveDate,
    pub(super) days: u64,
}

impl MissingDays {
    fn of(date: NaiveDate) -> MissingDays {
        MissingDays { start: date, end: date.succ_opt().unwrap_or(date), days: 1 }
    }

    fn grow(&mut self) {
        self.end = self.end.succ_opt().unwrap_or(self.end);
        self.days += 1;
    }
}

/// A day that was started and is not finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct UnfinishedDay {
    pub(super) date: NaiveDate,
    /// What is there of it.
    pub(super) files: u64,
    pub(super) bytes: u64,
}

/// Days in a row of another job, half-open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct RefusedDays {
    #[serde(flatten)]
    pub(super) days: MissingDays,
    pub(super) job: String,
}

/// What the header of a day's record says of the day to `job`, or its journal where there is no record.
///
/// # Errors
/// When the disk fails; a record that cannot be used is a fact.
pub(super) fn fact(
    job: &str,
    day: &day::Day,
    spec: Digest,
    header: std::result::Result<Option<DayHeader>, Error>,
    started: impl FnOnce() -> std::result::Result<Option<Started>, Error>,
) -> Result<Fact> {
    let nothing = Fact::missing(day);
    Ok(match header {
        Ok(None) => match started() {
            Ok(None) => nothing,
            Ok(Some(Started { files, bytes, .. })) => Fact { state: DayFact::Started, files, bytes, ..nothing },
            Err(error) if error.class() == Class::Record => {
                Fact { state: DayFact::Unreadable(error.to_string()), ..nothing }
            }
            Err(error) => return Err(error.into()),
        },
        Ok(Some(header)) if header.spec != spec && header.job != job => {
            Fact { state: DayFact::Refused(header.job), ..nothing }
        }
        Ok(Some(header)) => {
            let state = match header.state {
                _ if header.spec != spec => DayFact::Stale,
                RecordState::Sealed => DayFact::Sealed,
                RecordState::Provisional => DayFact::Provisional,
            };
            let DayHeader { files, bytes, absent, records, body, .. } = header;
            Fact { state, files, bytes, absent, records: records.unwrap_or_default(), body, ..nothing }
        }
        Err(error) if error.class() == Class::Record => {
            Fact { state: DayFact::Unreadable(error.to_string()), ..nothing }
        }
        Err(error) => return Err(error.into()),
    })
}

/// What is known of a day outside of the range by the header of its record: the job asked for it before, and it stays.
pub(super) fn kept_fact(
    job: &str,
    range: &Window,
    header: std::result::Result<Option<DayHeader>, Error>,
) -> Option<Fact> {
    let header = header.ok().flatten()?;
    if header.job != job || !range.day(header.date).window.is_empty() {
        return None;
    }
    let day = day::Day { date: header.date, window: header.asked_window() };
    fact(job, &day, header.spec, Ok(Some(header)), || Ok(None)).ok()
}

/// Folds the days of one series. What is known of some is in order. `failed` are those that failed when they were tried
/// last.
pub(super) fn of_series(
    series: &str,
    range: Window,
    facts: Vec<Fact>,
    mut failed: BTreeMap<NaiveDate, FailedDay>,
) -> SeriesStatus {
    let thin = thin_days(&facts);
    let may_fail = |fact: &Fact| matches!(fact.state, DayFact::Missing | DayFact::Started | DayFact::Stale);
    let is_done: BTreeSet<NaiveDate> = facts.iter().filter(|fact| !may_fail(fact)).map(|fact| fact.date).collect();
    failed.retain(|date, _| !range.day(*date).window.is_empty() && !is_done.contains(date));
    let days = CoverageDays {
        range,
        facts,
        thin: thin.iter().map(|day| day.date).collect(),
        failed: failed.keys().copied().collect(),
    };
    let mut coverage = Coverage::default();
    for day in days.iter() {
        coverage.add(&day);
    }
    let Coverage { months, gaps, started, refused, unreadable } = coverage;
    let sum = |of: fn(&Fact) -> u64| days.facts.iter().map(of).fold(0, u64::saturating_add);
    let (files, bytes, absent) = (sum(|fact| fact.files), sum(|fact| fact.bytes), sum(|fact| fact.absent));
    let mut records = BTreeMap::new();
    for (name, count) in days.facts.iter().flat_map(|fact| &fact.records) {
        *records.entry(name.clone()).or_default() += count;
    }
    SeriesStatus {
        series: series.to_owned(),
        files,
        bytes,
        absent,
        records,
        checked: None,
        months,
        gaps,
        started,
        refused,
        thin,
        failed: failed.into_values().collect(),
        unreadable,
        days,
    }
}

/// Days folded into months and gaps.
#[derive(Debug, Default)]
struct Coverage {
    months: Vec<CoverageMonth>,
    gaps: Vec<MissingDays>,
    started: Vec<UnfinishedDay>,
    refused: Vec<RefusedDays>,
    unreadable: Vec<String>,
}

impl Coverage {
    /// Adds the next day.
    fn add(&mut self, CoverageDay { fact, is_failed, .. }: &CoverageDay) {
        self.month(fact.date).add(fact, *is_failed);
        match &fact.state {
            DayFact::Sealed | DayFact::Provisional | DayFact::Stale => {}
            DayFact::Started => {
                self.started.push(UnfinishedDay { date: fact.date, files: fact.files, bytes: fact.bytes });
            }
            DayFact::Refused(job) => match self.refused.last_mut() {
                Some(last) if last.days.end == fact.date && last.job == *job => last.days.grow(),
                _ => self.refused.push(RefusedDays { days: MissingDays::of(fact.date), job: job.clone() }),
            },
            DayFact::Missing | DayFact::Unreadable(_) => match self.gaps.last_mut() {
                Some(gap) if gap.end == fact.date => gap.grow(),
                _ => self.gaps.push(MissingDays::of(fact.date)),
            },
        }
        if let DayFact::Unreadable(why) = &fact.state {
            self.unreadable.push(why.clone());
        }
    }

    /// The month of a day, which is the last one or a new one.
    fn month(&mut self, date: NaiveDate) -> &mut CoverageMonth {
        let month = date.format("%Y-%m").to_string();
        if self.months.last().is_none_or(|last| last.month != month) {
            self.months.push(CoverageMonth { month, ..CoverageMonth::default() });
        }
        let last = self.months.len() - 1;
        &mut self.months[last]
    }
}

impl CoverageMonth {
    fn add(&mut self, fact: &Fact, is_failed: bool) {
        self.days += 1;
        self.files += fact.files;
        self.bytes += fact.bytes;
        self.absent += fact.absent;
        self.failed += u64::from(is_failed);
        *match fact.state {
            DayFact::Sealed => &mut self.sealed,
            DayFact::Provisional => &mut self.provisional,
            DayFact::Stale => &mut self.stale,
            DayFact::Started => &mut self.started,
            DayFact::Refused(_) => &mut self.refused,
            DayFact::Missing | DayFact::Unreadable(_) => &mut self.missing,
        } += 1;
    }
}

/// A header for tests.
#[cfg(test)]
pub(super) fn header(date: &str, job: &str, state: RecordState, spec: Digest, files: u64) -> DayHeader {
    DayHeader {
        format: "day/1".into(),
        job: job.into(),
        series: "sharp_720s".into(),
        date: date.parse().unwrap(),
        scale: day::Scale::Utc,
        window: [String::new(), String::new()],
        spec,
        state,
        files,
        bytes: files * 576_000,
        absent: 0,
        records: None,
        digest: crate::digest::PrefixedDigest(Digest::sha256(b"")),
        body: 0,
        left_out: None,
        check: None,
    }
}
