//! `sunhaul update`: lists locked days again and moves the lock, or with `--dry-run` only says what has drifted.

mod drift;
mod output;
mod regions;

use std::path::PathBuf;
use std::sync::Arc;

use super::clock::now;
use super::job_lock::Locking;
use super::load_manifest::Secrets;
use super::options::{ArchiveArg, SshArg};
use super::plan_job::PlannedWork;
use super::problem::CliError;
use super::run::{CommandContext, Ran, ReportArgs, ReportFiles, Task, Then, execute};
use super::selection::SelectionArgs;
use super::{Exit, Result, Shell, known_archive, limits, load_manifest, lock_owner, plan_job};
use crate::day::Day;
use crate::lock::{self, DayChange, Lock};
use crate::manifest::{Manifest, SeriesId};
use crate::net::Net;
use crate::plan;
use crate::run::{How, LockBinding, Todo};
use output::{UpdateForm, UpdateResult};
use regions::RegionChange;

/// List locked days again and update the lock to what upstream has now.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "List locked days again and update the lock to what upstream has now.\n\n\
        Each locked day is listed again. Files that are here are requested again, if only to see whether they \
        changed. Changed files are downloaded, new ones are added, and files that are replaced or gone move to \
        `.sunhaul/work/retired/`. Active regions that the job follows are looked up again. Then the lock is updated, \
        and the changes are printed with old and new hashes. Days that are not in the lock are left to `sunhaul \
        run`.\n\n\
        With --dry-run nothing is changed: the days are listed and compared with the lock. This shows files that \
        were added or removed, and sizes if the listing has them; it also says for how many files nothing is known. \
        --files lists them. --sample also downloads some files, compares their hashes and deletes them. Exit code 3 \
        means that upstream has drifted.",
    after_help = "Examples:\n  sunhaul update jobs/december.yaml --dry-run --sample 5%\n  \
        sunhaul update jobs/december.yaml --range 2015-12-12..2015-12-13\n  git diff jobs/december.lock\n\n\
        Exit codes: 0 done, or no drift, 1 incomplete and a retry will not help by itself, 2 usage or manifest, \
        3 drift (with --dry-run), 4 incomplete for a temporary reason, 5 local storage, 130 interrupted."
)]
pub(super) struct Args {
    /// The manifest.
    #[arg(value_name = "JOB")]
    job: PathBuf,
    /// Only compare listings with the lock; exit 3 on drift.
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run: also download this share of the files and compare their hashes, such as `5%`.
    #[arg(long, value_name = "P%", requires = "dry_run", value_parser = share)]
    sample: Option<f64>,
    /// Which files --sample selects: the same seed selects the same files.
    #[arg(long, value_name = "N", requires = "sample", default_value_t = 0)]
    seed: u64,
    /// With --dry-run: print each file that was added, removed or changed, instead of one line per day.
    #[arg(long, requires = "dry_run")]
    files: bool,
    /// Print what changed, or drifted, as JSON.
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

/// `5%`, as a share of one.
fn share(text: &str) -> std::result::Result<f64, &'static str> {
    let wrong = "this is not a share\nhint: write a percentage above 0 and up to 100, such as `5%`";
    let percent: f64 = text.strip_suffix('%').unwrap_or(text).trim().parse().map_err(|_| wrong)?;
    if percent > 0.0 && percent <= 100.0 { Ok(percent / 100.0) } else { Err(wrong) }
}

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Exit> {
    args.reports.begin(shell);
    let archive = args.archive.archive.as_deref();
    let Some(mut job) = load_manifest::load(&args.job, Secrets::Needed, archive, shell) else { return Ok(Exit::Usage) };
    let files = args.reports.open(1)?;
    let (runtime, net) = (limits::runtime()?, args.ssh.net());
    let prepared = runtime.block_on(prepare(args, &mut job, &net, shell));
    let prepared = prepared.inspect_err(|error| files.refused(&job, error, net.hosts(), shell))?;
    if args.dry_run {
        let form = if args.json {
            UpdateForm::Json
        } else if args.files {
            UpdateForm::Files
        } else {
            UpdateForm::Days
        };
        let sample = args.sample.map(|share| drift::DriftSample { share, seed: args.seed });
        let check = drift::DriftCheck { job: &job, days: &prepared.days, sample, form, files: &files };
        let ended = runtime.block_on(drift::run(&check, &prepared.locking, prepared.regions, net.clone(), shell));
        return ended.inspect_err(|error| files.refused(&job, error, net.hosts(), shell));
    }
    runtime.block_on(moved(job, prepared, args, files, net, shell))
}

/// The lock to move or compare with, its days that are asked for, and the regions that have changed since.
struct Prepared {
    lock: Lock,
    locking: Locking,
    days: Vec<Todo>,
    regions: Vec<RegionChange>,
}

async fn prepare(args: &Args, job: &mut Manifest, net: &Net, shell: &Shell) -> Result<Prepared> {
    lock_owner::must_be_clear(job)?;
    let path = lock::path_of(&job.path);
    let Some(lock) = Lock::read(&path, &job.name)? else {
        let message = format!("there is no lock `{}` to update", crate::untrusted::escape(&path.to_string_lossy()));
        return Err(CliError::new(Exit::Usage, message).hint("`sunhaul run` makes one").into());
    };
    let locking = Locking::read(job, LockBinding::Honoured, false, None)?;
    locking.must_not_be_ahead(job, now())?;
    if !args.dry_run {
        known_archive::must_be_there(job, Some(&lock))?;
    }
    let selection = args.selection.resolve();
    plan::known_series(job, &selection).map_err(plan_job::usage)?;
    let found = regions::look_up_again(job, &selection, net, shell).await;
    if found.is_err() {
        net.close().await;
    }
    let regions = found?;
    let days = locked_days(job, &lock, &selection)?;
    if !args.dry_run {
        locking.must_be_writable(job, days.len() as u64)?;
    }
    Ok(Prepared { lock, locking, days, regions })
}

/// The selected days that the lock has of the manifest's series.
fn locked_days(job: &Manifest, lock: &Lock, selection: &plan::Selection) -> Result<Vec<Todo>> {
    let (mut days, mut asked_otherwise) = (Vec::new(), 0);
    for series in job.series.iter().filter(|series| selection.takes(&series.id)) {
        let scale = series.source.scale();
        let range = series.range.resolve(lock.as_of(), scale);
        for row in lock.days().filter(|row| row.series == series.id.0) {
            let day = range.day(row.date);
            let is_kept = day.window.is_empty();
            let day = if is_kept { Day { window: row.asked_window(), ..day } } else { day };
            if selection.days_of(&day.window, lock.as_of(), scale).map_err(plan_job::usage)?.is_empty() {
                continue;
            }
            // A day outside of the range stays in the lock as it was asked for.
            if is_kept && row.spec != series.spec(&day) {
                asked_otherwise += 1;
                continue;
            }
            let (spec, how) = (series.spec(&day), How { afresh: true, ..How::default() });
            days.push(Todo { series: series.id.clone(), day, spec, how });
        }
    }
    if days.is_empty() && asked_otherwise > 0 {
        let message = "these days are outside the range, and the manifest requested something else of them then";
        return Err(CliError::new(Exit::Usage, message)
            .hint("they stay as they are; `sunhaul forget` takes them out, and a longer range takes them in again")
            .into());
    }
    if days.is_empty() {
        return Err(CliError::new(Exit::Usage, "the lock has none of these days")
            .hint("`sunhaul run` adds days; `sunhaul status` shows which there are")
            .into());
    }
    Ok(days)
}

/// Does the days again, moves the lock, and tells what moved.
async fn moved(
    job: Manifest,
    prepared: Prepared,
    args: &Args,
    files: ReportFiles,
    net: Net,
    shell: &Shell,
) -> Result<Exit> {
    let Prepared { lock: old, locking, days, regions } = prepared;
    let asked = days.len() as u64;
    let job = Arc::new(job);
    let mut shared = CommandContext::new(files, net, shell)?;
    let mut work = PlannedWork::default();
    for todo in &days {
        work.days.push(&todo.series, todo.day.window, todo.how);
    }
    let (then, started, again) = (Then::Replace, now(), shell.words.clone());
    let task = Task { job: job.clone(), work, import_folder: None, locking, then, retry_failed: true, started, again };
    let done = execute(task, &mut shared).await;
    shared.close().await;
    let Ran { exit, report, .. } = done?;
    let mut told = UpdateResult::of(&job, false).with_regions(regions);
    if let Some(new) = Lock::read(old.path(), &job.name)? {
        for day in report.days.iter().filter(|day| day.is_done()) {
            let series = SeriesId(day.series.clone());
            let mut change = DayChange::between(Some(&old), &new, &series, day.date)?;
            // A lock of days alone, and one of tables, names no records.
            if change.replaced.is_empty() {
                change.replaced.clone_from(&day.replaced);
            }
            told.add(change);
        }
    }
    told.of_days(asked);
    told.print(if args.json { UpdateForm::Json } else { UpdateForm::Files })?;
    Ok(exit)
}
