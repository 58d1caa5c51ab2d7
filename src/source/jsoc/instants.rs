//! The instants of a cadence, and the record nearest to each, where the slots of a series do not say how far apart its
//! records are.
//!
//! JSOC cannot choose these records: `@` takes exactly every n-th slot, whether a record is there or not
//! (`drms_names.c:1192-1205,2200-2206`), and on a time without slots it computes with the start printed to six digits
//! (`drms_names.c:2207-2221`).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{NaiveDateTime, TimeDelta};

use super::slot::epoch;
use crate::day::Window;

/// A record farther from an instant does not stand for it, however long the cadence is: this bounds how far beyond a day
/// records are listed.
const FARTHEST: i64 = 12 * 3600 * MICROS;

/// Microseconds in a second.
const MICROS: i64 = 1_000_000;

/// The multiples of a cadence since `1993.01.01_TAI`, or instants as far apart as those. A record stands for the instant
/// that it is nearest to, the earlier one of two, where no other record of its kind is nearer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instants {
    /// In microseconds.
    cadence: i64,
    /// How long after a multiple of the cadence each one is, in microseconds.
    offset: i64,
}

/// How far a record is from its instant, its time and its number: the least is chosen.
type Rank = (i64, NaiveDateTime, i64);

/// A record that may stand for an instant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct InstantCandidate<'a> {
    pub(super) time: NaiveDateTime,
    pub(super) recnum: i64,
    /// What sets it apart from records that lie beside it, such as its wavelength: each kind has its own nearest record.
    pub(super) kind: Vec<&'a str>,
}

/// The records that stand for instants.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Chosen {
    /// Their numbers.
    pub(super) records: BTreeSet<i64>,
    /// How many instants of the window have no record, or none of one of the kinds.
    pub(super) lacking: u64,
}

impl Instants {
    pub(super) fn every(seconds: i64) -> Instants {
        Instants { cadence: seconds.max(1).saturating_mul(MICROS), offset: 0 }
    }

    /// The same, moved so that a time is one of them.
    pub(super) fn through(self, time: NaiveDateTime) -> Instants {
        Instants { offset: micros(time).rem_euclid(self.cadence), ..self }
    }

    /// How far a record may lie from its instant.
    fn tolerance(self) -> i64 {
        (self.cadence / 2).min(FARTHEST)
    }

    /// The number of the instant that a time stands for.
    fn nearest(self, time: NaiveDateTime) -> Option<i64> {
        let nth = -(self.cadence - 2 * self.since_first(time)).div_euclid(2 * self.cadence);
        (self.distance(time, nth) <= self.tolerance()).then_some(nth)
    }

    /// The instant that a record stands for, by its time.
    pub(super) fn of(self, time: NaiveDateTime) -> Option<NaiveDateTime> {
        self.nearest(time).map(|nth| self.at(nth * self.cadence))
    }

    fn distance(self, time: NaiveDateTime, nth: i64) -> i64 {
        (self.since_first(time) - nth * self.cadence).abs()
    }

    /// The time from the instant with the number zero, in microseconds.
    fn since_first(self, time: NaiveDateTime) -> i64 {
        micros(time) - self.offset
    }

    /// The time so many microseconds after the instant with the number zero.
    fn at(self, micros: i64) -> NaiveDateTime {
        epoch() + TimeDelta::microseconds(self.offset + micros)
    }

    /// The time in which records lie that compete with those of a window; none where no record of it can be near an instant.
    pub(super) fn reach(self, window: Window) -> Option<Window> {
        let (start, end) = (self.since_first(window.start), self.since_first(window.end));
        let tolerance = self.tolerance();
        let first = -(tolerance - start).div_euclid(self.cadence);
        let last = (end + tolerance - 1).div_euclid(self.cadence);
        (first <= last).then(|| Window {
            start: self.at(first * self.cadence - tolerance),
            end: self.at(last * self.cadence + tolerance + 1),
        })
    }

    /// The numbers of the instants in a window.
    fn within(self, window: Window) -> std::ops::Range<i64> {
        let from = |time: NaiveDateTime| -(-self.since_first(time)).div_euclid(self.cadence);
        from(window.start)..from(window.end)
    }

    /// How many instants there are in a window.
    pub(super) fn count_in(self, window: Window) -> u64 {
        self.within(window).count() as u64
    }

    /// Chooses the record nearest to each instant, among all within reach of a window; of two as near, the earlier one.
    pub(super) fn choose<'a>(self, window: Window, candidates: impl Iterator<Item = InstantCandidate<'a>>) -> Chosen {
        let mut nearest: BTreeMap<(i64, Vec<&str>), Rank> = BTreeMap::new();
        let mut kinds: BTreeSet<Vec<&str>> = BTreeSet::new();
        for InstantCandidate { time, recnum, kind } in candidates {
            kinds.insert(kind.clone());
            let Some(nth) = self.nearest(time) else { continue };
            let rank = (self.distance(time, nth), time, recnum);
            let best = nearest.entry((nth, kind)).or_insert(rank);
            *best = rank.min(*best);
        }
        if kinds.is_empty() {
            kinds.insert(Vec::new());
        }
        let lacks = |nth: &i64| kinds.iter().any(|kind| !nearest.contains_key(&(*nth, kind.clone())));
        let lacking = self.within(window).filter(lacks).count() as u64;
        Chosen { records: nearest.into_values().map(|(.., recnum)| recnum).collect(), lacking }
    }
}

fn micros(time: NaiveDateTime) -> i64 {
    time.signed_duration_since(epoch()).num_microseconds().unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> NaiveDateTime {
        format!("2011-02-15T{time}").parse().unwrap()
    }

    fn day() -> Window {
        Window::of_day("2011-02-15".parse().unwrap())
    }

    /// The times of the records that are chosen of those at these times, and how many instants lack one.
    fn chosen(cadence: i64, window: Window, times: &[&str]) -> (String, u64) {
        let of_kind = |time: &str| {
            let (time, kind) = time.split_once(' ').unwrap_or((time, ""));
            (time.parse().unwrap_or_else(|_| at(time)), kind.to_owned())
        };
        let all: Vec<(NaiveDateTime, String)> = times.iter().map(|time| of_kind(time)).collect();
        let candidates =
            (0..).zip(&all).map(|(recnum, (time, kind))| InstantCandidate { time: *time, recnum, kind: vec![kind] });
        let chosen = Instants::every(cadence).choose(window, candidates);
        let told = chosen.records.iter().map(|nth| times[usize::try_from(*nth).unwrap()]);
        (told.collect::<Vec<_>>().join(", "), chosen.lacking)
    }

    #[test]
    fn the_record_nearest_to_an_instant_stands_for_it() {
        let hour = Window { start: at("01:00:00"), end: at("02:00:00") };
        for (times, right) in [
            (&["00:59:58", "01:00:03"][..], "00:59:58"),
            (&["00:59:57", "01:00:02.500"], "01:00:02.500"),
            // Of two as near, the earlier one, in any order.
            (&["00:59:57", "01:00:03"], "00:59:57"),
            (&["01:00:03", "00:59:57"], "00:59:57"),
            // One between two instants stands for the earlier.
            (&["01:30:00"], "01:30:00"),
            // Half an hour before it, the one before is as near.
            (&["00:30:00"], "00:30:00"),
            (&["01:29:59", "01:30:01"], "01:29:59, 01:30:01"),
            // Each kind has its own.
            (&["01:00:01 171", "01:00:02 193", "01:00:09 171"], "01:00:01 171, 01:00:02 193"),
        ] {
            assert_eq!(chosen(3600, hour, times).0, right, "{times:?}");
        }
    }

    #[test]
    fn instants_without_a_record_are_counted_each_once() {
        let hours = Window { start: at("01:00:00"), end: at("04:00:00") };
        for (times, lacking) in [
            (&[][..], 3),
            (&["01:00:00", "02:00:00", "03:00:00"][..], 0),
            (&["00:59:00", "03:29:59"], 1),
            // That of 04:00, which is not in the window.
            (&["03:59:59"], 3),
            // Half an hour after 00:00, and not before 01:00.
            (&["00:30:00", "02:00:00", "03:00:00"], 1),
            (&["01:00:00 171", "02:00:00 171", "03:00:00 171", "02:00:00 193"], 2),
        ] {
            assert_eq!(chosen(3600, hours, times).1, lacking, "{times:?}");
        }
    }

    #[test]
    fn slots_that_lie_before_the_minute_are_counted_where_they_lie() {
        let minutes = Instants::every(60).through(at("00:00:56"));
        for (start, end, count) in [
            ("00:00:00", "00:10:00", 10),
            ("00:00:56", "00:01:56", 1),
            ("00:00:57", "00:01:56", 0),
            ("00:00:00", "00:00:56", 0),
        ] {
            assert_eq!(minutes.count_in(Window { start: at(start), end: at(end) }), count, "{start} to {end}");
        }
        let last = [InstantCandidate { time: at("23:59:56"), recnum: 1, kind: Vec::new() }];
        assert_eq!(minutes.choose(day(), last.clone().into_iter()).lacking, 1_439);
        // It is of the next day's first minute where instants are meant.
        assert_eq!(Instants::every(60).choose(day(), last.into_iter()).lacking, 1_440);
    }

    #[test]
    fn no_record_stands_for_an_instant_more_than_half_a_day_away() {
        // Of weeks since 1993-01-01, one begins on 2011-02-18.
        let week = 7 * 86_400;
        let near = |time: &str| Instants::every(week).nearest(time.parse().unwrap()).is_some();
        assert!(near("2011-02-17T12:00:00") && near("2011-02-18T12:00:00"));
        assert!(!near("2011-02-17T11:59:59") && !near("2011-02-18T12:00:01"));
        assert_eq!(Instants::every(week).reach(day()), None);
        let before = Window::of_day("2011-02-17".parse().unwrap());
        let reach = Instants::every(week).reach(before).unwrap();
        assert_eq!(
            (reach.start, reach.end.format("%dT%H:%M:%S").to_string()),
            ("2011-02-17T12:00:00".parse().unwrap(), "18T12:00:00".to_owned())
        );
    }

    #[test]
    fn windows_choose_together_what_one_window_chooses() {
        use rand::{RngExt as _, SeedableRng as _};
        let seed = rand::random();
        println!("seed {seed}");
        let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
        for _ in 0..2_000 {
            let cadence = rng.random_range(1..20_000);
            let instants = Instants::every(cadence);
            let times: Vec<NaiveDateTime> = (0..60)
                .map(|_| day().start + TimeDelta::milliseconds(rng.random_range(-40_000_000..130_000_000)))
                .collect();
            let within = |window: Window| {
                let near = (0..).zip(&times).filter(move |(_, time)| window.contains(**time));
                near.map(|(recnum, time)| InstantCandidate { time: *time, recnum, kind: Vec::new() })
            };
            let of = |window: Window| {
                let reach = instants.reach(window);
                let chosen = reach.map(|reach| instants.choose(window, within(reach))).unwrap_or_default();
                let is_in = |recnum: &i64| window.contains(times[usize::try_from(*recnum).unwrap()]);
                chosen.records.into_iter().filter(is_in).collect::<BTreeSet<i64>>()
            };
            let cut = day().start + TimeDelta::milliseconds(rng.random_range(1..86_400_000));
            let parts = [Window { start: day().start, end: cut }, Window { start: cut, end: day().end }];
            let together: BTreeSet<i64> = parts.into_iter().flat_map(of).collect();
            let rank = |nth: i64, time: NaiveDateTime| {
                instants.nearest(time).map(|instant| (instant, (instants.distance(time, instant), time, nth)))
            };
            let all_ranks: Vec<(i64, Rank)> = (0..).zip(&times).filter_map(|(nth, time)| rank(nth, *time)).collect();
            let is_least = |(instant, own): &&(i64, Rank)| {
                day().contains(own.1) && !all_ranks.iter().any(|(other, rank)| other == instant && rank < own)
            };
            let all: BTreeSet<i64> = all_ranks.iter().filter(is_least).map(|(_, (.., nth))| *nth).collect();
            assert_eq!(together, all, "seed {seed}: {cadence} s, {cut}, {times:?}");
        }
    }
}
