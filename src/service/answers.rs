//! The answers to listings, in the three shapes that the service had in time.
//!
//! What it does not do: choose the records.

use std::collections::BTreeMap;

use chrono::NaiveDateTime;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;
use serde_json::Value;

use super::backend::{AnswerVersion, FileFacts, RecordKeys, ServedItem};

/// What is encoded in a path: all that a URL gives a meaning of its own, but for the slash.
pub(super) const IN_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// One item of a v1 listing: a file.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct FileItem {
    /// Where the file is.
    #[schema(example = "http://localhost:8001/HMI/sharp_720s/sharp_720s_20151211_182208")]
    url: String,
    /// The start of exposure, in UTC.
    #[schema(example = "2015-12-11T18:22:08.799999Z")]
    date_obs: String,
    /// Its record's number, where the file tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    recnum: Option<i64>,
    /// Its active region, where the file tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    harpnum: Option<i64>,
    /// Its quality bits, where the file tells them; 0 is good.
    #[serde(skip_serializing_if = "Option::is_none")]
    quality: Option<i64>,
    /// Its slot in steps of its series since 1993-01-01 TAI, where the file tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    t_rec_index: Option<i64>,
    /// Its segment, where the file tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    segment: Option<String>,
    /// Its length in bytes, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
}

/// One item of a v2 or v3 listing: a record with its files.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct RecordItem {
    /// The start of exposure, in UTC.
    #[serde(rename = "date__obs")]
    #[schema(rename = "date__obs", example = "2015-12-11T23:34:08.800000Z")]
    date_obs: String,
    /// When the archive took the record in.
    download_time: String,
    /// The exposure in seconds.
    exptime: f64,
    /// The cadences that the record belongs to, as bits.
    mask_cadence: i64,
    /// How often it was replaced.
    nbr_update: i64,
    /// Its quality bits; 0 is good.
    quality: i64,
    /// Its number, unique in the series.
    recnum: i64,
    /// The number it first had.
    recnum_init: i64,
    /// Its series.
    series_name: String,
    /// Its slot: 720 s steps since 1993-01-01 TAI.
    t_rec_index: i64,
    /// Its slot in words, TAI.
    time: String,
    /// The kind of data.
    #[serde(rename = "type")]
    #[schema(rename = "type")]
    kind: String,
    /// Where its segments are.
    urls: Vec<String>,
    /// Its active region (v3).
    #[serde(skip_serializing_if = "Option::is_none")]
    harpnum: Option<i64>,
    /// Its wavelength in Angstrom (v3).
    #[serde(skip_serializing_if = "Option::is_none")]
    wavelnth: Option<i64>,
    /// Its keywords (v3, with `meta=true`).
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<BTreeMap<&'static str, Value>>,
}

/// A listing, of files or of records.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub(super) enum ListingBody {
    /// v1.
    Files(Vec<FileItem>),
    /// v2 and v3.
    Records(Vec<RecordItem>),
}

/// The keywords of one record.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct MetaItem {
    /// The start of exposure, in UTC.
    #[serde(rename = "date__obs")]
    #[schema(rename = "date__obs")]
    date_obs: String,
    /// Its active region.
    harpnum: i64,
    /// The keywords asked for, as far as the record has them.
    meta: BTreeMap<&'static str, Value>,
    /// Its quality bits; 0 is good.
    quality: i64,
    /// Its slot: 720 s steps since 1993-01-01 TAI.
    t_rec_index: i64,
    /// Always empty.
    urls: Vec<String>,
}

/// The answer to a listing of a series, its URLs below `base`.
pub(super) fn listing(
    base: &str,
    series: &str,
    shape: AnswerVersion,
    items: Vec<ServedItem>,
    meta: bool,
) -> ListingBody {
    let url = |path: &str| {
        format!("{base}/HMI/{}/{}", utf8_percent_encode(series, IN_PATH), utf8_percent_encode(path, IN_PATH))
    };
    if shape == AnswerVersion::V1 {
        let files = items.into_iter().flat_map(|item| {
            let date_obs = v1_label(&item);
            item.paths.into_iter().map(move |path| (path, date_obs.clone(), item.known.clone()))
        });
        return ListingBody::Files(files.map(|(path, date_obs, known)| file(url(&path), date_obs, known)).collect());
    }
    let records = items.into_iter().filter_map(|item| {
        let urls = item.paths.iter().map(|path| url(path)).collect();
        Some(record(series, shape, item.date_obs, item.record?, urls, meta))
    });
    ListingBody::Records(records.collect())
}

fn file(url: String, date_obs: String, known: FileFacts) -> FileItem {
    let FileFacts { recnum, harpnum, quality, t_rec_index, segment, size } = known;
    FileItem { url, date_obs, recnum, harpnum, quality, t_rec_index, segment, size }
}

fn record(
    series: &str,
    shape: AnswerVersion,
    at: NaiveDateTime,
    record: RecordKeys,
    urls: Vec<String>,
    meta: bool,
) -> RecordItem {
    let v3 = shape == AnswerVersion::V3;
    let slot = super::slot::GridSlot(record.t_rec_index);
    RecordItem {
        date_obs: label(at),
        download_time: label(at + chrono::TimeDelta::days(3)),
        exptime: 0.0,
        mask_cadence: 1,
        nbr_update: 0,
        quality: record.quality,
        recnum: record.recnum,
        recnum_init: record.recnum,
        series_name: if v3 { series.to_owned() } else { format!("hmi.{series}") },
        t_rec_index: record.t_rec_index,
        time: slot.t_rec().format("%Y.%m.%d_%H:%M:%S_TAI").to_string(),
        kind: "SHARP".to_owned(),
        urls,
        harpnum: v3.then_some(record.harpnum),
        wavelnth: v3.then_some(6173),
        meta: (v3 && meta).then_some(record.keywords),
    }
}

/// The answer to a question for keywords, by record number. `fields` are lower case; none of them means all.
pub(super) fn keywords(items: Vec<ServedItem>, fields: &[String]) -> BTreeMap<String, MetaItem> {
    let one = |item: ServedItem| {
        let mut record = item.record?;
        record.keywords.retain(|keyword, _| fields.is_empty() || fields.iter().any(|field| field == keyword));
        let meta = MetaItem {
            date_obs: label(item.date_obs),
            harpnum: record.harpnum,
            meta: record.keywords,
            quality: record.quality,
            t_rec_index: record.t_rec_index,
            urls: Vec::new(),
        };
        Some((record.recnum.to_string(), meta))
    };
    items.into_iter().filter_map(one).collect()
}

fn label(at: NaiveDateTime) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// The label of a v1 item. For its records the old service told the instant through a binary fraction, a microsecond
/// short (`.799999`): a client must cope with it, so it is kept.
fn v1_label(item: &ServedItem) -> String {
    let short = i64::from(item.record.is_some());
    label(item.date_obs - chrono::TimeDelta::microseconds(short))
}
