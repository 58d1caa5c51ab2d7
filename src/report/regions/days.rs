//! The regions of a series, from the records and journals of its days.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};

use super::slots::{DaySlots, Family, SeriesSlots, SlotStatus};
use super::table;
use crate::archive::{
    AbsentReason, DayHeader, DayRecord, Error, FileLine, MissingSlotReasons, MissingWhy, Reader, RecordState,
};
use crate::day::{Scale, SlotSpan, Window};
use crate::failure::Class;
use crate::manifest::{Manifest, Series, cadence};
use crate::report::gap_reason::GapReason;

/// True where the name or the filters of a series say that its records are of regions.
#[must_use]
pub fn are_of_regions(series: &Series) -> bool {
    let filters = &series.filters;
    series.name.to_ascii_lowercase().contains("harp") || filters.harpnum.is_some() || filters.noaa.is_some()
}

/// The days of a series that are read.
#[derive(Debug)]
pub struct SeriesDays<'a> {
    /// Their job.
    pub job: &'a Manifest,
    /// Their series.
    pub series: &'a Series,
    /// Their archive.
    pub archive: &'a Reader,
    /// Those that have a record or a journal.
    pub dates: BTreeSet<NaiveDate>,
    /// What of the time the job asks for and has begun.
    pub range: Window,
    /// Those that failed when they were last tried.
    pub failed: BTreeSet<NaiveDate>,
}

impl SeriesDays<'_> {
    /// Reads what the archive knows of the regions. A record or journal that cannot be used says nothing of its day.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn read(&self) -> Result<SeriesSlots, Error> {
        let family = Family::of(self.series);
        let mut slots = SeriesSlots::new(&self.series.id.0, family, step(self.series), self.range);
        slots.asked = self.series.harps().map(BTreeSet::from_iter);
        slots.looked_up.extend(self.looked_up());
        slots.unlisted.extend(self.failed.iter().map(|date| (*date, GapReason::Failed)));
        for date in &self.dates {
            let day = match self.day(*date) {
                Err(error) if error.class() == Class::Record => continue,
                day => day?,
            };
            if let Some(reason) = day.unlisted {
                slots.unlisted.insert(*date, reason);
            }
            slots.has_files |= day.has_files;
            slots.add(day.slots, day.left_out.into_iter());
        }
        Ok(slots)
    }

    /// From the first to the last record of the patches that were looked up.
    fn looked_up(&self) -> impl Iterator<Item = (i64, SlotSpan)> {
        let slot = i64::try_from(cadence::slots(&self.series.name)).unwrap_or(i64::MAX);
        let slot = TimeDelta::try_seconds(slot).unwrap_or_default();
        let patches = self.series.regions.known.iter().flat_map(|region| &region.patches);
        patches.filter_map(move |patch| {
            let Window { start, end } = patch.window?;
            Some((patch.harpnum, [start, end.checked_sub_signed(slot)?]))
        })
    }

    fn day(&self, date: NaiveDate) -> Result<RegionDay, Error> {
        let Some(record) = self.archive.record(&self.series.id, date)? else { return self.started(date) };
        Ok(match self.standing(&record.header) {
            RecordFit::OfAnotherJob => RegionDay::default(),
            RecordFit::Stale => RegionDay { unlisted: None, ..self.recorded(&record) },
            RecordFit::AsAsked => self.recorded(&record),
        })
    }

    fn standing(&self, header: &DayHeader) -> RecordFit {
        let day = self.range.day(header.date);
        // A day outside of the range stays as it was asked for.
        let is_kept = day.window.is_empty();
        let is_own = header.job == self.job.name;
        let is_as_asked = if is_kept { is_own } else { header.spec == self.series.spec(&day) };
        match (is_as_asked, is_own) {
            (true, _) => RecordFit::AsAsked,
            (false, true) => RecordFit::Stale,
            (false, false) => RecordFit::OfAnotherJob,
        }
    }

    fn recorded(&self, record: &DayRecord) -> RegionDay {
        let DayHeader { scale, left_out, files, .. } = &record.header;
        let left_out = left_out.iter().flat_map(|left_out| left_out.spans(*scale)).collect();
        let (unlisted, has_files) =
            (Some(unlisted(self.series, record.header.state, record.header.left_out.is_some())), *files > 0);
        if self.series.fetch.has_files() {
            return RegionDay { slots: of_files(&record.files, self.series, None), left_out, unlisted, has_files };
        }
        match table::records(&self.job.archive.root, record, &self.series.name) {
            Some(slots) => RegionDay { slots, left_out, unlisted, has_files },
            None => RegionDay { slots: DaySlots::new(), left_out, unlisted: Some(GapReason::NotKnown), has_files },
        }
    }

    /// The files that are there of a day that is not finished, and why others are not.
    fn started(&self, date: NaiveDate) -> Result<RegionDay, Error> {
        let started = self.archive.started_day(&self.series.id, date)?.unwrap_or_default();
        let (files, missing) = (started.files, started.missing);
        let window = self.range.day(date).window;
        let scale = self.series.source.scale();
        let is_asked = |line: &FileLine| scale.read(&line.time).is_some_and(|time| window.contains(time));
        let files: Vec<FileLine> = files.into_iter().filter(is_asked).collect();
        let segments = self.series.filters.segments.as_ref().map(Vec::len).unwrap_or_default();
        let has_files = files.iter().any(|line| line.absent.is_none());
        let slots = of_files(&files, self.series, Some(segments));
        let Some(missing) = missing else { return Ok(RegionDay { slots, has_files, ..RegionDay::default() }) };
        let left_out = missing.left_out.iter().flat_map(|left_out| left_out.spans(scale)).collect();
        let is_known = missing.slots.is_some();
        let by_listing = unlisted(self.series, missing.state, missing.left_out.is_some());
        let mut day = RegionDay { slots, left_out, unlisted: is_known.then_some(by_listing), has_files };
        for (harpnum, slot) in missing_slots(missing, scale).filter(|(_, (time, _))| window.contains(*time)) {
            day.slots.entry(harpnum).or_default().push(slot);
        }
        Ok(day)
    }
}

/// How the record of a day stands to what the job asks for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RecordFit {
    AsAsked,
    /// The job asked for something else then.
    Stale,
    OfAnotherJob,
}

/// What is known of a day.
#[derive(Debug, Default)]
struct RegionDay {
    slots: DaySlots,
    left_out: Vec<(i64, SlotSpan)>,
    /// Why other slots are not there; where it has no record, that is said elsewhere.
    unlisted: Option<GapReason>,
    has_files: bool,
}

/// Seconds from one slot of a series to the next.
fn step(series: &Series) -> i64 {
    let asked = series.filters.cadence.map(|cadence| cadence.as_secs());
    i64::try_from(asked.unwrap_or_else(|| cadence::slots(&series.name))).unwrap_or(i64::MAX)
}

/// The slots of regions that a day lacks, by its journal.
fn missing_slots(
    missing: MissingSlotReasons,
    scale: Scale,
) -> impl Iterator<Item = (i64, (NaiveDateTime, SlotStatus))> {
    missing.slots.into_iter().flatten().filter_map(move |slot| {
        let reason = match slot.why {
            MissingWhy::NoFile => GapReason::NoFile,
            MissingWhy::Accepted => GapReason::Accepted,
            MissingWhy::Offline => GapReason::Offline,
            MissingWhy::Failed => GapReason::Failed,
        };
        Some((slot.harpnum, (scale.read(&slot.time)?, SlotStatus::Lacks(reason))))
    })
}

/// Why slots are not there that a day's listing did not name, by how final it was.
fn unlisted(series: &Series, state: RecordState, knows_quality: bool) -> GapReason {
    let filters = &series.filters;
    // What these leave out, no source lists.
    let is_filtered = filters.raw.is_some() || !filters.conditions.is_empty();
    let is_quality_known = filters.quality.is_none() || knows_quality;
    match state {
        RecordState::Provisional => GapReason::Provisional,
        RecordState::Sealed if is_filtered || !is_quality_known => GapReason::NotRequested,
        RecordState::Sealed => GapReason::Absent,
    }
}

/// The records of files. Of a day that is not finished, those that have fewer files than `segments`, or than another record, are
/// not known yet. A fallback numbers its regions differently, so that its records are of none of the preferred series.
fn of_files(files: &[FileLine], series: &Series, segments: Option<usize>) -> DaySlots {
    /// A region, a record and its time.
    type Record = (i64, Option<i64>, NaiveDateTime);
    let scale = series.source.scale();
    let is_preferred = |line: &&FileLine| line.source_series.as_ref().is_none_or(|name| *name == series.name);
    let mut records: BTreeMap<Record, (usize, SlotStatus)> = BTreeMap::new();
    for line in files.iter().filter(is_preferred) {
        let (Some(harpnum), Some(time)) = (line.harpnum, scale.read(&line.time)) else { continue };
        let slot = match line.absent {
            None => SlotStatus::Had,
            Some(AbsentReason::Accepted) => SlotStatus::Lacks(GapReason::Accepted),
            Some(_) => SlotStatus::Lacks(GapReason::NoFile),
        };
        let (count, known) = records.entry((harpnum, line.recnum, time)).or_insert((0, SlotStatus::Had));
        *count += 1;
        *known = slot.max(*known);
    }
    let most = records.values().map(|(count, _)| *count).max().unwrap_or_default();
    let due = segments.map(|segments| segments.max(most)).unwrap_or_default();
    let mut slots = DaySlots::new();
    for ((harpnum, _, time), (count, slot)) in records {
        if count >= due {
            slots.entry(harpnum).or_default().push((time, slot));
        }
    }
    slots
}
