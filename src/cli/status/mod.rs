//! `sunhaul status`: what of a job is there.
//!
//! It reads day records and reports, and no data file. What it does not do: ask a source, or write.

mod coverage;
mod runs;
mod thin;

use std::fmt::Write as _;
use std::path::PathBuf;

use serde::Serialize;

use super::args::ArchiveArg;
use super::clock::now;
use super::job::Secrets;
use super::table::{Side, Table};
use super::{Exit, Result, Shell, job, stdout};
use crate::archive::Archive;
use crate::report::human;
use crate::untrusted::escape;
use coverage::{Month, SeriesStatus};
use runs::PastRun;

/// How many gaps, thin days and bad records are shown of each series; `--json` has them all.
const SHOWN: usize = 10;
/// How many of the last runs are shown.
const RUNS: usize = 5;

/// Show what is there: coverage, gaps, thin days, last runs.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Show what is there: coverage per series and month, gaps, thin days, last runs.\n\n\
        A gap is a run of days without a record. A started day was begun by a run that did not finish it, or that is \
        still at it. A refused day belongs to another job, which asks for something else. A thin day has less than half as many files as the days around it \
        (the median of a week on either side): often the source was not complete yet, or lost data. Days that have \
        not begun yet are not counted. Nothing is asked of a source and nothing is written.",
    after_help = "Examples:\n  sunhaul status jobs/nightly.yaml\n  \
        sunhaul status jobs/nightly.yaml --json | jq '.series[].gaps'"
)]
pub(super) struct Args {
    /// The manifest.
    #[arg(value_name = "JOB")]
    job: PathBuf,
    /// Print it as JSON on standard output.
    #[arg(long)]
    json: bool,
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

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Exit> {
    let archive = args.archive.archive.as_deref();
    let Some(job) = job::load(&args.job, Secrets::NotNeeded, archive, shell) else { return Ok(Exit::Usage) };
    let now = now();
    let root = &job.archive.root;
    let mut series = Vec::new();
    for one in &job.series {
        let scale = one.source.scale();
        let reached = now.naive_utc() + scale.ahead_of_utc();
        let days = one.range.resolve(now, scale).days().filter(|day| day.window.start < reached);
        let mut facts = Vec::new();
        for day in days {
            let header = Archive::header(root, &one.id, day.date);
            let started = || Archive::started(root, &one.id, day.date);
            facts.push(coverage::fact((&job.name, &day, one.spec(&day)), header, started)?);
        }
        series.push(coverage::of_series(&one.id.0, &facts));
    }
    let status = Status {
        job: job.name.clone(),
        archive: root.to_string_lossy().into_owned(),
        series,
        runs: runs::last(&Archive::runs_path(root), &job.name, RUNS),
    };
    if args.json {
        stdout::print_json(&status)?;
    } else {
        stdout::print(&render(&status))?;
    }
    Ok(Exit::Complete)
}

fn render(status: &Status) -> String {
    let mut out = format!("{} in {}\n\n", escape(&status.job), escape(&status.archive));
    let columns = ["days", "sealed", "provisional", "stale", "started", "refused", "missing", "files", "size"];
    let head: Vec<_> = [("series", Side::Left), ("month", Side::Left)]
        .into_iter()
        .chain(columns.map(|name| (name, Side::Right)))
        .collect();
    let mut table = Table::new(&head).without_zeros(&["provisional", "stale", "started", "refused"]);
    for series in &status.series {
        for month in &series.months {
            let Month { days, sealed, provisional, stale, started, refused, missing, files, .. } = *month;
            let counts = [days, sealed, provisional, stale, started, refused, missing, files].map(human::number);
            let cells = [escape(&series.series).into_owned(), month.month.clone()];
            table.row(cells.into_iter().chain(counts).chain([human::bytes(month.bytes)]));
        }
    }
    out.push_str(&table.render());
    let mut list = |title: &str, lines: Vec<String>| {
        if lines.is_empty() {
            return;
        }
        // Writing to a String cannot fail.
        let _ = write!(out, "\n{title}\n");
        for line in lines.iter().take(SHOWN) {
            let _ = writeln!(out, "  {line}");
        }
        if lines.len() > SHOWN {
            let _ = writeln!(out, "  and {} more: see --json", human::number((lines.len() - SHOWN) as u64));
        }
    };
    for series in &status.series {
        let id = escape(&series.series);
        let gaps =
            series.gaps.iter().map(|gap| format!("{}..{}  {}", gap.start, gap.end, human::count(gap.days, "day")));
        list(&format!("gaps of {id} (the end not included)"), gaps.collect());
        let started = series.started.iter().map(|day| {
            format!("{}  {} so far, {}", day.date, human::count(day.files, "file"), human::bytes(day.bytes))
        });
        list(&format!("days of {id} that were started and are not finished"), started.collect());
        let refused = series.refused.iter().map(|refused| {
            let days = &refused.days;
            let count = human::count(days.days, "day");
            format!(
                "{}..{}  {count} of `{}`, which asks for something else",
                days.start,
                days.end,
                escape(&refused.job)
            )
        });
        let title = format!(
            "days of {id} that belong to another job (the end not included); `as: ...` or another root keeps them apart"
        );
        list(&title, refused.collect());
        let thin = series.thin.iter().map(|day| {
            format!(
                "{}  {}, its neighbours have about {}",
                day.date,
                human::count(day.files, "file"),
                human::number(day.median)
            )
        });
        list(&format!("thin days of {id}"), thin.collect());
        let unreadable = series.unreadable.iter().map(|bad| escape(bad).into_owned());
        list(&format!("records of {id} that cannot be used"), unreadable.collect());
    }
    list("last runs; --json has their ids", status.runs.iter().map(PastRun::line).collect());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{Error, Started, State};
    use crate::day::Day;
    use crate::digest::Digest;

    #[test]
    fn the_page_shows_months_gaps_thin_days_and_runs() {
        let (spec, other) = (Digest::of(b"spec"), Digest::of(b"other"));
        let mut facts = Vec::new();
        for date in ("2015-12-25".parse::<chrono::NaiveDate>().unwrap()).iter_days().take(12) {
            let text = date.to_string();
            let header = match text.as_str() {
                "2015-12-27" | "2015-12-28" | "2015-12-31" => Ok(None),
                "2015-12-25" | "2015-12-26" => Ok(Some(coverage::header(&text, "other", State::Sealed, other, 10))),
                "2015-12-29" => Err(Error::record(std::path::Path::new("days/s/2015-12-29.jsonl"), 1, "it is cut")),
                "2016-01-02" => Ok(Some(coverage::header(&text, "december", State::Sealed, other, 10))),
                "2016-01-03" => Ok(Some(coverage::header(&text, "december", State::Sealed, spec, 4))),
                "2016-01-05" => Ok(Some(coverage::header(&text, "december", State::Provisional, spec, 10))),
                _ => Ok(Some(coverage::header(&text, "december", State::Sealed, spec, 10))),
            };
            let started = || Ok((text == "2015-12-31").then_some(Started { files: 3, bytes: 1_728_000 }));
            facts.push(coverage::fact(("december", &Day::whole(date), spec), header, started).unwrap());
        }
        let status = Status {
            job: "december".into(),
            archive: "/data".into(),
            series: vec![coverage::of_series("sharp_720s", &facts)],
            runs: vec![PastRun {
                id: "20160106T000000Z-00000000000000aa".into(),
                started: "2016-01-06T00:00:00Z".parse().unwrap(),
                seconds: Some(4.25),
                result: crate::report::model::RunResult::Complete,
                exit_code: Some(0),
                sealed: 3,
                provisional: 1,
                failed: 0,
                files: 40,
                bytes: 23_040_000,
            }],
        };
        insta::assert_snapshot!(render(&status));
    }
}
