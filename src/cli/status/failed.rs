//! Days that failed when they were last tried, by the reports of the last runs.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::Serialize;

use crate::failure::Class;
use crate::report::human;
use crate::report::model::Report;
use crate::run::event::DayState;
use crate::untrusted::escape;

/// A day that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct FailedDay {
    pub(super) date: NaiveDate,
    /// The id of the run that tried it last.
    pub(super) run: String,
    /// Why, when the reason is the day's and not a file's.
    pub(super) error: Option<String>,
    /// How many of its failures, as far as the report lists them, are of which class.
    pub(super) classes: BTreeMap<Class, u64>,
}

impl FailedDay {
    /// `2015-12-12  fits-checksum: 3 files, size: 1 file`
    pub(super) fn line(&self) -> String {
        let why = match &self.error {
            Some(error) => {
                let class = self.classes.keys().next().map(|class| format!("{class}: ")).unwrap_or_default();
                format!("{class}{}", escape(error))
            }
            None if self.classes.is_empty() => "files are missing".to_owned(),
            None => {
                let classes = self.classes.iter();
                let words = classes.map(|(class, files)| format!("{class}: {}", human::count(*files, "file")));
                words.collect::<Vec<_>>().join(", ")
            }
        };
        format!("{}  {why}", self.date)
    }
}

/// The days of a series that failed when the newest of these runs that brought them to an end did. The newest report
/// comes first.
pub(super) fn failed_days(reports: &[Report], series: &str) -> BTreeMap<NaiveDate, FailedDay> {
    let mut tried = BTreeSet::new();
    let mut failed = BTreeMap::new();
    for report in reports {
        let mut fresh = BTreeMap::new();
        for day in report.days.iter().filter(|day| day.series == series) {
            if day.state == DayState::Held || !tried.insert(day.date) || day.state != DayState::Failed {
                continue;
            }
            let (run, error) = (report.run.id.clone(), day.error.clone());
            fresh.insert(day.date, FailedDay { date: day.date, run, error, classes: BTreeMap::new() });
        }
        for failure in report.failures.iter().filter(|failure| failure.series == series) {
            if let Some(day) = fresh.get_mut(&failure.date) {
                *day.classes.entry(failure.class).or_default() += 1;
            }
        }
        failed.append(&mut fresh);
    }
    failed
}
