//! What ends planning before its end: a signal, or the end of the time.

use std::cell::Cell;

use tokio_util::sync::CancellationToken;

use crate::run::budget::Budget;

/// After so many records it is looked whether planning is to be given up: reading them takes a moment.
const LOOK_AFTER: u64 = 1000;

/// Why planning was given up: nothing was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Halted {
    /// A signal asked for it.
    #[error("interrupted before the first day; nothing was started")]
    Interrupted,
    /// The time of the command is up.
    #[error("the time of `--max-time` was up before the first day; nothing was started")]
    TimeUp,
}

/// What ends planning before its end.
#[derive(Debug)]
pub(super) struct Halt<'a> {
    stop: &'a CancellationToken,
    budget: &'a Budget,
    looked_at: Cell<u64>,
}

impl<'a> Halt<'a> {
    /// A signal or the end of the budget's time.
    pub(super) fn new(stop: &'a CancellationToken, budget: &'a Budget) -> Halt<'a> {
        Halt { stop, budget, looked_at: Cell::new(0) }
    }

    /// Refuses to go on when it is time.
    pub(super) fn check(&self) -> Result<(), Halted> {
        match (self.stop.is_cancelled(), self.budget.is_time_up()) {
            (true, _) => Err(Halted::Interrupted),
            (false, true) => Err(Halted::TimeUp),
            (false, false) => Ok(()),
        }
    }

    /// The same for one of many records, which takes no time by itself. A few are always read: with these a run can still
    /// say what there was to do.
    pub(super) fn check_now_and_then(&self) -> Result<(), Halted> {
        let looked_at = self.looked_at.get() + 1;
        self.looked_at.set(looked_at);
        if looked_at.is_multiple_of(LOOK_AFTER) { self.check() } else { Ok(()) }
    }
}
