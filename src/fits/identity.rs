//! Which record and segment a file holds, by its headers and its name together.
//!
//! What it does not do: open files.

use chrono::NaiveDateTime;

use super::{Keywords, name};

/// What is known of a file, as far as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileIdentity {
    /// The series: from the name, else from the first folder of its path.
    pub series: Option<String>,
    /// The start of exposure, else the slot, in UTC.
    pub time: Option<NaiveDateTime>,
    /// The slot, in TAI.
    pub t_rec: Option<NaiveDateTime>,
    /// The record's number.
    pub recnum: Option<i64>,
    /// The active region.
    pub harpnum: Option<i64>,
    /// The record's quality bits.
    pub quality: Option<i64>,
    /// The segment.
    pub segment: Option<String>,
    /// What its extension calls itself, which is mostly the segment.
    pub extension: Option<String>,
    /// Whether its first axis is in the cylindrical equal-area projection: by this alone a patch of `hmi.sharp_cea_720s`
    /// differs from one of `hmi.sharp_720s`.
    pub is_cea: Option<bool>,
}

impl FileIdentity {
    /// Of a file by its path below a folder and its headers. Of its record the headers are the better witness, of its
    /// segment the name is.
    #[must_use]
    pub fn from_keywords(path: &str, keywords: &Keywords) -> FileIdentity {
        let named = name::read(path);
        // A compressor calls whatever it has packed by this name.
        let extname = keywords.extname.as_deref().filter(|name| *name != "COMPRESSED_IMAGE");
        let extension = extname.and_then(name::segment);
        FileIdentity {
            series: named.series,
            time: keywords.times.observed(named.time),
            t_rec: keywords.times.t_rec.as_deref().and_then(name::tai).or(named.t_rec),
            recnum: keywords.recnum.or(named.recnum),
            harpnum: keywords.harpnum.or(named.harpnum),
            quality: keywords.quality,
            segment: named.segment.or_else(|| extension.clone()),
            extension,
            is_cea: keywords.ctype1.as_deref().map(|projection| projection.ends_with("-CEA")),
        }
    }
}
