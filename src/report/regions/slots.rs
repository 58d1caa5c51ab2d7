//! The slots of a region: which of those expected are there, and why the others are not.
//!
//! Everything here is a pure function.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};
use serde::Serialize;

use crate::day::{Scale, SlotSpan, Window};
use crate::manifest::Series;
use crate::report::gap_reason::GapReason;

/// Times of one slot differ by seconds where a source tells the start of the exposure.
const JITTER: TimeDelta = TimeDelta::seconds(60);

/// How a slot stands that the archive knows of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SlotStatus {
    /// It is there. The first of several records of one slot that is there counts.
    Had,
    /// Its record is known, and it is not there.
    Lacks(GapReason),
}

/// The slots of a series: `step` seconds apart, one of them at `anchor`.
#[derive(Debug, Clone, Copy)]
struct SlotGrid {
    anchor: NaiveDateTime,
    step: i64,
}

impl SlotGrid {
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
struct SlotRun {
    first: i64,
    last: i64,
    slot: SlotStatus,
}

/// Series that number regions alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Family {
    /// The scale of their times.
    pub scale: Scale,
    /// Near-real-time series number regions anew, so that one number is two regions.
    pub is_nrt: bool,
}

impl Family {
    /// The family of a series.
    #[must_use]
    pub fn of(series: &Series) -> Family {
        Family { scale: series.source.scale(), is_nrt: series.name.to_ascii_lowercase().contains("_nrt") }
    }
}

/// What the archive knows of the regions of one series.
#[derive(Debug)]
pub struct SeriesSlots {
    /// The series' id.
    pub id: String,
    /// The series that number regions alike.
    pub family: Family,
    /// Seconds from one slot to the next.
    pub step: i64,
    /// A day that was read has files.
    pub has_files: bool,
    /// What of the time is asked for and has begun.
    range: Window,
    /// The regions that are asked for; none where all are.
    pub(super) asked: Option<BTreeSet<i64>>,
    /// Why slots of a day that nothing is known of are not there; of every other day: not fetched.
    pub(super) unlisted: BTreeMap<NaiveDate, GapReason>,
    /// From the first to the last record of regions, where the source was asked for that.
    pub(super) looked_up: BTreeMap<i64, SlotSpan>,
    grid: Option<SlotGrid>,
    regions: BTreeMap<i64, RegionFacts>,
}

/// What is known of a region.
#[derive(Debug)]
struct RegionFacts {
    /// The times of its first and last record.
    span: SlotSpan,
    /// In order.
    runs: Vec<SlotRun>,
}

/// The slots of one region in one series.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct SlotsOfRegion {
    /// Its number.
    pub harpnum: i64,
    /// The first slot, in the scale of the series.
    pub first: String,
    /// The last slot.
    pub last: String,
    /// Slots from the first to the last.
    pub expected: u64,
    /// Of these, those that are there.
    pub had: u64,
    /// How many are not there, by the reason.
    pub lacking: BTreeMap<GapReason, u64>,
    /// The slots that are not there, in order.
    pub gaps: Vec<MissingSlots>,
}

/// Slots in a row that are not there for one reason.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct MissingSlots {
    /// The first of them.
    pub first: String,
    /// The last.
    pub last: String,
    /// How many they are.
    pub slots: u64,
    /// Why.
    pub reason: GapReason,
}

/// The records of one day by region and time.
pub(super) type DaySlots = BTreeMap<i64, Vec<(NaiveDateTime, SlotStatus)>>;

impl SeriesSlots {
    pub(super) fn new(id: &str, family: Family, step: i64, range: Window) -> SeriesSlots {
        SeriesSlots {
            id: id.to_owned(),
            family,
            step: step.max(1),
            has_files: false,
            range,
            asked: None,
            unlisted: BTreeMap::new(),
            looked_up: BTreeMap::new(),
            grid: None,
            regions: BTreeMap::new(),
        }
    }

    /// True when a record names a region.
    #[must_use]
    pub fn has_regions(&self) -> bool {
        !self.regions.is_empty()
    }

    /// The regions with a slot in this series that are asked for or there, by their numbers.
    pub fn regions(&self, spans: &Spans) -> impl Iterator<Item = SlotsOfRegion> {
        let is_asked = |harpnum: &i64| self.asked.as_ref().is_none_or(|asked| asked.contains(harpnum));
        let is_own = move |harpnum: &i64| is_asked(harpnum) || self.regions.contains_key(harpnum);
        let own = spans.of(self.family).filter(move |(harpnum, _)| is_own(harpnum));
        own.map(|(harpnum, span)| self.region(harpnum, span)).filter(|region| region.expected > 0)
    }

    /// Adds a day, which lies after all that were added. `left_out` are slots whose records `quality` left out.
    pub(super) fn add(&mut self, records: DaySlots, left_out: impl Iterator<Item = (i64, SlotSpan)>) {
        let first = records.values().flatten().map(|(time, _)| *time).min();
        let left_out: Vec<(i64, SlotSpan)> = left_out.collect();
        let first = first.into_iter().chain(left_out.iter().map(|(_, [first, _])| *first)).min();
        let Some(anchor) = first else { return };
        let grid = *self.grid.get_or_insert(SlotGrid { anchor, step: self.step });
        let mut day: BTreeMap<i64, (SlotSpan, BTreeMap<i64, SlotStatus>)> = BTreeMap::new();
        let mut note = |harpnum: i64, [first, last]: SlotSpan, slot: SlotStatus| {
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
            note(harpnum, span, SlotStatus::Lacks(GapReason::Quality));
        }
        for (harpnum, (span, slots)) in day {
            self.regions.entry(harpnum).or_insert_with(|| RegionFacts { span, runs: Vec::new() }).add(span, slots);
        }
    }

    /// One region, over the time from the first to the last of its records in all series that number regions alike.
    fn region(&self, harpnum: i64, span: SlotSpan) -> SlotsOfRegion {
        let grid = self.grid.unwrap_or(SlotGrid { anchor: span[0], step: self.step });
        let (from, until) = grid.within(span);
        let label = |nth: i64| self.family.scale.label(grid.at(nth));
        let mut region = SlotsOfRegion {
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
        let mut before: Option<(GapReason, i64)> = None;
        for nth in from..=until {
            while runs.next_if(|run| run.last < nth).is_some() {}
            let slot = runs.peek().filter(|run| run.first <= nth).map(|run| run.slot);
            region.expected += 1;
            let reason = match slot {
                Some(SlotStatus::Had) => {
                    region.had += 1;
                    continue;
                }
                Some(SlotStatus::Lacks(reason)) => reason,
                None => self.unlisted_at(grid.at(nth)),
            };
            *region.lacking.entry(reason).or_default() += 1;
            match region.gaps.last_mut() {
                Some(gap) if before == Some((reason, nth - 1)) => (gap.last, gap.slots) = (label(nth), gap.slots + 1),
                _ => region.gaps.push(MissingSlots { first: label(nth), last: label(nth), slots: 1, reason }),
            }
            before = Some((reason, nth));
        }
        region
    }

    fn unlisted_at(&self, time: NaiveDateTime) -> GapReason {
        if !self.range.contains(time) {
            return GapReason::OutsideRange;
        }
        self.unlisted.get(&time.date()).copied().unwrap_or(GapReason::NotFetched)
    }
}

impl RegionFacts {
    /// Adds the slots of a day after those that were added.
    fn add(&mut self, span: SlotSpan, slots: BTreeMap<i64, SlotStatus>) {
        self.span = [self.span[0].min(span[0]), self.span[1].max(span[1])];
        for (nth, slot) in slots {
            match self.runs.last_mut() {
                // The last slot of one day may be the first of the next, where times are some seconds off.
                Some(run) if run.last >= nth => {}
                Some(run) if run.last + 1 == nth && run.slot == slot => run.last = nth,
                _ => self.runs.push(SlotRun { first: nth, last: nth, slot }),
            }
        }
    }
}

/// From when to when regions are expected: from the first to the last record in any of the series that number regions
/// alike, also in those that have none of it; and as their source told, where it was asked.
#[derive(Debug, Default)]
pub struct Spans(BTreeMap<(Family, i64), SlotSpan>);

impl Spans {
    /// Those of all regions of these series.
    #[must_use]
    pub fn of_all(all: &[SeriesSlots]) -> Spans {
        let mut spans: BTreeMap<(Family, i64), SlotSpan> = BTreeMap::new();
        for series in all {
            let recorded = series.regions.iter().map(|(harpnum, known)| (harpnum, &known.span));
            for (harpnum, span) in recorded.chain(&series.looked_up) {
                let whole = spans.entry((series.family, *harpnum)).or_insert(*span);
                *whole = [whole[0].min(span[0]), whole[1].max(span[1])];
            }
        }
        Spans(spans)
    }

    /// Leaves out the regions that are not there on any of these days of their family.
    #[must_use]
    pub(super) fn on(mut self, days: &BTreeMap<Family, BTreeSet<NaiveDate>>) -> Spans {
        let is_on = |family: &Family, [first, last]: &SlotSpan| {
            days.get(family).is_some_and(|days| days.range(first.date()..=last.date()).next().is_some())
        };
        self.0.retain(|(family, _), span| is_on(family, span));
        self
    }

    fn of(&self, family: Family) -> impl Iterator<Item = (i64, SlotSpan)> {
        let all = self.0.range((family, i64::MIN)..=(family, i64::MAX));
        all.map(|((_, harpnum), span)| (*harpnum, *span))
    }
}

/// The reasons that any region has, in their order.
#[must_use]
pub fn reasons<'a>(regions: impl Iterator<Item = &'a SlotsOfRegion>) -> Vec<GapReason> {
    let seen: BTreeSet<GapReason> = regions.flat_map(|region| region.lacking.keys().copied()).collect();
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
        SeriesSlots::new(id, Family { scale: Scale::Tai, is_nrt }, step, Window { start: at(start), end: at(end) })
    }

    /// The slots of region 377 at these minutes.
    fn day(slots: &[(i64, SlotStatus)]) -> DaySlots {
        DaySlots::from([(377, slots.iter().map(|(minutes, slot)| (at(*minutes), *slot)).collect())])
    }

    /// `had/expected reason:count ...` of region 377 in each series.
    fn describe(all: &[SeriesSlots]) -> Vec<String> {
        let spans = Spans::of_all(all);
        let told = |series: &SeriesSlots| {
            let of = |region: &SlotsOfRegion| {
                let why = region.lacking.iter().map(|(reason, slots)| format!(" {}:{slots}", reason.name()));
                format!("{}/{}{}", region.had, region.expected, why.collect::<String>())
            };
            series.regions(&spans).map(|region| of(&region)).collect::<Vec<_>>().join("; ")
        };
        all.iter().map(told).collect()
    }

    #[test]
    fn slots_that_no_record_names_have_the_reason_of_their_day() {
        let mut one = series("one", false, 720, [0, 4 * DAY]);
        one.add(
            day(&[(0, SlotStatus::Had), (12, SlotStatus::Lacks(GapReason::NoFile)), (12, SlotStatus::Had)]),
            [].into_iter(),
        );
        one.add(day(&[(3 * DAY, SlotStatus::Had)]), [(377, [at(3 * DAY + 12), at(3 * DAY + 36)])].into_iter());
        let date = |days: i64| at(days * DAY).date();
        one.unlisted =
            [(date(0), GapReason::Absent), (date(1), GapReason::Failed), (date(3), GapReason::Absent)].into();
        let expected = "3/364 quality:3 absent:118 failed:120 not fetched:120";
        assert_eq!(describe(&[one]), [expected]);
    }

    #[test]
    fn a_region_is_as_long_in_each_series_that_numbers_regions_alike() {
        let mut long = series("long", false, 720, [0, DAY]);
        long.add(day(&[(0, SlotStatus::Had), (12, SlotStatus::Had), (72, SlotStatus::Had)]), [].into_iter());
        long.unlisted = [(at(0).date(), GapReason::Absent)].into();
        let mut short = series("short", false, 720, [0, 24]);
        short.add(day(&[(12, SlotStatus::Had)]), [].into_iter());
        short.unlisted = [(at(0).date(), GapReason::Provisional)].into();
        let mut hourly = series("hourly", false, 3600, [0, DAY]);
        hourly.add(day(&[(60, SlotStatus::Had)]), [].into_iter());
        let none = series("none", false, 3600, [0, DAY]);
        let mut another = series("another", false, 720, [0, DAY]);
        another.asked = Some(BTreeSet::from([378]));
        let mut nrt = series("nrt", true, 720, [0, DAY]);
        nrt.add(day(&[(DAY - 12, SlotStatus::Had)]), [].into_iter());
        let expected =
            ["3/7 absent:4", "1/7 provisional:1 outside range:5", "1/2 not fetched:1", "0/2 not fetched:2", "", "1/1"];
        assert_eq!(describe(&[long, short, hourly, none, another, nrt]), expected);
    }

    #[test]
    fn times_some_seconds_off_are_the_same_slots() {
        let mut one = SeriesSlots::new(
            "one",
            Family { scale: Scale::Utc, is_nrt: false },
            720,
            Window { start: at(0), end: at(2 * DAY) },
        );
        for first in [0, DAY] {
            let slots = (0..120).map(|nth| (at(first + 12 * nth) + TimeDelta::seconds(nth % 7 - 3), SlotStatus::Had));
            one.add(DaySlots::from([(377, slots.collect())]), [].into_iter());
        }
        assert_eq!(describe(&[one]), ["240/240"]);
    }

    #[test]
    fn a_gap_is_slots_in_a_row_for_one_reason() {
        let mut one = series("one", false, 720, [0, DAY]);
        one.add(day(&[(0, SlotStatus::Had), (48, SlotStatus::Had)]), [(377, [at(24), at(24)])].into_iter());
        one.unlisted = [(at(0).date(), GapReason::Absent)].into();
        let all = [one];
        let region = all[0].regions(&Spans::of_all(&all)).next().unwrap();
        let gaps: Vec<(&str, u64, GapReason)> =
            region.gaps.iter().map(|gap| (&gap.first[11..16], gap.slots, gap.reason)).collect();
        assert_eq!(
            gaps,
            [("00:12", 1, GapReason::Absent), ("00:24", 1, GapReason::Quality), ("00:36", 1, GapReason::Absent)]
        );
    }
}
