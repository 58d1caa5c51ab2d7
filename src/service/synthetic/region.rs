//! Which active regions there are, which slots are missing, which records are doubtful: all by chance of the seed.
//!
//! What it does not do: pixels.

use chrono::{Datelike, Timelike};

use super::chance;
use crate::service::slot::GridSlot;

/// Slots between the births of two regions, on average: five days.
const BIRTHS: i64 = 600;

/// The first record number.
const FIRST_RECNUM: i64 = 1_000_000;

/// The sky of one seed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sky {
    /// What it is made from.
    pub(super) seed: u64,
}

/// One active region: one to three are there at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SyntheticRegion {
    /// Its place in the order of births, from 0.
    pub(super) ordinal: i64,
    /// Its HARPNUM.
    pub(super) harpnum: i64,
    /// Its first slot.
    pub(super) born: i64,
    /// How many slots it lives, 720 to 1439.
    pub(super) life: i64,
}

impl Sky {
    /// Chance of this seed.
    pub(super) fn chance(self, what: u64, of: i64) -> u64 {
        chance(&[self.seed, what, of.cast_unsigned()])
    }

    fn region(self, ordinal: i64) -> SyntheticRegion {
        let born = GridSlot::FIRST.0 + (ordinal - 2) * BIRTHS + small(self.chance(1, ordinal), 120);
        let life = 720 + small(self.chance(2, ordinal), 720);
        SyntheticRegion { ordinal, harpnum: 1 + ordinal * 15 + small(self.chance(3, ordinal), 10), born, life }
    }

    /// The regions at a slot, oldest first. Lives and births are so that there is one at least and three at most.
    pub(super) fn regions(self, slot: GridSlot) -> Vec<SyntheticRegion> {
        let latest = (slot.0 - GridSlot::FIRST.0).div_euclid(BIRTHS) + 2;
        let around = (latest - 3).max(0)..=latest;
        around.map(|ordinal| self.region(ordinal)).filter(|region| region.is_there(slot)).collect()
    }

    /// True for a slot without any record: now and then one, and an hour a day when the Earth hides the Sun.
    pub(super) fn is_missing(self, slot: GridSlot) -> bool {
        let at = slot.date_obs();
        let season = i64::from(at.year()) * 12 + i64::from(at.month());
        let first = 6 + small(self.chance(4, season), 5);
        let day = i64::from(at.day());
        let minute = at.hour() * 60 + at.minute();
        let eclipse = matches!(at.month(), 3 | 9) && (first..first + 20).contains(&day) && (372..444).contains(&minute);
        eclipse || self.chance(5, slot.0).is_multiple_of(89)
    }

    /// The quality bits of a slot's records; 0 is good.
    pub(super) fn quality(self, slot: GridSlot) -> i64 {
        if self.chance(6, slot.0).is_multiple_of(53) { 0x400 } else { 0 }
    }

    /// The slot and region of a record, when there is such a record.
    pub(super) fn record(self, recnum: i64) -> Option<(GridSlot, SyntheticRegion)> {
        let offset = recnum.checked_sub(FIRST_RECNUM).filter(|offset| *offset >= 0)?;
        let slot = GridSlot(GridSlot::FIRST.0 + offset / 4);
        if slot >= GridSlot::END {
            return None;
        }
        let region = self.regions(slot).into_iter().find(|region| region.recnum(slot) == recnum)?;
        (!self.is_missing(slot)).then_some((slot, region))
    }
}

impl SyntheticRegion {
    fn is_there(&self, slot: GridSlot) -> bool {
        (self.born..self.born + self.life).contains(&slot.0)
    }

    /// The number of its record at a slot: unique, since four regions in a row are never there at once.
    pub(super) fn recnum(&self, slot: GridSlot) -> i64 {
        FIRST_RECNUM + (slot.0 - GridSlot::FIRST.0) * 4 + self.ordinal % 4
    }

    /// How far its life has gone at a slot, 0 to 1023.
    pub(super) fn age(&self, slot: GridSlot) -> i64 {
        (slot.0 - self.born) * 1024 / self.life
    }
}

/// A number below `end`.
pub(super) fn small(chance: u64, end: u64) -> i64 {
    i64::try_from(chance % end).unwrap_or(0)
}
