//! The plan: from a manifest, what the records say and one instant to the days that are still to do.
//!
//! Days in a row that stand alike are one value, and each day is made when it is asked for: a plan of millions of days
//! takes no more room and time than its changes do. Pure: it reads no clock, no disk and no network. What it does not do: decide how a day is done.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde::Serialize;

use crate::day::{Day, Scale, Window};
use crate::digest::Digest;
use crate::manifest::{Manifest, Region, Series, SeriesId, suggest_word};

mod change;
mod day_standing;
mod json;
mod pins;
mod records;
mod selection;

pub use change::Change;
use change::SeriesQueries;
pub use day_standing::{DayStanding, Done, EqualDays, PlannedDay, ToDoReason};
pub use json::{Outlook, PlanJson};
pub use pins::{Bond, Pin, Pins, Unpinned, Why};
pub use records::{DayRecords, DayStatus, DaySummary, Finality};
pub use selection::{Selection, TypedRange};

/// What a job has to do, by series in the manifest's order and by date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The job's name.
    pub job: String,
    /// Each selected series, its figures and its days.
    pub series: Vec<PlannedSeries>,
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
    /// What is known of the active regions that it follows.
    pub regions: Vec<Region>,
    /// How many days there are of each kind.
    pub counts: Counts,
    /// The selected days, by date.
    pub days: Vec<EqualDays>,
    /// How many of them lie outside of the range, and stay until they are forgotten: the job asked for them before.
    pub kept: u64,
}

/// How many selected days there are of each kind. `planned` are the new, started, provisional, stale, damaged
/// and differing ones. The fields are in the order of their names, as in the plan's JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[expect(missing_docs, reason = "the names are those of the plan's JSON")]
pub struct Counts {
    pub damaged: u64,
    pub differs: u64,
    pub done: u64,
    pub new: u64,
    pub planned: u64,
    pub provisional: u64,
    pub refused: u64,
    pub stale: u64,
    pub started: u64,
}

/// Why there is no plan: a message, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PlanError {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl PlanError {
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> PlanError {
        PlanError { message: message.into(), hint: Some(hint.into()) }
    }
}

/// Why no plan could be made of records that fail with an `E`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error<E> {
    /// The job or the selection does not allow one.
    Problem(PlanError),
    /// The records cannot be read.
    Records(E),
}

impl<E> From<PlanError> for Error<E> {
    fn from(problem: PlanError) -> Error<E> {
        Error::Problem(problem)
    }
}

/// Plans the selected days of a job at the instant `now`.
///
/// A day whose record is sealed and answers the same spec is done, whoever wrote it. A selection takes days whole: it
/// never changes a day's window, so the spec of a day does not depend on it. A `bond` holds the days to the job's lock.
///
/// # Errors
/// A series that the manifest does not have, a range that is empty now, a selection without a day, or records that
/// cannot be read.
pub fn plan<R: DayRecords>(
    manifest: &Manifest,
    records: &R,
    now: DateTime<Utc>,
    selection: &Selection,
    bond: Option<Bond<'_>>,
) -> Result<Plan, Error<R::Error>> {
    known_series(manifest, selection)?;
    let mut plan = Plan { job: manifest.name.clone(), series: Vec::new(), unpinned: Vec::new() };
    for (index, series) in manifest.series.iter().enumerate() {
        if selection.takes(&series.id) {
            plan.add(index, series, records, now, selection, bond)?;
        }
    }
    if let Some(bond) = bond {
        plan.unpinned.extend(bond.not_asked_for(manifest, selection));
    }
    if plan.series.iter().all(|series| series.days.is_empty())
        && let Some(stretch) = &selection.range
    {
        let ranges: Vec<String> = plan
            .series
            .iter()
            .map(|series| format!("{} has {}", series.id, shown(series.range, series.scale)))
            .collect();
        let message = format!("the job has no days in the range `{stretch}`");
        return Err(PlanError::new(message, ranges.join("; ")).into());
    }
    Ok(plan)
}

/// Refuses a selection that names a series which the manifest does not have.
///
/// # Errors
/// A [`PlanError`] with the nearest one.
pub fn known_series(manifest: &Manifest, selection: &Selection) -> Result<(), PlanError> {
    let ids = || manifest.series.iter().map(|series| series.id.0.as_str());
    for wanted in &selection.series {
        if ids().any(|id| id == wanted) {
            continue;
        }
        let message = format!("the job `{}` has no series `{}`", manifest.name, crate::untrusted::escape(wanted));
        return Err(PlanError::new(
            message,
            match suggest_word::nearest(wanted, ids()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it has: {}", ids().collect::<Vec<_>>().join(", ")),
            },
        ));
    }
    Ok(())
}

/// Refuses a series whose range follows a region that nobody was asked for.
///
/// # Errors
/// A [`PlanError`] that says who asks.
pub fn known_dates(series: &Series) -> Result<(), PlanError> {
    let Some(number) = series.regions_of_range().next().filter(|_| series.lacks_dates()) else { return Ok(()) };
    let message =
        format!("the range of series `{}` follows {number}, and the lock does not say when it was seen", series.id);
    Err(PlanError::new(message, "`sunhaul run` looks it up and keeps it in the lock; `sunhaul plan` looks it up, too"))
}

fn shown(window: Window, scale: Scale) -> String {
    format!("{} to {}", scale.label(window.start), scale.label(window.end))
}

impl Plan {
    fn add<R: DayRecords>(
        &mut self,
        index: usize,
        series: &Series,
        records: &R,
        now: DateTime<Utc>,
        selection: &Selection,
        bond: Option<Bond<'_>>,
    ) -> Result<(), Error<R::Error>> {
        let scale = series.source.scale();
        known_dates(series)?;
        let range = series.range.resolve(now, scale);
        // One that has not begun has no day yet.
        if range.is_empty() && series.range.labels(now, scale).is_empty() {
            let message = format!("the range of series `{}` is empty now: {}", series.id, shown(range, scale));
            return Err(PlanError::new(
                message,
                "`today` moves with the clock; let the range begin earlier or end later",
            )
            .into());
        }
        let range = Window { end: range.end.max(range.start), ..range };
        let (id, source) = (series.id.clone(), series.source.kind());
        let (counts, days, regions) = (Counts::default(), Vec::new(), series.regions.known.clone());
        let mut planned = PlannedSeries { series: index, id, source, scale, range, regions, counts, days, kept: 0 };
        let before = records.queries(&series.id).map_err(Error::Records)?;
        let asked = SeriesQueries::of(series, before);
        let mut noted = records.noted(&series.id).map_err(Error::Records)?;
        noted.extend(bond.into_iter().flat_map(|bond| bond.pins.dates(&series.id)));
        let is_before = |date: &NaiveDate| *date < range.start.date();
        let (before, rest): (Vec<NaiveDate>, Vec<NaiveDate>) = noted.into_iter().partition(is_before);
        let (within, after): (Vec<NaiveDate>, Vec<NaiveDate>) =
            rest.into_iter().partition(|date| !range.day(*date).window.is_empty());
        let is_selected = |date: &NaiveDate| -> Result<bool, PlanError> {
            Ok(!selection.days_of(&Window::of_day(*date), now, scale)?.is_empty())
        };
        for date in before {
            if is_selected(&date)? {
                self.add_kept(&mut planned, &asked, date, records, bond)?;
            }
        }
        let mut rest = selection.days_of(&range, now, scale)?;
        let selected = rest;
        for date in within.into_iter().filter(|date| !selected.day(*date).window.is_empty()) {
            let day = range.day(date);
            self.add_new(&mut planned, Window { end: day.window.start, ..rest }, bond);
            let record = records.known(&series.id, date).map_err(Error::Records)?;
            let spec = asked.spec(day.window);
            let standing = self.judge(&series.id, &asked, &day, spec, record, bond);
            planned.push(day.window, standing, None);
            rest.start = day.window.end;
        }
        self.add_new(&mut planned, rest, bond);
        for date in after {
            if is_selected(&date)? {
                self.add_kept(&mut planned, &asked, date, records, bond)?;
            }
        }
        self.series.push(planned);
        Ok(())
    }

    /// Adds a day outside of the range that the job asked for before: it stays as it is, and is looked at until it is final. A
    /// lock that may not be moved has such a day done as it was asked for then, where it is not here.
    fn add_kept<R: DayRecords>(
        &mut self,
        planned: &mut PlannedSeries,
        asked: &SeriesQueries,
        date: NaiveDate,
        records: &R,
        bond: Option<Bond<'_>>,
    ) -> Result<(), Error<R::Error>> {
        let series = planned.id.clone();
        let record = records.known(&series, date).map_err(Error::Records)?;
        let pin = bond.and_then(|bond| bond.pins.pinned(&series, date));
        let is_exact = bond.is_some_and(|bond| bond.is_exact);
        let (window, standing, spec) = match (record, pin) {
            (record, Some(pin)) if is_exact => {
                let day = Day { date, window: pin.window };
                (pin.window, self.judge(&series, asked, &day, pin.spec, record, bond), Some(pin.spec))
            }
            (DayStatus::Known(known), pin)
                if pin.is_some_and(|pin| pin.spec == known.spec) || (known.job == self.job && !is_exact) =>
            {
                let tie = bond.map_or_else(pins::Tie::none, |bond| bond.tie(&series, date, known.spec));
                // One that is not final is looked at as the manifest asks now: its listing may only be had so.
                let spec = (known.state == Finality::Sealed).then_some(known.spec);
                (known.window, tie.stands(&series, date, known), spec)
            }
            (DayStatus::Unreadable(why), Some(pin)) => {
                (pin.window, DayStanding::ToDo(ToDoReason::Damaged(why)), Some(pin.spec))
            }
            // It was never done, or is another job's.
            _ => return Ok(()),
        };
        planned.kept += 1;
        let spec = spec.filter(|spec| *spec != asked.spec(window));
        planned.push(window, standing, spec);
        Ok(())
    }

    /// Adds days of which neither the records nor the lock know anything.
    fn add_new(&mut self, planned: &mut PlannedSeries, window: Window, bond: Option<Bond<'_>>) {
        if window.is_empty() {
            return;
        }
        if bond.is_some_and(|bond| bond.is_exact) {
            self.unpinned.push(Unpinned { id: planned.id.clone(), window, why: Why::Missing });
        }
        planned.push(window, DayStanding::ToDo(ToDoReason::New), None);
    }

    /// How a day that is asked for so stands by its record and by the lock.
    fn judge(
        &mut self,
        series: &SeriesId,
        asked: &SeriesQueries,
        day: &Day,
        spec: Digest,
        record: DayStatus,
        bond: Option<Bond<'_>>,
    ) -> DayStanding {
        let tie = bond.map_or_else(pins::Tie::none, |bond| bond.tie(series, day.date, spec));
        if let Some(why) = tie.unpinned {
            self.unpinned.push(Unpinned { id: series.clone(), window: day.window, why });
        }
        if tie.is_elsewhere && !matches!(&record, DayStatus::Known(known) if known.spec == spec) {
            return DayStanding::Done(Done { job: self.job.clone(), elsewhere: true, lacks_files: false });
        }
        match record {
            DayStatus::Missing => DayStanding::ToDo(ToDoReason::New),
            DayStatus::Started { files } => DayStanding::ToDo(ToDoReason::Started { files }),
            DayStatus::Unreadable(why) => DayStanding::ToDo(ToDoReason::Damaged(why)),
            DayStatus::Known(known) if known.spec != spec && known.job != self.job => {
                DayStanding::Refused { job: known.job }
            }
            DayStatus::Known(known) if known.spec != spec => {
                DayStanding::ToDo(ToDoReason::Stale(asked.change_since(&known, day.window)))
            }
            DayStatus::Known(known) => tie.stands(series, day.date, known),
        }
    }

    /// The days whose standing is such, by series in the manifest's order and by date.
    pub fn days_that(
        &self,
        are: impl Fn(&DayStanding) -> bool + Copy,
    ) -> impl DoubleEndedIterator<Item = PlannedDay<'_>> {
        self.series.iter().flat_map(move |series| {
            let alike = series.days.iter().filter(move |days| are(&days.standing));
            alike.flat_map(|EqualDays { window, standing, spec }| {
                window.days().map(|day| PlannedDay {
                    series: series.series,
                    id: &series.id,
                    scale: series.scale,
                    day,
                    standing,
                    spec: *spec,
                })
            })
        })
    }

    /// All days.
    #[must_use]
    pub fn days(&self) -> impl DoubleEndedIterator<Item = PlannedDay<'_>> {
        self.days_that(|_| true)
    }

    /// The days to do.
    #[must_use]
    pub fn to_do(&self) -> impl DoubleEndedIterator<Item = PlannedDay<'_>> {
        self.days_that(|standing| matches!(standing, DayStanding::ToDo(_)))
    }

    /// The days that are done.
    #[must_use]
    pub fn done(&self) -> impl DoubleEndedIterator<Item = PlannedDay<'_>> {
        self.days_that(|standing| matches!(standing, DayStanding::Done(_)))
    }

    /// The days that may not be done.
    #[must_use]
    pub fn refused(&self) -> impl DoubleEndedIterator<Item = PlannedDay<'_>> {
        self.days_that(|standing| matches!(standing, DayStanding::Refused { .. }))
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

impl PlannedSeries {
    /// Where its selected days begin and end; the ends of its range where there is none.
    #[must_use]
    pub fn selected(&self) -> [NaiveDateTime; 2] {
        match (self.days.first(), self.days.last()) {
            (Some(first), Some(last)) => [first.window.start, last.window.end],
            _ => [self.range.start, self.range.end],
        }
    }

    /// Adds days after those that are there.
    fn push(&mut self, window: Window, standing: DayStanding, spec: Option<Digest>) {
        self.counts.add(&standing, window.day_count());
        match self.days.last_mut() {
            Some(last) if (&last.standing, last.spec, last.window.end) == (&standing, spec, window.start) => {
                last.window.end = window.end;
            }
            _ => self.days.push(EqualDays { window, standing, spec }),
        }
    }
}

impl Counts {
    fn add(&mut self, standing: &DayStanding, days: u64) {
        *match standing {
            DayStanding::ToDo(reason) => {
                self.planned += days;
                match reason {
                    ToDoReason::New => &mut self.new,
                    ToDoReason::Started { .. } | ToDoReason::Incomplete { .. } => &mut self.started,
                    ToDoReason::Provisional => &mut self.provisional,
                    ToDoReason::Stale(_) => &mut self.stale,
                    ToDoReason::Damaged(_) => &mut self.damaged,
                    ToDoReason::Differs => &mut self.differs,
                }
            }
            DayStanding::Done(_) => &mut self.done,
            DayStanding::Refused { .. } => &mut self.refused,
        } += days;
    }
}

#[cfg(test)]
mod tests;
