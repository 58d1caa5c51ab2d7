//! The records of an answer as files: those of the day, once each, with the filters looked at again.
//!
//! What it does not do: ask. Everything here is a pure function of answers.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{NaiveDateTime, TimeDelta};
use url::Url;

use super::address::{lasting, on_base, unordered};
use super::filters::{RecordFilter, RecordFilterFacts};
use super::header_cards::HeaderKeywords;
use super::instants::InstantCandidate;
use super::query::{HARPNUM, QUALITY, RecordQuery, WAVELNTH};
use super::record::{Names, Ordered, WantedRecord};
use super::renumbered::place;
use super::response::{RecordColumn, RecordList};
use super::slot;
use super::storage::{NO_SEGMENT, Storage, StoragePath, beside_offline, found, offline};
use super::values::{NO_IMAGE, NO_KEYWORD, WITH_HEADERS, bits, whole};
use crate::day::Day;
use crate::failure::{Class, Failure};
use crate::manifest::Headers;
use crate::source::read_capped;
use crate::source::read_capped::malformed;
use crate::source::{BORDER, Body, Listed, RemoteFile};
use crate::untrusted::escape;

/// Longer names are no record's.
const LONGEST: usize = 500;

/// What a day's records are.
#[derive(Debug, Default)]
pub(super) struct DayRecordsQuery {
    /// Their files.
    pub(super) listed: Listed,
    /// How the export system knows each file that is ordered, by its key.
    pub(super) names: Names,
    /// The places in the answer of those that are asked for, with their times and numbers.
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
) -> Result<DayRecordsQuery, Failure> {
    let count = answer.records()?;
    let mut records = DayRecordsQuery::default();
    records.listed.left_out_by_quality = question.lists_every_quality().then(BTreeMap::new);
    let cadence = question.instants().or_else(|| question.slots_of_cadence());
    records.listed.cadence_slots = cadence.map_or(0, |cadence| cadence.count_in(day.window));
    if count == 0 {
        records.listed.without_record = records.listed.cadence_slots;
        return Ok(records);
    }
    let columns = FileColumns::of(answer, question)?;
    let headers = (question.series.headers == Headers::Embed).then(|| HeaderKeywords::of(question, answer));
    let sieve = RecordFilter::of(question, answer)?;
    let facts: Vec<RecordFilterFacts> = (0..count).map(|at| columns.facts(question, at)).collect::<Result<_, _>>()?;
    let on_cadence = cadence.map(|cadence| {
        let kinds: Vec<&RecordColumn> = question.kind_keys().filter_map(|key| answer.known(key)).collect();
        let candidate = |facts: &RecordFilterFacts| InstantCandidate {
            time: facts.time,
            recnum: facts.recnum,
            kind: kinds.iter().map(|column| column.value(facts.at)).collect(),
        };
        cadence.choose(day.window, facts.iter().filter(|facts| sieve.keeps(**facts)).map(candidate))
    });
    let is_asked_for = |facts: &&RecordFilterFacts| day.window.contains(facts.time) && sieve.keeps(**facts);
    let wavelengths: BTreeSet<i64> = facts.iter().filter(is_asked_for).filter_map(|facts| facts.wavelength).collect();
    let wanted = question.series.filters.wavelength.as_ref();
    // A wavelength that the whole day lacks is no kind among its records.
    let lacks_one = wanted.is_some_and(|wanted| wanted.iter().any(|one| !wavelengths.contains(one)));
    records.listed.without_record = match &on_cadence {
        Some(_) if lacks_one => records.listed.cadence_slots,
        Some(nearest) => nearest.lacking,
        None => 0,
    };
    // Of a cadence of whole slots JSOC chooses the records.
    let chosen = on_cadence.filter(|_| question.instants().is_some());
    // More is asked for than the window holds.
    let asked = question.instants().and_then(|instants| instants.reach(day.window)).unwrap_or(day.window);
    let (from, until) = (asked.start - question.margin(), asked.end + question.margin());
    for facts in facts {
        let RecordFilterFacts { at, recnum, time, harpnum, wavelength } = facts;
        let of = |what: &str, value: &str| malformed(&format!("record {at}: {what} is `{}`", escape(value)));
        let is_available = !is_ordered || columns.can_be_ordered(at);
        if !is_available {
            records.not_orderable.insert(time);
        }
        if !day.window.contains(time) {
            if time < from || time >= until {
                records.listed.note_outside(time, day, BORDER.max(day.window.start - from).max(until - day.window.end));
            }
            continue;
        }
        let is_chosen = chosen.as_ref().is_none_or(|chosen| chosen.records.contains(&recnum));
        if !is_chosen || !sieve.keeps(facts) {
            records.listed.left_out += question.segments.len().max(1) as u64;
            if let (Some(left_out), Some(harpnum)) = (&mut records.listed.left_out_by_quality, harpnum)
                && sieve.lacks_quality_alone(facts)
            {
                left_out.entry(harpnum).or_default().push([time, time]);
            }
            continue;
        }
        let instant = question.instants().and_then(|instants| instants.of(time));
        records.kept.push(WantedRecord { at, time, instant, recnum, harpnum });
        let size = answer.known("*size*").and_then(|size| size.value(at).trim().parse().ok());
        records.size = records.size.saturating_add(size.unwrap_or_default());
        let query = answer.query(at).map_or_else(|| columns.query(question, at), str::to_owned);
        let stem = columns.stem(question, at);
        // They stand in every file of the record.
        if let Some(long) = [&query, &stem].into_iter().find(|name| name.len() > LONGEST) {
            let start: String = long.chars().take(40).collect();
            let why = format!("record {at}: its name `{}...` is longer than {LONGEST} bytes", escape(&start));
            return Err(malformed(&why));
        }
        read_capped::room(records.listed.files.len() + columns.segments.len())?;
        let shared = headers.as_ref().map(|headers| (headers, headers.shared(at)));
        for SegmentPaths { name: segment, paths, is_linked } in &columns.segments {
            let path = paths.value(at);
            let on_disk = on_disk(path).map(str::to_owned);
            let stored = place(path).map(str::to_owned);
            let named = || format!("{query}{{{segment}}}");
            let key = key(recnum, segment, question.series.headers);
            let storage = columns.storage(at, *is_linked);
            let found = found(path, storage).map_err(|why| of(&format!("the path of `{segment}`, {why},"), path))?;
            // An order leaves out the records that have no image (`jsoc_fetch.c:3485-3528`).
            let found = if is_ordered && !storage.has_image { StoragePath::Nothing } else { found };
            let set = match found {
                StoragePath::Nothing | StoragePath::Gone => unordered(question.series, recnum, segment),
                _ => lasting(question.series, &named()),
            };
            let ((url, path), ending) = match found {
                StoragePath::File(path) if !is_ordered => {
                    let address =
                        on_base(base, path).map_err(|why| of(&format!("the path of `{segment}`, {why},"), path))?;
                    (address, ending(path))
                }
                StoragePath::File(_) | StoragePath::Offline if !question.is_made_anew() => (set.on(base), ending(path)),
                _ => (set.on(base), "fits"),
            };
            if is_ordered {
                let (record, segment) = (query.clone(), (*segment).to_owned());
                let linked_slack = if *is_linked { question.step() } else { TimeDelta::zero() };
                let time_slack = TimeDelta::seconds(1) + linked_slack;
                let ordered = Ordered {
                    record,
                    recnum,
                    time,
                    harpnum,
                    segment,
                    file: on_disk,
                    place: stored.clone(),
                    is_available,
                    time_slack,
                };
                if let Some(other) = records.names.insert(key.clone(), ordered.clone())
                    && other != ordered
                {
                    return Err(malformed(&format!(
                        "record {at}: `{}` is listed twice, and not as the same",
                        escape(&key)
                    )));
                }
            }
            records.listed.files.push(RemoteFile {
                name: Some(format!("{stem}.{segment}.{ending}")),
                url,
                path,
                time,
                t_rec: Some(time),
                instant,
                source_series: None,
                recnum: Some(recnum),
                harpnum,
                segment: Some((*segment).to_owned()),
                wavelength,
                // What JSOC tells is the size of all files of a record, or of all that lies beside them.
                bytes: None,
                listed: None,
                rounded: None,
                cards: shared
                    .as_ref()
                    .filter(|_| ["fits", "fts", "fit"].contains(&ending))
                    .map(|(headers, shared)| headers.of_file(shared, at, recnum, segment)),
                storage: stored
                    .filter(|_| is_ordered && question.is_as_stored() && matches!(found, StoragePath::File(_))),
                body: match found {
                    StoragePath::Nothing | StoragePath::Gone => Body::None,
                    StoragePath::Offline => Body::Offline(offline(&named())),
                    StoragePath::File(_) if !is_available => Body::Offline(beside_offline(&named())),
                    StoragePath::File(_) => Body::Remote,
                },
                key,
            });
        }
    }
    records.listed = records.listed.folded()?;
    Ok(records)
}

/// What identifies a file. One with keywords in its header is another file than the one as it came.
fn key(recnum: i64, segment: &str, headers: Headers) -> String {
    match headers {
        Headers::AsIs => format!("{recnum}/{segment}"),
        Headers::Embed => format!("{recnum}/{segment}{WITH_HEADERS}"),
    }
}

/// The columns that files are made of.
struct FileColumns<'a> {
    recnum: &'a RecordColumn,
    time: &'a RecordColumn,
    harpnum: Option<&'a RecordColumn>,
    wavelength: Option<&'a RecordColumn>,
    online: Option<&'a RecordColumn>,
    archive: Option<&'a RecordColumn>,
    quality: Option<&'a RecordColumn>,
    prime: Vec<&'a RecordColumn>,
    segments: Vec<SegmentPaths<'a>>,
}

/// The paths of a segment's files.
struct SegmentPaths<'a> {
    name: &'a str,
    paths: &'a RecordColumn,
    /// Its files are of a record of another series.
    is_linked: bool,
}

impl<'a> FileColumns<'a> {
    fn of(answer: &'a RecordList, question: &RecordQuery<'a>) -> Result<FileColumns<'a>, Failure> {
        let structure = question.structure;
        let prime: Vec<&RecordColumn> =
            structure.prime.iter().map(|key| answer.keyword(key)).collect::<Result<_, _>>()?;
        let online = answer.known("*online*");
        let has_no_unit = |at: usize| online.is_some_and(|online| online.value(at) == "NA");
        let segment = |name: &&'a str| {
            let paths = answer.segment(name)?;
            // Files of a record without a storage unit of its own are another record's.
            let is_linked = question.structure.linked.iter().any(|linked| linked == name)
                || (0..paths.len()).any(|at| has_no_unit(at) && paths.value(at).starts_with('/'));
            Ok(SegmentPaths { name, paths, is_linked })
        };
        let segments: Vec<SegmentPaths<'_>> = question.segments.iter().map(segment).collect::<Result<_, Failure>>()?;
        let unknown = |what: &str, name: &str, word: &str| {
            let why =
                format!("JSOC says `{word}` of the {what} `{}` of `{}`", escape(name), escape(&question.series.name));
            Failure::new(Class::SourceRefused, why)
        };
        if let Some((key, _)) = structure.prime.iter().zip(&prime).find(|(_, column)| column.value(0) == NO_KEYWORD) {
            return Err(unknown("keyword", key, NO_KEYWORD));
        }
        if let Some(segment) = segments.iter().find(|segment| segment.paths.value(0) == NO_SEGMENT) {
            return Err(unknown("segment", segment.name, NO_SEGMENT));
        }
        Ok(FileColumns {
            recnum: answer.keyword("*recnum*")?,
            time: answer.keyword(&structure.time)?,
            harpnum: answer.known(HARPNUM),
            wavelength: answer.known(WAVELNTH),
            online,
            archive: answer.known("*archive*"),
            quality: answer.known(QUALITY),
            prime,
            segments,
        })
    }

    /// What a record is chosen by.
    fn facts(&self, question: &RecordQuery<'_>, at: usize) -> Result<RecordFilterFacts, Failure> {
        let of = |what: &str, value: &str| malformed(&format!("record {at}: {what} is `{}`", escape(value)));
        let recnum = self.recnum.value(at);
        let recnum = recnum.trim().parse().map_err(|_| of("`*recnum*`", recnum))?;
        let text = self.time.value(at);
        let time = slot::time(text).ok_or_else(|| of(&format!("`{}`", question.structure.time), text))?;
        let number = |column: Option<&RecordColumn>| column.and_then(|column| whole(column.value(at)));
        Ok(RecordFilterFacts { at, recnum, time, harpnum: number(self.harpnum), wavelength: number(self.wavelength) })
    }

    /// What is told of where the files of a record are stored.
    fn storage(&self, at: usize, is_linked: bool) -> Storage<'a> {
        let value = |column: Option<&'a RecordColumn>| column.map_or("", |column| column.value(at));
        let quality = bits(value(self.quality));
        Storage {
            online: value(self.online),
            archive: value(self.archive),
            is_linked,
            has_image: quality.is_none_or(|bits| bits & NO_IMAGE == 0),
        }
    }

    /// True when an order can have a record: none of its files is offline or gone.
    fn can_be_ordered(&self, at: usize) -> bool {
        let is_there = |segment: &SegmentPaths<'_>| {
            let storage = self.storage(at, segment.is_linked);
            let found = found(segment.paths.value(at), storage);
            // An order leaves out the records that have no image (`jsoc_fetch.c:3485-3528`).
            !storage.has_image || found.is_ok_and(StoragePath::can_be_ordered)
        };
        self.segments.iter().all(is_there)
    }

    /// The record as it is asked for alone, where JSOC does not tell it.
    fn query(&self, question: &RecordQuery<'_>, at: usize) -> String {
        let keys: String = self.prime.iter().flat_map(|column| ["[", column.value(at), "]"]).collect();
        format!("{}{keys}", question.series.name)
    }

    /// JSOC's own name of a record's files, without the segment: `hmi.sharp_cea_720s.377.20110215_020000_TAI`.
    fn stem(&self, question: &RecordQuery<'_>, at: usize) -> String {
        let mut stem = question.series.name.clone();
        for (key, column) in question.structure.prime.iter().zip(&self.prime) {
            let value = column.value(at);
            let is_time = question.structure.is_time(key);
            stem.push('.');
            stem.push_str(&if is_time { slot::stamp(value) } else { value.to_owned() });
        }
        stem.chars().map(|c| if c.is_ascii_alphanumeric() || "._+-".contains(c) { c } else { '_' }).collect()
    }
}

/// The name of the file that a path leads to, where it leads to one.
fn on_disk(path: &str) -> Option<&str> {
    path.strip_prefix('/')?.rsplit('/').next().filter(|name| !name.is_empty())
}

/// The ending of a path's last part; that of FITS where it has none that looks like one.
fn ending(path: &str) -> &str {
    let last = path.rsplit('/').next().unwrap_or_default();
    let ending = last.rsplit_once('.').map(|(_, ending)| ending);
    let is_plain = |ending: &&str| (1..=5).contains(&ending.len()) && ending.bytes().all(|b| b.is_ascii_alphanumeric());
    ending.filter(is_plain).unwrap_or("fits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_and_numbers_are_read_as_they_are_written() {
        let endings = ["/SUM1/D1/S00000/Br.fits", "/a/x.jpg", "/a.b/x", "/a/x.verylong"].map(ending);
        assert_eq!(endings, ["fits", "jpg", "fits", "fits"]);
        assert_eq!(["377", "6173.0", "MISSING", "nan", "1e300"].map(whole), [Some(377), Some(6173), None, None, None]);
    }
}
