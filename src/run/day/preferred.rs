//! Days of a job that prefers one of several series: what has been replaced since the last look, and what must not be.
//!
//! What it does not do: choose the series of a slot; the source does.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDateTime;

use crate::archive::DayWork;
use crate::failure::Failure;
use crate::manifest::Series;
use crate::run::{OpenedSeries, Todo};
use crate::source::{BySeries, KEYWORDS_TABLE, table_records};
use crate::untrusted::escape;

/// A record of a day: its slot, its series and its number.
type Record = (NaiveDateTime, String, i64);

/// The records that a day had before it was listed.
#[derive(Debug, Default)]
pub struct Before {
    records: BTreeSet<Record>,
}

impl Before {
    /// Those of a day's table of keywords.
    #[must_use]
    pub fn of_table(table: &[u8]) -> Before {
        Before { records: table_records(table).into_iter().collect() }
    }

    /// The records of the files and of the table that the archive has of a day; none where the job names one series alone.
    pub(in crate::run) fn of(opened: &OpenedSeries, todo: &Todo, work: &DayWork) -> Result<Before, Failure> {
        let mut before = Before::default();
        if opened.series.fallbacks.is_empty() {
            return Ok(before);
        }
        let scale = opened.series.source.scale();
        for line in work.lines() {
            if line.key == KEYWORDS_TABLE {
                before.records.extend(table_records(&work.read(&line)?.unwrap_or_default()));
            }
            let slot = line.instant.as_ref().unwrap_or(&line.time);
            let record = scale.read(slot).zip(line.source_series).zip(line.recnum);
            before.records.extend(record.map(|((slot, series), recnum)| (slot, series, recnum)));
        }
        before.records.retain(|(slot, ..)| todo.day.window.contains(*slot));
        Ok(before)
    }

    /// How many records of each series have given way to those of a preferred one.
    #[must_use]
    pub fn replaced(&self, series: &Series, now: &BySeries) -> BTreeMap<String, u64> {
        let is_better = |was: &str, is: &str| rank(series, is) < rank(series, was);
        self.count(now, is_better)
    }

    /// Why a listing is not believed: records that it does not have any more would give way to those of a fallback.
    pub(in crate::run) fn objection(&self, series: &Series, now: &BySeries) -> Option<String> {
        let is_worse = |was: &str, is: &str| rank(series, is) > rank(series, was);
        self.count(now, is_worse).into_iter().next().map(|(name, records)| {
            let records = if records == 1 { "1 record".to_owned() } else { format!("{records} records") };
            let listed = if now.records.contains_key(&name) { "does not list all" } else { "lists nothing" };
            format!(
                "`{}` {listed} of this day any more, but the archive has {records} of it that no fallback replaces",
                escape(&name)
            )
        })
    }

    fn count(&self, now: &BySeries, counts: impl Fn(&str, &str) -> bool) -> BTreeMap<String, u64> {
        let mut counted = BTreeMap::new();
        for (slot, was, _) in &self.records {
            if now.slots.get(slot).is_some_and(|is| counts(was, is)) {
                *counted.entry(was.clone()).or_default() += 1;
            }
        }
        counted
    }
}

/// The place of a series in the order of preference.
fn rank(series: &Series, name: &str) -> usize {
    let mut names = std::iter::once(&series.name).chain(&series.fallbacks);
    names.position(|own| own == name).unwrap_or(usize::MAX)
}

/// What is said of files that were retired, and of records that gave way to others.
pub(in crate::run) fn retired(replaced: &BTreeMap<String, u64>, files: u64) -> Option<String> {
    let are = if files == 1 { "file is" } else { "files are" };
    let moved = "moved to `.sunhaul/work/retired`, where `sunhaul clean` deletes them";
    match (shown(replaced), files) {
        (None, 0) => None,
        (None, _) => Some(format!("{files} {are} no longer part of this day; {moved}")),
        (Some(replaced), 0) => Some(replaced),
        (Some(replaced), 1) => Some(format!("{replaced}; 1 file {moved}")),
        (Some(replaced), _) => Some(format!("{replaced}; {files} files {moved}")),
    }
}

/// `2 records of hmi.sharp_cea_720s_nrt replaced by definitive ones`, for each series.
fn shown(replaced: &BTreeMap<String, u64>) -> Option<String> {
    let each = replaced.iter().map(|(name, count)| {
        let records = if *count == 1 { "record" } else { "records" };
        format!("{count} {records} of {} replaced by definitive ones", escape(name))
    });
    let all: Vec<String> = each.collect();
    (!all.is_empty()).then(|| all.join(", "))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::manifest::parse;

    const TEXT: &str = "version: 1\nname: j\ncontact: a@example.org\nsource: { jsoc: {} }\n\
                        range: { start: 2015-12-11, end: 2015-12-12 }\nseries: [{ prefer: [x.a, x.b, x.c] }]\n\
                        archive: { root: data }\n";

    fn series() -> Series {
        parse(Path::new("j.yaml"), TEXT.as_bytes(), &|_| None).unwrap().series.remove(0)
    }

    fn at(slot: u32) -> NaiveDateTime {
        format!("2015-12-11T{slot:02}:00:00").parse().unwrap()
    }

    /// What a day had and has, each as `hour series`, one record a line.
    fn day(before: &[&str], now: &[&str]) -> (Before, BySeries) {
        let split = |line: &&str| {
            let (hour, series) = line.split_once(' ').unwrap();
            (at(hour.parse().unwrap()), series.to_owned())
        };
        let records = (0..).zip(before).map(|(nth, line)| {
            let (slot, series) = split(line);
            (slot, series, nth)
        });
        let mut by_series = BySeries::default();
        for (slot, series) in now.iter().map(split) {
            by_series.slots.insert(slot, Arc::from(series.as_str()));
            *by_series.records.entry(series).or_default() += 1;
        }
        (Before { records: records.collect() }, by_series)
    }

    #[test]
    fn records_are_replaced_where_a_preferred_series_has_their_slot() {
        for (before, now, due) in [
            (&["0 x.b", "1 x.b"][..], &["0 x.a", "1 x.b"][..], "1 record of x.b replaced by definitive ones"),
            (&["0 x.b", "0 x.b"], &["0 x.a"], "2 records of x.b replaced by definitive ones"),
            (
                &["0 x.b", "1 x.c", "2 x.c"],
                &["0 x.a", "1 x.b", "2 x.a"],
                "1 record of x.b replaced by definitive ones, 2 records of x.c replaced by definitive ones",
            ),
            (&["0 x.a"], &["0 x.b"], ""),
            (&["0 x.b"], &["1 x.a"], ""),
            (&[], &["0 x.a"], ""),
            (&["0 x.a"], &["0 x.a"], ""),
        ] {
            let (before, now) = day(before, now);
            assert_eq!(shown(&before.replaced(&series(), &now)).unwrap_or_default(), due);
        }
    }

    #[test]
    fn a_listing_is_refused_where_a_series_has_lost_records_to_a_fallback() {
        for (before, now, is_refused) in [
            (&["0 x.a", "1 x.a"][..], &["0 x.b"][..], true),
            (&["0 x.b"], &["0 x.c"], true),
            (&["0 x.a", "1 x.a"], &["0 x.b", "1 x.a"], true),
            (&["0 x.a"], &["1 x.b"], false),
            (&["0 x.a"], &[], false),
            (&["0 x.b"], &["0 x.a"], false),
        ] {
            let (records, listed) = day(before, now);
            assert_eq!(records.objection(&series(), &listed).is_some(), is_refused, "{before:?} {now:?}");
        }
    }

    #[test]
    fn one_note_says_what_was_replaced_and_where_the_files_went() {
        let replaced = BTreeMap::from([("x.b".to_owned(), 2)]);
        let kept = "`.sunhaul/work/retired`, where `sunhaul clean` deletes them";
        for (replaced, files, due) in [
            (BTreeMap::new(), 0, None),
            (BTreeMap::new(), 1, Some(format!("1 file is no longer part of this day; moved to {kept}"))),
            (BTreeMap::new(), 2, Some(format!("2 files are no longer part of this day; moved to {kept}"))),
            (replaced.clone(), 0, Some("2 records of x.b replaced by definitive ones".to_owned())),
            (replaced, 4, Some(format!("2 records of x.b replaced by definitive ones; 4 files moved to {kept}"))),
        ] {
            assert_eq!(retired(&replaced, files), due);
        }
    }
}
