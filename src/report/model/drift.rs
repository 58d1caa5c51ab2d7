//! What `update --dry-run` found: how upstream differs from the lock.
//!
//! It does not name the files; the command itself prints them.

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
    /// By what the files that both have were compared.
    #[serde(default)]
    pub by: ComparedBy,
    /// The days that differ, sorted by series and date: at most 1,000 of them.
    pub days: Vec<DriftedDay>,
    /// How many of them are not in the list because it is full.
    pub days_omitted: u64,
}

/// By what files were compared with the lock: so many by each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ComparedBy {
    /// Fetched and hashed, or made anew of the listing's answers.
    pub hash: u64,
    /// By the size that is listed.
    pub size: u64,
    /// By the keywords of their records, which their headers were made of.
    #[serde(default)]
    pub keywords: u64,
    /// By the number of their record alone, which is another one where JSOC made it anew.
    pub recnum: u64,
    /// By nothing: they are listed, and nothing tells whether they changed.
    pub nothing: u64,
}

impl ComparedBy {
    /// Adds the files of another day.
    pub fn add(&mut self, other: ComparedBy) {
        self.hash += other.hash;
        self.size += other.size;
        self.keywords += other.keywords;
        self.recnum += other.recnum;
        self.nothing += other.nothing;
    }

    /// False where files are listed and none of them was compared, so that nothing is known of changes.
    #[must_use]
    pub fn says_what_changed(&self) -> bool {
        self.hash + self.size + self.keywords + self.recnum > 0 || self.nothing == 0
    }

    /// What was compared, in words: `24 files compared by size, 3 not compared`; none where there was no file.
    #[must_use]
    pub fn words(&self) -> Option<String> {
        let named = [
            (self.hash, "by hash"),
            (self.size, "by size"),
            (self.keywords, "by keywords"),
            (self.recnum, "by record number"),
        ];
        let compared: Vec<String> = named
            .iter()
            .filter(|(files, _)| *files > 0)
            .map(|(files, by)| format!("{} {by}", human::number(*files)))
            .collect();
        let compared = (!compared.is_empty()).then(|| format!("compared {}", compared.join(", ")));
        let not = (self.nothing > 0).then(|| format!("{} not compared", human::number(self.nothing)));
        let words: Vec<String> = compared.into_iter().chain(not).collect();
        let files = human::count(self.hash + self.size + self.keywords + self.recnum + self.nothing, "file");
        (!words.is_empty()).then(|| format!("{files}: {}", words.join("; ")))
    }
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
    /// By what the files that both have were compared.
    #[serde(default)]
    pub by: ComparedBy,
}

impl DriftedDay {
    /// What differs, in words.
    #[must_use]
    pub fn words(&self) -> String {
        let [added, removed, changed, alone] =
            [self.added, self.removed, self.changed, self.keywords_changed].map(human::number);
        let words = if self.by.says_what_changed() || self.changed > 0 {
            format!("{added} added, {removed} removed, {changed} changed")
        } else {
            format!("{added} added, {removed} removed")
        };
        if self.keywords_changed > 0 {
            format!("{words}, {alone} with other keywords and the same data")
        } else {
            words
        }
    }
}
