//! The files of one record: where each is, what it is called, and how the export system knows it.

use std::sync::Arc;

use chrono::{NaiveDateTime, TimeDelta};
use url::Url;

use super::address::{lasting, on_base, unordered};
use super::columns::{FileColumns, SegmentPaths};
use super::filters::RecordFilterFacts;
use super::header_cards::HeaderKeywords;
use super::query::RecordQuery;
use super::record::Ordered;
use super::renumbered::place;
use super::response::RecordList;
use super::storage::{StoragePath, beside_offline, found, offline};
use super::values::WITH_HEADERS;
use crate::failure::Failure;
use crate::fits::Card;
use crate::manifest::Headers;
use crate::source::read_capped::malformed;
use crate::source::{Body, HeaderCards, RemoteFile};
use crate::untrusted::escape;

/// Longer names are no record's.
const LONGEST: usize = 500;

/// Lists the files of the records of one answer.
pub(super) struct RecordFiles<'a> {
    pub(super) question: &'a RecordQuery<'a>,
    pub(super) base: &'a Url,
    pub(super) columns: &'a FileColumns<'a>,
    /// The keywords that go into headers, where the job embeds them.
    pub(super) headers: Option<HeaderKeywords<'a>>,
    /// The files lie nowhere yet: their addresses say what to order.
    pub(super) is_ordered: bool,
}

/// A record, with what all its files have in common.
pub(super) struct NamedRecord {
    facts: RecordFilterFacts,
    /// The instant that it stands for.
    instant: Option<NaiveDateTime>,
    /// An order can have it.
    is_available: bool,
    /// `hmi.sharp_cea_720s[377][2011.02.15_02:00:00_TAI]`.
    query: String,
    /// `hmi.sharp_cea_720s.377.20110215_020000_TAI`.
    stem: String,
    cards: Option<Arc<[Card]>>,
}

/// A file of a record.
pub(super) struct RecordFile {
    pub(super) file: RemoteFile,
    /// How the export system knows it, where it is ordered.
    pub(super) ordered: Option<Ordered>,
}

/// Where a file is asked for.
struct FileAddress<'a> {
    url: Url,
    /// The same, relative to the base.
    path: String,
    /// The ending of its name.
    ending: &'a str,
}

impl NamedRecord {
    /// As JSOC writes a file of it: `hmi.sharp_cea_720s[377][2011.02.15_02:00:00_TAI]{Br}`.
    fn with_segment(&self, segment: &str) -> String {
        format!("{}{{{segment}}}", self.query)
    }

    /// The failure of an answer whose path of a segment is wrong.
    fn wrong_path(&self, segment: &str, path: &str, why: &str) -> Failure {
        malformed(&format!("record {}: the path of `{segment}`, {why}, is `{}`", self.facts.at, escape(path)))
    }
}

impl RecordFiles<'_> {
    /// Names a record.
    ///
    /// # Errors
    /// `listing-malformed` for a name that is longer than any of JSOC's.
    pub(super) fn record(
        &self,
        answer: &RecordList,
        facts: RecordFilterFacts,
        instant: Option<NaiveDateTime>,
        is_available: bool,
    ) -> Result<NamedRecord, Failure> {
        let at = facts.at;
        let query = answer.query(at).map_or_else(|| self.columns.query(self.question, at), str::to_owned);
        let stem = self.columns.stem(self.question, at);
        // Every file of the record has these names in it.
        if let Some(long) = [&query, &stem].into_iter().find(|name| name.len() > LONGEST) {
            let start: String = long.chars().take(40).collect();
            let why = format!("record {at}: its name `{}...` is longer than {LONGEST} bytes", escape(&start));
            return Err(malformed(&why));
        }
        let cards = self.headers.as_ref().map(|headers| headers.shared(at));
        Ok(NamedRecord { facts, instant, is_available, query, stem, cards })
    }

    /// Lists the file that a record has of a segment.
    ///
    /// # Errors
    /// `listing-malformed` for a path that is none of JSOC's.
    pub(super) fn file(&self, record: &NamedRecord, segment: &SegmentPaths<'_>) -> Result<RecordFile, Failure> {
        let RecordFilterFacts { at, recnum, time, harpnum, wavelength } = record.facts;
        let path = segment.paths.value(at);
        let found = self.find(record, segment)?;
        let FileAddress { url, path: relative, ending } = self.address(record, segment.name, path, found)?;
        let ordered = self.is_ordered.then(|| self.ordered(record, segment));
        let is_stored_file = self.is_ordered && self.question.is_as_stored() && matches!(found, StoragePath::File(_));
        let file = RemoteFile {
            key: key(recnum, segment.name, self.question.series.headers),
            url,
            path: relative,
            name: Some(format!("{}.{}.{ending}", record.stem, segment.name)),
            time,
            t_rec: Some(time),
            instant: record.instant,
            source_series: None,
            recnum: Some(recnum),
            harpnum,
            segment: Some(segment.name.to_owned()),
            wavelength,
            // JSOC gives the size of all files of a record together, or of all that lies beside them.
            bytes: None,
            listed: None,
            rounded: None,
            cards: self.cards(record, segment.name, ending),
            storage: place(path).filter(|_| is_stored_file).map(str::to_owned),
            body: body(record, segment.name, found),
        };
        Ok(RecordFile { file, ordered })
    }

    /// What JSOC says of a file.
    fn find<'p>(&self, record: &NamedRecord, segment: &SegmentPaths<'p>) -> Result<StoragePath<'p>, Failure> {
        let path = segment.paths.value(record.facts.at);
        let storage = self.columns.storage(record.facts.at, segment.is_linked);
        let found = found(path, storage).map_err(|why| record.wrong_path(segment.name, path, why))?;
        // An order leaves out the records that have no image (`jsoc_fetch.c:3485-3528`).
        Ok(if self.is_ordered && !storage.has_image { StoragePath::Nothing } else { found })
    }

    /// Where a file is asked for: on the disks as it lies there, else by an order, or by a query that shows that there is none.
    fn address<'p>(
        &self,
        record: &NamedRecord,
        segment: &str,
        path: &'p str,
        found: StoragePath<'_>,
    ) -> Result<FileAddress<'p>, Failure> {
        let series = self.question.series;
        let is_direct = matches!(found, StoragePath::File(_)) && !self.is_ordered;
        let is_absent = matches!(found, StoragePath::Nothing | StoragePath::Gone);
        let (url, relative) = if is_direct {
            on_base(self.base, path).map_err(|why| record.wrong_path(segment, path, why))?
        } else if is_absent {
            unordered(series, record.facts.recnum, segment).on(self.base)
        } else {
            lasting(series, &record.with_segment(segment)).on(self.base)
        };
        let has_own_ending = is_direct || (!is_absent && !self.question.is_made_anew());
        Ok(FileAddress { url, path: relative, ending: if has_own_ending { ending(path) } else { "fits" } })
    }

    /// How the export system knows a file.
    fn ordered(&self, record: &NamedRecord, segment: &SegmentPaths<'_>) -> Ordered {
        let RecordFilterFacts { at, recnum, time, harpnum, .. } = record.facts;
        let path = segment.paths.value(at);
        let linked_slack = if segment.is_linked { self.question.step() } else { TimeDelta::zero() };
        Ordered {
            record: record.query.clone(),
            recnum,
            time,
            harpnum,
            segment: segment.name.to_owned(),
            file: on_disk(path).map(str::to_owned),
            place: place(path).map(str::to_owned),
            is_available: record.is_available,
            time_slack: TimeDelta::seconds(1) + linked_slack,
        }
    }

    /// The keywords that go into a file's header. None go into a file that is not FITS.
    fn cards(&self, record: &NamedRecord, segment: &str, ending: &str) -> Option<HeaderCards> {
        let (headers, shared) = self.headers.as_ref().zip(record.cards.as_ref())?;
        let is_fits = ["fits", "fts", "fit"].contains(&ending);
        is_fits.then(|| headers.of_file(shared, record.facts.at, record.facts.recnum, segment))
    }
}

/// What is fetched for a file.
fn body(record: &NamedRecord, segment: &str, found: StoragePath<'_>) -> Body {
    match found {
        StoragePath::Nothing | StoragePath::Gone => Body::None,
        StoragePath::Offline => Body::Offline(offline(&record.with_segment(segment))),
        StoragePath::File(_) if !record.is_available => Body::Offline(beside_offline(&record.with_segment(segment))),
        StoragePath::File(_) => Body::Remote,
    }
}

/// What identifies a file. One with keywords in its header is another file than the one as it came.
fn key(recnum: i64, segment: &str, headers: Headers) -> String {
    match headers {
        Headers::AsIs => format!("{recnum}/{segment}"),
        Headers::Embed => format!("{recnum}/{segment}{WITH_HEADERS}"),
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
    use super::super::values::whole;
    use super::*;

    #[test]
    fn endings_and_numbers_are_read_as_they_are_written() {
        let endings = ["/SUM1/D1/S00000/Br.fits", "/a/x.jpg", "/a.b/x", "/a/x.verylong"].map(ending);
        assert_eq!(endings, ["fits", "jpg", "fits", "fits"]);
        assert_eq!(["377", "6173.0", "MISSING", "nan", "1e300"].map(whole), [Some(377), Some(6173), None, None, None]);
    }
}
