//! Days, windows and time scales: labels in a source's own scale, never converted.
//!
//! What it does not do: read a clock, or turn one scale into another to relabel data.

pub mod tai;

use std::fmt;

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};
use serde::{Deserialize, Serialize};

/// The time scale a source's time key is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scale {
    /// Coordinated Universal Time; labels are written with `Z`.
    #[serde(rename = "UTC")]
    Utc,
    /// International Atomic Time; labels are written with `_TAI`.
    #[serde(rename = "TAI")]
    Tai,
}

/// Labels without their scale.
const FORM: &str = "%Y-%m-%dT%H:%M:%S%.f";

impl Scale {
    /// Writes a label of this scale, such as `2015-12-11T18:22:08.799999Z`.
    ///
    /// A fraction is written in as many of 3, 6 or 9 digits as it needs.
    #[must_use]
    pub fn label(self, at: NaiveDateTime) -> String {
        format!("{}{}", at.format(FORM), self.suffix())
    }

    /// Reads what [`Scale::label`] wrote; `None` for other text, and for a label of the other scale.
    #[must_use]
    pub fn read(self, label: &str) -> Option<NaiveDateTime> {
        NaiveDateTime::parse_from_str(label.strip_suffix(self.suffix())?, FORM).ok()
    }

    fn suffix(self) -> &'static str {
        match self {
            Scale::Utc => "Z",
            Scale::Tai => "_TAI",
        }
    }

    /// How far this scale's clock is ahead of UTC today: what `settle` needs to know, nothing else.
    #[must_use]
    pub fn ahead_of_utc(self) -> TimeDelta {
        match self {
            Scale::Utc => TimeDelta::zero(),
            // Constant since 2017-01-01; a settle time is days long, so a future leap second changes nothing.
            Scale::Tai => TimeDelta::seconds(37),
        }
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scale::Utc => "UTC",
            Scale::Tai => "TAI",
        })
    }
}

/// A half-open stretch of labels, `[start, end)`, in a source's own scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Window {
    /// The first label inside.
    pub start: NaiveDateTime,
    /// The first label after it.
    pub end: NaiveDateTime,
}

impl Window {
    /// The whole calendar day.
    #[must_use]
    pub fn of_day(date: NaiveDate) -> Window {
        let start = date.and_time(chrono::NaiveTime::MIN);
        Window { start, end: start + TimeDelta::days(1) }
    }

    /// The window between two labels as records write them; `None` where one of them cannot be read.
    #[must_use]
    pub fn from_labels(labels: &[String; 2], scale: Scale) -> Option<Window> {
        let [start, end] = labels.each_ref().map(|label| scale.read(label));
        start.zip(end).map(|(start, end)| Window { start, end })
    }

    /// True when `at` lies in `[start, end)`.
    #[must_use]
    pub fn contains(&self, at: NaiveDateTime) -> bool {
        self.start <= at && at < self.end
    }

    /// True when no label lies inside.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start >= self.end
    }

    /// The part that both windows hold; it may be empty.
    #[must_use]
    pub fn intersect(&self, other: &Window) -> Window {
        Window { start: self.start.max(other.start), end: self.end.min(other.end) }
    }

    /// The calendar days of this window in order, each clipped to it. Disjoint, and together the window.
    #[must_use]
    pub fn days(self) -> impl DoubleEndedIterator<Item = Day> {
        let first = self.start.date();
        (0..self.day_count()).filter_map(move |nth| {
            let date = first.checked_add_days(chrono::Days::new(nth))?;
            Some(self.day(date))
        })
    }

    /// One calendar day, clipped to this window.
    #[must_use]
    pub fn day(&self, date: NaiveDate) -> Day {
        Day { date, window: Window::of_day(date).intersect(self) }
    }

    /// The last calendar day of this window; `None` when it is empty.
    #[must_use]
    pub fn last_date(&self) -> Option<NaiveDate> {
        // The end is not in it: a window that ends at midnight ends with the day before.
        (!self.is_empty()).then(|| (self.end - TimeDelta::nanoseconds(1)).date())
    }

    /// The number of days that [`Window::days`] gives.
    #[must_use]
    pub fn day_count(&self) -> u64 {
        let days = self.last_date().map(|last| (last - self.start.date()).num_days() + 1);
        days.and_then(|days| u64::try_from(days).ok()).unwrap_or_default()
    }

    /// The whole days that `part` touches, clipped to this window.
    #[must_use]
    pub fn days_touched_by(&self, part: &Window) -> Window {
        let both = self.intersect(part);
        let Some(last) = both.last_date() else { return both };
        Window { start: self.day(both.start.date()).window.start, end: self.day(last).window.end }
    }
}

/// The first and the last of slots in a row.
pub type SlotSpan = [NaiveDateTime; 2];

/// One calendar day of one series: the chunk that everything is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Day {
    /// The calendar date, in the source's scale.
    pub date: NaiveDate,
    /// What of that day the job asks for: all of it, but for a partial first or last day.
    pub window: Window,
}

impl Day {
    /// The whole of one date.
    #[must_use]
    pub fn whole(date: NaiveDate) -> Day {
        Day { date, window: Window::of_day(date) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> NaiveDateTime {
        text.parse().expect("a label")
    }

    #[test]
    fn a_leap_day_and_partial_ends_are_cut_right() {
        let window = Window { start: at("2016-02-28T18:00:00"), end: at("2016-03-01T06:00:00") };
        let days: Vec<_> = window.days().collect();
        assert_eq!(days.len(), 3);
        assert_eq!(days[0].window.start, at("2016-02-28T18:00:00"));
        assert_eq!(days[1], Day::whole("2016-02-29".parse().expect("a date")));
        assert_eq!(days[2].window.end, at("2016-03-01T06:00:00"));
    }

    #[test]
    fn labels_name_their_scale() {
        let time = at("2015-12-11T18:22:08.799999");
        assert_eq!(Scale::Utc.label(time), "2015-12-11T18:22:08.799999Z");
        assert_eq!(Scale::Tai.label(at("2015-12-11T18:24:00")), "2015-12-11T18:24:00_TAI");
        for scale in [Scale::Utc, Scale::Tai] {
            assert_eq!(scale.read(&scale.label(time)), Some(time));
        }
        assert_eq!((Scale::Utc.read("2015-12-11T18:24:00_TAI"), Scale::Tai.read("")), (None, None));
    }

    proptest! {
        #[test]
        fn days_are_disjoint_and_cover_the_window(start in 0i64..2_000_000_000, length in 0i64..40_000_000) {
            let epoch = at("1990-01-01T00:00:00");
            let start = epoch + TimeDelta::seconds(start);
            let window = Window { start, end: start + TimeDelta::seconds(length) };
            let mut next = window.start;
            for day in window.days() {
                prop_assert_eq!(day.window.start, next);
                prop_assert!(!day.window.is_empty());
                prop_assert_eq!(day.window.start.date(), day.date);
                next = day.window.end;
            }
            prop_assert_eq!(next, window.end);
        }

        #[test]
        fn days_are_counted_and_walked_from_both_ends_as_they_are_enumerated(
            start in 0i64..200_000_000, length in -10i64..40_000_000, whole in any::<bool>(),
        ) {
            let unit = if whole { 86_400 } else { 1 };
            let start = at("1990-01-01T00:00:00") + TimeDelta::seconds(start / unit * unit);
            let window = Window { start, end: start + TimeDelta::seconds(length / unit * unit) };
            let mut days: Vec<_> = window.days().collect();
            prop_assert_eq!(window.day_count(), days.len() as u64);
            prop_assert_eq!(window.last_date(), days.last().map(|day| day.date));
            prop_assert_eq!(window.days().next_back(), days.last().copied());
            days.reverse();
            prop_assert_eq!(window.days().rev().collect::<Vec<_>>(), days);
        }

        #[test]
        fn the_days_touched_are_those_that_share_a_label_with_the_part(
            start in 0i64..400_000, length in 0i64..1_000_000, from in 0i64..1_000_000, lasting in 0i64..1_000_000,
        ) {
            let epoch = at("1990-01-01T00:00:00");
            let of = |start: i64, length| Window {
                start: epoch + TimeDelta::seconds(start),
                end: epoch + TimeDelta::seconds(start + length),
            };
            let (window, part) = (of(start, length), of(from, lasting));
            let touched: Vec<_> = window.days().filter(|day| !day.window.intersect(&part).is_empty()).collect();
            prop_assert_eq!(window.days_touched_by(&part).days().collect::<Vec<_>>(), touched);
        }
    }
}
