//! When the rest of a series is given up: its days fail one after another for the same reason, which does not pass by itself.
//!
//! Before that, days spread over those left are tried: a series may begin, end, or be open to read for a part of the range alone.
//! Nor is a series given up of which the archive has a day, unless its files are not what the lock says.
//! What it does not do: begin days, or tell of them.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::NaiveDate;

use super::day_queue::SamplePlace;
use super::event::{DayDone, DayState};
use crate::failure::{Class, Failure, without_address};
use crate::untrusted::with_numbers_alike;

/// After this many days in a row that failed alike, others are sampled.
const FAILED_DAYS: u32 = 5;

/// The days that are tried then, of those left, by their place in eighths.
const DAY_SAMPLES: [SamplePlace; 6] =
    [SamplePlace::LAST, SamplePlace(4), SamplePlace(2), SamplePlace(6), SamplePlace(1), SamplePlace(5)];

/// After this many files of a day in a row that are not what the lock says, [`FILE_SAMPLES`] others are sampled.
const LOCKED_FILES: usize = 20;

/// So many files, spread over the rest, are asked for before the rest is given up.
const FILE_SAMPLES: usize = 3;

/// How the days of one series ended so far.
#[derive(Debug, Default)]
pub(super) struct RepeatedFailure {
    state: Mutex<FailureState>,
    /// The archive has days of it from before.
    has_days: bool,
}

#[derive(Debug, Default)]
enum FailureState {
    /// Nothing failed, or something else came since.
    #[default]
    Well,
    /// Days in a row that failed alike.
    Failing {
        first: First,
        days: u32,
    },
    /// Samples are tried: how many were asked for, which are under way, and how many failed alike.
    Sampling {
        first: First,
        asked: usize,
        under_way: BTreeSet<NaiveDate>,
        failed: usize,
    },
    GivenUp(Failure),
}

/// The first day that failed so.
#[derive(Debug, Clone)]
struct First {
    date: NaiveDate,
    failure: Failure,
}

/// Which day of a series is begun next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NextDayToStart {
    /// The one at this place of those left.
    Day(SamplePlace),
    /// None before those that were begun have ended.
    Wait,
}

impl RepeatedFailure {
    /// Of a series of which the archive has days, or none yet.
    pub(super) fn of(has_days: bool) -> RepeatedFailure {
        RepeatedFailure { has_days, ..RepeatedFailure::default() }
    }

    /// Which day is to be begun. The date of a sample is then to be told to [`Self::note_sample`].
    pub(super) fn next(&self) -> NextDayToStart {
        let mut state = self.state();
        match &mut *state {
            FailureState::Well | FailureState::GivenUp(_) => NextDayToStart::Day(SamplePlace::FIRST),
            FailureState::Failing { days, .. } if *days < FAILED_DAYS => NextDayToStart::Day(SamplePlace::FIRST),
            FailureState::Failing { first, .. } => {
                let under_way = BTreeSet::new();
                *state = FailureState::Sampling { first: first.clone(), asked: 1, under_way, failed: 0 };
                NextDayToStart::Day(DAY_SAMPLES[0])
            }
            FailureState::Sampling { asked, .. } => match DAY_SAMPLES.get(*asked) {
                Some(place) => {
                    *asked += 1;
                    NextDayToStart::Day(*place)
                }
                None => NextDayToStart::Wait,
            },
        }
    }

    /// The sample that [`Self::next`] asked for is this day.
    pub(super) fn note_sample(&self, date: NaiveDate) {
        if let FailureState::Sampling { under_way, .. } = &mut *self.state() {
            under_way.insert(date);
        }
    }

    /// A day was answered: it fails for no such reason, however it ends.
    pub(super) fn note_answered(&self) {
        *self.state() = FailureState::Well;
    }

    /// Takes in how a day ended, with the classes of what failed of it.
    pub(super) fn note(&self, done: &DayDone, classes: &BTreeSet<Class>) {
        let mut state = self.state();
        let may_count = |failure: &Failure| !self.has_days || failure.class == Class::LockMismatch;
        let Some(failure) = cause(done, classes).filter(may_count) else {
            *state = FailureState::Well;
            return;
        };
        let is_alike = |first: &First| is_same(&first.failure, &failure);
        match &mut *state {
            FailureState::GivenUp(_) => {}
            FailureState::Failing { first, days } if is_alike(first) => *days += 1,
            FailureState::Sampling { first, under_way, failed, .. } if is_alike(first) => {
                // Days that were under way before say nothing new.
                *failed += usize::from(under_way.remove(&done.day.date));
                if *failed >= DAY_SAMPLES.len() {
                    *state = FailureState::GivenUp(given_up(first));
                }
            }
            FailureState::Well | FailureState::Failing { .. } | FailureState::Sampling { .. } => {
                *state = FailureState::Failing { first: First { date: done.day.date, failure }, days: 1 };
            }
        }
    }

    /// Why the rest of the series is given up, where it is.
    pub(super) fn given_up(&self) -> Option<Failure> {
        match &*self.state() {
            FailureState::GivenUp(why) => Some(why.clone()),
            FailureState::Well | FailureState::Failing { .. } | FailureState::Sampling { .. } => None,
        }
    }

    fn state(&self) -> MutexGuard<'_, FailureState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn given_up(first: &First) -> Failure {
    let message = format!(
        "{FAILED_DAYS} days in a row failed as {} did, and so did the last day and others between: {}",
        first.date, first.failure.message
    );
    Failure { message, attempts: 0, ..first.failure.clone() }
}

/// Why a day failed whole, where the reason may be that of all days of its series.
fn cause(done: &DayDone, classes: &BTreeSet<Class>) -> Option<Failure> {
    let is_failed = done.state == DayState::Failed;
    if let Some(failure) = done.error.as_ref().filter(|_| is_failed) {
        return is_of_source(failure.class).then(|| failure.clone());
    }
    let is_unlocked = is_failed && done.files == 0 && classes.iter().eq([&Class::LockMismatch]);
    is_unlocked.then(|| Failure::new(Class::LockMismatch, "no file of the day is what the lock says"))
}

/// True for what a source, or the lock, may say of all days alike, and goes on saying. What passes has its host given up, and
/// how a listing is wrong is each day's own.
fn is_of_source(class: Class) -> bool {
    matches!(
        class,
        Class::NotFound
            | Class::Forbidden
            | Class::UnexpectedStatus
            | Class::Redirect
            | Class::Protocol
            | Class::ListingTooLarge
            | Class::SourceRefused
            | Class::LockMismatch
    )
}

/// True where two failures differ in addresses and numbers, such as dates, alone.
fn is_same(one: &Failure, other: &Failure) -> bool {
    let reason = |failure: &Failure| with_numbers_alike(without_address(&failure.message));
    one.class == other.class && (one.class == Class::LockMismatch || reason(one) == reason(other))
}

/// Puts a few files, spread over the rest, behind the first ones: enough to see whether all of a day are not what the lock says.
pub(super) fn with_samples_first<T>(files: Vec<T>) -> Vec<T> {
    if files.len() <= LOCKED_FILES + FILE_SAMPLES {
        return files;
    }
    let step = (files.len() - LOCKED_FILES - 1) / FILE_SAMPLES;
    let mut rest = files;
    let samples: Vec<T> = (1..=FILE_SAMPLES).rev().map(|nth| rest.remove(LOCKED_FILES + nth * step)).collect();
    rest.splice(LOCKED_FILES..LOCKED_FILES, samples);
    rest
}

/// True when so many files of a day, and no other, are not what the lock says that the rest will not be, either.
pub(super) fn shows_that_all_differ(mismatches: usize) -> bool {
    mismatches >= LOCKED_FILES + FILE_SAMPLES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::SeriesId;
    use crate::run::event::DayId;

    fn date(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2015, 12, day).unwrap()
    }

    fn ended(day: u32, end: Result<(), (Class, &str)>) -> DayDone {
        let nothing = DayDone::nothing(DayId { series: SeriesId("a".into()), date: date(day) });
        match end {
            Ok(()) => DayDone { state: DayState::Sealed, ..nothing },
            Err((class, message)) => DayDone { error: Some(Failure::new(class, message)), ..nothing },
        }
    }

    const FIRST: NextDayToStart = NextDayToStart::Day(SamplePlace::FIRST);

    #[test]
    fn a_series_is_given_up_once_days_in_a_row_and_the_samples_fail_alike() {
        let series = RepeatedFailure::default();
        let fail = |day: u32| {
            let message = format!("http://h/2015/12/{day}: 400, no such series on 2015-12-{day}");
            series.note(&ended(day, Err((Class::UnexpectedStatus, &message))), &BTreeSet::new());
        };
        for day in 1..=5 {
            assert_eq!(series.next(), FIRST);
            fail(day);
        }
        let samples = [31, 20, 12, 25, 9, 22];
        for (place, day) in DAY_SAMPLES.into_iter().zip(samples) {
            assert_eq!(series.next(), NextDayToStart::Day(place));
            series.note_sample(date(day));
        }
        assert_eq!(series.next(), NextDayToStart::Wait);
        // Days that had been begun before the samples.
        [6, 7].into_iter().chain(samples).take(7).for_each(fail);
        assert!(series.given_up().is_none());
        fail(22);
        let why = series.given_up().unwrap();
        assert_eq!((why.class, why.attempts), (Class::UnexpectedStatus, 0));
        assert_eq!(
            why.message,
            "5 days in a row failed as 2015-12-01 did, and so did the last day and others between: http://h/2015/12/1: 400, no such \
             series on 2015-12-1"
        );
    }

    #[test]
    fn what_ends_otherwise_begins_the_count_anew() {
        let refused = Err((Class::SourceRefused, "no data yet"));
        for other in [
            Ok(()),
            Err((Class::SourceRefused, "no such segment")),
            Err((Class::Forbidden, "no data yet")),
            Err((Class::Unreachable, "no data yet")),
            Err((Class::Storage, "no data yet")),
        ] {
            let series = RepeatedFailure::default();
            (1..=5).for_each(|day| series.note(&ended(day, refused), &BTreeSet::new()));
            assert_eq!(
                (series.next(), series.next()),
                (NextDayToStart::Day(DAY_SAMPLES[0]), NextDayToStart::Day(DAY_SAMPLES[1]))
            );
            series.note(&ended(31, other), &BTreeSet::new());
            assert_eq!(series.next(), FIRST, "{other:?}");
            series.note(&ended(15, refused), &BTreeSet::new());
            assert!(series.given_up().is_none());
        }
    }

    #[test]
    fn a_series_that_has_days_already_is_given_up_for_the_lock_alone() {
        for (class, is_sampled) in [(Class::SourceRefused, false), (Class::LockMismatch, true)] {
            let series = RepeatedFailure::of(true);
            (1..=5).for_each(|day| series.note(&ended(day, Err((class, "no"))), &BTreeSet::new()));
            assert_eq!(series.next() == NextDayToStart::Day(DAY_SAMPLES[0]), is_sampled, "{class}");
        }
    }

    #[test]
    fn a_day_counts_where_none_of_its_files_is_what_the_lock_says() {
        let failed = |files| DayDone { files, ..ended(1, Err((Class::Storage, ""))) };
        let failed = |files| DayDone { error: None, ..failed(files) };
        for (files, classes, counts) in [
            (0, &[Class::LockMismatch][..], true),
            (1, &[Class::LockMismatch], false),
            (0, &[Class::LockMismatch, Class::Truncated], false),
            (0, &[Class::Truncated], false),
            (0, &[], false),
        ] {
            assert_eq!(
                cause(&failed(files), &classes.iter().copied().collect()).is_some(),
                counts,
                "{files} {classes:?}"
            );
        }
    }

    #[test]
    fn samples_of_a_day_come_behind_its_first_files() {
        let few: Vec<usize> = (0..23).collect();
        assert_eq!(with_samples_first(few.clone()), few);
        for count in [24, 25, 57, 1000] {
            let files = with_samples_first((0..count).collect::<Vec<usize>>());
            assert_eq!(files[..20], (0..20).collect::<Vec<_>>());
            assert_eq!(files.len(), count);
            assert_eq!(files.iter().collect::<BTreeSet<_>>().len(), count);
            assert!(files[20] > files[21] && files[21] > files[22] && files[22] >= 20, "{:?}", &files[20..23]);
        }
        assert!(!shows_that_all_differ(22) && shows_that_all_differ(23));
    }
}
