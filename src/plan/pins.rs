//! What a lock asks of a plan: which days it pins, and how firmly a command is bound to it.
//!
//! What it does not do: read a lock. It is asked through a trait, so that a plan stays a pure function.

use std::fmt;

use chrono::NaiveDate;

use super::{DayStanding, DaySummary, Done, Finality, Selection, ToDoReason};
use crate::day::Window;
use crate::digest::Digest;
use crate::manifest::{Manifest, SeriesId};

/// What a lock says of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin {
    /// What the day was asked for.
    pub spec: Digest,
    /// The labels that it was asked for.
    pub window: Window,
    /// Whether it was final.
    pub state: Finality,
}

/// The days of a lock.
pub trait Pins {
    /// What is said of one day.
    fn pinned(&self, series: &SeriesId, date: NaiveDate) -> Option<Pin>;

    /// True when a record has the files of the lock: all of them where it answers the pinned query, else those that both have.
    fn agrees(&self, series: &SeriesId, date: NaiveDate, known: &DaySummary) -> bool;

    /// All its days.
    fn days(&self) -> Vec<(SeriesId, NaiveDate)>;

    /// Its days of one series.
    fn dates(&self, series: &SeriesId) -> Vec<NaiveDate>;
}

/// How firmly a command is bound to a lock.
#[derive(Clone, Copy)]
pub struct Bond<'a> {
    /// The lock.
    pub pins: &'a dyn Pins,
    /// It may not be moved: each day must be in it, as it is asked for.
    pub is_exact: bool,
    /// Its sealed days count as done, wherever their files are.
    pub only_new: bool,
}

/// Days in a row for which a lock would have to be moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpinned {
    /// The series' id.
    pub id: SeriesId,
    /// The windows of the days together.
    pub window: Window,
    /// Why.
    pub why: Why,
}

/// Why a lock does not fit the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It does not have the day.
    Missing,
    /// The manifest asks for something else of the day.
    OtherSpec,
    /// The manifest does not ask for the day.
    NotAskedFor,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Why::Missing => "is not in the lock",
            Why::OtherSpec => "was locked with a different query",
            Why::NotAskedFor => "is in the lock, and the manifest no longer includes it",
        })
    }
}

/// What a lock asks of one day.
pub(super) struct Tie<'a> {
    /// The lock would have to be moved for it.
    pub(super) unpinned: Option<Why>,
    /// It was done, wherever its files are.
    pub(super) is_elsewhere: bool,
    /// The lock, where a record must have the files that it names.
    pins: Option<&'a dyn Pins>,
    /// A provisional day is done too when it has them.
    is_exact: bool,
}

impl<'a> Tie<'a> {
    pub(super) fn none() -> Tie<'a> {
        Tie { unpinned: None, is_elsewhere: false, pins: None, is_exact: false }
    }

    /// How a day stands whose record answers the question.
    pub(super) fn stands(&self, series: &SeriesId, date: NaiveDate, known: DaySummary) -> DayStanding {
        let lacks_files = known.absent > 0 || known.files == 0;
        match self.objection(series, date, &known) {
            Some(reason) => DayStanding::ToDo(reason),
            None => DayStanding::Done(Done { job: known.job, elsewhere: false, lacks_files }),
        }
    }

    /// Why such a day is still to be done; none when it is done.
    fn objection(&self, series: &SeriesId, date: NaiveDate, known: &DaySummary) -> Option<ToDoReason> {
        let agrees = self.pins.map(|pins| pins.agrees(series, date, known));
        match (known.state, agrees) {
            (Finality::Sealed, Some(false)) => Some(ToDoReason::Differs),
            (Finality::Provisional, Some(true)) if self.is_exact => None,
            (Finality::Provisional, _) => Some(ToDoReason::Provisional),
            (Finality::Sealed, _) if known.missing > 0 => Some(ToDoReason::Incomplete { missing: known.missing }),
            (Finality::Sealed, _) => None,
        }
    }
}

impl<'a> Bond<'a> {
    pub(super) fn tie(self, series: &SeriesId, date: NaiveDate, spec: Digest) -> Tie<'a> {
        let unpinned = |why| Tie { unpinned: self.is_exact.then_some(why), ..Tie::none() };
        let Some(pin) = self.pins.pinned(series, date) else { return unpinned(Why::Missing) };
        let is_final = pin.state == Finality::Sealed;
        if pin.spec != spec {
            let binds = is_final && pin.spec.has_first_of(&spec);
            return Tie { pins: binds.then_some(self.pins), ..unpinned(Why::OtherSpec) };
        }
        Tie {
            unpinned: None,
            is_elsewhere: self.only_new && is_final,
            // A day that was too young when it was locked binds only where nothing may move.
            pins: (is_final || self.is_exact).then_some(self.pins),
            is_exact: self.is_exact,
        }
    }

    /// The selected days of a lock that may not be moved whose series the manifest does not have.
    pub(super) fn not_asked_for(self, manifest: &Manifest, selection: &Selection) -> Vec<Unpinned> {
        let mut found = Vec::new();
        if !self.is_exact {
            return found;
        }
        let is_selected = selection.series.is_empty() && selection.range.is_none();
        for (id, date) in self.pins.days() {
            // Days of a series stay, whatever its range is now.
            if is_selected && !manifest.series.iter().any(|series| series.id == id) {
                found.push(Unpinned { id, window: Window::of_day(date), why: Why::NotAskedFor });
            }
        }
        found
    }
}
