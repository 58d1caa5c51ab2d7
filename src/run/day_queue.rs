//! The days of a run, in the order to begin them. A day is made when its turn comes, so that millions of days to do take
//! no more room than a few.

use std::collections::VecDeque;

use chrono::Days;

use crate::day::{Day, Window};
use crate::digest::Digest;
use crate::manifest::{Manifest, SeriesId};
use crate::run::event::DayId;

/// One day to do.
#[derive(Debug, Clone)]
pub struct Todo {
    /// Of which series.
    pub series: SeriesId,
    /// The day.
    pub day: Day,
    /// What it is asked for.
    pub spec: Digest,
    /// How it is done.
    pub how: How,
}

impl Todo {
    /// The day in events.
    #[must_use]
    pub fn id(&self) -> DayId {
        DayId { series: self.series.clone(), date: self.day.date }
    }
}

/// How a day is done that was done before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct How {
    /// The record that stands is not to be trusted: files that it names are missing.
    pub recheck: bool,
    /// The record that stands is not to be trusted to be of today: each file is asked for again, if only whether it
    /// changed.
    pub afresh: bool,
    /// Files that its record, or the lock, has as absent are asked for again.
    pub retry_absent: bool,
    /// What it is asked for, where that is not what its series asks now.
    pub spec: Option<Digest>,
}

/// Days to do, in order.
#[derive(Debug, Clone, Default)]
pub struct Backlog {
    /// None of them is empty.
    batches: VecDeque<Batch>,
}

/// A place among the days of a series, in eighths of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SamplePlace(pub(super) u64);

impl SamplePlace {
    pub(super) const FIRST: SamplePlace = SamplePlace(0);
    pub(super) const LAST: SamplePlace = SamplePlace(8);
}

/// Days in a row of one series that are done alike.
#[derive(Debug, Clone)]
struct Batch {
    series: SeriesId,
    /// The windows of the days together.
    window: Window,
    how: How,
}

impl Backlog {
    /// Adds days of one series after those that are there: the days of a window.
    pub fn push(&mut self, series: &SeriesId, window: Window, how: How) {
        match self.batches.back_mut() {
            _ if window.is_empty() => {}
            Some(last) if last.series == *series && last.how == how && last.window.end == window.start => {
                last.window.end = window.end;
            }
            _ => self.batches.push_back(Batch { series: series.clone(), window, how }),
        }
    }

    /// The number of days.
    #[must_use]
    pub fn day_count(&self) -> u64 {
        self.batches.iter().map(|batch| batch.window.day_count()).sum()
    }

    /// True when there is no day.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// The days as windows of each series.
    pub fn windows(&self) -> impl Iterator<Item = (&SeriesId, Window)> {
        self.batches.iter().map(|batch| (&batch.series, batch.window))
    }

    /// The days that are done so.
    pub fn days_done(&self, so: impl Fn(How) -> bool) -> impl Iterator<Item = DayId> {
        self.batches.iter().filter(move |batch| so(batch.how)).flat_map(|Batch { series, window, .. }| {
            window.days().map(|day| DayId { series: series.clone(), date: day.date })
        })
    }

    /// Takes the first day out. A day of a series that the manifest does not have is passed over.
    pub(super) fn pop_first(&mut self, manifest: &Manifest) -> Option<Todo> {
        loop {
            let batch = self.batches.front_mut()?;
            let day = batch.window.day(batch.window.start.date());
            let (id, how) = (batch.series.clone(), batch.how);
            batch.window.start = day.window.end;
            if batch.window.is_empty() {
                self.batches.pop_front();
            }
            if let Some(series) = manifest.series.iter().find(|series| series.id == id) {
                return Some(Todo { spec: how.spec.unwrap_or_else(|| series.spec(&day)), series: id, day, how });
            }
        }
    }

    /// The series whose day comes first.
    pub(super) fn first_series(&self) -> Option<&SeriesId> {
        self.batches.front().map(|batch| &batch.series)
    }

    /// Takes the day at this place among those of a series out.
    pub(super) fn take(&mut self, manifest: &Manifest, id: &SeriesId, place: SamplePlace) -> Option<Todo> {
        let series = manifest.series.iter().find(|series| series.id == *id)?;
        let count: u64 =
            self.batches.iter().filter(|batch| batch.series == *id).map(|batch| batch.window.day_count()).sum();
        let mut nth = (count * place.0 / 8).min(count.checked_sub(1)?);
        let at = self.batches.iter().position(|batch| {
            let days = if batch.series == *id { batch.window.day_count() } else { 0 };
            let is_here = nth < days;
            nth -= if is_here { 0 } else { days };
            is_here
        })?;
        let batch = self.batches.remove(at)?;
        let day = batch.window.day(batch.window.start.date().checked_add_days(Days::new(nth))?);
        let before = Window { end: day.window.start, ..batch.window };
        let after = Window { start: day.window.end, ..batch.window };
        for window in [after, before].into_iter().filter(|window| !window.is_empty()) {
            self.batches.insert(at, Batch { window, ..batch.clone() });
        }
        let spec = batch.how.spec.unwrap_or_else(|| series.spec(&day));
        Some(Todo { spec, series: batch.series, day, how: batch.how })
    }

    /// Takes all days of a series out, and gives their number.
    pub(super) fn take_out(&mut self, series: &SeriesId) -> u64 {
        let before = self.day_count();
        self.batches.retain(|batch| batch.series != *series);
        before - self.day_count()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    fn manifest() -> Manifest {
        let text = "version: 1\nname: job\nsource: { embedded: {} }\nrange: { start: 2015-01-01, end: 2016-01-01 }\n\
                    series: [{ name: a }, { name: b }]\narchive: { root: data }\n";
        crate::manifest::parse(Path::new("job.yaml"), text.as_bytes(), &|_| None).unwrap()
    }

    #[test]
    fn a_day_is_taken_from_any_place_of_its_series() {
        let manifest = manifest();
        let [a, b] = [&manifest.series[0].id, &manifest.series[1].id];
        let window = |start: u32, end: u32| {
            let at = |day| chrono::NaiveDate::from_ymd_opt(2015, 1, day).unwrap().and_time(chrono::NaiveTime::MIN);
            Window { start: at(start), end: at(end) }
        };
        let mut backlog = Backlog::default();
        backlog.push(a, window(1, 4), How::default());
        backlog.push(b, window(1, 3), How::default());
        backlog.push(a, window(10, 12), How { recheck: true, ..How::default() });
        let mut take = |place| {
            let taken = backlog.take(&manifest, a, place)?;
            Some((taken.day.date.to_string()[8..].to_owned(), taken.how.recheck))
        };
        let day = |day: &str, recheck| Some((day.to_owned(), recheck));
        assert_eq!(take(SamplePlace::LAST), day("11", true));
        assert_eq!(take(SamplePlace(4)), day("03", false));
        assert_eq!(take(SamplePlace::FIRST), day("01", false));
        assert_eq!(take(SamplePlace(4)), day("10", true));
        assert_eq!(take(SamplePlace(4)), day("02", false));
        assert_eq!(take(SamplePlace::LAST), None);
        assert_eq!((backlog.first_series(), backlog.day_count()), (Some(b), 2));
    }

    proptest! {
        #[test]
        fn days_come_one_by_one_in_their_order_and_are_counted(
            windows in prop::collection::vec((any::<bool>(), 0i64..200_000, 0i64..200_000, any::<bool>()), 0..8)
        ) {
            let manifest = manifest();
            let mut backlog = Backlog::default();
            let mut expected = Vec::new();
            for (is_first, start, lasting, recheck) in windows {
                let series = &manifest.series[usize::from(!is_first)];
                let start = "2015-01-01T00:00:00".parse::<chrono::NaiveDateTime>().unwrap() + chrono::TimeDelta::minutes(start);
                let window = Window { start, end: start + chrono::TimeDelta::minutes(lasting) };
                let how = How { recheck, ..How::default() };
                backlog.push(&series.id, window, how);
                expected.extend(window.days().map(|day| (series.id.clone(), day, series.spec(&day), how)));
            }
            let mut rest = backlog.clone();
            prop_assert_eq!(backlog.day_count(), expected.len() as u64);
            let popped: Vec<_> = std::iter::from_fn(|| backlog.pop_first(&manifest))
                .map(|Todo { series, day, spec, how }| (series, day, spec, how))
                .collect();
            prop_assert_eq!(&popped, &expected);
            prop_assert!(backlog.is_empty());
            let of_b = expected.iter().filter(|(id, ..)| id.0 == "b").count() as u64;
            prop_assert_eq!(rest.take_out(&manifest.series[1].id), of_b);
            prop_assert_eq!(rest.day_count(), expected.len() as u64 - of_b);
        }
    }
}
