//! A record that is asked for, and what the export system knows its files by.

use std::collections::BTreeMap;

use chrono::{NaiveDateTime, TimeDelta};

/// What the export system knows files by, by their keys.
pub(super) type Names = BTreeMap<String, Ordered>;

/// What the export system knows a file by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ordered {
    /// Its record: `hmi.sharp_cea_720s[377][2011.02.15_00:00:00_TAI]`.
    pub(super) record: String,
    /// Its number.
    pub(super) recnum: i64,
    pub(super) time: NaiveDateTime,
    /// Its active region.
    pub(super) harpnum: Option<i64>,
    /// Its segment.
    pub(super) segment: String,
    /// The name of the segment's file on disk, where the listing tells it: a segment may have several.
    pub(super) file: Option<String>,
    /// The storage unit, the slot and the name that it has on disk, where the listing tells them.
    pub(super) place: Option<String>,
    /// An order can have its record: none of the record's files is offline or gone.
    pub(super) is_available: bool,
    /// How far the time in the name of its file may be from the record's: JSOC rounds it to a second, and that of a linked
    /// segment is of the other record (`exputil.c`).
    pub(super) time_slack: TimeDelta,
}

impl Ordered {
    /// As JSOC writes it: `hmi.sharp_cea_720s[377][2011.02.15_00:00:00_TAI]{Br}`.
    pub(super) fn shown(&self) -> String {
        format!("{}{{{}}}", self.record, self.segment)
    }
}

/// A record that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WantedRecord {
    /// Its place in the answer.
    pub(super) at: usize,
    pub(super) time: NaiveDateTime,
    /// The instant that it stands for.
    pub(super) instant: Option<NaiveDateTime>,
    pub(super) recnum: i64,
    pub(super) harpnum: Option<i64>,
}
