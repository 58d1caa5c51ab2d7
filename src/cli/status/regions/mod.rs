//! `sunhaul status --by harpnum`: how complete each region is in each series, and why slots are not there.

mod page;

use std::collections::BTreeSet;

use serde::Serialize;

use super::failed;
use super::{ArchiveView, SeriesFacts};
use crate::cli::problem::CliError;
use crate::cli::{Exit, Result, Shell, stdout};
use crate::manifest::{Manifest, Series};
use crate::report::regions::{SeriesDays, SeriesSlots, SlotsOfRegion, Spans, are_of_regions};
use crate::report::terminal::Paint;
use crate::untrusted::escape;

/// What is printed.
#[derive(Debug, Serialize)]
struct RegionsPage {
    job: String,
    archive: String,
    series: Vec<SeriesRegions>,
    /// The ids of series whose records name no region.
    without_regions: Vec<String>,
}

/// The regions of one series.
#[derive(Debug, Serialize)]
struct SeriesRegions {
    series: String,
    /// How far apart slots are.
    step_seconds: i64,
    regions: Vec<SlotsOfRegion>,
}

/// How it is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RegionsForm {
    Text,
    Json,
    Csv,
}

pub(super) fn run(job: &Manifest, seen: &ArchiveView, form: RegionsForm, shell: &Shell) -> Result<Exit> {
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for series in &job.series {
        let slots = read(job, series, seen)?;
        if slots.has_regions() || (are_of_regions(series) && !slots.has_files) {
            with.push(slots);
        } else {
            without.push(series.id.0.clone());
        }
    }
    if with.is_empty() {
        return Err(no_regions(job).into());
    }
    let spans = Spans::of_all(&with);
    let series = with.iter().map(|slots| SeriesRegions {
        series: slots.id.clone(),
        step_seconds: slots.step,
        regions: slots.regions(&spans).collect(),
    });
    let page = RegionsPage {
        job: job.name.clone(),
        archive: job.archive.root.to_string_lossy().into_owned(),
        series: series.collect(),
        without_regions: without,
    };
    match form {
        RegionsForm::Json => stdout::print_json(&page)?,
        RegionsForm::Csv => stdout::print(&page::csv(&page))?,
        RegionsForm::Text => {
            let paint = Paint(shell.page.colour);
            stdout::print_painted(&page::text(&page, paint), shell.page.colour)?;
        }
    }
    Ok(Exit::Complete)
}

fn no_regions(job: &Manifest) -> CliError {
    let ids: Vec<String> = job.series.iter().map(|series| format!("`{}`", escape(&series.id.0))).collect();
    let ids = ids.join(", ");
    let message = format!("`--by harpnum` counts slots by region, and the records of {ids} have no HARPNUM");
    CliError::new(Exit::Usage, message).hint("leave `--by` out, or use `--by day`, `--by week` or `--by month`")
}

/// What the archive knows of the regions of a series.
fn read(job: &Manifest, series: &Series, seen: &ArchiveView) -> Result<SeriesSlots> {
    let SeriesFacts { begun, facts } = seen.facts_of_series(job, series)?;
    let failed = failed::failed_days(&seen.reports, &series.id.0).into_keys().collect();
    let dates: BTreeSet<_> = facts.iter().map(|fact| fact.date).collect();
    Ok(SeriesDays { job, series, archive: &seen.records, dates, range: begun, failed }.read()?)
}
