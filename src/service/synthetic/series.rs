//! The synthetic series: their names, the shapes of their answers, and the names of their files.
//!
//! What it does not do: make the files; `segment` does.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::region::{Sky, SyntheticRegion, small};
use crate::service::backend::{AnswerVersion, FileFacts, RecordKeys, ServedItem};
use crate::service::slot::GridSlot;

/// One series.
#[derive(Debug)]
pub(super) struct SyntheticSeries {
    pub(super) name: &'static str,
    pub(super) shape: AnswerVersion,
    /// True for the cylindrical equal-area projection.
    pub(super) cea: bool,
    /// The segments of a record; a V1 record has only one.
    pub(super) segments: &'static [&'static str],
}

const CCD: &[&str] = &["magnetogram", "bitmap", "Dopplergram", "continuum", "field", "vlos_mag"];

const CEA: &[&str] = &[
    "magnetogram",
    "bitmap",
    "Dopplergram",
    "continuum",
    "Bp",
    "Bt",
    "Br",
    "Bp_err",
    "Bt_err",
    "Br_err",
    "conf_disambig",
];

/// Every series, sorted by name: the names of the service's three times side by side.
pub(super) const SERIES: [SyntheticSeries; 5] = [
    SyntheticSeries { name: "hmi.sharp_720s", shape: AnswerVersion::V3, cea: false, segments: CCD },
    SyntheticSeries { name: "hmi.sharp_cea_720s", shape: AnswerVersion::V3, cea: true, segments: CEA },
    SyntheticSeries { name: "sharp_720s", shape: AnswerVersion::V1, cea: false, segments: &["magnetogram"] },
    SyntheticSeries { name: "sharp_cea_720s", shape: AnswerVersion::V1, cea: true, segments: &["Br"] },
    SyntheticSeries { name: "sharp_cea_720s_nrt", shape: AnswerVersion::V2, cea: true, segments: CEA },
];

/// One file, found by its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SyntheticFile {
    pub(super) slot: GridSlot,
    pub(super) region: SyntheticRegion,
    pub(super) recnum: i64,
    pub(super) segment: &'static str,
    /// Its name for the reader's disk.
    pub(super) name: String,
}

impl SyntheticSeries {
    /// The regions that the series has records of: V1 names hold no region, so it has the oldest alone.
    fn regions(&self, sky: Sky, slot: GridSlot) -> Vec<SyntheticRegion> {
        if slot < GridSlot::FIRST || sky.is_missing(slot) {
            return Vec::new();
        }
        let mut regions = sky.regions(slot);
        if self.shape == AnswerVersion::V1 {
            regions.truncate(1);
        }
        regions
    }

    /// How many items a slot has.
    pub(super) fn count(&self, sky: Sky, slot: GridSlot) -> usize {
        self.regions(sky, slot).len()
    }

    /// The items of a slot.
    pub(super) fn items(&self, sky: Sky, slot: GridSlot) -> Vec<ServedItem> {
        let regions = self.regions(sky, slot);
        let item = |region: SyntheticRegion| ServedItem {
            date_obs: slot.date_obs(),
            paths: self.segments.iter().map(|segment| self.path(slot, region, segment)).collect(),
            record: Some(record(sky, slot, region)),
            known: FileFacts::default(),
        };
        regions.into_iter().map(item).collect()
    }

    /// The item of one record.
    pub(super) fn item(&self, sky: Sky, recnum: i64) -> Option<ServedItem> {
        let (slot, _) = sky.record(recnum)?;
        self.items(sky, slot).into_iter().find(|item| item.record.as_ref().is_some_and(|r| r.recnum == recnum))
    }

    fn path(&self, slot: GridSlot, region: SyntheticRegion, segment: &str) -> String {
        let at = slot.date_obs();
        match self.shape {
            AnswerVersion::V1 => format!("{}_{}", self.name, at.format("%Y%m%d_%H%M%S")),
            AnswerVersion::V2 => format!("{}_{}_{segment}.fits", region.recnum(slot), at.format("%Y%m%d%H%M%S")),
            AnswerVersion::V3 => format!("{}/{segment}.fits", region.recnum(slot)),
        }
    }

    /// The file at a path; only the very path that a listing names is one.
    pub(super) fn named(&self, sky: Sky, path: &str) -> Option<SyntheticFile> {
        let slot = if self.shape == AnswerVersion::V1 {
            let stamp = path.strip_prefix(self.name)?.strip_prefix('_')?;
            let at = chrono::NaiveDateTime::parse_from_str(stamp, "%Y%m%d_%H%M%S").ok()?;
            let end = at + chrono::TimeDelta::seconds(1);
            let mut slots = GridSlot::within(crate::day::Window { start: at, end });
            GridSlot(slots.next()?)
        } else {
            let recnum = path.split(['/', '_']).next()?.parse().ok()?;
            sky.record(recnum)?.0
        };
        let regions = self.regions(sky, slot);
        let mut files =
            regions.into_iter().flat_map(|region| self.segments.iter().map(move |segment| (region, *segment)));
        let (region, segment) = files.find(|(region, segment)| self.path(slot, *region, segment) == path)?;
        let last = path.rsplit('/').next().unwrap_or(path);
        let name = if self.shape == AnswerVersion::V1 { format!("{last}.fits") } else { last.to_owned() };
        Some(SyntheticFile { slot, region, recnum: region.recnum(slot), segment, name })
    }
}

fn record(sky: Sky, slot: GridSlot, region: SyntheticRegion) -> RecordKeys {
    RecordKeys {
        recnum: region.recnum(slot),
        harpnum: region.harpnum,
        quality: sky.quality(slot),
        t_rec_index: slot.0,
        keywords: keywords(sky, slot, region),
    }
}

/// What can be asked for: the keywords of every record, and one that the archive knows and no record here has.
pub(super) const FIELDS: &[&str] =
    &["area", "cmask", "distcoef", "harpnum", "lat_fwt", "lon_fwt", "noaa_ar", "npix", "quality", "t_rec"];

/// A few of the keywords that the real records have.
fn keywords(sky: Sky, slot: GridSlot, region: SyntheticRegion) -> BTreeMap<&'static str, Value> {
    let age = region.age(slot);
    let grown = age * (1024 - age) / 256;
    let area = 200 + small(sky.chance(7, region.ordinal), 800) + grown;
    let thousandths = |number: i64| json!(f64::from(i32::try_from(number).unwrap_or(i32::MAX)) / 1000.0);
    BTreeMap::from([
        ("area", thousandths(area * 1000 + small(sky.chance(8, slot.0), 1000))),
        ("cmask", json!(area * 9)),
        ("harpnum", json!(region.harpnum)),
        ("lat_fwt", thousandths(small(sky.chance(9, region.ordinal), 50_000) - 25_000)),
        ("lon_fwt", thousandths(age * 160_000 / 1024 - 80_000)),
        ("noaa_ar", json!(11_000 + region.ordinal)),
        ("npix", json!(area * 22)),
        ("quality", json!(sky.quality(slot))),
        ("t_rec", json!(slot.t_rec().format("%Y.%m.%d_%H:%M:%S_TAI").to_string())),
    ])
}
