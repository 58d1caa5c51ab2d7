//! `sunhaul lock`: writes the lock from the archive's records.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::clock::now;
use super::job_lock;
use super::job_lock::Locking;
use super::load_manifest::Secrets;
use super::lock_wait::{UntilCommandEnds, interrupted};
use super::options::ArchiveArg;
use super::selection::SelectionArgs;
use super::signals::Signals;
use super::{Exit, Result, Shell, limits, load_manifest, lock_owner, plan_job, stdout};
use crate::lock::{Moved, Takes};
use crate::manifest::Manifest;
use crate::plan;
use crate::report::human;
use crate::report::terminal::Verbosity;
use crate::run::budget::Budget;

/// Write the lock from the archive's records.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Write the lock from the archive's records.\n\n\
        The lock, `x.lock` beside `x.yaml`, is written from the day records of this archive, whatever it contained \
        before. Use it if the archive is right and the lock is missing or wrong, for example after a run with a \
        wrong clock: `today` is the current day. Days without a record stay as they are in the lock. Nothing is \
        downloaded, and no file is read; `sunhaul verify` compares files with records.",
    after_help = "Examples:\n  sunhaul lock jobs/december.yaml\n  git diff jobs/december.lock"
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
    lock_owner::must_be_clear(&job)?;
    for series in &job.series {
        plan::known_dates(series).map_err(plan_job::usage)?;
    }
    let now = now();
    let (job, moved) = limits::runtime()?.block_on(moved(job, now, shell))?;
    stdout::print(&format!("{}\n", job_lock::describe_move(&job, &moved, now)))?;
    let plan = plan_job::plan(&job, &SelectionArgs::default(), &Locking::looked_at(&job)?, now)?;
    let to_do = plan.counts().planned;
    if to_do > 0 && shell.verbosity > Verbosity::Quiet {
        let days = human::count(to_do, "day");
        let verb = if to_do == 1 { "is" } else { "are" };
        shell.screen.line(&format!("{days} of the job {verb} still to do: `sunhaul plan` shows them"));
    }
    Ok(Exit::Complete)
}

/// Moves the lock, on a thread that may wait for another process: a signal ends the wait.
async fn moved(job: Manifest, now: DateTime<Utc>, shell: &Shell) -> Result<(Manifest, Moved)> {
    let stop = Signals::stop(&shell.screen)?;
    let lock_wait = UntilCommandEnds::new(stop.clone(), Arc::new(Budget::unlimited()), shell.screen.clone());
    let write = move || {
        let moved = job_lock::move_on(&job, now, &Takes::All, &lock_wait)?;
        Ok((job, moved))
    };
    tokio::task::spawn_blocking(write).await?.map_err(|error| interrupted(error, &stop))
}
