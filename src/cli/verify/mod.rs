//! `sunhaul verify`: is the archive what its records say?
//!
//! Without `--repair` it reads alone: no socket is opened, and nothing is written.

mod output;
mod repair;

use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use super::clock::now;
use super::job_lock::Locking;
use super::load_manifest::Secrets;
use super::options::{ArchiveArg, SshArg};
use super::problem::CliError;
use super::run::ReportArgs;
use super::selection::SelectionArgs;
use super::{Exit, Result, Shell, known_archive, limits, load_manifest, plan_job, removed_series, same_job, stdout};
use crate::archive::{Archive, AuditFinding, Depth, Reader};
use crate::lock::DayChange;
use crate::manifest::{Manifest, SeriesId};
use crate::plan::{DayStanding, Plan, ToDoReason};
use crate::report::terminal::Verbosity;
use crate::untrusted::escape;
use output::VerifyResult;

/// Hash the archive and compare it with its records.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Hash the archive and compare it with its records.\n\n\
        Every file in the day records of the job is hashed, on all cores. Each finding is one line: `missing` files; \
        `changed` ones, which have other bytes or are no longer regular files; `damaged` records; `unreadable` \
        files; records that `differ` from the lock; and `unfinished` days, which the lock has and which a run or an \
        update left without a record. Days that are not downloaded yet are counted, and are not an error; days of another job are counted and not checked. It makes no requests and writes nothing.\n\n\
        Without --series and --range it also looks for `extra` files, which no record of the archive names, and for \
        days of series that the manifest no longer has. They are not errors, unless --strict says so. Files that \
        systems leave behind, such as `.DS_Store` and `.nfs*`, are counted separately, and are never errors.\n\n\
        With --quick it compares sizes, and hashes a file only if it changed after its day's record was written. \
        This does not detect damage by the disk itself.\n\n\
        With --repair changed files move to `.sunhaul/work/retired`, and days with missing or changed files or a \
        damaged record are done again: only files that are not here are requested. Other days are not requested, \
        extra files stay, and nothing is deleted until `sunhaul clean`.",
    after_help = "Examples:\n  sunhaul verify jobs/nightly.yaml\n  sunhaul verify jobs/nightly.yaml --repair\n  \
        sunhaul verify jobs/nightly.yaml --range today-30d.. --quick\n  \
        sunhaul verify jobs/nightly.yaml --json | jq -r '.findings[].path'\n\n\
        Exit codes: 0 no problems found, 1 something is wrong, 2 usage or manifest, 5 local storage; with --repair also 3 \
        when something came otherwise than the lock says, 4 when it could not be fetched for a temporary reason, and \
        130 interrupted."
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct Args {
    /// The manifest.
    #[arg(value_name = "JOB")]
    job: PathBuf,
    /// Retire corrupt files, download them again, and seal the days again.
    #[arg(long)]
    repair: bool,
    /// Compare sizes; hash only files that changed after they were recorded.
    #[arg(long)]
    quick: bool,
    /// Treat extra files, and days of series that the manifest no longer has, as errors.
    #[arg(long)]
    strict: bool,
    /// Print what was found as JSON on standard output.
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

pub(super) fn run(args: &Args, shell: &Shell) -> Result<Exit> {
    if args.reports.is_any() && !args.repair {
        return Err(CliError::new(Exit::Usage, "a report needs `--repair`: only a run writes one")
            .hint("add `--repair`, or take what was found from `--json`")
            .into());
    }
    if args.repair {
        args.reports.begin(shell);
    }
    let secrets = if args.repair { Secrets::Needed } else { Secrets::NotNeeded };
    let archive = args.archive.archive.as_deref();
    let Some(job) = load_manifest::load(&args.job, secrets, archive, shell) else { return Ok(Exit::Usage) };
    let locking = Locking::looked_at(&job)?;
    let plan = plan_job::plan(&job, &args.selection, &locking, now())?;
    let root = &job.archive.root;
    known_archive::must_be_there(&job, locking.lock())?;
    must_have_archive(root)?;
    if args.repair {
        same_job::must_not_undo(std::slice::from_ref(&job), now())?;
    }
    let files = args.reports.open(1)?;
    let mut verdict = VerifyResult::new(&job, &plan, args.quick, args.strict);
    let findings = against_records(&job, &plan, args, &mut verdict)?;
    verdict.add_findings(&findings);
    let differing = against_lock(&job, &plan, &locking, &mut verdict)?;
    if args.selection.is_everything() {
        verdict.tell_extra(Archive::strays(root)?);
        verdict.tell_forgotten(removed_series::days(&job)?);
    }
    if !args.json {
        stdout::print(&verdict.render())?;
    }
    let mut bad = repair::bad_days(&findings);
    for (series, date) in &differing {
        bad.entry((series, *date)).or_default();
    }
    if args.repair && !bad.is_empty() {
        verdict.repair = Some(limits::runtime()?.block_on(repair::repair(
            job,
            locking,
            args.ssh.net(),
            files,
            &plan,
            &bad,
            shell,
        ))?);
        if !args.json {
            stdout::print(&verdict.render_repair())?;
        }
    }
    if args.json {
        stdout::print_json(&verdict.to_json()?)?;
    } else if shell.verbosity > Verbosity::Quiet {
        for hint in verdict.hints() {
            shell.screen.line(&format!("{} {hint}", shell.screen.paint.strong("hint:")));
        }
    }
    Ok(verdict.exit())
}

/// Refuses to verify where there is no archive.
fn must_have_archive(root: &Path) -> Result<()> {
    if Reader::open(root)?.has_state()? {
        return Ok(());
    }
    let shown = root.to_string_lossy();
    Err(CliError::new(Exit::Incomplete, format!("no archive at `{}`", escape(&shown)))
        .hint("`sunhaul run` creates it; `--archive` names another one; a disk may have to be mounted first")
        .into())
}

/// Holds the files of the days that have a record against it.
fn against_records(job: &Manifest, plan: &Plan, args: &Args, verdict: &mut VerifyResult) -> Result<Vec<AuditFinding>> {
    let has_record = |standing: &DayStanding| match standing {
        DayStanding::ToDo(reason) => !matches!(reason, ToDoReason::New | ToDoReason::Started { .. }),
        DayStanding::Done(_) => true,
        DayStanding::Refused { .. } => false,
    };
    let days = plan.days_that(has_record).map(|day| (day.id.clone(), day.day.date));
    let depth = if args.quick { Depth::Quick } else { Depth::Whole };
    Ok(Archive::audit(&job.archive.root, days, depth, |record| verdict.count(record))?)
}

/// Holds the records of the days against the lock; gives the days that differ.
fn against_lock(
    job: &Manifest,
    plan: &Plan,
    locking: &Locking,
    verdict: &mut VerifyResult,
) -> Result<Vec<(SeriesId, NaiveDate)>> {
    let mut differing = Vec::new();
    let Some(lock) = locking.lock() else { return Ok(differing) };
    let is_started = |standing: &DayStanding| matches!(standing, DayStanding::ToDo(ToDoReason::Started { .. }));
    for day in plan.days_that(is_started).filter(|day| lock.day(day.id, day.day.date).is_some()) {
        verdict.add_unfinished(day.id, day.day.date);
    }
    let records = Reader::open(&job.archive.root)?;
    for day in plan.days_that(|standing| *standing == DayStanding::ToDo(ToDoReason::Differs)) {
        let (series, date) = (day.id, day.day.date);
        // A damaged record has been reported already.
        let Ok(Some(record)) = records.record(series, date) else { continue };
        verdict.tell_differing(&DayChange::of_record(lock, record, series, date)?);
        differing.push((series.clone(), date));
    }
    Ok(differing)
}
