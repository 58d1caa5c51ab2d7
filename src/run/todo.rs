//! The days of a run, in the order to begin them. A day is made when its turn comes, so that millions of days to do take
//! no more room than a few.

use std::sync::Arc;

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
}

/// Days to do, in order.
#[derive(Debug, Clone, Default)]
pub struct Backlog {
    batches: Vec<Batch>,
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
        match self.batches.last_mut() {
            Some(last) if last.series == *series && last.how == how && last.window.end == window.start => {
                last.window.end = window.end;
            }
            _ => self.batches.push(Batch { series: series.clone(), window, how }),
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
        self.day_count() == 0
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

    /// The days one by one. Those of a series that the manifest does not have are left out.
    pub fn todos(self, manifest: Arc<Manifest>) -> impl Iterator<Item = Todo> + Send {
        self.batches.into_iter().flat_map(move |Batch { series, window, how }| {
            let manifest = Arc::clone(&manifest);
            window.days().filter_map(move |day| {
                let spec = manifest.series.iter().find(|one| one.id == series)?.spec(&day);
                Some(Todo { series: series.clone(), day, spec, how })
            })
        })
    }
}
