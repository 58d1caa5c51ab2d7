//! The check of a body by its own format, in one pass and whatever its name: FITS, tar archives, compressed streams to their
//! end, and what is within them.
//!
//! Formats that are not decoded are held to the length that their first bytes state, see [`super::stated_length`].

use std::io::ErrorKind;
use std::mem;

use super::error_page::{self, PageBody, Start};
use super::file_end::{self, Tail};
use super::packed::{self, Decoded, Decoder};
use super::{magic, stated_length, tar};
use crate::failure::Class;
use crate::fits::{self, Fault};
use crate::manifest::{Identity, Verify};

/// How many first bytes tell a FITS file from what only begins like one: the first card, and the keyword of the second.
const FITS_START: usize = 89;

/// How many first bytes tell the format.
const ENOUGH: usize = tar::BLOCK;

/// How often streams are read within streams.
const DEPTH: usize = 3;

/// A stream may hold so many bytes however short it is: a blank image does.
const DENSE: u64 = 256 << 20;

/// How many bytes one byte of a stream may stand for beyond that: more than the 1,032 of gzip.
const DENSEST: u64 = 1100;

/// How much a compressed stream may hold, in bytes: a small body must not keep a processor busy for hours.
const LARGEST_WITHIN: u64 = 64 << 30;

/// True for the first bytes of a FITS file, or all of one that is cut before them: the standard (4.0, 4.4.1.1) wants
/// SIMPLE with its value in column 30, then BITPIX.
fn begins_as_fits(start: &[u8]) -> bool {
    let is_cut = || {
        let value = start.get(magic::FITS.len()..30).map(<[u8]>::trim_ascii_start);
        let second = start.get(80..).unwrap_or_default();
        start.len() < FITS_START && value == Some(b"T") && b"BITPIX  =".starts_with(second)
    };
    // Cards on lines of their own are a header as text.
    let has_lines = start.iter().take(81).any(|byte| *byte == b'\n');
    start.starts_with(magic::FITS) && !has_lines && (start.get(80..FITS_START) == Some(b"BITPIX  =") || is_cut())
}

/// What the format of a body proved.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FormatProof {
    /// Every data unit has a checksum, and all are right.
    Checksum,
    /// The structure holds to the last byte.
    Structure,
    /// The format is not decoded.
    None,
}

/// The check of one body, fed in order.
pub(super) struct ContentCheck {
    format: StreamFormat,
    name: String,
    verify: Verify,
    identity: Identity,
    /// How many streams this is within.
    depth: usize,
}

enum StreamFormat {
    /// Too few bytes so far to know.
    Unknown(Vec<u8>),
    Fits(Box<fits::FitsCheck>),
    Packed(Box<Packed>),
    Tar(tar::TarCheck),
    /// One that is not decoded.
    Other,
}

impl ContentCheck {
    /// A check of a body of this name.
    pub(super) fn new(name: &str, verify: Verify, identity: Identity) -> ContentCheck {
        let is_fits = verify.fits && magic::is_fits(name);
        let format = if is_fits {
            StreamFormat::Fits(Box::new(fits_check(identity)))
        } else {
            StreamFormat::Unknown(Vec::new())
        };
        ContentCheck { format, name: name.to_owned(), verify, identity, depth: 0 }
    }

    /// Takes in the next bytes.
    ///
    /// # Errors
    /// A [`Fault`] as soon as the bytes so far show one.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        match &mut self.format {
            StreamFormat::Unknown(start) => {
                let before = start.len();
                start.extend_from_slice(&bytes[..bytes.len().min(ENOUGH - before)]);
                if start.len() < ENOUGH {
                    return Ok(());
                }
                let start = mem::take(start);
                self.format = self.format_of(&start);
                self.push(&start[..before])?;
                self.push(bytes)
            }
            StreamFormat::Fits(check) => check.push(bytes),
            StreamFormat::Packed(packed) => packed.push(bytes),
            StreamFormat::Tar(check) => {
                check.push(bytes);
                Ok(())
            }
            StreamFormat::Other => Ok(()),
        }
    }

    /// The end of the body: what it proved, and the digests of a FITS file where those are asked for.
    ///
    /// # Errors
    /// The [`Fault`] that the end shows, such as that of a file which is cut.
    pub(super) fn finish(mut self) -> Result<(FormatProof, Option<fits::Digests>), Fault> {
        if let StreamFormat::Unknown(start) = &mut self.format {
            let start = mem::take(start);
            self.format = self.format_of(&start);
            self.push(&start)?;
        }
        match self.format {
            StreamFormat::Fits(check) => check.finish_with_digests().map(|(proof, digests)| (proof.into(), digests)),
            StreamFormat::Packed(packed) => packed.finish().map(|proof| (proof, None)),
            StreamFormat::Tar(check) => check.finish().map(|()| (FormatProof::None, None)),
            StreamFormat::Unknown(_) | StreamFormat::Other => Ok((FormatProof::None, None)),
        }
    }

    fn format_of(&self, start: &[u8]) -> StreamFormat {
        if self.verify.fits && begins_as_fits(start) {
            return StreamFormat::Fits(Box::new(fits_check(self.identity)));
        }
        if !self.verify.magic {
            return StreamFormat::Other;
        }
        match packed::Compression::detect(&self.name, start) {
            Some(format) if self.depth < DEPTH => StreamFormat::Packed(Box::new(Packed::new(format, self))),
            _ if tar::begins_as_tar(start) => StreamFormat::Tar(tar::TarCheck::default()),
            _ => StreamFormat::Other,
        }
    }
}

fn fits_check(identity: Identity) -> fits::FitsCheck {
    match identity {
        Identity::Bytes => fits::FitsCheck::new(),
        Identity::FitsData => fits::FitsCheck::with_digests(),
    }
}

impl From<fits::FitsProof> for FormatProof {
    fn from(proof: fits::FitsProof) -> FormatProof {
        match proof {
            fits::FitsProof::Checksum => FormatProof::Checksum,
            fits::FitsProof::Structure => FormatProof::Structure,
        }
    }
}

/// The check of a compressed stream, and of what comes out of it.
struct Packed {
    format: packed::Compression,
    /// `None` for a stream that cannot be decoded here.
    decoder: Option<Decoder>,
    /// How many bytes of the stream were decoded.
    taken: u64,
    within: Decompressed,
}

impl Packed {
    fn new(format: packed::Compression, content: &ContentCheck) -> Packed {
        let name = format.name_within(&content.name);
        let content = ContentCheck {
            // What begins as FITS is checked; of what the name alone calls so, see `Decompressed::finish`.
            format: StreamFormat::Unknown(Vec::new()),
            name: name.to_owned(),
            verify: content.verify,
            identity: Identity::Bytes,
            depth: content.depth + 1,
        };
        Packed { format, decoder: Some(Decoder::new(format)), taken: 0, within: Decompressed::new(content) }
    }

    fn push(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        while let Some(decoder) = &mut self.decoder {
            match decoder.decode(bytes) {
                Ok(Decoded { taken, bytes: came }) => {
                    let is_all = taken == bytes.len() && came.is_empty();
                    self.taken += taken as u64;
                    self.within.push(&came).map_err(|fault| within_stream(self.format, fault))?;
                    if is_too_dense(self.taken, self.within.length) {
                        self.decoder = None;
                    }
                    if is_all {
                        return Ok(());
                    }
                    bytes = &bytes[taken..];
                }
                Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::OutOfMemory) => {
                    self.decoder = None;
                }
                Err(error) => return Err(self.damaged(&error)),
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<FormatProof, Fault> {
        let Some(decoder) = self.decoder.take() else { return Ok(FormatProof::None) };
        let last = decoder.finish().map_err(|error| self.damaged(&error))?;
        let format = self.format;
        let found = self.within.push(&last).and_then(|()| self.within.finish());
        found.map_err(|fault| within_stream(format, fault))
    }

    fn damaged(&self, error: &std::io::Error) -> Fault {
        let (format, length) = (self.format.name(), self.within.length);
        let message = format!("the {format} stream is wrong after {length} bytes of what it holds: {error}");
        Fault { class: Class::FileStructure, message }
    }
}

/// True for a stream that holds far more than its own bytes could make of any image: its decoding stops, since a few
/// kilobytes could keep a processor busy for minutes.
fn is_too_dense(taken: u64, held: u64) -> bool {
    held > DENSE && held / DENSEST > taken
}

fn within_stream(format: packed::Compression, Fault { class, message }: Fault) -> Fault {
    Fault { class, message: format!("in the {} stream: {message}", format.name()) }
}

/// What comes out of a compressed stream: checked, and thrown away.
struct Decompressed {
    content: ContentCheck,
    head: Vec<u8>,
    start: Start,
    tail: Tail,
    length: u64,
}

impl Decompressed {
    fn new(content: ContentCheck) -> Decompressed {
        Decompressed { content, head: Vec::new(), start: Start::default(), tail: Tail::default(), length: 0 }
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.length += bytes.len() as u64;
        if self.length > LARGEST_WITHIN {
            let message = format!("more than {} GiB", LARGEST_WITHIN >> 30);
            return Err(Fault { class: Class::TooLong, message });
        }
        stated_length::extend(&mut self.head, bytes);
        self.start.push(bytes);
        self.tail.push(&self.head, bytes);
        self.content.push(bytes)
    }

    fn finish(mut self) -> Result<FormatProof, Fault> {
        self.start.end();
        let (name, head, start, tail) = (&self.content.name, &self.head, &self.start, self.tail.last());
        if let Some(why) = error_page::objection(PageBody { name, content_type: None, head, start, tail }) {
            return Err(Fault { class: Class::Html, message: why.to_owned() });
        }
        if self.content.verify.fits && magic::is_fits(name) && !head.starts_with(magic::FITS) {
            let message = "what its name calls a FITS file does not begin with `SIMPLE  =`".to_owned();
            return Err(Fault { class: Class::Magic, message });
        }
        let end = || file_end::objection(name, head, &self.tail, self.length).map(str::to_owned);
        let cut = stated_length::objection(head, self.length).or_else(end);
        let (proof, _) = self.content.finish()?;
        if let Some(message) = cut {
            return Err(Fault { class: Class::FileStructure, message });
        }
        // The sum of the stream was right, which says less than sums of data units.
        Ok(if proof == FormatProof::Checksum { proof } else { FormatProof::Structure })
    }
}

#[cfg(test)]
mod tests;
