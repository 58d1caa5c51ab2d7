//! A day's listing, put together from the answers for its parts: a day of `aia.lev1_euv_12s` with all keywords is 120 MB.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{NaiveDateTime, TimeDelta};
use url::Url;

use super::listing::{self, JsocRecords};
use super::query::{INFO, RecordQuery};
use super::response::RecordList;
use super::slot::in_a_row;
use super::{begun, table, text};
use crate::day::{Day, Window};
use crate::failure::Failure;
use crate::source::keywords::{KeywordRow, KeywordTable};
use crate::source::{Asked, Listed, RemoteFile, read_capped};

/// A day is cut into 128 parts of 11 minutes at most.
pub(super) const MOST_CUTS: u32 = 7;

/// What the answers for the parts of a day hold.
#[derive(Debug, Default)]
pub(super) struct JsocDayListing {
    records: JsocRecords,
    table: KeywordTable,
    has_records: bool,
}

impl JsocDayListing {
    /// Reads the answer for one part, and keeps of it what files and tables are made of.
    ///
    /// # Errors
    /// Those of the listing and of the table.
    pub(super) fn read(
        answer: &[u8],
        question: &RecordQuery<'_>,
        base: &Url,
        part: &Day,
    ) -> Result<JsocDayListing, Failure> {
        let answer: RecordList = text::parse(answer)?;
        let records = listing::read_records(&answer, question, base, part, question.export().is_some())?;
        let has_table = question.series.fetch.has_keywords();
        let table =
            if has_table { table::keyword_table(&answer, question, &records.kept)? } else { KeywordTable::default() };
        Ok(JsocDayListing { records, table, has_records: answer.records()? > 0 })
    }

    /// The same with a later part.
    ///
    /// # Errors
    /// `listing-too-large` for more files than a day can have, `listing-malformed` where the parts contradict each other.
    pub(super) fn and(self, later: JsocDayListing) -> Result<JsocDayListing, Failure> {
        Ok(JsocDayListing {
            records: self.records.and(later.records)?,
            table: self.table.and(later.table)?,
            has_records: self.has_records || later.has_records,
        })
    }

    /// Refuses a day without records that lies before the series begins.
    ///
    /// # Errors
    /// `source-refused`.
    pub(super) fn must_have_begun(&self, question: &RecordQuery<'_>, day: &Day) -> Result<(), Failure> {
        if self.has_records { Ok(()) } else { begun(question, day) }
    }

    /// The slots of its records.
    pub(super) fn slots(&self) -> BTreeSet<NaiveDateTime> {
        let files = self.records.listed.files.iter().map(RemoteFile::slot);
        files.chain(self.table.rows.iter().map(KeywordRow::slot)).collect()
    }

    /// Slots of the cadence.
    pub(super) fn cadence_slots(&self) -> u64 {
        self.records.listed.cadence_slots
    }

    /// Those of them that have no record.
    pub(super) fn without_record(&self) -> u64 {
        self.records.listed.without_record
    }

    /// The same of several series together.
    pub(super) fn set_cadence_slots(&mut self, all: u64, without_record: u64) {
        self.records.listed.cadence_slots = all;
        self.records.listed.without_record = without_record;
    }

    /// How many records it has.
    pub(super) fn count(&self) -> u64 {
        let files = self.records.listed.files.iter().filter_map(|file| file.recnum);
        files.chain(self.table.rows.iter().filter_map(|row| row.recnum)).collect::<BTreeSet<i64>>().len() as u64
    }

    /// Keeps the records of these slots alone, marked with their series. Numbers of records are unique within a series, so
    /// those of a fallback get its name before their keys.
    pub(super) fn of_series(&mut self, name: &Arc<str>, is_fallback: bool, keeps: impl Fn(NaiveDateTime) -> bool) {
        let JsocDayListing { records, table, .. } = self;
        records.listed.files.retain(|file| keeps(file.slot()));
        table.rows.retain(|row| keeps(row.slot()));
        // A fallback numbers its regions differently.
        if let Some(regions) = records.listed.left_out_by_quality.as_mut().filter(|_| is_fallback) {
            regions.clear();
        }
        for file in &mut records.listed.files {
            file.source_series = Some(Arc::clone(name));
            if is_fallback {
                file.key = format!("{name}/{}", file.key);
            }
        }
        for row in &mut table.rows {
            row.source_series = Some(Arc::clone(name));
            if is_fallback {
                row.record = format!("{name}/{}", row.record);
            }
        }
    }

    /// The same with the records of another series.
    ///
    /// # Errors
    /// `listing-too-large` for more files than a day can have.
    pub(super) fn with_other_series(self, other: JsocDayListing) -> Result<JsocDayListing, Failure> {
        Ok(JsocDayListing {
            records: self.records.and(other.records)?,
            table: self.table.with_other_series(other.table),
            has_records: self.has_records || other.has_records,
        })
    }

    /// The day's files with its table, which `url` asks for; and what its records are.
    pub(super) fn end(self, question: &RecordQuery<'_>, day: &Day, url: &Url) -> (Listed, JsocRecords) {
        let JsocDayListing { mut records, table, .. } = self;
        let mut listed = std::mem::take(&mut records.listed);
        let step = question.every_slots().map_or_else(|| question.step(), TimeDelta::seconds);
        for spans in listed.left_out_by_quality.iter_mut().flat_map(BTreeMap::values_mut) {
            *spans = in_a_row(std::mem::take(spans), step);
        }
        if question.series.fetch.has_keywords() {
            let path = format!("/{INFO}?{}", url.query().unwrap_or_default());
            listed.files.extend(table.files(question.series, day, Asked { url, path: &path }));
            listed.files.sort_by(|a, b| a.key.cmp(&b.key));
        }
        (listed, records)
    }
}

impl JsocRecords {
    fn and(mut self, later: JsocRecords) -> Result<JsocRecords, Failure> {
        read_capped::room(self.listed.files.len() + later.listed.files.len())?;
        self.listed = self.listed.and(later.listed).folded()?;
        self.names.extend(later.names);
        self.size = self.size.saturating_add(later.size);
        self.not_orderable.extend(later.not_orderable);
        // These are positions in one response, and of no use beyond it.
        self.kept.clear();
        Ok(self)
    }
}

/// A window cut in halves so many times, in order; each part has a second at least.
pub(super) fn parts(window: Window, cuts: u32) -> Vec<Window> {
    match halves(window).filter(|_| cuts > 0) {
        Some(halves) => halves.into_iter().flat_map(|half| parts(half, cuts - 1)).collect(),
        None => vec![window],
    }
}

/// A window in two, at a whole second.
pub(super) fn halves(window: Window) -> Option<[Window; 2]> {
    let middle = window.start + TimeDelta::seconds((window.end - window.start).num_seconds() / 2);
    (window.start < middle).then_some([Window { end: middle, ..window }, Window { start: middle, ..window }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_window_are_the_window() {
        let day = Window::of_day("2011-02-15".parse().unwrap());
        for cuts in 0..=MOST_CUTS {
            let parts = parts(day, cuts);
            assert_eq!(parts.len(), 1 << cuts);
            assert_eq!((parts[0].start, parts[parts.len() - 1].end), (day.start, day.end));
            assert!(parts.array_windows().all(|[one, next]| one.end == next.start), "{parts:?}");
        }
        let second = Window { end: day.start + TimeDelta::seconds(1), ..day };
        assert_eq!(parts(second, 3), [second]);
    }
}
