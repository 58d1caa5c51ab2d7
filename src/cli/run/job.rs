//! Days of one job done: executed, reported, and the lock moved on.
//!
//! It does not choose the days: `run` takes them from the plan, `update` from the lock.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::CommandContext;
use super::again::again;
use super::lock_update::LockUpdate;
use super::report_writer::Follower;
use super::reports::{about, reason};
use super::run_end::RunEnd;
use crate::archive::{Archive, Reader, Trust};
use crate::cli::clock::{now, run_id};
use crate::cli::gitignore::{self, GitignoreRule};
use crate::cli::job_lock;
use crate::cli::job_lock::Locking;
use crate::cli::plan_job::PlannedWork;
use crate::cli::report_file::Saved;
use crate::cli::{Exit, Result, Shell, known_archive, same_job};
use crate::failure::Class;
use crate::lock::Moved;
use crate::manifest::{Manifest, SeriesId, folder_of};
use crate::report::model::RunResult;
use crate::report::regions;
use crate::report::terminal::{Progress, Summary, Verbosity, summary};
use crate::report::{Collector, Log, Report, is_left_to_the_source};
use crate::run::event::{DayId, Event, Observer as _};
use crate::run::{self, ImportFolder, RunOrder, RunOutcome, Todo};
use crate::untrusted::escape;

/// How long after an empty listing the second look is taken.
const SECOND_LOOK: Duration = Duration::from_secs(30);

/// What is to be done, and what becomes of the lock then.
pub(in crate::cli) struct Task {
    /// The job.
    pub(in crate::cli) job: Arc<Manifest>,
    /// Its days.
    pub(in crate::cli) work: PlannedWork,
    /// The lock that the files are held to.
    pub(in crate::cli) locking: Locking,
    /// What becomes of the lock.
    pub(in crate::cli) then: Then,
    /// Retry files that arrived corrupt in earlier runs now, although they are not due.
    pub(in crate::cli) retry_failed: bool,
    /// When the command started.
    pub(in crate::cli) started: DateTime<Utc>,
    /// Files are taken from here, and none is fetched.
    pub(in crate::cli) import_folder: Option<Arc<ImportFolder>>,
    /// The command that goes on from where it ends, the program's name first.
    pub(in crate::cli) again: Vec<OsString>,
}

/// What becomes of the lock when the days are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Then {
    /// It stays as it is.
    Leave,
    /// It gets the days that it does not have.
    Add,
    /// The days that were done replace what it has of them.
    Replace,
}

/// A task that has ended.
#[derive(Debug)]
pub(in crate::cli) struct Ran {
    /// How.
    pub(in crate::cli) exit: Exit,
    /// Its report.
    pub(in crate::cli) report: Report,
    /// Where that lies.
    pub(in crate::cli) saved: PathBuf,
}

/// A run that has ended, with its report.
struct ReportedRun {
    ran: Ran,
    /// What the command fails with all the same.
    error: Option<anyhow::Error>,
}

/// Does the days of a task.
///
/// # Errors
/// When nothing could be begun, or the report or the lock cannot be written.
pub(in crate::cli) async fn execute(task: Task, shared: &mut CommandContext<'_>) -> Result<Ran> {
    let job = task.job.clone();
    match carry_out(task, shared).await {
        Ok(ReportedRun { ran, error: None }) => Ok(ran),
        Ok(ReportedRun { error: Some(error), .. }) => Err(shared.interrupted(error)),
        Err(error) => {
            let error = shared.interrupted(error);
            shared.refused(&job, &error);
            Err(error)
        }
    }
}

/// Downloads the days, moves the lock on and reports.
///
/// # Errors
/// What kept the run from being reported.
async fn carry_out(mut task: Task, shared: &mut CommandContext<'_>) -> Result<ReportedRun> {
    let is_new = !Reader::open(&task.job.archive.root)?.has_state()?;
    let retried: BTreeSet<DayId> = task.work.days.days_done(|how| how.retry_absent).collect();
    let archive = open_archive(&task, shared)?;
    let follower = begin(&task, &archive, shared).await?;
    for todo in std::mem::take(&mut task.work.left) {
        put_away(archive.clone(), todo, task.job.name.clone()).await?;
    }
    let outcome = download(&mut task, archive, &follower, shared).await.map_err(|error| shared.interrupted(error));
    follower.progress.close();
    let ends = follower.collector.ends();
    let lock = write_lock(&task, retried, &follower, shared).await?;
    let end = RunEnd { outcome, lock, ends, is_adoption: task.import_folder.is_some() };
    let report = complete_report(&task, &end, &follower).await?;
    let saved = publish(&task, &end, &report, &follower, shared).await;
    if is_new && shared.shell.verbosity > Verbosity::Quiet {
        suggest_to_ignore(&task.job, shared.shell);
    }
    let path = saved_path(&report, &task.job);
    shared.shell.ci.ran(&report, Some(&path), &shared.shell.screen);
    // Quick looks take time, so the web page comes last.
    let paged = shared.files.write_page(&report, &task.job.archive.root, &shared.stop).await;
    let ran = Ran { exit: end.exit(), report, saved: path };
    let error = end.outcome.err().or(saved.err()).or(paged.err()).or(end.lock.and_then(Result::err));
    Ok(ReportedRun { ran, error })
}

/// Opens the archive, and notes whose it is.
fn open_archive(task: &Task, shared: &CommandContext<'_>) -> Result<Arc<Archive>> {
    let Manifest { archive, .. } = &*task.job;
    let archive = Arc::new(Archive::open(&archive.root, archive.lock)?.with_lock_wait(shared.lock_wait()));
    same_job::claim(&task.job, &archive, task.started)?;
    known_archive::note(&task.job);
    Ok(archive)
}

/// Begins the report of a run, and writes it for the first time.
async fn begin(task: &Task, archive: &Arc<Archive>, shared: &CommandContext<'_>) -> Result<Arc<Follower>> {
    let Task { job, work, started, .. } = task;
    let (shell, run) = (shared.shell, run_id(*started));
    let about = about(job, task.locking.lock().map(|lock| lock.sha256().to_string()));
    let collector = Collector::new(run.clone(), *started, about);
    collector.expect(work.days.windows(), work.sealed.iter().map(|(series, window)| (series, *window)));
    let follower = Arc::new(Follower {
        collector,
        progress: Progress::new(shell.screen.clone(), shell.verbosity),
        log: shell.screen.is_log().then(|| Log::new(&run, &job.name, shell.verbosity)),
        archive: archive.clone(),
        net: shared.net.clone(),
        run,
        files: shared.files.clone(),
    });
    // Looking up regions has already made requests.
    follower.on(Event::Hosts(shared.net.hosts()));
    // A report that cannot be written fails the run before anything is downloaded.
    follower.save(follower.collector.snapshot(), Saved::Meanwhile).await?;
    Ok(follower)
}

/// Downloads the days of a task, which it takes out of it.
async fn download(
    task: &mut Task,
    archive: Arc<Archive>,
    follower: &Arc<Follower>,
    shared: &mut CommandContext<'_>,
) -> Result<RunOutcome> {
    let days = std::mem::take(&mut task.work.days);
    let already_sealed = task.work.sealed.iter().map(|(_, window)| window.day_count()).sum();
    // Only the sources of series with days to do are opened: a run with nothing to do talks to nobody.
    let todo: BTreeSet<SeriesId> = days.windows().map(|(series, _)| series.clone()).collect();
    let bases = shared.sources.bases(&task.job, |id| todo.contains(id)).await;
    let bases = bases.inspect_err(|_| follower.on(Event::Planned { planned: days.day_count(), already_sealed }))?;
    let order = RunOrder {
        manifest: task.job.clone(),
        days,
        already_sealed,
        archive,
        locked: task.locking.locked().filter(|_| task.then != Then::Replace),
        net: shared.net.clone(),
        bases,
        run: follower.run.clone(),
        observer: follower.clone(),
        stop: shared.stop.clone(),
        budget: shared.budget.clone(),
        now,
        second_look: SECOND_LOOK,
        retry_failed: task.retry_failed,
        import_folder: task.import_folder.clone(),
    };
    run_and_follow(order, follower).await
}

/// Moves the lock on by what the report says was done, where it is to be moved. Days whose absent files were requested
/// again, the `retried` ones, replace what it has of them.
async fn write_lock(
    task: &Task,
    retried: BTreeSet<DayId>,
    follower: &Follower,
    shared: &CommandContext<'_>,
) -> Result<Option<Result<Moved>>> {
    let update = LockUpdate {
        job: task.job.clone(),
        started: task.started,
        done: follower.collector.snapshot(),
        lock_wait: shared.lock_wait(),
    };
    let moved = match task.then {
        Then::Leave => return Ok(None),
        Then::Add => tokio::task::spawn_blocking(move || update.add(&retried)).await?,
        Then::Replace => tokio::task::spawn_blocking(move || update.replace()).await?,
    };
    Ok(Some(moved.map_err(|error| shared.interrupted(error))))
}

/// The report of a run at its end.
async fn complete_report(task: &Task, end: &RunEnd, follower: &Follower) -> Result<Report> {
    let (exit, result) = (end.exit(), end.result());
    let mut report = follower.collector.finish(result, exit.code(), now());
    if let (Ok(outcome), RunResult::Incomplete) = (&end.outcome, result) {
        report.run.ended_by = outcome.spent;
    }
    // An interrupted run does not wait for records to be read.
    if result != RunResult::Interrupted {
        let regions::ReportRegions { regions, omitted } = regions_of(&task.job, &follower.collector).await?;
        (report.regions, report.regions_omitted) = (regions, omitted);
    }
    if let Some(moved) = end.moved() {
        report.job.lock_sha256 = moved.sha256.map(|sha256| sha256.to_string());
        report.job.lock_changed = moved.changed;
    }
    report.run.error = end.error().map(reason);
    report.run.again = (result != RunResult::Complete).then(|| command_to_resume(task, &report));
    report.run.is_adoption = end.is_adoption;
    if let Some(log) = &follower.log {
        log.ended(&report);
    }
    Ok(report)
}

/// The command that goes on from where a run ended.
fn command_to_resume(task: &Task, report: &Report) -> String {
    let retries = is_left_to_the_source(report) && !task.retry_failed;
    let words: Vec<OsString> = task.again.iter().cloned().chain(retries.then(|| "--retry-failed".into())).collect();
    again(&words)
}

/// Saves a finished report, and prints its summary.
///
/// # Errors
/// When the report cannot be saved; the summary is printed all the same.
async fn publish(
    task: &Task,
    end: &RunEnd,
    report: &Report,
    follower: &Arc<Follower>,
    shared: &CommandContext<'_>,
) -> Result<()> {
    let (job, shell) = (&task.job, shared.shell);
    let lock = end.moved().filter(|moved| moved.sha256.is_some());
    let lock = lock.map(|moved| job_lock::describe_move(job, moved, task.started));
    let what = Summary {
        report,
        root: &job.archive.root,
        lock: lock.as_deref(),
        is_held: !task.locking.may_move(),
        is_checked: task.work.is_checked,
        saved: &saved_path(report, job),
        again: &command_to_resume(task, report),
    };
    let summary = summary(&what, shell.verbosity, shell.screen.paint);
    let saved = follower.save(report.clone(), Saved::AtTheEnd).await;
    if let (Ok(_), Some(summary), None) = (&end.outcome, summary, &follower.log) {
        shell.screen.line(&summary);
    }
    saved
}

/// Where the report of a run lies.
fn saved_path(report: &Report, job: &Manifest) -> PathBuf {
    Archive::runs_path(&job.archive.root).join(format!("{}.json", report.run.id))
}

/// Says how to leave a new archive out of the git repository that it lies in.
fn suggest_to_ignore(job: &Manifest, shell: &Shell) {
    // A `.gitignore` that cannot be read must not fail a run.
    if let Ok(Some(GitignoreRule { rule, file })) = gitignore::lacking(folder_of(&job.path), &job.archive.root) {
        let (root, file) = (job.archive.root.to_string_lossy(), file.to_string_lossy());
        shell.screen.line(&format!(
            "note: the archive `{}` lies in a git repository that does not ignore it: add the line `{rule}` to `{}`",
            escape(&root),
            escape(&file)
        ));
    }
}

/// Puts away what a kill left of a sealed day. What cannot be read, and what another process works on, stays.
async fn put_away(archive: Arc<Archive>, todo: Todo, job: String) -> Result<()> {
    let take = move || archive.take(&todo.series, todo.day.date, todo.spec, &job, Trust::All);
    match tokio::task::spawn_blocking(take).await? {
        Ok(_) => Ok(()),
        Err(error) if error.class() == Class::Record => {
            tracing::warn!(%error, "it stays as it is");
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// How complete the regions are that the days done have. What cannot be read is no reason to fail a run that is over.
async fn regions_of(job: &Arc<Manifest>, collector: &Collector) -> Result<regions::ReportRegions> {
    let (job, report) = (job.clone(), collector.snapshot());
    let read = move || regions::of_run(&job, &report, &Reader::open(&job.archive.root)?, now());
    Ok(tokio::task::spawn_blocking(read).await?.unwrap_or_else(|error| {
        tracing::warn!(%error, "the report does not say how complete regions are");
        regions::ReportRegions::default()
    }))
}

/// Executes an order while the report is kept fresh and the bars are drawn.
async fn run_and_follow(order: RunOrder, follower: &Arc<Follower>) -> Result<RunOutcome> {
    let ended = CancellationToken::new();
    let following = tokio::spawn(follower.clone().follow(ended.clone()));
    let outcome = run::execute(order).await;
    ended.cancel();
    // Wait for it, so that no interim report overwrites the final one.
    following.await?;
    Ok(outcome?)
}
