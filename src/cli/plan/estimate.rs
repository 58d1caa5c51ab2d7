//! Requests, bytes and time of the next run, estimated from the lock and the records, without a request.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::NaiveDate;
use serde::Serialize;
use url::Url;

use super::consequences::DaysFromRecords;
use super::hosts::{HostLoad, HostLoads};
use crate::archive::Reader;
use crate::cli::Result;
use crate::day::Window;
use crate::lock::Lock;
use crate::manifest::{Manifest, SeriesId};
use crate::plan::{DayStanding, Plan, PlannedSeries, ToDoReason};
use crate::report::human;

/// Files and bytes of the days to do, estimated without their sources.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct ExpectedWork {
    /// Days whose source will be asked.
    days: u64,
    /// Their files that are not here: as many as the lock has of each, else as its days of the series have on average. Null where
    /// it has none of a series.
    files: Option<u64>,
    /// The bytes of these.
    bytes: Option<u64>,
}

/// The same, and what it asks of each host.
#[derive(Debug, Serialize)]
pub(super) struct Estimate {
    #[serde(flatten)]
    expected: ExpectedWork,
    /// Listings, and the files that are expected.
    hosts: Vec<HostLoad>,
}

/// Estimates a plan's days, but for those that a run does from their records; `None` where nobody will be asked.
///
/// # Errors
/// When the archive cannot be read.
pub(super) fn estimate(
    job: &Manifest,
    plan: &Plan,
    from_records: &DaysFromRecords,
    lock: Option<&Lock>,
) -> Result<Option<Estimate>> {
    let reader = Reader::open(&job.archive.root)?;
    let mut loads = HostLoads::new(&job.limits);
    let mut sum = ExpectedWork { days: 0, files: Some(0), bytes: Some(0) };
    for planned in &plan.series {
        let source = &job.series[planned.series].source;
        let expected = expected(planned, &LockedDays::of(lock, &planned.id), from_records, &reader)?;
        let listings = if source.is_guessed() { 0 } else { expected.days };
        let base = source.reach().map_or_else(embedded, |reach| reach.first().clone());
        if expected.days > 0 {
            loads.add(source, &base, &base, listings + expected.files.unwrap_or_default(), expected.bytes);
        }
        sum = sum.and(&expected);
    }
    Ok((sum.days > 0).then(|| Estimate { expected: sum, hosts: loads.finish() }))
}

fn expected(
    planned: &PlannedSeries,
    locked: &LockedDays,
    from_records: &DaysFromRecords,
    reader: &Reader,
) -> Result<ExpectedWork> {
    let mut sum = ExpectedWork { days: 0, files: Some(0), bytes: Some(0) };
    for days in &planned.days {
        match &days.standing {
            // There may be millions of them.
            DayStanding::ToDo(ToDoReason::New) => sum = sum.and(&locked.expected(days.window)),
            // The lock has what was requested before.
            DayStanding::ToDo(ToDoReason::Stale(_)) => {
                let dates = days.window.days().filter(|day| !from_records.has(planned.series, day.date));
                sum = sum.and(&ExpectedWork::unknown(dates.count() as u64));
            }
            DayStanding::ToDo(_) => {
                for day in days.window.days().filter(|day| !from_records.has(planned.series, day.date)) {
                    let have = match reader.header(&planned.id, day.date).ok().flatten() {
                        Some(header) => Some((header.files, header.bytes)),
                        None => reader.started(&planned.id, day.date)?.map(|started| (started.files, started.bytes)),
                    };
                    let (files, bytes) = have.unwrap_or_default();
                    sum = sum.and(&locked.expected(day.window).without(files, bytes));
                }
            }
            DayStanding::Done(_) | DayStanding::Refused { .. } => {}
        }
    }
    Ok(sum)
}

impl ExpectedWork {
    /// Days of whose files nothing is known; with none of them, nothing is left to know.
    fn unknown(days: u64) -> ExpectedWork {
        let none = (days == 0).then_some(0);
        ExpectedWork { days, files: none, bytes: none }
    }

    fn and(&self, other: &ExpectedWork) -> ExpectedWork {
        let sum = |one: Option<u64>, other: Option<u64>| Some(one?.saturating_add(other?));
        ExpectedWork {
            days: self.days + other.days,
            files: sum(self.files, other.files),
            bytes: sum(self.bytes, other.bytes),
        }
    }

    fn without(&self, files: u64, bytes: u64) -> ExpectedWork {
        ExpectedWork {
            files: self.files.map(|all| all.saturating_sub(files)),
            bytes: self.bytes.map(|all| all.saturating_sub(bytes)),
            ..*self
        }
    }
}

/// Files and bytes of each day that the lock has of a series.
struct LockedDays {
    by_date: BTreeMap<NaiveDate, (u64, u64)>,
}

impl LockedDays {
    fn of(lock: Option<&Lock>, series: &SeriesId) -> LockedDays {
        let rows = lock.into_iter().flat_map(Lock::days).filter(|row| row.series == series.0);
        LockedDays { by_date: rows.map(|row| (row.date, (row.files, row.bytes))).collect() }
    }

    /// What the days of a window have: those of the lock what they have there, the others its mean.
    fn expected(&self, window: Window) -> ExpectedWork {
        let days = window.day_count();
        let Some(last) = window.last_date() else { return ExpectedWork { days, files: Some(0), bytes: Some(0) } };
        let told = self.by_date.range(window.start.date()..=last).map(|(_, day)| *day);
        let told: Vec<(u64, u64)> = told.collect();
        let others = days.saturating_sub(told.len() as u64);
        let sum = |of: fn(&(u64, u64)) -> u64| {
            let all = self.by_date.values().map(of).sum::<u64>();
            let count = self.by_date.len() as u64;
            let mean_of_others = |count: u64| u128::from(all) * u128::from(others) / u128::from(count);
            let rest = if others == 0 { Some(0) } else { (count > 0).then(|| mean_of_others(count)) };
            rest.map(|rest| told.iter().map(of).sum::<u64>().saturating_add(u64::try_from(rest).unwrap_or(u64::MAX)))
        };
        ExpectedWork { days, files: sum(|day| day.0), bytes: sum(|day| day.1) }
    }
}

/// Where the built-in service is, as far as limits and names of hosts go.
fn embedded() -> Url {
    Url::parse("http://127.0.0.1/").unwrap_or_else(|_| unreachable!("a constant address"))
}

impl Estimate {
    /// As lines for people.
    pub(super) fn render(&self) -> String {
        let ExpectedWork { days, files, bytes } = self.expected;
        let take = if days == 1 { "takes" } else { "take" };
        let days = human::count(days, "day");
        let mut out = match (files, bytes) {
            (Some(files), Some(bytes)) => format!(
                "\nby the lock, {days} {take} about {} ({}); --list asks the sources\n",
                human::count(files, "file"),
                human::bytes(bytes)
            ),
            _ => format!("\nthe lock does not say what the {days} to do have; --list asks the sources\n"),
        };
        let rest = if files.is_none() { ", and the files" } else { "" };
        for host in &self.hosts {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{}{rest}", host.line());
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_what_the_lock_says_and_the_others_its_mean() {
        let date = |day: u32| NaiveDate::from_ymd_opt(2015, 12, day).unwrap();
        let window = |from: u32, to: u32| {
            let [start, end] = [from, to].map(|day| date(day).and_time(chrono::NaiveTime::MIN));
            Window { start, end }
        };
        let locked = LockedDays { by_date: [(date(11), (10, 1000)), (date(12), (20, 3000))].into() };
        let none = LockedDays { by_date: BTreeMap::new() };
        for (locked, window, files, bytes) in [
            (&locked, window(11, 12), Some(10), Some(1000)),
            (&locked, window(12, 15), Some(20 + 2 * 15), Some(3000 + 2 * 2000)),
            (&locked, window(1, 3), Some(30), Some(4000)),
            (&none, window(1, 3), None, None),
        ] {
            let days = window.day_count();
            assert_eq!(locked.expected(window), ExpectedWork { days, files, bytes }, "{window:?}");
        }
        let half = locked.expected(window(11, 13)).without(12, 1000);
        assert_eq!((half.files, half.bytes), (Some(18), Some(3000)));
    }
}
