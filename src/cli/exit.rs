//! Exit codes: the one place that gives them.

use std::process::ExitCode;

use crate::failure::{Class, Remedy};
use crate::report::Ends;

/// How a command ended. Ordered from best to worst: of several jobs the worst counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Exit {
    /// Everything asked for is there.
    #[default]
    Complete,
    /// Something is missing for a temporary reason: run the same command again.
    Later,
    /// Something is missing, and a retry will not help by itself.
    Incomplete,
    /// The lock does not match: its days or files are others than those asked for, or those upstream.
    Lock,
    /// This machine's storage: full, read-only, no permission, no locks.
    Storage,
    /// The command line or a manifest is wrong.
    Usage,
    /// Told to stop; the same command goes on from there.
    Interrupted,
}

impl Exit {
    /// The code of the process.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Exit::Complete => 0,
            Exit::Incomplete => 1,
            Exit::Usage => 2,
            Exit::Lock => 3,
            Exit::Later => 4,
            Exit::Storage => 5,
            Exit::Interrupted => 130,
        }
    }

    /// What one failure makes of a command.
    #[must_use]
    pub fn of_class(class: Class) -> Exit {
        match class.remedy() {
            Remedy::Storage => Exit::Storage,
            Remedy::Lock => Exit::Lock,
            Remedy::None => Exit::Incomplete,
            Remedy::Later => Exit::Later,
        }
    }

    /// How a run ended by what it left undone. Storage wins, then the lock, then what lasts, then what passes.
    #[must_use]
    pub fn of_run(ends: &Ends, interrupted: bool) -> Exit {
        let undone = ends.failed + ends.held + ends.unfinished > 0 || !ends.classes.is_empty();
        if interrupted && undone {
            return Exit::Interrupted;
        }
        let passing = if undone { Exit::Later } else { Exit::Complete };
        ends.classes.iter().map(|class| Exit::of_class(*class)).fold(passing, Exit::max)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(classes: &[Class]) -> Ends {
        Ends { classes: classes.iter().copied().collect(), failed: u64::from(!classes.is_empty()), ..Ends::default() }
    }

    #[test]
    fn every_class_has_its_code() {
        for class in Class::ALL {
            let expected = match class {
                Class::Storage => 5,
                Class::LockMismatch => 3,
                Class::Unreachable
                | Class::Stalled
                | Class::Throttled
                | Class::ServerError
                | Class::Pending
                | Class::HostGivenUp
                | Class::NotFound
                | Class::Truncated
                | Class::Html
                | Class::Held => 4,
                _ => 1,
            };
            assert_eq!(Exit::of_run(&ends(&[*class]), false).code(), expected, "{class}");
        }
    }

    #[test]
    fn storage_wins_over_what_lasts_and_that_over_what_passes() {
        let code = |classes: &[Class]| Exit::of_run(&ends(classes), false).code();
        assert_eq!(code(&[]), 0);
        assert_eq!(code(&[Class::Throttled, Class::FitsChecksum]), 1);
        assert_eq!(code(&[Class::Throttled, Class::LockMismatch, Class::FitsChecksum]), 3);
        assert_eq!(code(&[Class::Throttled, Class::FitsChecksum, Class::Storage]), 5);
    }

    #[test]
    fn held_and_unfinished_days_pass_and_a_stop_is_told_only_when_it_left_something() {
        assert_eq!(Exit::of_run(&Ends { held: 1, ..Ends::default() }, false).code(), 4);
        assert_eq!(Exit::of_run(&Ends { unfinished: 1, ..Ends::default() }, false).code(), 4);
        assert_eq!(Exit::of_run(&Ends { unfinished: 1, ..Ends::default() }, true).code(), 130);
        assert_eq!(Exit::of_run(&Ends::default(), true).code(), 0);
    }

    #[test]
    fn of_several_jobs_the_worst_counts() {
        assert_eq!(Exit::Later.max(Exit::Complete).code(), 4);
        assert_eq!(Exit::Later.max(Exit::Incomplete).code(), 1);
        assert_eq!(Exit::Incomplete.max(Exit::Storage).code(), 5);
        assert_eq!(Exit::Storage.max(Exit::Interrupted).code(), 130);
    }
}
