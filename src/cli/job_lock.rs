//! The job's lock as commands want it: read, held against the archive, moved on.
//!
//! It does not check files against the lock; `run` does.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::problem::CliError;
use super::{Exit, Result, lock_owner};
use crate::archive::LockWait;
use crate::lock::{self, Detail, Lock, LockWithRecords, Moved, Takes};
use crate::manifest::Manifest;
use crate::plan::{Bond, Plan, Unpinned};
use crate::report::human;
use crate::run::{LockBinding, LockPolicy};
use crate::untrusted::escape;

/// How many days are named in one message.
const NAMED: usize = 20;

/// How a run goes about the lock, as typed.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct LockArgs {
    /// Do not change the lock: exit with code 3 if a day or a file would have to be added or changed. `today` is the
    /// day of the lock.
    #[arg(long, conflicts_with = "new_only")]
    locked: bool,
    /// Like `--locked`, but request no listings: the files are those in the lock.
    #[arg(long, conflicts_with_all = ["locked", "new_only"])]
    frozen: bool,
    /// With `--frozen`: the folder with the day records that name the files, for a lock that contains only days.
    #[arg(long, value_name = "DIR", requires = "frozen")]
    records: Option<PathBuf>,
    /// Skip days that the lock records as sealed, even if their files are not here.
    #[arg(long)]
    new_only: bool,
}

impl LockArgs {
    /// The lock of a job, as the command line goes about it.
    ///
    /// # Errors
    /// As [`Locking::read`].
    pub(super) fn read(&self, job: &Manifest) -> Result<Locking> {
        let grip = match (self.locked, self.frozen) {
            (_, true) => LockBinding::Frozen,
            (true, false) => LockBinding::Exact,
            (false, false) => LockBinding::Honoured,
        };
        Locking::read(job, grip, self.new_only, self.records.clone())
    }
}

/// How a command goes about the lock.
#[derive(Debug)]
pub(super) struct Locking {
    held: Option<Arc<LockWithRecords>>,
    grip: LockBinding,
    only_new: bool,
}

impl Locking {
    /// Reads the lock of a job, if there is one.
    ///
    /// # Errors
    /// When it cannot be read, is not there though nothing may be added to it, or may be another manifest's.
    pub(super) fn read(job: &Manifest, grip: LockBinding, only_new: bool, records: Option<PathBuf>) -> Result<Locking> {
        lock_owner::must_be_clear(job)?;
        let path = lock::path_of(&job.path);
        let lock = Lock::read(&path, &job.name)?;
        if lock.is_none() && grip != LockBinding::Honoured {
            let message = format!(
                "lock `{}` does not exist, and `--locked` and `--frozen` forbid creating it",
                escape(&path.to_string_lossy())
            );
            return Err(CliError::new(Exit::Lock, message).hint("run once without `--locked` or `--frozen`").into());
        }
        let held = lock.map(|lock| Arc::new(LockWithRecords::new(lock, job, records)));
        Ok(Locking { held, grip, only_new })
    }

    /// The same, of a command that only looks.
    ///
    /// # Errors
    /// When the lock cannot be read.
    pub(super) fn looked_at(job: &Manifest) -> Result<Locking> {
        Locking::read(job, LockBinding::Honoured, false, None)
    }

    /// What a plan is bound to.
    pub(super) fn bond(&self) -> Option<Bond<'_>> {
        let held = self.held.as_deref()?;
        Some(Bond { pins: held, is_exact: !self.may_move(), only_new: self.only_new })
    }

    /// What a run is held to.
    pub(super) fn locked(&self) -> Option<LockPolicy> {
        Some(LockPolicy { held: self.held.clone()?, grip: self.grip })
    }

    /// True when the lock may be added to.
    pub(super) fn may_move(&self) -> bool {
        self.grip == LockBinding::Honoured
    }

    /// True when days that the lock holds as sealed are left out, though their files are not here.
    pub(super) fn takes_only_new(&self) -> bool {
        self.only_new
    }

    /// The lock and the archive that it is held against.
    pub(super) fn held(&self) -> Option<&LockWithRecords> {
        self.held.as_deref()
    }

    /// The lock.
    pub(super) fn lock(&self) -> Option<&Lock> {
        self.held.as_deref().map(LockWithRecords::lock)
    }

    /// The instant at which ranges that follow the clock are resolved.
    pub(super) fn instant(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self.lock() {
            Some(lock) if !self.may_move() => lock.as_of(),
            _ => now,
        }
    }

    /// Refuses a lock of an instant that is still to come, where the days that it is held to follow the clock.
    ///
    /// # Errors
    /// A [`CliError`] with exit code 3.
    pub(super) fn must_not_be_ahead(&self, job: &Manifest, now: DateTime<Utc>) -> Result<()> {
        let Some(lock) = self.lock().filter(|lock| lock::is_ahead(lock, job, now)) else { return Ok(()) };
        let (path, date) = (lock.path().to_string_lossy(), lock.as_of().format("%Y-%m-%d"));
        let message = format!("the lock `{}` is of {date}, which is still to come", escape(&path));
        let hint = "if this machine's clock is right, `sunhaul lock` writes a new lock";
        Err(CliError::new(Exit::Lock, message).hint(hint).into())
    }

    /// Refuses a plan for which the lock would have to be moved though it may not be, or of whose files it says nothing.
    ///
    /// # Errors
    /// A [`CliError`] that names the days.
    pub(super) fn must_fit(&self, plan: &Plan) -> Result<()> {
        if !plan.unpinned.is_empty() {
            let all = plan.unpinned.iter().map(|days| days.window.day_count()).sum();
            let days = plan.unpinned.iter().flat_map(|Unpinned { id, window, why }| {
                window.days().map(move |day| format!("{} {} {why}", escape(&id.0), day.date))
            });
            let message = format!("the lock does not match the manifest:{}", named(days, all));
            return Err(CliError::new(Exit::Lock, message)
                .hint("`sunhaul run` without `--locked` and `--frozen` moves the lock")
                .into());
        }
        let Some(held) = self.held.as_deref().filter(|_| self.grip == LockBinding::Frozen) else { return Ok(()) };
        let mut unknown = Vec::new();
        for day in plan.to_do() {
            if !held.knows(day.id, day.day.date)? {
                unknown.push(format!("{} {}", escape(&day.id.0), day.day.date));
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        let all = unknown.len() as u64;
        let days = named(unknown, all);
        let message = format!("the lock holds days alone, and no record at hand names the files of:{days}");
        Err(CliError::new(Exit::Usage, message)
            .hint(
                "give a folder of day records with `--records DIR` (an archive's `.sunhaul/days`), lock with `lock: { \
                 detail: files }`, or run with `--locked`",
            )
            .into())
    }

    /// Refuses to begin so many days when the lock could not be written at the end. With nothing to do, it will hardly
    /// have to be.
    ///
    /// # Errors
    /// A [`CliError`] with exit code 5.
    pub(super) fn must_be_writable(&self, job: &Manifest, days: u64) -> Result<()> {
        if !self.may_move() || days == 0 {
            return Ok(());
        }
        let path = lock::path_of(&job.path);
        lock::may_write(&path).map_err(|error| {
            let hint = "the lock is written beside the manifest: put both into a writable folder";
            CliError::new(Exit::Storage, format!("{error}")).hint(hint).into()
        })
    }
}

/// The first of `all` days in lines of their own.
fn named(days: impl IntoIterator<Item = String>, all: u64) -> String {
    let mut lines: Vec<String> = std::iter::once(String::new()).chain(days.into_iter().take(NAMED)).collect();
    let more = all.saturating_sub(NAMED as u64);
    lines.extend((more > 0).then(|| format!("and {} more", human::number(more))));
    lines.join("\n  ")
}

/// Moves the lock of a job to the records of its archive. Blocks the thread while another process writes it.
///
/// # Errors
/// When either cannot be read, or the lock cannot be written.
pub(super) fn move_on(
    job: &Manifest,
    now: DateTime<Utc>,
    takes: &Takes<'_>,
    lock_wait: &dyn LockWait,
) -> Result<Moved> {
    Ok(lock::write(job, now, takes, lock_wait)?)
}

/// What became of the lock, in one line; and what to do about one that a clock ahead has written.
pub(super) fn describe_move(job: &Manifest, moved: &Moved, now: DateTime<Utc>) -> String {
    let path = lock::path_of(&job.path);
    let counts = format!("{}, {}", human::count(moved.days, "day"), human::count(moved.files, "file"));
    let how = match (moved.detail, moved.lacks_files) {
        (Detail::Files, _) => "",
        (Detail::Day, false) => ", days alone",
        (Detail::Day, true) => ", days alone: the files of some are not known here",
    };
    let state = match (moved.sha256, moved.changed) {
        (None, _) => "not written: no day has a record",
        (Some(_), true) => "changed",
        (Some(_), false) => "as before",
    };
    let ahead = if moved.as_of.signed_duration_since(now) > lock::AHEAD {
        format!(
            "; it is of {}, which is in the future: `sunhaul lock` writes a new one",
            moved.as_of.format("%Y-%m-%d")
        )
    } else {
        String::new()
    };
    format!("{}, {counts}{how} ({state}){ahead}", escape(&path.to_string_lossy()))
}
