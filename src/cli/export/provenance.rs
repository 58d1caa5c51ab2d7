//! The runs that made the exported days, from the archive's reports.
//!
//! Not all reports need to be there: days whose run is not found are in the export all the same.

use std::collections::HashSet;
use std::path::Path;

use chrono::NaiveDate;

use crate::archive::Reader;
use crate::export::Dataset;
use crate::export::ro_crate::CrateRun;
use crate::report::model::{Report, RunResult};
use crate::run::event::DayState;
use crate::untrusted::escape;

/// Every run that sealed one of the days, or made it provisional, in order.
pub(super) fn runs(dataset: &Dataset<'_>) -> Vec<CrateRun> {
    let days: HashSet<(&str, NaiveDate)> =
        dataset.days().map(|chosen| (chosen.series.id.0.as_str(), chosen.day.date)).collect();
    let Ok(records) = Reader::open(dataset.root()) else { return Vec::new() };
    let names = records.reports().unwrap_or_default();
    // The oldest first.
    let reports = names.iter().rev().filter_map(|name| report(&records, name));
    reports.filter(|report| made_any(report, &days)).filter_map(run).collect()
}

/// A report that cannot be read is no reason to fail: it is left out, and the log says so.
fn report(records: &Reader, name: &str) -> Option<Report> {
    let report = records.report(name).map_err(anyhow::Error::from);
    report
        .and_then(|bytes| Ok(serde_json::from_slice(&bytes)?))
        .inspect_err(|error| tracing::warn!("`{}` is no report: {error}", escape(name)))
        .ok()
}

fn made_any(report: &Report, days: &HashSet<(&str, NaiveDate)>) -> bool {
    let made = report.days.iter().filter(|day| matches!(day.state, DayState::Sealed | DayState::Provisional));
    made.map(|day| (day.series.as_str(), day.date)).any(|day| days.contains(&day))
}

fn run(report: Report) -> Option<CrateRun> {
    let Report { run, job, .. } = report;
    let result = match run.result {
        RunResult::Running => "running or killed",
        RunResult::Complete => "complete",
        RunResult::Incomplete => "incomplete",
        RunResult::Interrupted => "interrupted",
    };
    Some(CrateRun {
        id: run.id,
        started: run.started,
        finished: run.finished,
        result: result.to_owned(),
        version: run.version,
        manifest: Path::new(&job.manifest).file_name()?.to_string_lossy().into_owned(),
        manifest_sha256: job.manifest_sha256.parse().ok()?,
        lock_sha256: job.lock_sha256.and_then(|sha256| sha256.parse().ok()),
    })
}
