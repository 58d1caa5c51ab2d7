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
    /// What kind of failure that is.
    #[serde(skip)]
    pub(super) error_class: Option<Class>,
    /// How many of its files failed, by the kind of failure; without any, the kind that the day as a whole failed by.
    pub(super) classes: BTreeMap<Class, u64>,
}

impl FailedDay {
    /// `2015-12-12  fits-checksum: 3 files, size: 1 file`
    pub(super) fn line(&self) -> String {
        let why = match &self.error {
            Some(error) => {
                let class = self.error_class.map(|class| format!("{class}: ")).unwrap_or_default();
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
        for day in report.days.iter().filter(|day| day.series == series) {
            if day.state == DayState::Held || !tried.insert(day.date) || day.state != DayState::Failed {
                continue;
            }
            let mut classes = day.failed.clone();
            if let Some(class) = day.error_class.filter(|_| classes.is_empty()) {
                classes.insert(class, 1);
            }
            let (run, error, error_class) = (report.run.id.clone(), day.error.clone(), day.error_class);
            failed.insert(day.date, FailedDay { date: day.date, run, error, error_class, classes });
        }
    }
    failed
}
