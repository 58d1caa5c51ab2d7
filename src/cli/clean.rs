//! `sunhaul clean`: empties the archive's work directory.

use std::path::PathBuf;

use super::load_manifest::Secrets;
use super::options::ArchiveArg;
use super::problem::CliError;
use super::{Exit, Result, Shell, load_manifest};
use crate::archive::{Archive, Reader};
use crate::report::human;
use crate::report::terminal::Verbosity;
use crate::untrusted::escape;

/// Remove partial files, quarantined files and retired files.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Remove partial files, quarantined files and retired files.\n\n\
        Empties `.sunhaul/work` of the job's archive. The files, the day records and the reports stay, and so do the \
        journals that say which files of unfinished days are the archive's. What was fetched in part is fetched from its \
        beginning by the next run. While a run works on a day of this archive, \
        nothing is removed and the exit code is 4.",
    after_help = "Examples:\n  sunhaul clean jobs/nightly.yaml\n  sunhaul clean jobs/nightly.yaml --archive /mnt/sun"
)]
pub(super) struct Args {
    /// The manifest.
    #[arg(value_name = "JOB")]
    job: PathBuf,
    #[command(flatten)]
    archive: ArchiveArg,
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Exit> {
    let archive = args.archive.archive.as_deref();
    let Some(job) = load_manifest::load(&args.job, Secrets::NotNeeded, archive, shell) else { return Ok(Exit::Usage) };
    let root = &job.archive.root;
    let shown = root.to_string_lossy();
    let tell = |text: String| {
        if shell.verbosity > Verbosity::Quiet {
            shell.screen.line(&text);
        }
    };
    // An archive that is not there is clean, and cleaning must not make one.
    if !Reader::open(root)?.has_state()? {
        tell(format!("{}: nothing to clean, no archive is there", escape(&shown)));
        return Ok(Exit::Complete);
    }
    let cleaned = Archive::clean(root, job.archive.lock)?;
    if let Some((series, date)) = cleaned.held.first() {
        let more = match cleaned.held.len() {
            1 => String::new(),
            many => format!(" and on {} more", human::count(many as u64 - 1, "day")),
        };
        return Err(CliError::new(
            Exit::Later,
            format!("another process works on {} {date}{more} of `{}`", escape(series), escape(&shown)),
        )
        .hint("nothing was removed; wait until it has ended, or stop it")
        .into());
    }
    tell(format!(
        "{}: {} removed, {}",
        escape(&shown),
        human::count(cleaned.files, "file"),
        human::bytes(cleaned.bytes)
    ));
    Ok(Exit::Complete)
}
