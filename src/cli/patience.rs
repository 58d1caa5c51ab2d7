//! How long a command waits for the locks of other processes: until a signal or the end of `--max-time`, and not in silence.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::Exit;
use super::problem::{Problem, explain};
use crate::archive::{HeldLock, Patience};
use crate::report::terminal::Screen;
use crate::run::budget::Budget;

/// A command that is to end still waits for so long: who writes needs but a moment, and what was done should be noted.
const GRACE: Duration = Duration::from_secs(1);

/// Waits until the command is to end.
pub(super) struct UntilTheEnd {
    stop: CancellationToken,
    budget: Arc<Budget>,
    screen: Arc<Screen>,
    /// Since when the command is to end.
    over: OnceLock<Instant>,
    /// What the user has heard of.
    announced: Mutex<HashSet<PathBuf>>,
}

impl UntilTheEnd {
    pub(super) fn new(stop: CancellationToken, budget: Arc<Budget>, screen: Arc<Screen>) -> UntilTheEnd {
        UntilTheEnd { stop, budget, screen, over: OnceLock::new(), announced: Mutex::default() }
    }
}

impl Patience for UntilTheEnd {
    fn is_over(&self) -> bool {
        let is_late = || self.budget.end().is_some_and(|end| tokio::time::Instant::now() >= end);
        (self.stop.is_cancelled() || is_late()) && self.over.get_or_init(Instant::now).elapsed() >= GRACE
    }

    fn waits_for(&self, held: &HeldLock) {
        let mut announced = self.announced.lock().unwrap_or_else(PoisonError::into_inner);
        if announced.insert(held.path.clone()) {
            self.screen.line(&format!("waiting: {held}"));
        }
    }
}

impl fmt::Debug for UntilTheEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntilTheEnd").field("over", &self.over).finish_non_exhaustive()
    }
}

/// The error of a command that may have been told to stop: what would pass by itself is then an interruption.
pub(super) fn interrupted(error: anyhow::Error, stop: &CancellationToken) -> anyhow::Error {
    match explain(&error) {
        (Exit::Later, message, hint) if stop.is_cancelled() => {
            let problem = Problem::new(Exit::Interrupted, message);
            hint.into_iter().fold(problem, Problem::hint).into()
        }
        _ => error,
    }
}
