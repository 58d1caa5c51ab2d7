//! `sunhaul adopt`: takes in files that somebody holds already, so that a run fetches only the rest.
//!
//! It downloads nothing, and leaves the folder as it is.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::clock::now;
use super::job_lock::Locking;
use super::load_manifest::Secrets;
use super::options::{ArchiveArg, SshArg};
use super::plan_job::{PlannedWork, Redo};
use super::problem::CliError;
use super::run::{CommandContext, ReportArgs, Task, Then, execute};
use super::selection::SelectionArgs;
use super::{Exit, Result, Shell, limits, load_manifest, plan_job, stdout};
use crate::fetch::local_copy::Taking;
use crate::manifest::Manifest;
use crate::report::human;
use crate::report::model::{FileTotals, Report};
use crate::report::terminal::Verbosity;
use crate::run::ImportFolder;
use crate::untrusted::escape;

/// Import files that you already have.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Import files that you already have.\n\n\
        Each day of the job that is not sealed is listed by its source, within the limits of its host. The listed \
        files are then searched in the folder and below it, whatever its structure: by the path that the archive \
        would give them, by their names if the header or the name has the time or the record, and by the record and \
        segment in these. A match is checked like a downloaded file and gets its place in the archive. A day with \
        all its files is sealed; `sunhaul run` downloads the rest. No file is requested from a source.\n\n\
        Nothing in the folder is moved or changed. Files are copied; with --link they get a second name instead, \
        which needs no space, but a change to one changes both. Files that fail their check, and different files \
        that match equally well, are reported and left alone. Hidden files and links are ignored.",
    after_help = "Examples:\n  sunhaul adopt jobs/december.yaml ~/sharp\n  \
        sunhaul adopt jobs/december.yaml /data/old --link\n  sunhaul adopt jobs/december.yaml ~/sharp -v && sunhaul run jobs/december.yaml\n\n\
        Exit codes: 0 all that fits is taken in, whatever is left to fetch; 1 something that fits could not be \
        taken, 2 usage or manifest, 3 something that fits is not what the lock says, 4 a source could not be asked \
        for a temporary reason, 5 local storage, 130 interrupted."
)]
pub(super) struct Args {
    /// The manifest.
    #[arg(value_name = "JOB")]
    job: PathBuf,
    /// The folder with the files.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Give the files a further name, and take no room. The folder must lie on the archive's filesystem; a file that can
    /// have no further name there, such as one of somebody else, is copied.
    #[arg(long, conflicts_with = "copy")]
    link: bool,
    /// Copy the files (the default).
    #[arg(long)]
    copy: bool,
    /// Print what was done as JSON on standard output.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    archive: ArchiveArg,
    #[command(flatten)]
    ssh: SshArg,
    #[command(flatten)]
    reports: ReportArgs,
}

/// What was done, for a machine.
#[derive(Debug, Serialize)]
struct Adopted<'a> {
    job: &'a str,
    archive: String,
    folder: String,
    /// Files of the folder that were looked at.
    looked_at: u64,
    /// Listed files, by how they ended; as in the report.
    files: &'a FileTotals,
    /// Files of the folder that no listed file was found to be, below the folder.
    unmatched: Vec<&'a str>,
    report: String,
    exit_code: u8,
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Exit> {
    args.reports.begin(shell);
    let archive = args.archive.archive.as_deref();
    let Some(job) = load_manifest::load(&args.job, Secrets::Needed, archive, shell) else { return Ok(Exit::Usage) };
    let started = now();
    let files = args.reports.open(1)?;
    let begun = begin(args, &job, started).inspect_err(|error| files.refused(&job, error, Vec::new(), shell));
    let (locking, work, held) = begun?;
    let archive_root = job.archive.root.to_string_lossy().into_owned();
    let ran = limits::runtime()?.block_on(async {
        let mut shared = CommandContext::new(files, args.ssh.net(), shell)?;
        // A file that arrived corrupt from upstream may be intact in the imported folder.
        let (then, retry_failed) = (Then::Add, true);
        let task = Task {
            job: Arc::new(job),
            work,
            import_folder: Some(held.clone()),
            locking,
            then,
            retry_failed,
            started,
            again: words_of_run(args, shell),
        };
        let ran = execute(task, &mut shared).await;
        shared.close().await;
        ran
    })?;
    let copied = held.copied_instead();
    if copied > 0 && shell.verbosity > Verbosity::Quiet {
        shell.screen.line(&format!("{} could not be linked, and got a copy", human::count(copied, "file")));
    }
    tell_unmatched(&held, &ran.report, shell);
    if args.json {
        stdout::print_json(&Adopted {
            job: &ran.report.job.name,
            archive: archive_root,
            folder: args.folder.to_string_lossy().into_owned(),
            looked_at: held.len() as u64,
            files: &ran.report.totals.files,
            unmatched: held.unmatched().collect(),
            report: ran.saved.to_string_lossy().into_owned(),
            exit_code: ran.exit.code(),
        })?;
    }
    Ok(ran.exit)
}

/// What there is to do, and the folder's files.
fn begin(args: &Args, job: &Manifest, started: DateTime<Utc>) -> Result<(Locking, PlannedWork, Arc<ImportFolder>)> {
    let locking = Locking::looked_at(job)?;
    let redo = Redo { check: false, retry_absent: false };
    let work = plan_job::work(job, &plan_job::plan(job, &args.selection, &locking, started)?, redo, None)?;
    locking.must_be_writable(job, work.days.day_count())?;
    fits_beside(&args.folder, &job.archive.root, args.link)?;
    let held = Arc::new(open_import_folder(args, job, &work)?);
    Ok((locking, work, held))
}

/// Refuses a folder that is none, that is part of the archive, or whose files cannot be linked there.
fn fits_beside(folder: &Path, root: &Path, link: bool) -> Result<()> {
    let wrong = |why: &str, hint: &str| {
        Err(CliError::new(Exit::Usage, format!("`{}` {why}", escape(&folder.to_string_lossy()))).hint(hint).into())
    };
    let Ok(own) = folder.canonicalize() else {
        return wrong("is no folder that can be read", "name the folder that holds the files");
    };
    if !own.is_dir() {
        return wrong("is no folder", "name the folder that holds the files");
    }
    if root.canonicalize().is_ok_and(|root| own.starts_with(root)) {
        return wrong(
            "is part of the archive",
            "`sunhaul run` keeps files that are already in their places in the archive; move the others out of it first",
        );
    }
    let device = |path: &Path| path.metadata().map(|meta| meta.dev()).ok();
    // The archive may not be there yet: it will lie where the first folder above it is.
    let lies = root.ancestors().find_map(device).or_else(|| device(Path::new(".")));
    if link && lies.is_some() && device(&own) != lies {
        return wrong(
            "is on another filesystem than the archive, so no hard link can be made",
            "let the files be copied",
        );
    }
    Ok(())
}

/// The folder's files; with nothing to do there is no need to look at them.
fn open_import_folder(args: &Args, job: &Manifest, work: &PlannedWork) -> Result<ImportFolder> {
    let taking = if args.link { Taking::Link } else { Taking::Copy };
    if work.days.is_empty() {
        return Ok(ImportFolder::empty(taking));
    }
    ImportFolder::scan(&args.folder, &job.archive.root, taking).map_err(|error| {
        let folder = args.folder.to_string_lossy();
        CliError::new(Exit::Storage, format!("could not look through `{}`: {error}", escape(&folder)))
            .hint("check who owns it and its mode")
            .into()
    })
}

/// The command that fetches the rest.
fn words_of_run(args: &Args, shell: &Shell) -> Vec<OsString> {
    let program = shell.words.first().cloned().unwrap_or_else(|| "sunhaul".into());
    let archive = args.archive.archive.iter().flat_map(|root| ["--archive".into(), root.clone().into_os_string()]);
    [program, "run".into(), args.job.clone().into_os_string()].into_iter().chain(archive).collect()
}

fn tell_unmatched(held: &ImportFolder, report: &Report, shell: &Shell) {
    let unmatched = held.unmatched().count() as u64;
    if unmatched == 0 || shell.verbosity == Verbosity::Quiet {
        return;
    }
    let of = human::count(held.len() as u64, "file");
    let name_all = shell.verbosity == Verbosity::Verbose;
    let more = if name_all { ":" } else { " (-v names them)" };
    let fit = if unmatched == 1 { "fits" } else { "fit" };
    let what = if report.totals.files.have > 0 { "still missing" } else { "listed" };
    let sealed = report.totals.days.already_sealed;
    let why = if sealed > 0 {
        format!(", which does not ask for the {} sealed before", human::count(sealed, "day"))
    } else {
        String::new()
    };
    shell.screen.line(&format!("{} of {of} {fit} nothing that is {what}{why}{more}", human::number(unmatched)));
    for path in held.unmatched().filter(|_| name_all) {
        shell.screen.line(&format!("  {}", escape(path)));
    }
}
