//! Which part of a job a command is about: `--series ID` and `--range A..B`.
//!
//! A selection takes whole days and never changes a day's window. What it does not do: know the manifest.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDateTime, Utc};

use super::PlanError;
use crate::day::{Scale, Window};
use crate::manifest::units::{self, Instant};
use crate::manifest::{Bound, Range, SeriesId};
use crate::untrusted::escape;

/// A part of a job; the default is all of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// Only these series, by id; empty for all.
    pub series: Vec<String>,
    /// Only days that this stretch touches.
    pub range: Option<TypedRange>,
}

impl Selection {
    /// True when a series is in it.
    #[must_use]
    pub fn takes(&self, series: &SeriesId) -> bool {
        self.series.is_empty() || self.series.contains(&series.0)
    }

    /// The days of a window that its range touches, whole as far as the window has them.
    ///
    /// # Errors
    /// As [`TypedRange::window`].
    pub fn days_of(&self, window: &Window, now: DateTime<Utc>, scale: Scale) -> Result<Window, PlanError> {
        let Some(stretch) = &self.range else { return Ok(*window) };
        Ok(window.days_touched_by(&stretch.window(now, scale)?))
    }
}

/// A stretch of time as typed on the command line: `A..B`, half-open; either end may be left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypedRange {
    text: String,
    start: Option<Instant>,
    end: Option<Instant>,
}

impl TypedRange {
    /// The labels meant in a source's scale when the clock shows `now`.
    ///
    /// # Errors
    /// An instant with an offset in a scale that has none, or an end that is not after the start.
    pub fn window(&self, now: DateTime<Utc>, scale: Scale) -> Result<Window, PlanError> {
        let bound = |end: Option<Instant>, open: NaiveDateTime| match end {
            None => Ok(Bound::At(open)),
            Some(instant) => instant.bound(scale).map_err(|wrong| self.problem(&wrong)),
        };
        let range = Range { start: bound(self.start, NaiveDateTime::MIN)?, end: bound(self.end, NaiveDateTime::MAX)? };
        let window = range.labels(now, scale);
        if window.is_empty() {
            let message = format!("the range `{self}` is empty");
            return Err(PlanError::new(message, "the end is not in it: one day is `2015-12-11..2015-12-12`"));
        }
        Ok(window)
    }

    fn problem(&self, wrong: &units::Wrong) -> PlanError {
        PlanError {
            message: format!("the range `{self}`: {}", wrong.message()),
            hint: wrong.to_do().map(str::to_owned),
        }
    }
}

impl fmt::Display for TypedRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape(&self.text))
    }
}

impl FromStr for TypedRange {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<TypedRange, PlanError> {
        const HINT: &str = "write `2015-12-11..2015-12-14`; the end is not in it, and either end may be left out";
        let Some((start, end)) = text.split_once("..") else {
            return Err(PlanError::new(format!("`{}` is no range", escape(text)), HINT));
        };
        if start.is_empty() && end.is_empty() {
            return Err(PlanError::new("`..` selects everything", HINT));
        }
        let mut stretch = TypedRange { text: text.to_owned(), start: None, end: None };
        for (typed, place) in [(start, &mut stretch.start), (end, &mut stretch.end)] {
            if !typed.is_empty() {
                *place = Some(units::instant(typed).map_err(|wrong| PlanError {
                    message: format!("the range `{}`: {}", escape(text), wrong.message()),
                    hint: wrong.to_do().map(str::to_owned),
                })?);
            }
        }
        Ok(stretch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(text: &str) -> Result<Window, PlanError> {
        let now = "2016-01-10T12:00:00Z".parse().unwrap();
        text.parse::<TypedRange>()?.window(now, Scale::Utc)
    }

    #[test]
    fn ranges_are_read_with_either_end_open() {
        let at = |text: &str| text.parse::<NaiveDateTime>().unwrap();
        let both = window("2015-12-11..2015-12-14").unwrap();
        assert_eq!(both, Window { start: at("2015-12-11T00:00:00"), end: at("2015-12-14T00:00:00") });
        assert_eq!(window("today-3d..").unwrap().start, at("2016-01-07T00:00:00"));
        assert_eq!(window("..2015-12-11T18:00:00+02:00").unwrap().end, at("2015-12-11T16:00:00"));
    }

    #[test]
    fn what_is_no_range_is_explained() {
        for (bad, said) in [
            ("2015-12-11", "is no range"),
            ("..", "everything"),
            ("2015-02-30..", "not a valid date"),
            ("2015-12-14..2015-12-11", "is empty"),
            ("now-3h..", "`now-3h`"),
            ("a\u{1b}..b", "a\\u{1b}"),
        ] {
            let problem = window(bad).unwrap_err();
            assert!(problem.message.contains(said), "{bad}: {problem}");
            assert!(problem.hint.is_some(), "{bad}");
        }
    }
}
