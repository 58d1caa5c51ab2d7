//! `verify --repair`: what is wrong goes to `retired/`, and its days are done again as `sunhaul run` does them.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use serde::{Serialize, Serializer};

use crate::archive::{Archive, AuditFault, AuditFinding};
use crate::cli::clock::now;
use crate::cli::job_lock::Locking;
use crate::cli::plan_job::PlannedWork;
use crate::cli::run::{CommandContext, ReportFiles, Task, Then, execute};
use crate::cli::{Exit, Result, Shell};
use crate::manifest::{Manifest, SeriesId};
use crate::net::Net;
use crate::plan::{DayStanding, Plan, ToDoReason};
use crate::run::How;

/// The days that are to be done again, each with its changed files.
pub(super) type BadDays<'a> = BTreeMap<(&'a SeriesId, NaiveDate), Vec<&'a str>>;

/// What was done.
#[derive(Debug, Serialize)]
pub(super) struct Repair {
    /// The paths of the files that went to `retired/`.
    pub(super) retired: Vec<String>,
    /// Files fetched.
    pub(super) fetched: u64,
    /// Days that were to be done again.
    pub(super) days: u64,
    /// Where the run's report lies.
    pub(super) report: String,
    /// How the run ended.
    #[serde(rename = "exit_code", serialize_with = "code")]
    pub(super) exit: Exit,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn code<S: Serializer>(exit: &Exit, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u8(exit.code())
}

/// The days with something that fetching can mend.
pub(super) fn bad_days(findings: &[AuditFinding]) -> BadDays<'_> {
    let mut bad = BadDays::new();
    for AuditFinding { series, date, path, fault } in findings {
        let changed = match fault {
            AuditFault::Changed(..) => Some(path.as_str()),
            AuditFault::Missing(_) | AuditFault::Damaged(_) => None,
            AuditFault::Unreadable(_) => continue,
        };
        bad.entry((series, *date)).or_default().extend(changed);
    }
    bad
}

/// Makes way for what is changed, and does the days again. A day that another process holds is left to the run, which
/// tells.
///
/// # Errors
/// When the archive cannot be written, or the run could not begin.
pub(super) async fn repair(
    job: Manifest,
    locking: Locking,
    net: Net,
    files: ReportFiles,
    plan: &Plan,
    bad: &BadDays<'_>,
    shell: &Shell,
) -> Result<Repair> {
    let mut shared = CommandContext::new(files, net, shell)?;
    let archive = Arc::new(Archive::open(&job.archive.root, job.archive.lock)?.with_lock_wait(shared.lock_wait()));
    let mut retired = Vec::new();
    let mut work = PlannedWork::default();
    let recheck = How { recheck: true, ..How::default() };
    // A day without a record has nothing that could be wrong.
    let may_be_bad =
        |standing: &DayStanding| !matches!(standing, DayStanding::ToDo(ToDoReason::New) | DayStanding::Refused { .. });
    for day in plan.days_that(may_be_bad) {
        let Some(changed) = bad.get(&(day.id, day.day.date)) else {
            if matches!(day.standing, DayStanding::Done(_)) {
                work.add_sealed(day.id, day.day.window);
            }
            continue;
        };
        let changed: Vec<String> = changed.iter().map(|path| (*path).to_owned()).collect();
        if !changed.is_empty() {
            let (archive, id, date) = (archive.clone(), day.id.clone(), day.day.date);
            let retire = move || archive.retire_changed(&id, date, &changed);
            let moved = tokio::task::spawn_blocking(retire).await?;
            retired.extend(moved.map_err(|error| shared.interrupted(error.into()))?.unwrap_or_default());
        }
        work.days.push(day.id, day.day.window, How { spec: day.spec, ..recheck });
    }
    let (then, started, again) = (Then::Add, now(), shell.words.clone());
    let task =
        Task { job: Arc::new(job), work, import_folder: None, locking, then, retry_failed: true, started, again };
    let ran = execute(task, &mut shared).await;
    shared.close().await;
    let ran = ran?;
    Ok(Repair {
        retired,
        fetched: ran.report.totals.files.fetched,
        days: ran.report.totals.days.planned,
        report: ran.saved.to_string_lossy().into_owned(),
        exit: ran.exit,
    })
}
