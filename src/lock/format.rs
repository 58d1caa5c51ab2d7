//! The lines of a lock: one serializer, keys always in one order, so that equal locks are equal bytes.

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::regions::RegionLine;
use crate::archive::{AbsentReason, DayHeader, DayRecord, FileLine, RecordState};
use crate::day::{Scale, Window};
use crate::digest::{Digest, Hasher, PrefixedDigest};

/// The format this version writes and reads.
pub(super) const FORMAT: &str = "lock/1";

/// How much a lock holds of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Detail {
    /// A line for the day and one for each of its files.
    Files,
    /// A line for the day alone: its digest stands for the files.
    Day,
}

impl Detail {
    /// How to read a lock of this detail, in its own words.
    pub(super) fn about(self) -> &'static str {
        match self {
            Detail::Files => {
                "what every file of this job must be, written by sunhaul: a line a day, then a line for each of its \
                 files; a day's digest is the SHA-256 of the lines `<sha256>  <path>` of its files, by path"
            }
            Detail::Day => {
                "what every day of this job must be, written by sunhaul: a day's digest is the SHA-256 of the lines \
                 `<sha256>  <path>` of its files, by path; the files themselves stand in the archive's day records"
            }
        }
    }
}

/// The first line of a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LockHeader {
    /// Always `lock/1`.
    pub format: String,
    /// The job.
    pub job: String,
    /// The instant that ranges which follow the clock (`today`) were resolved at.
    #[serde(serialize_with = "in_seconds")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub as_of: DateTime<Utc>,
    /// Whether the files of the days follow.
    pub detail: Detail,
    /// How to read it, for people.
    pub about: String,
}

/// One day of a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DayRow {
    /// The series' id.
    pub series: String,
    /// The calendar date, in the source's scale.
    pub date: NaiveDate,
    /// The scale of the dates and times.
    #[schemars(with = "String", regex(pattern = "^(UTC|TAI)$"))]
    pub scale: Scale,
    /// What of the day was asked for: first label, first label after.
    pub window: [String; 2],
    /// SHA-256 of what the day was asked for.
    #[schemars(with = "String")]
    pub spec: Digest,
    /// How final it is: only a sealed day binds later runs.
    pub state: RecordState,
    /// Files, without the absent ones.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that upstream does not have.
    pub absent: u64,
    /// `sha256:` and the SHA-256 of the lines `<sha256>  <path>\n`.
    #[schemars(with = "String")]
    pub digest: PrefixedDigest,
    /// `sha256:` and the SHA-256 of the lines `<key>\n` of the absent files, sorted: where there are some, and the files do
    /// not follow. A lock that an earlier version wrote lacks it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>")]
    pub absent_digest: Option<PrefixedDigest>,
}

/// One file of a day of a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LockedFile {
    /// The path below the archive's root.
    pub path: String,
    /// The length; none when absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bytes: Option<u64>,
    /// The SHA-256 of its bytes; none when absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>")]
    pub sha256: Option<Digest>,
    /// The SHA-256 of the header cards that were made of its record's keywords, where it is a copy with these in its header.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>")]
    pub cards: Option<Digest>,
    /// Its time by the source's own key, in the day's scale.
    pub time: String,
    /// What identifies it at the source, within its day.
    pub key: String,
    /// Where it is, relative to the source's base; the whole URL on one of its further hosts.
    pub url: String,
    /// The storage unit, the slot and the file's name at JSOC, where `url` is an order of the file as it is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub storage: Option<String>,
    /// The source's name for the series that it is of, where the job prefers one of several.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source_series: Option<String>,
    /// The record's number.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recnum: Option<i64>,
    /// The active region.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub harpnum: Option<i64>,
    /// The segment.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub segment: Option<String>,
    /// Why upstream does not have it, such as `404`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>")]
    pub absent: Option<AbsentReason>,
    /// Why it is accepted as absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// The SHA-256 of the header cards that count, of all HDUs, with `identity: fits-data`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>")]
    pub header: Option<Digest>,
    /// The SHA-256 of each HDU's data unit, with `identity: fits-data`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<Vec<String>>")]
    pub data: Option<Vec<Digest>>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LockHeaderLine {
    /// The header of the lock.
    pub(super) lock: LockHeader,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DayLine {
    /// A day.
    pub(super) day: DayRow,
}

fn in_seconds<S: serde::Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_rfc3339_opts(SecondsFormat::Secs, true))
}

impl DayRow {
    /// The labels that the day was asked for; those of the whole day where they cannot be read.
    #[must_use]
    pub fn asked_window(&self) -> Window {
        Window::from_labels(&self.window, self.scale).unwrap_or_else(|| Window::of_day(self.date))
    }

    /// What a lock says of a day by its record's header.
    #[must_use]
    pub fn from_header(header: &DayHeader) -> DayRow {
        DayRow {
            series: header.series.clone(),
            date: header.date,
            scale: header.scale,
            window: header.window.clone(),
            spec: header.spec,
            state: header.state,
            files: header.files,
            bytes: header.bytes,
            absent: header.absent,
            digest: header.digest,
            absent_digest: None,
        }
    }

    /// The same with what stands for its absent files where none of its files follow.
    #[must_use]
    pub fn alone<'a>(self, absent: impl IntoIterator<Item = &'a str>) -> DayRow {
        let absent_digest = (self.absent > 0).then(|| absent_digest(absent));
        DayRow { absent_digest, ..self }
    }

    /// True when these are the keys of its absent files, as far as it tells.
    #[must_use]
    pub fn has_absent(&self, keys: &[&str]) -> bool {
        let is_due = |due: &PrefixedDigest| *due == absent_digest(keys.iter().copied());
        self.absent == keys.len() as u64 && self.absent_digest.as_ref().is_none_or(is_due)
    }

    /// True when another row stands for the same files, present and absent, as far as both tell.
    #[must_use]
    pub fn has_files_of(&self, other: &DayRow) -> bool {
        let is_known = |(one, other): (&PrefixedDigest, &PrefixedDigest)| one == other;
        let absent = self.absent_digest.as_ref().zip(other.absent_digest.as_ref());
        self.digest == other.digest && self.absent == other.absent && absent.is_none_or(is_known)
    }

    /// True when a record has its files, present and absent, as far as it tells.
    #[must_use]
    pub fn is_of(&self, record: &DayRecord) -> bool {
        let absent: Vec<&str> = record.absent().collect();
        self.digest == record.header.digest && self.has_absent(&absent)
    }
}

fn absent_digest<'a>(keys: impl IntoIterator<Item = &'a str>) -> PrefixedDigest {
    let mut keys: Vec<&str> = keys.into_iter().collect();
    keys.sort_unstable();
    let mut hasher = Hasher::default();
    for key in keys {
        hasher.update(key.as_bytes());
        hasher.update(b"\n");
    }
    PrefixedDigest(hasher.finish())
}

impl LockedFile {
    /// What a lock says of a file by its line in the day's record.
    #[must_use]
    pub fn from_line(line: FileLine) -> LockedFile {
        LockedFile {
            path: line.path,
            bytes: line.bytes,
            sha256: line.sha256,
            cards: line.cards,
            time: line.time,
            key: line.key,
            url: line.url,
            storage: line.storage,
            source_series: line.source_series,
            recnum: line.recnum,
            harpnum: line.harpnum,
            segment: line.segment,
            absent: line.absent,
            reason: line.reason,
            header: line.header,
            data: line.data,
        }
    }

    /// The line of a day record that says the same of it, as far as a lock knows.
    #[must_use]
    pub fn into_line(self, series: &str) -> FileLine {
        FileLine {
            preexisting: false,
            series: series.to_owned(),
            path: self.path,
            bytes: self.bytes,
            sha256: self.sha256,
            cards: self.cards,
            time: self.time,
            key: self.key,
            url: self.url,
            storage: self.storage,
            source_series: self.source_series,
            recnum: self.recnum,
            harpnum: self.harpnum,
            segment: self.segment,
            checked: None,
            absent: self.absent,
            reason: self.reason,
            header: self.header,
            data: self.data,
            listed: None,
            etag: None,
            last_modified: None,
            redirected: None,
            instant: None,
            origin: None,
        }
    }
}

/// The JSON Schema of a lock's lines: the first is a header, the others are regions, days and files.
#[must_use]
pub fn schema() -> serde_json::Value {
    let mut generator = schemars::SchemaGenerator::default();
    let header = generator.subschema_for::<LockHeaderLine>();
    let region = generator.subschema_for::<RegionLine>();
    let day = generator.subschema_for::<DayLine>();
    let file = generator.subschema_for::<LockedFile>();
    serde_json::json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of a sunhaul lock, lock/1",
        "description": "The first line is the header; then each patch of an active region that the job follows is one \
            line, sorted by series and number; then each day is one line, followed by a line for each of its files where \
            `detail` is `files`. Sorted by series, date and path.",
        "oneOf": [header, region, day, file],
        "$defs": generator.take_definitions(true),
    })
}
