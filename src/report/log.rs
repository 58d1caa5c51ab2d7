//! The events of a run as records of the log: for a machine that reads along.
//!
//! Each record names the run, the job, and the day or file that it is about, by the ids of the report. What it does not
//! do: choose the form of a record, or filter; whoever starts the log does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use tracing::field::display;

use super::model::{Report, RunResult};
use super::terminal::{TOLD, Verbosity};
use crate::failure::{Class, Failure};
use crate::run::budget::Spent;
use crate::run::event::{DayDone, DayId, DayState, Event, FileEnd, Observer, TakenBack};
use crate::untrusted::escape;

/// Tells one run to the log.
#[derive(Debug)]
pub struct Log {
    run: String,
    job: String,
    is_quiet: bool,
    /// Why files were given up, of the days in flight: a day that failed by its files names their first class.
    lost: Mutex<BTreeMap<DayId, BTreeSet<Class>>>,
}

/// A record at a level, with the run and the job.
macro_rules! tell {
    ($level:ident, $log:expr, $($fields:tt)+) => {
        tracing::$level!(target: TOLD, run = %$log.run, job = %$log.job, $($fields)+)
    };
}

impl Log {
    /// The log of one run.
    #[must_use]
    pub fn new(run: &str, job: &str, verbosity: Verbosity) -> Log {
        let is_quiet = verbosity == Verbosity::Quiet;
        Log { run: run.to_owned(), job: escape(job).into_owned(), is_quiet, lost: Mutex::default() }
    }

    /// Tells how the run ended.
    pub fn ended(&self, report: &Report) {
        let (days, files, bytes) = (&report.totals.days, &report.totals.files, report.totals.bytes.fetched);
        macro_rules! end {
            ($level:ident, $result:literal) => {
                tell!(
                    $level,
                    self,
                    result = $result,
                    exit_code = report.run.exit_code,
                    ended_by = report.run.ended_by.map(Spent::name),
                    days_planned = days.planned,
                    days_sealed = days.sealed,
                    days_provisional = days.provisional,
                    days_failed = days.failed,
                    days_held = days.held,
                    days_unfinished = days.unfinished,
                    files_listed = files.listed,
                    files_fetched = files.fetched,
                    files_failed = files.failed,
                    files_unfinished = files.unfinished,
                    bytes,
                    requests = report.totals.requests.sent,
                    "the run ended"
                )
            };
        }
        match report.run.result {
            RunResult::Complete if self.is_quiet => {}
            RunResult::Complete => end!(info, "complete"),
            RunResult::Interrupted => end!(warn, "interrupted"),
            RunResult::Incomplete | RunResult::Running => end!(error, "incomplete"),
        }
    }

    fn file(&self, day: &DayId, key: &str, path: Option<&str>, end: &FileEnd) {
        let (series, date, key) = (escape(&day.series.0), day.date, escape(key));
        let path = path.map(|path| display(escape(path)));
        macro_rules! file {
            ($level:ident, $($fields:tt)+) => {
                tell!($level, self, series = %series, date = %date, key = %key, path, $($fields)+)
            };
        }
        match end {
            FileEnd::Failed(failure) => {
                self.lost().entry(day.clone()).or_default().insert(failure.class);
                let Failure { class, attempts, status, message, .. } = &**failure;
                file!(warn, class = %class, attempts, status, "{message}");
            }
            FileEnd::Absent if !self.is_quiet => file!(info, "the file is absent upstream"),
            FileEnd::Absent => {}
            FileEnd::Fetched { bytes, resumed_bytes, .. } => file!(debug, bytes, resumed_bytes, "the file is fetched"),
            FileEnd::Kept { bytes } => file!(debug, bytes, "the file was at its path already"),
            FileEnd::Adopted { bytes } => file!(debug, bytes, "the file is adopted"),
            FileEnd::Renamed { bytes } => file!(debug, bytes, "the file is renamed"),
            FileEnd::Restored { bytes } => file!(debug, bytes, "the file is taken back from the retired ones"),
            FileEnd::Have => file!(debug, "the file is there already"),
        }
    }

    fn retry(&self, day: &DayId, key: Option<&str>, failure: &Failure, wait_seconds: f64) {
        if self.is_quiet {
            return;
        }
        let (series, date, key) = (escape(&day.series.0), day.date, key.map(|key| display(escape(key))));
        let Failure { class, attempts, status, message, .. } = failure;
        tell!(
            warn,
            self,
            series = %series,
            date = %date,
            key,
            class = %class,
            attempts,
            status,
            wait_seconds,
            "tried again: {message}"
        );
    }

    fn day(&self, done: &DayDone) {
        let lost = self.lost().remove(&done.day).unwrap_or_default();
        let error = done.error.as_ref();
        let class = error.map(|failure| failure.class).or_else(|| lost.first().copied());
        let (series, date) = (escape(&done.day.series.0), done.day.date);
        macro_rules! end {
            ($level:ident, $state:literal, $($message:tt)+) => {
                tell!(
                    $level,
                    self,
                    series = %series,
                    date = %date,
                    state = $state,
                    files = done.files,
                    bytes = done.bytes,
                    absent = done.absent,
                    digest = done.digest.map(|digest| format!("sha256:{digest}")),
                    class = class.map(display),
                    attempts = error.map(|failure| failure.attempts),
                    status = error.and_then(|failure| failure.status),
                    $($message)+
                )
            };
        }
        match (done.state, error) {
            (DayState::Sealed | DayState::Provisional, _) if self.is_quiet => {}
            (DayState::Sealed, _) => end!(info, "sealed", "the day is sealed"),
            (DayState::Provisional, _) => end!(info, "provisional", "the day is whole, and too young to be sealed"),
            (DayState::Held, Some(failure)) => end!(warn, "held", "{failure}"),
            (DayState::Held, None) => end!(warn, "held", "another process has the day"),
            (DayState::Failed, Some(failure)) => end!(error, "failed", "{failure}"),
            (DayState::Failed, None) => end!(error, "failed", "files of the day are missing"),
        }
    }

    fn lost(&self) -> std::sync::MutexGuard<'_, BTreeMap<DayId, BTreeSet<Class>>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Log {
    fn on(&self, event: Event) {
        match &event {
            Event::Planned { planned, already_sealed } if !self.is_quiet => {
                tell!(info, self, planned, already_sealed, "the run begins");
            }
            Event::DayBegun(day) => {
                tell!(debug, self, series = %escape(&day.series.0), date = %day.date, "the day is begun");
            }
            Event::DayListed { day, files, have, bytes } => {
                let series = escape(&day.series.0);
                tell!(debug, self, series = %series, date = %day.date, files, have, bytes, "the day is listed");
            }
            Event::FileDone { day, key, path, end } => self.file(day, key, path.as_deref(), end),
            Event::Retrying { day, key, failure, wait_seconds } => {
                self.retry(day, key.as_deref(), failure, *wait_seconds);
            }
            Event::Quarantined { day, key, class } => {
                let (series, key) = (escape(&day.series.0), escape(key));
                tell!(warn, self, series = %series, date = %day.date, key = %key, class = %class, "put into quarantine");
            }
            Event::DayAgain(day) => {
                tell!(debug, self, series = %escape(&day.series.0), date = %day.date, "the day is checked again later");
            }
            Event::DayDone(done) => self.day(done),
            Event::DayReopened { day, taken, .. } => {
                for TakenBack { key, path, failure, .. } in taken {
                    self.file(day, key, Some(path), &FileEnd::Failed(Box::new(failure.clone())));
                }
                self.lost().remove(day);
                let series = escape(&day.series.0);
                tell!(error, self, series = %series, date = %day.date, files = taken.len(), "files of the day were taken back");
            }
            Event::DayLeft { day, files, left } if !self.is_quiet => {
                let series = escape(&day.series.0);
                tell!(info, self, series = %series, date = %day.date, files, left, "the rest of the day is to be fetched");
            }
            Event::Note(note) if !self.is_quiet => tell!(info, self, "{note}"),
            Event::Planned { .. }
            | Event::DayLeft { .. }
            | Event::Note(_)
            | Event::Received { .. }
            | Event::Hosts(_) => {}
        }
    }
}
