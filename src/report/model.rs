//! The report of one run, `report/1`: exactly the fields and the order that the schema promises.
//!
//! It does not count; `collector` does.

mod drift;
mod region_slots;
mod stretch;

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};

use crate::failure::Class;
use crate::run::budget::Spent;
use crate::run::event::DayState;
use crate::untrusted::in_json;
pub use drift::{ComparedBy, Drift, DriftedDay};
pub use region_slots::RegionSlots;
pub use stretch::{DayRange, Rest, stretches};

/// The report of one sunhaul run over one job.
///
/// Numbers are raw: bytes, seconds, counts. The file is rewritten every few seconds while the run goes on; until the
/// end its result is `running`. It holds only the days that this run touched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The format of this report.
    pub sunhaul: ReportVersion,
    /// The run itself.
    pub run: ReportRun,
    /// The job that was run.
    pub job: ReportJob,
    /// Sums over the whole run.
    pub totals: Totals,
    /// The hosts that were asked, sorted by name.
    pub hosts: Vec<ReportHost>,
    /// The days that this run brought to an end, sorted by series and date; the unfinished ones are not among them.
    pub days: Vec<ReportDay>,
    /// The other days of the job that this run looked at, in stretches, sorted by series and date: sealed before it, or not
    /// brought to an end.
    #[serde(default)]
    pub other_days: Vec<DayRange>,
    /// What `update --dry-run` found; null for every other run.
    #[serde(default)]
    pub drift: Option<Drift>,
    /// What is missing and why, sorted by series, date and key: at most 1,000 entries.
    pub failures: Vec<ReportFailure>,
    /// How many failures are not in the list because it is full.
    pub failures_omitted: u64,
    /// How complete each active region is that was there on the days of this run, sorted by series and number: at most 1,000,
    /// those that lack most slots. Empty while the run goes on, where it was interrupted, and of series that are not of regions
    /// by their name or filters.
    #[serde(default)]
    pub regions: Vec<RegionSlots>,
    /// How many regions are not in the list because it is full.
    #[serde(default)]
    pub regions_omitted: u64,
    /// The run over time, from its begin to its end: at most 300 samples, in the order of time.
    #[serde(default)]
    pub timeline: Vec<RunSample>,
    /// Files that came in this run (fetched, adopted or kept), counted by size, smallest first; sizes without a file are
    /// left out.
    #[serde(default)]
    pub sizes: Vec<SizeCount>,
    /// Waits before another attempt, by the class of what had failed, sorted by its name. A host's own pauses are in
    /// `hosts`.
    #[serde(default)]
    pub waits: Vec<Wait>,
}

/// The name and version of the report's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ReportVersion {
    /// This format.
    #[serde(rename = "report/1")]
    V1,
}

/// The run itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportRun {
    /// UTC time of the start and 64 random bits, such as `20151211T182208Z-0123456789abcdef`.
    pub id: String,
    /// When the run began.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub started: DateTime<Utc>,
    /// When it ended; null while it runs.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub finished: Option<DateTime<Utc>>,
    /// The version of sunhaul.
    pub version: String,
    /// How it ended, in a word.
    pub result: RunResult,
    /// The exit code of the process for this job: 0 complete, 1 incomplete and a retry will not help by itself,
    /// 4 incomplete for a temporary reason, 5 local storage, 130 interrupted. Null while it runs. `adopt` ends with 0 when it
    /// took in what there was, whatever is left to fetch.
    pub exit_code: Option<u8>,
    /// What of the command's budget was spent when there was more to do: the same command goes on from there. Null where
    /// something else ended the run, or nothing was left.
    #[serde(default)]
    pub ended_by: Option<Spent>,
    /// Why the run could not begin or ended early, when the reason is no day's; else null. Text from outside is escaped.
    #[serde(default)]
    pub error: Option<String>,
    /// The command that goes on from where this run ended, ready for a shell; null while it runs and when it is complete.
    #[serde(default)]
    pub again: Option<String>,
    /// True when `adopt` made it: its files are those of a folder, and `again` is the run that fetches the rest.
    #[serde(default)]
    pub is_adoption: bool,
    /// The `User-Agent` of its requests.
    #[serde(default)]
    pub user_agent: String,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RunResult {
    /// It goes on, or it died without a word.
    Running,
    /// Every day that was asked for is sealed or provisional.
    Complete,
    /// Something is missing; the exit code says whether trying again can help.
    Incomplete,
    /// It was told to stop; the same command goes on from there.
    Interrupted,
}

/// The job that was run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportJob {
    /// The job's name.
    pub name: String,
    /// The manifest's path, as given on the command line.
    pub manifest: String,
    /// SHA-256 of the manifest's bytes, in hex.
    pub manifest_sha256: String,
    /// SHA-256 of the lock's bytes, in hex; null without a lock.
    pub lock_sha256: Option<String>,
    /// True when this run changed the lock.
    pub lock_changed: bool,
}

/// Sums over the whole run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// Days.
    pub days: DayTotals,
    /// Files.
    pub files: FileTotals,
    /// Bytes.
    pub bytes: ByteTotals,
    /// Requests, over all hosts.
    pub requests: RequestTotals,
}

/// Days, counted by how they ended: `planned` is the sum of `sealed`, `provisional`, `failed`, `held` and `unfinished`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DayTotals {
    /// Days that this run set out to do.
    pub planned: u64,
    /// Days that are now whole, checked, durable and final.
    pub sealed: u64,
    /// Days that a record sealed before this run, and with `--locked` and `--frozen` also provisional ones that are as the
    /// lock says; not among the planned ones.
    pub already_sealed: u64,
    /// Days that are whole and checked, but too young to be final.
    pub provisional: u64,
    /// Days with something missing.
    pub failed: u64,
    /// Days that another process holds.
    pub held: u64,
    /// Days that have no end yet: the run goes on, or it was stopped, or this machine's storage failed. The next run goes
    /// on with them.
    #[serde(default)]
    pub unfinished: u64,
}

/// Files, counted by how they ended: `listed` is the sum of `have`, `renamed`, `restored`, `fetched`, `adopted`, `kept`,
/// `absent`, `failed` and `unfinished`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileTotals {
    /// Files that the sources listed.
    pub listed: u64,
    /// Files that the archive had by its own records.
    pub have: u64,
    /// Files that the archive had at other paths, and that were moved to those of now.
    #[serde(default)]
    pub renamed: u64,
    /// Files that were taken back from `.sunhaul/work/retired`.
    #[serde(default)]
    pub restored: u64,
    /// Files fetched and published in this run.
    pub fetched: u64,
    /// Of the fetched ones, those that a part from before began.
    pub resumed: u64,
    /// Of the fetched ones, those whose part from before was contradicted and thrown away.
    pub restarted: u64,
    /// Files that `adopt` took from a folder.
    #[serde(default)]
    pub adopted: u64,
    /// Files that lay at their path already with the same bytes.
    pub kept: u64,
    /// Files that the source lists but does not have.
    pub absent: u64,
    /// Files given up.
    pub failed: u64,
    /// Files of which a body failed a check and lies in quarantine; a later attempt may have succeeded.
    pub quarantined: u64,
    /// Of the fetched ones, those that displaced an older file.
    pub replaced: u64,
    /// Fetched files whose bytes are not the lock's, but whose data are: with `identity: fits-data`.
    #[serde(default)]
    pub restamped: u64,
    /// Listed files that have no end yet, as with days.
    #[serde(default)]
    pub unfinished: u64,
}

/// Bytes of files, by where they came from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ByteTotals {
    /// Bytes of fetched files that were asked of a host in this run.
    pub fetched: u64,
    /// Bytes of fetched files that parts from before gave.
    pub resumed: u64,
    /// Bytes of adopted files.
    #[serde(default)]
    pub adopted: u64,
    /// Bytes of kept files.
    pub kept: u64,
}

/// Requests, over all hosts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestTotals {
    /// Requests sent, redirects included.
    pub sent: u64,
    /// Of these, those that were not the first try at their thing.
    pub retried: u64,
    /// Answers that asked for less.
    pub throttled: u64,
}

/// One host group and how it was treated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportHost {
    /// The group's name, or the host with its port.
    pub host: String,
    /// The preset of manners that held.
    pub preset: String,
    /// The limits in force, in words.
    pub limit: String,
    /// Who agreed to more than the preset; null when nobody had to.
    pub agreed_with: Option<String>,
    /// The contact that was sent as `From`; null when none was.
    pub contact: Option<String>,
    /// The most requests of this run under way at once.
    pub peak_connections: u64,
    /// The most requests of this run begun within one second.
    pub peak_requests_per_second: u64,
    /// Requests sent for this run.
    pub requests: u64,
    /// Body bytes received for this run.
    pub bytes: u64,
    /// Answers to this run, by HTTP status.
    pub status_counts: BTreeMap<String, u64>,
    /// How long the host was left alone because it asked for it, in seconds.
    pub paused_seconds: f64,
    /// How often the SSH tunnel to it ended by itself and was started again.
    #[serde(default)]
    pub tunnel_restarts: u64,
}

/// The end of one day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportDay {
    /// The series' id.
    pub series: String,
    /// The date, in the source's own scale.
    #[schemars(with = "String", extend("format" = "date"))]
    pub date: NaiveDate,
    /// How it ended.
    pub state: DayState,
    /// Files of the day in the archive, without the absent ones: those of its record, or, when it failed, those that are
    /// in place all the same. Zero for a held day, of which nothing is known.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files of the day that upstream does not have; zero for a day that failed or is held.
    #[serde(default)]
    pub absent: u64,
    /// Of the absent ones, those that the job accepts as such: the day's record says which, and why.
    #[serde(default)]
    pub accepted: u64,
    /// Records of the day by the source's names of their series, where the job prefers one of several; else empty.
    #[serde(default)]
    pub records: BTreeMap<String, u64>,
    /// Records of a series that in this run gave way to those of a preferred one, by their series.
    #[serde(default)]
    pub replaced: BTreeMap<String, u64>,
    /// The record's digest, `sha256:` and 64 hex digits; null for a day that failed or is held.
    pub digest: Option<String>,
    /// Items of the listing that lay outside the day and were dropped.
    pub outside_day: u64,
    /// Items of the listing that named a file again and were folded.
    pub duplicates: u64,
    /// Slots of the series' cadence in what is asked of the day, where its source is to have a record for each.
    #[serde(default)]
    pub cadence_slots: u64,
    /// Those of them that have no record, or none that the filters keep.
    #[serde(default)]
    pub without_record: u64,
    /// Why the day failed or is held, when the reason is the day's and not a file's; else null.
    pub error: Option<String>,
    /// What kind of failure that is.
    #[serde(default)]
    pub error_class: Option<Class>,
    /// Files of the day that failed in this run, by the kind of failure; `failures` may be too full to have them all.
    #[serde(default)]
    pub failed: BTreeMap<Class, u64>,
    /// Files that this run fetched for the day, by the host that served them.
    #[serde(default)]
    pub served: BTreeMap<String, u64>,
    /// How long the run was at the day, in seconds; null in reports of before.
    #[serde(default)]
    pub seconds: Option<f64>,
}

/// One thing that is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportFailure {
    /// The series' id.
    pub series: String,
    /// The date, in the source's own scale.
    #[schemars(with = "String", extend("format" = "date"))]
    pub date: NaiveDate,
    /// The file's key within its day; null when the whole day failed.
    pub key: Option<String>,
    /// The file's path below the archive's root; null when neither the listing nor an answer told its name.
    pub path: Option<String>,
    /// What kind of failure it is.
    pub class: Class,
    /// How many attempts were made; 0 where nothing was asked, since what was known decided it.
    pub attempts: u32,
    /// The HTTP status, when one was the reason; else null.
    pub status: Option<u16>,
    /// What failed, why, and what to do. Text from outside is escaped.
    pub message: String,
}

/// A moment of the run. A long run has fewer samples a minute than a short one; sums lose nothing by it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunSample {
    /// Seconds since the first day was begun, to the millisecond.
    pub seconds: f64,
    /// Body bytes received by then, over all hosts, those of listings and of failed attempts too.
    pub bytes: u64,
    /// Files that had come by then: fetched, adopted or kept.
    pub files: u64,
    /// The most requests under way at once since the sample before, each host's own summed up.
    pub under_way: u64,
    /// The most hosts that were left alone at once, because they asked for it, since the sample before.
    pub paused: u64,
}

/// How many files are of one size or nearly so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SizeCount {
    /// The least size in bytes: zero or a power of two. The files are smaller than twice that; at zero they are empty.
    pub at_least: u64,
    /// How many they are.
    pub files: u64,
}

/// Waits for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// What had failed.
    pub class: Class,
    /// How often an attempt was put off.
    pub times: u64,
    /// The sum of these waits in seconds; files wait side by side, so it may exceed the run's time.
    pub seconds: f64,
}

impl ReportDay {
    /// True when it was brought to a good end.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self.state, DayState::Sealed | DayState::Provisional)
    }
}

impl Report {
    /// The bytes of the report's file: indented JSON and a newline.
    ///
    /// # Errors
    /// Never for a report that `collector` made; the signature is that of the serializer.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut text = in_json(&serde_json::to_string_pretty(self)?).into_owned();
        text.push('\n');
        Ok(text.into_bytes())
    }

    /// The days that were brought to a good end, by series and date.
    pub fn done(&self) -> impl Iterator<Item = (&str, NaiveDate)> {
        self.days.iter().filter(|day| day.is_done()).map(|day| (day.series.as_str(), day.date))
    }

    /// The JSON Schema of the report (draft 2020-12), as `schemas/report.schema.json` holds it.
    #[must_use]
    pub fn schema() -> serde_json::Value {
        let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
        let mut schema = generator.into_root_schema_for::<Report>();
        schema.insert("$id".to_owned(), "urn:sunhaul:schema:report".into());
        schema.to_value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report in which a host was left alone for so many seconds.
    fn paused(seconds: f64) -> Report {
        let mut report: Report =
            serde_json::from_str(include_str!("../../tests/fuzz/seeds/report/small")).expect("a report");
        report.hosts[0].paused_seconds = seconds;
        report
    }

    proptest::proptest! {
        #[test]
        fn a_report_reads_back_as_written(seconds in proptest::num::f64::POSITIVE | proptest::num::f64::ZERO) {
            let report = paused(seconds);
            let read: Report = serde_json::from_slice(&report.to_json().unwrap()).unwrap();
            proptest::prop_assert_eq!(read, report);
        }

        #[test]
        fn no_change_to_a_report_panics(at in proptest::num::usize::ANY, byte in proptest::num::u8::ANY) {
            let mut bytes = paused(0.5).to_json().unwrap();
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(read) = serde_json::from_slice::<Report>(&bytes) {
                let again: Report = serde_json::from_slice(&read.to_json().unwrap()).unwrap();
                proptest::prop_assert_eq!(again, read);
            }
        }
    }

    #[test]
    fn every_field_of_the_schema_is_described_and_no_object_is_open() {
        fn walk(value: &serde_json::Value, at: &str, problems: &mut Vec<String>) {
            if let Some(properties) = value.get("properties").and_then(|p| p.as_object()) {
                if value.get("additionalProperties") != Some(&serde_json::Value::Bool(false)) {
                    problems.push(format!("{at} is open"));
                }
                let required = value.get("required").and_then(|r| r.as_array()).map_or(0, Vec::len);
                if required != properties.len() {
                    problems.push(format!("{at} requires {required} of {} fields", properties.len()));
                }
                for (name, property) in properties {
                    if property.get("description").is_none() {
                        problems.push(format!("{at}/{name} has no description"));
                    }
                }
            }
            match value {
                serde_json::Value::Object(map) => {
                    map.iter().for_each(|(key, inner)| walk(inner, &format!("{at}/{key}"), problems));
                }
                serde_json::Value::Array(items) => items.iter().for_each(|inner| walk(inner, at, problems)),
                _ => {}
            }
        }
        let mut problems = Vec::new();
        walk(&Report::schema(), "", &mut problems);
        assert!(problems.is_empty(), "{problems:#?}");
    }
}
