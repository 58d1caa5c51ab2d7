//! `sunhaul report`: the report of a run, in another form.
//!
//! It reads the report alone.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::load_manifest::Secrets;
use super::options::ArchiveArg;
use super::output_guard::report_file;
use super::problem::CliError;
use super::report_file::{ReportFile, Saved};
use super::run::manifest;
use super::{Exit, Result, Shell, load_manifest};
use crate::archive::{Archive, Reader};
use crate::manifest::is_yaml;
use crate::report::{Report, hosts, html, junit, markdown};
use crate::untrusted::escape;

/// A report of more bytes is none of ours: days without end, and 1,000 failures.
const LARGEST: u64 = 256 << 20;

/// How many reports are looked at for the last one of a job: another job's lie in the same folder.
const LOOKED_AT: usize = 200;

/// Show the report of a run in another format.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Show the report of a run in another format.\n\n\
        RUN is the file of a report, `-` for standard input, a manifest for the last run of its job, or, with --job \
        or --archive, a run's id, the beginning of one, or `latest`. The formats are identical, byte for byte, to \
        those that the run itself writes with --report, --report-junit, --report-html and --summary, but without \
        quick looks.\n\n\
        With --hosts it is a text about the requests to each host: from whom, how many, how many at once, the \
        limits, the responses and the pauses. You can paste it into a mail to the operator of the archive.",
    after_help = "Examples:\n  sunhaul report jobs/nightly.yaml\n  sunhaul report report.json --format junit --output junit.xml\n  \
        sunhaul report latest --archive data/nightly --format json | jq .totals\n  \
        sunhaul report 20261125T065038Z --job jobs/nightly.yaml --hosts"
)]
pub(super) struct Args {
    /// A report's file, a manifest, a run's id, or `latest`.
    #[arg(value_name = "RUN")]
    run: String,
    /// The job that the run belongs to.
    #[arg(long, value_name = "JOB")]
    job: Option<PathBuf>,
    #[command(flatten)]
    archive: ArchiveArg,
    /// The format: `json`, `junit`, `html` or `markdown`.
    #[arg(long, value_name = "FORMAT", default_value = "markdown", hide_possible_values = true)]
    format: ReportFormat,
    /// Show what was requested from each host, as plain text.
    #[arg(long, conflicts_with = "format")]
    hosts: bool,
    /// Write to this file instead of standard output.
    #[arg(long, value_name = "FILE", default_value = "-", hide_default_value = true, value_parser = report_file())]
    output: PathBuf,
}

/// The forms of a report.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ReportFormat {
    Json,
    Junit,
    Html,
    Markdown,
}

impl ReportFormat {
    fn render(self, report: &Report) -> Result<Vec<u8>> {
        Ok(match self {
            ReportFormat::Json => report.to_json()?,
            ReportFormat::Junit => junit::document(report).into_bytes(),
            ReportFormat::Html => {
                let manifest = manifest(report);
                html::render(report, &html::Besides { manifest: manifest.as_deref(), ..Default::default() })?
                    .into_bytes()
            }
            ReportFormat::Markdown => markdown::section(report).into_bytes(),
        })
    }
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Exit> {
    let Some(place) = find(args, shell)? else { return Ok(Exit::Usage) };
    let report = place.read()?;
    let bytes = if args.hosts { hosts::table(&report).into_bytes() } else { args.format.render(&report)? };
    ReportFile::new(&args.output, "--output")?.write(&bytes, Saved::AtTheEnd)?;
    Ok(Exit::Complete)
}

/// Where a report lies.
enum ReportLocation {
    /// In a file that the user names, or on standard input.
    Named(PathBuf),
    /// In an archive, under this name.
    Archived(Reader, PathBuf, String),
}

/// Where the report lies; nothing when the manifest is wrong, which is told.
fn find(args: &Args, shell: &Shell) -> Result<Option<ReportLocation>> {
    let (root, path) = (args.archive.archive.as_deref(), Path::new(&args.run));
    let is_manifest = is_yaml(path);
    let manifest = args.job.as_deref().or(is_manifest.then_some(path));
    if manifest.is_none() && (args.run == "-" || path.is_file() || args.run.contains('/')) {
        return Ok(Some(ReportLocation::Named(path.to_owned())));
    }
    let wanted = if is_manifest { "latest" } else { &args.run };
    if let Some(manifest) = manifest {
        let Some(job) = load_manifest::load(manifest, Secrets::NotNeeded, root, shell) else { return Ok(None) };
        return below(&job.archive.root, wanted, Some(&job.name)).map(Some);
    }
    if let Some(root) = root {
        return below(root, wanted, None).map(Some);
    }
    let message = format!("there is no file `{}`, and no archive to look for a run of that id", escape(wanted));
    let hint = "name a report's file or a manifest, or say where with `--job JOB` or `--archive DIR`";
    Err(CliError::new(Exit::Usage, message).hint(hint).into())
}

/// The report of a run, by its id or the beginning of it, or the last one of a job.
fn below(root: &Path, wanted: &str, job: Option<&str>) -> Result<ReportLocation> {
    let (records, folder) = (Reader::open(root)?, Archive::runs_path(root));
    let name = choose(&records, &folder, wanted, job)?;
    Ok(ReportLocation::Archived(records, folder.join(&name), name))
}

fn choose(records: &Reader, folder: &Path, wanted: &str, job: Option<&str>) -> Result<String> {
    let names = records.reports()?;
    let shown = folder.to_string_lossy();
    let missing = |what: &str, hint: &str| {
        Err(CliError::new(Exit::Usage, format!("{what} in `{}`", escape(&shown))).hint(hint).into())
    };
    if wanted == "latest" {
        let is_of = |name: &String, job| archived(records, &folder.join(name), name).is_ok_and(|r| r.job.name == job);
        let found = names.iter().take(LOOKED_AT).find(|name| job.is_none_or(|job| is_of(name, job)));
        return match found {
            Some(name) => Ok(name.clone()),
            None => missing("there is no report of a run", "`sunhaul run` writes one"),
        };
    }
    let found: Vec<&String> = names.iter().filter(|name| name.starts_with(wanted)).collect();
    match found[..] {
        [name] => Ok((*name).clone()),
        [] => missing(
            &format!("there is no report of a run `{}`", escape(wanted)),
            "`sunhaul status` shows the last runs; `latest` is the last one",
        ),
        _ => missing(&format!("{} runs begin with `{}`", found.len(), escape(wanted)), "write more of the id"),
    }
}

impl ReportLocation {
    fn read(&self) -> Result<Report> {
        match self {
            ReportLocation::Named(path) => named(path),
            ReportLocation::Archived(records, path, name) => archived(records, path, name),
        }
    }
}

fn archived(records: &Reader, path: &Path, name: &str) -> Result<Report> {
    parse(path, &records.report(name)?)
}

fn named(path: &Path) -> Result<Report> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(LARGEST).read_to_end(&mut bytes)
    } else {
        // A pipe that the shell made of a command is as good as a file.
        std::fs::File::open(path).and_then(|file| file.take(LARGEST).read_to_end(&mut bytes))
    };
    let hint = "the last report of a job is found by its manifest: `sunhaul report jobs/nightly.yaml`";
    read.map_err(|error| problem(path, &error.to_string()).hint(hint))?;
    parse(path, &bytes)
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Report> {
    serde_json::from_slice(bytes).map_err(|error| {
        let why = format!("it is no report of this version: {}", escape(&error.to_string()));
        problem(path, &why).hint("`sunhaul schema report` prints its schema").into()
    })
}

fn problem(path: &Path, why: &str) -> CliError {
    CliError::new(Exit::Usage, format!("could not read the report `{}`: {why}", escape(&path.to_string_lossy())))
}
