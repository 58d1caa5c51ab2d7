//! The reports that are asked for with a run: what the options mean, and what is told of a run that was refused.
//!
//! It does not format a report; `report` does.

use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::again::again;
use super::html_report::HtmlReport;
use crate::cli::clock::{now, run_id};
use crate::cli::halt::Halted;
use crate::cli::output_guard::report_file;
use crate::cli::problem::{self, CliError};
use crate::cli::report_file::{ReportFile, Saved};
use crate::cli::{Exit, Result, Shell};
use crate::manifest::Manifest;
use crate::net::HostStats;
use crate::report::model::{ReportJob, RunResult};
use crate::report::{Collector, Report, junit};
use crate::run::budget::Spent;
use crate::run::event::Event;

/// Where reports go, as typed.
#[derive(Debug, Clone, Default, clap::Args)]
pub(in crate::cli) struct ReportArgs {
    /// Also write the report to this file, during the run and at its end; `-` is standard output, at the end.
    #[arg(long, value_name = "FILE", value_parser = report_file())]
    report: Option<PathBuf>,
    /// The same as JUnit XML, one test case per day.
    #[arg(long, value_name = "FILE", value_parser = report_file())]
    report_junit: Option<PathBuf>,
    /// Write a summary in Markdown to this file when the run ends. Without this option it is appended to the file that
    /// `GITHUB_STEP_SUMMARY` names, if set.
    #[arg(long, value_name = "FILE", value_parser = report_file())]
    summary: Option<PathBuf>,
    /// The same as a web page when the run ends: a single file to view or mail.
    #[arg(long, value_name = "FILE", value_parser = report_file())]
    report_html: Option<PathBuf>,
    /// Add a small picture of one FITS image per day and series to the web page.
    #[arg(long, requires = "report_html")]
    quicklook: bool,
}

/// Where reports go.
#[derive(Debug, Clone, Default)]
pub(in crate::cli) struct ReportFiles {
    report: Option<ReportFile>,
    junit: Option<ReportFile>,
    page: Option<HtmlReport>,
}

impl ReportArgs {
    /// True when a report of a run is asked for.
    pub(in crate::cli) fn is_any(&self) -> bool {
        self.report.is_some() || self.report_junit.is_some() || self.summary.is_some() || self.report_html.is_some()
    }

    /// What is told from here on goes to the summary that was asked for.
    pub(in crate::cli) fn begin(&self, shell: &Shell) {
        shell.ci.begin(self.summary.as_deref());
    }

    /// Finds out whether the files can be written, before any work.
    ///
    /// # Errors
    /// As [`ReportFile::new`]; a usage error when there are several jobs.
    pub(in crate::cli) fn open(&self, jobs: usize) -> Result<ReportFiles> {
        let files = [&self.report, &self.report_junit, &self.report_html];
        if files.iter().filter(|path| path.as_deref() == Some(Path::new("-"))).count() > 1 {
            return Err(CliError::new(Exit::Usage, "two reports cannot both go to standard output")
                .hint("`-` is for one of them; name a file for the other")
                .into());
        }
        let open = |path: &Option<PathBuf>, option| match path {
            Some(_) if jobs > 1 => {
                let message = format!("`{option}` takes one job: each job has a report of its own");
                let hint = "the reports of all jobs are in `.sunhaul/runs/` of their archives";
                Err(CliError::new(Exit::Usage, message).hint(hint).into())
            }
            Some(path) => ReportFile::new(path, option).map(Some),
            None => Ok(None),
        };
        let page = open(&self.report_html, "--report-html")?.map(|file| HtmlReport { file, quicklook: self.quicklook });
        Ok(ReportFiles {
            report: open(&self.report, "--report")?,
            junit: open(&self.report_junit, "--report-junit")?,
            page,
        })
    }
}

impl ReportFiles {
    /// Writes a report, which is these bytes as JSON, where it was asked for.
    ///
    /// # Errors
    /// When it cannot be written; each file is tried, whatever became of the other.
    pub(in crate::cli) fn write(&self, report: &Report, bytes: &[u8], when: Saved) -> Result<()> {
        let json = self.report.as_ref().map_or(Ok(()), |file| file.write(bytes, when));
        let junit = self.junit.as_ref().map(|file| file.write(junit::document(report).as_bytes(), when));
        json.and(junit.unwrap_or(Ok(())))
    }

    /// Writes the page of a run that has ended, where it was asked for. Quick looks end early when `stop` says so.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(in crate::cli) async fn write_page(
        &self,
        report: &Report,
        root: &Path,
        stop: &CancellationToken,
    ) -> Result<()> {
        match &self.page {
            Some(page) => page.write(report, page.looks(report, root, stop).await),
            None => Ok(()),
        }
    }

    /// Writes the page of a report without days to look at, where it was asked for.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(in crate::cli) fn write_bare_page(&self, report: &Report) -> Result<()> {
        self.page.as_ref().map_or(Ok(()), |page| page.write(report, None))
    }

    /// Tells of a run that could not begin, wherever a report of it was asked for. `hosts` were asked by then.
    pub(in crate::cli) fn refused(&self, job: &Manifest, error: &anyhow::Error, hosts: Vec<HostStats>, shell: &Shell) {
        let at = now();
        let (exit, ..) = problem::explain(error);
        let about = about(job, None);
        let result = if exit == Exit::Interrupted { RunResult::Interrupted } else { RunResult::Incomplete };
        let collector = Collector::new(run_id(at), at, about);
        collector.fold(&Event::Hosts(hosts));
        let mut report = collector.finish(result, exit.code(), at);
        report.run.error = Some(reason(error));
        if let Some(halted) = error.downcast_ref::<Halted>() {
            report.run.ended_by = (*halted == Halted::TimeUp).then_some(Spent::Time);
            report.run.again = Some(again(&shell.words));
        }
        let written = report.to_json().map_err(anyhow::Error::from);
        let written = written.and_then(|bytes| self.write(&report, &bytes, Saved::AtTheEnd));
        for error in [written, self.write_bare_page(&report)].into_iter().filter_map(Result::err) {
            tracing::warn!("{error}");
        }
        shell.ci.ran(&report, None, &shell.screen);
    }
}

/// What a report says of its job.
pub(in crate::cli) fn about(job: &Manifest, lock_sha256: Option<String>) -> ReportJob {
    ReportJob {
        name: job.name.clone(),
        manifest: job.path.to_string_lossy().into_owned(),
        manifest_sha256: job.sha256.to_string(),
        lock_sha256,
        lock_changed: false,
    }
}

/// Why a run failed, as its report has it.
pub(in crate::cli) fn reason(error: &anyhow::Error) -> String {
    let (_, message, hint) = problem::explain(error);
    match hint {
        Some(hint) => format!("{message}\nhint: {hint}"),
        None => message,
    }
}
