//! `--series` and `--range`: a part of a job, as typed.
//!
//! It does not know the manifest; `plan` finds a series that is not there.

use crate::plan;

/// A part of a job.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct SelectionArgs {
    /// Only this series, by its id (`as:`, else the name). May be given several times.
    #[arg(long = "series", value_name = "ID")]
    series: Vec<String>,
    /// Only the days in this range, whose end is not included: `2015-12-11..2015-12-14` is three days. Either end may
    /// be left out, and `today-3d` follows the calendar.
    #[arg(long, value_name = "A..B", value_parser = stretch)]
    range: Option<plan::TypedRange>,
}

impl SelectionArgs {
    /// True when nothing of the job is left out.
    pub(super) fn is_everything(&self) -> bool {
        self.series.is_empty() && self.range.is_none()
    }

    /// The same, for the planner.
    pub(super) fn resolve(&self) -> plan::Selection {
        plan::Selection { series: self.series.clone(), range: self.range.clone() }
    }
}

/// A range, or why it is none with the hint on a line of its own: a usage error is one text.
fn stretch(text: &str) -> Result<plan::TypedRange, String> {
    text.parse().map_err(|problem: plan::PlanError| match problem.hint {
        Some(hint) => format!("{}\nhint: {hint}", problem.message),
        None => problem.message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_range_is_told_with_what_to_write() {
        let error = stretch("2015-12-11").unwrap_err();
        assert!(error.contains("is no range\nhint: write `2015-12-11..2015-12-14`"), "{error}");
        assert!(stretch("2015-12-11..2015-12-14").is_ok());
    }
}
