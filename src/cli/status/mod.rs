//! `sunhaul status`: what of a job is there.
//!
//! It reads day records and reports, and no data file. It asks no source, and writes nothing.

mod calendar;
mod coverage;
mod facts;
mod failed;
mod page;
mod regions;
mod runs;
mod thin_days;

use std::collections::BTreeSet;
use std::path::PathBuf;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use super::clock::now;
use super::job_lock::Locking;
use super::load_manifest::Secrets;
use super::options::ArchiveArg;
use super::{Exit, Result, Shell, known_archive, load_manifest, problem, same_job, stdout};
use crate::archive::Reader;
use crate::day::Window;
use crate::manifest::{Manifest, Series, SeriesId};
use crate::plan;
use crate::report::model::Report;
use crate::report::terminal::Paint;
use calendar::CellSpan as Cell;
use coverage::{DayFact, Fact, SeriesStatus};
use problem::CliError;
use regions::RegionsForm;
use runs::PastRun;

/// How many of the last runs are shown.
const RUNS: usize = 5;
/// Records of more bytes than this are read line by line only when it is asked for.
const QUICK: u64 = 64 << 20;

/// Show what the archive has: a calendar of each series, gaps, thin days, last runs.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Show what the archive has: a calendar of each series, gaps, thin days, last runs.\n\n\
        A cell is a day. If there are too many for the terminal, it is a week or a month, and shows the day that \
        needs attention most. The symbols are explained below the calendars. A day is `started` if a run began it \
        and did not finish, or is still working on it; `failed` if the last run that tried it failed; `stale` if the \
        manifest asked for something else then; and `thin` if it has less than half as many files as the days around \
        it (the median of a week on either side): often the source was not complete yet, or lost data. Days that \
        have not begun are not shown. `checked by` counts how files were verified. It makes no requests and writes \
        nothing.\n\n\
        With `--by harpnum` each region has a line for each series: how many slots from its first to its last record \
        are here, and why the others are not. `absent` slots are those that the source does not list; where the job \
        has a filter that the source applies, they are `not requested`. If the range of a series does not cover the \
        region, the rest is `outside range`. The reasons come from the archive's \
        records; where these do not say, the reason is `not known`.",
    after_help = "Examples:\n  sunhaul status jobs/nightly.yaml\n  \
        sunhaul status jobs/nightly.yaml --by month\n  \
        sunhaul status jobs/nightly.yaml --by harpnum\n  \
        sunhaul status jobs/nightly.yaml --json | jq '.series[].gaps'"
)]
pub(super) struct Args {
    /// The manifest.
    #[arg(value_name = "JOB")]
    job: PathBuf,
    /// What a cell of the calendar is: `day`, `week` or `month`. Default: the finest that fits. With `harpnum`, show how complete
    /// each region is instead.
    #[arg(long, value_name = "UNIT", hide_possible_values = true)]
    by: Option<CountedBy>,
    /// Count how files were verified, however many there are; this reads every line of the day records.
    #[arg(long)]
    checked: bool,
    /// Print it as JSON on standard output.
    #[arg(long)]
    json: bool,
    /// Print the regions of `--by harpnum` as CSV.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    #[command(flatten)]
    archive: ArchiveArg,
}

/// All that is told.
#[derive(Debug, Serialize)]
struct Status {
    job: String,
    archive: String,
    series: Vec<SeriesStatus>,
    runs: Vec<PastRun>,
}

/// What a page is counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum CountedBy {
    Day,
    Week,
    Month,
    Harpnum,
}

impl CountedBy {
    /// The cell of a calendar; none of a page of regions.
    fn cell(self) -> Option<Cell> {
        match self {
            CountedBy::Day => Some(Cell::Day),
            CountedBy::Week => Some(Cell::Week),
            CountedBy::Month => Some(Cell::Month),
            CountedBy::Harpnum => None,
        }
    }
}

/// The archive of a job as it is seen at one moment.
struct ArchiveView {
    now: DateTime<Utc>,
    records: Reader,
    /// Days that have a journal.
    journalled: BTreeSet<(SeriesId, NaiveDate)>,
    /// Of the last runs, the newest first.
    reports: Vec<Report>,
}

/// What is known of a series.
struct SeriesFacts {
    /// What of its range has begun.
    begun: Window,
    /// Of each day that something is known of, in order.
    facts: Vec<Fact>,
}

impl ArchiveView {
    fn facts_of_series(&self, job: &Manifest, series: &Series) -> Result<SeriesFacts> {
        let scale = series.source.scale();
        let reached = self.now.naive_utc() + scale.ahead_of_utc();
        let range = series.range.resolve(self.now, scale);
        let begun = range.days_touched_by(&Window { end: reached.min(range.end), ..range });
        // Nothing is known about any other day.
        let mut noted = self.records.recorded(&series.id)?;
        noted.extend(self.journalled.iter().filter(|(id, _)| *id == series.id).map(|(_, date)| *date));
        let mut facts = Vec::new();
        for date in noted {
            let header = self.records.header(&series.id, date);
            let day = begun.day(date);
            if day.window.is_empty() {
                facts.extend(coverage::kept_fact(&job.name, &range, header));
                continue;
            }
            let started = || self.records.started(&series.id, day.date);
            facts.push(coverage::fact(&job.name, &day, series.spec(&day), header, started)?);
        }
        Ok(SeriesFacts { begun, facts })
    }
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Exit> {
    let archive = args.archive.archive.as_deref();
    let by_region = args.by == Some(CountedBy::Harpnum);
    if args.csv && !by_region {
        let message = "`--csv` prints the regions of `--by harpnum`, and nothing else";
        return Err(CliError::new(Exit::Usage, message).hint("add `--by harpnum`, or use `--json`").into());
    }
    let Some(job) = load_manifest::load(&args.job, Secrets::NotNeeded, archive, shell) else { return Ok(Exit::Usage) };
    let now = now();
    warn_of_refusal(&job, now, shell);
    for problem in job.series.iter().filter_map(|series| plan::known_dates(series).err()) {
        let word = shell.screen.paint.care("warning:");
        shell.screen.line(&format!("{word} {problem}; no day of it is shown"));
    }
    let records = Reader::open(&job.archive.root)?;
    let journalled = records.journalled()?;
    let reports = runs::last(&records, &job.name, RUNS);
    let seen = ArchiveView { now, records, journalled, reports };
    if by_region {
        let form = match (args.csv, args.json) {
            (true, _) => RegionsForm::Csv,
            (_, true) => RegionsForm::Json,
            _ => RegionsForm::Text,
        };
        return regions::run(&job, &seen, form, shell);
    }
    let status = calendar_of(args, &job, &seen)?;
    if args.json {
        stdout::print_json(&status)?;
    } else {
        let (by, paint) = (args.by.and_then(CountedBy::cell), Paint(shell.page.colour));
        stdout::print_painted(&page::render(&status, by, shell.page.columns, paint), shell.page.colour)?;
    }
    Ok(Exit::Complete)
}

fn calendar_of(args: &Args, job: &Manifest, seen: &ArchiveView) -> Result<Status> {
    let mut series = Vec::new();
    for one in &job.series {
        let SeriesFacts { begun, facts } = seen.facts_of_series(job, one)?;
        let failed = failed::failed_days(&seen.reports, &one.id.0);
        let mut status = coverage::of_series(&one.id.0, begun, facts, failed);
        let lines: u64 = status.days.facts.iter().map(|fact| fact.body).sum();
        if args.checked || lines <= QUICK {
            let recorded = |state: &DayFact| matches!(state, DayFact::Sealed | DayFact::Provisional | DayFact::Stale);
            let days = status.days.facts.iter().filter(|fact| recorded(&fact.state)).map(|fact| fact.date);
            let days: Vec<NaiveDate> = days.collect();
            status.checked = Some(seen.records.checked(&one.id, &days));
        }
        series.push(status);
    }
    Ok(Status {
        job: job.name.clone(),
        archive: job.archive.root.to_string_lossy().into_owned(),
        series,
        runs: seen.reports.iter().map(PastRun::new).collect(),
    })
}

/// Warns where a run would refuse the job as a whole: what is shown is true all the same.
fn warn_of_refusal(job: &Manifest, now: DateTime<Utc>, shell: &Shell) {
    let usable = same_job::must_not_undo(std::slice::from_ref(job), now).and_then(|()| Locking::looked_at(job));
    let usable = usable.and_then(|locking| known_archive::must_be_there(job, locking.lock()));
    if let Err(error) = usable {
        shell.warn_of_refusal(&error);
    }
}
