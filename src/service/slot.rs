//! The grid that HMI records stand on, and the two time scales it is told in.
//!
//! What it does not do: read a clock. Instants are `NaiveDateTime`s; each name says the scale.

use std::ops::Range;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

use crate::day::Window;
use crate::day::tai::utc;

/// Where slots are counted from, in TAI.
const EPOCH: NaiveDateTime = match NaiveDate::from_ymd_opt(1993, 1, 1) {
    Some(date) => date.and_time(NaiveTime::MIN),
    None => NaiveDateTime::MIN,
};

/// The number of a slot in TAI on a grid of `step` seconds; `None` beside it.
#[must_use]
pub(super) fn index(t_rec: NaiveDateTime, step: u64) -> Option<i64> {
    let since = t_rec - EPOCH;
    let step = i64::try_from(step).ok().filter(|step| *step > 0)?;
    let is_on_grid = since.subsec_nanos() == 0 && since.num_seconds() % step == 0;
    is_on_grid.then_some(since.num_seconds() / step)
}

/// The grid's step in seconds.
const STEP: i64 = 720;

/// How long before its slot an exposure begins, in milliseconds of TAI.
const LEAD: i64 = 75_200;

/// One place on the 720 s grid: the `t_rec_index`, counted from 1993-01-01 TAI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct GridSlot(pub(super) i64);

impl GridSlot {
    /// The first slot of the mission's data, 2010-05-01 TAI.
    pub(super) const FIRST: GridSlot = GridSlot(759_480);

    /// The first slot after the synthetic data, 2100-01-01 TAI: so there are numbers that no record has.
    pub(super) const END: GridSlot = GridSlot(4_689_720);

    /// `T_REC`: the slot in TAI.
    pub(super) fn t_rec(self) -> NaiveDateTime {
        EPOCH + TimeDelta::seconds(self.0.saturating_mul(STEP))
    }

    /// `DATE-OBS`: when the exposure begins, in UTC.
    pub(super) fn date_obs(self) -> NaiveDateTime {
        utc(self.t_rec() - TimeDelta::milliseconds(LEAD))
    }

    /// The slots from [`GridSlot::FIRST`] to [`GridSlot::END`] whose `date_obs` lies in the window.
    pub(super) fn within(window: Window) -> Range<i64> {
        // The smallest and largest offsets there can be only bound the search; `date_obs` decides.
        let near = |utc: NaiveDateTime| (utc - EPOCH).num_seconds().div_euclid(STEP);
        let first = |utc: NaiveDateTime| {
            let mut slot = (near(utc) - 1).clamp(GridSlot::FIRST.0, GridSlot::END.0);
            while slot < GridSlot::END.0 && GridSlot(slot).date_obs() < utc {
                slot += 1;
            }
            slot
        };
        first(window.start)..first(window.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> NaiveDateTime {
        text.parse().expect("a label")
    }

    #[test]
    fn slots_are_where_the_archive_has_them() {
        assert_eq!(GridSlot::FIRST.t_rec(), at("2010-05-01T00:00:00"));
        assert_eq!(GridSlot::END.t_rec(), at("2100-01-01T00:00:00"));
        assert_eq!(GridSlot(1_005_598).t_rec(), at("2015-12-11T23:36:00"));
        assert_eq!(GridSlot(1_005_598).date_obs(), at("2015-12-11T23:34:08.800"));
        assert_eq!(GridSlot(1_005_600).date_obs(), at("2015-12-11T23:58:08.800"));
        assert_eq!(index(at("2015-12-11T23:36:00"), 720), Some(1_005_598));
        assert_eq!(index(at("1993-01-01T00:01:30"), 45), Some(2));
        for beside in ["2015-12-11T23:36:01", "2015-12-11T23:36:00.5"] {
            assert_eq!(index(at(beside), 720), None, "{beside}");
        }
        let tutorial = GridSlot::within(Window { start: at("2015-12-11T18:20:00"), end: at("2015-12-11T18:24:00") });
        assert_eq!(GridSlot(tutorial.start).t_rec(), at("2015-12-11T18:24:00"));
        assert_eq!(GridSlot(tutorial.start).date_obs(), at("2015-12-11T18:22:08.800"));
    }

    #[test]
    fn a_day_has_120_slots_also_where_a_leap_second_comes_in() {
        for day in ["2010-06-01", "2012-06-30", "2012-07-01", "2015-12-11", "2016-12-31", "2017-01-01", "2026-02-28"] {
            let slots = GridSlot::within(Window::of_day(day.parse().expect("a date")));
            assert_eq!(slots.end - slots.start, 120, "{day}");
            assert_eq!(GridSlot(slots.start).date_obs().date().to_string(), day);
        }
        let before_the_mission = GridSlot::within(Window::of_day("2009-01-01".parse().expect("a date")));
        assert!(before_the_mission.is_empty());
        assert!(GridSlot::within(Window::of_day("2100-01-02".parse().expect("a date"))).is_empty());
    }
}
