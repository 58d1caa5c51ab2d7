//! What is allowed in a manifest and yet probably not meant.

use chrono::{DateTime, Utc};

use super::accept::Accept;
use super::model::Manifest;
use super::template::DateInText;
use super::{credentials, latency};
use crate::untrusted::escape;

impl Manifest {
    /// What is allowed and yet probably not meant when the clock shows `now`, each in one line.
    #[must_use]
    pub fn warnings(&self, now: DateTime<Utc>) -> Vec<String> {
        let is_alone = self.series.len() < 2;
        let shared = self.series.iter().filter(|series| !is_alone && !series.layout.names_series());
        let in_the_clear = credentials::in_the_clear(&self.series);
        let with_date_in_text = self.series.iter().filter_map(|series| {
            let DateInText { field, variable } = series.layout.date_in_text()?;
            Some(format!(
                "the layout of series `{}` has `{field}` outside of braces, where it is plain text: write \
                 `{{{variable}:{field}}}`",
                series.id
            ))
        });
        let beside = self.accept.iter().filter(|accept| {
            self.series.iter().any(|series| series.id == accept.series && accept.is_beside(&series.range))
        });
        shared
            .map(|series| {
                format!(
                    "the layout of series `{}` has no `{{series}}`: when two series give a file the same path, both fail",
                    series.id
                )
            })
            .chain(with_date_in_text)
            .chain(in_the_clear)
            .chain(self.series.iter().filter_map(|series| series.source.base_below_its_series()))
            .chain(latency::warnings(self, now))
            .chain(beside.map(|accept| {
                let Accept { series, day, file, .. } = accept;
                format!("`accept` names `{}` of {series} {day}, a day that is not in the job", escape(&file.to_string()))
            }))
            .collect()
    }

    /// What is worth knowing before a run and no reason to change the job, each in one line.
    #[must_use]
    pub fn notes(&self, now: DateTime<Utc>) -> Vec<String> {
        latency::notes(self, now).collect()
    }
}
