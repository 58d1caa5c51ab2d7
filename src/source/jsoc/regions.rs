//! Which patches have an active region, and from when to when JSOC has records of them.
//!
//! Two questions for some regions: records twice a day over the whole series, which tell the numbers alone; then all
//! records of the patches found, which tell the first slot and the last. For the first question one record in sixty is enough:
//! `@` is a condition on the slot's number (`drms_names.c:2197-2206`).
//!
//! It does not keep what it finds; the lock does.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDateTime;
use url::Url;

use super::filters::numbers;
use super::query::{HARPNUM, has_one_of, listed, noaa_keyword, rs_list};
use super::response::RecordList;
use super::slot::{epoch, label, time};
use super::structure::Structure;
use super::text::parse;
use super::values::whole;
use super::{JsocSource, asked_for};
use crate::day::Window;
use crate::failure::Failure;
use crate::manifest::{Patch, Region, RegionNumber, Series};
use crate::source::read_capped;
use crate::untrusted::escape;

/// All time that JSOC's series may have from 1993 on, and how far apart the records are that tell which patches have a region:
/// those that have it for less than that may be missed.
const WHOLE_SERIES: &str = "40000d";
const TWICE_A_DAY: &str = "@12h";
/// So many NOAA numbers are asked for at once.
const NOAA_AT_ONCE: usize = 100;
/// All records of so many patches are listed at once: each has some 1,600.
const PATCHES_AT_ONCE: usize = 5;

/// Which patches have each NOAA number.
type Holders = BTreeMap<i64, BTreeSet<i64>>;

impl JsocSource {
    pub(super) async fn find_regions(
        &self,
        series: &Series,
        wanted: &[RegionNumber],
        with_windows: bool,
    ) -> Result<Option<Vec<Region>>, Failure> {
        let structure = self.structure(series).await?;
        if !structure.prime.iter().any(|key| key == HARPNUM) {
            return Ok(None);
        }
        let noaa: Vec<i64> = wanted.iter().filter_map(|number| noaa_of(*number)).collect();
        let mut holders = Holders::new();
        for some in noaa.chunks(NOAA_AT_ONCE) {
            let keyword = noaa_keyword(&series.name, structure)?;
            let set = holders_set(&series.name, structure, keyword, some);
            let keys = format!("{HARPNUM},{keyword}");
            let found = self.ask_records(&set, &keys, |answer| read_holders(answer, keyword, some)).await?;
            for (number, harps) in found {
                holders.entry(number).or_default().extend(harps);
            }
        }
        let mut harps: BTreeSet<i64> = holders.values().flatten().copied().collect();
        harps.extend(wanted.iter().filter_map(|number| harp_of(*number)));
        // Only its records show that a patch exists.
        let needs_records = with_windows || wanted.iter().any(|number| harp_of(*number).is_some());
        let mut windows = BTreeMap::new();
        let harps: Vec<i64> = harps.into_iter().filter(|_| needs_records).collect();
        for some in harps.chunks(PATCHES_AT_ONCE) {
            let set = patches_set(&series.name, structure, some);
            let keys = format!("{HARPNUM},{}", structure.time);
            windows.extend(
                self.ask_records(&set, &keys, |answer| read_windows(answer, &series.name, structure, some)).await?,
            );
        }
        if let Some(gone) = holders.values().flatten().find(|harp| with_windows && !windows.contains_key(harp)) {
            let why = format!("there is no record of HARP {gone}, although there was one a moment ago");
            return Err(read_capped::malformed(&why));
        }
        Ok(Some(wanted.iter().map(|number| region(*number, &holders, &windows, with_windows)).collect()))
    }

    /// Asks for keywords of the records of a record set, and reads the answer.
    async fn ask_records<T>(
        &self,
        set: &str,
        keys: &str,
        take: impl Fn(&RecordList) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let url: Url = rs_list(&self.base, set, keys, "**NONE**");
        let answer = self.get(&url).await?;
        let taken = parse(&answer).and_then(|answer| take(&answer));
        taken.map_err(|failure| read_capped::about(asked_for(&url, set), failure))
    }
}

/// Records of the whole series that have one of these NOAA numbers.
fn holders_set(series: &str, structure: &Structure, keyword: &str, numbers: &[i64]) -> String {
    // On a time without slots, `@` computes with the start printed to six digits (`drms_names.c:2207-2221`).
    let every = if structure.step.is_some() { TWICE_A_DAY } else { "" };
    let stretch = format!("{}/{WHOLE_SERIES}{every}", label(epoch()));
    let keys = structure.keys(|key| if key == structure.time { stretch.clone() } else { String::new() });
    let condition = has_one_of(keyword, numbers).map(|condition| format!("[? {condition} ?]"));
    format!("{series}{keys}{}", condition.unwrap_or_default())
}

/// All records of these patches.
fn patches_set(series: &str, structure: &Structure, harps: &[i64]) -> String {
    let keys = structure.keys(|key| if key == HARPNUM { listed(harps) } else { String::new() });
    format!("{series}{keys}")
}

/// The patches of an answer by the NOAA numbers that were asked for: `~` finds 11158 in 111580, too.
fn read_holders(answer: &RecordList, keyword: &str, asked: &[i64]) -> Result<Holders, Failure> {
    let mut holders = Holders::new();
    let count = answer.records()?;
    if count == 0 {
        return Ok(holders);
    }
    let (harps, noaa) = (answer.keyword(HARPNUM)?, answer.keyword(keyword)?);
    for nth in 0..count {
        let harp = harpnum(harps.value(nth))?;
        for number in numbers(noaa.value(nth)).filter(|number| asked.contains(number)) {
            holders.entry(number).or_default().insert(harp);
        }
    }
    Ok(holders)
}

/// From the first record of each patch to the slot after its last one.
fn read_windows(
    answer: &RecordList,
    series: &str,
    structure: &Structure,
    asked: &[i64],
) -> Result<BTreeMap<i64, Window>, Failure> {
    let mut slots: BTreeMap<i64, (NaiveDateTime, NaiveDateTime)> = BTreeMap::new();
    let count = answer.records()?;
    if count == 0 {
        return Ok(BTreeMap::new());
    }
    let (harps, times) = (answer.keyword(HARPNUM)?, answer.keyword(&structure.time)?);
    for nth in 0..count {
        let (harp, text) = (harpnum(harps.value(nth))?, times.value(nth));
        let odd = || read_capped::malformed(&format!("`{}` is `{}`, which is no time", structure.time, escape(text)));
        let slot = time(text).ok_or_else(odd)?;
        let (first, last) = slots.entry(harp).or_insert((slot, slot));
        (*first, *last) = ((*first).min(slot), (*last).max(slot));
    }
    let step = structure.spacing(series);
    let window = |(first, last)| Window { start: first, end: last + step };
    let asked_for = slots.into_iter().filter(|(harp, _)| asked.contains(harp));
    Ok(asked_for.map(|(harp, ends)| (harp, window(ends))).collect())
}

fn harpnum(text: &str) -> Result<i64, Failure> {
    whole(text).ok_or_else(|| read_capped::malformed(&format!("`{HARPNUM}` is `{}`, which is no number", escape(text))))
}

/// What was found of one region.
fn region(number: RegionNumber, holders: &Holders, windows: &BTreeMap<i64, Window>, with_windows: bool) -> Region {
    let harps: Vec<i64> = match number {
        RegionNumber::Harp(harp) => windows.keys().copied().filter(|known| *known == harp).collect(),
        RegionNumber::Noaa(noaa) => holders.get(&noaa).into_iter().flatten().copied().collect(),
    };
    let window = |harp: &i64| windows.get(harp).copied().filter(|_| with_windows);
    let patches = harps.iter().map(|harp| Patch { harpnum: *harp, window: window(harp) });
    Region { number, patches: patches.collect() }
}

fn noaa_of(number: RegionNumber) -> Option<i64> {
    match number {
        RegionNumber::Noaa(number) => Some(number),
        RegionNumber::Harp(_) => None,
    }
}

fn harp_of(number: RegionNumber) -> Option<i64> {
    match number {
        RegionNumber::Harp(number) => Some(number),
        RegionNumber::Noaa(_) => None,
    }
}

#[cfg(test)]
mod tests;
