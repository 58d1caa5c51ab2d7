//! Days of one job done: executed, reported, and the lock moved on.
//!
//! What it does not do: choose the days. `run` takes them from the plan, `update` from the lock.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use tokio_util::sync::CancellationToken;

use super::CommandContext;
use super::again::again;
use super::report_writer::Follower;
use super::reports::{about, reason};
use crate::archive::{Archive, LockWait, Reader, Trust};
use crate::cli::clock::{now, run_id};
use crate::cli::gitignore::{self, GitignoreRule};
use crate::cli::job_lock;
use crate::cli::job_lock::Locking;
use crate::cli::plan_job::PlannedWork;
use crate::cli::report_file::Saved;
use crate::cli::{Exit, Result, Shell, known_archive, problem, same_job};
use crate::failure::Class;
use crate::lock::{Moved, Takes};
use crate::manifest::{Manifest, SeriesId, folder_of};
use crate::report::model::RunResult;
use crate::report::regions;
use crate::report::terminal::{Progress, Summary, Verbosity, summary};
use crate::report::{Collector, Ends, Log, Report, is_left_to_the_source};
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
    /// Files that came wrong are asked for now, and not after days.
    pub(in crate::cli) retry_failed: bool,
    /// When the command began.
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

/// Does the days of a task.
///
/// # Errors
/// When nothing could be begun, or the report or the lock cannot be written.
pub(in crate::cli) async fn execute(task: Task, shared: &mut CommandContext<'_>) -> Result<Ran> {
    let job = task.job.clone();
    let mut is_told = false;
    let ran = carry_out(task, shared, &mut is_told).await.map_err(|error| shared.interrupted(error));
    if let Err(error) = &ran
        && !is_told
    {
        shared.refused(&job, error);
    }
    ran
}

/// Does them; `is_told` when the run was told of, however it ended.
async fn carry_out(task: Task, shared: &mut CommandContext<'_>, is_told: &mut bool) -> Result<Ran> {
    let shell = shared.shell;
    let Task { job, work: planned, import_folder, locking, then, retry_failed, started, again: mut words } = task;
    let is_adoption = import_folder.is_some();
    let id = run_id(started);
    let is_new = !Reader::open(&job.archive.root)?.has_state()?;
    let archive = Arc::new(Archive::open(&job.archive.root, job.archive.lock)?.with_lock_wait(shared.lock_wait()));
    same_job::claim(&job, &archive, started)?;
    known_archive::note(&job);
    let about = about(&job, locking.lock().map(|lock| lock.sha256().to_string()));
    let collector = Collector::new(id.clone(), started, about);
    let retried = planned.days.days_done(|how| how.retry_absent).collect();
    let is_checked = planned.is_checked;
    let already_sealed = planned.sealed.iter().map(|(_, window)| window.day_count()).sum();
    collector.expect(planned.days.windows(), planned.sealed.iter().map(|(series, window)| (series, *window)));
    let follower = Arc::new(Follower {
        collector,
        progress: Progress::new(shell.screen.clone(), shell.verbosity),
        log: shell.screen.is_log().then(|| Log::new(&id, &job.name, shell.verbosity)),
        archive: archive.clone(),
        net: shared.net.clone(),
        run: id.clone(),
        files: shared.files.clone(),
    });
    // Regions were looked up by then.
    follower.on(Event::Hosts(shared.net.hosts()));
    // A report that cannot be written is told before anything is fetched.
    follower.save(follower.collector.snapshot(), Saved::Meanwhile).await?;

    for todo in planned.left {
        put_away(archive.clone(), todo, job.name.clone()).await?;
    }
    // Only the sources of series with days to do are opened: a run with nothing to do talks to nobody.
    let todo: BTreeSet<SeriesId> = planned.days.windows().map(|(series, _)| series.clone()).collect();
    let result = match shared.sources.bases(&job, |id| todo.contains(id)).await {
        Err(error) => {
            follower.on(Event::Planned { planned: planned.days.day_count(), already_sealed });
            Err(error)
        }
        Ok(bases) => {
            let order = RunOrder {
                manifest: job.clone(),
                days: planned.days,
                already_sealed,
                archive,
                locked: locking.locked().filter(|_| then != Then::Replace),
                net: shared.net.clone(),
                bases,
                run: id,
                observer: follower.clone(),
                stop: shared.stop.clone(),
                budget: shared.budget.clone(),
                now,
                second_look: SECOND_LOOK,
                retry_failed,
                import_folder,
            };
            run_and_follow(order, &follower).await
        }
    };
    let result = result.map_err(|error| shared.interrupted(error));
    follower.progress.close();

    let ends = follower.collector.ends();
    // What the imported folder does not have is for a run to fetch: taking in the rest was all that was asked.
    let is_left = is_adoption && ends.unfinished > 0;
    let exit = match &result {
        Ok(outcome) if is_left && !outcome.interrupted => {
            Exit::of_run(&undone(Ends { unfinished: 0, ..ends }, outcome), false)
        }
        Ok(outcome) => Exit::of_run(&undone(ends, outcome), outcome.interrupted),
        Err(error) => problem::explain(error).0,
    };
    let moved = match then {
        Then::Leave => None,
        then => {
            let (job, report, lock_wait) = (job.clone(), follower.collector.snapshot(), shared.lock_wait());
            let write = move || move_lock(&job, then, (started, &retried), &report, &*lock_wait);
            let moved = tokio::task::spawn_blocking(write).await?;
            Some(moved.map_err(|error| shared.interrupted(error)))
        }
    };
    let exit = moved.as_ref().and_then(|moved| moved.as_ref().err()).map_or(exit, |e| exit.max(problem::explain(e).0));
    let word = match exit {
        Exit::Complete if is_left => RunResult::Incomplete,
        Exit::Complete => RunResult::Complete,
        Exit::Interrupted => RunResult::Interrupted,
        Exit::Incomplete | Exit::Later | Exit::Lock | Exit::Storage | Exit::Usage => RunResult::Incomplete,
    };
    let mut report = follower.collector.finish(word, exit.code(), now());
    if let (Ok(outcome), RunResult::Incomplete) = (&result, word) {
        report.run.ended_by = outcome.spent;
    }
    // Who interrupts a run does not wait for records to be read.
    if word != RunResult::Interrupted {
        let regions::ReportRegions { regions, omitted } = regions_of(&job, &follower.collector).await?;
        (report.regions, report.regions_omitted) = (regions, omitted);
    }
    if let Some(Ok(moved)) = &moved {
        report.job.lock_sha256 = moved.sha256.map(|sha256| sha256.to_string());
        report.job.lock_changed = moved.changed;
    }
    let failed = result.as_ref().err().or(moved.as_ref().and_then(|moved| moved.as_ref().err()));
    report.run.error = failed.map(reason);
    if is_left_to_the_source(&report) && !retry_failed {
        words.push("--retry-failed".into());
    }
    let again = again(&words);
    report.run.again = (word != RunResult::Complete).then(|| again.clone());
    report.run.is_adoption = is_adoption;
    if let Some(log) = &follower.log {
        log.ended(&report);
    }
    let root = &job.archive.root;
    let path = Archive::runs_path(root).join(format!("{}.json", report.run.id));
    let lock = moved.as_ref().and_then(|moved| moved.as_ref().ok()).filter(|moved| moved.sha256.is_some());
    let lock = lock.map(|moved| job_lock::describe_move(&job, moved, started));
    let is_held = !locking.may_move();
    let told =
        Summary { report: &report, root, lock: lock.as_deref(), is_held, is_checked, saved: &path, again: &again };
    let words = summary(&told, shell.verbosity, shell.screen.paint);
    let saved = follower.save(report.clone(), Saved::AtTheEnd).await;
    if let (Ok(_), Some(words), None) = (&result, words, &follower.log) {
        shell.screen.line(&words);
    }
    if is_new && shell.verbosity > Verbosity::Quiet {
        suggest_to_ignore(&job, shell);
    }
    shell.ci.ran(&report, Some(&path), &shell.screen);
    *is_told = true;
    // Quick looks take their time, and nothing else waits for them.
    let paged = shared.files.write_page(&report, root, &shared.stop).await;
    result?;
    saved?;
    paged?;
    moved.transpose()?;
    Ok(Ran { exit, report, saved: path })
}

/// Says how to leave a new archive out of the git repository that it lies in.
fn suggest_to_ignore(job: &Manifest, shell: &Shell) {
    // A `.gitignore` that cannot be read is none of a run's business.
    if let Ok(Some(GitignoreRule { rule, file })) = gitignore::lacking(folder_of(&job.path), &job.archive.root) {
        let (root, file) = (job.archive.root.to_string_lossy(), file.to_string_lossy());
        shell.screen.line(&format!(
            "note: the archive `{}` lies in a git repository that does not ignore it: add the line `{rule}` to `{}`",
            escape(&root),
            escape(&file)
        ));
    }
}

/// Moves the lock on by what the report says was done, on a thread that may wait for another process. Days whose absent files were asked for again replace what it has
/// of them.
fn move_lock(
    job: &Manifest,
    then: Then,
    (started, retried): (DateTime<Utc>, &BTreeSet<DayId>),
    report: &Report,
    lock_wait: &dyn LockWait,
) -> Result<Moved> {
    let done: BTreeSet<(&str, NaiveDate)> = report.done().collect();
    let is_done = |series: &SeriesId, date| done.contains(&(series.0.as_str(), date));
    if then == Then::Replace {
        return job_lock::move_on(job, started, &Takes::Chosen(&is_done), lock_wait);
    }
    let added = job_lock::move_on(job, started, &Takes::Missing, lock_wait)?;
    if retried.is_empty() {
        return Ok(added);
    }
    let is_retried =
        |series: &SeriesId, date| is_done(series, date) && retried.contains(&DayId { series: series.clone(), date });
    let moved = job_lock::move_on(job, started, &Takes::Chosen(&is_retried), lock_wait)?;
    Ok(Moved { changed: added.changed || moved.changed, ..moved })
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
    // Waited for: a report of the middle must not be written over the one of the end.
    following.await?;
    Ok(outcome?)
}

/// What is left undone, by the events and by the run's own word.
fn undone(mut ends: Ends, outcome: &RunOutcome) -> Ends {
    ends.classes.extend(&outcome.classes);
    ends
}
