//! `sunhaul report`: the report of a run, in another form.
//!
//! It reads the report alone. What it does not do: look at an archive's files, or ask a source.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::args::ArchiveArg;
use super::job::Secrets;
use super::precious::report_file;
use super::problem::Problem;
use super::run::{ReportFile, Saved, manifest};
use super::{Exit, Result, Shell, job};
use crate::archive::Archive;
use crate::manifest::is_yaml;
use crate::report::{Report, hosts, html, junit, markdown};
use crate::untrusted::escape;

/// A report of more bytes is none of ours: days without end, and 1,000 failures.
const LARGEST: u64 = 256 << 20;

/// How many reports are looked at for the last one of a job: another job's lie in the same folder.
const LOOKED_AT: usize = 200;

/// Show the report of a run in another form.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Show the report of a run in another form.\n\n\
        RUN is the file of a report, `-` for standard input, a manifest for the last run of its job, or, with --job or \
        --archive, a run's id, the beginning of one, or `latest`. The forms are the same, to the byte, as those that the \
        run itself writes with --report, --report-junit, --report-html and --summary; of quick looks it knows nothing.\n\n\
        With --hosts it is a text about what was asked of each host: who asked, how often, how many requests at once, the \
        limits, the answers, the pauses. It can be pasted into a mail to whoever runs the archive.",
    after_help = "Examples:\n  sunhaul report jobs/nightly.yaml\n  sunhaul report report.json --format junit --output junit.xml\n  \
        sunhaul report latest --archive data/nightly --format json | jq .totals\n  \
        sunhaul report 20261125T065038Z --job jobs/nightly.yaml --hosts"
)]
pub(super) struct Args {
    /// A report's file, a manifest, a run's id, or `latest`.
    #[arg(value_name = "RUN")]
    run: String,
    /// The job whose runs are meant.
    #[arg(long, value_name = "JOB")]
    job: Option<PathBuf>,
    #[command(flatten)]
    archive: ArchiveArg,
    /// The form: `json`, `junit`, `html` or `markdown`.
    #[arg(long, value_name = "FORMAT", default_value = "markdown", hide_possible_values = true)]
    format: Format,
    /// Tell what was asked of each host, as plain text.
    #[arg(long, conflicts_with = "format")]
    hosts: bool,
    /// Write it to this file, and not to standard output.
    #[arg(long, value_name = "FILE", default_value = "-", hide_default_value = true, value_parser = report_file())]
    output: PathBuf,
}

/// The forms of a report.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Json,
    Junit,
    Html,
    Markdown,
}

impl Format {
    fn render(self, report: &Report) -> Result<Vec<u8>> {
        Ok(match self {
            Format::Json => report.to_json()?,
            Format::Junit => junit::document(report).into_bytes(),
            Format::Html => {
                let manifest = manifest(report);
                html::render(report, &html::Besides { manifest: manifest.as_deref(), ..Default::default() })?
                    .into_bytes()
            }
            Format::Markdown => markdown::section(report).into_bytes(),
        })
    }
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Exit> {
    let Some(place) = find(args, shell)? else { return Ok(Exit::Usage) };
    let report = read(&place)?;
    let bytes = if args.hosts { hosts::table(&report).into_bytes() } else { args.format.render(&report)? };
    ReportFile::new(&args.output, "--output")?.write(&bytes, Saved::AtTheEnd)?;
    Ok(Exit::Complete)
}

/// Where the report lies; nothing when the manifest is wrong, which is told.
fn find(args: &Args, shell: &Shell) -> Result<Option<PathBuf>> {
    let (root, path) = (args.archive.archive.as_deref(), Path::new(&args.run));
    let is_manifest = is_yaml(path);
    let manifest = args.job.as_deref().or(is_manifest.then_some(path));
    if manifest.is_none() && (args.run == "-" || path.is_file() || args.run.contains('/')) {
        return Ok(Some(path.to_owned()));
    }
    let wanted = if is_manifest { "latest" } else { &args.run };
    if let Some(manifest) = manifest {
        let Some(job) = job::load(manifest, Secrets::NotNeeded, root, shell) else { return Ok(None) };
        return below(&Archive::runs_path(&job.archive.root), wanted, Some(&job.name)).map(Some);
    }
    if let Some(root) = root {
        return below(&Archive::runs_path(root), wanted, None).map(Some);
    }
    let message = format!("there is no file `{}`, and no archive to look for a run of that id", escape(wanted));
    let hint = "name a report's file or a manifest, or say where with `--job JOB` or `--archive DIR`";
    Err(Problem::new(Exit::Usage, message).hint(hint).into())
}

/// The report of a run, by its id or the beginning of it, or the last one of a job.
fn below(folder: &Path, wanted: &str, job: Option<&str>) -> Result<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let paths = entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "json"));
    let mut names: Vec<String> =
        paths.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect();
    // A run's id begins with its time, so that names sort by it.
    names.sort_unstable_by(|a, b| b.cmp(a));
    let shown = folder.to_string_lossy();
    let missing = |what: &str, hint: &str| {
        Err(Problem::new(Exit::Usage, format!("{what} in `{}`", escape(&shown))).hint(hint).into())
    };
    if wanted == "latest" {
        let is_meant =
            |name: &&String| job.is_none_or(|job| read(&folder.join(name)).is_ok_and(|report| report.job.name == job));
        return match names.iter().take(LOOKED_AT).find(is_meant) {
            Some(name) => Ok(folder.join(name)),
            None => missing("there is no report of a run", "`sunhaul run` writes one"),
        };
    }
    let found: Vec<&String> = names.iter().filter(|name| name.starts_with(wanted)).collect();
    match found[..] {
        [name] => Ok(folder.join(name)),
        [] => missing(
            &format!("there is no report of a run `{}`", escape(wanted)),
            "`sunhaul status` shows the last runs; `latest` is the last one",
        ),
        _ => missing(&format!("{} runs begin with `{}`", found.len(), escape(wanted)), "write more of the id"),
    }
}

fn read(path: &Path) -> Result<Report> {
    let shown = path.to_string_lossy();
    let problem =
        |exit, why: String| Problem::new(exit, format!("could not read the report `{}`: {why}", escape(&shown)));
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(LARGEST).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(LARGEST).read_to_end(&mut bytes))
    };
    let hint = "the last report of a job is found by its manifest: `sunhaul report jobs/nightly.yaml`";
    read.map_err(|error| problem(Exit::Usage, error.to_string()).hint(hint))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        let why = format!("it is no report of this version: {}", escape(&error.to_string()));
        problem(Exit::Usage, why).hint("`sunhaul schema report` prints what one is made of").into()
    })
}
