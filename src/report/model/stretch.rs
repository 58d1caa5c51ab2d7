//! Days in a row that stand alike: a report says of years of them in a line.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::day::Window;
use crate::manifest::SeriesId;

/// Days in a row of one series, half-open.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DayRange {
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

/// Puts windows of days in a row together; sorted by series and date.
#[must_use]
pub fn stretches<'a>(days: impl IntoIterator<Item = (&'a SeriesId, Window)>, state: Rest) -> Vec<DayRange> {
    let of_window = |(series, window): (&SeriesId, Window)| {
        let end = after(window.last_date()?);
        Some(DayRange { series: series.0.clone(), start: window.start.date(), end, state })
    };
    let mut all: Vec<DayRange> = days.into_iter().filter_map(of_window).collect();
    all.sort_unstable();
    all.dedup_by(|next, last| {
        let is_next = last.series == next.series && last.end == next.start;
        if is_next {
            last.end = next.end;
        }
        is_next
    });
    all
}

fn after(date: NaiveDate) -> NaiveDate {
    date.succ_opt().unwrap_or(date)
}

impl DayRange {
    /// What is left of it without some of its days, which are in order.
    pub(in crate::report) fn without(&self, days: impl IntoIterator<Item = NaiveDate>) -> Vec<DayRange> {
        let mut left = Vec::new();
        let mut start = self.start;
        for day in days {
            if start < day {
                left.push(DayRange { start, end: day, ..self.clone() });
            }
            start = after(day);
        }
        if start < self.end {
            left.push(DayRange { start, ..self.clone() });
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(stretches: &[DayRange]) -> Vec<String> {
        stretches.iter().map(|one| format!("{} {}..{}", one.series, one.start, one.end)).collect()
    }

    fn window(start: &str, end: &str) -> Window {
        let at = |text: &str| text.parse::<NaiveDate>().unwrap().and_time(chrono::NaiveTime::MIN);
        Window { start: at(start), end: at(end) }
    }

    #[test]
    fn days_in_a_row_of_one_series_are_one_stretch() {
        let [a, b] = ["a", "b"].map(|id| SeriesId(id.to_owned()));
        let days = [
            (&b, window("2016-01-03", "2016-01-04")),
            (&a, window("2015-12-31", "2016-01-01")),
            (&a, window("2016-01-02", "2016-01-03")),
            (&a, window("2015-12-29", "2015-12-31")),
            (&a, window("2016-02-01", "2016-02-01")),
        ];
        let found = shown(&stretches(days, Rest::Unfinished));
        assert_eq!(found, ["a 2015-12-29..2016-01-01", "a 2016-01-02..2016-01-03", "b 2016-01-03..2016-01-04"]);
    }

    #[test]
    fn a_stretch_without_some_days_is_what_lies_between_them() {
        let a = SeriesId("a".into());
        let whole = stretches([(&a, window("2015-12-29", "2016-01-04"))], Rest::Unfinished).remove(0);
        let without = |days: &[&str]| shown(&whole.without(days.iter().map(|day| day.parse().unwrap())));
        assert_eq!(without(&[]), ["a 2015-12-29..2016-01-04"]);
        assert_eq!(without(&["2015-12-29", "2015-12-30", "2016-01-03"]), ["a 2015-12-31..2016-01-03"]);
        assert_eq!(without(&["2015-12-31"]), ["a 2015-12-29..2015-12-31", "a 2016-01-01..2016-01-04"]);
        let all = ["2015-12-29", "2015-12-30", "2015-12-31", "2016-01-01", "2016-01-02", "2016-01-03"];
        assert_eq!(without(&all), [""; 0]);
    }
}
