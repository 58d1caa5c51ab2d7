//! What happens in a run, told as it happens. Reports, progress bars and logs are all folded from these.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;

use crate::digest::Digest;
use crate::failure::{Class, Failure};
use crate::manifest::SeriesId;
use crate::net::HostStats;

/// Takes in events. Called from many tasks at once; must return quickly and must not fail.
pub trait Observer: Send + Sync {
    /// One thing that happened.
    fn on(&self, event: Event);
}

/// A day of a series.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DayId {
    /// The series.
    pub series: SeriesId,
    /// The date.
    pub date: NaiveDate,
}

/// One thing that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// The plan is made.
    Planned {
        /// Days to do.
        planned: u64,
        /// Days that a record seals already.
        already_sealed: u64,
    },
    /// A day is begun.
    DayBegun(DayId),
    /// A day's listing is there.
    DayListed {
        /// Which.
        day: DayId,
        /// Files listed.
        files: u64,
        /// Files that the archive has already.
        have: u64,
        /// Bytes of the files, as far as sizes are known.
        bytes: Option<u64>,
    },
    /// Body bytes arrived.
    Received {
        /// For which day.
        day: DayId,
        /// How many.
        bytes: u64,
    },
    /// A file is in the archive, absent for good, or given up.
    FileDone {
        /// Of which day.
        day: DayId,
        /// Its key.
        key: String,
        /// Its path, when known.
        path: Option<String>,
        /// How it ended.
        end: FileEnd,
    },
    /// An attempt failed and will be repeated.
    Retrying {
        /// Of which day.
        day: DayId,
        /// Which key; none for the listing.
        key: Option<String>,
        /// Why.
        failure: Failure,
        /// How long until the next attempt, in seconds.
        wait_seconds: f64,
    },
    /// A body failed a check and lies in quarantine.
    Quarantined {
        /// Of which day.
        day: DayId,
        /// Which key.
        key: String,
        /// Why.
        class: Class,
    },
    /// A day is looked at again later: what was told of its listing and its files counts no more.
    DayAgain(DayId),
    /// A day ended.
    DayDone(DayDone),
    /// A day that ended lacks files after all, which were taken back: its record does not stand any more.
    DayReopened {
        /// Which.
        day: DayId,
        /// Files of it in the archive now.
        files: u64,
        /// Their bytes.
        bytes: u64,
        /// The others.
        taken: Vec<TakenBack>,
    },
    /// A day is left as it is: the imported folder does not have all of it, and a run is to fetch the rest.
    DayLeft {
        /// Which.
        day: DayId,
        /// Files of it in the archive.
        files: u64,
        /// Files to fetch.
        left: u64,
    },
    /// What the hosts saw so far; sent every few seconds and at the end.
    Hosts(Vec<HostStats>),
    /// Something the user should know that is no failure.
    Note(String),
}

/// A file that was taken out of the archive again.
#[derive(Debug, Clone)]
pub struct TakenBack {
    /// Its key.
    pub key: String,
    /// Where it was.
    pub path: String,
    /// It was in the archive before the run.
    pub was_here: bool,
    /// Why.
    pub failure: Failure,
}

/// How a file ended.
#[derive(Debug, Clone)]
pub enum FileEnd {
    /// Fetched and published in this run.
    Fetched {
        /// Its length.
        bytes: u64,
        /// Bytes that a part from before gave.
        resumed_bytes: u64,
        /// The part from before was contradicted and thrown away.
        restarted: bool,
        /// Another file was displaced to `retired/`.
        replaced: bool,
        /// Its bytes are not the lock's, but its data are.
        restamped: bool,
        /// The host that served it, with its port; none for one that was made of a listing's answers.
        from: Option<Arc<str>>,
    },
    /// The path held these very bytes already.
    Kept {
        /// Its length.
        bytes: u64,
    },
    /// Taken from the imported folder and published.
    Adopted {
        /// Its length.
        bytes: u64,
    },
    /// Its bytes were known, and lay at an earlier path of the day.
    Renamed {
        /// Its length.
        bytes: u64,
    },
    /// Its bytes were known, and lay among the retired files.
    Restored {
        /// Its length.
        bytes: u64,
    },
    /// A record or the journal has it.
    Have,
    /// Upstream does not have it, for good.
    Absent,
    /// Given up.
    Failed(Box<Failure>),
}

/// How a day ended.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum DayState {
    /// Whole, checked, durable, final.
    Sealed,
    /// Whole and checked, but too young to be final.
    Provisional,
    /// Something is missing.
    Failed,
    /// Another process has it.
    Held,
}

/// The end of a day.
#[derive(Debug, Clone)]
pub struct DayDone {
    /// Which.
    pub day: DayId,
    /// How it ended.
    pub state: DayState,
    /// Files of the day in the archive, without the absent: those of its record, or, when it failed, those in place all
    /// the same.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that upstream does not have.
    pub absent: u64,
    /// Of the absent ones, those that the job accepts as such.
    pub accepted: u64,
    /// Its records by their series, where the job prefers one of several.
    pub records: BTreeMap<String, u64>,
    /// Records of fallbacks that gave way in this run, by their series.
    pub replaced: BTreeMap<String, u64>,
    /// The record's digest; none when there is no record.
    pub digest: Option<Digest>,
    /// Items of the listing outside the day.
    pub outside_day: u64,
    /// Items that named a key again.
    pub duplicates: u64,
    /// Slots of the cadence, where the source is to have a record for each.
    pub cadence_slots: u64,
    /// Those of them that have no record.
    pub without_record: u64,
    /// Why it failed or is held, when the reason is the day's and not a file's.
    pub error: Option<Failure>,
    /// How long the run was at it.
    pub took: Duration,
}

impl DayDone {
    /// A failed day of which nothing is there yet: what every other end begins as.
    #[must_use]
    pub fn nothing(day: DayId) -> DayDone {
        DayDone {
            day,
            state: DayState::Failed,
            files: 0,
            bytes: 0,
            absent: 0,
            accepted: 0,
            records: BTreeMap::new(),
            replaced: BTreeMap::new(),
            digest: None,
            outside_day: 0,
            duplicates: 0,
            cadence_slots: 0,
            without_record: 0,
            error: None,
            took: Duration::ZERO,
        }
    }
}
