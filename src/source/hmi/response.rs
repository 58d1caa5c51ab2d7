//! The service's answer read: three shapes of items in, one listing out.
//!
//! Everything here is a pure function of bytes.

use std::collections::BTreeMap;
use std::fmt;

use chrono::NaiveDateTime;
use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};
use url::Url;

use super::address::{Address, RecordFile, segment};
use super::filters::{FileFilter, FileFilterFacts};
use super::item::{HmiItem, Text, WholeNumber};
use super::place_of;
use super::slot::{TaiGrid, TaiSlot};
use crate::day::Day;
use crate::failure::{Class, Failure};
use crate::manifest::{Reach, Series};
use crate::source::{BORDER, Body, Listed, RemoteFile, read_capped, url_scope};
use crate::untrusted::escape;

/// Reads the answer to a question for `series` on `day`, from the service at `base`.
///
/// Takes v1, v2 and v3 item by item, by their fields. Items outside the day's window are dropped and counted, keys that
/// come again are folded, filters are applied, and what is left is sorted by key.
///
/// # Errors
/// `html` for a web page, `listing-malformed` with the place for what else is none, both with an excerpt;
/// `listing-too-large` for more files than a day can have; `source-refused` for a filter that cannot be applied.
pub fn read_answer(answer: &[u8], base: &Url, series: &Series, day: &Day) -> Result<Listed, Failure> {
    read_records(answer, base, series, day).map(|(listed, _)| listed)
}

/// The same, with the records that pass the filters: none of them when only files are asked for.
pub(super) fn read_records(
    answer: &[u8],
    base: &Url,
    series: &Series,
    day: &Day,
) -> Result<(Listed, Vec<ListedRecord>), Failure> {
    read_capped::expect_json(answer, "[]")?;
    let mut listing = ListingReader {
        base,
        reach: series.source.reach(),
        series,
        day,
        grid: TaiGrid::for_series(&series.name),
        sieve: FileFilter::of(series),
        items: 0,
        listed: Listed::default(),
        records: series.fetch.has_keywords().then(BTreeMap::new),
        is_oldest: false,
        too_large: None,
    };
    let mut json = serde_json::Deserializer::from_slice(answer);
    let all = listing.deserialize(&mut json).and_then(|()| json.end());
    if let Some(failure) = listing.too_large.take() {
        return Err(failure);
    }
    all.map_err(|error| read_capped::no_json(answer, &error))?;
    listing.sieve.verdict()?;
    if listing.is_oldest && listing.records.is_some() {
        let why = "a service of the oldest kind, which has no route for keywords; use `fetch: files`";
        return Err(Failure::new(Class::SourceRefused, why));
    }
    Ok((listing.listed.folded()?, listing.records.into_iter().flatten().map(|(_, record)| record).collect()))
}

/// A record of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ListedRecord {
    pub(super) recnum: i64,
    pub(super) time: NaiveDateTime,
    pub(super) harpnum: Option<i64>,
    pub(super) quality: Option<i64>,
}

/// A listing in the making, fed item by item, so that the answer's tree is never built.
#[derive(Debug)]
struct ListingReader<'a> {
    base: &'a Url,
    reach: Option<&'a Reach>,
    series: &'a Series,
    day: &'a Day,
    grid: TaiGrid,
    sieve: FileFilter<'a>,
    items: u64,
    listed: Listed,
    /// By their numbers, when they are wanted.
    records: Option<BTreeMap<i64, ListedRecord>>,
    /// An item was of the first form.
    is_oldest: bool,
    /// It has more files than a day can have.
    too_large: Option<Failure>,
}

impl<'de> DeserializeSeed<'de> for &mut ListingReader<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for &mut ListingReader<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element::<HmiItem<'de>>()? {
            self.items += 1;
            self.take(&item).map_err(|why| A::Error::custom(format_args!("record {}: {why}", self.items)))?;
        }
        Ok(())
    }
}

impl ListingReader<'_> {
    fn take(&mut self, item: &HmiItem<'_>) -> Result<(), String> {
        let more = item.urls.as_ref().map_or(1, Vec::len);
        if let Err(failure) = read_capped::room(self.listed.files.len() + more) {
            let why = failure.message.clone();
            self.too_large = Some(failure);
            return Err(why);
        }
        match (&item.url, &item.urls) {
            (Some(url), None) => {
                let time = time("date_obs", item.date_obs.as_ref())?;
                if self.is_in_day(time) {
                    self.first_form(item, &url.0, time)?;
                }
                Ok(())
            }
            (None, Some(urls)) => {
                let time = time("date__obs", item.observed.as_ref())?;
                if self.is_in_day(time) {
                    self.later_form(item, urls, time)?;
                }
                Ok(())
            }
            (Some(_), Some(_)) => Err("has `url` and `urls`, where only one is due".into()),
            (None, None) => Err("has neither `url` nor `urls`".into()),
        }
    }

    fn is_in_day(&mut self, time: NaiveDateTime) -> bool {
        let is_inside = self.day.window.contains(time);
        if !is_inside {
            self.listed.note_outside(time, self.day, BORDER);
        }
        is_inside
    }

    /// v1: one file a record, named by its path alone; a folder that is served may tell more.
    fn first_form(&mut self, item: &HmiItem<'_>, url: &str, time: NaiveDateTime) -> Result<(), String> {
        let address = self.address(url)?;
        let slot = self.slot(item)?.or_else(|| self.grid.around(time));
        let named = |Text(name): &Text<'_>| {
            segment(name).ok_or_else(|| format!("`segment` is `{}`, which names none", escape(name)))
        };
        let segment = item.segment.as_ref().map(named).transpose()?;
        let harpnum = item.harpnum.map(|harpnum| harpnum.0);
        let length =
            |WholeNumber(size)| u64::try_from(size).map_err(|_| format!("`size` is {size}, which is no length"));
        let bytes = item.size.map(length).transpose()?;
        let key = address.on_host().to_owned();
        let facts = FileFilterFacts {
            file: address.bare_path(),
            segment: segment.as_deref(),
            harpnum,
            quality: item.quality.map(|quality| quality.0),
            slot,
            wavelength: item.wavelnth.map(|wavelength| wavelength.0),
        };
        self.is_oldest = true;
        if self.sieve.keeps(facts) {
            self.listed.files.push(RemoteFile {
                t_rec: slot.and_then(TaiSlot::label),
                recnum: item.recnum.map(|recnum| recnum.0),
                harpnum,
                segment,
                bytes,
                ..RemoteFile::new(key, address.url, address.path, time)
            });
        } else {
            self.listed.left_out += 1;
        }
        Ok(())
    }

    /// v2 and v3: a record with a file for each segment, or with none.
    fn later_form(&mut self, item: &HmiItem<'_>, urls: &[Text<'_>], time: NaiveDateTime) -> Result<(), String> {
        let slot = self.slot(item)?;
        let of_record = FileFilterFacts {
            file: "the record",
            segment: None,
            harpnum: item.harpnum.map(|harpnum| harpnum.0),
            quality: item.quality.map(|quality| quality.0),
            slot,
            wavelength: item.wavelnth.map(|wavelength| wavelength.0),
        };
        if let Some(records) = &mut self.records
            && self.sieve.keeps_record(of_record)
        {
            let Some(WholeNumber(recnum)) = item.recnum else { return Err("has no `recnum`".to_owned()) };
            records
                .insert(recnum, ListedRecord { recnum, time, harpnum: of_record.harpnum, quality: of_record.quality });
        }
        if urls.is_empty() {
            return self.without_file(item, of_record, time);
        }
        for Text(url) in urls {
            let address = self.address(url)?;
            let RecordFile { recnum, segment, name } =
                address.named().ok_or_else(|| format!("url `{}` names no record and segment", escape(url)))?;
            if let Some(told) = item.recnum.filter(|told| told.0 != recnum) {
                return Err(format!("url `{}` is of another record than its `recnum` {}", escape(url), told.0));
            }
            let facts = FileFilterFacts { file: address.bare_path(), segment: Some(&segment), ..of_record };
            if self.sieve.keeps(facts) {
                self.listed.files.push(RemoteFile {
                    key: format!("{recnum}/{segment}"),
                    url: address.url,
                    path: address.path,
                    name,
                    time,
                    t_rec: slot.and_then(TaiSlot::label),
                    instant: None,
                    source_series: None,
                    recnum: Some(recnum),
                    harpnum: item.harpnum.map(|harpnum| harpnum.0),
                    segment: Some(segment),
                    wavelength: item.wavelnth.map(|wavelength| wavelength.0),
                    bytes: None,
                    listed: None,
                    rounded: None,
                    cards: None,
                    storage: None,
                    body: Body::Remote,
                });
            } else {
                self.listed.left_out += 1;
            }
        }
        Ok(())
    }

    /// A record that the service has no file of: absent are the segments that are asked for, else the record.
    fn without_file(
        &mut self,
        item: &HmiItem<'_>,
        of_record: FileFilterFacts<'_>,
        time: NaiveDateTime,
    ) -> Result<(), String> {
        let Some(WholeNumber(recnum)) = item.recnum else { return Err("has neither a file nor a `recnum`".to_owned()) };
        let wanted: Vec<Option<&String>> = match &self.series.filters.segments {
            Some(segments) => segments.iter().map(Some).collect(),
            None => vec![None],
        };
        if !self.sieve.keeps_record(of_record) {
            self.listed.left_out += wanted.len() as u64;
            return Ok(());
        }
        let asked = place_of(self.base, &self.series.name);
        let path = url_scope::question(self.base, &asked);
        for segment in wanted {
            let (key, stem) = match segment {
                Some(segment) => (format!("{recnum}/{segment}"), format!("{recnum}.{segment}")),
                None => (recnum.to_string(), recnum.to_string()),
            };
            self.listed.files.push(RemoteFile {
                name: Some(format!("{stem}.fits")),
                t_rec: of_record.slot.and_then(TaiSlot::label),
                recnum: Some(recnum),
                harpnum: of_record.harpnum,
                segment: segment.cloned(),
                wavelength: of_record.wavelength,
                cards: None,
                storage: None,
                body: Body::None,
                ..RemoteFile::new(key, asked.clone(), path.clone(), time)
            });
        }
        Ok(())
    }

    /// The slot that an item states.
    fn slot(&self, item: &HmiItem<'_>) -> Result<Option<TaiSlot>, String> {
        let slot = |WholeNumber(index)| {
            self.grid.nth(index).ok_or_else(|| format!("`t_rec_index` {index} is beyond any date"))
        };
        item.t_rec_index.map(slot).transpose()
    }

    fn address(&self, url: &str) -> Result<Address, String> {
        Address::on(self.base, self.reach, url).map_err(|why| format!("url `{}`, {why}", escape(url)))
    }
}

/// A record's time: UTC, and it must say so.
fn time(field: &str, text: Option<&Text<'_>>) -> Result<NaiveDateTime, String> {
    let Text(text) = text.ok_or_else(|| format!("has no `{field}`"))?;
    let label = text.strip_suffix('Z').filter(|label| label.len() <= 40);
    label
        .and_then(|label| NaiveDateTime::parse_from_str(label, "%Y-%m-%dT%H:%M:%S%.f").ok())
        .ok_or_else(|| format!("`{field}` is `{}`, which is no time such as `2015-12-11T18:22:08.8Z`", escape(text)))
}
