//! Synthetic SHARP-like records: every byte follows from a seed, so they need no disk and are the same everywhere.
//!
//! What it does not do: physics. The fields look like active regions and are made of whole numbers alone, since the
//! results of `sin` and `exp` differ between machines.

mod field;
mod region;
mod segment;
mod series;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use chrono::{Datelike as _, NaiveDate};

use self::region::Sky;
use self::series::{FIELDS, SERIES, SyntheticSeries};
use super::backend::{AnswerVersion, DayCount, FileContent, Holdings, OpenedFile, SeriesName, ServedItem};
use super::slot::GridSlot;
use crate::day::Window;
use crate::digest::Digest;

/// How many files are kept, so that a client that asks for ranges does not have each made again.
const KEPT: usize = 32;

/// When every synthetic file "changed": 2020-01-01, in Unix seconds.
const MODIFIED: u64 = 1_577_836_800;

/// The built-in holdings of one seed.
#[derive(Debug)]
pub(super) struct Synthetic {
    sky: Sky,
    kept: Mutex<VecDeque<(String, Bytes, String)>>,
}

impl Synthetic {
    pub(super) fn new(seed: u64) -> Synthetic {
        Synthetic { sky: Sky { seed }, kept: Mutex::new(VecDeque::new()) }
    }

    /// The bytes of a file and its entity tag, from memory or made now.
    fn body(&self, series: &SyntheticSeries, file: &series::SyntheticFile) -> io::Result<(Bytes, String)> {
        let key = format!("{}/{}/{}", series.name, file.recnum, file.segment);
        let found = {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.iter().find(|(name, ..)| *name == key).map(|(_, bytes, etag)| (bytes.clone(), etag.clone()))
        };
        if let Some(found) = found {
            return Ok(found);
        }
        let bytes = segment::write(self.sky, series, file).map_err(io::Error::other)?;
        let etag = format!("\"{}\"", &Digest::sha256(&bytes).to_string()[..32]);
        let bytes = Bytes::from(bytes);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.truncate(KEPT - 1);
        kept.push_front((key, bytes.clone(), etag.clone()));
        Ok((bytes, etag))
    }
}

fn known(series: &str) -> Option<&'static SyntheticSeries> {
    SERIES.iter().find(|known| known.name == series)
}

impl Holdings for Synthetic {
    fn series(&self) -> Vec<SeriesName> {
        let name = |series: &SyntheticSeries| SeriesName {
            name: series.name.to_owned(),
            shape: series.shape,
            files: None,
            // The tutorial's day.
            example: GridSlot(1_005_572).date_obs(),
        };
        SERIES.iter().map(name).collect()
    }

    fn shape(&self, series: &str) -> Option<AnswerVersion> {
        known(series).map(|series| series.shape)
    }

    fn list(&self, series: &str, window: Window) -> Option<Vec<ServedItem>> {
        let series = known(series)?;
        let slots = GridSlot::within(window);
        Some(slots.flat_map(|slot| series.items(self.sky, GridSlot(slot))).collect())
    }

    fn years(&self, series: &str) -> Vec<i32> {
        let last = GridSlot(GridSlot::END.0 - 1).date_obs().year();
        known(series).map_or_else(Vec::new, |_| (GridSlot::FIRST.date_obs().year()..=last).collect())
    }

    fn days(&self, series: &str, year: i32) -> Vec<DayCount> {
        let first = |year| NaiveDate::from_ymd_opt(year, 1, 1).map(|day| day.and_time(chrono::NaiveTime::MIN));
        let (Some(series), Some(start), Some(end)) = (known(series), first(year), first(year + 1)) else {
            return Vec::new();
        };
        let mut days: BTreeMap<NaiveDate, usize> = BTreeMap::new();
        for slot in GridSlot::within(Window { start, end }).map(GridSlot) {
            let items = series.count(self.sky, slot);
            if items > 0 {
                *days.entry(slot.date_obs().date()).or_default() += items;
            }
        }
        days.into_iter().map(|(date, items)| DayCount { date, items }).collect()
    }

    fn fields(&self, series: &str) -> Option<&'static [&'static str]> {
        known(series).filter(|series| series.shape == AnswerVersion::V3).map(|_| FIELDS)
    }

    fn records(&self, series: &str, recnums: &[i64]) -> Vec<ServedItem> {
        let item = |series: &SyntheticSeries, recnum: &i64| series.item(self.sky, *recnum);
        known(series).map_or(Vec::new(), |series| recnums.iter().filter_map(|recnum| item(series, recnum)).collect())
    }

    fn open(&self, series: &str, path: &str) -> io::Result<Option<OpenedFile>> {
        let Some((series, file)) = known(series).and_then(|series| Some((series, series.named(self.sky, path)?)))
        else {
            return Ok(None);
        };
        let (bytes, etag) = self.body(series, &file)?;
        Ok(Some(OpenedFile {
            name: file.name,
            length: bytes.len() as u64,
            etag,
            modified: SystemTime::UNIX_EPOCH + Duration::from_secs(MODIFIED),
            content: FileContent::Held(bytes),
        }))
    }

    fn about(&self) -> String {
        format!("synthetic records of seed {} in {} series, from 2010-05-01 to 2099-12-31", self.sky.seed, SERIES.len())
    }
}

/// A number that depends on all of `words` and looks like chance: `SplitMix64` over each in turn.
fn chance(words: &[u64]) -> u64 {
    words.iter().fold(0x243f_6a88_85a3_08d3, |state, word| {
        let mut z = (state ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

#[cfg(test)]
mod tests;
