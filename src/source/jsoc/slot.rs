//! Times as JSOC writes and takes them, and the grid that a cadence means.
//!
//! A day of this source is one of TAI, but some series write their slots in UTC (`2011-02-15T00:00:13Z`): those are the
//! same instants. The scale of a label that names none is never guessed.

use chrono::{Datelike as _, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike as _};

use crate::day::{SlotSpan, tai};
use crate::fits::name;

/// The instant that JSOC's text means, as a TAI label.
pub(super) fn time(text: &str) -> Option<NaiveDateTime> {
    // chrono cannot represent years further away.
    let is_near = |time: &NaiveDateTime| time.year().abs() < 10_000;
    let utc = || {
        let is_utc = text.ends_with('Z') || text.ends_with("_UTC");
        is_utc.then(|| name::instant(text)).flatten().filter(is_near).map(tai::from_utc)
    };
    if text.len() > 40 {
        return None;
    }
    name::tai(text).filter(is_near).or_else(utc)
}

/// A TAI label as a record set has it, in whole seconds: `2011.02.15_00:00:00_TAI`.
pub(super) fn label(time: NaiveDateTime) -> String {
    time.format("%Y.%m.%d_%H:%M:%S_TAI").to_string()
}

/// A time as JSOC's names of files have it: `20110215_020000_TAI`, or `2011-02-15T000013Z` where it writes UTC.
pub(super) fn stamp(text: &str) -> String {
    match time(text) {
        Some(tai) if text.ends_with("_TAI") => tai.format("%Y%m%d_%H%M%S_TAI").to_string(),
        Some(other) => tai::utc(other).format("%Y-%m-%dT%H%M%SZ").to_string(),
        None => text.to_owned(),
    }
}

/// The first label at or after another that is a multiple of `cadence` seconds since `1993.01.01_TAI`.
pub(super) fn first_multiple(from: NaiveDateTime, cadence: i64) -> NaiveDateTime {
    let whole = from.with_nanosecond(0).unwrap_or(from);
    let whole = if whole < from { whole + TimeDelta::seconds(1) } else { whole };
    let beyond = since_epoch(whole).rem_euclid(cadence);
    whole + TimeDelta::seconds(if beyond == 0 { 0 } else { cadence - beyond })
}

/// True when a slot is the one nearest to a multiple of `cadence` seconds, where slots lie `step` seconds apart.
///
/// Not every series has slots that begin with a whole number of them since 1993.
pub(super) fn is_nearest(slot: NaiveDateTime, cadence: i64, step: i64) -> bool {
    let beyond = since_epoch(slot).rem_euclid(cadence);
    2 * beyond.min(cadence - beyond) <= step
}

/// Slots as few as can be: those in a row, `step` apart, are one.
pub(super) fn in_a_row(mut slots: Vec<SlotSpan>, step: TimeDelta) -> Vec<SlotSpan> {
    slots.sort_unstable();
    let mut rows: Vec<SlotSpan> = Vec::new();
    for [first, last] in slots {
        match rows.last_mut() {
            Some([_, end]) if first - *end <= step => *end = last.max(*end),
            _ => rows.push([first, last]),
        }
    }
    rows
}

/// Whole seconds since `1993.01.01_TAI`.
fn since_epoch(time: NaiveDateTime) -> i64 {
    time.signed_duration_since(epoch()).num_seconds()
}

/// `1993.01.01_TAI`, which a cadence counts from.
pub(super) fn epoch() -> NaiveDateTime {
    NaiveDate::from_ymd_opt(1993, 1, 1).unwrap_or_default().and_time(NaiveTime::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> NaiveDateTime {
        text.parse().unwrap()
    }

    #[test]
    fn times_are_instants_of_tai_whatever_scale_they_are_written_in() {
        assert_eq!(time("2011.02.15_02:00:00_TAI"), Some(at("2011-02-15T02:00:00")));
        assert_eq!(time("2011.02.15_02:00:00.50_TAI"), Some(at("2011-02-15T02:00:00.500")));
        assert_eq!(time("2011-02-15T00:00:13Z"), Some(at("2011-02-15T00:00:47")));
        assert_eq!(time("2011.02.15_00:00:13_UTC"), Some(at("2011-02-15T00:00:47")));
        let far = ["+262142.12.31_23:59:59_TAI", "+262142-12-31T23:59:59Z", "-262143-01-01T00:00:00Z"];
        for none in ["2011-02-15T00:00:13", "MISSING", "", "377"].into_iter().chain(far) {
            assert_eq!(time(none), None, "{none}");
        }
    }

    #[test]
    fn names_are_stamped_as_jsoc_stamps_them() {
        assert_eq!(stamp("2011.02.15_02:00:00_TAI"), "20110215_020000_TAI");
        assert_eq!(stamp("2011-02-15T00:00:13Z"), "2011-02-15T000013Z");
        assert_eq!(stamp("MISSING"), "MISSING");
    }

    #[test]
    fn a_cadence_counts_from_1993_and_not_from_the_window() {
        assert_eq!(first_multiple(at("2011-02-15T00:00:00"), 3600), at("2011-02-15T00:00:00"));
        assert_eq!(first_multiple(at("2011-02-15T00:12:00"), 3600), at("2011-02-15T01:00:00"));
        assert_eq!(first_multiple(at("2011-02-15T00:59:59.5"), 3600), at("2011-02-15T01:00:00"));
        assert_eq!(first_multiple(at("2011-02-15T00:00:00.5"), 3600), at("2011-02-15T01:00:00"));
        // Seven hours are no part of a day: each day begins elsewhere.
        let first = first_multiple(at("2011-02-15T00:00:00"), 25_200);
        assert_eq!(since_epoch(first) % 25_200, 0);
        assert_ne!(first, at("2011-02-15T00:00:00"));
    }

    #[test]
    fn slots_that_follow_each_other_are_one_row() {
        let slot = |minutes: i64| at("2011-02-15T00:00:00") + TimeDelta::minutes(minutes);
        let single = |minutes: &[i64]| minutes.iter().map(|minutes| [slot(*minutes), slot(*minutes)]).collect();
        let rows = in_a_row(single(&[36, 0, 12, 12, 60]), TimeDelta::minutes(12));
        assert_eq!(rows, [[slot(0), slot(12)], [slot(36), slot(36)], [slot(60), slot(60)]]);
        assert_eq!(in_a_row(rows.clone(), TimeDelta::minutes(12)), rows);
        assert!(in_a_row(Vec::new(), TimeDelta::minutes(12)).is_empty());
    }

    #[test]
    fn of_slots_off_the_grid_the_nearest_is_taken() {
        let kept = |seconds: i64, cadence, step| {
            is_nearest(at("2011-02-15T01:00:00") + TimeDelta::seconds(seconds), cadence, step)
        };
        assert!(kept(0, 3600, 720) && !kept(720, 3600, 720) && !kept(-720, 3600, 720));
        assert!(kept(-1, 3600, 12) && !kept(11, 3600, 12) && !kept(-13, 3600, 12));
        assert!(kept(0, 720, 720) && kept(720, 720, 720));
    }
}
