//! Days of a job that prefers one of several series: what has been replaced since the last look, and what must not be.
//!
//! What it does not do: choose the series of a slot; the source does.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDateTime;

use super::{Opened, Todo};
use crate::archive::DayWork;
use crate::failure::Failure;
use crate::manifest::Series;
use crate::source::{BySeries, KEYWORDS_TABLE, table_records};
use crate::untrusted::escape;

/// A record of a day: its slot, its series and its number.
type Record = (NaiveDateTime, String, i64);

/// The records that a day had before it was listed.
#[derive(Debug, Default)]
pub(super) struct Before {
    records: BTreeSet<Record>,
}

impl Before {
    /// The records of the files and of the table that the archive has of a day; none where the job names one series alone.
    pub(super) fn of(opened: &Opened, todo: &Todo, work: &DayWork) -> Result<Before, Failure> {
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
    pub(super) fn replaced(&self, series: &Series, now: &BySeries) -> BTreeMap<String, u64> {
        let is_better = |was: &str, is: &str| rank(series, is) < rank(series, was);
        self.count(now, is_better)
    }

    /// Why a listing is not believed: a series lists nothing any more whose records would give way to those of a fallback.
    pub(super) fn objection(&self, series: &Series, now: &BySeries) -> Option<String> {
        let is_worse = |was: &str, is: &str| rank(series, is) > rank(series, was);
        let lost = self.count(now, is_worse).into_iter().find(|(name, _)| !now.records.contains_key(name));
        lost.map(|(name, records)| {
            let records = if records == 1 { "1 record".to_owned() } else { format!("{records} records") };
            format!(
                "`{}` lists nothing for this day, but the archive has {records} of it, which no fallback replaces",
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
pub(super) fn retired(replaced: &BTreeMap<String, u64>, files: u64) -> Option<String> {
    let (are, they) = if files == 1 { ("file is", "it") } else { ("files are", "they") };
    let went = "went to `.sunhaul/work/retired` until `sunhaul clean`";
    match (shown(replaced), files) {
        (None, 0) => None,
        (None, _) => Some(format!("{files} {are} no longer asked for; {they} {went}")),
        (Some(replaced), 0) => Some(replaced),
        (Some(replaced), 1) => Some(format!("{replaced}; 1 file {went}")),
        (Some(replaced), _) => Some(format!("{replaced}; {files} files {went}")),
    }
}

/// `2 records of hmi.sharp_cea_720s_nrt replaced by definitive ones`, for each series.
pub(super) fn shown(replaced: &BTreeMap<String, u64>) -> Option<String> {
    let each = replaced.iter().map(|(name, records)| {
        let (records, ones) = if *records == 1 {
            ("1 record".to_owned(), "a definitive one")
        } else {
            (format!("{records} records"), "definitive ones")
        };
        format!("{records} of {} replaced by {ones}", escape(name))
    });
    let all: Vec<String> = each.collect();
    (!all.is_empty()).then(|| all.join(", "))
}
