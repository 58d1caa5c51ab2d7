//! The life of one day: opened, listed, reconciled with the archive, downloaded, sealed.

mod as_locked;
mod context;
pub(super) mod corrupt_backoff;
pub(super) mod downloads;
mod file_paths;
pub(super) mod file_task;
mod given_up;
pub(super) mod known_bad;
pub(super) mod known_files;
pub(super) mod listing;
pub(super) mod lock_view;
mod missing_slots;
pub(super) mod narrowed;
mod next_step;
pub(super) mod open;
mod outcome;
pub(super) mod path_collisions;
pub(super) mod preferred;
mod publish;
mod reconcile;
pub(super) mod rename;
pub(super) mod renumbered;
pub(super) mod seal;
mod second_look;
pub(super) mod unlisted;

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;

use super::blocking::blocking;
use super::event::DayDone;
use super::{RunContext, Todo};
use crate::archive::{self, LayoutValues, RecordState, render};
use crate::failure::{Class, Failure};
use crate::manifest::{Series, Template};
use crate::source::{Body, RemoteFile};
use context::DayContext;
use downloads::panicked;
use listing::{DayListing, by_lock_or_record, by_source};
use open::OpenDay;
use outcome::DayOutcome;
use reconcile::{Believed, DayRest, Reconciled};
use seal::{SealedBy, seal};
use second_look::{Belief, believe};

/// How work at a day ended.
pub(super) enum DayEnd {
    /// It has its end in this run: what is reported, and the classes of what failed.
    Done(Box<DayDone>, BTreeSet<Class>),
    /// Its listing was empty, or its absent files are in doubt: it is looked at again.
    Again,
    /// The run was stopped before the day had an end; the next run goes on from there.
    Stopped,
}

/// Why work at a day ends before the day is sealed.
enum Early {
    /// Nothing is to be done, or what failed is reported.
    Done,
    Again,
    Stopped,
    Failed(Failure),
}

impl From<Failure> for Early {
    fn from(failure: Failure) -> Early {
        Early::Failed(failure)
    }
}

impl From<archive::Error> for Early {
    fn from(error: archive::Error) -> Early {
        Early::Failed(error.into())
    }
}

/// Works at a day until it has an end.
pub(super) async fn process_day(run: &Arc<RunContext>, todo: &Todo) -> DayEnd {
    let mut day = DayProcess { run, todo, done: DayDone::nothing(todo.id()), classes: BTreeSet::new() };
    let processed = AssertUnwindSafe(day.process()).catch_unwind().await;
    match processed.unwrap_or_else(|_| Err(panicked().into())) {
        Ok(()) | Err(Early::Done) => {}
        Err(Early::Again) => return DayEnd::Again,
        Err(Early::Stopped) => return DayEnd::Stopped,
        Err(Early::Failed(failure)) => day.note_failure(failure),
    }
    DayEnd::Done(Box::new(day.done), day.classes)
}

/// The work at one day, and what of it is reported.
struct DayProcess<'r> {
    run: &'r Arc<RunContext>,
    todo: &'r Todo,
    done: DayDone,
    /// The classes of what failed.
    classes: BTreeSet<Class>,
}

impl DayProcess<'_> {
    async fn process(&mut self) -> Result<(), Early> {
        let open = self.open().await?;
        let Reconciled { day, missing, mut rest } = self.files_of(open).await?;
        let downloads = downloads::fetch(&day, missing).await;
        let outcome = self.outcome(&day, &mut rest, downloads).await?;
        self.report_failed(&day, &outcome).await?;
        self.must_be_whole(&day, &rest, &outcome).await?;
        self.seal(day, rest, outcome).await
    }

    /// What the day is to have, and what of that is missing: as the lock has it where all of it is here, else as it is listed.
    async fn files_of(&mut self, open: OpenDay) -> Result<Reconciled, Early> {
        if let Some(as_locked) = self.as_locked(&open).await? {
            return Ok(as_locked);
        }
        let believed = self.list(&open).await?;
        let reconciled = self.reconcile(open, believed).await?;
        self.with_files_of_now(reconciled).await
    }

    /// Lists the day, by its source where neither the lock nor its record does, and holds the listing against what was there
    /// before.
    async fn list(&mut self, open: &OpenDay) -> Result<Believed, Early> {
        let (run, todo) = (self.run, self.todo);
        let (asked, day) = (todo.clone(), open.clone());
        let listing = blocking(move || by_lock_or_record(&asked, &day)).await?;
        let listed_at = (run.now)();
        let listing = match listing {
            Some(listing) => listing,
            None => by_source(run, todo, open, listed_at).await?.ok_or(Early::Stopped)?,
        };
        let DayListing { listed, .. } = &listing;
        self.done.outside_day = listed.outside_day;
        self.done.duplicates = listed.duplicates;
        self.done.cadence_slots = listed.cadence_slots;
        self.done.without_record = listed.without_record;
        let (shared, asked, day) = (Arc::clone(run), todo.clone(), open.clone());
        let believe = move || believe(&shared, &asked, &day, &listing, listed_at).map(|belief| (listing, belief));
        let (listing, belief) = blocking(believe).await?;
        match belief {
            Belief::Believed(before) => Ok(Believed { listing, before, listed_at }),
            Belief::LookAgain => Err(Early::Again),
        }
    }

    /// Seals the day, or keeps it as provisional.
    async fn seal(&mut self, day: Arc<DayContext>, rest: DayRest, outcome: DayOutcome) -> Result<(), Early> {
        let DayRest { keys, left_out, by_series, before, .. } = rest;
        let (series, store) = (Arc::clone(&day.opened), Arc::clone(&day.store));
        // Sealing needs the memory.
        drop(day);
        let state = if outcome.is_final { RecordState::Sealed } else { RecordState::Provisional };
        self.done.replaced = before.replaced(&series.series, &by_series);
        let (absent, records) = (outcome.absent, by_series.records);
        let by = SealedBy { keys, absent, left_out, state, records, replaced: &self.done.replaced };
        let record = seal(self.run, &series, self.todo, store, by).await?;
        self.note_record(&record);
        Ok(())
    }

    fn note_failure(&mut self, failure: Failure) {
        if failure.class == Class::Storage {
            // Every other file would fail on it too.
            self.run.halt.cancel();
        }
        self.classes.insert(failure.class);
        self.done.error = Some(failure);
    }
}

/// The path of a file of this name, by the series' layout.
///
/// # Errors
/// Where the layout makes no path of it.
pub(crate) fn path_of(
    series: &Series,
    todo: &Todo,
    file: &RemoteFile,
    name: &str,
) -> Result<archive::RelativePath, Failure> {
    let values = values(series, todo, file, name);
    match render(&series.layout, &values) {
        // What is of all records of a day has no value of any one of them; and no file of a record has no segment.
        Err(failure) if file.body != Body::Remote => render(&Template::default_of_kind(), &values).map_err(|_| failure),
        path => path,
    }
}

/// What a layout's variables stand for, for a file of this name.
pub(super) fn values<'a>(series: &'a Series, todo: &Todo, file: &'a RemoteFile, name: &'a str) -> LayoutValues<'a> {
    LayoutValues {
        series: &series.id.0,
        date: todo.day.date,
        time: file.time,
        file: name,
        recnum: file.recnum,
        harpnum: file.harpnum,
        t_rec: file.t_rec,
        segment: file.segment.as_deref(),
        wavelength: file.wavelength,
    }
}
