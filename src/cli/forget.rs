//! `sunhaul forget`: takes days out of a job's archive and lock.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::NaiveDate;

use super::args::ArchiveArg;
use super::clock::now;
use super::job::Secrets;
use super::lock_wait::{UntilCommandEnds, interrupted};
use super::problem::Problem;
use super::selection::Selection;
use super::signals::Signals;
use super::{Exit, Result, Shell, job, limits, lock_owner, locking, planning};
use crate::archive::{Archive, Opened, Reader, Retired, Trust};
use crate::day::{Scale, Window};
use crate::digest::Digest;
use crate::lock::{self, Takes};
use crate::manifest::{Manifest, SeriesId};
use crate::plan;
use crate::report::human;
use crate::report::terminal::Verbosity;
use crate::run::budget::Budget;
use crate::untrusted::escape;

/// Take days out of the archive and the lock.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Take days out of the archive and the lock.\n\n\
        A job's archive and lock grow: days that a range that follows the calendar has left behind stay, and so do those that a \
        manifest does not ask for any more. This command takes such days out. Their files go to `.sunhaul/work/retired/`, where \
        `sunhaul clean` deletes them, or are deleted at once with --delete; their records and their lines in the lock go. Files \
        that another day or job names as well, that were changed, or that were there before sunhaul stay where they are.\n\n\
        --series, --range or both say which days. A series may be one that the manifest does not have any more. Days that the \
        manifest still asks for come back with the next run.",
    after_help = "Examples:\n  sunhaul forget jobs/nightly.yaml --range ..today-365d --dry-run\n  \
        sunhaul forget jobs/december.yaml --series sharp_720s --delete\n  \
        sunhaul forget jobs/december.yaml --range 2015-12-01..2015-12-05"
)]
pub(super) struct Args {
    /// The manifest.
    #[arg(value_name = "JOB")]
    job: PathBuf,
    #[command(flatten)]
    selection: Selection,
    /// Delete the files, and what was retired of these days before.
    #[arg(long)]
    delete: bool,
    /// Only say what would be taken out.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    archive: ArchiveArg,
}

/// The days of one series to take out.
#[derive(Debug)]
struct Leaving {
    series: SeriesId,
    days: BTreeSet<NaiveDate>,
    /// What their records name.
    files: u64,
    bytes: u64,
    /// Those that the manifest still asks for.
    asked_for: u64,
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Exit> {
    let archive = args.archive.archive.as_deref();
    let Some(job) = job::load(&args.job, Secrets::NotNeeded, archive, shell) else { return Ok(Exit::Usage) };
    if args.selection.is_everything() {
        return Err(Problem::new(Exit::Usage, "nothing says which days are to be forgotten")
            .hint("name them with `--range A..B`, `--series ID` or both")
            .into());
    }
    lock_owner::must_be_clear(&job)?;
    let leaving = leaving(&job, &args.selection.resolve())?;
    if leaving.is_empty() {
        let message = "neither the archive nor the lock has any of these days";
        return Err(Problem::new(Exit::Usage, message).hint("`sunhaul status` shows which there are").into());
    }
    if args.dry_run {
        tell(&leaving, "would be taken out", shell);
        return Ok(Exit::Complete);
    }
    limits::runtime()?.block_on(take_out(job, leaving, args.delete, shell))
}

/// The days of the selection that this job has, by series.
fn leaving(job: &Manifest, selection: &plan::Selection) -> Result<Vec<Leaving>> {
    let records = Reader::open(&job.archive.root)?;
    let journalled = records.journalled()?;
    let lock = lock::Lock::read(&lock::path_of(&job.path), &job.name)?;
    let mut ids: BTreeSet<SeriesId> = job.series.iter().map(|series| series.id.clone()).collect();
    ids.extend(selection.series.iter().map(|id| SeriesId(id.clone())));
    let mut found = Vec::new();
    for id in ids.into_iter().filter(|id| selection.takes(id)) {
        must_be_safe(&id)?;
        let mut known = records.recorded(&id)?;
        known.extend(journalled.iter().filter(|(series, _)| *series == id).map(|(_, date)| *date));
        let locked: BTreeSet<NaiveDate> = lock.iter().flat_map(|lock| lock.dates(&id)).collect();
        known.extend(&locked);
        let series = job.series.iter().find(|series| series.id == id);
        let scale = series.map_or(Scale::Utc, |series| series.source.scale());
        let range = series.map(|series| series.range.resolve(now(), scale));
        let mut leaving = Leaving { series: id, days: BTreeSet::new(), files: 0, bytes: 0, asked_for: 0 };
        for date in known {
            let is_selected = selection.days_of(&Window::of_day(date), now(), scale).map_err(planning::usage)?;
            if is_selected.is_empty() {
                continue;
            }
            let held = held(&records, job, &leaving.series, date)?;
            if held.is_none() && !locked.contains(&date) {
                continue;
            }
            let held = held.unwrap_or_default();
            leaving.days.insert(date);
            leaving.files += held.files;
            leaving.bytes += held.bytes;
            leaving.asked_for += u64::from(range.is_some_and(|range| !range.day(date).window.is_empty()));
        }
        if !leaving.days.is_empty() {
            found.push(leaving);
        }
    }
    Ok(found)
}

/// What the archive has of a day of this job; none of another job's.
#[derive(Debug, Default)]
struct Held {
    spec: Option<Digest>,
    files: u64,
    bytes: u64,
}

fn held(records: &Reader, job: &Manifest, series: &SeriesId, date: NaiveDate) -> Result<Option<Held>> {
    if let Some(header) = records.header(series, date)? {
        let is_own = header.job == job.name;
        return Ok(is_own.then_some(Held { spec: Some(header.spec), files: header.files, bytes: header.bytes }));
    }
    let started = records.started(series, date)?.filter(|started| started.job.as_ref() == Some(&job.name));
    Ok(started.map(|started| Held { spec: None, files: started.files, bytes: started.bytes }))
}

/// Refuses an id that is no name of a folder: it comes from the command line.
fn must_be_safe(id: &SeriesId) -> Result<()> {
    if Path::new(&id.0).components().count() == 1 && !id.0.starts_with('.') && !id.0.contains(['/', '\\']) {
        return Ok(());
    }
    let message = format!("`{}` is no id of a series", escape(&id.0));
    Err(Problem::new(Exit::Usage, message).hint("`sunhaul status` shows the ids").into())
}

/// Takes the days out of the archive, and then out of the lock.
async fn take_out(job: Manifest, leaving: Vec<Leaving>, delete: bool, shell: &Shell) -> Result<Exit> {
    let stop = Signals::stop(&shell.screen)?;
    let lock_wait = Arc::new(UntilCommandEnds::new(stop.clone(), Arc::new(Budget::unlimited()), shell.screen.clone()));
    let has_archive = Reader::open(&job.archive.root)?.has_state()?;
    let work = move || -> Result<(Manifest, Vec<Leaving>)> {
        if has_archive {
            let archive = Archive::open(&job.archive.root, job.archive.lock)?.with_lock_wait(lock_wait.clone());
            forget_all(&job, &Arc::new(archive), &leaving, delete)?;
        }
        let is_left_out = |id: &SeriesId, date| leaving.iter().any(|one| one.series == *id && one.days.contains(&date));
        locking::move_on(&job, now(), &Takes::Without(&is_left_out), &*lock_wait)?;
        Ok((job, leaving))
    };
    let done = tokio::task::spawn_blocking(work).await?.map_err(|error| interrupted(error, &stop));
    let (_, leaving) = done?;
    let what = if delete { "taken out and deleted" } else { "taken out; `sunhaul clean` deletes the files" };
    tell(&leaving, what, shell);
    Ok(Exit::Complete)
}

fn forget_all(job: &Manifest, archive: &Arc<Archive>, leaving: &[Leaving], delete: bool) -> Result<()> {
    let records = Reader::open(&job.archive.root)?;
    let retired = if delete { Retired::Deleted } else { Retired::Kept };
    for Leaving { series, days, .. } in leaving {
        for date in days {
            let Some(held) = held(&records, job, series, *date)? else { continue };
            let spec = held.spec.unwrap_or_else(|| Digest::of(b""));
            match archive.take(series, *date, spec, &job.name, Trust::Files)? {
                Opened::Work(work) => {
                    work.forget(retired)?;
                }
                Opened::Done(_) => {}
                Opened::Held => {
                    let message = format!("another process works on {} {date}", escape(&series.0));
                    let hint = "the days before it are taken out; run the same command again when it has ended";
                    return Err(Problem::new(Exit::Later, message).hint(hint).into());
                }
            }
        }
    }
    Ok(())
}

fn tell(leaving: &[Leaving], what: &str, shell: &Shell) {
    if shell.verbosity == Verbosity::Quiet {
        return;
    }
    for Leaving { series, days, files, bytes, asked_for } in leaving {
        let days = human::count(days.len() as u64, "day");
        let files = human::count(*files, "file");
        shell.screen.line(&format!("{}: {days}, {files}, {} {what}", escape(&series.0), human::bytes(*bytes)));
        if *asked_for > 0 {
            let word = shell.screen.paint.care("warning:");
            let asked_for = human::count(*asked_for, "day");
            shell.screen.line(&format!(
                "{word} the manifest still asks for {asked_for} of {}, which the next run fetches again",
                escape(&series.0)
            ));
        }
    }
}
