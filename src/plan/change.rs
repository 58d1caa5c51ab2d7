//! Why the record of a day does not answer what its series asks now.

use std::fmt;

use super::{DaySummary, shown};
use crate::day::{Scale, Window};
use crate::digest::Digest;
use crate::manifest::{Query, Series};

/// How the query of a record differs from that of now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It was asked of another source or series: nothing of it can be kept.
    Source,
    /// In these keys, a phrase for each.
    Keys(Vec<String>),
    /// The query of before was not noted.
    Unknown,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Source => f.write_str("the source or the series changed: everything is fetched again"),
            Change::Keys(keys) => f.write_str(&keys.join("; ")),
            Change::Unknown => {
                f.write_str("requested something else before: the segments, other filters, layout or window changed")
            }
        }
    }
}

/// What a series asks, now and before.
pub(super) struct SeriesQueries {
    now: Query,
    before: Vec<Query>,
    scale: Scale,
}

impl SeriesQueries {
    pub(super) fn of(series: &Series, before: Vec<Query>) -> SeriesQueries {
        SeriesQueries { now: Query::of(series), before, scale: series.source.scale() }
    }

    /// What a day with this window is asked for.
    pub(super) fn spec(&self, window: Window) -> Digest {
        self.now.spec(window, self.scale)
    }

    /// How the query of a record differs from that of a day with this window now.
    pub(super) fn change_since(&self, known: &DaySummary, window: Window) -> Change {
        let before = self.before.iter().find(|query| query.spec(known.window, self.scale) == known.spec);
        let has_its_files = || before.is_some_and(|before| self.now.has_files_of(before));
        if !(known.spec.has_first_of(&self.spec(window)) || has_its_files()) {
            return Change::Source;
        }
        let Some(before) = before else { return Change::Unknown };
        let mut keys = self.now.changes_since(before);
        if known.window != window {
            keys.push(format!("range {} instead of {}", shown(window, self.scale), shown(known.window, self.scale)));
        }
        Change::Keys(keys)
    }
}
