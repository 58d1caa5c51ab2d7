//! The manifest as resolved: every default filled in, every value checked, nothing left to look up but `today`.
//!
//! What it does not do: know YAML. `raw` holds the manifest as typed.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
mod credentials;
mod regions;
mod source;

pub use credentials::{Credentials, Login};
pub use regions::{Passage, Patch, Region, RegionNumber, Regions};
pub use source::{
    Embedded, Export, Hapi, Hmi, HostAccess, Index, Jsoc, Medoc, Method, Protocol, Reach, SourceSpec, Timetable,
    Tunnel, is_on_one_of,
};

use super::{Accept, Query, Template};
use crate::day::{Day, Scale, Window};
use crate::digest::Digest;

/// One job: one manifest, checked.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// Where it was read from, as given on the command line.
    pub path: PathBuf,
    /// The digest of the file's bytes.
    pub sha256: Digest,
    /// The job's name: a safe path component.
    pub name: String,
    /// Sent as `From` to source origins.
    pub contact: Option<String>,
    /// Where the files go.
    pub archive: ArchiveSpec,
    /// The job's own limits; the hosts' presets hold besides.
    pub limits: Limits,
    /// How often and how long a failed request is tried again.
    pub retry: Retry,
    /// How long a silent peer is waited for.
    pub timeouts: Timeouts,
    /// Which checks a body must pass besides its length.
    pub verify: Verify,
    /// The job's lock.
    pub lock: LockSpec,
    /// When two versions of a file count as the same one.
    pub identity: Identity,
    /// The files that are bad at their source.
    pub accept: Vec<Accept>,
    /// The series, in the manifest's order; ids are unique.
    pub series: Vec<Series>,
}

/// Where the files go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveSpec {
    /// The archive's root, absolute or relative to the current directory (the manifest's folder is joined already).
    pub root: PathBuf,
    /// How days are locked against other processes.
    pub lock: LockMode,
}

/// How a day is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LockMode {
    /// `flock` on the day's journal.
    #[default]
    Flock,
    /// No lock: for filesystems that have none.
    None,
}

/// A number of requests per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// No limit.
    Unlimited,
    /// Requests per second, above zero; may be a fraction.
    PerSecond(f64),
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rate::Unlimited => f.write_str("unlimited"),
            Rate::PerSecond(rate) => write!(f, "{rate}/s"),
        }
    }
}

/// A number of bytes per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bandwidth {
    /// No limit.
    Unlimited,
    /// Bytes per second, above zero.
    BytesPerSecond(u64),
}

/// The manifest's limits; `None` leaves the host's preset.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Limits {
    /// Requests per second to one host group.
    pub requests: Option<Rate>,
    /// Bytes per second from one host group.
    pub bandwidth: Option<Bandwidth>,
    /// Connections to one host group.
    pub concurrency: Option<u32>,
    /// Who agreed to more than the preset of a public host, and when.
    pub agreed_with: Option<String>,
}

/// How a failed request is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Attempts in all, at least 1.
    pub attempts: u32,
    /// The longest single wait, Retry-After included.
    pub max_wait: Duration,
}

impl Default for Retry {
    fn default() -> Retry {
        Retry { attempts: 6, max_wait: Duration::from_mins(2) }
    }
}

/// How long a silent peer is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// For the headers, and for each next piece of a body.
    pub stall: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts { connect: Duration::from_secs(10), stall: Duration::from_secs(30) }
    }
}

/// Which checks a body must pass besides its length, which is always checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verify {
    /// FITS structure, CHECKSUM and DATASUM of what begins as FITS or is named so, also within compressed streams.
    pub fits: bool,
    /// The first bytes of types that have known ones, compressed streams to their end, and lengths that files state.
    pub magic: bool,
}

impl Default for Verify {
    fn default() -> Verify {
        Verify { fits: true, magic: true }
    }
}

/// The job's lock: the file beside the manifest that says what every file must be. It is no lock against processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LockSpec {
    /// What it names.
    pub detail: LockDetail,
}

/// What a lock names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LockDetail {
    /// Files up to 50,000 of them, then days alone.
    #[default]
    Auto,
    /// Every file.
    Files,
    /// Days alone.
    Day,
}

/// When two versions of a file count as the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Identity {
    /// When every byte is the same.
    #[default]
    Bytes,
    /// When they are the same record, and the data of each HDU and the header cards that count are the same.
    FitsData,
}

/// A series' id: a safe path component, unique in the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesId(pub String);

impl fmt::Display for SeriesId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One series of the job.
#[derive(Debug, Clone)]
pub struct Series {
    /// `as:`, else the name.
    pub id: SeriesId,
    /// The source's name for the series.
    pub name: String,
    /// Further series of the source: a slot that those before have no record for is taken from the next one.
    pub fallbacks: Vec<String>,
    /// Where it is.
    pub source: Arc<SourceSpec>,
    /// The dates asked for; [`Range::UNKNOWN`] while they follow regions that are not known yet.
    pub range: Range,
    /// The active regions that it follows.
    pub regions: Regions,
    /// Where its files go below the root.
    pub layout: Template,
    /// Which of its records are asked for.
    pub filters: Filters,
    /// What is kept of each record.
    pub fetch: Fetch,
    /// What its files have in their headers.
    pub headers: Headers,
    /// The keywords that a table of them has, in the manifest's order; all that the source tells when there is none.
    pub keywords: Option<Vec<String>>,
    /// How old a day's end must be, when it is listed, to count as final.
    pub settle: Duration,
}

/// What is kept of each record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fetch {
    /// Its files.
    #[default]
    Files,
    /// A row of its keywords in a table of the day.
    Keywords,
    /// Both.
    Both,
}

/// What files have in their headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Headers {
    /// What they come with.
    #[default]
    AsIs,
    /// The keywords of their record as well.
    Embed,
}

impl Fetch {
    /// True when the files are kept.
    #[must_use]
    pub fn has_files(self) -> bool {
        self != Fetch::Keywords
    }

    /// True when the keywords are kept.
    #[must_use]
    pub fn has_keywords(self) -> bool {
        self != Fetch::Files
    }
}

/// Which records and files of a day are asked for. A source applies each one or refuses it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filters {
    /// Only these segments; in the manifest's order, without repeats.
    pub segments: Option<Vec<String>>,
    /// Only these active regions, by HARP number.
    pub harpnum: Option<Vec<i64>>,
    /// Only these active regions, by NOAA number.
    pub noaa: Option<Vec<i64>>,
    /// Only these wavelengths, in Angstrom.
    pub wavelength: Option<Vec<i64>>,
    /// Only records of this quality.
    pub quality: Option<Quality>,
    /// Only records whose slot is a multiple of this, in whole seconds.
    pub cadence: Option<Duration>,
    /// Only records whose keywords match; each must hold.
    pub conditions: Vec<(String, Condition)>,
    /// Only records that this says, in the source's own words.
    pub raw: Option<String>,
}

/// What a keyword must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// This value: letters, digits, spaces and `_.:+-/`.
    Is(String),
    /// A number from the first to the second, both included; as typed.
    Within(String, String),
    /// No bit of this mask is set.
    NoneOf(u64),
}

/// A condition on QUALITY.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quality {
    /// No bit of this mask may be set.
    pub none_of: u64,
}

impl Quality {
    /// `QUALITY < 65536`: neither made in poor conditions (0x10000) nor without data (0x20000 and above), by JSOC's
    /// `doc/data/hmi/Quality_Bits/QUALITY.txt`.
    pub const GOOD: Quality = Quality { none_of: 0xffff_0000 };
}

/// The dates asked for, half-open; either end may follow the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The first label inside.
    pub start: Bound,
    /// The first label after it.
    pub end: Bound,
}

/// One end of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// A label in the source's scale.
    At(NaiveDateTime),
    /// The start of the current day in the source's scale, less these days.
    Today {
        /// Days before today; -1 for tomorrow, so that the current day is in a range that ends there.
        minus_days: i32,
    },
}

impl Bound {
    fn resolve(self, now: DateTime<Utc>, scale: Scale) -> NaiveDateTime {
        match self {
            Bound::At(at) => at,
            Bound::Today { minus_days } => {
                let today = Window::of_day((now.naive_utc() + scale.ahead_of_utc()).date()).start;
                today.checked_sub_signed(TimeDelta::days(i64::from(minus_days))).unwrap_or(NaiveDateTime::MIN)
            }
        }
    }
}

impl Range {
    /// True when neither end follows the clock.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        matches!((self.start, self.end), (Bound::At(_), Bound::At(_)))
    }

    /// No label at all, in place of those that are not known yet.
    pub const UNKNOWN: Range = {
        let nowhere = Bound::At(DateTime::UNIX_EPOCH.naive_utc());
        Range { start: nowhere, end: nowhere }
    };

    /// The labels asked for when the clock shows `now`; empty when the end is not after the start. Days that have not begun are
    /// not asked for, whatever the end is.
    #[must_use]
    pub fn resolve(&self, now: DateTime<Utc>, scale: Scale) -> Window {
        let tomorrow = Bound::Today { minus_days: -1 }.resolve(now, scale);
        let Window { start, end } = self.labels(now, scale);
        Window { start, end: end.min(tomorrow) }
    }

    /// The labels from one end to the other, also of days that have not begun.
    #[must_use]
    pub fn labels(&self, now: DateTime<Utc>, scale: Scale) -> Window {
        Window { start: self.start.resolve(now, scale), end: self.end.resolve(now, scale) }
    }
}

impl Filters {
    /// True where records are chosen by what their keywords say.
    #[must_use]
    pub fn has_conditions(&self) -> bool {
        let Filters { harpnum, noaa, wavelength, quality, conditions, raw, .. } = self;
        let has_list = [harpnum, noaa, wavelength].iter().any(|list| list.is_some());
        has_list || quality.is_some() || !conditions.is_empty() || raw.is_some()
    }
}

impl Series {
    /// The same for one of the source's series alone.
    #[must_use]
    pub fn of_source(&self, name: &str) -> Series {
        Series { name: name.to_owned(), fallbacks: Vec::new(), ..self.clone() }
    }

    /// The digest of what one day of this series is asked for: a day record answers exactly this.
    #[must_use]
    pub fn spec(&self, day: &Day) -> Digest {
        Query::of(self).spec(day.window, self.source.scale())
    }
}
