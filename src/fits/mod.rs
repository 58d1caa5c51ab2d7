//! FITS files: what their bytes prove, and the few keywords and names that say what they are.
//!
//! [`FitsCheck`] reads a file once, while it streams by; [`Keywords`] and [`values`] read headers alone, and [`FileIdentity`] adds
//! what the name tells. What it does not do: decode pixels, or repair anything.

mod all_headers;
mod cards;
mod check;
mod checksum;
mod digests;
mod embed;
mod header;
mod identity;
mod keyword_values;
mod keywords;
pub mod name;
mod observation_time;
#[cfg(test)]
mod tests;

pub use cards::{Card, CardValue, cards, commentary};
pub use check::FitsCheck;
pub use digests::Digests;
pub use embed::embed;
pub use identity::FileIdentity;
pub use keyword_values::{KeywordName, KeywordValue, stated_keywords, values};
pub use keywords::Keywords;
pub use observation_time::Times;

use crate::failure::{Class, Failure};

/// The length of a FITS block in bytes: headers and data fill whole ones.
pub const BLOCK: usize = 2880;

/// The length of a header card in bytes.
const CARD: usize = 80;

/// How many blocks a header may have (28.8 MB, 360,000 cards): a limit against a stream that never says END.
const HEADER_BLOCKS: u64 = 10_000;

/// What the bytes of a file proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FitsProof {
    /// Every HDU that has data stated CHECKSUM or DATASUM, at least one was stated, and all that were are right.
    Checksum,
    /// The structure holds to the last byte, but some data states no sum of itself.
    Structure,
}

/// Why bytes are no sound FITS file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// `html`, `magic`, `fits-structure` or `fits-checksum`; `storage` when a file cannot be read.
    pub class: Class,
    /// What is wrong, in which HDU (the primary one is 0) and at which byte; safe to show.
    pub message: String,
}

impl Fault {
    fn structure(message: impl Into<String>) -> Fault {
        Fault { class: Class::FitsStructure, message: message.into() }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        Failure::new(fault.class, fault.message)
    }
}

/// Tells what a file that should be FITS begins with: `Ok` for FITS, else a web page or something else.
///
/// `start` is the first card, or all there is of a shorter file.
fn magic(start: &[u8]) -> Result<(), Fault> {
    const SIMPLE: &[u8] = b"SIMPLE  =";
    if start.starts_with(SIMPLE) {
        return Ok(());
    }
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    if text.starts_with(b"<") {
        let shown = String::from_utf8_lossy(text.get(..24).unwrap_or(text)).into_owned();
        let message = format!("a web page arrived where a FITS file is due: it begins with `{}`", one_line(&shown));
        return Err(Fault { class: Class::Html, message });
    }
    if start.is_empty() {
        return Err(Fault::structure("the file is empty"));
    }
    if SIMPLE.starts_with(start) {
        return Err(Fault::structure(format!("the file ends in its first header, at byte {}", start.len())));
    }
    if let Some(other) = other_format(start) {
        let message = format!("not a FITS file but {other}, whatever its name says");
        return Err(Fault { class: Class::Magic, message });
    }
    let shown = String::from_utf8_lossy(start.get(..24).unwrap_or(start)).into_owned();
    let message = format!("not a FITS file: it begins with `{}`, not with `SIMPLE  =`", one_line(&shown));
    Err(Fault { class: Class::Magic, message })
}

/// The name of another format that bytes begin as. Some servers compress a file and leave its name as it was.
fn other_format(start: &[u8]) -> Option<&'static str> {
    const KNOWN: [(&[u8], &str); 9] = [
        (b"\x1f\x8b", "a gzip stream"),
        (b"\x1f\x9d", "a file of `compress` (.Z)"),
        (b"BZh", "a bzip2 stream"),
        (b"\xfd7zXZ\x00", "an xz stream"),
        (b"\x28\xb5\x2f\xfd", "a Zstandard stream"),
        (b"PK\x03\x04", "a ZIP archive"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (b"CDF\x01", "a NetCDF file"),
        (b"CDF\x02", "a NetCDF file"),
    ];
    KNOWN.iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, name)| *name)
}

/// What keeps a file that does not pass the checks of FITS and is wanted all the same.
const KEEP: &str = "`verify: [size, magic]` keeps it as it is";

/// Foreign text, safe to show.
fn one_line(text: &str) -> String {
    crate::untrusted::escape(text).into_owned()
}
