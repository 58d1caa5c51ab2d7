//! What a service has: series, the items of a window, and the bytes of one file. Two kinds exist: synthetic and folder.
//!
//! What it does not do: speak HTTP. Paths are decoded, and relative to `/HMI/<series>/`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::time::SystemTime;

use bytes::Bytes;
use chrono::{NaiveDate, NaiveDateTime};
use serde_json::Value;

use crate::day::Window;

/// Which of the service's three historical answers a series gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AnswerVersion {
    /// `url` and `date_obs`, one file an item.
    V1,
    /// A record with its keys and the URLs of its segments.
    V2,
    /// As V2, with the active region, and keywords on demand.
    V3,
}

/// A series as told to people.
#[derive(Debug, Clone)]
pub(super) struct SeriesName {
    /// Its name.
    pub(super) name: String,
    /// Its answers' shape.
    pub(super) shape: AnswerVersion,
    /// How many files it has, where they can be counted.
    pub(super) files: Option<usize>,
    /// A label that it has data at.
    pub(super) example: NaiveDateTime,
}

/// A number of files in words.
pub(super) fn count(files: usize) -> String {
    format!("{files} file{}", if files == 1 { "" } else { "s" })
}

/// How many items a day has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DayCount {
    /// The day in UTC.
    pub(super) date: NaiveDate,
    /// Its items, at least one.
    pub(super) items: usize,
}

/// One item of a listing: a file (V1) or a record with its files.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ServedItem {
    /// The start of exposure, in UTC.
    pub(super) date_obs: NaiveDateTime,
    /// Its files' paths below `/HMI/<series>/`, not percent-encoded.
    pub(super) paths: Vec<String>,
    /// What is known of the record; `None` for a mere file.
    pub(super) record: Option<RecordKeys>,
    /// What is known of a mere file; empty for a record.
    pub(super) known: FileFacts,
}

/// What a mere file's headers, its name and the disk tell, as far as they do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FileFacts {
    /// Its record's number.
    pub(super) recnum: Option<i64>,
    /// Its active region.
    pub(super) harpnum: Option<i64>,
    /// Its quality bits.
    pub(super) quality: Option<i64>,
    /// Its slot on the series' grid.
    pub(super) t_rec_index: Option<i64>,
    /// Its segment.
    pub(super) segment: Option<String>,
    /// Its length in bytes, as it is now.
    pub(super) size: Option<u64>,
}

/// The keys of a record.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RecordKeys {
    /// Its number, unique in the series.
    pub(super) recnum: i64,
    /// Its active region.
    pub(super) harpnum: i64,
    /// Its quality bits; 0 is good.
    pub(super) quality: i64,
    /// Its slot on the grid.
    pub(super) t_rec_index: i64,
    /// Further keywords, lower case.
    pub(super) keywords: BTreeMap<&'static str, Value>,
}

/// One file, opened.
#[derive(Debug)]
pub(super) struct OpenedFile {
    /// Its name for the reader's disk.
    pub(super) name: String,
    /// Its length in bytes.
    pub(super) length: u64,
    /// A strong entity tag, with its quotes.
    pub(super) etag: String,
    /// When it last changed.
    pub(super) modified: SystemTime,
    /// Where its bytes are.
    pub(super) content: FileContent,
}

/// Where a file's bytes are.
#[derive(Debug)]
pub(super) enum FileContent {
    /// In memory.
    Held(Bytes),
    /// On disk.
    File(File),
}

/// What a service serves. The methods may block: they run beside the reactor.
pub(super) trait Holdings: Send + Sync + 'static {
    /// Every series, sorted by name.
    fn series(&self) -> Vec<SeriesName>;

    /// The shape of a series' answers; `None` for an unknown one.
    fn shape(&self, series: &str) -> Option<AnswerVersion>;

    /// The items whose `date_obs` lies in the window, sorted by it; `None` for an unknown series.
    fn list(&self, series: &str, window: Window) -> Option<Vec<ServedItem>>;

    /// The years in which a series may have items, sorted; none for an unknown series.
    fn years(&self, series: &str) -> Vec<i32>;

    /// The days of a year on which a series has items, sorted.
    fn days(&self, series: &str, year: i32) -> Vec<DayCount>;

    /// The keywords that a series' records may have; `None` where it has no records to ask for.
    fn fields(&self, series: &str) -> Option<&'static [&'static str]>;

    /// Those of the series' records that have these numbers.
    fn records(&self, series: &str, recnums: &[i64]) -> Vec<ServedItem>;

    /// Opens one file; `None` where there is none.
    ///
    /// # Errors
    /// When a file that should be there cannot be read or made.
    fn open(&self, series: &str, path: &str) -> io::Result<Option<OpenedFile>>;

    /// What it is, in a few words.
    fn about(&self) -> String;
}
