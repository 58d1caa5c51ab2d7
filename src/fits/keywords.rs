//! The keywords that say what a file is: read from its headers alone.
//!
//! What it does not do: know other keywords; `keyword_values` reads those that a user asks for.

use std::io::{Read, Seek};

use fitsio_pure::value::Value;

use super::Fault;
use super::all_headers::statements;
use super::observation_time::Times;

/// What the headers of a file say; of a keyword in several HDUs the first counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keywords {
    /// When it was observed.
    pub times: Times,
    /// HARPNUM, the active region.
    pub harpnum: Option<i64>,
    /// RECNUM, the record's number.
    pub recnum: Option<i64>,
    /// QUALITY, the record's bits.
    pub quality: Option<i64>,
    /// EXTNAME, which may name the segment.
    pub extname: Option<String>,
    /// CTYPE1, the projection of the first axis, such as `CRLN-CEA`.
    pub ctype1: Option<String>,
}

impl Keywords {
    /// Reads all headers of a file from its start, and seeks over its data.
    ///
    /// # Errors
    /// A [`Fault`] when the file does not begin as FITS, its first header has no END, or it cannot be read (`storage`).
    pub fn read(file: impl Read + Seek) -> Result<Keywords, Fault> {
        let mut keywords = Keywords::default();
        statements(file, |keyword, value| keywords.take(keyword, value))?;
        Ok(keywords)
    }

    fn take(&mut self, keyword: [u8; 8], value: &Value) {
        match &keyword {
            b"EXTNAME " => text(value, &mut self.extname),
            b"CTYPE1  " => text(value, &mut self.ctype1),
            b"HARPNUM " => integer(value, &mut self.harpnum),
            b"RECNUM  " => integer(value, &mut self.recnum),
            b"QUALITY " => integer(value, &mut self.quality),
            _ => {
                if let Value::String(text) = value {
                    self.times.take(keyword, text);
                }
            }
        }
    }
}

fn text(value: &Value, kept: &mut Option<String>) {
    if kept.is_none()
        && let Value::String(text) = value
        && !text.trim().is_empty()
    {
        *kept = Some(text.trim().to_owned());
    }
}

fn integer(value: &Value, kept: &mut Option<i64>) {
    if kept.is_none()
        && let Value::Integer(value) = value
    {
        *kept = Some(*value);
    }
}
