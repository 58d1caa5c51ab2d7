//! `sunhaul forget`: takes days out of a job's archive and lock.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};

use super::clock::now;
use super::load_manifest::Secrets;
use super::lock_wait::{UntilCommandEnds, interrupted};
use super::options::ArchiveArg;
use super::problem::CliError;
use super::selection::SelectionArgs;
use super::signals::Signals;
use super::{Exit, Result, Shell, environment, job_lock, limits, load_manifest, lock_owner, plan_job, same_job};
use crate::archive::{Archive, Opened, Reader, Retired, Trust};
use crate::day::{Scale, Window};
use crate::digest::Digest;
use crate::lock::{self, Takes};
use crate::manifest::{self, Manifest, SeriesId};
use crate::plan;
use crate::report::human;
use crate::report::terminal::Verbosity;
use crate::run::budget::Budget;
use crate::untrusted::escape;

/// Remove days from the archive and the lock.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Remove days from the archive and the lock.\n\n\
        A job's archive and lock grow: days that a range that follows the calendar has left behind stay, and so do those that a \
        manifest no longer asks for. This command takes such days out. Their files go to `.sunhaul/work/retired/`, where \
        `sunhaul clean` deletes them, or are deleted at once with --delete; their records and their lines in the lock go. Files \
        that another day names as well, that were changed, or that were there before sunhaul stay where they are.\n\n\
        --series, --range or both say which days. A series may be one that the manifest no longer has. Days that the \
        manifest still asks for come back with the next run, without a download where their files are still there.",
    after_help = "Examples:\n  sunhaul forget jobs/nightly.yaml --range ..today-365d --dry-run\n  \
        sunhaul forget jobs/december.yaml --series sharp_720s --delete\n  \
        sunhaul forget jobs/december.yaml --range 2015-12-01..2015-12-05"
)]
pub(super) struct Args {
    /// The manifest.
    #[arg(value_name = "JOB")]
    job: PathBuf,
    #[command(flatten)]
    selection: SelectionArgs,
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
    /// Files that have gone.
    gone: u64,
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Exit> {
    let archive = args.archive.archive.as_deref();
    let Some(job) = load_manifest::load(&args.job, Secrets::NotNeeded, archive, shell) else { return Ok(Exit::Usage) };
    if args.selection.is_everything() {
        return Err(CliError::new(Exit::Usage, "no days are selected")
            .hint("name them with `--range A..B`, `--series ID` or both")
            .into());
    }
    lock_owner::must_be_clear(&job)?;
    must_be_whole_days(&args.selection.resolve())?;
    let leaving = leaving(&job, &args.selection.resolve())?;
    if leaving.is_empty() {
        let message = "neither the archive nor the lock has any of these days";
        return Err(CliError::new(Exit::Usage, message).hint("`sunhaul status` shows which there are").into());
    }
    must_be_there(&job)?;
    same_job::must_not_undo(std::slice::from_ref(&job), now())?;
    must_be_alone(&job, &leaving)?;
    if args.dry_run {
        tell_plan(&leaving, args.delete, shell);
        return Ok(Exit::Complete);
    }
    limits::runtime()?.block_on(take_out(job, leaving, args.delete, shell))
}

/// Refuses a range that begins or ends within a day: days are taken out whole.
fn must_be_whole_days(selection: &plan::Selection) -> Result<()> {
    let Some(stretch) = &selection.range else { return Ok(()) };
    let window = stretch.window(now(), Scale::Utc).map_err(plan_job::usage)?;
    let is_open = |end: NaiveDateTime| end == NaiveDateTime::MIN || end == NaiveDateTime::MAX;
    if [window.start, window.end].into_iter().all(|end| is_open(end) || end.time() == NaiveTime::MIN) {
        return Ok(());
    }
    let message = format!("the range `{stretch}` has a part of a day, and days are forgotten whole");
    Err(CliError::new(Exit::Usage, message).hint("write dates, such as `2015-12-11..2015-12-14`").into())
}

/// Refuses where the archive is missing: its files would stay, and nothing would know them.
fn must_be_there(job: &Manifest) -> Result<()> {
    let root = &job.archive.root;
    if Reader::open(root)?.has_state()? {
        return Ok(());
    }
    let message = format!("no archive at `{}`", escape(&root.to_string_lossy()));
    let hint =
        "a disk may have to be mounted first; `--archive` names another one; git takes lines out of a lock alone";
    Err(CliError::new(Exit::Storage, message).hint(hint).into())
}

/// Refuses where another job of the archive has a series with the same id: days that both ask for have one record.
fn must_be_alone(job: &Manifest, leaving: &[Leaving]) -> Result<()> {
    let records = Reader::open(&job.archive.root)?;
    for other in records.jobs()?.into_iter().filter(|name| *name != job.name) {
        for maker in records.makers(&other)?.unwrap_or_default() {
            let path = job.archive.root.join(maker);
            let Ok(manifest) = manifest::load(&path, &environment::variable) else { continue };
            let shares = |one: &&Leaving| manifest.series.iter().any(|series| series.id == one.series);
            let Some(common) = leaving.iter().find(shares).filter(|_| manifest.name == other) else { continue };
            let message = format!(
                "`{}` is the job `{}` in the same archive, and has a series `{}` as well: its days may be those to be forgotten",
                escape(&path.to_string_lossy()),
                escape(&other),
                escape(&common.series.0)
            );
            let hint =
                "take the series out of one of the manifests, or give it another id there with `as:`, and run that job";
            return Err(CliError::new(Exit::Usage, message).hint(hint).into());
        }
    }
    Ok(())
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
        let mut leaving = Leaving { series: id, days: BTreeSet::new(), files: 0, bytes: 0, asked_for: 0, gone: 0 };
        for date in known {
            let is_selected = selection.days_of(&Window::of_day(date), now(), scale).map_err(plan_job::usage)?;
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
struct ForgottenDay {
    spec: Option<Digest>,
    files: u64,
    bytes: u64,
}

fn held(records: &Reader, job: &Manifest, series: &SeriesId, date: NaiveDate) -> Result<Option<ForgottenDay>> {
    if let Some(header) = records.header(series, date)? {
        let is_own = header.job == job.name;
        return Ok(is_own.then_some(ForgottenDay {
            spec: Some(header.spec),
            files: header.files,
            bytes: header.bytes,
        }));
    }
    let started = records.started(series, date)?.filter(|started| started.job.as_ref() == Some(&job.name));
    Ok(started.map(|started| ForgottenDay { spec: None, files: started.files, bytes: started.bytes }))
}

/// Refuses an id that is no name of a folder: it comes from the command line.
fn must_be_safe(id: &SeriesId) -> Result<()> {
    if Path::new(&id.0).components().count() == 1 && !id.0.starts_with('.') && !id.0.contains(['/', '\\']) {
        return Ok(());
    }
    let message = format!("`{}` is no id of a series", escape(&id.0));
    Err(CliError::new(Exit::Usage, message).hint("`sunhaul status` shows the ids").into())
}

/// Takes the days out of the archive, and then out of the lock.
async fn take_out(job: Manifest, leaving: Vec<Leaving>, delete: bool, shell: &Shell) -> Result<Exit> {
    let stop = Signals::stop(&shell.screen)?;
    let lock_wait = Arc::new(UntilCommandEnds::new(stop.clone(), Arc::new(Budget::unlimited()), shell.screen.clone()));
    let work = move || -> Result<Vec<Leaving>> {
        let archive = Archive::open(&job.archive.root, job.archive.lock)?.with_lock_wait(lock_wait.clone());
        let leaving = forget_all(&job, &Arc::new(archive), leaving, delete)?;
        let is_left_out = |id: &SeriesId, date| leaving.iter().any(|one| one.series == *id && one.days.contains(&date));
        job_lock::move_on(&job, now(), &Takes::Without(&is_left_out), &*lock_wait)?;
        Ok(leaving)
    };
    let leaving = tokio::task::spawn_blocking(work).await?.map_err(|error| interrupted(error, &stop))?;
    tell_end(&leaving, delete, shell);
    Ok(Exit::Complete)
}

/// Forgets the days; gives them with what has gone.
fn forget_all(job: &Manifest, archive: &Arc<Archive>, leaving: Vec<Leaving>, delete: bool) -> Result<Vec<Leaving>> {
    let records = Reader::open(&job.archive.root)?;
    let retired = if delete { Retired::Deleted } else { Retired::Kept };
    let mut gone = Vec::new();
    for mut one in leaving {
        for date in &one.days {
            let Some(held) = held(&records, job, &one.series, *date)? else { continue };
            let spec = held.spec.unwrap_or_else(|| Digest::sha256(b""));
            match archive.take(&one.series, *date, spec, &job.name, Trust::Files)? {
                Opened::Work(work) => one.gone += work.forget(retired)?,
                Opened::Done(_) => {}
                Opened::Held => {
                    let message = format!("another process works on {} {date}", escape(&one.series.0));
                    let hint = "the days before it are taken out; run the same command again when it has ended";
                    return Err(CliError::new(Exit::Later, message).hint(hint).into());
                }
            }
        }
        gone.push(one);
    }
    Ok(gone)
}

/// Says what would go.
fn tell_plan(leaving: &[Leaving], delete: bool, shell: &Shell) {
    for Leaving { series, days, files, bytes, .. } in leaving {
        let (days, files) = (human::count(days.len() as u64, "day"), human::count(*files, "file"));
        let bytes = human::bytes(*bytes);
        print_line(&format!("{}: {days}, {files}, {bytes} would be taken out", escape(&series.0)), shell);
    }
    warn_of_asked_for(leaving, delete, shell);
}

/// Says what has gone.
fn tell_end(leaving: &[Leaving], delete: bool, shell: &Shell) {
    let how = if delete { "deleted" } else { "moved to `.sunhaul/work/retired`, where `sunhaul clean` deletes them" };
    for Leaving { series, days, files, gone, .. } in leaving {
        let days = human::count(days.len() as u64, "day");
        print_line(&format!("{}: {days} taken out, {} {how}", escape(&series.0), human::count(*gone, "file")), shell);
        let stay = files.saturating_sub(*gone);
        if stay > 0 {
            let stay = human::count(stay, "file");
            print_line(
                &format!(
                    "  {stay} of these days stay: another day names them, they were changed, or they were there before sunhaul"
                ),
                shell,
            );
        }
    }
    warn_of_asked_for(leaving, delete, shell);
}

fn warn_of_asked_for(leaving: &[Leaving], delete: bool, shell: &Shell) {
    let how = if delete { "fetches again" } else { "takes back" };
    for Leaving { series, asked_for, .. } in leaving.iter().filter(|one| one.asked_for > 0) {
        let word = shell.screen.paint.care("warning:");
        let days = human::count(*asked_for, "day");
        print_line(
            &format!("{word} the manifest still asks for {days} of {}, which the next run {how}", escape(&series.0)),
            shell,
        );
    }
}

fn print_line(line: &str, shell: &Shell) {
    if shell.verbosity > Verbosity::Quiet {
        shell.screen.line(line);
    }
}
