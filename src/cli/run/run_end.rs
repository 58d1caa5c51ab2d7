//! How a run ended: the exit code, the word of the report, and the error.

use crate::cli::{Exit, Result, problem};
use crate::lock::Moved;
use crate::report::Ends;
use crate::report::model::RunResult;
use crate::run::RunOutcome;

/// How the parts of a run ended.
pub(super) struct RunEnd {
    /// The downloads.
    pub(super) outcome: Result<RunOutcome>,
    /// The lock; none where it stays as it is.
    pub(super) lock: Option<Result<Moved>>,
    /// What the events say is left undone.
    pub(super) ends: Ends,
    /// Files were taken from a folder, and none was downloaded.
    pub(super) is_adoption: bool,
}

impl RunEnd {
    /// True when an imported folder did not have all days. They are for a run to download: taking in the rest was all that was
    /// asked.
    fn has_days_left(&self) -> bool {
        self.is_adoption && self.ends.unfinished > 0
    }

    /// The exit code.
    pub(super) fn exit(&self) -> Exit {
        let downloads = match &self.outcome {
            Ok(outcome) => {
                let mut ends = self.ends.clone();
                ends.classes.extend(&outcome.classes);
                if self.has_days_left() && !outcome.interrupted {
                    ends.unfinished = 0;
                }
                Exit::of_run(&ends, outcome.interrupted)
            }
            Err(error) => problem::explain(error).0,
        };
        self.lock_error().map_or(downloads, |error| downloads.max(problem::explain(error).0))
    }

    /// The word for it in the report.
    pub(super) fn result(&self) -> RunResult {
        match self.exit() {
            Exit::Complete if self.has_days_left() => RunResult::Incomplete,
            Exit::Complete => RunResult::Complete,
            Exit::Interrupted => RunResult::Interrupted,
            Exit::Incomplete | Exit::Later | Exit::Lock | Exit::Storage | Exit::Usage => RunResult::Incomplete,
        }
    }

    /// What became of the lock, where it was written.
    pub(super) fn moved(&self) -> Option<&Moved> {
        self.lock.as_ref()?.as_ref().ok()
    }

    /// What the run failed with: the downloads first.
    pub(super) fn error(&self) -> Option<&anyhow::Error> {
        self.outcome.as_ref().err().or(self.lock_error())
    }

    fn lock_error(&self) -> Option<&anyhow::Error> {
        self.lock.as_ref()?.as_ref().err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::problem::CliError;
    use crate::failure::Class;

    type Row<'a> = (Result<RunOutcome>, Option<Exit>, &'a Ends, bool, Exit, RunResult);

    #[test]
    fn the_worst_part_decides_how_a_run_ended() {
        let ends = |unfinished, classes: &[Class]| Ends {
            unfinished,
            classes: classes.iter().copied().collect(),
            ..Ends::default()
        };
        let downloads = |interrupted| Ok(RunOutcome { interrupted, ..RunOutcome::default() });
        let fails = |exit| anyhow::Error::from(CliError::new(exit, "x"));
        let (all, days_left, corrupt) = (ends(0, &[]), ends(2, &[]), ends(0, &[Class::Size]));
        let rows: [Row<'_>; 9] = [
            (downloads(false), None, &all, false, Exit::Complete, RunResult::Complete),
            (downloads(false), None, &days_left, false, Exit::Later, RunResult::Incomplete),
            (downloads(false), None, &days_left, true, Exit::Complete, RunResult::Incomplete),
            (downloads(true), None, &days_left, true, Exit::Interrupted, RunResult::Interrupted),
            (downloads(true), None, &days_left, false, Exit::Interrupted, RunResult::Interrupted),
            (downloads(true), None, &all, false, Exit::Complete, RunResult::Complete),
            (downloads(false), None, &corrupt, false, Exit::Incomplete, RunResult::Incomplete),
            (downloads(false), Some(Exit::Storage), &corrupt, false, Exit::Storage, RunResult::Incomplete),
            (Err(fails(Exit::Usage)), None, &all, false, Exit::Usage, RunResult::Incomplete),
        ];
        for (nth, (outcome, lock_fails, ends, is_adoption, exit, result)) in rows.into_iter().enumerate() {
            let lock = lock_fails.map(|exit| Err(fails(exit)));
            let end = RunEnd { outcome, lock, ends: ends.clone(), is_adoption };
            assert_eq!((end.exit(), end.result()), (exit, result), "row {nth}");
        }
    }
}
