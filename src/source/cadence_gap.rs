//! The files that a cadence leaves out, and the day on which it leaves out all of them.
//!
//! A cadence that a source does not have is refused; a day whose own times of it are missing is a day with a gap.

use std::collections::BTreeMap;

use chrono::NaiveDateTime;

use crate::failure::{Class, Failure};

/// So many of the times are told.
const TOLD: usize = 3;

/// What a cadence leaves out of a day.
#[derive(Debug)]
pub(super) struct OffCadence {
    /// What it counts.
    what: &'static str,
    count: u64,
    /// By the seconds that the cadence counts in.
    times: BTreeMap<i64, NaiveDateTime>,
}

impl OffCadence {
    /// Nothing yet of these: `files`, or `records`.
    pub(super) fn of(what: &'static str) -> OffCadence {
        OffCadence { what, count: 0, times: BTreeMap::new() }
    }

    /// Notes one whose time is `seconds` where the cadence counts, and `label` for people.
    pub(super) fn note(&mut self, seconds: i64, label: NaiveDateTime) {
        self.count += 1;
        self.times.insert(seconds, label);
    }

    /// How many it leaves out.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Refuses a cadence of so many seconds, counted `from` there, that takes none of these though the source has no gap
    /// where its times would be. Fewer than `enough` prove nothing.
    ///
    /// # Errors
    /// `source-refused`.
    pub(super) fn must_be_a_gap(&self, cadence: i64, from: &str, enough: u64) -> Result<(), Failure> {
        if self.count < enough || self.is_gap(cadence) {
            return Ok(());
        }
        let first: Vec<String> =
            self.times.values().take(TOLD).map(|time| time.format("%H:%M:%S").to_string()).collect();
        let why = format!(
            "the cadence of {cadence} s takes none of the {} {} of this day, the first of which are of {}: no time of \
             theirs is a multiple of it from {from}, and nothing is interpolated; write a `cadence` that the source has, or \
             leave it out",
            self.count,
            self.what,
            first.join(", ")
        );
        Err(Failure::new(Class::SourceRefused, why))
    }

    /// True when the files lie evenly, and the cadence's times lie where further ones would.
    fn is_gap(&self, cadence: i64) -> bool {
        let Some(first) = self.times.keys().next() else { return true };
        let apart = || self.times.keys().zip(self.times.keys().skip(1)).map(|(one, next)| next - one);
        let step = apart().fold(0, common);
        apart().min() == Some(step) && first.rem_euclid(common(step, cadence)) == 0
    }
}

/// The greatest common divisor.
fn common(one: i64, other: i64) -> i64 {
    if other == 0 { one.max(1) } else { common(other, one % other) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether files at these minutes may just lack those of a cadence of so many minutes.
    fn is_gap(minutes: &[i64], cadence: i64) -> bool {
        let mut off = OffCadence::of("files");
        for minute in minutes {
            off.note(minute * 60, NaiveDateTime::default() + chrono::TimeDelta::minutes(*minute));
        }
        off.must_be_a_gap(cadence * 60, "00:00", 2).is_ok()
    }

    #[test]
    fn a_cadence_is_refused_where_the_files_lie_beside_its_times() {
        assert!(!is_gap(&[7, 67, 127], 60), "at seven minutes past each hour");
        assert!(!is_gap(&[7, 19, 31, 67], 60), "each 12 minutes, from 7 past");
        assert!(!is_gap(&[7, 68, 126, 189], 60), "at no even times");
        assert!(!is_gap(&[7, 7], 60), "all at one time");
    }

    #[test]
    fn a_day_that_lacks_the_times_of_a_cadence_has_a_gap() {
        assert!(is_gap(&[2, 4, 6, 8, 12], 10), "10 is missing");
        assert!(is_gap(&[12, 24, 36, 48, 72], 1440), "midnight is missing");
        assert!(is_gap(&[7], 60), "one file proves nothing");
        assert!(is_gap(&[], 60));
    }
}
