//! The days to do: each of them where they are few, else counted by month or year.

use std::collections::BTreeMap;

use chrono::Datelike as _;

use super::{NAMED, RARE};
use crate::cli::table::{Side, TextTable};
use crate::cli::{Result, stdout};
use crate::plan::{DayStanding, Plan, PlannedDay, ToDoReason};
use crate::report::human;
use crate::untrusted::escape;

/// Up to this many days to do are shown one by one.
const FEW: u64 = 20;

/// Up to this many rows of months are shown, else years; and else neither.
const ROWS: usize = 36;

/// Days are printed in pieces of so many, so that no text of millions is kept.
const PIECE: usize = 1000;

/// The days to do: one by one where they are few, else a summary.
pub(super) fn shown(plan: &Plan) -> String {
    let counts = plan.counts();
    match counts.planned {
        0 if counts.refused == 0 => format!("\nnothing to do: {} sealed\n", all_of(counts.done)),
        0 => String::new(),
        1..=FEW => format!("{HEAD}{}", plan.to_do().map(line).collect::<String>()),
        many => summary(plan, many),
    }
}

/// Prints the days to do one by one, however many there are.
///
/// # Errors
/// As [`stdout::print`].
pub(super) fn print_each(plan: &Plan) -> Result<()> {
    if plan.counts().planned == 0 {
        return stdout::print(&shown(plan));
    }
    stdout::print(HEAD)?;
    let mut days = plan.to_do().peekable();
    while days.peek().is_some() {
        stdout::print(&days.by_ref().take(PIECE).map(line).collect::<String>())?;
    }
    Ok(())
}

/// Stands before the days that are shown one by one.
const HEAD: &str = "\nto do:\n";

fn line(day: PlannedDay<'_>) -> String {
    format!("  {} {}  {}: {day}\n", escape(&day.id.0), day.day.date, day.state())
}

/// Many days in a few lines: counts by month or year, the reasons of stale ones, and both ends.
fn summary(plan: &Plan, many: u64) -> String {
    let name = |day: PlannedDay<'_>| format!("{} {}", escape(&day.id.0), day.day.date);
    let ends = [plan.to_do().next(), plan.to_do().next_back()];
    let [from, to] = ends.map(|day| day.map(name).unwrap_or_default());
    let (by_period, stale) = (by_period(plan), stale_by_reason(plan));
    format!("{by_period}{stale}\nto do: {}, from {from} to {to}; --days shows each\n", human::count(many, "day"))
}

/// How long the periods are that days are counted by.
#[derive(Debug, Clone, Copy)]
enum Period {
    Month,
    Year,
}

impl Period {
    /// The name of the period that a date lies in.
    fn of(self, date: chrono::NaiveDate) -> String {
        match self {
            Period::Month => format!("{}-{:02}", date.year(), date.month()),
            Period::Year => date.year().to_string(),
        }
    }
}

/// The days to do of each series, counted by month, or by year where that takes too many rows; nothing where that does too.
fn by_period(plan: &Plan) -> String {
    [Period::Month, Period::Year].into_iter().find_map(|period| table(plan, period)).unwrap_or_default()
}

/// The table of one kind of period, if it has few enough rows.
fn table(plan: &Plan, period: Period) -> Option<String> {
    let states = &RARE[..RARE.len() - 1];
    let mut rows: BTreeMap<(usize, String), BTreeMap<&str, u64>> = BTreeMap::new();
    for day in plan.to_do() {
        *rows.entry((day.series, period.of(day.day.date))).or_default().entry(day.state()).or_default() += 1;
        if rows.len() > ROWS {
            return None;
        }
    }
    let head = [("series", Side::Left), ("to do in", Side::Left), ("days", Side::Right)];
    let head: Vec<_> = head.into_iter().chain(states.iter().map(|state| (*state, Side::Right))).collect();
    let mut table = TextTable::new(&head).without_zeros(&RARE);
    for ((series, period), counts) in rows {
        let id = escape(&plan.series[series].id.0).into_owned();
        let numbers = states.iter().map(|state| counts.get(state).copied().unwrap_or_default());
        let numbers = std::iter::once(counts.values().sum()).chain(numbers);
        table.row([id, period].into_iter().chain(numbers.map(human::number)));
    }
    Some(format!("\n{}", table.render()))
}

/// Why days are stale, a line for each reason.
fn stale_by_reason(plan: &Plan) -> String {
    let mut days: BTreeMap<String, u64> = BTreeMap::new();
    for day in plan.days_that(|standing| matches!(standing, DayStanding::ToDo(ToDoReason::Stale(_)))) {
        *days.entry(day.to_string()).or_default() += 1;
    }
    let line = |(reason, count): (&String, &u64)| format!("  {}: {reason}\n", human::count(*count, "day"));
    let lines: String = days.iter().take(NAMED).map(line).collect();
    if lines.is_empty() { lines } else { format!("\nstale:\n{lines}") }
}

/// `the only day is`, `all 12 days are`.
fn all_of(days: u64) -> String {
    if days == 1 { "the only day is".to_owned() } else { format!("all {} are", human::count(days, "day")) }
}
