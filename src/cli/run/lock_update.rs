//! The lock after a run: which of its days it takes from the archive.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};

use crate::archive::LockWait;
use crate::cli::{Result, job_lock};
use crate::lock::{Moved, Takes};
use crate::manifest::{Manifest, SeriesId};
use crate::report::Report;
use crate::run::event::DayId;

/// Moves a lock on by what a run has done. It blocks: another process may hold the lock.
pub(super) struct LockUpdate {
    pub(super) job: Arc<Manifest>,
    /// When the command started.
    pub(super) started: DateTime<Utc>,
    /// The report that names the days done.
    pub(super) done: Report,
    /// How long the lock is waited for.
    pub(super) lock_wait: Arc<dyn LockWait>,
}

impl LockUpdate {
    /// The days done replace what the lock has of them.
    ///
    /// # Errors
    /// Those of [`job_lock::move_on`].
    pub(super) fn replace(&self) -> Result<Moved> {
        self.take_done(|_, _| true)
    }

    /// The lock gets the days that it does not have. The `retried` ones replace what it has of them.
    ///
    /// # Errors
    /// Those of [`job_lock::move_on`].
    pub(super) fn add(&self, retried: &BTreeSet<DayId>) -> Result<Moved> {
        let added = job_lock::move_on(&self.job, self.started, &Takes::Missing, &*self.lock_wait)?;
        if retried.is_empty() {
            return Ok(added);
        }
        let moved = self.take_done(|series, date| retried.contains(&DayId { series: series.clone(), date }))?;
        Ok(Moved { changed: added.changed || moved.changed, ..moved })
    }

    /// Replaces the days done that are chosen.
    fn take_done(&self, is_chosen: impl Fn(&SeriesId, NaiveDate) -> bool) -> Result<Moved> {
        let done: BTreeSet<(&str, NaiveDate)> = self.done.done().collect();
        let is_taken = |series: &SeriesId, date| done.contains(&(series.0.as_str(), date)) && is_chosen(series, date);
        job_lock::move_on(&self.job, self.started, &Takes::Chosen(&is_taken), &*self.lock_wait)
    }
}
