//! `sunhaul check`: are these manifests right?
//!
//! It opens no socket, starts no process, and does not look at an archive.

use std::path::PathBuf;

use super::clock::now;
use super::load_manifest::Secrets;
use super::output_guard::report_file;
use super::report_file::{ReportFile, Saved};
use super::{Exit, Result, Shell, load_manifest, lock_owner, same_job, stdout};
use crate::manifest::Diagnostics;
use crate::report::terminal::Verbosity;
use crate::report::{code_quality, human};
use crate::untrusted::{escape, in_json};

/// Check manifests: show every error with its line and a hint.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Check manifests: show every error with its line and a hint.\n\n\
        All errors of all files are shown at once. Nothing is fetched, no socket is opened, nothing is written. The \
        exit code is 2 when a manifest is wrong.",
    after_help = "Examples:\n  sunhaul check jobs/*.yaml\n  sunhaul check --json jobs/nightly.yaml\n  \
        sunhaul check --report-codequality codequality.json jobs/*.yaml    for GitLab's merge requests"
)]
pub(super) struct Args {
    /// Manifests.
    #[arg(required = true, value_name = "JOB")]
    jobs: Vec<PathBuf>,
    /// Print the errors as JSON on standard output.
    #[arg(long)]
    json: bool,
    /// Write the errors and warnings to this file too, in the form of a code quality report, which GitLab shows on a merge
    /// request.
    #[arg(long, value_name = "FILE", value_parser = report_file())]
    report_codequality: Option<PathBuf>,
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Exit> {
    let quality = args.report_codequality.as_deref().map(|path| ReportFile::new(path, "--report-codequality"));
    let quality = quality.transpose()?;
    let (jobs, wrong) = load_manifest::load_each(&args.jobs, Secrets::NotNeeded);
    if args.json {
        let errors: Vec<_> = wrong.iter().flat_map(Diagnostics::list).collect();
        stdout::print_json(&errors)?;
    } else {
        if shell.verbosity > Verbosity::Quiet {
            for job in &jobs {
                let series = match job.series.len() {
                    1 => "1 series".to_owned(),
                    many => format!("{} series", human::number(many as u64)),
                };
                let path = job.path.to_string_lossy();
                load_manifest::warn(job, shell);
                load_manifest::note(job, shell);
                shell.screen.line(&format!("{}: {}, {series}", escape(&path), shell.screen.paint.good("good")));
            }
        }
        // Last, where the user looks first.
        load_manifest::show(&wrong, args.jobs.len(), shell);
    }
    shell.ci.manifests(&wrong, &shell.screen);
    if let Some(file) = quality {
        let issues = code_quality::issues(&wrong, &jobs, now(), |path| shell.ci.named(path));
        let text = serde_json::to_string_pretty(&issues)?;
        file.write(format!("{}\n", in_json(&text)).as_bytes(), Saved::AtTheEnd)?;
    }
    jobs.iter().try_for_each(lock_owner::must_not_share)?;
    same_job::must_agree_among(&jobs, now())?;
    Ok(if wrong.is_empty() { Exit::Complete } else { Exit::Usage })
}
