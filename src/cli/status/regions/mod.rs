//! `sunhaul status --by harpnum`: how complete each region is in each series, and why slots are not there.
//!
//! It reads day records, journals, and the tables of keywords of days that have no other files.

mod page;
mod slots;
mod table;

use std::collections::BTreeMap;

use chrono::NaiveDateTime;
use serde::Serialize;

use super::coverage::{DayFact, Fact};
use super::failed;
use super::{Known, Seen};
use crate::archive::{ACCEPTED, DayRecord, FileLine, Reader};
use crate::cli::problem::Problem;
use crate::cli::{Exit, Result, Shell, stdout};
use crate::day::Window;
use crate::manifest::{Manifest, Series, cadence};
use crate::report::terminal::Paint;
use crate::untrusted::escape;
use slots::{DaySlots, Reason, Region, SeriesSlots, Slot};

/// What is printed.
#[derive(Debug, Serialize)]
struct Page {
    job: String,
    archive: String,
    series: Vec<SeriesRegions>,
    /// The ids of series whose records name no region.
    without_regions: Vec<String>,
}

/// The regions of one series.
#[derive(Debug, Serialize)]
struct SeriesRegions {
    series: String,
    /// How far apart slots are.
    step_seconds: i64,
    regions: Vec<Region>,
}

/// How it is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Json,
    Csv,
}

pub(super) fn run(job: &Manifest, seen: &Seen, form: Form, shell: &Shell) -> Result<Exit> {
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for series in &job.series {
        let known = seen.of(job, series)?;
        let slots = read(job, series, seen, &known)?;
        let is_empty = known.facts.iter().all(|fact| fact.files == 0);
        if slots.has_regions() || (is_of_regions(series) && is_empty) {
            with.push(slots);
        } else {
            without.push(series.id.0.clone());
        }
    }
    if with.is_empty() {
        return Err(no_regions(job).into());
    }
    let regions = slots::regions(&with);
    let series = with.into_iter().zip(regions).map(|(slots, regions)| SeriesRegions {
        series: slots.id,
        step_seconds: slots.step,
        regions,
    });
    let page = Page {
        job: job.name.clone(),
        archive: job.archive.root.to_string_lossy().into_owned(),
        series: series.collect(),
        without_regions: without,
    };
    match form {
        Form::Json => stdout::print_json(&page)?,
        Form::Csv => stdout::print(&page::csv(&page))?,
        Form::Text => {
            let paint = Paint(shell.page.colour);
            stdout::print_painted(&page::text(&page, paint), shell.page.colour)?;
        }
    }
    Ok(Exit::Complete)
}

fn no_regions(job: &Manifest) -> Problem {
    let ids: Vec<String> = job.series.iter().map(|series| format!("`{}`", escape(&series.id.0))).collect();
    let ids = ids.join(", ");
    let message = format!("`--by harpnum` counts slots by region, and the records of {ids} have no HARPNUM");
    Problem::new(Exit::Usage, message).hint("leave `--by` out, or use `--by day`, `--by week` or `--by month`")
}

/// True where the name or the filters of a series say that its records are of regions.
fn is_of_regions(series: &Series) -> bool {
    let filters = &series.filters;
    series.name.to_ascii_lowercase().contains("harp") || filters.harpnum.is_some() || filters.noaa.is_some()
}

/// What the archive knows of the regions of a series.
fn read(job: &Manifest, series: &Series, seen: &Seen, known: &Known) -> Result<SeriesSlots> {
    let scale = series.source.scale();
    let is_nrt = series.name.to_ascii_lowercase().contains("_nrt");
    let mut slots = SeriesSlots::new(&series.id.0, (scale, is_nrt), step(series), known.begun);
    let failed = failed::failed_days(&seen.reports, &series.id.0);
    for date in failed.keys() {
        slots.unlisted.insert(*date, Reason::Failed);
    }
    for fact in &known.facts {
        let day = match fact.state {
            DayFact::Sealed | DayFact::Provisional | DayFact::Stale => recorded(job, series, &seen.records, fact)?,
            DayFact::Started => started(series, &seen.records, fact, &known.begun)?,
            DayFact::Refused(_) | DayFact::Missing | DayFact::Unreadable(_) => Day::default(),
        };
        if let Some(reason) = day.unlisted {
            slots.unlisted.insert(fact.date, reason);
        }
        slots.add(day.slots, day.left_out.into_iter());
    }
    Ok(slots)
}

/// Seconds from one slot of a series to the next.
fn step(series: &Series) -> i64 {
    let asked = series.filters.cadence.map(|cadence| cadence.as_secs());
    i64::try_from(asked.unwrap_or_else(|| cadence::slots(&series.name))).unwrap_or(i64::MAX)
}

/// What is known of a day.
#[derive(Debug, Default)]
struct Day {
    slots: DaySlots,
    left_out: Vec<(i64, crate::day::SlotSpan)>,
    /// Why other slots are not there; where it has no record, that is said elsewhere.
    unlisted: Option<Reason>,
}

fn recorded(job: &Manifest, series: &Series, records: &Reader, fact: &Fact) -> Result<Day> {
    let Some(record) = records.record(&series.id, fact.date)? else { return Ok(Day::default()) };
    let scale = record.header.scale;
    let left_out = record.header.left_out.as_ref();
    let left_out: Vec<_> = left_out.into_iter().flat_map(|left_out| left_out.spans(scale)).collect();
    let unlisted = unlisted(series, &fact.state, &record);
    if series.fetch.has_files() {
        return Ok(Day { slots: of_files(&record.files, series, None), left_out, unlisted });
    }
    Ok(match table::records(&job.archive.root, &record, &series.name) {
        Some(slots) => Day { slots, left_out, unlisted },
        None => Day { slots: DaySlots::new(), left_out, unlisted: Some(Reason::NotKnown) },
    })
}

/// Why slots are not there that the record of a day does not name.
fn unlisted(series: &Series, state: &DayFact, record: &DayRecord) -> Option<Reason> {
    let filters = &series.filters;
    // What these leave out, no source lists.
    let is_filtered = filters.raw.is_some() || !filters.conditions.is_empty();
    let is_quality_known = filters.quality.is_none() || record.header.left_out.is_some();
    match state {
        DayFact::Provisional => Some(Reason::Provisional),
        DayFact::Sealed if is_filtered || !is_quality_known => Some(Reason::NotKnown),
        DayFact::Sealed => Some(Reason::Absent),
        _ => None,
    }
}

/// The files that are there of a day that is not finished.
fn started(series: &Series, records: &Reader, fact: &Fact, begun: &Window) -> Result<Day> {
    let files = records.started_files(&series.id, fact.date)?.unwrap_or_default();
    let window = begun.day(fact.date).window;
    let scale = series.source.scale();
    let is_asked = |line: &FileLine| scale.read(&line.time).is_some_and(|time| window.contains(time));
    let files: Vec<FileLine> = files.into_iter().filter(is_asked).collect();
    let segments = series.filters.segments.as_ref().map(Vec::len);
    let slots = of_files(&files, series, Some(segments.unwrap_or_default()));
    Ok(Day { slots, ..Day::default() })
}

/// The records of files. Of a day that is not finished, those that have fewer files than `segments`, or than another record, are
/// not known yet. A fallback numbers its regions differently, so that its records are of none of the preferred series.
fn of_files(files: &[FileLine], series: &Series, segments: Option<usize>) -> DaySlots {
    /// A region, a record and its time.
    type Record = (i64, Option<i64>, NaiveDateTime);
    let scale = series.source.scale();
    let is_preferred = |line: &&FileLine| line.source_series.as_ref().is_none_or(|name| *name == series.name);
    let mut records: BTreeMap<Record, (usize, Slot)> = BTreeMap::new();
    for line in files.iter().filter(is_preferred) {
        let (Some(harpnum), Some(time)) = (line.harpnum, scale.read(&line.time)) else { continue };
        let slot = match line.absent.as_deref() {
            None => Slot::Had,
            Some(ACCEPTED) => Slot::Lacks(Reason::Accepted),
            Some(_) => Slot::Lacks(Reason::NoFile),
        };
        let (count, known) = records.entry((harpnum, line.recnum, time)).or_insert((0, Slot::Had));
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
