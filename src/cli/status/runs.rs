//! The last runs, from their reports.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::archive::Reader;
use crate::report::human;
use crate::report::model::{Report, RunResult};
use crate::run::budget::Spent;
use crate::untrusted::escape;

/// How many reports are looked at: another job's lie in the same folder.
const LOOKED_AT: usize = 200;

/// One run that has been.
#[derive(Debug, Serialize)]
pub(super) struct PastRun {
    pub(super) id: String,
    pub(super) started: DateTime<Utc>,
    /// How long it took; null while it runs, or when it died.
    pub(super) seconds: Option<f64>,
    pub(super) result: RunResult,
    pub(super) exit_code: Option<u8>,
    /// What of its budget was spent.
    pub(super) ended_by: Option<Spent>,
    /// Days sealed by it.
    pub(super) sealed: u64,
    /// Days that stay provisional.
    pub(super) provisional: u64,
    /// Days with something missing.
    pub(super) failed: u64,
    /// Files fetched.
    pub(super) files: u64,
    /// Bytes fetched.
    pub(super) bytes: u64,
}

impl PastRun {
    /// `2015-12-14 00:00:00Z  complete  3 days sealed, 30 files, 16.5 MiB in 4.2 s`
    pub(super) fn line(&self) -> String {
        let result = match self.result {
            RunResult::Running => "running or killed",
            RunResult::Complete => "complete",
            RunResult::Incomplete => "incomplete",
            RunResult::Interrupted => "interrupted",
        };
        let code = self.exit_code.filter(|code| *code > 0).map(|code| format!("exit {code}"));
        let spent = self.ended_by.map(|spent| format!("{} spent", spent.option()));
        let why: Vec<String> = code.into_iter().chain(spent).collect();
        let code = if why.is_empty() { String::new() } else { format!(" ({})", why.join(", ")) };
        let took = self.seconds.and_then(|seconds| std::time::Duration::try_from_secs_f64(seconds).ok());
        let took = took.map(|took| format!(" in {}", human::span(took))).unwrap_or_default();
        let days = [(self.sealed, "sealed"), (self.provisional, "provisional"), (self.failed, "failed")];
        let days = days.into_iter().filter(|(count, _)| *count > 0);
        let mut facts: Vec<String> =
            days.map(|(count, what)| format!("{} {what}", human::count(count, "day"))).collect();
        if self.files > 0 {
            facts.extend([human::count(self.files, "file"), human::bytes(self.bytes)]);
        }
        if facts.is_empty() {
            facts.push("nothing fetched".to_owned());
        }
        format!("{}  {result}{code}  {}{took}", self.started.format("%F %TZ"), facts.join(", "))
    }

    /// What is told of a run.
    pub(super) fn new(report: &Report) -> PastRun {
        let Report { run, totals, .. } = report;
        let took = run.finished.and_then(|finished| (finished - run.started).to_std().ok());
        PastRun {
            id: run.id.clone(),
            started: run.started,
            seconds: took.map(|took| took.as_secs_f64()),
            result: run.result,
            exit_code: run.exit_code,
            ended_by: run.ended_by,
            sealed: totals.days.sealed,
            provisional: totals.days.provisional,
            failed: totals.days.failed,
            files: totals.files.fetched,
            bytes: totals.bytes.fetched,
        }
    }
}

/// The reports of the last runs of a job, the newest first. A report that cannot be read is no reason to fail: it is left out, and
/// the log says so.
pub(super) fn last(records: &Reader, job: &str, count: usize) -> Vec<Report> {
    let names = records.reports().unwrap_or_else(|error| {
        tracing::warn!("{error}");
        Vec::new()
    });
    let mut runs = Vec::new();
    for name in names.iter().take(LOOKED_AT) {
        let report = records.report(name).map_err(anyhow::Error::from);
        match report.and_then(|bytes| Ok(serde_json::from_slice::<Report>(&bytes)?)) {
            Ok(report) if report.job.name == job => runs.push(report),
            Ok(_) => {}
            Err(error) => tracing::warn!("`{}` is no report: {error}", escape(name)),
        }
        if runs.len() == count {
            break;
        }
    }
    // Of two that began in the same second the names do not tell.
    runs.sort_by_key(|report| std::cmp::Reverse(report.run.started));
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Collector;
    use crate::report::model::ReportJob;

    #[test]
    fn the_newest_runs_of_the_job_come_first_and_strange_files_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let runs = folder.path().join(".sunhaul/runs");
        std::fs::create_dir_all(&runs).unwrap();
        for (hour, name) in [(1, "december"), (2, "other"), (3, "december"), (4, "december")] {
            let job = ReportJob {
                name: name.into(),
                manifest: format!("{name}.yaml"),
                manifest_sha256: String::new(),
                lock_sha256: None,
                lock_changed: false,
            };
            let started = format!("2015-12-14T0{hour}:00:00Z").parse().unwrap();
            let id = format!("20151214T0{hour}0000Z-00000000000000aa");
            let report = Collector::new(id.clone(), started, job).snapshot();
            std::fs::write(runs.join(format!("{id}.json")), report.to_json().unwrap()).unwrap();
        }
        std::fs::write(runs.join("20151214T050000Z-0.json"), "{").unwrap();
        std::fs::write(runs.join("notes.txt"), "mine").unwrap();
        let records = Reader::open(folder.path()).unwrap();
        let ids: Vec<String> =
            last(&records, "december", 2).into_iter().map(|report| report.run.id[9..11].into()).collect();
        assert_eq!(ids, ["04", "03"]);
        assert!(last(&Reader::open(&runs).unwrap(), "december", 2).is_empty());
        assert!(PastRun::new(&last(&records, "december", 2)[0]).line().contains("running or killed"));
    }
}
