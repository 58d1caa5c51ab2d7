//! What the stages of one day, and the tasks of its files, share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::known_bad::KnownBad;
use super::lock_view::LockView;
use super::path_collisions::PathClaims;
use crate::archive::DayWork;
use crate::run::event::DayId;
use crate::run::{OpenedSeries, RunContext, Todo};

/// A day that is listed.
pub(in crate::run) struct DayContext {
    pub(in crate::run) run: Arc<RunContext>,
    pub(in crate::run) opened: Arc<OpenedSeries>,
    pub(in crate::run) todo: Todo,
    pub(in crate::run) id: DayId,
    /// The day in the archive, which this process holds.
    pub(in crate::run) store: Arc<DayWork>,
    /// What the lock says of its files.
    pub(in crate::run) lock_view: Arc<LockView>,
    /// The files that the job takes for bad at their source.
    pub(in crate::run) known_bad: KnownBad,
    /// Which key has which path.
    pub(super) claims: Mutex<PathClaims>,
    /// The listing is final: what is not there will not come.
    pub(in crate::run) is_final: bool,
}

impl DayContext {
    pub(in crate::run) fn lock_claims(&self) -> MutexGuard<'_, PathClaims> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
