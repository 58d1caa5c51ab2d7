//! What becomes of the files of days that are asked for otherwise now, as far as their records tell it.

use std::collections::HashSet;
use std::fmt::Write as _;

use chrono::NaiveDate;
use serde::Serialize;

use crate::archive::{FileLine, Reader};
use crate::cli::Result;
use crate::manifest::{Manifest, Query};
use crate::plan::{Change, DayStanding, Plan, PlannedDay, ToDoReason};
use crate::report::human;
use crate::run::Narrowed;

/// Files and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
struct FileSum {
    files: u64,
    bytes: u64,
}

/// What the next run does with the days that are stale.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Consequences {
    /// Days that are done from their records, without a request.
    from_records: u64,
    /// Their files that stay where they are.
    stay: FileSum,
    /// Those that get new paths.
    renamed: FileSum,
    /// Those that go to `.sunhaul/work/retired`.
    retired: FileSum,
    /// Days whose source is asked.
    asked: u64,
}

/// The days that a run does from their records: nobody is asked for them.
#[derive(Debug, Default)]
pub(super) struct DaysFromRecords(HashSet<(usize, NaiveDate)>);

impl DaysFromRecords {
    /// True for one of them, of a series by its place in the manifest.
    pub(super) fn has(&self, series: usize, date: NaiveDate) -> bool {
        self.0.contains(&(series, date))
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }
}

/// What becomes of the stale days of a plan.
#[derive(Debug, Default)]
pub(super) struct StaleDays {
    /// `None` where there are none.
    pub(super) consequences: Option<Consequences>,
    pub(super) from_records: DaysFromRecords,
}

/// Reads the records of the stale days.
///
/// # Errors
/// When the archive cannot be read.
pub(super) fn stale_days(job: &Manifest, plan: &Plan) -> Result<StaleDays> {
    if plan.counts().stale == 0 {
        return Ok(StaleDays::default());
    }
    let reader = Reader::open(&job.archive.root)?;
    let before: Vec<Vec<Query>> =
        job.series.iter().map(|series| reader.queries(&series.id)).collect::<std::result::Result<_, _>>()?;
    let mut consequences = Consequences::default();
    let mut from_records = HashSet::new();
    for day in plan.days_that(|standing| matches!(standing, DayStanding::ToDo(ToDoReason::Stale(_)))) {
        if consequences.add(job, &reader, &before[day.series], &day)? {
            from_records.insert((day.series, day.day.date));
        }
    }
    Ok(StaleDays { consequences: Some(consequences), from_records: DaysFromRecords(from_records) })
}

impl Consequences {
    /// Adds a day; true where it is done from its records.
    fn add(&mut self, job: &Manifest, reader: &Reader, before: &[Query], day: &PlannedDay<'_>) -> Result<bool> {
        let series = &job.series[day.series];
        let is_told = matches!(day.standing, DayStanding::ToDo(ToDoReason::Stale(Change::Keys(_))));
        let record = if is_told { reader.record(day.id, day.day.date)? } else { None };
        let narrowed = record.as_ref().and_then(|record| Narrowed::of(series, day.day.window, before, record));
        let Some(Narrowed { asked_for, left, has_other_layout }) = narrowed else {
            self.asked += 1;
            return Ok(false);
        };
        self.from_records += 1;
        let to = if has_other_layout { &mut self.renamed } else { &mut self.stay };
        to.add(&asked_for);
        self.retired.add(&left);
        Ok(true)
    }

    /// As lines for people.
    pub(super) fn render(&self) -> String {
        let mut out = String::new();
        if self.from_records > 0 {
            let parts =
                [(self.stay, "kept"), (self.renamed, "renamed"), (self.retired, "moved to `.sunhaul/work/retired`")];
            let parts = parts
                .iter()
                .filter(|(sum, _)| sum.files > 0)
                .map(|(sum, what)| format!("{} ({}) {what}", human::count(sum.files, "file"), human::bytes(sum.bytes)));
            let parts: Vec<String> = parts.collect();
            // Writing to a String cannot fail.
            let _ = writeln!(
                out,
                "\n{} done from the records, without a request: {}",
                stale(self.from_records),
                parts.join(", ")
            );
        }
        if self.asked > 0 {
            let _ = writeln!(
                out,
                "\n{} listed again, because their records are not enough; --list shows what their sources have",
                stale(self.asked),
            );
        }
        out
    }
}

/// `1 stale day is`, `3 stale days are`.
fn stale(days: u64) -> String {
    format!("{} {}", human::count(days, "stale day"), if days == 1 { "is" } else { "are" })
}

impl FileSum {
    fn add(&mut self, lines: &[&FileLine]) {
        for line in lines.iter().filter(|line| line.absent.is_none()) {
            self.files += 1;
            self.bytes += line.bytes.unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_consequence_has_its_words() {
        let some = FileSum { files: 12, bytes: 3 << 20 };
        let one = FileSum { files: 1, bytes: 2880 };
        for (consequences, said) in [
            (
                Consequences { from_records: 3, stay: some, retired: one, ..Consequences::default() },
                "\n3 stale days are done from the records, without a request: 12 files (3.0 MiB) kept, 1 file (2.8 KiB) moved to \
                 `.sunhaul/work/retired`\n",
            ),
            (
                Consequences { from_records: 1, renamed: some, asked: 2, ..Consequences::default() },
                "\n1 stale day is done from the records, without a request: 12 files (3.0 MiB) renamed\n\
                 \n2 stale days are listed again, because their records are not enough; --list shows what their sources have\n",
            ),
        ] {
            assert_eq!(consequences.render(), said);
        }
    }
}
