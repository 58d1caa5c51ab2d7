//! Days in a row that stand alike: a report says of years of them in a line.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::run::event::DayId;

/// Days in a row of one series, half-open.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stretch {
    /// The series' id.
    pub series: String,
    /// The first day, in the source's own scale.
    #[schemars(with = "String", extend("format" = "date"))]
    pub start: NaiveDate,
    /// The day after the last.
    #[schemars(with = "String", extend("format" = "date"))]
    pub end: NaiveDate,
    /// How these days stand.
    pub state: Rest,
}

/// How a day stands that the run did not bring to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rest {
    /// A record sealed it before this run; or, with `--locked`, `--frozen` and `--new-only`, it is as the lock says.
    AlreadySealed,
    /// It was to be done, and has no end yet.
    Unfinished,
    /// Upstream is as the lock says: it was compared by `update --dry-run`.
    AsLocked,
}

/// Puts days in a row together. They must be sorted by series and date.
#[must_use]
pub fn stretches<'a>(days: impl IntoIterator<Item = &'a DayId>, state: Rest) -> Vec<Stretch> {
    let mut found: Vec<Stretch> = Vec::new();
    for DayId { series, date } in days {
        let end = date.succ_opt().unwrap_or(*date);
        match found.last_mut() {
            Some(last) if last.series == series.0 && last.end == *date => last.end = end,
            _ => found.push(Stretch { series: series.0.clone(), start: *date, end, state }),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::SeriesId;

    #[test]
    fn days_in_a_row_of_one_series_are_one_stretch() {
        let day = |series: &str, date: &str| DayId { series: SeriesId(series.into()), date: date.parse().unwrap() };
        let days = [day("a", "2015-12-30"), day("a", "2015-12-31"), day("a", "2016-01-02"), day("b", "2016-01-03")];
        let found: Vec<_> = stretches(&days, Rest::Unfinished)
            .into_iter()
            .map(|one| format!("{} {}..{}", one.series, one.start, one.end))
            .collect();
        assert_eq!(found, ["a 2015-12-30..2016-01-01", "a 2016-01-02..2016-01-03", "b 2016-01-03..2016-01-04"]);
    }
}
