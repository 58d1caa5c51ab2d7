//! Where files are: the trait, and one file per kind of source. Sources list, and never download.

pub mod hmi;

use std::future::Future;
use std::pin::Pin;

use chrono::NaiveDateTime;
use url::Url;

use crate::day::Day;
use crate::failure::Failure;
use crate::manifest::{Series, SourceSpec};
use crate::net::Client;

/// A service that lists the files of a series for a day.
///
/// # Contract
/// - The same upstream gives the same listing: sorted by key, without repeats.
/// - Every file lies in the day's window by the source's own time key; what does not is counted, not given.
/// - A key is stable and free of hosts. Every filter of the series is applied, or the listing fails as
///   `source-refused`.
/// - One call is one attempt: an error says by its class whether another may help.
pub trait Source: Send + Sync {
    /// The files of one day.
    fn list<'a>(&'a self, series: &'a Series, day: &'a Day) -> Listing<'a>;
}

/// A listing on its way.
pub type Listing<'a> = Pin<Box<dyn Future<Output = Result<Listed, Failure>> + Send + 'a>>;

/// What a source says of one day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// The files asked for, sorted by key.
    pub files: Vec<RemoteFile>,
    /// Items that the answer held outside the day's window; dropped.
    pub outside_day: u64,
    /// Items that named a key again; folded.
    pub duplicates: u64,
    /// Records of the day that the source has no file of.
    pub without_file: u64,
    /// Files of the day that the series' filters leave out.
    pub left_out: u64,
}

/// One file that a source has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFile {
    /// What identifies it within its day: stable, free of hosts.
    pub key: String,
    /// Where it is now, on the source's own base.
    pub url: Url,
    /// The same, relative to the source's base; what a record keeps.
    pub path: String,
    /// Its file name when the listing gives one; else the answer's header or the URL says.
    pub name: Option<String>,
    /// Its time by the source's own key.
    pub time: NaiveDateTime,
    /// The slot, when known.
    pub t_rec: Option<NaiveDateTime>,
    /// The record's number.
    pub recnum: Option<i64>,
    /// The active region.
    pub harpnum: Option<i64>,
    /// The segment.
    pub segment: Option<String>,
    /// The wavelength in Angstrom.
    pub wavelength: Option<i64>,
    /// Its size in bytes, when the listing gives one.
    pub bytes: Option<u64>,
}

/// Opens the source of a kind: the one place that knows them all. `base` is where the service listens, which for the
/// built-in one is known only once it runs.
#[must_use]
pub fn open(spec: &SourceSpec, base: &Url, client: Client) -> Box<dyn Source> {
    match spec {
        // The built-in service speaks as the HMI service does; only where it listens is another matter.
        SourceSpec::Hmi(_) | SourceSpec::Embedded(_) => Box::new(hmi::Hmi::new(base.clone(), client)),
    }
}
