//! `--series` and `--range`: a part of a job.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};

use super::problem::Problem;
use super::{Exit, Result};
use crate::day::Window;
use crate::manifest::{Manifest, SeriesId};
use crate::untrusted::escape;

/// A part of a job, as typed.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Selection {
    /// Only this series, by its id (`as:`, else the name). May be given several times.
    #[arg(long = "series", value_name = "ID")]
    pub(super) series: Vec<String>,
    /// Only these dates, half-open: `2015-12-11..2015-12-14` is three days. Either end may be left out.
    #[arg(long, value_name = "A..B", value_parser = range)]
    pub(super) range: Option<Window>,
}

impl Selection {
    /// The series that are meant, in the manifest's order; all of them when none was named.
    ///
    /// # Errors
    /// When a name is not in the manifest.
    pub(super) fn ids(&self, job: &Manifest) -> Result<Vec<SeriesId>> {
        let known = || job.series.iter().map(|series| series.id.clone());
        for name in &self.series {
            if !known().any(|id| id.0 == *name) {
                let ids: Vec<String> = known().map(|id| format!("`{id}`")).collect();
                let message = format!("the job `{}` has no series `{}`", escape(&job.name), escape(name));
                return Err(Problem::new(Exit::Usage, message).hint(format!("it has {}", ids.join(", "))).into());
            }
        }
        Ok(known().filter(|id| self.series.is_empty() || self.series.contains(&id.0)).collect())
    }
}

/// Parses `A..B`, half-open; each end is a date, a date and time, or nothing.
fn range(text: &str) -> std::result::Result<Window, String> {
    const SHAPE: &str = "write it as `2015-12-11..2015-12-14`, the end not included";
    let (start, end) = text.split_once("..").ok_or(SHAPE)?;
    let bound = |text: &str, open: NaiveDateTime| {
        let text = text.trim();
        if text.is_empty() {
            return Ok(open);
        }
        let date = text.parse::<NaiveDate>().map(|date| date.and_time(NaiveTime::MIN));
        date.or_else(|_| text.parse::<NaiveDateTime>()).map_err(|_| format!("`{}` is no date; {SHAPE}", escape(text)))
    };
    let window = Window { start: bound(start, NaiveDateTime::MIN)?, end: bound(end, NaiveDateTime::MAX)? };
    if window.is_empty() {
        return Err(format!("it holds no day: the end must come after the start; {SHAPE}"));
    }
    Ok(window)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_half_open_and_either_end_may_be_missing() {
        let window = range("2015-12-11..2015-12-14").unwrap();
        assert_eq!(window.days().count(), 3);
        let window = range("2015-12-11T06:00:00..2015-12-11T18:00:00").unwrap();
        assert_eq!((window.end - window.start).num_hours(), 12);
        assert_eq!(range("..2015-12-14").unwrap().start, NaiveDateTime::MIN);
        assert_eq!(range("2015-12-14..").unwrap().end, NaiveDateTime::MAX);
    }

    #[test]
    fn what_is_no_range_is_told_with_its_shape() {
        for (text, told) in [
            ("2015-12-11", "write it as"),
            ("2015-02-30..2015-03-02", "`2015-02-30` is no date"),
            ("2015-12-14..2015-12-11", "after the start"),
            ("2015-12-11..2015-12-11", "no day"),
        ] {
            let error = range(text).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
