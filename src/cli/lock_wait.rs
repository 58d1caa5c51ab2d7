//! How long a command waits for the locks of other processes: until a signal or the end of `--max-time`.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::Exit;
use super::problem::{CliError, explain};
use crate::archive::{HeldLock, LockWait};
use crate::report::terminal::Screen;
use crate::run::budget::Budget;

/// After a signal or the end of `--max-time` a lock is waited for this much longer: a writer usually needs only a moment,
/// and what was done should still be recorded.
const GRACE: Duration = Duration::from_secs(1);

/// Waits until a signal or the end of `--max-time`.
pub(super) struct UntilCommandEnds {
    stop: CancellationToken,
    budget: Arc<Budget>,
    screen: Arc<Screen>,
    /// When the signal or the end of the time was first noticed.
    over: OnceLock<Instant>,
    /// The locks whose wait has been reported.
    announced: Mutex<HashSet<PathBuf>>,
}

impl UntilCommandEnds {
    pub(super) fn new(stop: CancellationToken, budget: Arc<Budget>, screen: Arc<Screen>) -> UntilCommandEnds {
        UntilCommandEnds { stop, budget, screen, over: OnceLock::new(), announced: Mutex::default() }
    }
}

impl LockWait for UntilCommandEnds {
    fn is_over(&self) -> bool {
        let must_end = self.stop.is_cancelled() || self.budget.is_time_up();
        must_end && self.over.get_or_init(Instant::now).elapsed() >= GRACE
    }

    fn waits_for(&self, held: &HeldLock) {
        let mut announced = self.announced.lock().unwrap_or_else(PoisonError::into_inner);
        if announced.insert(held.path.clone()) {
            self.screen.line(&format!("waiting: {held}"));
        }
    }
}

impl fmt::Debug for UntilCommandEnds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntilCommandEnds").field("over", &self.over).finish_non_exhaustive()
    }
}

/// The error of a command that may have been told to stop: what would pass by itself is then an interruption.
pub(super) fn interrupted(error: anyhow::Error, stop: &CancellationToken) -> anyhow::Error {
    match explain(&error) {
        (Exit::Later, message, hint) if stop.is_cancelled() => {
            let problem = CliError::new(Exit::Interrupted, message);
            hint.into_iter().fold(problem, CliError::hint).into()
        }
        _ => error,
    }
}
