//! A file that came wrong, as the journal keeps it: what a later run need not find out again.
//!
//! What it does not do: say when it is asked for again; `run` does.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::failure::Class;

/// How a file failed, and how often. It lies in the journal of its day, and goes with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorruptDownload {
    /// Its key within the day.
    pub key: String,
    /// Its path, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// How it failed last.
    pub class: Class,
    /// The HTTP status, when one was the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What was told of it.
    pub message: String,
    /// Which checks it had to pass.
    pub checks: String,
    /// The size that its listing told, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<u64>,
    /// When it failed first.
    pub since: DateTime<Utc>,
    /// When it failed last.
    pub at: DateTime<Utc>,
    /// In how many runs it failed.
    pub times: u32,
    /// Other files of its host came well in the run in which it failed last: then it was not the host that failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub host_was_well: bool,
}
