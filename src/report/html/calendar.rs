//! The days of each series by month, as a calendar has them, shaded by what they hold.
//!
//! What it does not do: show days that the run did not touch as more than a number, or months without a touched day.

use std::collections::BTreeMap;

use chrono::{Datelike as _, Months, NaiveDate};

use crate::report::human;
use crate::report::model::Day;
use crate::run::event::DayState;
use crate::untrusted::escape;

/// One series.
#[derive(Debug)]
pub(super) struct Calendar {
    pub(super) series: String,
    /// The days touched, with their states.
    pub(super) told: String,
    pub(super) months: Vec<Month>,
}

/// One month, by weeks that begin on Monday.
#[derive(Debug)]
pub(super) struct Month {
    /// Such as `December 2015`.
    pub(super) name: String,
    /// Empty places before the first.
    pub(super) before: u32,
    /// All days of the month.
    pub(super) cells: Vec<Cell>,
}

/// One day of a month.
#[derive(Debug)]
pub(super) struct Cell {
    /// The weekday is Monday, and a week begins.
    pub(super) is_monday: bool,
    /// The class of its colour; empty where the run did not touch the day.
    pub(super) class: &'static str,
    /// What stands in it: the day, or a sign.
    pub(super) sign: String,
    /// What is told of it.
    pub(super) told: String,
}

/// The calendars of all series.
pub(super) fn calendars(days: &[Day]) -> Vec<Calendar> {
    let mut series: BTreeMap<&str, BTreeMap<NaiveDate, &Day>> = BTreeMap::new();
    for day in days {
        series.entry(&day.series).or_default().insert(day.date, day);
    }
    series.into_iter().map(|(series, days)| calendar(series, &days)).collect()
}

fn calendar(series: &str, days: &BTreeMap<NaiveDate, &Day>) -> Calendar {
    let most = days.values().map(|day| day.bytes).max().unwrap_or_default();
    let firsts: std::collections::BTreeSet<NaiveDate> = days.keys().filter_map(|date| date.with_day(1)).collect();
    let months = firsts.into_iter().map(|first| month(first, days, most)).collect();
    let states = [DayState::Sealed, DayState::Provisional, DayState::Failed, DayState::Held];
    let counts = states.map(|state| (days.values().filter(|day| day.state == state).count() as u64, state));
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let told = counts.map(|(count, state)| format!("{} {}", human::number(*count), word(*state)));
    Calendar { series: escape(series).into_owned(), told: told.collect::<Vec<_>>().join(", "), months }
}

fn month(first: NaiveDate, days: &BTreeMap<NaiveDate, &Day>, most: u64) -> Month {
    let end = first.checked_add_months(Months::new(1)).unwrap_or(NaiveDate::MAX);
    let cells = first.iter_days().take_while(|date| *date < end).map(|date| cell(date, days.get(&date).copied(), most));
    Month {
        name: first.format("%B %Y").to_string(),
        before: first.weekday().num_days_from_monday(),
        cells: cells.collect(),
    }
}

fn cell(date: NaiveDate, day: Option<&Day>, most: u64) -> Cell {
    let is_monday = date.weekday() == chrono::Weekday::Mon && date.day() > 1;
    let Some(day) = day else {
        return Cell { is_monday, class: "", sign: date.day().to_string(), told: String::new() };
    };
    let (class, sign) = match day.state {
        DayState::Sealed => (shade(day.bytes, most), date.day().to_string()),
        DayState::Provisional => ("p", date.day().to_string()),
        DayState::Failed => ("f", "×".to_owned()),
        DayState::Held => ("h", "–".to_owned()),
    };
    let mut told =
        format!("{date}: {}, {}, {}", word(day.state), human::count(day.files, "file"), human::bytes(day.bytes));
    if day.absent > 0 {
        told.push_str(&format!(", {} absent", human::number(day.absent)));
    }
    Cell { is_monday, class, sign, told }
}

/// How a state is called in text.
pub(super) fn word(state: DayState) -> &'static str {
    match state {
        DayState::Sealed => "sealed",
        DayState::Provisional => "provisional",
        DayState::Failed => "failed",
        DayState::Held => "held",
    }
}

/// A shade by the share of the fullest day's bytes: an empty day, then four quarters.
fn shade(bytes: u64, most: u64) -> &'static str {
    let quarters = u128::from(bytes) * 4;
    match quarters.div_ceil(u128::from(most.max(1))) {
        0 => "s0",
        1 => "s1",
        2 => "s2",
        3 => "s3",
        _ => "s4",
    }
}
