//! The slots of a region: which of those expected are there, and why the others are not.
//!
//! Everything here is a pure function. What it does not do: read records.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};
use serde::Serialize;

use crate::day::{Scale, SlotSpan, Window};

/// Times of one slot differ by seconds where a source tells the start of the exposure.
const JITTER: TimeDelta = TimeDelta::seconds(60);

/// Why a slot is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Reason {
    /// The filter `quality` leaves its record out.
    Quality,
    /// The source has the record and no file of it.
    NoFile,
    /// The job accepts that it is bad at its source.
    Accepted,
    /// The source lists no such record.
    Absent,
    /// The source does not list it, and may not have made it yet.
    Provisional,
    /// Its day failed when it was last tried.
    Failed,
    /// Its day has no usable record yet.
    NotFetched,
    /// The range of this series does not have it.
    OutsideRange,
    /// The records do not tell.
    NotKnown,
}

impl Reason {
    pub(super) const ALL: [Reason; 9] = [
        Reason::Quality,
        Reason::NoFile,
        Reason::Accepted,
        Reason::Absent,
        Reason::Provisional,
        Reason::Failed,
        Reason::NotFetched,
        Reason::OutsideRange,
        Reason::NotKnown,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Reason::Quality => "quality",
            Reason::NoFile => "no file",
            Reason::Accepted => "accepted",
            Reason::Absent => "absent",
            Reason::Provisional => "provisional",
            Reason::Failed => "failed",
            Reason::NotFetched => "not fetched",
            Reason::OutsideRange => "outside range",
            Reason::NotKnown => "not known",
        }
    }

    pub(super) fn meaning(self) -> &'static str {
        match self {
            Reason::Quality => "left out by `quality`",
            Reason::NoFile => "the source has the record, and no file of it",
            Reason::Accepted => "bad at its source, and accepted by the job",
            Reason::Absent => "the source has no such record",
            Reason::Provisional => "not listed yet; the day is not final",
            Reason::Failed => "missing on a day that failed when it was last tried",
            Reason::NotFetched => "on a day that has no usable record yet",
            Reason::OutsideRange => "not in the range of this series",
            Reason::NotKnown => "the records do not tell why",
        }
    }
}

/// How a slot stands that the archive knows of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Slot {
    /// It is there. The first of several records of one slot that is there counts.
    Had,
    /// Its record is known, and it is not there.
    Lacks(Reason),
}

/// The slots of a series: `step` seconds apart, one of them at `anchor`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    pub(super) anchor: NaiveDateTime,
    pub(super) step: i64,
}

impl Grid {
    /// The number of the slot nearest to a time.
    fn nearest(self, time: NaiveDateTime) -> i64 {
        (2 * (time - self.anchor).num_seconds() + self.step).div_euclid(2 * self.step)
    }

    fn at(self, nth: i64) -> NaiveDateTime {
        self.anchor + TimeDelta::seconds(nth * self.step)
    }

    /// The numbers of the first and the last slot from one time to another, both included.
    fn within(self, [first, last]: SlotSpan) -> (i64, i64) {
        let jitter = JITTER.num_seconds().min(self.step / 2);
        let since = |time: NaiveDateTime| (time - self.anchor).num_seconds();
        (-(jitter - since(first)).div_euclid(self.step), (since(last) + jitter).div_euclid(self.step))
    }
}

/// Slots in a row that stand alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    first: i64,
    last: i64,
    slot: Slot,
}

/// What the archive knows of the regions of one series.
#[derive(Debug)]
pub(super) struct SeriesSlots {
    pub(super) id: String,
    pub(super) scale: Scale,
    /// Regions are numbered anew in near-real-time series, so that one number is two regions.
    pub(super) is_nrt: bool,
    /// Seconds from one slot to the next.
    pub(super) step: i64,
    /// What of the time is asked for and has begun.
    pub(super) range: Window,
    /// Why slots of a day that nothing is known of are not there; of every other day: not fetched.
    pub(super) unlisted: BTreeMap<NaiveDate, Reason>,
    grid: Option<Grid>,
    regions: BTreeMap<i64, Known>,
}

/// What is known of a region.
#[derive(Debug)]
struct Known {
    /// The times of its first and last record.
    span: SlotSpan,
    /// In order.
    runs: Vec<Run>,
}

/// The slots of one region in one series.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Region {
    pub(super) harpnum: i64,
    /// The first slot, in the scale of the series.
    pub(super) first: String,
    /// The last slot.
    pub(super) last: String,
    pub(super) expected: u64,
    pub(super) had: u64,
    /// How many are not there, by the reason.
    pub(super) lacking: BTreeMap<Reason, u64>,
    pub(super) gaps: Vec<Gap>,
}

/// Slots in a row that are not there for one reason.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Gap {
    pub(super) first: String,
    pub(super) last: String,
    pub(super) slots: u64,
    pub(super) reason: Reason,
}

/// The records of one day by region and time.
pub(super) type DaySlots = BTreeMap<i64, Vec<(NaiveDateTime, Slot)>>;

impl SeriesSlots {
    pub(super) fn new(id: &str, (scale, is_nrt): (Scale, bool), step: i64, range: Window) -> SeriesSlots {
        SeriesSlots {
            id: id.to_owned(),
            scale,
            is_nrt,
            step: step.max(1),
            range,
            unlisted: BTreeMap::new(),
            grid: None,
            regions: BTreeMap::new(),
        }
    }

    pub(super) fn has_regions(&self) -> bool {
        !self.regions.is_empty()
    }

    /// Adds a day, which lies after all that were added. `left_out` are slots whose records `quality` left out.
    pub(super) fn add(&mut self, records: DaySlots, left_out: impl Iterator<Item = (i64, SlotSpan)>) {
        let first = records.values().flatten().map(|(time, _)| *time).min();
        let left_out: Vec<(i64, SlotSpan)> = left_out.collect();
        let first = first.into_iter().chain(left_out.iter().map(|(_, [first, _])| *first)).min();
        let Some(anchor) = first else { return };
        let grid = *self.grid.get_or_insert(Grid { anchor, step: self.step });
        let mut day: BTreeMap<i64, (SlotSpan, BTreeMap<i64, Slot>)> = BTreeMap::new();
        let mut note = |harpnum: i64, [first, last]: SlotSpan, slot: Slot| {
            let (span, slots) = day.entry(harpnum).or_insert(([first, last], BTreeMap::new()));
            *span = [span[0].min(first), span[1].max(last)];
            for nth in grid.nearest(first)..=grid.nearest(last) {
                slots.entry(nth).and_modify(|known| *known = slot.min(*known)).or_insert(slot);
            }
        };
        for (harpnum, slots) in records {
            for (time, slot) in slots {
                note(harpnum, [time, time], slot);
            }
        }
        for (harpnum, span) in left_out {
            note(harpnum, span, Slot::Lacks(Reason::Quality));
        }
        for (harpnum, (span, slots)) in day {
            self.regions.entry(harpnum).or_insert_with(|| Known { span, runs: Vec::new() }).add(span, slots);
        }
    }

    /// One region, over the time from the first to the last of its records in all series that number regions alike.
    fn region(&self, harpnum: i64, span: SlotSpan) -> Region {
        let grid = self.grid.unwrap_or(Grid { anchor: span[0], step: self.step });
        let (from, until) = grid.within(span);
        let label = |nth: i64| self.scale.label(grid.at(nth));
        let mut region = Region {
            harpnum,
            first: label(from),
            last: label(until),
            expected: 0,
            had: 0,
            lacking: BTreeMap::new(),
            gaps: Vec::new(),
        };
        let runs = self.regions.get(&harpnum).map_or(&[][..], |known| &known.runs);
        let mut runs = runs.iter().peekable();
        let mut before: Option<(Reason, i64)> = None;
        for nth in from..=until {
            while runs.next_if(|run| run.last < nth).is_some() {}
            let slot = runs.peek().filter(|run| run.first <= nth).map(|run| run.slot);
            region.expected += 1;
            let reason = match slot {
                Some(Slot::Had) => {
                    region.had += 1;
                    continue;
                }
                Some(Slot::Lacks(reason)) => reason,
                None => self.unlisted_at(grid.at(nth)),
            };
            *region.lacking.entry(reason).or_default() += 1;
            match region.gaps.last_mut() {
                Some(gap) if before == Some((reason, nth - 1)) => (gap.last, gap.slots) = (label(nth), gap.slots + 1),
                _ => region.gaps.push(Gap { first: label(nth), last: label(nth), slots: 1, reason }),
            }
            before = Some((reason, nth));
        }
        region
    }

    fn unlisted_at(&self, time: NaiveDateTime) -> Reason {
        if !self.range.contains(time) {
            return Reason::OutsideRange;
        }
        self.unlisted.get(&time.date()).copied().unwrap_or(Reason::NotFetched)
    }
}

impl Known {
    /// Adds the slots of a day after those that were added.
    fn add(&mut self, span: SlotSpan, slots: BTreeMap<i64, Slot>) {
        self.span = [self.span[0].min(span[0]), self.span[1].max(span[1])];
        for (nth, slot) in slots {
            match self.runs.last_mut() {
                // The last slot of one day may be the first of the next, where times are some seconds off.
                Some(run) if run.last >= nth => {}
                Some(run) if run.last + 1 == nth && run.slot == slot => run.last = nth,
                _ => self.runs.push(Run { first: nth, last: nth, slot }),
            }
        }
    }
}

/// The regions of each series. A region is expected from its first to its last record in any of the series that number
/// regions alike, also in those that have none of it.
pub(super) fn regions(all: &[SeriesSlots]) -> Vec<Vec<Region>> {
    let family = |series: &SeriesSlots| (series.scale, series.is_nrt);
    let mut spans: BTreeMap<(Scale, bool, i64), SlotSpan> = BTreeMap::new();
    for series in all {
        for (harpnum, Known { span, .. }) in &series.regions {
            let (scale, is_nrt) = family(series);
            let whole = spans.entry((scale, is_nrt, *harpnum)).or_insert(*span);
            *whole = [whole[0].min(span[0]), whole[1].max(span[1])];
        }
    }
    let of = |series: &SeriesSlots| {
        let own = spans.iter().filter(|((scale, is_nrt, _), _)| (*scale, *is_nrt) == family(series));
        own.map(|((.., harpnum), span)| series.region(*harpnum, *span)).filter(|region| region.expected > 0).collect()
    };
    all.iter().map(of).collect()
}

/// The reasons that any region has, in their order.
pub(super) fn reasons<'a>(regions: impl Iterator<Item = &'a Region>) -> Vec<Reason> {
    let seen: BTreeSet<Reason> = regions.flat_map(|region| region.lacking.keys().copied()).collect();
    seen.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> NaiveDateTime {
        "2011-02-15T00:00:00".parse::<NaiveDateTime>().unwrap() + TimeDelta::minutes(minutes)
    }

    const DAY: i64 = 1440;

    fn series(id: &str, is_nrt: bool, step: i64, [start, end]: [i64; 2]) -> SeriesSlots {
        SeriesSlots::new(id, (Scale::Tai, is_nrt), step, Window { start: at(start), end: at(end) })
    }

    /// The slots of region 377 at these minutes.
    fn day(slots: &[(i64, Slot)]) -> DaySlots {
        DaySlots::from([(377, slots.iter().map(|(minutes, slot)| (at(*minutes), *slot)).collect())])
    }

    /// `had/expected reason:count ...` of region 377 in each series.
    fn told(all: &[SeriesSlots]) -> Vec<String> {
        let told = |regions: Vec<Region>| {
            let of = |region: &Region| {
                let why = region.lacking.iter().map(|(reason, slots)| format!(" {}:{slots}", reason.name()));
                format!("{}/{}{}", region.had, region.expected, why.collect::<String>())
            };
            regions.iter().map(of).collect::<Vec<_>>().join("; ")
        };
        regions(all).into_iter().map(told).collect()
    }

    #[test]
    fn slots_that_no_record_names_have_the_reason_of_their_day() {
        let mut one = series("one", false, 720, [0, 4 * DAY]);
        one.add(day(&[(0, Slot::Had), (12, Slot::Lacks(Reason::NoFile)), (12, Slot::Had)]), [].into_iter());
        one.add(day(&[(3 * DAY, Slot::Had)]), [(377, [at(3 * DAY + 12), at(3 * DAY + 36)])].into_iter());
        let date = |days: i64| at(days * DAY).date();
        one.unlisted = [(date(0), Reason::Absent), (date(1), Reason::Failed), (date(3), Reason::Absent)].into();
        let expected = "3/364 quality:3 absent:118 failed:120 not fetched:120";
        assert_eq!(told(&[one]), [expected]);
    }

    #[test]
    fn a_region_is_as_long_in_each_series_that_numbers_regions_alike() {
        let mut long = series("long", false, 720, [0, DAY]);
        long.add(day(&[(0, Slot::Had), (12, Slot::Had), (72, Slot::Had)]), [].into_iter());
        long.unlisted = [(at(0).date(), Reason::Absent)].into();
        let mut short = series("short", false, 720, [0, 24]);
        short.add(day(&[(12, Slot::Had)]), [].into_iter());
        short.unlisted = [(at(0).date(), Reason::Provisional)].into();
        let mut hourly = series("hourly", false, 3600, [0, DAY]);
        hourly.add(day(&[(60, Slot::Had)]), [].into_iter());
        let none = series("none", false, 3600, [0, DAY]);
        let mut nrt = series("nrt", true, 720, [0, DAY]);
        nrt.add(day(&[(DAY - 12, Slot::Had)]), [].into_iter());
        let expected =
            ["3/7 absent:4", "1/7 provisional:1 outside range:5", "1/2 not fetched:1", "0/2 not fetched:2", "1/1"];
        assert_eq!(told(&[long, short, hourly, none, nrt]), expected);
    }

    #[test]
    fn times_some_seconds_off_are_the_same_slots() {
        let mut one = SeriesSlots::new("one", (Scale::Utc, false), 720, Window { start: at(0), end: at(2 * DAY) });
        for first in [0, DAY] {
            let slots = (0..120).map(|nth| (at(first + 12 * nth) + TimeDelta::seconds(nth % 7 - 3), Slot::Had));
            one.add(DaySlots::from([(377, slots.collect())]), [].into_iter());
        }
        assert_eq!(told(&[one]), ["240/240"]);
    }

    #[test]
    fn a_gap_is_slots_in_a_row_for_one_reason() {
        let mut one = series("one", false, 720, [0, DAY]);
        one.add(day(&[(0, Slot::Had), (48, Slot::Had)]), [(377, [at(24), at(24)])].into_iter());
        one.unlisted = [(at(0).date(), Reason::Absent)].into();
        let [region] = &regions(&[one])[0][..] else { panic!("one region") };
        let gaps: Vec<(&str, u64, Reason)> =
            region.gaps.iter().map(|gap| (&gap.first[11..16], gap.slots, gap.reason)).collect();
        assert_eq!(gaps, [("00:12", 1, Reason::Absent), ("00:24", 1, Reason::Quality), ("00:36", 1, Reason::Absent)]);
    }
}
