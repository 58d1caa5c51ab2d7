//! `sunhaul run`: does what manifests ask, one job after another.
//!
//! This file checks all jobs first, starts them in turn, and lets the worst end count. The work itself is done in
//! `run`.

mod again;
mod html_report;
mod job;
mod lock_update;
mod report_writer;
mod reports;
mod run_end;
mod spot_check;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::budget::BudgetArgs;
use super::clock::now;
use super::halt::{Halt, Halted};
use super::job_lock::{LockArgs, Locking};
use super::load_manifest::Secrets;
use super::lock_wait::{UntilCommandEnds, interrupted};
use super::options::{ArchiveArg, SshArg};
use super::plan_job::{PlannedWork, Redo};
use super::problem;
use super::selection::SelectionArgs;
use super::signals::{self, Signals};
use super::sources::Sources;
use super::{Exit, Result, Shell, known_archive, limits, load_manifest, plan_job, regions, removed_series, same_job};
use crate::archive::LockWait;
use crate::manifest::{Manifest, RegionNumber, Series, SeriesId};
use crate::net::Net;
use crate::plan::Plan;
use crate::report::human;
use crate::report::terminal::Verbosity;
use crate::run::budget::Budget;
use crate::untrusted::escape;
pub(super) use again::again;
pub(super) use html_report::manifest;
pub(super) use job::{Ran, Task, Then, execute};
pub(super) use reports::{ReportArgs, ReportFiles, about};

/// Download the files that jobs request and the archive does not have yet.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Download the files that jobs request and the archive does not have yet.\n\n\
        Each day of each series is listed, downloaded, checked and sealed in a small record. Sealed days are not \
        requested again, and a run that was stopped, killed or cut off continues where it was. Days younger than the \
        manifest's `settle` stay provisional and are checked again next time; that is not a failure.\n\n\
        The lock, `x.lock` beside `x.yaml`, says what every file must be: keep it in git with the manifest. A run adds \
        the days that it does not have yet. A file whose bytes differ from the lock goes to quarantine, and its day \
        fails; `sunhaul update` moves the lock to what upstream has now.\n\n\
        All manifests are checked before the first job starts. The jobs run one after another and share the limits \
        of the hosts. A report of each run is written to `.sunhaul/runs/` in the archive.",
    after_help = "Examples:\n  sunhaul run jobs/quickstart.yaml\n  \
        sunhaul run jobs/nightly.yaml --report report.json\n  \
        sunhaul run jobs/december.yaml --report-html report.html --quicklook\n  \
        sunhaul run jobs/december.yaml --series cea --range 2015-12-11..2015-12-14\n  \
        sunhaul run jobs/december.yaml --frozen       exactly the files in the lock, or exit 3\n  \
        sunhaul run jobs/nightly.yaml --new-only      only what the lock does not have yet\n  \
        sunhaul run jobs/nightly.yaml --max-time 50m  stop before CI does; the next run continues\n\n\
        Exit codes: 0 complete, 1 incomplete and a retry will not help by itself, 2 usage or manifest, 3 the lock does \
        not match, 4 incomplete for a temporary reason (run the same command again), 5 local storage, 130 interrupted \
        (the same command continues from there; interrupt twice to stop at once)."
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct Args {
    /// Manifests.
    #[arg(required = true, value_name = "JOB")]
    jobs: Vec<PathBuf>,
    #[command(flatten)]
    lock: LockArgs,
    /// Check that files of sealed days still exist with the recorded size; download the missing ones again.
    #[arg(long)]
    check: bool,
    /// Download everything again if the archive that this machine had is missing. Without this option the run stops with
    /// exit code 5, because the disk may not be mounted. `--locked` and `--frozen` create the archive from the lock.
    #[arg(long)]
    rebuild: bool,
    /// Retry files that arrived corrupt in earlier runs now. Otherwise they are retried after 1, 2, 4, 8, 16 and 30 days.
    #[arg(long)]
    retry_failed: bool,
    /// Request files again that sealed days record as absent, and days sealed without a file. What has arrived since is
    /// added to the lock.
    #[arg(long, conflicts_with_all = ["locked", "frozen", "new_only"])]
    retry_absent: bool,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    archive: ArchiveArg,
    #[command(flatten)]
    ssh: SshArg,
    #[command(flatten)]
    reports: ReportArgs,
    // Last, since its heading would stand above the options that follow.
    #[command(flatten)]
    budget: BudgetArgs,
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Exit> {
    let budget = args.budget.begin();
    args.reports.begin(shell);
    let archive = args.archive.archive.as_deref();
    let Some(jobs) = load_manifest::load_all(&args.jobs, Secrets::Needed, archive, shell) else {
        return Ok(Exit::Usage);
    };
    let files = args.reports.open(jobs.len())?;
    same_job::must_not_undo(&jobs, now())?;
    limits::runtime()?.block_on(each(jobs, args, files, budget, shell))
}

/// A job that could begin.
struct ReadyJob {
    job: Manifest,
    /// Its network: what it was asked for counts as the job's.
    net: Net,
    locking: Locking,
    planned: Planned,
}

/// The plan of a job at an instant.
struct Planned {
    plan: Plan,
    at: DateTime<Utc>,
}

/// Finds out whether a job could begin.
fn bind(job: Manifest, args: &Args, shared: &CommandContext<'_>) -> Result<ReadyJob> {
    let locking = args.lock.read(&job)?;
    // `--locked` and `--frozen` build an archive from a lock alone, and `--new-only` skips days whose files are elsewhere.
    if !args.rebuild && locking.may_move() && !locking.takes_only_new() {
        known_archive::must_be_there(&job, locking.lock())?;
    }
    let halt = Halt::new(&shared.stop, &shared.budget);
    let planned = planned(&job, &locking, args, &halt)?;
    Ok(ReadyJob { job, net: shared.net.clone(), locking, planned })
}

fn planned(job: &Manifest, locking: &Locking, args: &Args, halt: &Halt<'_>) -> Result<Planned> {
    let at = now();
    let plan = plan_job::plan_until(job, &args.selection, locking, at, Some(halt))?;
    locking.must_fit(&plan)?;
    locking.must_be_writable(job, plan.counts().planned)?;
    Ok(Planned { plan, at })
}

/// What the jobs of one command share.
pub(super) struct CommandContext<'a> {
    files: ReportFiles,
    shell: &'a Shell,
    net: Net,
    sources: Sources,
    budget: Arc<Budget>,
    stop: CancellationToken,
}

impl<'a> CommandContext<'a> {
    /// Begins to share: from here on signals end the work in good order.
    ///
    /// # Errors
    /// When signals cannot be caught.
    pub(super) fn new(files: ReportFiles, net: Net, shell: &'a Shell) -> Result<CommandContext<'a>> {
        let stop = Signals::stop(&shell.screen)?;
        tokio::spawn(signals::let_go_of_bars(shell.screen.clone()));
        let budget = BudgetArgs::default().begin();
        Ok(CommandContext { files, shell, net, sources: Sources::default(), budget, stop })
    }

    /// How long locks are waited for.
    pub(super) fn lock_wait(&self) -> Arc<dyn LockWait> {
        Arc::new(UntilCommandEnds::new(self.stop.clone(), self.budget.clone(), self.shell.screen.clone()))
    }

    /// What an error comes to where a signal may have been its reason.
    pub(super) fn interrupted(&self, error: anyhow::Error) -> anyhow::Error {
        interrupted(error, &self.stop)
    }

    /// Tells of a run that could not begin, with what it asked of hosts by then.
    fn refused(&self, job: &Manifest, error: &anyhow::Error) {
        self.files.refused(job, error, self.net.hosts(), self.shell);
    }

    /// Ends what was started for the jobs.
    pub(super) async fn close(self) {
        self.net.close().await;
        self.sources.close().await;
    }
}

async fn each(
    jobs: Vec<Manifest>,
    args: &Args,
    files: ReportFiles,
    budget: Arc<Budget>,
    shell: &Shell,
) -> Result<Exit> {
    let mut shared = CommandContext { budget, ..CommandContext::new(files, args.ssh.net(), shell)? };
    let ended = in_turn(jobs, args, &mut shared).await;
    shared.close().await;
    ended
}

/// The jobs one after another.
async fn in_turn(jobs: Vec<Manifest>, args: &Args, shared: &mut CommandContext<'_>) -> Result<Exit> {
    // A series or range that a job does not have must be reported before any job starts.
    let mut bound = Vec::new();
    let mut worst = Exit::Complete;
    for mut job in jobs {
        shared.net = shared.net.next_run();
        // A source that does not answer must not stop the other jobs.
        if let Err(error) = find_dates(&mut job, args, shared).await {
            shared.refused(&job, &error);
            worst = worst.max(problem::report(&error, shared.shell));
            continue;
        }
        let about = job.clone();
        bound.push(bind(job, args, shared).inspect_err(|error| shared.refused(&about, error))?);
    }
    for (nth, bound) in bound.into_iter().enumerate() {
        if shared.stop.is_cancelled() {
            worst = worst.max(Exit::Interrupted);
            break;
        }
        // Days that jobs share may have been done by an earlier job.
        let is_fresh = nth == 0;
        let ended = one(bound, is_fresh, args, shared).await;
        worst = worst.max(ended.unwrap_or_else(|error| problem::report(&error, shared.shell)));
    }
    Ok(worst)
}

/// Looks up when the regions were seen that ranges of a job follow, where the lock does not say so.
async fn find_dates(job: &mut Manifest, args: &Args, shared: &mut CommandContext<'_>) -> Result<()> {
    let has_range = |series: &Series| series.regions.passage.is_some();
    if !job.series.iter().any(has_range) {
        return Ok(());
    }
    regions::must_be_locked(job, &args.lock.read(job)?)?;
    look_up(job, Series::unknown_of_range, shared).await?;
    regions::must_have_patches(job, has_range, shared.shell)
}

/// Looks up the patches of the regions that filters name, for series with days to do.
async fn find_patches(job: &mut Manifest, work: &PlannedWork, shared: &mut CommandContext<'_>) -> Result<()> {
    let ids: BTreeSet<SeriesId> = work.days.windows().map(|(id, _)| id.clone()).collect();
    let is_filtered = |series: &Series| ids.contains(&series.id) && series.filters.noaa.is_some();
    let unknown = |series: &Series| if is_filtered(series) { series.unknown_regions() } else { Vec::new() };
    look_up(job, unknown, shared).await?;
    regions::must_have_patches(job, |series| is_filtered(series) && series.regions.passage.is_none(), shared.shell)
}

/// Looks up regions, unless a signal or the end of the command's time comes before.
async fn look_up(
    job: &mut Manifest,
    wanted: impl Fn(&Series) -> Vec<RegionNumber>,
    shared: &mut CommandContext<'_>,
) -> Result<()> {
    let end = shared.budget.end();
    let time_up = async {
        match end {
            Some(end) => tokio::time::sleep_until(end).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        found = regions::look_up(job, wanted, &shared.net, &mut shared.sources, shared.shell) => found,
        () = shared.stop.cancelled() => Err(Halted::Interrupted.into()),
        () = time_up => Err(Halted::TimeUp.into()),
    }
}

/// Says which days a fixed range does not ask for any more. One that follows the clock leaves days behind all the time.
fn tell_outside(job: &Manifest, plan: &Plan, shell: &Shell) {
    for planned in plan.series.iter().filter(|planned| planned.kept > 0 && shell.verbosity > Verbosity::Quiet) {
        if job.series[planned.series].range.is_fixed() {
            let (days, id) = (human::count(planned.kept, "day"), escape(&planned.id.0));
            shell.screen.line(&format!(
                "note: {days} of `{id}` outside of its range, from before; `sunhaul forget` takes such days out"
            ));
        }
    }
}

/// Says which series leave the lock, since the manifest does not have them any more.
fn tell_removed(job: &Manifest, locking: &Locking, shell: &Shell) -> Result<()> {
    let Some(lock) = locking.lock().filter(|_| locking.may_move()) else { return Ok(()) };
    let removed = removed_series::in_lock(job, lock);
    if removed.is_empty() || shell.verbosity == Verbosity::Quiet {
        return Ok(());
    }
    for (series, days) in removed_series::days(job)?.into_iter().filter(|(series, _)| removed.contains(series)) {
        let line = removed_series::line(&job.path, &series.0, days);
        shell.screen.line(&format!("note: the lock lets go of {line}"));
    }
    Ok(())
}

/// One job, by its plan; one that is not fresh is made anew.
async fn one(bound: ReadyJob, is_fresh: bool, args: &Args, shared: &mut CommandContext<'_>) -> Result<Exit> {
    let ReadyJob { mut job, net, locking, planned: before } = bound;
    shared.net = net;
    let halt = Halt::new(&shared.stop, &shared.budget);
    let redo = Redo { check: args.check, retry_absent: args.retry_absent };
    let work = if is_fresh { Ok(before) } else { planned(&job, &locking, args, &halt) }.and_then(|planned| {
        tell_outside(&job, &planned.plan, shared.shell);
        let work = plan_job::work(&job, &planned.plan, redo, Some(&halt))?;
        locking.must_be_writable(&job, work.days.day_count())?;
        Ok((work, planned.at))
    });
    let (work, started) = work.inspect_err(|error| shared.refused(&job, error))?;
    if !args.check {
        spot_check::warn(&job, &work.sealed, shared.shell)?;
    }
    tell_removed(&job, &locking, shared.shell)?;
    if locking.may_move() {
        let found = find_patches(&mut job, &work, shared).await;
        found.inspect_err(|error| shared.refused(&job, error))?;
    }
    let then = if locking.may_move() { Then::Add } else { Then::Leave };
    let (retry_failed, again) = (args.retry_failed, shared.shell.words.clone());
    let task = Task { job: Arc::new(job), work, import_folder: None, locking, then, retry_failed, started, again };
    Ok(execute(task, shared).await?.exit)
}
