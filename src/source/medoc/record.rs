//! Records of a day: which are asked for, and the files of each.
//!
//! It says which item listings are needed, and is given them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::NaiveDateTime;
use url::Url;

use super::row::{RecordRow, Scalar};
use crate::day::Day;
use crate::failure::{Class, Failure};
use crate::manifest::suggest_word::nearest;
use crate::manifest::{Series, is_aia};
use crate::source::cadence_gap::OffCadence;
use crate::source::hmi::address::segment;
use crate::source::hmi::slot::{TaiGrid, TaiSlot};
use crate::source::url_scope::{ScopedUrl, UrlScope};
use crate::source::{BORDER, Body, Listed, RemoteFile, read_capped};
use crate::untrusted::escape;

/// The segments of an AIA record; the first is what its address alone gives.
const AIA_SEGMENTS: [&str; 2] = ["image_lev1", "spikes"];

/// A record's number, and the names of its items.
pub(super) type Items = (i64, Vec<String>);

/// A record, read from its row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MedocRecord {
    recnum: i64,
    time: NaiveDateTime,
    series: Option<String>,
    t_rec_index: Option<i64>,
    harpnum: Option<i64>,
    wavelength: Option<i64>,
    /// Where its files are had.
    get: Option<String>,
    /// Where its files are listed.
    folder: Option<String>,
    /// The service has its files.
    is_held: bool,
}

impl MedocRecord {
    /// Reads a row.
    ///
    /// # Errors
    /// `listing-malformed`; `source-refused` for rows that do not tell where files are.
    pub(super) fn from_row(row: &RecordRow) -> Result<MedocRecord, Failure> {
        let recnum = row.recnum.as_ref().and_then(Scalar::whole);
        let recnum = recnum.ok_or_else(|| read_capped::malformed("a row has no `recnum` that is a number"))?;
        let wrong = |why: &str| read_capped::malformed(&format!("record {recnum}: {why}"));
        let number = |field: &str, value: &Option<Scalar>| match value {
            None => Ok(None),
            Some(value) => value
                .whole()
                .map(Some)
                .ok_or_else(|| wrong(&format!("`{field}` is `{}`, no whole number", escape(&value.0)))),
        };
        let text = |value: &Option<Scalar>| value.as_ref().map(|text| text.0.clone()).filter(|text| !text.is_empty());
        let observed = row.observed.as_ref().ok_or_else(|| wrong("has no `date__obs`"))?;
        let time = time(&observed.0).ok_or_else(|| {
            wrong(&format!(
                "`date__obs` is `{}`, which is no time such as `2015-12-11T18:22:08.800`",
                escape(&observed.0)
            ))
        })?;
        if row.get.is_none() && row.ias_path.is_none() && row.ias_location.is_none() {
            let why = format!(
                "record {recnum}: its row does not say where its files are (`get`, `ias_path`, `ias_location`); name a dataset \
                 that does with `dataset`, such as `webs_IAS_SDO_AIA_dataset` or `webs_IAS_SDO_HMI_dataset`"
            );
            return Err(Failure::new(Class::SourceRefused, why));
        }
        let folder = text(&row.ias_path);
        Ok(MedocRecord {
            recnum,
            time,
            series: text(&row.series_name),
            t_rec_index: number("t_rec_index", &row.t_rec_index)?,
            harpnum: number("harpnum", &row.harpnum)?,
            wavelength: number("wavelnth", &row.wavelnth)?,
            get: text(&row.get).or_else(|| folder.clone()),
            folder,
            is_held: text(&row.ias_location).is_some(),
        })
    }
}

/// A time as the service writes it: UTC, which it may say.
fn time(text: &str) -> Option<NaiveDateTime> {
    let label = text.strip_suffix('Z').unwrap_or(text);
    NaiveDateTime::parse_from_str(label, "%Y-%m-%dT%H:%M:%S%.f").ok().filter(|_| label.len() <= 40)
}

/// The records of a day, in the making of its listing.
#[derive(Debug)]
pub(super) struct MedocRecords<'a> {
    series: &'a Series,
    day: &'a Day,
    places: UrlScope<'a>,
    grid: Option<TaiGrid>,
    /// In seconds.
    cadence: Option<i64>,
    /// What the service gave for the cadence, and is beside it.
    off_cadence: OffCadence,
    /// By number, so that the order of the pages does not matter.
    kept: BTreeMap<i64, MedocRecord>,
    listed: Listed,
}

impl<'a> MedocRecords<'a> {
    pub(super) fn of(series: &'a Series, day: &'a Day, places: UrlScope<'a>) -> MedocRecords<'a> {
        // The spacing of the others' slots is not known.
        let grid = series.name.starts_with("hmi.").then(|| TaiGrid::for_series(&series.name));
        let cadence = series.filters.cadence.map(|asked| i64::try_from(asked.as_secs()).unwrap_or(i64::MAX));
        let (off_cadence, kept) = (OffCadence::of("records"), BTreeMap::new());
        MedocRecords { series, day, places, grid, cadence, off_cadence, kept, listed: Listed::default() }
    }

    /// Takes a record where it is asked for.
    ///
    /// # Errors
    /// `listing-malformed` for one that nobody asked for, `source-refused` when a filter cannot be applied.
    pub(super) fn take(&mut self, record: MedocRecord) -> Result<(), Failure> {
        if let Some(series) = record.series.as_deref().filter(|series| !series.eq_ignore_ascii_case(&self.series.name))
        {
            let why = format!("record {} is of `{}`, which was not requested", record.recnum, escape(series));
            return Err(read_capped::malformed(&why));
        }
        if !self.day.window.contains(record.time) {
            self.listed.note_outside(record.time, self.day, BORDER);
            return Ok(());
        }
        let filters = &self.series.filters;
        let asks = |filter: &str, wanted: &Option<Vec<i64>>, told: Option<i64>| match (wanted, told) {
            (None, _) => Ok(true),
            (Some(wanted), Some(told)) => Ok(wanted.contains(&told)),
            (Some(_), None) => {
                let why = format!(
                    "filter `{filter}` cannot be applied: the service does not state it for record {}; leave the filter out",
                    record.recnum
                );
                Err(Failure::new(Class::SourceRefused, why))
            }
        };
        if !asks("harpnum", &filters.harpnum, record.harpnum)?
            || !asks("wavelength", &filters.wavelength, record.wavelength)?
        {
            self.listed.left_out += 1;
        } else if let Some(slot) = self.slot_off_cadence(&record) {
            self.off_cadence.note(slot.0, slot.label().unwrap_or(record.time));
            self.listed.left_out += 1;
        } else if let Some(first) = self.kept.get(&record.recnum) {
            if *first != record {
                let why = format!("record {} is listed twice, and its two rows differ", record.recnum);
                return Err(read_capped::malformed(&why));
            }
            self.listed.duplicates += 1;
        } else {
            self.kept.insert(record.recnum, record);
        }
        Ok(())
    }

    /// The record's slot, where that is no multiple of the cadence. The service was asked for it in its own words; where the
    /// record does not tell its slot, those are believed.
    fn slot_off_cadence(&self, record: &MedocRecord) -> Option<TaiSlot> {
        let (cadence, grid) = self.cadence.zip(self.grid)?;
        let slot = match record.t_rec_index {
            Some(index) => grid.nth(index),
            None => grid.around(record.time),
        };
        slot.filter(|slot| !slot.is_multiple_of(cadence))
    }

    /// The item listings that are needed: those of all records where no segments are asked for, else that of one, to see
    /// that there are such segments at all. None of AIA, whose segments are known.
    ///
    /// # Errors
    /// `listing-malformed`; `source-refused` for a foreign host, and for a cadence that the service's records lie beside.
    pub(super) fn without_items(&self) -> Result<Vec<(i64, Url)>, Failure> {
        if let Some(cadence) = self.cadence.filter(|_| self.kept.is_empty()) {
            self.off_cadence.must_be_a_gap(cadence, "00:00 TAI", 1)?;
        }
        if is_aia(&self.series.name) {
            return Ok(Vec::new());
        }
        let needed = if self.series.filters.segments.is_some() { 1 } else { usize::MAX };
        self.held().take(needed).map(|record| self.item_listing(record)).collect()
    }

    /// Two more, of the middle and the last record, where the first lacks a segment that is asked for: one record may lack
    /// what the others have.
    ///
    /// # Errors
    /// As [`MedocRecords::without_items`].
    pub(super) fn without_further(&self, first: &[Items]) -> Result<Vec<(i64, Url)>, Failure> {
        let [(_, names)] = first else { return Ok(Vec::new()) };
        let asked = self.series.filters.segments.as_deref().unwrap_or_default();
        let is_there = |segment: &String| names.iter().any(|name| name.strip_suffix(".fits") == Some(segment));
        if asked.iter().all(is_there) {
            return Ok(Vec::new());
        }
        let others: Vec<&MedocRecord> = self.held().skip(1).collect();
        let middle = others.len().checked_sub(2).map(|rest| rest / 2);
        let nths = middle.into_iter().chain(others.len().checked_sub(1));
        nths.filter_map(|nth| others.get(nth)).map(|record| self.item_listing(record)).collect()
    }

    /// The records that the service has files of.
    fn held(&self) -> impl Iterator<Item = &MedocRecord> {
        self.kept.values().filter(|record| record.is_held)
    }

    /// Where a record's items are listed.
    fn item_listing(&self, record: &MedocRecord) -> Result<(i64, Url), Failure> {
        let folder = record.folder.as_deref().or(record.get.as_deref()).unwrap_or_default();
        let url = self.resolve(record, &format!("{}/?media=json", folder.trim_end_matches('/')))?.url;
        Ok((record.recnum, url))
    }

    /// The listing, given the names of the items of the records that needed them. `asked` stands for the address of a record
    /// that has none.
    ///
    /// # Errors
    /// `listing-malformed`, `source-refused` for a foreign host or a segment that the records do not have.
    pub(super) fn into_listed(mut self, items: Vec<Items>, asked: &Url) -> Result<Listed, Failure> {
        let mut looked_at = HashMap::with_capacity(items.len());
        for (recnum, names) in items {
            looked_at.insert(recnum, segments_of(recnum, &names)?);
        }
        let wanted = self.wanted(&looked_at)?;
        for record in std::mem::take(&mut self.kept).into_values() {
            // Those that were looked at are known; the others should have what was requested.
            let own = looked_at.remove(&record.recnum);
            let is_there = |segment: &String| record.is_held && own.as_ref().is_none_or(|own| own.contains(segment));
            let due = wanted.as_ref().or(own.as_ref()).cloned().unwrap_or_default();
            if due.is_empty() {
                let file = self.absent(&record, None, asked);
                self.listed.files.push(file);
            }
            for segment in &due {
                let file = if is_there(segment) {
                    self.file(&record, segment)?
                } else {
                    self.absent(&record, Some(segment.clone()), asked)
                };
                self.listed.files.push(file);
            }
        }
        self.listed.folded()
    }

    /// The segments that each record has or should have; `None` where only its item listing knows.
    fn wanted(&self, looked_at: &HashMap<i64, Vec<String>>) -> Result<Option<Vec<String>>, Failure> {
        let known: BTreeSet<&str> = if is_aia(&self.series.name) {
            AIA_SEGMENTS.into()
        } else {
            looked_at.values().flatten().map(String::as_str).collect()
        };
        let Some(asked) = &self.series.filters.segments else {
            return Ok(is_aia(&self.series.name).then(|| vec![AIA_SEGMENTS[0].to_owned()]));
        };
        if !known.is_empty()
            && let Some(missing) = asked.iter().find(|asked| !known.contains(asked.as_str()))
        {
            let near = nearest(missing, known.iter().copied());
            let hint = near.map(|near| format!("; did you mean `{}`?", escape(near))).unwrap_or_default();
            let who = match looked_at.len() {
                0 | 1 => "a record has".to_owned(),
                count => format!("{count} records of the day have"),
            };
            let known: Vec<&str> = known.into_iter().collect();
            let why = format!("no file of segment `{}`: {who} {}{hint}", escape(missing), escape(&known.join(", ")));
            return Err(Failure::new(Class::SourceRefused, why));
        }
        Ok(Some(asked.clone()))
    }

    fn file(&self, record: &MedocRecord, segment: &str) -> Result<RemoteFile, Failure> {
        let get = record.get.as_deref().ok_or_else(|| {
            read_capped::malformed(&format!(
                "record {}: held, but its row has neither `get` nor `ias_path`",
                record.recnum
            ))
        })?;
        let get = get.trim_end_matches('/');
        // As its client asks for images: tile-compressed they are a quarter as large, and the same.
        let address = match (is_aia(&self.series.name), &self.series.filters.segments) {
            (true, None) => format!("{get};compress=rice"),
            (true, Some(_)) => format!("{get};segment={segment};compress=rice"),
            (false, _) => format!("{get}/{segment}.fits"),
        };
        let ScopedUrl { url, path, .. } = self.resolve(record, &address)?;
        Ok(RemoteFile {
            url,
            path,
            cards: None,
            body: Body::Remote,
            ..self.absent(record, Some(segment.to_owned()), self.places.base)
        })
    }

    fn absent(&self, record: &MedocRecord, segment: Option<String>, asked: &Url) -> RemoteFile {
        let recnum = record.recnum;
        let (key, stem) = match &segment {
            Some(segment) => (format!("{recnum}/{segment}"), format!("{recnum}.{segment}")),
            None => (recnum.to_string(), recnum.to_string()),
        };
        let below = asked.path().strip_prefix(self.places.base.path()).unwrap_or_default();
        let slot = record.t_rec_index.and_then(|index| self.grid?.nth(index));
        RemoteFile {
            name: Some(format!("{}.{stem}.fits", self.series.name)),
            t_rec: slot.and_then(TaiSlot::label),
            recnum: Some(recnum),
            harpnum: record.harpnum,
            segment,
            wavelength: record.wavelength,
            cards: None,
            body: Body::None,
            ..RemoteFile::new(key, asked.clone(), format!("/{below}"), record.time)
        }
    }

    /// An address of a record; the service leaves out the scheme of some.
    fn resolve(&self, record: &MedocRecord, address: &str) -> Result<ScopedUrl, Failure> {
        let address = match address.split_once("://") {
            Some(_) => address.to_owned(),
            None => format!("{}://{}", self.places.base.scheme(), address.trim_start_matches('/')),
        };
        self.places.resolve(&address).map_err(|failure| {
            let message = format!("record {}: {}", record.recnum, failure.message);
            Failure { message, ..failure }
        })
    }
}

/// The segments that a record's items are; what is no FITS file is none.
fn segments_of(recnum: i64, names: &[String]) -> Result<Vec<String>, Failure> {
    let stems = names.iter().filter_map(|name| name.strip_suffix(".fits"));
    let mut segments = stems
        .map(|stem| {
            segment(stem).ok_or_else(|| {
                read_capped::malformed(&format!("record {recnum}: item `{}.fits` names no segment", escape(stem)))
            })
        })
        .collect::<Result<Vec<String>, Failure>>()?;
    segments.sort_unstable();
    segments.dedup();
    Ok(segments)
}
