//! What follows when an attempt at a file has failed. A pure decision; `file_task` acts on it.

use crate::failure::Class;

/// How often a file of a final day is requested that may never have existed, whatever the job's `retry` says: a server may
/// err once. For a provisional day the next look asks again.
const GUESSES: u32 = 2;

/// What is known of a file when an attempt at it has failed.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "what the source, the day and the job each say, free of the others")]
pub(super) struct FailedFile {
    /// How the attempt failed.
    pub(super) class: Class,
    /// Attempts at the replica of now.
    pub(super) attempts: u32,
    /// `retry` allows another attempt at this replica.
    pub(super) may_retry: bool,
    /// Another replica is left that may have it.
    pub(super) may_fail_over: bool,
    /// The source guesses its files and lists none.
    pub(super) is_guessed: bool,
    /// Its address will be the same tomorrow.
    pub(super) has_lasting_address: bool,
    /// A response began to bring it.
    pub(super) was_there: bool,
    /// An earlier look has it in the archive.
    pub(super) has_earlier: bool,
    /// A record or an earlier run of the day had it.
    pub(super) had_before: bool,
    /// The job accepts that it is missing.
    pub(super) is_accepted: bool,
    /// The job accepts that it is missing, and this failure will not pass.
    pub(super) is_hopeless: bool,
    /// The listing of its day is final.
    pub(super) is_final: bool,
    /// Its day is looked at for the second time because its files were in doubt.
    pub(super) is_second_look: bool,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextStep {
    /// Another attempt at the same replica, after a wait.
    Retry,
    /// An attempt at the next replica.
    FailOver,
    /// The file that an earlier look has stays: nothing says that it is wrong.
    KeepEarlier,
    /// The source does not have it.
    Absent,
    /// It fails for what is known already.
    Fail,
    /// It is given up; what becomes of it depends on how the other files of its host fared.
    GiveUp,
}

impl FailedFile {
    pub(super) fn next_step(self) -> NextStep {
        let is_not_found = self.class == Class::NotFound;
        if self.may_retry && !self.is_hopeless && !self.is_answered() {
            NextStep::Retry
        } else if self.class == Class::LockMismatch {
            NextStep::Fail
        } else if self.may_fail_over {
            NextStep::FailOver
        } else if is_not_found && self.has_earlier {
            NextStep::KeepEarlier
        } else if is_not_found && self.may_be_absent() {
            NextStep::Absent
        } else {
            NextStep::GiveUp
        }
    }

    /// True when a guess was answered often enough.
    fn is_answered(self) -> bool {
        // The second look at a day asks once more anyway.
        let guesses = if self.is_final && !self.is_second_look { GUESSES } else { 1 };
        self.class == Class::NotFound && self.is_guessed && !self.was_there && self.attempts >= guesses
    }

    /// True when a 404 means that the source does not have the file. A file that the archive had before does not become absent
    /// by a 404 of today, nor does one that a server began to send, one whose address may have moved, or one that is listed on
    /// a provisional day. One that is only guessed may not exist yet: the next look asks again.
    fn may_be_absent(self) -> bool {
        let is_told = (self.is_final || self.is_guessed) && self.has_lasting_address;
        is_told && !self.had_before && !self.was_there && !self.is_accepted
    }
}

#[cfg(test)]
mod tests {
    use super::NextStep::{Absent, Fail, FailOver, GiveUp, KeepEarlier, Retry};
    use super::*;
    use crate::failure::Class::{Forbidden, LockMismatch, NotFound, ServerError, Truncated};

    /// A listed file of a final day, after its last attempt.
    fn failed(class: Class) -> FailedFile {
        FailedFile {
            class,
            attempts: 3,
            may_retry: false,
            may_fail_over: false,
            is_guessed: false,
            has_lasting_address: true,
            was_there: false,
            has_earlier: false,
            had_before: false,
            is_accepted: false,
            is_hopeless: false,
            is_final: true,
            is_second_look: false,
        }
    }

    #[test]
    fn each_failure_is_followed_by_the_step_that_fits_what_is_known_of_the_file() {
        let guessed = FailedFile { is_guessed: true, may_retry: true, ..failed(NotFound) };
        for (what, file, expected) in [
            ("attempts are left", FailedFile { may_retry: true, ..failed(ServerError) }, Retry),
            ("attempts are left for a 404", FailedFile { may_retry: true, ..failed(NotFound) }, Retry),
            ("the job accepts it", FailedFile { may_retry: true, is_hopeless: true, ..failed(Forbidden) }, GiveUp),
            ("a guess, asked once", FailedFile { attempts: 1, ..guessed }, Retry),
            ("a guess, asked twice", FailedFile { attempts: 2, ..guessed }, Absent),
            ("a guess, second look", FailedFile { attempts: 1, is_second_look: true, ..guessed }, Absent),
            ("a guess, provisional", FailedFile { attempts: 1, is_final: false, ..guessed }, Absent),
            ("a guess that was there", FailedFile { was_there: true, ..guessed }, Retry),
            ("a guess, 503", FailedFile { class: ServerError, ..guessed }, Retry),
            ("other bytes than locked", failed(LockMismatch), Fail),
            ("other bytes, replica", FailedFile { may_fail_over: true, ..failed(LockMismatch) }, Fail),
            ("a replica is left", FailedFile { may_fail_over: true, ..failed(ServerError) }, FailOver),
            (
                "a replica before all",
                FailedFile { may_fail_over: true, has_earlier: true, ..failed(NotFound) },
                FailOver,
            ),
            ("404", failed(NotFound), Absent),
            (
                "404, an earlier look",
                FailedFile { has_earlier: true, had_before: true, ..failed(NotFound) },
                KeepEarlier,
            ),
            ("404, had before", FailedFile { had_before: true, ..failed(NotFound) }, GiveUp),
            ("404, was there", FailedFile { was_there: true, ..failed(NotFound) }, GiveUp),
            ("404, accepted", FailedFile { is_accepted: true, ..failed(NotFound) }, GiveUp),
            ("404, provisional", FailedFile { is_final: false, ..failed(NotFound) }, GiveUp),
            ("404, passing address", FailedFile { has_lasting_address: false, ..failed(NotFound) }, GiveUp),
            ("cut, an earlier look", FailedFile { has_earlier: true, ..failed(Truncated) }, GiveUp),
            ("403", failed(Forbidden), GiveUp),
        ] {
            assert_eq!(file.next_step(), expected, "{what}");
        }
    }
}
