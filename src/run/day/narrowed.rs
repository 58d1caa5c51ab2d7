//! A sealed day of which less is asked for than before, or the same under other paths. Its record tells which of its files these
//! are, and nobody is asked.

use super::known_files::{known_name, known_path};
use super::path_of;
use crate::archive::{DayRecord, DayWork, FileLine, LeftOut, RecordState};
use crate::day::Window;
use crate::digest::Digest;
use crate::fetch;
use crate::manifest::{Query, Series, SourceSpec, Template};
use crate::run::file_address::address;
use crate::run::{OpenedSeries, Todo};
use crate::source::jsoc::with_segments;
use crate::source::{Asked, Listed, MADE, RemoteFile, is_at_cadence, recorded_table};

/// The files of a sealed record, sorted by whether a narrower query asks for them.
#[derive(Debug, PartialEq, Eq)]
pub struct Narrowed<'r> {
    /// Those that are asked for, the absent ones among them.
    pub asked_for: Vec<&'r FileLine>,
    /// Those that no longer are.
    pub left: Vec<&'r FileLine>,
    /// Those that are may belong elsewhere.
    pub has_other_layout: bool,
}

impl<'r> Narrowed<'r> {
    /// Sorts a record, if one of the queries of before made it and the series asks for nothing beyond that; `None` where the
    /// source must be asked.
    ///
    /// Keyword tables and copies with keywords are made of a listing's answers, which a record does not have: only a table of
    /// JSOC stays what it is, where the same records are asked for. Neither does a record say which records gave way to those of
    /// a preferred series. A day of which no file would be left is listed as well. Of a source whose addresses do not last this
    /// holds too: none of the files is asked for.
    #[must_use]
    pub fn of(series: &Series, window: Window, before: &[Query], record: &'r DayRecord) -> Option<Narrowed<'r>> {
        let (header, scale) = (&record.header, series.source.scale());
        let (query, recorded) = (Query::of(series), header.asked_window());
        let before = before.iter().find(|query| query.spec(recorded, scale) == header.spec)?;
        let has_other_layout = query.layout() != before.layout();
        let same_records = query.has_records_of(before) && (window.start, window.end) == (recorded.start, recorded.end);
        let is_told = header.state == RecordState::Sealed
            && series.fallbacks.is_empty()
            && query.narrows(before)
            && window.intersect(&recorded) == window
            && (header.left_out.is_none() || same_records)
            && (!chooses_records(series) || (window.start, window.end) == (recorded.start, recorded.end))
            && record
                .files
                .iter()
                .all(|line| is_fetched_as_is(line) || (same_records && is_lasting_table(series, line)))
            && (!has_other_layout || tells_names(before, series));
        if !is_told {
            return None;
        }
        let cadence = series.filters.cadence.filter(|_| query.has_other_cadence(before));
        let mut narrowed = Narrowed { asked_for: Vec::new(), left: Vec::new(), has_other_layout };
        for line in &record.files {
            if line.key.starts_with(MADE) {
                narrowed.asked_for.push(line);
                continue;
            }
            let time = scale.read(&line.time)?;
            let at_cadence = cadence.map_or(Some(true), |cadence| is_at_cadence(series, time, cadence));
            let is_asked_for =
                window.contains(time) && at_cadence? && passes_filters(series, line.segment.as_ref(), line.harpnum)?;
            if is_asked_for { narrowed.asked_for.push(line) } else { narrowed.left.push(line) }
        }
        let is_file =
            |line: &&FileLine| line.absent.is_none() && !(series.fetch.has_files() && line.key.starts_with(MADE));
        narrowed.asked_for.iter().any(is_file).then_some(narrowed)
    }
}

/// True where it depends on the window which records a cadence takes: JSOC's may be those nearest to its instants.
fn chooses_records(series: &Series) -> bool {
    matches!(*series.source, SourceSpec::Jsoc(_)) && series.filters.cadence.is_some()
}

/// True when the paths of a record tell what another layout makes of its files: the name of each, where that is needed.
fn tells_names(before: &Query, series: &Series) -> bool {
    !series.layout.names_file() || Template::parse(before.layout()).is_ok_and(|layout| layout.names_file())
}

/// True when a series' filters let a file of this segment and region through; `None` where that is not told.
#[must_use]
pub fn passes_filters(series: &Series, segment: Option<&String>, harpnum: Option<i64>) -> Option<bool> {
    let is_of_region = is_one_of(series.filters.harpnum.as_deref(), harpnum.as_ref())?;
    Some(is_of_region && is_one_of(series.filters.segments.as_deref(), segment)?)
}

/// True when a filter lets a file through; `None` where the record does not tell.
fn is_one_of<T: PartialEq>(wanted: Option<&[T]>, told: Option<&T>) -> Option<bool> {
    let Some(wanted) = wanted else { return Some(true) };
    told.map(|told| wanted.contains(told))
}

/// A day's listing by its record.
pub(in crate::run) struct RecordListing {
    pub(in crate::run) listed: Listed,
    /// The lines of the files that upstream does not have.
    pub(in crate::run) absent: Vec<FileLine>,
    pub(in crate::run) left_out: Option<LeftOut>,
}

/// The listing by the record that stands, if that tells what is asked for and the files are there; else `None`, and the source is
/// asked.
pub(in crate::run) fn listing(opened: &OpenedSeries, todo: &Todo, work: &DayWork) -> Option<RecordListing> {
    if todo.how.afresh || todo.how.recheck || todo.how.retry_absent {
        return None;
    }
    let record = work.record()?;
    let Narrowed { asked_for, has_other_layout, .. } =
        Narrowed::of(&opened.series, todo.day.window, &opened.queries, record)?;
    let (mut files, mut absent) = (Vec::with_capacity(asked_for.len()), Vec::new());
    for line in asked_for {
        let file = if line.key.starts_with(MADE) { table(opened, todo, line, work)? } else { listed(opened, line)? };
        if line.absent.is_some() {
            let path = if has_other_layout { absent_path(opened, todo, &file, line)? } else { line.path.clone() };
            absent.push(FileLine { path, ..line.clone() });
        } else if work.is_there(line) && known_path(opened, todo, &file, work).is_ok_and(|path| path.is_some()) {
            files.push(file);
        } else {
            return None;
        }
    }
    let listed = Listed { files, ..Listed::default() };
    Some(RecordListing { listed, absent, left_out: record.header.left_out.clone() })
}

/// Where another layout has an absent file. The name of one that is accepted as bad may be that of its answer, which its path
/// alone tells, and JSOC's listing names each; any other one is named by its URL.
fn absent_path(opened: &OpenedSeries, todo: &Todo, file: &RemoteFile, line: &FileLine) -> Option<String> {
    let OpenedSeries { series, .. } = opened;
    let is_by_url =
        !series.layout.names_file() || (line.reason.is_none() && !matches!(*series.source, SourceSpec::Jsoc(_)));
    let by_url = || is_by_url.then(|| fetch::name_of(file, None));
    let name = known_name(opened, todo, file, Some(line)).or_else(by_url)?;
    path_of(series, todo, file, &name).ok().map(|path| path.to_string())
}

/// The listing by the record that stands of a day that is asked for as it was then, whatever the manifest asks now.
pub(in crate::run) fn as_recorded(opened: &OpenedSeries, todo: &Todo, work: &DayWork) -> Option<RecordListing> {
    let record = work.record().filter(|record| record.header.spec == todo.spec)?;
    if !(opened.series.source.has_lasting_addresses() && record.files.iter().all(is_fetched_as_is)) {
        return None;
    }
    let (absent, there): (Vec<&FileLine>, Vec<&FileLine>) =
        record.files.iter().partition(|line| line.absent.is_some() && !todo.how.retry_absent);
    let files = there.into_iter().map(|line| listed(opened, line)).collect::<Option<Vec<RemoteFile>>>()?;
    let listed = Listed { files, ..Listed::default() };
    Some(RecordListing {
        listed,
        absent: absent.into_iter().cloned().collect(),
        left_out: record.header.left_out.clone(),
    })
}

/// True for a table that is made of the records alone, whatever is asked for of their files.
fn is_lasting_table(series: &Series, line: &FileLine) -> bool {
    matches!(*series.source, SourceSpec::Jsoc(_)) && line.key.starts_with(MADE) && line.sha256.is_some()
}

/// A table as a listing would have it; `None` where it does not lie at its path with its bytes.
fn table(opened: &OpenedSeries, todo: &Todo, line: &FileLine, work: &DayWork) -> Option<RemoteFile> {
    let bytes = work.read(line).ok()??;
    if line.sha256 != Some(Digest::sha256(&bytes)) {
        return None;
    }
    let path = with_segments(&line.url, opened.series.filters.segments.as_deref())?;
    let url = address(opened.source.current().client().base(), &opened.series.source, &path)?;
    recorded_table(&opened.series, &todo.day, &line.key, bytes, Asked { url: &url, path: &path })
}

/// False for what is made of a listing's answers: tables of keywords, and copies with keywords.
fn is_fetched_as_is(line: &FileLine) -> bool {
    line.origin.is_none() && !line.key.starts_with(MADE)
}

/// A file as a listing would have it; `None` where its line does not tell what its path needs.
fn listed(opened: &OpenedSeries, line: &FileLine) -> Option<RemoteFile> {
    let source = &opened.series.source;
    let url = address(opened.source.current().client().base(), source, &line.url)?;
    let scale = source.scale();
    let time = scale.read(&line.time)?;
    Some(RemoteFile {
        // The time of a record of JSOC is its slot.
        t_rec: matches!(**source, SourceSpec::Jsoc(_)).then_some(time),
        bytes: line.bytes,
        listed: line.listed.clone(),
        recnum: line.recnum,
        harpnum: line.harpnum,
        segment: line.segment.clone(),
        instant: line
            .instant
            .as_deref()
            .map(|instant| scale.read(instant))
            .map_or(Some(None), |read| read.map(Some))?,
        ..RemoteFile::new(line.key.clone(), url, line.url.clone(), time)
    })
}
