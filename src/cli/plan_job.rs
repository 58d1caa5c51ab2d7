//! The plan of a job from the records of its archive: what `plan` shows and `run` does.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::{DateTime, NaiveDate, Utc};

use super::halt::Halt;
use super::job_lock::Locking;
use super::problem::CliError;
use super::selection::SelectionArgs;
use super::{Exit, Result};
use crate::archive::{Reader, RecordState};
use crate::day::Window;
use crate::failure::Class;
use crate::manifest::{Manifest, Query, SeriesId};
use crate::plan::{
    self, DayRecords, DayStanding, DayStatus, DaySummary, Done, EqualDays, Finality, Plan, PlannedSeries, ToDoReason,
};
use crate::run::{Backlog, How, Todo};

/// The day records below a root.
struct OnDisk<'a> {
    reader: Reader,
    /// The days that have a journal.
    journalled: BTreeSet<(SeriesId, NaiveDate)>,
    halt: Option<&'a Halt<'a>>,
}

impl<'a> OnDisk<'a> {
    fn open(root: &Path, halt: Option<&'a Halt<'a>>) -> Result<OnDisk<'a>> {
        let reader = Reader::open(root)?;
        // Unreadable journals do not change what there is to do; the run reports them.
        let journalled = reader.journalled().unwrap_or_default();
        Ok(OnDisk { reader, journalled, halt })
    }
}

impl OnDisk<'_> {
    /// How many files of a day's record are not there. Only days with a journal are looked at: an earlier run, or one under
    /// way, has begun them again.
    fn missing(&self, series: &SeriesId, date: NaiveDate) -> Result<u64> {
        if !self.journalled.contains(&(series.clone(), date)) {
            return Ok(0);
        }
        match self.reader.record(series, date) {
            Ok(record) => Ok(record.map_or(0, |record| self.reader.missing(&record).len() as u64)),
            // The run reads it again, and reports it.
            Err(error) if error.class() == Class::Record => Ok(0),
            Err(error) => Err(error.into()),
        }
    }
}

impl DayRecords for OnDisk<'_> {
    type Error = anyhow::Error;

    fn noted(&self, series: &SeriesId) -> Result<BTreeSet<NaiveDate>> {
        let mut noted = self.reader.recorded(series)?;
        noted.extend(self.journalled.iter().filter(|(id, _)| id == series).map(|(_, date)| *date));
        Ok(noted)
    }

    fn queries(&self, series: &SeriesId) -> Result<Vec<Query>> {
        Ok(self.reader.queries(series)?)
    }

    fn known(&self, series: &SeriesId, date: NaiveDate) -> Result<DayStatus> {
        self.halt.map_or(Ok(()), Halt::check_now_and_then)?;
        Ok(match self.reader.header(series, date) {
            // An unreadable journal does not change what there is to do; the run reports it.
            Ok(None) => match self.reader.started(series, date) {
                Ok(Some(started)) => DayStatus::Started { files: started.files },
                Ok(None) | Err(_) => DayStatus::Missing,
            },
            Ok(Some(header)) => DayStatus::Known(DaySummary {
                window: header.asked_window(),
                spec: header.spec,
                state: match header.state {
                    RecordState::Sealed => Finality::Sealed,
                    RecordState::Provisional => Finality::Provisional,
                },
                job: header.job,
                files: header.files,
                bytes: header.bytes,
                absent: header.absent,
                digest: header.digest,
                missing: self.missing(series, date)?,
            }),
            Err(error) => DayStatus::Unreadable(error.to_string()),
        })
    }
}

/// The plan of a job as its archive and its lock stand.
///
/// # Errors
/// As [`plan::plan`], with exit code 2 where it is the job's or the selection's fault; those of
/// [`Locking::must_not_be_ahead`] where the lock may not move.
pub(super) fn plan(job: &Manifest, selection: &SelectionArgs, locking: &Locking, now: DateTime<Utc>) -> Result<Plan> {
    plan_until(job, selection, locking, now, None)
}

/// The same, unless it has to end before.
///
/// # Errors
/// [`Halted`](super::halt::Halted), and those of [`plan()`].
pub(super) fn plan_until(
    job: &Manifest,
    selection: &SelectionArgs,
    locking: &Locking,
    now: DateTime<Utc>,
    halt: Option<&Halt<'_>>,
) -> Result<Plan> {
    if !locking.may_move() {
        locking.must_not_be_ahead(job, now)?;
    }
    let records = OnDisk::open(&job.archive.root, halt)?;
    let planned = plan::plan(job, &records, locking.instant(now), &selection.resolve(), locking.bond());
    planned.map_err(|error| match error {
        plan::Error::Problem(problem) => usage(problem).into(),
        plan::Error::Records(error) => error,
    })
}

/// A plan's problem, as a command tells it.
pub(super) fn usage(problem: plan::PlanError) -> CliError {
    let told = CliError::new(Exit::Usage, problem.message);
    problem.hint.into_iter().fold(told, CliError::hint)
}

/// The days that a run does.
#[derive(Debug, Default)]
pub(super) struct PlannedWork {
    /// The days to do, in order.
    pub(super) days: Backlog,
    /// Days that a record seals, as windows of each series.
    pub(super) sealed: Vec<(SeriesId, Window)>,
    /// The files of the sealed days were looked at.
    pub(super) is_checked: bool,
    /// Those of them that have a journal all the same: what a kill left is put away.
    pub(super) left: Vec<Todo>,
}

impl PlannedWork {
    /// Adds a sealed day, or several in a row, after those that are there.
    pub(super) fn add_sealed(&mut self, series: &SeriesId, window: Window) {
        match self.sealed.last_mut() {
            Some((id, last)) if id == series && last.end == window.start => last.end = window.end,
            _ => self.sealed.push((series.clone(), window)),
        }
    }
}

/// Which sealed days are done again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Redo {
    /// Those whose files are not all there with their sizes.
    pub(super) check: bool,
    /// Those with absent files, or without any.
    pub(super) retry_absent: bool,
}

/// Makes work of a plan.
///
/// # Errors
/// When a day belongs to another job, or the disk cannot be read; [`Halted`](super::halt::Halted).
pub(super) fn work(job: &Manifest, plan: &Plan, redo: Redo, halt: Option<&Halt<'_>>) -> Result<PlannedWork> {
    if let Some(refused) = plan.refused().next() {
        let text = refused.to_string();
        let (message, hint) = text.split_once("; ").unwrap_or((&text, ""));
        let more = plan.counts().refused - 1;
        let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
        return Err(CliError::new(Exit::Usage, format!("{message}{more}")).hint(hint).into());
    }
    let records = Reader::open(&job.archive.root)?;
    let mut making = Making {
        job,
        redo,
        halt,
        journalled: records.journalled()?,
        records,
        work: PlannedWork { is_checked: redo.check, ..PlannedWork::default() },
    };
    for series in &plan.series {
        for days in &series.days {
            let EqualDays { window, standing, spec } = days;
            match standing {
                DayStanding::ToDo(reason) => {
                    // A record with other files than the lock, or with missing files, does not count.
                    let recheck = matches!(reason, ToDoReason::Differs | ToDoReason::Incomplete { .. });
                    let how = How { recheck, spec: *spec, ..How::default() };
                    making.work.days.push(&series.id, *window, how);
                }
                DayStanding::Done(done) => making.add_done(series, days, done)?,
                DayStanding::Refused { .. } => {}
            }
        }
    }
    Ok(making.work)
}

/// Work while it is made of a plan.
struct Making<'a> {
    job: &'a Manifest,
    redo: Redo,
    halt: Option<&'a Halt<'a>>,
    records: Reader,
    journalled: BTreeSet<(SeriesId, NaiveDate)>,
    work: PlannedWork,
}

impl Making<'_> {
    /// Adds days that are done: most of them are sealed, and that is all.
    fn add_done(&mut self, planned: &PlannedSeries, days: &EqualDays, done: &Done) -> Result<()> {
        let (window, spec) = (days.window, days.spec);
        let retry_absent = self.redo.retry_absent && done.lacks_files;
        if done.elsewhere || !(retry_absent || self.redo.check || !self.journalled.is_empty()) {
            self.work.add_sealed(&planned.id, window);
            return Ok(());
        }
        for day in window.days() {
            if self.redo.check {
                // Some days have thousands of files to check.
                self.halt.map_or(Ok(()), Halt::check)?;
            }
            let recheck = retry_absent || (self.redo.check && !is_whole(&self.records, &planned.id, day.date)?);
            if recheck {
                let how = How { recheck, retry_absent, spec, ..How::default() };
                self.work.days.push(&planned.id, day.window, how);
                continue;
            }
            self.work.add_sealed(&planned.id, day.window);
            let is_left = self.journalled.contains(&(planned.id.clone(), day.date));
            if let Some(series) = self.job.series.get(planned.series).filter(|_| is_left) {
                let (id, how) = (planned.id.clone(), How { spec, ..How::default() });
                let spec = spec.unwrap_or_else(|| series.spec(&day));
                self.work.left.push(Todo { series: id, day, spec, how });
            }
        }
        Ok(())
    }
}

/// True when every file of the day's record lies there with its size.
fn is_whole(records: &Reader, series: &SeriesId, date: NaiveDate) -> Result<bool> {
    match records.record(series, date) {
        Ok(record) => Ok(record.is_some_and(|record| records.missing(&record).is_empty())),
        // Its header is good and its lines are not: the run reads it again and reports it.
        Err(error) if error.class() == Class::Record => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::cli::halt::Halted;
    use crate::cli::problem;
    use crate::run::budget::Budget;
    use crate::run::budget::Caps;

    /// A job over years, and an archive in which so many of its days have a record, which cannot be read.
    fn recorded(days: usize) -> (tempfile::TempDir, Manifest) {
        let folder = tempfile::tempdir().unwrap();
        let text = "version: 1\nname: job\nsource: { embedded: {} }\nrange: { start: 1990-01-01, end: 2020-01-01 }\n\
                    series: [{ name: a }, { name: b }]\narchive: { root: data }\n";
        let job = folder.path().join("job.yaml");
        let job = crate::manifest::parse(&job, text.as_bytes(), &|_| None).unwrap();
        let records = job.archive.root.join(".sunhaul/days/b");
        std::fs::create_dir_all(&records).unwrap();
        for date in "1999-01-01".parse::<NaiveDate>().unwrap().iter_days().take(days) {
            std::fs::write(records.join(format!("{date}.jsonl")), "no record").unwrap();
        }
        (folder, job)
    }

    fn planned(job: &Manifest, halt: &Halt<'_>) -> Result<Plan> {
        let locking = Locking::looked_at(job).unwrap();
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        plan_until(job, &SelectionArgs::default(), &locking, now, Some(halt))
    }

    #[test]
    fn reading_many_records_ends_when_the_time_is_up_or_a_signal_came_and_reading_a_few_does_not() {
        let late = Budget::new(Caps { time: Some(Duration::ZERO), ..Caps::default() }, Instant::now());
        let endless = Budget::unlimited();
        let (stopped, going_on) = (CancellationToken::new(), CancellationToken::new());
        stopped.cancel();
        for (stop, budget, halted, code) in [
            (&going_on, &late, Halted::TimeUp, 4),
            (&stopped, &endless, Halted::Interrupted, 130),
            // Confirm to the user that the request to stop was received.
            (&stopped, &late, Halted::Interrupted, 130),
        ] {
            let (_folder, job) = recorded(999);
            let plan = planned(&job, &Halt::new(stop, budget)).unwrap();
            assert_eq!((plan.counts().damaged, plan.counts().new), (999, 2 * 10_957 - 999));
            let redo = Redo { check: true, retry_absent: false };
            work(&job, &plan, redo, Some(&Halt::new(stop, budget))).unwrap();
            let (_folder, job) = recorded(1000);
            let error = planned(&job, &Halt::new(stop, budget)).unwrap_err();
            assert_eq!(error.downcast_ref::<Halted>(), Some(&halted));
            assert_eq!(problem::explain(&error).0.code(), code);
            assert_eq!(planned(&job, &Halt::new(&going_on, &endless)).unwrap().counts().damaged, 1000);
        }
    }

    #[test]
    fn days_that_are_done_are_work_only_where_they_are_to_be_done_again() {
        let (_folder, job) = recorded(0);
        let mut plan = planned(&job, &Halt::new(&CancellationToken::new(), &Budget::unlimited())).unwrap();
        let at = |date: &str| date.parse::<NaiveDate>().unwrap().and_time(chrono::NaiveTime::MIN);
        let days = |start, end, standing| {
            let window = Window { start: at(start), end: at(end) };
            EqualDays { window, standing, spec: None }
        };
        let done = |lacks_files| DayStanding::Done(Done { job: "job".into(), elsewhere: false, lacks_files });
        plan.series.truncate(1);
        plan.series[0].days = vec![
            days("2001-01-01", "2001-01-03", DayStanding::ToDo(ToDoReason::New)),
            days("2001-01-03", "2001-01-05", done(true)),
            days("2001-01-05", "2001-01-09", done(false)),
            days("2001-01-09", "2001-01-10", DayStanding::ToDo(ToDoReason::Differs)),
        ];
        let shown = |redo| {
            let work = work(&job, &plan, redo, None).unwrap();
            let show = |window: Window| format!("{}..{}", window.start.date(), window.end.date());
            let sealed: Vec<String> = work.sealed.iter().map(|(_, window)| show(*window)).collect();
            let rechecked = work.days.days_done(|how| how.recheck).count();
            (work.days.windows().map(|(_, window)| show(window)).collect::<Vec<_>>(), sealed, rechecked)
        };
        let (days, sealed, rechecked) = shown(Redo { check: false, retry_absent: false });
        assert_eq!(days, ["2001-01-01..2001-01-03", "2001-01-09..2001-01-10"]);
        assert_eq!((sealed, rechecked), (vec!["2001-01-03..2001-01-09".to_owned()], 1));
        let (days, sealed, rechecked) = shown(Redo { check: false, retry_absent: true });
        assert_eq!(days, ["2001-01-01..2001-01-03", "2001-01-03..2001-01-05", "2001-01-09..2001-01-10"]);
        assert_eq!((sealed, rechecked), (vec!["2001-01-05..2001-01-09".to_owned()], 3));
        // None of the lock's files for these days are here.
        let (days, sealed, rechecked) = shown(Redo { check: true, retry_absent: false });
        assert_eq!(days, ["2001-01-01..2001-01-03", "2001-01-03..2001-01-10"]);
        assert_eq!((sealed, rechecked), (Vec::new(), 7));
    }
}
