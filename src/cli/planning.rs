//! The plan of a job from the records of its archive: what `plan` shows and `run` does.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::{DateTime, NaiveDate, Utc};

use super::locking::Locking;
use super::problem::Problem;
use super::selection::Selection;
use super::{Exit, Result};
use crate::archive::{Reader, State};
use crate::day::Window;
use crate::failure::Class;
use crate::manifest::{Manifest, SeriesId};
use crate::plan::{self, Done, EqualDays, Known, Plan, PlannedSeries, Reason, Record, Recorded, Records, Standing};
use crate::run::{Backlog, How, Todo};

/// The day records below a root.
struct OnDisk {
    reader: Reader,
    /// The days that have a journal.
    journalled: BTreeSet<(SeriesId, NaiveDate)>,
}

impl OnDisk {
    fn open(root: &Path) -> Result<OnDisk> {
        let reader = Reader::open(root)?;
        // Journals that cannot be looked at change nothing of what there is to do; the run will tell.
        let journalled = reader.journalled().unwrap_or_default();
        Ok(OnDisk { reader, journalled })
    }
}

impl Records for OnDisk {
    type Error = anyhow::Error;

    fn noted(&self, series: &SeriesId) -> Result<BTreeSet<NaiveDate>> {
        let mut noted = self.reader.recorded(series)?;
        noted.extend(self.journalled.iter().filter(|(id, _)| id == series).map(|(_, date)| *date));
        Ok(noted)
    }

    fn known(&self, series: &SeriesId, date: NaiveDate) -> Result<Record> {
        Ok(match self.reader.header(series, date) {
            // A journal that cannot be read changes nothing of what there is to do; the run will tell.
            Ok(None) => match self.reader.started(series, date) {
                Ok(Some(started)) => Record::Started { files: started.files },
                Ok(None) | Err(_) => Record::Missing,
            },
            Ok(Some(header)) => Record::Known(Known {
                spec: header.spec,
                state: match header.state {
                    State::Sealed => Recorded::Sealed,
                    State::Provisional => Recorded::Provisional,
                },
                job: header.job,
                files: header.files,
                bytes: header.bytes,
                absent: header.absent,
                digest: header.digest,
            }),
            Err(error) => Record::Unreadable(error.to_string()),
        })
    }
}

/// The plan of a job as its archive and its lock stand.
///
/// # Errors
/// As [`plan::plan`], with exit code 2 where it is the job's or the selection's fault; those of
/// [`Locking::must_not_be_ahead`] where the lock may not move.
pub(super) fn plan(job: &Manifest, selection: &Selection, locking: &Locking, now: DateTime<Utc>) -> Result<Plan> {
    if !locking.may_move() {
        locking.must_not_be_ahead(job, now)?;
    }
    let records = OnDisk::open(&job.archive.root)?;
    let planned = plan::plan(job, &records, locking.instant(now), &selection.resolve(), locking.bond());
    planned.map_err(|error| match error {
        plan::Error::Problem(problem) => usage(problem).into(),
        plan::Error::Records(error) => error,
    })
}

/// A plan's problem, as a command tells it.
pub(super) fn usage(problem: plan::Problem) -> Problem {
    let told = Problem::new(Exit::Usage, problem.message);
    problem.hint.into_iter().fold(told, Problem::hint)
}

/// The days that a run does.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// The days to do, in order.
    pub(super) days: Backlog,
    /// Days that a record seals, as windows of each series.
    pub(super) sealed: Vec<(SeriesId, Window)>,
    /// Those of them that have a journal all the same: what a kill left is put away.
    pub(super) left: Vec<Todo>,
}

impl Work {
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
/// When a day belongs to another job, or the disk cannot be read.
pub(super) fn work(job: &Manifest, plan: &Plan, redo: Redo) -> Result<Work> {
    if let Some(refused) = plan.refused().next() {
        let text = refused.to_string();
        let (message, hint) = text.split_once("; ").unwrap_or((&text, ""));
        let more = plan.counts().refused - 1;
        let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
        return Err(Problem::new(Exit::Usage, format!("{message}{more}")).hint(hint).into());
    }
    let records = Reader::open(&job.archive.root)?;
    let mut making = Making { job, redo, journalled: records.journalled()?, records, work: Work::default() };
    for series in &plan.series {
        for EqualDays { window, standing } in &series.days {
            match standing {
                // A record whose files are not the lock's is no answer.
                Standing::ToDo(reason) => {
                    let how = How { recheck: *reason == Reason::Differs, ..How::default() };
                    making.work.days.push(&series.id, *window, how);
                }
                Standing::Done(done) => making.add_done(series, *window, done)?,
                Standing::Refused { .. } => {}
            }
        }
    }
    Ok(making.work)
}

/// Work while it is made of a plan.
struct Making<'a> {
    job: &'a Manifest,
    redo: Redo,
    records: Reader,
    journalled: BTreeSet<(SeriesId, NaiveDate)>,
    work: Work,
}

impl Making<'_> {
    /// Adds days that are done: most of them are sealed, and that is all.
    fn add_done(&mut self, planned: &PlannedSeries, window: Window, done: &Done) -> Result<()> {
        let retry_absent = self.redo.retry_absent && done.lacks_files;
        if done.elsewhere || !(retry_absent || self.redo.check || !self.journalled.is_empty()) {
            self.work.add_sealed(&planned.id, window);
            return Ok(());
        }
        for day in window.days() {
            let recheck = retry_absent || (self.redo.check && !is_whole(&self.records, &planned.id, day.date)?);
            if recheck {
                let how = How { recheck, retry_absent, afresh: false };
                self.work.days.push(&planned.id, day.window, how);
                continue;
            }
            self.work.add_sealed(&planned.id, day.window);
            let is_left = self.journalled.contains(&(planned.id.clone(), day.date));
            if let Some(series) = self.job.series.get(planned.series).filter(|_| is_left) {
                let (id, spec, how) = (planned.id.clone(), series.spec(&day), How::default());
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
        // Its head was good and its lines are not: the run reads it again, and tells.
        Err(error) if error.class() == Class::Record => Ok(false),
        Err(error) => Err(error.into()),
    }
}
