//! The days of a report as a calendar: a cell a day, a row a month, for each series.
//!
//! Each form of the report draws it.

use std::collections::BTreeMap;

use chrono::{Datelike as _, NaiveDate};

use super::model::{Report, Rest};
use crate::run::event::DayState;

/// How many days of stretches are taken in: a report from elsewhere may claim that there are millions.
const TAKEN: usize = 100_000;

/// How a day stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    /// Sealed by this run.
    Sealed,
    /// Sealed before it.
    Before,
    /// Whole, and too young to be final.
    Provisional,
    /// Sealed or provisional, and upstream has no file of it.
    Absent,
    /// Something is missing.
    Failed,
    /// Another process has it.
    Held,
    /// It was to be done, and has no end yet.
    Missing,
    /// Upstream is as the lock says.
    AsLocked,
    /// Upstream differs from the lock.
    Drifted,
}

impl Cell {
    /// Every way a day can stand, in the order of a legend.
    pub const ALL: [Cell; 9] = [
        Cell::Sealed,
        Cell::Before,
        Cell::Provisional,
        Cell::Absent,
        Cell::Failed,
        Cell::Held,
        Cell::Missing,
        Cell::AsLocked,
        Cell::Drifted,
    ];

    /// One character for it, that of `sunhaul status` where both know the state.
    #[must_use]
    pub fn sign(self) -> char {
        match self {
            Cell::Sealed => '=',
            Cell::Before => ':',
            Cell::Provisional => '~',
            Cell::Absent => 'o',
            Cell::Failed => 'x',
            Cell::Held => 'h',
            Cell::Missing => '.',
            Cell::AsLocked => 'l',
            Cell::Drifted => '!',
        }
    }

    /// What it means, in a word or a few.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Cell::Sealed => "sealed",
            Cell::Before => "sealed before",
            Cell::Provisional => "provisional",
            Cell::Absent => "absent: no file upstream",
            Cell::Failed => "failed",
            Cell::Held => "held by another process",
            Cell::Missing => "missing: not finished",
            Cell::AsLocked => "as locked",
            Cell::Drifted => "drifted from the lock",
        }
    }
}

/// The days of one series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarSeries {
    /// The series' id, as the report has it: not safe to show.
    pub id: String,
    /// How each day stands.
    pub days: BTreeMap<NaiveDate, Cell>,
}

/// The days of a report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReportCalendar {
    /// By series, sorted by id.
    pub series: Vec<CalendarSeries>,
    /// How many days are left out.
    pub omitted: u64,
}

impl ReportCalendar {
    /// The calendar of a report.
    #[must_use]
    pub fn from_report(report: &Report) -> ReportCalendar {
        let mut all: BTreeMap<&str, BTreeMap<NaiveDate, Cell>> = BTreeMap::new();
        let (mut taken, mut omitted) = (0, 0);
        for stretch in &report.other_days {
            let cell = match stretch.state {
                Rest::AlreadySealed => Cell::Before,
                Rest::Unfinished => Cell::Missing,
                Rest::AsLocked => Cell::AsLocked,
            };
            let length = usize::try_from((stretch.end - stretch.start).num_days()).unwrap_or_default();
            let fits = length.min(TAKEN - taken);
            taken += fits;
            omitted += (length - fits) as u64;
            let days = all.entry(&stretch.series).or_default();
            days.extend(stretch.start.iter_days().take(fits).map(|date| (date, cell)));
        }
        for day in &report.days {
            let cell = match day.state {
                DayState::Sealed | DayState::Provisional if day.files == 0 => Cell::Absent,
                DayState::Sealed => Cell::Sealed,
                DayState::Provisional => Cell::Provisional,
                DayState::Failed => Cell::Failed,
                DayState::Held => Cell::Held,
            };
            all.entry(&day.series).or_default().insert(day.date, cell);
        }
        for day in report.drift.iter().flat_map(|drift| &drift.days) {
            // One that could not be compared whole stays failed.
            all.entry(&day.series).or_default().entry(day.date).or_insert(Cell::Drifted);
        }
        let series = all.into_iter().map(|(id, days)| CalendarSeries { id: id.to_owned(), days }).collect();
        ReportCalendar { series, omitted }
    }

    /// The ways in which its days stand, in the order of a legend.
    #[must_use]
    pub fn legend(&self) -> Vec<Cell> {
        let stands = |cell: &Cell| self.series.iter().any(|series| series.days.values().any(|own| own == cell));
        Cell::ALL.into_iter().filter(stands).collect()
    }
}

impl CalendarSeries {
    /// Its months, in order: year, month, and the cell of each day of the month; `None` for one that is not asked for.
    #[must_use]
    pub fn months(&self) -> Vec<(i32, u32, Vec<Option<Cell>>)> {
        let mut months: BTreeMap<(i32, u32), Vec<Option<Cell>>> = BTreeMap::new();
        for (date, cell) in &self.days {
            let (year, month) = (date.year(), date.month());
            let length = usize::from(date.num_days_in_month());
            let cells = months.entry((year, month)).or_insert_with(|| vec![None; length]);
            if let Some(slot) = cells.get_mut(date.day0() as usize) {
                *slot = Some(*cell);
            }
        }
        months.into_iter().map(|((year, month), cells)| (year, month, cells)).collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::failure::Class;
    use crate::report::model::{DayRange, DayTotals, Drift, DriftedDay, ReportDay, ReportFailure, RunResult};

    /// A report with nothing in it but the seed's run and job.
    pub(in crate::report) fn bare() -> Report {
        let mut report: Report =
            serde_json::from_str(include_str!("../../tests/fuzz/seeds/report/small")).expect("a report");
        report.days.clear();
        report.failures.clear();
        report
    }

    /// A day that ended so.
    pub(in crate::report) fn day(series: &str, date: &str, state: DayState, files: u64) -> ReportDay {
        ReportDay {
            series: series.to_owned(),
            date: date.parse().expect("a date"),
            state,
            files,
            bytes: 1000 * files,
            absent: 0,
            accepted: 0,
            records: BTreeMap::new(),
            replaced: BTreeMap::new(),
            digest: None,
            outside_day: 0,
            duplicates: 0,
            cadence_slots: 0,
            without_record: 0,
            error: None,
            error_class: None,
            failed: BTreeMap::new(),
            served: BTreeMap::new(),
            seconds: Some(1.5),
        }
    }

    /// Days in a row.
    pub(in crate::report) fn stretch(series: &str, start: &str, end: &str, state: Rest) -> DayRange {
        let date = |text: &str| text.parse().expect("a date");
        DayRange { series: series.to_owned(), start: date(start), end: date(end), state }
    }

    /// A report with a day of every kind; each text that may come from outside holds `foreign`.
    pub(in crate::report) fn varied(foreign: &str) -> Report {
        let mut report = bare();
        let failure = |date: &str, key: Option<&str>, class, message: &str| ReportFailure {
            series: format!("sharp{foreign}"),
            date: date.parse().expect("a date"),
            key: key.map(|key| format!("{key}{foreign}")),
            path: key.map(|key| format!("sharp/{key}{foreign}.fits")),
            class,
            attempts: 3,
            status: Some(404),
            message: format!("{message}{foreign}; hint: ask {foreign}"),
        };
        let own = |date: &str, state, files| day(&format!("sharp{foreign}"), date, state, files);
        report.job.name = format!("december{foreign}");
        report.job.manifest = format!("jobs/december{foreign}.yaml");
        report.run.result = RunResult::Incomplete;
        report.run.exit_code = Some(4);
        report.run.again = Some(format!("sunhaul run jobs/december{foreign}.yaml"));
        report.run.error = Some(format!("the lock could not be written{foreign}"));
        report.days = vec![
            own("2015-12-11", DayState::Sealed, 3),
            own("2015-12-12", DayState::Failed, 1),
            own("2015-12-13", DayState::Held, 0),
            own("2015-12-14", DayState::Provisional, 2),
            own("2015-12-15", DayState::Failed, 0),
            own("2015-12-16", DayState::Sealed, 0),
        ];
        report.days[2].error = Some(format!("process 7 has it{foreign}"));
        report.other_days = vec![
            stretch(&format!("sharp{foreign}"), "2015-11-29", "2015-12-11", Rest::AlreadySealed),
            stretch(&format!("sharp{foreign}"), "2015-12-17", "2015-12-18", Rest::Unfinished),
        ];
        report.failures = vec![
            failure("2015-12-12", Some("a"), Class::NotFound, "404"),
            failure("2015-12-12", Some("b"), Class::LockMismatch, "other bytes"),
            failure("2015-12-15", None, Class::Unreachable, "http://localhost:1/: refused"),
        ];
        report.hosts[0].host = format!("localhost:8001{foreign}");
        report.hosts[0].preset = "private".into();
        report.totals.days =
            DayTotals { planned: 7, sealed: 2, already_sealed: 12, provisional: 1, failed: 2, held: 1, unfinished: 1 };
        report
    }

    fn drawn(report: &Report) -> Vec<String> {
        let calendar = ReportCalendar::from_report(report);
        let row = |id: &str, (year, month, cells): (i32, u32, Vec<Option<Cell>>)| {
            let signs: String = cells.into_iter().map(|cell| cell.map_or(' ', Cell::sign)).collect();
            format!("{id} {year}-{month:02} {signs}").trim_end().to_owned()
        };
        calendar.series.iter().flat_map(|one| one.months().into_iter().map(|month| row(&one.id, month))).collect()
    }

    #[test]
    fn every_day_has_one_cell_and_months_are_rows() {
        let mut report = bare();
        report.other_days = vec![
            stretch("a", "2015-12-30", "2016-01-02", Rest::AlreadySealed),
            stretch("a", "2016-01-05", "2016-01-06", Rest::Unfinished),
        ];
        report.days = vec![
            day("a", "2016-01-02", DayState::Sealed, 3),
            day("a", "2016-01-03", DayState::Sealed, 0),
            day("a", "2016-01-04", DayState::Failed, 1),
            day("b", "2016-02-29", DayState::Held, 0),
        ];
        let blanks = |count: usize| " ".repeat(count);
        let expected =
            [format!("a 2015-12 {}::", blanks(29)), "a 2016-01 :=ox.".to_owned(), format!("b 2016-02 {}h", blanks(28))];
        assert_eq!(drawn(&report), expected);
    }

    #[test]
    fn a_comparison_with_the_lock_has_its_own_cells() {
        let mut report = bare();
        report.other_days = vec![stretch("a", "2015-12-01", "2015-12-03", Rest::AsLocked)];
        let date = "2015-12-03".parse().unwrap();
        let days = vec![DriftedDay {
            series: "a".into(),
            date,
            added: 1,
            removed: 0,
            changed: 0,
            keywords_changed: 0,
            by: crate::report::model::ComparedBy::default(),
        }];
        report.drift = Some(Drift { days, ..Drift::default() });
        assert_eq!(drawn(&report), ["a 2015-12 ll!"]);
    }

    #[test]
    fn a_report_from_elsewhere_cannot_claim_millions_of_days() {
        let mut report = bare();
        report.other_days = vec![
            stretch("a", "0001-01-01", "9999-12-31", Rest::Unfinished),
            stretch("b", "2016-01-05", "2015-01-01", Rest::Unfinished),
        ];
        let calendar = ReportCalendar::from_report(&report);
        assert_eq!(calendar.series[0].days.len(), TAKEN);
        assert!(calendar.omitted > 3_000_000 && calendar.series[1].days.is_empty());
    }
}
