//! What `update --dry-run` found: how upstream differs from the lock.
//!
//! What it does not do: name the files. The command itself prints them.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::report::human;

/// How upstream differs from the lock. Days that are as locked are among `other_days`; those that could not be compared
/// are failed ones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Drift {
    /// Days that were compared.
    pub compared: u64,
    /// Files that were fetched to compare their hashes.
    pub sampled: u64,
    /// Files that upstream lists and the lock does not have.
    pub added: u64,
    /// Files of the lock that upstream does not list any more.
    pub removed: u64,
    /// Files whose size or hash is another one.
    pub changed: u64,
    /// Files with the same bytes whose records have another number now: JSOC computed their keywords anew.
    #[serde(default)]
    pub keywords_changed: u64,
    /// The days that differ, sorted by series and date: at most 1,000 of them.
    pub days: Vec<DriftedDay>,
    /// How many of them are not in the list because it is full.
    pub days_omitted: u64,
}

/// A day that differs from the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DriftedDay {
    /// The series' id.
    pub series: String,
    /// The date, in the source's own scale.
    #[schemars(with = "String", extend("format" = "date"))]
    pub date: NaiveDate,
    /// Its files that came.
    pub added: u64,
    /// Its files that went.
    pub removed: u64,
    /// Its files that changed.
    pub changed: u64,
    /// Its files whose bytes are the same, of records with other keywords.
    #[serde(default)]
    pub keywords_changed: u64,
}

impl DriftedDay {
    /// What differs, in words.
    #[must_use]
    pub fn words(&self) -> String {
        let [added, removed, changed, alone] =
            [self.added, self.removed, self.changed, self.keywords_changed].map(human::number);
        let words = format!("{added} added, {removed} removed, {changed} changed");
        if self.keywords_changed > 0 {
            format!("{words}, {alone} with other keywords and the same data")
        } else {
            words
        }
    }
}
