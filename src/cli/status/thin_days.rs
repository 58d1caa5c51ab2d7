//! Thin days: far fewer files than the days around them.

use chrono::NaiveDate;
use serde::Serialize;

use super::facts::{DayFact, Fact};

/// How many days on either side are neighbours.
const REACH: i64 = 7;
/// Fewer neighbours than these say nothing.
const ENOUGH: usize = 3;

/// A day with less than half of its neighbours' median.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct ThinDay {
    pub(super) date: NaiveDate,
    /// Its files.
    pub(super) files: u64,
    /// The median of its neighbours' files, rounded down.
    pub(super) median: u64,
}

/// The thin days among days in order. Only whole days with a record of the present question are compared.
pub(super) fn thin_days(facts: &[Fact]) -> Vec<ThinDay> {
    let comparable = |fact: &&Fact| fact.whole && matches!(fact.state, DayFact::Sealed | DayFact::Provisional);
    let days: Vec<&Fact> = facts.iter().filter(comparable).collect();
    let mut thin = Vec::new();
    let mut first = 0;
    for (index, day) in days.iter().enumerate() {
        while (day.date - days[first].date).num_days() > REACH {
            first += 1;
        }
        let near = days[first..].iter().take_while(|other| (other.date - day.date).num_days() <= REACH);
        let mut files: Vec<u64> =
            near.enumerate().filter(|(at, _)| first + at != index).map(|(_, other)| other.files).collect();
        if files.len() < ENOUGH {
            continue;
        }
        files.sort_unstable();
        let twice = twice_the_median(&files);
        // files < median / 2, without fractions.
        if day.files.saturating_mul(4) < twice {
            thin.push(ThinDay { date: day.date, files: day.files, median: twice / 2 });
        }
    }
    thin
}

fn twice_the_median(sorted: &[u64]) -> u64 {
    let middle = sorted.len() / 2;
    let low = if sorted.len().is_multiple_of(2) { middle.saturating_sub(1) } else { middle };
    let at = |index: usize| sorted.get(index).copied().unwrap_or(0);
    at(low).saturating_add(at(middle))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn facts(files: &[Option<u64>]) -> Vec<Fact> {
        let start: NaiveDate = "2015-12-01".parse().unwrap();
        let fact = |(date, files): (NaiveDate, &Option<u64>)| Fact {
            date,
            state: if files.is_some() { DayFact::Sealed } else { DayFact::Missing },
            files: files.unwrap_or(0),
            bytes: 0,
            absent: 0,
            records: BTreeMap::new(),
            body: 0,
            whole: true,
        };
        start.iter_days().zip(files).map(fact).collect()
    }

    fn thin(files: &[u64]) -> Vec<u64> {
        let files: Vec<_> = files.iter().map(|files| Some(*files)).collect();
        thin_days(&facts(&files)).iter().map(|day| day.files).collect()
    }

    #[test]
    fn less_than_half_of_the_neighbours_median_is_thin_and_half_is_not() {
        assert_eq!(thin(&[100, 100, 49, 100, 100]), [49]);
        assert_eq!(thin(&[100, 100, 50, 100, 100]), [0u64; 0]);
        assert_eq!(thin(&[100, 100, 0, 100, 100]), [0]);
        // Of 10, 90, 110 and 120 the median is 100.
        assert_eq!(thin(&[10, 90, 49, 110, 120]), [10, 49]);
    }

    #[test]
    fn too_few_neighbours_far_days_and_partial_days_say_nothing() {
        assert_eq!(thin(&[100, 100, 1]), [0u64; 0]);
        let mut far = vec![Some(100); 4];
        far.extend([None; 8]);
        far.push(Some(1));
        assert!(thin_days(&facts(&far)).is_empty());
        let mut partial = facts(&[Some(100), Some(100), Some(1), Some(100), Some(100)]);
        partial[2].whole = false;
        assert!(thin_days(&partial).is_empty());
    }

    #[test]
    fn a_slow_change_of_activity_makes_no_day_thin() {
        let files: Vec<u64> = (0..60).map(|day| 100 + day * 5).collect();
        assert_eq!(thin(&files), [0u64; 0]);
    }
}
