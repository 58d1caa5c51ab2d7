//! The directory that holds the files, and `.sunhaul/` beside them. Nothing else writes under the root.
//!
//! `days` and `runs` are the archive; `work` is local, and removing it between runs loses unfinished work only.
//! What it does not do: decide what is fetched, or talk to anyone.

mod audit;
mod check_counts;
mod clean;
mod day;
mod error;
mod file_id;
mod file_lock;
mod fsync;
mod jobs;
mod journal;
mod layout;
mod left_out;
mod missing_slots;
mod name;
mod partial_file;
mod quarantine;
mod queries;
mod reader;
mod record;
mod regular_file;
mod remove;
mod repair;
mod safe_dir;
mod shared_paths;
mod spec_family;
mod spot_check;
mod staged_file;
#[cfg(test)]
mod tests;
mod untracked;
mod work_folders;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use chrono::NaiveDate;

pub use audit::{AuditFault, AuditFinding, Depth, ExpectedFile, FoundInPlace};
pub use clean::Cleaned;
pub use day::{DayWork, EarlierLook, Opened, PlacedAs, Prior, Published, Retired, RetiredFile, SealAs, Trust};
pub use error::Error;
pub use file_lock::{HeldLock, LockWait, NoLimit};
pub(crate) use file_lock::{NotLocked, lock};
pub use journal::{CorruptDownload, Started, StartedDay, journal_text as journal_of, paths as journal_paths};
pub use layout::{LayoutValues, RelativePath, folded, keeps_days_apart, name_in, render};
pub use left_out::LeftOut;
pub use missing_slots::{MissingSlot, MissingSlotReasons, MissingWhy};
pub use name::sanitise;
pub use partial_file::{PartialFile, Validators};
pub use reader::Reader;
pub(crate) use record::line;
pub use record::{
    AbsentReason, Checked, DayHeader, DayRecord, FileLine, MADE, RecordBasis, RecordState, schema as day_schema,
};
pub(crate) use regular_file::must_be_regular;
pub use regular_file::{link_target, open_regular};
pub use spot_check::SpotCheck;
pub use staged_file::Staged;
pub use untracked::Stray;

use crate::digest::Digest;
use crate::manifest::{LockMode, SeriesId};
use safe_dir::{Place, Tree};

/// An archive on disk.
#[derive(Debug)]
pub struct Archive {
    root: PathBuf,
    lock: LockMode,
    tree: Tree,
    quarantine: quarantine::QuarantineUse,
    lock_wait: Arc<dyn LockWait>,
    /// Held by the one day of this process that looks around among shared paths.
    alone: Mutex<()>,
    /// The first halves of other specs whose files are the same where their keys are, by series.
    related: Mutex<BTreeMap<SeriesId, Vec<Digest>>>,
}

/// Where the archive keeps its own state, relative to the root.
pub const STATE: &str = ".sunhaul";

/// What is local to this machine, and may be removed between runs.
const WORK: &str = ".sunhaul/work";

/// Where reports are written before they get their names.
const STAGING: &str = ".sunhaul/work/staging";

impl Archive {
    /// Opens the archive at `root` for writing; makes the root and its state directories when they are missing.
    ///
    /// # Errors
    /// [`Error::Storage`] when the root cannot be made, entered or written.
    pub fn open(root: &Path, lock: LockMode) -> Result<Archive, Error> {
        std::fs::create_dir_all(root).map_err(|error| {
            let leads_nowhere = root.is_symlink() && !root.exists();
            let dangling = || std::io::Error::new(error.kind(), "it is a symbolic link that leads nowhere");
            Error::storage("make the archive's root", root, if leads_nowhere { dangling() } else { error })
        })?;
        let tree = Tree::open(root)?;
        for kind in ["days", "runs", "work/journal", "work/partial", "work/quarantine", "work/retired"] {
            tree.make(&format!("{STATE}/{kind}"))?;
        }
        Ok(Archive {
            root: root.to_owned(),
            lock,
            tree,
            quarantine: quarantine::QuarantineUse::default(),
            lock_wait: Arc::new(NoLimit),
            alone: Mutex::new(()),
            related: Mutex::default(),
        })
    }

    /// The same, with this limit on waits for the locks of the archive's own files.
    #[must_use]
    pub fn with_lock_wait(mut self, lock_wait: Arc<dyn LockWait>) -> Archive {
        self.lock_wait = lock_wait;
        self
    }

    /// The root, as the manifest or the command line gave it.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the record of a day is, whether it exists or not.
    #[must_use]
    pub fn record_path(root: &Path, series: &SeriesId, date: NaiveDate) -> PathBuf {
        root.join(reader::record_of(series, date))
    }

    /// Where run reports are.
    #[must_use]
    pub fn runs_path(root: &Path) -> PathBuf {
        root.join(reader::RUNS)
    }

    /// As [`Reader::header`], of one day.
    ///
    /// # Errors
    /// Those of [`Reader::open`] and [`Reader::header`].
    pub fn header(root: &Path, series: &SeriesId, date: NaiveDate) -> Result<Option<DayHeader>, Error> {
        Reader::open(root)?.header(series, date)
    }

    /// As [`Reader::record`], of one day.
    ///
    /// # Errors
    /// Those of [`Reader::open`] and [`Reader::record`].
    pub fn record(root: &Path, series: &SeriesId, date: NaiveDate) -> Result<Option<DayRecord>, Error> {
        Reader::open(root)?.record(series, date)
    }

    /// Writes a run's report in one atomic step and returns its path.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn write_run_report(&self, run: &str, bytes: &[u8]) -> Result<PathBuf, Error> {
        let name = format!("{run}.json");
        // What a kill leaves of it is no report, and does not lie among them.
        self.tree.replace_with(
            Place { directory: STAGING, name: &name },
            Place { directory: reader::RUNS, name: &name },
            false,
            |out| out.write_all(bytes),
        )?;
        Ok(Archive::runs_path(&self.root).join(name))
    }

    /// Free bytes on the archive's filesystem for this user.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn free_bytes(path: &Path) -> Result<u64, Error> {
        let stat =
            rustix::fs::statvfs(path).map_err(|e| Error::storage("ask for the free space of", path, e.into()))?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn work(kind: &str, series: &SeriesId) -> String {
        format!("{WORK}/{kind}/{series}")
    }

    /// Where files that were displaced, or that a day no longer asks for, lie until `clean` deletes them.
    fn retired(series: &SeriesId, date: NaiveDate) -> String {
        format!("{}/{date}", Archive::work("retired", series))
    }
}
