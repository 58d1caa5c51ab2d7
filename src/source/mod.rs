//! Where files are: the trait, and one file per kind of source. Sources list, and never download.

mod cadence_gap;
pub mod hapi;
mod header_cards;
pub mod hmi;
pub mod index;
pub mod jsoc;
mod keywords;
mod launch_date;
pub mod medoc;
mod read_capped;
mod replicas;
pub mod template;
mod url_scope;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use chrono::{NaiveDateTime, TimeDelta};
use percent_encoding::percent_decode_str;
use url::Url;

use crate::archive::FileLine;
pub use crate::archive::MADE;
use crate::day::{Day, SlotSpan, Window};
use crate::failure::{Class, Failure};
use crate::manifest::{Region, RegionNumber, Series, SourceSpec};
use crate::net::{Client, secret_names, shown};
use crate::untrusted::escape;
pub use header_cards::HeaderCards;
pub use hmi::slot::is_at_cadence;
pub use keywords::{KEYWORDS_TABLE, common_kind, recorded_table, table_records};
pub use replicas::{Replica, Replicas};
pub(crate) use url_scope::from_base;

/// A service that lists the files of a series for a day.
///
/// # Contract
/// - The same upstream gives the same listing: sorted by key, without repeats.
/// - Every file lies in the day's window by the source's own time key; what does not is counted, not given.
/// - A key is stable and free of hosts. Every filter of the series is applied, or the listing fails as
///   `source-refused`.
/// - One call is one attempt: an error says by its class whether another may help.
pub trait Source: Send + Sync {
    /// The files of one day. Without a `memory` it is only looked at: nothing is ordered for it.
    fn list<'a>(&'a self, series: &'a Series, day: &'a Day, memory: Option<&'a Arc<dyn Memory>>) -> Listing<'a>;

    /// What the source has of active regions, by number; none where its records are not those of patches. The windows of
    /// the patches are looked up where they are asked for.
    fn regions<'a>(&'a self, series: &'a Series, wanted: &'a [RegionNumber], with_windows: bool) -> RegionLookup<'a> {
        let _ = (series, wanted, with_windows);
        Box::pin(std::future::ready(Ok(None)))
    }
}

/// What a source keeps of a day between two runs: one short text, such as the number of an order.
pub trait Memory: Send + Sync {
    /// What was kept last, for the same question to the same source.
    fn recall(&self) -> Option<String>;

    /// Keeps a text in place of the last one, durably before it returns; an empty one forgets it.
    ///
    /// # Errors
    /// `storage`.
    fn keep(&self, text: &str) -> Result<(), Failure>;

    /// The keys of those files of a listing that are here, and that nothing will be asked about: they need not be ordered.
    fn here(&self, files: &[RemoteFile]) -> HashSet<String>;

    /// True when files may be ordered.
    fn may_order(&self) -> bool {
        true
    }

    /// The series that slots must be taken from, whichever is preferred: those of a lock, or of a sealed day that is mended.
    fn fixed_series(&self) -> BTreeMap<NaiveDateTime, String> {
        BTreeMap::new()
    }
}

/// A listing on its way.
pub type Listing<'a> = Pin<Box<dyn Future<Output = Result<Listed, Failure>> + Send + 'a>>;

/// Regions on their way.
pub type RegionLookup<'a> = Pin<Box<dyn Future<Output = Result<Option<Vec<Region>>, Failure>> + Send + 'a>>;

/// What a source says of one day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// The files asked for, sorted by key.
    pub files: Vec<RemoteFile>,
    /// Items that the answer held outside the day's window; dropped.
    pub outside_day: u64,
    /// The time of one of them that lies so far from the day that no border explains it.
    pub far_outside: Option<NaiveDateTime>,
    /// Items that named a key again; folded.
    pub duplicates: u64,
    /// Files of the day that the series' filters leave out.
    pub left_out: u64,
    /// The slots of the records that `quality` alone leaves out, by HARP number; none where the source does not list them.
    pub left_out_by_quality: Option<BTreeMap<i64, Vec<SlotSpan>>>,
    /// Slots of the series' cadence in what is asked of the day, where the source is to have a record for each.
    pub cadence_slots: u64,
    /// Those of them that have no record.
    pub without_record: u64,
    /// The source says that it does not have all of the day yet: it is not final, however long ago it was.
    pub may_grow: bool,
    /// Which series the records are of, where the job prefers one of several.
    pub by_series: BySeries,
}

/// The records of a day by their series, where the job prefers one of several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BySeries {
    /// How many records of each series the day has. Empty where the job names one series alone.
    pub records: BTreeMap<String, u64>,
    /// The series that each slot is taken from.
    pub slots: BTreeMap<NaiveDateTime, Arc<str>>,
}

/// Around midnight a service may give more than it is asked for: the end of a range as well, or what its own slots, scale
/// or rounding put there.
const BORDER: TimeDelta = TimeDelta::hours(1);

impl Listed {
    /// Counts an item outside the day's window. `border` is how far from the day's own ends it may lie.
    fn note_outside(&mut self, time: NaiveDateTime, day: &Day, border: TimeDelta) {
        self.outside_day += 1;
        let whole = Window::of_day(day.date);
        let is_far = whole.start - time > border || time - whole.end >= border;
        if is_far {
            // The earliest one, so that the order of the response does not matter.
            self.far_outside = Some(self.far_outside.map_or(time, |other| other.min(time)));
        }
    }

    /// The same with the listing of another part of the day.
    fn and(mut self, other: Listed) -> Listed {
        self.files.extend(other.files);
        Listed {
            files: self.files,
            outside_day: self.outside_day + other.outside_day,
            far_outside: self.far_outside.into_iter().chain(other.far_outside).min(),
            duplicates: self.duplicates + other.duplicates,
            left_out: self.left_out + other.left_out,
            left_out_by_quality: united(self.left_out_by_quality, other.left_out_by_quality),
            cadence_slots: self.cadence_slots + other.cadence_slots,
            without_record: self.without_record + other.without_record,
            may_grow: self.may_grow || other.may_grow,
            by_series: self.by_series,
        }
    }

    /// Refuses a listing that has files, and none of this day: the service lists something else, or its times are misread.
    ///
    /// # Errors
    /// `listing-malformed`.
    fn of_its_day(self, day: &Day) -> Result<Listed, Failure> {
        let Some(far) = self.far_outside.filter(|_| self.files.is_empty() && self.left_out == 0) else {
            return Ok(self);
        };
        Err(of_another_time(self.outside_day, day, far))
    }

    /// Sorts by key and keeps one file of each: one that is there, and the first by URL, so that the order of the answer
    /// does not matter.
    ///
    /// # Errors
    /// `source-refused` where files at several addresses have one key, since one of them would be lost; unless they are of
    /// one record and their addresses differ by secrets alone. `listing-malformed` where one file has two sizes.
    fn folded(mut self) -> Result<Listed, Failure> {
        self.duplicates += fold(&mut self.files, |file| file)?;
        Ok(self)
    }
}

/// The slots of both.
fn united(
    one: Option<BTreeMap<i64, Vec<SlotSpan>>>,
    other: Option<BTreeMap<i64, Vec<SlotSpan>>>,
) -> Option<BTreeMap<i64, Vec<SlotSpan>>> {
    let (mut all, more) = match (one, other) {
        (Some(one), Some(other)) => (one, other),
        (one, other) => return one.or(other),
    };
    for (harpnum, spans) in more {
        all.entry(harpnum).or_default().extend(spans);
    }
    Some(all)
}

/// What is said of a listing whose items, so many, all lie outside the day, one of them `far` from it.
fn of_another_time(count: u64, day: &Day, far: NaiveDateTime) -> Failure {
    read_capped::malformed(&format!(
        "all that is listed ({count}) lies outside of {}, such as at {}: the service lists another time, or its times are read wrongly, as by the fields of `path` and `files`",
        day.date,
        far.format("%Y-%m-%dT%H:%M:%S"),
    ))
}

/// As [`Listed::folded`], of what holds files; gives how many were there more than once.
fn fold<T>(all: &mut Vec<T>, file: impl Fn(&T) -> &RemoteFile) -> Result<u64, Failure> {
    let lacks = |file: &RemoteFile| file.body == Body::None;
    all.sort_unstable_by(|a, b| {
        let (a, b) = (file(a), file(b));
        (&a.key, lacks(a), &a.url, a.time, a.bytes).cmp(&(&b.key, lacks(b), &b.url, b.time, b.bytes))
    });
    let pairs = all.array_windows().map(|[a, b]| (file(a), file(b)));
    let mut twins = pairs.filter(|(a, b)| a.key == b.key && !lacks(a) && !lacks(b));
    twins.try_for_each(|(a, b)| must_be_one(a, b))?;
    let before = all.len();
    all.dedup_by(|later, first| file(later).key == file(first).key);
    Ok((before - all.len()) as u64)
}

/// Checks that two entries under one key are the same file, listed twice.
fn must_be_one(a: &RemoteFile, b: &RemoteFile) -> Result<(), Failure> {
    let is_one_record = a.recnum.is_some() && a.recnum == b.recnum && a.path == b.path;
    if a.url != b.url && !is_one_record {
        return Err(one_key_for_two(a, b));
    }
    match (a.bytes, b.bytes) {
        (Some(one), Some(other)) if one != other => {
            let why = format!("`{}` is listed twice, with {one} and with {other} bytes", shown(&a.url));
            Err(read_capped::malformed(&why))
        }
        _ => Ok(()),
    }
}

/// The failure for two files that one key stands for.
fn one_key_for_two(a: &RemoteFile, b: &RemoteFile) -> Failure {
    let why = if a.path == b.path {
        let names: BTreeSet<&str> = secret_names(&a.url).chain(secret_names(&b.url)).collect();
        let names = names.iter().map(|name| format!("`{}`", escape(name))).collect::<Vec<_>>().join(", ");
        format!(
            "files such as `{}` differ by {names} alone, which looks like a secret and so is kept in no record: they cannot \
             be told apart; ask those who run the service for another name of the parameter, such as `file`",
            shown(&a.url)
        )
    } else {
        let (what, to_do) = if a.url.path() != b.url.path() {
            ("are listed as one file", "")
        } else if a.url.origin() == b.url.origin() {
            ("differ by their query alone", "")
        } else {
            ("have the same path on two hosts", "name one of the two in `hosts`, or ")
        };
        format!(
            "`{}` and `{}` {what}, so they cannot be told apart; {to_do}ask those who run the service for one address of \
             each file",
            shown(&a.url),
            shown(&b.url)
        )
    };
    Failure::new(Class::SourceRefused, why)
}

/// One file that a source has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFile {
    /// What identifies it within its day: stable, free of hosts.
    pub key: String,
    /// Where it is now, on the source's own base or one of its further hosts.
    pub url: Url,
    /// The same without secrets, relative to the source's base: below it with a leading slash, beside it with `../`; the
    /// whole URL on a further host. What a record keeps.
    pub path: String,
    /// Its file name when the listing gives one; else the answer's header or the URL says.
    pub name: Option<String>,
    /// Its time by the source's own key.
    pub time: NaiveDateTime,
    /// The slot, when known.
    pub t_rec: Option<NaiveDateTime>,
    /// The instant of the cadence that its record is the nearest one to, where such records are chosen.
    pub instant: Option<NaiveDateTime>,
    /// The source's name for the series that its record is of, where the job prefers one of several.
    pub source_series: Option<Arc<str>>,
    /// The record's number.
    pub recnum: Option<i64>,
    /// The active region.
    pub harpnum: Option<i64>,
    /// The segment.
    pub segment: Option<String>,
    /// The wavelength in Angstrom.
    pub wavelength: Option<i64>,
    /// Its size in bytes, when the listing gives one.
    pub bytes: Option<u64>,
    /// What the listing says of its date and size, in its own words, where they tell one version of it from another.
    pub listed: Option<String>,
    /// What its size may be, when the listing rounds it.
    pub rounded: Option<Rounded>,
    /// The keywords of its record that go into its header.
    pub cards: Option<HeaderCards>,
    /// The storage unit, the slot and the file's name at JSOC, where its path is an order of the file as it is.
    pub storage: Option<String>,
    /// What is fetched for it.
    pub body: Body,
}

/// What a size may be that a listing rounds, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rounded {
    /// The least that may be written so.
    pub least: u64,
    /// The most.
    pub most: u64,
}

impl Rounded {
    /// True where a file of so many bytes may have been listed so. Pages that are written by hand, or before a file has
    /// grown, are off by more than rounding: a fifth is let through at each end.
    #[must_use]
    pub fn holds(self, bytes: u64) -> bool {
        (self.least - self.least / 5..=self.most.saturating_add(self.most / 5)).contains(&bytes)
    }
}

/// What is fetched for a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Body {
    /// What its URL answers.
    #[default]
    Remote,
    /// Nothing: these bytes were made of the listing's answers. Its key begins with [`MADE`], and its URL is what was asked.
    Made(Bytes),
    /// Nothing: the source has the record, and says that there is no file of it.
    None,
    /// Nothing for now: the source has the file where it cannot be fetched from. Which file, where, and what to do.
    Offline(String),
    /// Nothing: the source was to make the file, and says why it did not. Which file, and why.
    NotMade(String),
}

/// A question that answers were given to.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Where it was asked.
    pub url: &'a Url,
    /// The same below the source's base.
    pub path: &'a str,
}

impl RemoteFile {
    /// A file of which no more is known: what its URL answers, under the name that the answer or the URL gives it.
    #[must_use]
    pub fn new(key: String, url: Url, path: String, time: NaiveDateTime) -> RemoteFile {
        let (recnum, harpnum, segment, wavelength, bytes) = (None, None, None, None, None);
        let (name, t_rec, instant, source_series, listed, rounded, cards) = (None, None, None, None, None, None, None);
        let storage = None;
        RemoteFile {
            key,
            url,
            path,
            name,
            time,
            t_rec,
            instant,
            source_series,
            recnum,
            harpnum,
            segment,
            wavelength,
            bytes,
            listed,
            rounded,
            cards,
            storage,
            body: Body::Remote,
        }
    }

    /// A file of a day that the source made itself, under this key without [`MADE`], of what it was told at `asked`.
    fn of_answers(what: &str, name: String, bytes: Vec<u8>, day: &Day, asked: Asked<'_>) -> RemoteFile {
        RemoteFile {
            name: Some(name),
            bytes: Some(bytes.len() as u64),
            body: Body::Made(Bytes::from(bytes)),
            ..RemoteFile::new(format!("{MADE}{what}"), asked.url.clone(), asked.path.to_owned(), day.window.start)
        }
    }

    /// The slot that its record stands for.
    #[must_use]
    pub fn slot(&self) -> NaiveDateTime {
        self.instant.unwrap_or(self.time)
    }

    /// True where this is the version of the file that a line is of, as far as the listing tells: it has the same record's number,
    /// or the same date and size.
    #[must_use]
    pub fn is_version_of(&self, line: &FileLine) -> bool {
        let is_record = line.recnum.is_some() && line.recnum == self.recnum;
        is_record || (line.listed.is_some() && line.listed == self.listed)
    }

    /// True where a file of this length may have been listed so.
    #[must_use]
    pub fn may_have(&self, bytes: Option<u64>) -> bool {
        let is_rounded_so = self.rounded.zip(bytes).is_none_or(|(rounded, bytes)| rounded.holds(bytes));
        self.bytes.is_none_or(|listed| Some(listed) == bytes) && is_rounded_so
    }

    /// The last part of its URL, decoded.
    #[must_use]
    pub fn last_part(&self) -> String {
        let part = self.url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default();
        percent_decode_str(part).decode_utf8_lossy().into_owned()
    }

    /// The bytes of a file that the source made itself.
    #[must_use]
    pub fn made(&self) -> Option<&Bytes> {
        match &self.body {
            Body::Made(bytes) => Some(bytes),
            Body::Remote | Body::None | Body::Offline(_) | Body::NotMade(_) => None,
        }
    }
}

/// Opens the source of a kind: the one place that knows them all. `base` is where the service listens, which for the
/// built-in one is known only once it runs.
#[must_use]
pub fn open(series: &Series, base: &Url, client: Client) -> Box<dyn Source> {
    match &*series.source {
        // The built-in service uses the protocol of the HMI service; only its address differs.
        SourceSpec::Hmi(_) | SourceSpec::Embedded(_) => Box::new(hmi::HmiSource::new(base.clone(), client)),
        SourceSpec::Jsoc(spec) if series.fallbacks.is_empty() => {
            Box::new(jsoc::JsocSource::new(spec, base.clone(), client))
        }
        SourceSpec::Jsoc(spec) => Box::new(jsoc::Preferred::new(spec, series, base, &client)),
        SourceSpec::Medoc(spec) => Box::new(medoc::MedocSource::new(spec, base.clone(), client)),
        SourceSpec::Index(spec) => Box::new(index::IndexSource::new(spec.clone(), base.clone(), client)),
        SourceSpec::Template(spec) => Box::new(template::TemplateSource::new(spec.clone(), base.clone(), client)),
        SourceSpec::Hapi(spec) => Box::new(hapi::HapiSource::new(spec, base.clone(), client)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a listing for the second half of 2015-12-11 that holds items at these times alone.
    fn outside(times: &[&str], border: TimeDelta) -> Result<u64, String> {
        let window =
            Window { start: "2015-12-11T12:00:00".parse().unwrap(), end: "2015-12-12T00:00:00".parse().unwrap() };
        let day = Day { date: "2015-12-11".parse().unwrap(), window };
        let mut listed = Listed::default();
        for time in times {
            listed.note_outside(time.parse().unwrap(), &day, border);
        }
        let listed = listed.of_its_day(&day);
        listed.map(|listed| listed.outside_day).map_err(|failure| {
            assert_eq!(failure.class, Class::ListingMalformed);
            failure.message
        })
    }

    #[test]
    fn l_03_a_listing_of_other_days_alone_is_none_and_what_lies_at_a_border_is_explained() {
        // The part of the day that is not asked for, the slot before by another scale, the end of the range.
        let border = ["2015-12-11T06:00:00", "2015-12-10T23:58:08", "2015-12-12T00:00:00", "2015-12-12T00:12:00"];
        assert_eq!(outside(&border, BORDER), Ok(4));
        assert_eq!(outside(&[], BORDER), Ok(0));
        for far in ["2057-12-11T12:00:00", "2015-12-12T12:00:00", "2015-12-10T12:00:00", "1915-12-11T12:00:00"] {
            let message = outside(&[border[2], far], BORDER).unwrap_err();
            assert!(message.contains(&format!("(2) lies outside of 2015-12-11, such as at {far}")), "{message}");
        }
        assert_eq!(outside(&["2015-12-12T12:00:00"], TimeDelta::days(72)), Ok(1), "the nearest slot of a slow series");
    }

    #[test]
    fn a_listing_with_files_of_its_day_or_with_some_left_out_is_believed() {
        let day = Day::whole("2015-12-11".parse().unwrap());
        let mut listed = Listed { left_out: 1, ..Listed::default() };
        listed.note_outside("2057-12-11T12:00:00".parse().unwrap(), &day, BORDER);
        assert!(listed.clone().of_its_day(&day).is_ok());
        let url: Url = "http://h.example/x".parse().unwrap();
        let file = RemoteFile::new("x".to_owned(), url, "/x".to_owned(), day.window.start);
        assert!(Listed { left_out: 0, files: vec![file], ..listed }.of_its_day(&day).is_ok());
    }
}
