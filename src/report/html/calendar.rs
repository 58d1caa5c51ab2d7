//! The days of each series by month, as a wall calendar has them, shaded by what they hold.
//!
//! How a day stands is decided in `report::calendar`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{Datelike as _, NaiveDate};

use crate::report::calendar::{Cell as Stand, ReportCalendar as Stands};
use crate::report::human;
use crate::report::model::{DriftedDay, Report, ReportDay};
use crate::untrusted::escape;

/// How many months a page shows, of all series together: 25 years of one.
const MONTHS: usize = 300;

/// One series.
#[derive(Debug)]
pub(super) struct SeriesMonths {
    pub(super) series: String,
    /// How many days stand how.
    pub(super) told: String,
    pub(super) months: Vec<MonthWeeks>,
    /// How many earlier months are left out.
    pub(super) omitted: usize,
}

/// One month, by weeks that begin on Monday.
#[derive(Debug)]
pub(super) struct MonthWeeks {
    /// Such as `December 2015`.
    pub(super) name: String,
    /// Empty places before the first.
    pub(super) before: u32,
    /// All days of the month.
    pub(super) cells: Vec<MonthCell>,
}

/// One day of a month.
#[derive(Debug)]
pub(super) struct MonthCell {
    /// The weekday is Monday, and a week begins.
    pub(super) is_monday: bool,
    /// The class of its colour; empty where the run did not look at the day.
    pub(super) class: &'static str,
    /// What stands in it: the day, or a sign.
    pub(super) sign: String,
    /// What is told of it.
    pub(super) told: String,
}

/// A way to stand, in the legend.
#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "a sign has a sign and a word")]
pub(super) struct Sign {
    /// The classes of its colours.
    pub(super) classes: &'static [&'static str],
    pub(super) sign: &'static str,
    pub(super) word: &'static str,
}

/// What is told of days besides how they stand.
struct DayFacts<'a> {
    days: BTreeMap<(&'a str, NaiveDate), &'a ReportDay>,
    drifted: BTreeMap<(&'a str, NaiveDate), &'a DriftedDay>,
}

/// The calendars of all series, and what their signs mean.
pub(super) fn calendars(report: &Report) -> (Vec<SeriesMonths>, Vec<Sign>) {
    let stands = Stands::from_report(report);
    let drifted = report.drift.iter().flat_map(|drift| &drift.days);
    let facts = DayFacts {
        days: report.days.iter().map(|day| ((day.series.as_str(), day.date), day)).collect(),
        drifted: drifted.map(|day| ((day.series.as_str(), day.date), day)).collect(),
    };
    let each = (MONTHS / stands.series.len().max(1)).max(1);
    let calendar = |series: &crate::report::calendar::CalendarSeries| {
        let most = facts.days.iter().filter(|((id, _), _)| *id == series.id).map(|(_, day)| day.bytes).max();
        let months = series.months();
        let omitted = months.len().saturating_sub(each);
        let month = |(year, month, stands): &(i32, u32, Vec<Option<Stand>>)| {
            let first = NaiveDate::from_ymd_opt(*year, *month, 1)?;
            let cells = first.iter_days().zip(stands).map(|(date, stand)| cell(&series.id, date, *stand, &facts, most));
            let (name, before) = (first.format("%B %Y").to_string(), first.weekday().num_days_from_monday());
            Some(MonthWeeks { name, before, cells: cells.collect() })
        };
        let months = months[omitted..].iter().filter_map(month).collect();
        let count = |stand: &Stand| series.days.values().filter(|own| *own == stand).count() as u64;
        let counts = Stand::ALL.iter().map(|stand| (count(stand), stand.word())).filter(|(count, _)| *count > 0);
        let told =
            counts.map(|(count, word)| format!("{} {word}", human::number(count))).collect::<Vec<_>>().join(", ");
        SeriesMonths { series: escape(&series.id).into_owned(), told, months, omitted }
    };
    let calendars = stands.series.iter().map(calendar).collect();
    let legend = stands.legend().into_iter().map(|stand| {
        let (classes, sign) = look(stand);
        Sign { classes, sign, word: if stand == Stand::Sealed { "sealed, by bytes" } else { stand.word() } }
    });
    (calendars, legend.collect())
}

/// The classes of colours, from little to much, and the sign that stands in place of the day's number.
fn look(stand: Stand) -> (&'static [&'static str], &'static str) {
    match stand {
        Stand::Sealed => (&["s1", "s2", "s3", "s4"], ""),
        Stand::Before => (&["k"], ""),
        Stand::AsLocked => (&["k"], "="),
        Stand::Provisional => (&["p"], ""),
        Stand::Absent => (&["s0"], ""),
        Stand::Failed => (&["f"], "×"),
        Stand::Held => (&["h"], "–"),
        Stand::Missing => (&["m"], "?"),
        Stand::Drifted => (&["r"], "≠"),
    }
}

fn cell(series: &str, date: NaiveDate, stand: Option<Stand>, facts: &DayFacts<'_>, most: Option<u64>) -> MonthCell {
    let is_monday = date.weekday() == chrono::Weekday::Mon && date.day() > 1;
    let number = date.day().to_string();
    let Some(stand) = stand else { return MonthCell { is_monday, class: "", sign: number, told: String::new() } };
    let mut told = format!("{date}: {}", stand.word());
    let day = facts.days.get(&(series, date));
    // Writing to a String cannot fail.
    if let Some(day) = day {
        let _ = write!(told, ", {}, {}", human::count(day.files, "file"), human::bytes(day.bytes));
    }
    if let Some(day) = day.filter(|day| day.absent > 0) {
        let _ = write!(told, ", {} absent", human::number(day.absent));
    }
    if let Some(day) = facts.drifted.get(&(series, date)) {
        let _ = write!(told, ", {}", day.words());
    }
    let (classes, sign) = look(stand);
    let class = match classes {
        [only] => only,
        shades => shades[shade(day.map_or(0, |day| day.bytes), most.unwrap_or_default())],
    };
    MonthCell { is_monday, class, sign: if sign.is_empty() { number } else { sign.to_owned() }, told }
}

/// The quarter of the fullest day's bytes that a day's are in: 0 to 3.
fn shade(bytes: u64, most: u64) -> usize {
    match (u128::from(bytes) * 4).div_ceil(u128::from(most.max(1))) {
        0 | 1 => 0,
        2 => 1,
        3 => 2,
        _ => 3,
    }
}
