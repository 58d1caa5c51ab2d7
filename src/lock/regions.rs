//! What the source has of the active regions that a job follows, as lines of the lock: one for each patch, sorted, so that
//! branches merge. They stand between the header and the days.
//!
//! What it does not do: ask a source again; `update` does.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::day::{Scale, Window};
use crate::manifest::{Manifest, Patch, Region, RegionNumber, Series};

/// A patch of a region, or that there is none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegionRow {
    /// The series' id.
    pub series: String,
    /// The source's name for the series.
    pub name: String,
    /// The NOAA number that the region is asked for by; none where that is the HARP number.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub noaa: Option<i64>,
    /// The HARP number of the patch.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub harpnum: Option<i64>,
    /// True where the source has no patch of the region.
    #[serde(skip_serializing_if = "is_false", default)]
    pub absent: bool,
    /// The first record's label, and the first label after the last record: where the range follows the region.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub window: Option<[String; 2]>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RegionLine {
    /// A region.
    pub(super) region: RegionRow,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_false(value: &bool) -> bool {
    !value
}

/// The lines of all regions that a job follows and whose patches are known, sorted.
#[must_use]
pub fn rows_of(manifest: &Manifest) -> Vec<RegionRow> {
    let mut rows: Vec<RegionRow> = manifest.series.iter().flat_map(rows_of_series).collect();
    rows.sort_unstable();
    rows.dedup();
    rows
}

fn rows_of_series(series: &Series) -> impl Iterator<Item = RegionRow> + '_ {
    let scale = series.source.scale();
    series.regions.known.iter().flat_map(move |region| {
        let (noaa, harpnum) = match region.number {
            RegionNumber::Noaa(number) => (Some(number), None),
            RegionNumber::Harp(number) => (None, Some(number)),
        };
        let about = RegionRow {
            series: series.id.0.clone(),
            name: series.name.clone(),
            noaa,
            harpnum,
            absent: region.patches.is_empty(),
            window: None,
        };
        let patches = region.patches.iter().map({
            let about = about.clone();
            move |patch| RegionRow {
                harpnum: Some(patch.harpnum),
                window: patch.window.map(|window| [scale.label(window.start), scale.label(window.end)]),
                ..about.clone()
            }
        });
        let none = about.absent.then_some(about);
        patches.chain(none).collect::<Vec<_>>()
    })
}

/// What these lines say of the regions of a series.
#[must_use]
pub fn regions_of<'a>(rows: impl IntoIterator<Item = &'a RegionRow>, series: &Series) -> Vec<Region> {
    let scale = series.source.scale();
    let mut regions: BTreeMap<RegionNumber, Vec<Patch>> = BTreeMap::new();
    // A series that has another name since was not asked.
    let own = rows.into_iter().filter(|row| row.series == series.id.0 && row.name == series.name);
    for row in own {
        let number = row.noaa.map(RegionNumber::Noaa).or(row.harpnum.map(RegionNumber::Harp));
        let Some(number) = number else { continue };
        let patches = regions.entry(number).or_default();
        let window = row.window.as_ref().and_then(|ends| window(scale, ends));
        patches.extend(row.harpnum.filter(|_| !row.absent).map(|harpnum| Patch { harpnum, window }));
    }
    regions.into_iter().map(|(number, patches)| Region { number, patches }).collect()
}

/// A window with a label inside.
fn window(scale: Scale, ends: &[String; 2]) -> Option<Window> {
    Window::from_labels(ends, scale).filter(|window| !window.is_empty())
}

impl RegionRow {
    /// Why it cannot be one of a lock; none where it can.
    pub(super) fn wrong(&self) -> Option<&'static str> {
        let reads = |ends: &[String; 2]| [Scale::Utc, Scale::Tai].iter().any(|scale| window(*scale, ends).is_some());
        match (self.noaa, self.harpnum, self.absent) {
            (None, None, _) => Some("a region without a number"),
            (Some(_), None, false) => Some("a region with neither a patch nor `absent`"),
            (Some(_), Some(_), true) => Some("a patch of a region that is `absent`"),
            _ if self.absent && self.window.is_some() => Some("the window of a region that is `absent`"),
            _ if self.window.as_ref().is_some_and(|ends| !reads(ends)) => Some("a window without a label inside"),
            _ => None,
        }
    }
}
