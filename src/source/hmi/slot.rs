//! Slots: the TAI grid that records of a series lie on, counted from `1993.01.01_TAI`.
//!
//! Data is never relabelled: a slot is a fact about a record, never its day.

use std::time::Duration;

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};

use crate::day::tai;
use crate::manifest::{Series, SourceSpec, cadence};

/// The one step whose lag is known, in seconds.
const USUAL_STEP: i64 = 720;

/// How long after its exposure's start a record of that step has its slot, in seconds of TAI.
const LAG: i64 = 75;

/// How far off that may be, in seconds.
const TOLERANCE: i64 = 90;

/// The grid of one series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) struct TaiGrid {
    /// Seconds from one slot to the next.
    pub(super) step: i64,
}

/// One slot: whole seconds of TAI since `1993.01.01_TAI`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) struct TaiSlot(pub(in crate::source) i64);

impl TaiGrid {
    /// The grid that a series' name tells: `hmi.sharp_cea_720s_nrt` has 720 s.
    pub(in crate::source) fn for_series(series: &str) -> TaiGrid {
        TaiGrid { step: i64::try_from(cadence::step(series)).unwrap_or(USUAL_STEP) }
    }

    /// The slot with this number; `None` when it lies beyond any calendar.
    pub(in crate::source) fn nth(self, index: i64) -> Option<TaiSlot> {
        let slot = TaiSlot(index.checked_mul(self.step)?);
        slot.label().map(|_| slot)
    }

    /// The slot that a record belongs to by its exposure's start in UTC; `None` where the two do not fit.
    ///
    /// Only the usual step is known to lag as it does, so no other grid is guessed at.
    pub(in crate::source) fn around(self, start: NaiveDateTime) -> Option<TaiSlot> {
        if self.step != USUAL_STEP {
            return None;
        }
        let due = tai_seconds(start)? + LAG;
        let nearest = (due + self.step / 2).div_euclid(self.step) * self.step;
        ((nearest - due).abs() <= TOLERANCE).then_some(TaiSlot(nearest))
    }
}

impl TaiSlot {
    /// Its label in TAI.
    pub(in crate::source) fn label(self) -> Option<NaiveDateTime> {
        epoch().checked_add_signed(TimeDelta::try_seconds(self.0)?)
    }

    /// True when it lies on a coarser grid of `cadence` seconds.
    pub(in crate::source) fn is_multiple_of(self, cadence: i64) -> bool {
        self.0.rem_euclid(cadence.max(1)) == 0
    }
}

/// True when the record of a file with this time has its slot at a multiple of a cadence; `None` where the time alone does not
/// tell its slot, as for every other kind of source and every other grid.
#[must_use]
pub fn is_at_cadence(series: &Series, time: NaiveDateTime, cadence: Duration) -> Option<bool> {
    let has_slots = matches!(*series.source, SourceSpec::Hmi(_) | SourceSpec::Embedded(_));
    let slot = TaiGrid::for_series(&series.name).around(time).filter(|_| has_slots)?;
    Some(slot.is_multiple_of(i64::try_from(cadence.as_secs()).unwrap_or(i64::MAX)))
}

/// Seconds of TAI from the epoch to a UTC label, rounded to the nearest; `None` before leap seconds are known.
fn tai_seconds(utc: NaiveDateTime) -> Option<i64> {
    let offset = tai::ahead_at(utc)?;
    // Within a leap second the nanoseconds run on above one thousand million, which is just what the sum needs.
    let instant = utc.and_utc();
    let seconds = instant.timestamp() + (i64::from(instant.timestamp_subsec_nanos()) + 500_000_000) / 1_000_000_000;
    Some(seconds + offset - epoch().and_utc().timestamp())
}

fn epoch() -> NaiveDateTime {
    NaiveDate::from_ymd_opt(1993, 1, 1).unwrap_or_default().and_time(chrono::NaiveTime::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> NaiveDateTime {
        text.parse().unwrap()
    }

    #[test]
    fn the_documented_index_is_the_documented_slot() {
        let slot = TaiGrid::for_series("hmi.sharp_720s").nth(1_005_598).unwrap();
        assert_eq!(slot.label(), Some(at("2015-12-11T23:36:00")));
    }

    #[test]
    fn an_exposure_s_start_finds_its_slot() {
        let grid = TaiGrid::for_series("sharp_720s");
        let slot = |text| grid.around(at(text)).and_then(TaiSlot::label);
        assert_eq!(slot("2015-12-11T23:58:08"), Some(at("2015-12-12T00:00:00")));
        assert_eq!(slot("2015-12-11T18:22:08.799999"), Some(at("2015-12-11T18:24:00")));
        assert_eq!(slot("2015-12-11T18:28:08"), None, "half way between two slots");
        assert_eq!(slot("1990-01-01T00:00:00"), None, "before the table");
        assert_eq!(TaiGrid::for_series("hmi.m_45s").around(at("2015-12-11T23:58:08")), None);
    }

    #[test]
    fn l_16_a_leap_second_is_one_second_long() {
        let before = tai_seconds(at("2016-12-31T23:59:59")).unwrap();
        assert_eq!(tai_seconds(at("2016-12-31T23:59:60")), Some(before + 1));
        assert_eq!(tai_seconds(at("2017-01-01T00:00:00")), Some(before + 2));
        assert_eq!(tai_seconds(at("1993-01-01T00:00:00")), Some(27));
    }

    #[test]
    fn an_hour_holds_every_fifth_slot() {
        let grid = TaiGrid::for_series("hmi.sharp_720s");
        let hourly = (1_005_595..1_005_605).filter(|index| grid.nth(*index).unwrap().is_multiple_of(3600)).count();
        assert_eq!(hourly, 2);
        assert_eq!(grid.nth(i64::MAX), None);
        assert_eq!(grid.nth(i64::MAX / 720), None);
    }
}
