//! The records of an answer as files: those of the day, once each, with the filters applied again.
//!
//! Everything here is a pure function of answers.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{NaiveDateTime, TimeDelta};
use url::Url;

use super::columns::FileColumns;
use super::filters::{RecordFilter, RecordFilterFacts};
use super::header_cards::HeaderKeywords;
use super::instants::{Chosen, InstantCandidate, Instants};
use super::query::RecordQuery;
use super::record::{Names, WantedRecord};
use super::record_files::{RecordFile, RecordFiles};
use super::response::{RecordColumn, RecordList};
use crate::day::{Day, Window};
use crate::failure::Failure;
use crate::manifest::Headers;
use crate::source::read_capped::malformed;
use crate::source::{BORDER, Listed, read_capped};
use crate::untrusted::escape;

/// A day's records.
#[derive(Debug, Default)]
pub(super) struct JsocRecords {
    /// Their files.
    pub(super) listed: Listed,
    /// How the export system knows each file that is ordered, by its key.
    pub(super) names: Names,
    /// Those that are asked for, by their places in the answer.
    pub(super) kept: Vec<WantedRecord>,
    /// What JSOC has on disk of them, in bytes, as far as it tells: of all files of a record together.
    pub(super) size: u64,
    /// The times of records that no order may have, within the day and next to it.
    pub(super) not_orderable: BTreeSet<NaiveDateTime>,
}

/// Reads the files of the records in an answer.
///
/// Records outside of the day's window are dropped and counted, and so are those that a filter leaves out; of files that come again
/// the first by address is kept. With `is_ordered` the files lie nowhere yet: their addresses say what to order.
///
/// # Errors
/// `source-refused` with JSOC's own words, and for keywords or segments that it does not know; `listing-malformed` for an
/// answer that contradicts itself; `listing-too-large` for more files than a day can have.
pub(super) fn read_records(
    answer: &RecordList,
    question: &RecordQuery<'_>,
    base: &Url,
    day: &Day,
    is_ordered: bool,
) -> Result<JsocRecords, Failure> {
    let mut records = JsocRecords::default();
    records.listed.left_out_by_quality = question.lists_every_quality().then(BTreeMap::new);
    let count_slots = |slots: Option<Instants>| slots.map_or(0, |slots| slots.count_in(day.window));
    let count = answer.records()?;
    if count == 0 {
        records.listed.cadence_slots = count_slots(expected_slots(question, None));
        records.listed.without_record = records.listed.cadence_slots;
        return Ok(records);
    }
    let columns = FileColumns::of(answer, question)?;
    let headers = (question.series.headers == Headers::Embed).then(|| HeaderKeywords::of(question, answer));
    let filter = RecordFilter::of(question, answer)?;
    let facts: Vec<RecordFilterFacts> = (0..count).map(|at| columns.facts(question, at)).collect::<Result<_, _>>()?;
    let slots = expected_slots(question, facts.first());
    records.listed.cadence_slots = count_slots(slots);
    let selection = RecordSelection::new(answer, question, day.window, filter, slots, &facts);
    records.listed.without_record = selection.without_record;
    let files = RecordFiles { question, base, columns: &columns, headers, is_ordered };
    for facts in facts {
        let is_available = !is_ordered || columns.can_be_ordered(facts.at);
        if !is_available {
            records.not_orderable.insert(facts.time);
        }
        match selection.judge(facts) {
            RecordVerdict::Beside => {}
            RecordVerdict::Outside => records.listed.note_outside(facts.time, day, selection.border()),
            RecordVerdict::LeftOut(reason) => records.leave_out(facts, reason, question.segments.len()),
            RecordVerdict::Wanted => {
                let instant = question.instants().and_then(|instants| instants.of(facts.time));
                records.keep(answer, facts, instant);
                let record = files.record(answer, facts, instant, is_available)?;
                read_capped::room(records.listed.files.len() + columns.segments.len())?;
                for segment in &columns.segments {
                    records.add(files.file(&record, segment)?, facts.at)?;
                }
            }
        }
    }
    records.listed = records.listed.folded()?;
    Ok(records)
}

impl JsocRecords {
    /// Counts a record that the filters leave out.
    fn leave_out(&mut self, facts: RecordFilterFacts, reason: LeftOutBy, segments: usize) {
        self.listed.left_out += segments.max(1) as u64;
        if let (Some(left_out), Some(harpnum)) = (&mut self.listed.left_out_by_quality, facts.harpnum)
            && reason == LeftOutBy::QualityAlone
        {
            left_out.entry(harpnum).or_default().push([facts.time, facts.time]);
        }
    }

    /// Keeps a record that is asked for, with its size on JSOC's disks.
    fn keep(&mut self, answer: &RecordList, facts: RecordFilterFacts, instant: Option<NaiveDateTime>) {
        let RecordFilterFacts { at, recnum, time, harpnum, .. } = facts;
        self.kept.push(WantedRecord { at, time, instant, recnum, harpnum });
        let size = answer.known("*size*").and_then(|size| size.value(at).trim().parse().ok());
        self.size = self.size.saturating_add(size.unwrap_or_default());
    }

    /// Adds a file of the record at this place in the answer.
    fn add(&mut self, RecordFile { file, ordered }: RecordFile, at: usize) -> Result<(), Failure> {
        if let Some(ordered) = ordered
            && let Some(other) = self.names.insert(file.key.clone(), ordered.clone())
            && other != ordered
        {
            let key = escape(&file.key);
            return Err(malformed(&format!("record {at}: `{key}` is listed twice, and not as the same")));
        }
        self.listed.files.push(file);
        Ok(())
    }
}

/// The slots or instants of the cadence that are each due to have a record. The slots of a series need not be multiples of
/// the cadence: any of its records shows where they lie.
fn expected_slots(question: &RecordQuery<'_>, record: Option<&RecordFilterFacts>) -> Option<Instants> {
    let slots = || {
        let slots = question.slots_of_cadence()?;
        Some(record.map_or(slots, |record| slots.through(record.time)))
    };
    question.instants().or_else(slots)
}

/// Which records of an answer the day has.
struct RecordSelection<'a> {
    window: Window,
    /// The time that JSOC is asked for: more than the window, where records beside it compete for its instants or JSOC rounds.
    asked: Window,
    filter: RecordFilter<'a>,
    /// The records nearest to the instants of a cadence. None for a cadence of whole slots, whose records JSOC chooses.
    nearest: Option<Chosen>,
    /// How many slots of the cadence have no record.
    without_record: u64,
}

/// What becomes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RecordVerdict {
    /// The day has it.
    Wanted,
    /// It is of the day, and the filters leave it out.
    LeftOut(LeftOutBy),
    /// It is of another day, and was asked for.
    Beside,
    /// It is of another day, and nobody asked for it.
    Outside,
}

/// Why the filters leave a record out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LeftOutBy {
    /// `quality`, and no other filter.
    QualityAlone,
    /// Another filter, or a record nearer to the instant.
    OtherFilters,
}

impl<'a> RecordSelection<'a> {
    /// The records that the day has among those with these facts.
    fn new(
        answer: &'a RecordList,
        question: &RecordQuery<'_>,
        window: Window,
        filter: RecordFilter<'a>,
        slots: Option<Instants>,
        facts: &[RecordFilterFacts],
    ) -> RecordSelection<'a> {
        let kinds: Vec<&RecordColumn> = question.kind_keys().filter_map(|key| answer.known(key)).collect();
        let candidate = |facts: &RecordFilterFacts| InstantCandidate {
            time: facts.time,
            recnum: facts.recnum,
            kind: kinds.iter().map(|column| column.value(facts.at)).collect(),
        };
        let candidates = || facts.iter().filter(|facts| filter.keeps(**facts)).map(candidate);
        let nearest = slots.map(|slots| slots.choose(window, candidates()));
        let is_wanted = |facts: &&RecordFilterFacts| window.contains(facts.time) && filter.keeps(**facts);
        let wavelengths: BTreeSet<i64> = facts.iter().filter(is_wanted).filter_map(|facts| facts.wavelength).collect();
        let required = question.series.filters.wavelength.as_ref();
        // `choose` learns the kinds from the records, so it cannot see a wavelength that the whole day lacks.
        let lacks_one = required.is_some_and(|required| required.iter().any(|one| !wavelengths.contains(one)));
        let without_record = match (slots, &nearest) {
            (Some(slots), Some(_)) if lacks_one => slots.count_in(window),
            (_, nearest) => nearest.as_ref().map_or(0, |nearest| nearest.lacking),
        };
        let reach = question.instants().and_then(|instants| instants.reach(window)).unwrap_or(window);
        let asked = Window { start: reach.start - question.margin(), end: reach.end + question.margin() };
        let nearest = nearest.filter(|_| question.instants().is_some());
        RecordSelection { window, asked, filter, nearest, without_record }
    }

    /// What becomes of a record.
    fn judge(&self, facts: RecordFilterFacts) -> RecordVerdict {
        let is_nearest = || self.nearest.as_ref().is_none_or(|nearest| nearest.records.contains(&facts.recnum));
        if !self.window.contains(facts.time) {
            if self.asked.contains(facts.time) { RecordVerdict::Beside } else { RecordVerdict::Outside }
        } else if is_nearest() && self.filter.keeps(facts) {
            RecordVerdict::Wanted
        } else if self.filter.lacks_quality_alone(facts) {
            RecordVerdict::LeftOut(LeftOutBy::QualityAlone)
        } else {
            RecordVerdict::LeftOut(LeftOutBy::OtherFilters)
        }
    }

    /// How far from the day's own ends a record may lie without being odd.
    fn border(&self) -> TimeDelta {
        BORDER.max(self.window.start - self.asked.start).max(self.asked.end - self.window.end)
    }
}
