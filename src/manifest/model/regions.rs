//! The active regions that a series follows: their numbers as typed, and the patches that its source has of them.
//!
//! What it does not do: ask a source. `cli` asks, or reads the answer of before in the lock.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{NaiveDateTime, TimeDelta};

use super::{Bound, Range, Series};
use crate::day::Window;

/// The number of an active region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RegionNumber {
    /// A patch of HMI.
    Harp(i64),
    /// A region as NOAA numbers it: it may lie in several patches, and several regions in one.
    Noaa(i64),
}

impl fmt::Display for RegionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RegionNumber::Harp(number) => write!(f, "HARP {number}"),
            RegionNumber::Noaa(number) => write!(f, "NOAA {number}"),
        }
    }
}

/// One patch that a source has of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Patch {
    /// Its HARP number.
    pub harpnum: i64,
    /// From its first record to the slot after its last one, where that was asked.
    pub window: Option<Window>,
}

/// What a source has of a region: no patch, where it does not have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// The region.
    pub number: RegionNumber,
    /// Its patches, by number.
    pub patches: Vec<Patch>,
}

impl Region {
    /// True where the window of each patch is known.
    fn has_windows(&self) -> bool {
        self.patches.iter().all(|patch| patch.window.is_some())
    }
}

/// A range from the first record of some regions to their last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// The regions.
    pub numbers: Vec<RegionNumber>,
    /// How far the range reaches beyond both ends.
    pub margin: TimeDelta,
    /// Only records of their patches are asked for: the series names no region itself.
    pub is_filter: bool,
}

/// The regions that a series follows, and what is known of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Regions {
    /// Those that its range follows.
    pub passage: Option<Passage>,
    /// What its source has of them, by number.
    pub known: Vec<Region>,
}

impl Regions {
    /// What is known of a region.
    #[must_use]
    pub fn region(&self, number: RegionNumber) -> Option<&Region> {
        self.known.iter().find(|region| region.number == number)
    }

    /// The patches of some regions; none where those of one are not known.
    fn patches(&self, numbers: impl Iterator<Item = RegionNumber>) -> Option<Vec<Patch>> {
        let regions: Option<Vec<&Region>> = numbers.map(|number| self.region(number)).collect();
        Some(regions?.into_iter().flat_map(|region| region.patches.iter().copied()).collect())
    }
}

impl Passage {
    /// The range that covers all these patches.
    fn range(&self, patches: &[Patch]) -> Option<Range> {
        let windows = || patches.iter().filter_map(|patch| patch.window);
        let start = windows().map(|window| window.start).min()?;
        let end = windows().map(|window| window.end).max()?;
        let start = start.checked_sub_signed(self.margin).unwrap_or(NaiveDateTime::MIN);
        let end = end.checked_add_signed(self.margin).unwrap_or(NaiveDateTime::MAX);
        Some(Range { start: Bound::At(start), end: Bound::At(end) })
    }
}

impl Series {
    /// The regions that the range follows.
    pub fn regions_of_range(&self) -> impl Iterator<Item = RegionNumber> {
        self.regions.passage.iter().flat_map(|passage| passage.numbers.iter().copied())
    }

    /// The regions that the filter `noaa` names. Several series number their patches differently: their records are asked
    /// for their NOAA numbers.
    pub fn regions_of_filter(&self) -> impl Iterator<Item = RegionNumber> {
        let noaa = self.filters.noaa.iter().filter(|_| self.fallbacks.is_empty());
        noaa.flatten().map(|number| RegionNumber::Noaa(*number))
    }

    /// All regions whose patches are looked up, each once.
    #[must_use]
    pub fn region_numbers(&self) -> BTreeSet<RegionNumber> {
        self.regions_of_range().chain(self.regions_of_filter()).collect()
    }

    /// True while its range follows regions of which it is not known when they were seen.
    #[must_use]
    pub fn lacks_dates(&self) -> bool {
        self.regions.passage.is_some() && self.range == Range::UNKNOWN
    }

    /// The regions that have to be looked up before the days of the series are known.
    #[must_use]
    pub fn unknown_of_range(&self) -> Vec<RegionNumber> {
        let is_known = |number: &RegionNumber| self.regions.region(*number).is_some_and(Region::has_windows);
        self.regions_of_range().filter(|number| !is_known(number)).collect()
    }

    /// All regions that have to be looked up before its records are asked for by HARP number.
    #[must_use]
    pub fn unknown_regions(&self) -> Vec<RegionNumber> {
        let of_filter = self.regions_of_filter().filter(|number| self.regions.region(*number).is_none());
        let all: BTreeSet<RegionNumber> = self.unknown_of_range().into_iter().chain(of_filter).collect();
        all.into_iter().collect()
    }

    /// The regions that the source has no patch of, as far as is known: whether these are all that the range, or the filter,
    /// names, and which.
    #[must_use]
    pub fn without_patch(&self) -> (bool, Vec<RegionNumber>) {
        let lacks = |number: &RegionNumber| self.regions.region(*number).is_some_and(|known| known.patches.is_empty());
        let are_all = |numbers: Vec<RegionNumber>| !numbers.is_empty() && numbers.iter().all(lacks);
        let all = are_all(self.regions_of_range().collect()) || are_all(self.regions_of_filter().collect());
        (all, self.region_numbers().into_iter().filter(lacks).collect())
    }

    /// Takes in what the source has of regions, in place of what was known of them.
    pub fn learn(&mut self, found: impl IntoIterator<Item = Region>) {
        let numbers = self.region_numbers();
        for region in found.into_iter().filter(|region| numbers.contains(&region.number)) {
            self.regions.known.retain(|known| known.number != region.number);
            self.regions.known.push(region);
        }
        self.regions.known.sort_by_key(|region| region.number);
        let Some(passage) = &self.regions.passage else { return };
        let has_windows = |number| self.regions.region(number).is_some_and(Region::has_windows);
        let numbers = || passage.numbers.iter().copied();
        let patches = self.regions.patches(numbers()).filter(|_| numbers().all(has_windows));
        let range = patches.as_deref().and_then(|patches| passage.range(patches));
        self.range = range.unwrap_or(Range::UNKNOWN);
        if passage.is_filter {
            let harps: Option<BTreeSet<i64>> = patches.map(|all| all.iter().map(|patch| patch.harpnum).collect());
            self.filters.harpnum = harps.map(|harps| harps.into_iter().collect());
        }
    }

    /// The HARP numbers of the records asked for, where the patches of all regions of the filter `noaa` are known; none
    /// where records of all patches are asked for, or NOAA's numbers have to be asked of each record.
    #[must_use]
    pub fn harps(&self) -> Option<Vec<i64>> {
        let named = self.filters.harpnum.as_deref();
        let Some(patches) = self.harps_of_filter() else { return named.map(<[i64]>::to_vec) };
        Some(patches.into_iter().filter(|harp| named.is_none_or(|named| named.contains(harp))).collect())
    }

    /// The patches of the regions that the filter `noaa` names, where it names some and they are known.
    #[must_use]
    pub fn harps_of_filter(&self) -> Option<BTreeSet<i64>> {
        self.filters.noaa.as_ref().filter(|_| self.fallbacks.is_empty())?;
        let patches = self.regions.patches(self.regions_of_filter())?;
        Some(patches.into_iter().map(|patch| patch.harpnum).collect())
    }
}

#[cfg(test)]
mod tests;
