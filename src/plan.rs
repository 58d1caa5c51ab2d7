//! The plan: from a manifest, what the records say and one instant to the days that are still to do.
//!
//! Pure: it reads no clock, no disk and no network. What it does not do: decide how a day is done.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use crate::day::{Day, Scale, Window};
use crate::digest::Digest;
use crate::manifest::{Manifest, Series, SeriesId, nearest};

mod json;
mod pins;
mod selection;

pub use pins::{Bond, Pin, Pins, Unpinned, Why};
pub use selection::{Selection, Stretch};

/// What a day record says of its day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// What the day was asked for.
    pub spec: Digest,
    /// Whether it is final.
    pub state: Recorded,
    /// The job that wrote it.
    pub job: String,
    /// Files, without the absent ones.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that upstream does not have.
    pub absent: u64,
    /// `sha256:` and the digest of its files.
    pub digest: String,
}

/// How final a day record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// Final.
    Sealed,
    /// Whole, but too young to be final.
    Provisional,
}

/// What is found where a day record would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// Nothing.
    Missing,
    /// Nothing yet, but the day was started.
    Started {
        /// How many files are there.
        files: u64,
    },
    /// A record.
    Known(Known),
    /// Something that is no record, and why; safe to show.
    Unreadable(String),
}

/// The day records of an archive.
pub trait Records {
    /// What is known of one day. Called once for each day of a plan, so it must be cheap.
    fn known(&self, series: &SeriesId, date: NaiveDate) -> Record;
}

/// Why a day is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It has no record.
    New,
    /// It has no record, but was started.
    Started {
        /// How many files are there.
        files: u64,
    },
    /// Its record is not final.
    Provisional,
    /// Its record answers another question of this job.
    Stale {
        /// It was asked of another source or series: nothing of it can be kept.
        elsewhere: bool,
    },
    /// Its record cannot be read; why.
    Damaged(String),
    /// Its files are not those of the lock.
    Differs,
}

impl Reason {
    /// The word in `--json` and tables.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match self {
            Reason::New => "new",
            Reason::Started { .. } => "started",
            Reason::Provisional => "provisional",
            Reason::Stale { .. } => "stale",
            Reason::Damaged(_) => "damaged",
            Reason::Differs => "differs",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::New => f.write_str("not fetched yet"),
            Reason::Started { files: 0 } => f.write_str("not finished, no file is whole yet"),
            Reason::Started { files: 1 } => f.write_str("not finished, 1 file is there"),
            Reason::Started { files } => write!(f, "not finished, {files} files are there"),
            Reason::Provisional => f.write_str("was too young to be final when it was listed"),
            Reason::Stale { elsewhere: true } => {
                f.write_str("the source, its paths or the series were others: all of it is fetched again")
            }
            Reason::Stale { elsewhere: false } => {
                f.write_str("asked for something else before: the segments, other filters, layout or window changed")
            }
            Reason::Damaged(why) => write!(f, "its record cannot be read: {why}"),
            Reason::Differs => f.write_str("its files are not those of the lock"),
        }
    }
}

/// A day to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedDay {
    /// Which series, as an index into [`Manifest::series`].
    pub series: usize,
    /// The series' id.
    pub id: SeriesId,
    /// The day and its window.
    pub day: Day,
    /// What the day is asked for.
    pub spec: Digest,
    /// Why.
    pub reason: Reason,
}

/// A day that its record answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoneDay {
    /// Which series, as an index into [`Manifest::series`].
    pub series: usize,
    /// The series' id.
    pub id: SeriesId,
    /// The day and its window.
    pub day: Day,
    /// The job that sealed it; another one may share it.
    pub job: String,
    /// The lock says that it was done, and the archive has no record of it.
    pub elsewhere: bool,
    /// Its record has absent files, or no file at all.
    pub lacks_files: bool,
}

/// A day that this job may not do: it belongs to another job that asks for something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedDay {
    /// Which series, as an index into [`Manifest::series`].
    pub series: usize,
    /// The series' id.
    pub id: SeriesId,
    /// The day and its window.
    pub day: Day,
    /// The other job.
    pub job: String,
}

impl fmt::Display for RefusedDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} belongs to the job `{}`, which asks for something else; give the series an id of its own (`as: ...`) \
             or the job another `archive.root`",
            self.id,
            self.day.date,
            crate::untrusted::escape(&self.job)
        )
    }
}

/// What a job has to do, by series in the manifest's order and by date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The job's name.
    pub job: String,
    /// Each selected series and its figures.
    pub series: Vec<PlannedSeries>,
    /// The days to do.
    pub days: Vec<PlannedDay>,
    /// The days that are done.
    pub done: Vec<DoneDay>,
    /// The days that may not be done.
    pub refused: Vec<RefusedDay>,
    /// Where the lock may not be moved: the days for which it would have to be.
    pub unpinned: Vec<Unpinned>,
}

/// One series of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedSeries {
    /// Which, as an index into [`Manifest::series`].
    pub series: usize,
    /// Its id.
    pub id: SeriesId,
    /// The kind of its source.
    pub source: &'static str,
    /// The scale of its labels.
    pub scale: Scale,
    /// Its range, resolved; the selection does not change it.
    pub range: Window,
    /// How many days there are of each kind.
    pub counts: Counts,
}

/// How many selected days there are of each kind. `planned` are the new, started, provisional, stale, damaged
/// and differing ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[expect(missing_docs, reason = "the names are those of the plan's JSON")]
pub struct Counts {
    pub planned: u64,
    pub done: u64,
    pub new: u64,
    pub started: u64,
    pub provisional: u64,
    pub stale: u64,
    pub damaged: u64,
    pub differs: u64,
    pub refused: u64,
}

/// Why there is no plan: a message, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Problem {
        Problem { message: message.into(), hint: Some(hint.into()) }
    }
}

/// Plans the selected days of a job at the instant `now`.
///
/// A day whose record is sealed and answers the same spec is done, whoever wrote it. A selection takes days whole: it
/// never changes a day's window, so the spec of a day does not depend on it. A `bond` holds the days to the job's lock.
///
/// # Errors
/// A series that the manifest does not have, a range that is empty now, or a selection without a day.
pub fn plan(
    manifest: &Manifest,
    records: &dyn Records,
    now: DateTime<Utc>,
    selection: &Selection,
    bond: Option<Bond<'_>>,
) -> Result<Plan, Problem> {
    known_series(manifest, selection)?;
    let mut plan = Plan {
        job: manifest.name.clone(),
        series: Vec::new(),
        days: Vec::new(),
        done: Vec::new(),
        refused: Vec::new(),
        unpinned: Vec::new(),
    };
    for (index, series) in manifest.series.iter().enumerate() {
        if selection.takes(&series.id) {
            plan.add(index, series, records, now, selection, bond)?;
        }
    }
    if let Some(bond) = bond {
        plan.unpinned.extend(bond.not_asked_for(manifest, now, selection)?);
    }
    let days = plan.days.len() + plan.done.len() + plan.refused.len();
    if days == 0
        && let Some(stretch) = &selection.range
    {
        let ranges: Vec<String> = plan
            .series
            .iter()
            .map(|series| format!("{} has {}", series.id, shown(series.range, series.scale)))
            .collect();
        let message = format!("no day of the job lies in the range `{stretch}`");
        return Err(Problem::new(message, ranges.join("; ")));
    }
    Ok(plan)
}

/// Refuses a selection that names a series which the manifest does not have.
///
/// # Errors
/// A [`Problem`] with the nearest one.
pub fn known_series(manifest: &Manifest, selection: &Selection) -> Result<(), Problem> {
    let ids = || manifest.series.iter().map(|series| series.id.0.as_str());
    for wanted in &selection.series {
        if ids().any(|id| id == wanted) {
            continue;
        }
        let message = format!("the job `{}` has no series `{}`", manifest.name, crate::untrusted::escape(wanted));
        return Err(Problem::new(
            message,
            match nearest::nearest(wanted, ids()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it has: {}", ids().collect::<Vec<_>>().join(", ")),
            },
        ));
    }
    Ok(())
}

fn shown(window: Window, scale: Scale) -> String {
    format!("{} to {}", scale.label(window.start), scale.label(window.end))
}

impl Plan {
    fn add(
        &mut self,
        index: usize,
        series: &Series,
        records: &dyn Records,
        now: DateTime<Utc>,
        selection: &Selection,
        bond: Option<Bond<'_>>,
    ) -> Result<(), Problem> {
        let scale = series.source.scale();
        let range = series.range.resolve(now, scale);
        if range.is_empty() {
            let message = format!("the range of series `{}` is empty now: {}", series.id, shown(range, scale));
            return Err(Problem::new(
                message,
                "`today` moves with the clock; let the range begin earlier or end later",
            ));
        }
        let mut counts = Counts::default();
        for day in range.days() {
            if !selection.touches(&day.window, now, scale)? {
                continue;
            }
            let spec = series.spec(&day);
            let id = series.id.clone();
            let tie = bond.map_or_else(pins::Tie::none, |bond| bond.tie(&series.id, day.date, spec));
            if let Some(why) = tie.unpinned {
                self.unpinned.push(Unpinned { id: id.clone(), date: day.date, why });
            }
            let record = records.known(&series.id, day.date);
            if tie.is_elsewhere && !matches!(&record, Record::Known(known) if known.spec == spec) {
                counts.done += 1;
                self.done.push(DoneDay {
                    series: index,
                    id,
                    day,
                    job: self.job.clone(),
                    elsewhere: true,
                    lacks_files: false,
                });
                continue;
            }
            let reason = match record {
                Record::Missing => Reason::New,
                Record::Started { files } => Reason::Started { files },
                Record::Unreadable(why) => Reason::Damaged(why),
                Record::Known(known) if known.spec != spec && known.job != self.job => {
                    counts.refused += 1;
                    self.refused.push(RefusedDay { series: index, id, day, job: known.job });
                    continue;
                }
                Record::Known(known) if known.spec != spec => {
                    Reason::Stale { elsewhere: !known.spec.has_first_of(&spec) }
                }
                Record::Known(known) => {
                    let Some(reason) = tie.judge(&series.id, day.date, &known) else {
                        counts.done += 1;
                        let lacks_files = known.absent > 0 || known.files == 0;
                        let job = known.job;
                        self.done.push(DoneDay { series: index, id, day, job, elsewhere: false, lacks_files });
                        continue;
                    };
                    reason
                }
            };
            counts.planned += 1;
            *match reason {
                Reason::New => &mut counts.new,
                Reason::Started { .. } => &mut counts.started,
                Reason::Provisional => &mut counts.provisional,
                Reason::Stale { .. } => &mut counts.stale,
                Reason::Damaged(_) => &mut counts.damaged,
                Reason::Differs => &mut counts.differs,
            } += 1;
            self.days.push(PlannedDay { series: index, id, day, spec, reason });
        }
        let id = series.id.clone();
        self.series.push(PlannedSeries { series: index, id, source: series.source.kind(), scale, range, counts });
        Ok(())
    }

    /// The figures of all series together.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.series.iter().fold(Counts::default(), |sum, series| {
            let more = series.counts;
            Counts {
                planned: sum.planned + more.planned,
                done: sum.done + more.done,
                new: sum.new + more.new,
                started: sum.started + more.started,
                provisional: sum.provisional + more.provisional,
                stale: sum.stale + more.stale,
                damaged: sum.damaged + more.damaged,
                differs: sum.differs + more.differs,
                refused: sum.refused + more.refused,
            }
        })
    }
}

#[cfg(test)]
mod tests;
