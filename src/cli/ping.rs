//! `sunhaul ping`: asks each source one question, and says how it fared.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use chrono::{DateTime, Days, Utc};
use serde::Serialize;

use super::clock::{now, run_id};
use super::load_manifest::Secrets;
use super::options::SshArg;
use super::signals::Signals;
use super::sources::Sources;
use super::{Exit, Result, Shell, limits, load_manifest, query_retry, stdout};
use crate::day::Day;
use crate::failure::{Class, Failure};
use crate::manifest::{Manifest, Retry, Series};
use crate::net::{Net, shown};
use crate::report::human;
use crate::source::{Body, Listed, Replica, Replicas};
use crate::untrusted::escape;

/// Check that each source responds, with one request.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Check that each source responds, with one request.\n\n\
        For each series, the last final day of its range is listed, without retries. For a `template`, which has no \
        listings, the first file of that day is requested, and no byte of its body is read. Nothing is downloaded or \
        written, and the limits of the hosts apply.",
    after_help = "Examples:\n  sunhaul ping jobs/nightly.yaml\n  sunhaul ping jobs/nightly.yaml && sunhaul run jobs/nightly.yaml\n\n\
        Exit codes: 0 every source answered, 1 one refused, 2 usage or manifest, 4 one did not answer or is not well for now."
)]
pub(super) struct Args {
    /// The manifest.
    #[arg(value_name = "JOB")]
    job: PathBuf,
    /// Print the answers as JSON on standard output.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    ssh: SshArg,
}

/// How one source fared.
#[derive(Debug, Serialize)]
struct SourceHealth {
    series: String,
    /// The address of the source, without secrets.
    url: String,
    /// The day that was asked about.
    date: chrono::NaiveDate,
    /// Files that the day has; null where there was no answer.
    files: Option<u64>,
    seconds: f64,
    /// The class of the failure; null where there was an answer.
    class: Option<Class>,
    error: Option<String>,
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Exit> {
    let Some(mut job) = load_manifest::load(&args.job, Secrets::Needed, None, shell) else { return Ok(Exit::Usage) };
    // A host that needs a second attempt is reported as unwell.
    job.retry = Retry { attempts: 1, ..job.retry };
    let Some(answers) = limits::runtime()?.block_on(until_signal(&job, &args.ssh.net(), shell))? else {
        return Ok(Exit::Interrupted);
    };
    if args.json {
        stdout::print_json(&answers)?;
    } else {
        stdout::print(&answers.iter().map(SourceHealth::line).collect::<String>())?;
    }
    Ok(answers.iter().filter_map(|answer| answer.class).map(Exit::of_class).max().unwrap_or(Exit::Complete))
}

async fn until_signal(job: &Manifest, net: &Net, shell: &Shell) -> Result<Option<Vec<SourceHealth>>> {
    let mut signals = Signals::catch()?;
    let answers = tokio::select! {
        answers = ping(job, net, shell) => answers.map(Some),
        () = signals.next() => Ok(None),
    };
    net.close().await;
    answers
}

async fn ping(job: &Manifest, net: &Net, shell: &Shell) -> Result<Vec<SourceHealth>> {
    let mut sources = Sources::default();
    let bases = sources.bases(job, |_| true).await?;
    let run = run_id(now());
    let mut answers = Vec::new();
    for series in &job.series {
        let Some(bases) = bases.get(&series.id) else { continue };
        let source = Replicas::open(net, job, series, bases, &run)?;
        let day = last_final_day(series, now());
        let started = Instant::now();
        let listed = ask(job, series, &source, &day, shell).await;
        answers.push(SourceHealth::from_listing(series, &source, &day, started.elapsed(), listed));
    }
    sources.close().await;
    Ok(answers)
}

async fn ask(job: &Manifest, series: &Series, source: &Replicas, day: &Day, shell: &Shell) -> Result<Listed, Failure> {
    let listed = query_retry::list(job, series, source, day, shell).await?;
    // A source that builds its URLs itself has not contacted its host yet.
    let made = listed.files.iter().find(|file| file.body == Body::Remote).filter(|_| series.source.is_guessed());
    if let Some(file) = made {
        let what = escape(&series.id.0).into_owned();
        let url = &file.url;
        query_retry::patiently(job, source, shell, &what, async |replica: &Replica| {
            replica.client().get_listing(url).await.map(drop)
        })
        .await?;
    }
    Ok(listed)
}

/// The last day of a series that is final by its age; the last one where none is, and yesterday where it has none.
fn last_final_day(series: &Series, now: DateTime<Utc>) -> Day {
    let range = series.range.resolve(now, series.source.scale());
    let is_final = |day: &Day| {
        now.naive_utc().signed_duration_since(day.window.end).to_std().is_ok_and(|age| age >= series.settle)
    };
    let last = range.days().rev().find(is_final).or_else(|| range.days().next_back());
    last.unwrap_or_else(|| Day::whole(now.date_naive().checked_sub_days(Days::new(1)).unwrap_or_default()))
}

impl SourceHealth {
    fn from_listing(
        series: &Series,
        source: &Replicas,
        day: &Day,
        took: Duration,
        listed: Result<Listed, Failure>,
    ) -> SourceHealth {
        let (files, failure) = match listed {
            Ok(listed) => (Some(listed.files.len() as u64), None),
            Err(failure) => (None, Some(failure)),
        };
        SourceHealth {
            series: series.id.to_string(),
            url: shown(source.current().client().base()),
            date: day.date,
            files,
            seconds: took.as_secs_f64(),
            class: failure.as_ref().map(|failure| failure.class),
            error: failure.map(|failure| failure.message),
        }
    }

    /// `cea: answered in 0.2 s, 24 files on 2015-12-12, http://localhost:8001/`
    fn line(&self) -> String {
        let SourceHealth { series, url, date, files, seconds, class, error } = self;
        let (series, took) = (escape(series), human::span(Duration::try_from_secs_f64(*seconds).unwrap_or_default()));
        match (files, class, error) {
            (Some(files), ..) => {
                format!("{series}: answered in {took}, {} on {date}, {}\n", human::count(*files, "file"), escape(url))
            }
            (None, Some(class), Some(error)) => format!("{series}: {class} after {took}: {error}\n"),
            (None, ..) => format!("{series}: no answer\n"),
        }
    }
}
