//! The plan of a job from the records of its archive: what `plan` shows and `run` does.

use chrono::{DateTime, NaiveDate, Utc};

use super::locking::Locking;
use super::problem::Problem;
use super::selection::Selection;
use super::{Exit, Result};
use crate::archive::{Reader, State};
use crate::failure::Class;
use crate::manifest::{Manifest, SeriesId};
use crate::plan::{self, Known, Plan, Reason, Record, Recorded, Records};
use crate::run::Todo;
use crate::run::event::DayId;

/// The day records below a root.
struct OnDisk(Reader);

impl Records for OnDisk {
    fn known(&self, series: &SeriesId, date: NaiveDate) -> Record {
        match self.0.header(series, date) {
            // A journal that cannot be read changes nothing of what there is to do; the run will tell.
            Ok(None) => match self.0.started(series, date) {
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
        }
    }
}

/// The plan of a job as its archive and its lock stand.
///
/// # Errors
/// As [`plan::plan`], with exit code 2; those of [`Locking::must_not_be_ahead`] where the lock may not move.
pub(super) fn plan(job: &Manifest, selection: &Selection, locking: &Locking, now: DateTime<Utc>) -> Result<Plan> {
    if !locking.may_move() {
        locking.must_not_be_ahead(job, now)?;
    }
    let records = OnDisk(Reader::open(&job.archive.root)?);
    plan::plan(job, &records, locking.instant(now), &selection.resolve(), locking.bond()).map_err(|problem| {
        let told = Problem::new(Exit::Usage, problem.message);
        match problem.hint {
            Some(hint) => told.hint(hint).into(),
            None => told.into(),
        }
    })
}

/// The days that a run does.
#[derive(Debug)]
pub(super) struct Work {
    /// The days to do, in order.
    pub(super) days: Vec<Todo>,
    /// Days that a record seals.
    pub(super) sealed: Vec<DayId>,
    /// Those of them that have a journal all the same: what a kill left is put away.
    pub(super) left: Vec<Todo>,
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
pub(super) fn work(job: &Manifest, plan: Plan, redo: Redo) -> Result<Work> {
    if let Some(refused) = plan.refused.first() {
        let text = refused.to_string();
        let (message, hint) = text.split_once("; ").unwrap_or((&text, ""));
        let more = plan.refused.len() - 1;
        let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
        return Err(Problem::new(Exit::Usage, format!("{message}{more}")).hint(hint).into());
    }
    let mut days: Vec<(usize, Todo)> = plan
        .days
        .into_iter()
        .map(|day| {
            // A record whose files are not the lock's is no answer.
            let recheck = day.reason == Reason::Differs;
            (
                day.series,
                Todo { series: day.id, day: day.day, spec: day.spec, recheck, afresh: false, retry_absent: false },
            )
        })
        .collect();
    let mut sealed = Vec::with_capacity(plan.done.len());
    let records = Reader::open(&job.archive.root)?;
    let journalled = records.journalled()?;
    let mut left = Vec::new();
    for done in plan.done {
        let id = DayId { series: done.id.clone(), date: done.day.date };
        if done.elsewhere {
            sealed.push(id);
            continue;
        }
        let is_left = !journalled.is_empty() && journalled.contains(&(done.id.clone(), done.day.date));
        let retry_absent = redo.retry_absent && done.lacks_files;
        let recheck = retry_absent || (redo.check && !is_whole(&records, &done.id, done.day.date)?);
        if !recheck {
            sealed.push(id);
        }
        let Some(series) = job.series.get(done.series).filter(|_| is_left || recheck) else { continue };
        let spec = series.spec(&done.day);
        let todo = Todo { series: done.id, day: done.day, spec, recheck, afresh: false, retry_absent };
        if recheck {
            days.push((done.series, todo));
        } else {
            left.push(todo);
        }
    }
    days.sort_by_key(|(series, todo)| (*series, todo.day.date));
    Ok(Work { days: days.into_iter().map(|(_, todo)| todo).collect(), sealed, left })
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
