//! Days as a calendar that fits its terminal: a cell a day, a week or a month, and the figures of each row beside it.
//!
//! Each kind of cell has a sign of its own: colours say nothing that is not there without them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike as _, NaiveDate};
use unicode_width::UnicodeWidthStr as _;

use super::coverage::{CoverageDay, CoverageDays, DayFact};
use crate::day::Window;
use crate::report::human;
use crate::report::terminal::Paint;

/// As many rows of a month are looked at with pleasure; more days than these are shown by the week.
const ROWS: usize = 24;

/// What a cell stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum CellSpan {
    /// A day.
    Day,
    /// A week.
    Week,
    /// A month.
    Month,
}

/// How a day stands, or several. The later ones need an eye the more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum DayCell {
    Sealed,
    /// Sealed, and the source has nothing of the day.
    Absent,
    Provisional,
    Thin,
    Stale,
    /// Of several days: some are there and some are not.
    Partly,
    Missing,
    Started,
    Refused,
    Unreadable,
    Failed,
}

impl DayCell {
    const ALL: [DayCell; 11] = [
        DayCell::Sealed,
        DayCell::Absent,
        DayCell::Provisional,
        DayCell::Thin,
        DayCell::Stale,
        DayCell::Partly,
        DayCell::Missing,
        DayCell::Started,
        DayCell::Refused,
        DayCell::Unreadable,
        DayCell::Failed,
    ];

    fn of(day: &CoverageDay) -> DayCell {
        match &day.fact.state {
            _ if day.is_failed => DayCell::Failed,
            DayFact::Sealed if day.fact.files == 0 => DayCell::Absent,
            DayFact::Sealed | DayFact::Provisional if day.is_thin => DayCell::Thin,
            DayFact::Sealed => DayCell::Sealed,
            DayFact::Provisional => DayCell::Provisional,
            DayFact::Stale => DayCell::Stale,
            DayFact::Started => DayCell::Started,
            DayFact::Refused(_) => DayCell::Refused,
            DayFact::Unreadable(_) => DayCell::Unreadable,
            DayFact::Missing => DayCell::Missing,
        }
    }

    /// Several days in one cell.
    fn with(self, other: DayCell) -> DayCell {
        let (less, more) = if self <= other { (self, other) } else { (other, self) };
        match more {
            _ if less == more => more,
            DayCell::Started if less == DayCell::Missing => DayCell::Started,
            DayCell::Missing | DayCell::Started => DayCell::Partly,
            more => more,
        }
    }

    fn sign(self) -> char {
        match self {
            DayCell::Sealed => '=',
            DayCell::Absent => 'o',
            DayCell::Provisional => '~',
            DayCell::Thin => '-',
            DayCell::Stale => '%',
            DayCell::Partly => '+',
            DayCell::Missing => '.',
            DayCell::Started => '/',
            DayCell::Refused => '@',
            DayCell::Unreadable => '?',
            DayCell::Failed => 'x',
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            DayCell::Sealed => "sealed",
            DayCell::Absent => "absent upstream",
            DayCell::Provisional => "provisional",
            DayCell::Thin => "thin",
            DayCell::Stale => "stale",
            DayCell::Partly => "partly there",
            DayCell::Missing => "missing",
            DayCell::Started => "started",
            DayCell::Refused => "of another job",
            DayCell::Unreadable => "record unusable",
            DayCell::Failed => "failed",
        }
    }

    fn painted(self, text: &str, paint: Paint) -> Cow<'_, str> {
        match self {
            DayCell::Sealed => paint.good(text),
            DayCell::Provisional | DayCell::Thin | DayCell::Stale | DayCell::Partly | DayCell::Started => {
                paint.care(text)
            }
            DayCell::Refused | DayCell::Unreadable | DayCell::Failed => paint.bad(text),
            DayCell::Absent | DayCell::Missing => Cow::Borrowed(text),
        }
    }
}

/// What a row holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CalendarShape {
    /// The days of a month.
    Month,
    /// The days of a week, for narrow terminals.
    Week,
    /// The weeks of a year, counted from its first day.
    WeeksOfYear,
    /// The months of a year.
    MonthsOfYear,
}

impl CalendarShape {
    /// The finest that fits, unless another one is asked for.
    fn of(range: &Window, by: Option<CellSpan>, columns: usize) -> CalendarShape {
        let months = range.last_date().map_or(1, |last| month_number(last) - month_number(range.start.date()) + 1);
        let fits = |shape: CalendarShape| shape.label_width() + 2 + shape.width() <= columns;
        match by {
            Some(CellSpan::Day) if fits(CalendarShape::Month) => CalendarShape::Month,
            Some(CellSpan::Day) => CalendarShape::Week,
            None if fits(CalendarShape::Month) && usize::try_from(months).is_ok_and(|months| months <= ROWS) => {
                CalendarShape::Month
            }
            None if !fits(CalendarShape::Month) && range.day_count() <= 7 * ROWS as u64 => CalendarShape::Week,
            Some(CellSpan::Week) | None if fits(CalendarShape::WeeksOfYear) => CalendarShape::WeeksOfYear,
            Some(CellSpan::Week | CellSpan::Month) | None => CalendarShape::MonthsOfYear,
        }
    }

    /// How many cells a row has.
    fn width(self) -> usize {
        match self {
            CalendarShape::Month => 31,
            CalendarShape::Week => 7,
            CalendarShape::WeeksOfYear => 53,
            CalendarShape::MonthsOfYear => 12,
        }
    }

    fn label_width(self) -> usize {
        match self {
            CalendarShape::Month => "2015-12".len(),
            CalendarShape::Week => "2015-12-07".len(),
            CalendarShape::WeeksOfYear | CalendarShape::MonthsOfYear => "2015".len(),
        }
    }

    /// What stands over the cells.
    fn ruler(self) -> &'static str {
        match self {
            CalendarShape::Month => "1   5    10   15   20   25   30",
            CalendarShape::Week => "MTWTFSS",
            CalendarShape::WeeksOfYear => "Jan Feb Mar Apr  May Jun Jul  Aug Sep  Oct Nov Dec",
            CalendarShape::MonthsOfYear => "JFMAMJJASOND",
        }
    }

    /// The label of the row that a date belongs to, and its cell there.
    fn place(self, date: NaiveDate) -> (String, usize) {
        let since_monday = u64::from(date.weekday().num_days_from_monday());
        match self {
            CalendarShape::Month => (date.format("%Y-%m").to_string(), date.day0() as usize),
            CalendarShape::Week => {
                let monday = date.checked_sub_days(chrono::Days::new(since_monday)).unwrap_or(date);
                (monday.to_string(), date.weekday().num_days_from_monday() as usize)
            }
            CalendarShape::WeeksOfYear => (date.format("%Y").to_string(), date.ordinal0() as usize / 7),
            CalendarShape::MonthsOfYear => (date.format("%Y").to_string(), date.month0() as usize),
        }
    }
}

fn month_number(date: NaiveDate) -> i64 {
    i64::from(date.year()) * 12 + i64::from(date.month0())
}

/// A row of the calendar.
#[derive(Debug)]
struct CalendarRow {
    cells: Vec<Option<DayCell>>,
    days: u64,
    done: u64,
    files: u64,
    bytes: u64,
}

/// The calendar of a series, and the kinds of cells that are in it.
pub(super) fn render(
    days: &CoverageDays,
    by: Option<CellSpan>,
    columns: usize,
    paint: Paint,
) -> (String, BTreeSet<DayCell>) {
    let shape = CalendarShape::of(&days.range, by, columns);
    let mut rows: BTreeMap<String, CalendarRow> = BTreeMap::new();
    for day in days.iter() {
        let (label, at) = shape.place(day.fact.date);
        let new = || CalendarRow { cells: vec![None; shape.width()], days: 0, done: 0, files: 0, bytes: 0 };
        let row = rows.entry(label).or_insert_with(new);
        let cell = DayCell::of(&day);
        row.cells[at] = Some(row.cells[at].map_or(cell, |there| there.with(cell)));
        row.days += 1;
        row.done += u64::from(matches!(day.fact.state, DayFact::Sealed | DayFact::Provisional));
        row.files += day.fact.files;
        row.bytes += day.fact.bytes;
    }
    let seen = rows.values().flat_map(|row| row.cells.iter().copied().flatten()).collect();
    let figures = figures(rows.values(), columns.saturating_sub(shape.label_width() + 2 + shape.width()));
    let mut out = String::new();
    let head = (String::new(), format!("{:1$}", shape.ruler(), shape.width()));
    let body = rows.into_iter().map(|(label, row)| (label, shown(&row.cells, paint)));
    for ((label, cells), figures) in std::iter::once(head).chain(body).zip(figures) {
        let line = format!("{label:0$}  {cells}{figures}", shape.label_width());
        out.push_str(line.trim_end());
        out.push('\n');
    }
    (out, seen)
}

/// The cells of a row, those of one kind side by side in one colour.
fn shown(cells: &[Option<DayCell>], paint: Paint) -> String {
    let same = cells.chunk_by(|one, next| one == next);
    same.map(|some| match some.first() {
        Some(Some(cell)) => cell.painted(&cell.sign().to_string().repeat(some.len()), paint).into_owned(),
        _ => " ".repeat(some.len()),
    })
    .collect()
}

/// As many of the rows' figures as there is room for, the head first.
fn figures<'r>(rows: impl Iterator<Item = &'r CalendarRow>, room: usize) -> Vec<String> {
    let head = ["days", "files", "size"].map(str::to_owned);
    let figures =
        rows.map(|row| [format!("{}/{}", row.done, row.days), human::number(row.files), human::bytes(row.bytes)]);
    let all: Vec<[String; 3]> = std::iter::once(head).chain(figures).collect();
    let widths = [0, 1, 2].map(|column| all.iter().map(|row| row[column].width()).max().unwrap_or_default() + 2);
    let fitting = (0..=3).rev().find(|count| widths[..*count].iter().sum::<usize>() <= room).unwrap_or_default();
    let line = |row: [String; 3]| {
        row.iter()
            .zip(widths)
            .take(fitting)
            .fold(String::new(), |line, (cell, width)| line + &format!("{cell:>width$}"))
    };
    all.into_iter().map(line).collect()
}

/// What the signs mean, in lines that fit.
pub(super) fn legend(seen: &BTreeSet<DayCell>, columns: usize, paint: Paint) -> String {
    let mut lines = vec![(String::new(), 0)];
    for cell in DayCell::ALL.into_iter().filter(|cell| seen.contains(cell)) {
        let entry = format!("{} {}", cell.sign(), cell.meaning());
        let width = entry.width() + 2;
        if let Some((line, used)) = lines.last_mut()
            && (*used + width <= columns || *used == 0)
        {
            let gap = if *used == 0 { "" } else { "  " };
            line.extend([gap, &cell.painted(&entry, paint)]);
            *used += width;
            continue;
        }
        lines.push((cell.painted(&entry, paint).into_owned(), width));
    }
    lines.into_iter().map(|(line, _)| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::status::coverage::Fact;

    /// Days from a date on, by their signs.
    fn days(start: &str, signs: &str) -> CoverageDays {
        let start: NaiveDate = start.parse().unwrap();
        let fact = |(date, sign)| {
            let state = match sign {
                '=' | 'o' | '-' => DayFact::Sealed,
                '~' => DayFact::Provisional,
                '%' => DayFact::Stale,
                '/' => DayFact::Started,
                '@' => DayFact::Refused("other".into()),
                '?' => DayFact::Unreadable("cut".into()),
                _ => DayFact::Missing,
            };
            let files = if "=~-".contains(sign) { 24 } else { 0 };
            Fact {
                date,
                state,
                files,
                bytes: files * 576_000,
                absent: 0,
                records: BTreeMap::new(),
                body: 0,
                whole: true,
            }
        };
        let signs = || start.iter_days().zip(signs.chars());
        let those = |wanted| signs().filter(|(_, sign)| *sign == wanted).map(|(date, _)| date).collect();
        let end = start + chrono::Days::new(signs().count() as u64);
        let range = Window { start: start.and_time(chrono::NaiveTime::MIN), end: end.and_time(chrono::NaiveTime::MIN) };
        // Nothing is known about a missing day.
        let facts = signs().map(fact).filter(|fact| fact.state != DayFact::Missing).collect();
        CoverageDays { range, facts, thin: those('-'), failed: those('x') }
    }

    fn page(days: &CoverageDays, by: Option<CellSpan>, columns: usize) -> String {
        let (calendar, seen) = render(days, by, columns, Paint(false));
        format!("{calendar}{}", legend(&seen, columns, Paint(false)))
    }

    #[test]
    fn a_month_is_a_row_of_days_with_its_figures() {
        let days = days("2015-11-25", "======~~o-%/@?x.........==================");
        insta::assert_snapshot!(page(&days, None, 80));
    }

    #[test]
    fn many_months_are_shown_by_the_week_and_in_a_narrow_terminal_by_the_month() {
        let days = days("2010-05-01", &("=".repeat(900) + &".".repeat(40) + "=x" + &"=".repeat(300)));
        insta::assert_snapshot!([80, 60, 20].map(|columns| page(&days, None, columns)).join("\n"));
    }

    #[test]
    fn twenty_columns_hold_a_week_a_row() {
        insta::assert_snapshot!(page(&days("2015-12-11", "===~..x"), None, 20));
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_and_every_day_is_in_a_row() {
        let all = days("2014-01-01", &"=".repeat(1500));
        for columns in 20..140 {
            for by in [None, Some(CellSpan::Day), Some(CellSpan::Week), Some(CellSpan::Month)] {
                let page = page(&all, by, columns);
                assert!(page.lines().all(|line| line.width() <= columns), "{columns} {by:?}\n{page}");
                let rows = page.lines().filter(|line| line.starts_with("201")).count();
                assert!(rows >= 5, "{columns} {by:?}\n{page}");
            }
        }
    }

    #[test]
    fn several_days_in_a_cell_are_as_the_one_that_needs_an_eye() {
        let cell = |signs: &str| {
            days("2015-12-11", signs).iter().map(|day| DayCell::of(&day)).reduce(DayCell::with).unwrap().sign()
        };
        for (signs, one) in [
            ("=======", '='),
            (".......", '.'),
            ("======.", '+'),
            ("=/.....", '+'),
            ("/......", '/'),
            ("======~", '~'),
            ("=o=====", 'o'),
            ("==-~===", '-'),
            ("=.x====", 'x'),
            ("...@...", '@'),
        ] {
            assert_eq!(cell(signs), one, "{signs}");
        }
    }

    #[test]
    fn colours_change_no_sign() {
        let days = days("2015-11-25", "======~~o-%/@?x....");
        let (plain, painted) = (render(&days, None, 80, Paint(false)).0, render(&days, None, 80, Paint(true)).0);
        let mut bare = painted.clone();
        for code in ["\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m", "\u{1b}[0m"] {
            bare = bare.replace(code, "");
        }
        assert!(painted != plain && bare == plain);
    }
}
