//! The check of a body by its own format, in one pass and whatever its name: FITS, gzip streams to their end, and what is
//! within them.
//!
//! Formats that are not decoded are held to the length that their first bytes state, see [`super::stated_length`].

use std::io::Write;
use std::mem;

use flate2::write::MultiGzDecoder;

use super::error_page::{self, Body, Start};
use super::trailer::Tail;
use super::{magic, stated_length};
use crate::digest::Digest;
use crate::failure::Class;
use crate::fits::{self, Fault};
use crate::manifest::{Identity, Verify};

/// How many first bytes tell a FITS file from what only begins like one: the first card, and the keyword of the second.
const ENOUGH: usize = 89;

/// True for the first [`ENOUGH`] bytes of a FITS file, or all of one that is cut before them: the standard (4.0, 4.4.1.1) wants
/// SIMPLE with its value in column 30, then BITPIX.
fn begins_as_fits(start: &[u8]) -> bool {
    let is_cut = || {
        let value = start.get(magic::FITS.len()..30).map(<[u8]>::trim_ascii_start);
        let second = start.get(80..).unwrap_or_default();
        start.len() < ENOUGH && value == Some(b"T") && b"BITPIX  =".starts_with(second)
    };
    start.starts_with(magic::FITS) && (start.get(80..ENOUGH) == Some(b"BITPIX  =") || is_cut())
}

/// True for the first bytes of a gzip stream (RFC 1952, 2.3): two alone do not make it one under a name that does not say so.
fn begins_as_gzip(start: &[u8]) -> bool {
    let is = |at: usize, is_right: fn(u8) -> bool| start.get(at).copied().is_none_or(is_right);
    start.starts_with(b"\x1f\x8b\x08")
        && is(3, |flags| flags & 0b1110_0000 == 0)
        && is(8, |effort| matches!(effort, 0 | 2 | 4))
        && is(9, |system| system <= 13 || system == 255)
}

/// How much a gzip stream may hold, in bytes: a small body must not keep a processor busy for hours.
const LARGEST_WITHIN: u64 = 64 << 30;

/// What the format of a body proved.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// Every data unit has a checksum, and all are right.
    Checksum,
    /// The structure holds to the last byte.
    Structure,
    /// The format is not decoded.
    None,
}

/// The check of one body, fed in order.
pub(super) struct Content {
    format: Format,
    identity: Identity,
    /// A gzip stream is read.
    looks_within_gzip: bool,
    /// The name says that this is a gzip stream.
    is_gzip_due: bool,
    looks_at_fits: bool,
    /// The name of what a gzip stream holds.
    within: String,
}

enum Format {
    /// Too few bytes so far to know.
    Unknown(Vec<u8>),
    Fits(Box<fits::Check>),
    Gzip(Box<MultiGzDecoder<Within>>),
    /// One that is not decoded.
    Other,
}

impl Content {
    /// A check of a body of this name.
    pub(super) fn new(name: &str, verify: Verify, identity: Identity) -> Content {
        let is_fits = verify.fits && magic::is_fits(name);
        let format = if is_fits { Format::Fits(Box::new(fits_check(identity))) } else { Format::Unknown(Vec::new()) };
        let is_gzip_due = magic::is_gzip(name);
        let within = name.rsplit_once('.').filter(|_| is_gzip_due).map_or(name, |(within, _)| within).to_owned();
        Content { format, identity, looks_within_gzip: verify.magic, is_gzip_due, looks_at_fits: verify.fits, within }
    }

    /// Takes in the next bytes.
    ///
    /// # Errors
    /// A [`Fault`] as soon as the bytes so far show one.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        match &mut self.format {
            Format::Unknown(start) => {
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
            Format::Fits(check) => check.push(bytes),
            Format::Gzip(decoder) => decoder.write_all(bytes).map_err(|error| decoder.get_mut().fault(&error)),
            Format::Other => Ok(()),
        }
    }

    /// The end of the body: what it proved, and the digests of its data units where those are asked for.
    ///
    /// # Errors
    /// The [`Fault`] that the end shows, such as that of a file which is cut.
    pub(super) fn finish(mut self) -> Result<(Proof, Option<Vec<Digest>>), Fault> {
        if let Format::Unknown(start) = &mut self.format {
            let start = mem::take(start);
            self.format = self.format_of(&start);
            self.push(&start)?;
        }
        match self.format {
            Format::Fits(check) => check.finish_with_data().map(|(proof, data)| (proof.into(), data)),
            Format::Gzip(mut decoder) => {
                decoder.try_finish().map_err(|error| decoder.get_mut().fault(&error))?;
                Ok((mem::take(decoder.get_mut()).finish()?, None))
            }
            Format::Unknown(_) | Format::Other => Ok((Proof::None, None)),
        }
    }

    fn format_of(&self, start: &[u8]) -> Format {
        if self.looks_at_fits && begins_as_fits(start) {
            Format::Fits(Box::new(fits_check(self.identity)))
        } else if self.looks_within_gzip
            && (begins_as_gzip(start) || (self.is_gzip_due && start.starts_with(magic::GZIP)))
        {
            let (looks_at_fits, name) = (self.looks_at_fits, self.within.clone());
            let within = Within { looks_at_fits, name, ..Within::default() };
            Format::Gzip(Box::new(MultiGzDecoder::new(within)))
        } else {
            Format::Other
        }
    }
}

fn fits_check(identity: Identity) -> fits::Check {
    match identity {
        Identity::Bytes => fits::Check::new(),
        Identity::FitsData => fits::Check::with_data(),
    }
}

impl From<fits::Proof> for Proof {
    fn from(proof: fits::Proof) -> Proof {
        match proof {
            fits::Proof::Checksum => Proof::Checksum,
            fits::Proof::Structure => Proof::Structure,
        }
    }
}

/// What comes out of a gzip stream: checked, and thrown away.
#[derive(Default)]
struct Within {
    looks_at_fits: bool,
    name: String,
    head: Vec<u8>,
    start: Start,
    tail: Tail,
    check: Option<Box<fits::Check>>,
    length: u64,
    fault: Option<Fault>,
}

impl Within {
    /// What is wrong when the decoder says that something is: the FITS within, or the stream itself.
    fn fault(&mut self, error: &std::io::Error) -> Fault {
        self.fault.take().unwrap_or_else(|| {
            let length = self.length;
            let message = format!("the gzip stream is cut or damaged, after {length} bytes of what it holds ({error})");
            Fault { class: Class::FileStructure, message }
        })
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.length += bytes.len() as u64;
        if self.length > LARGEST_WITHIN {
            let message = format!("the gzip stream holds more than {} GiB", LARGEST_WITHIN >> 30);
            return Err(Fault { class: Class::TooLong, message });
        }
        if let Some(check) = &mut self.check {
            return check.push(bytes).map_err(within_gzip);
        }
        let before = self.head.len();
        stated_length::extend(&mut self.head, bytes);
        self.start.push(bytes);
        self.tail.push(&self.head, bytes);
        if self.looks_at_fits && before < ENOUGH && self.head.len() >= ENOUGH && begins_as_fits(&self.head) {
            let mut check = Box::new(fits::Check::new());
            check.push(&self.head[..before]).and_then(|()| check.push(bytes)).map_err(within_gzip)?;
            self.check = Some(check);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Proof, Fault> {
        if let Some(check) = self.check {
            return check.finish().map(Proof::from).map_err(within_gzip);
        }
        self.start.end();
        let fault = |class, message: &str| Err(Fault { class, message: message.to_owned() });
        let (name, head, start, tail) = (self.name.as_str(), self.head.as_slice(), &self.start, self.tail.last());
        if let Some(why) = error_page::objection(Body { name, content_type: None, head, start, tail }) {
            return fault(Class::Html, &format!("in the gzip stream, {why}"));
        }
        if self.looks_at_fits && begins_as_fits(&self.head) {
            let mut check = fits::Check::new();
            return check.push(&self.head).and_then(|()| check.finish()).map(Proof::from).map_err(within_gzip);
        }
        if self.looks_at_fits && magic::is_fits(&self.name) && !self.head.starts_with(magic::FITS) {
            let message = "the gzip stream holds no FITS file, as its name says: it does not begin with `SIMPLE  =`";
            return fault(Class::Magic, message);
        }
        if let Some(why) = stated_length::objection(&self.head, self.length) {
            return fault(Class::FileStructure, &format!("in the gzip stream, {why}"));
        }
        // The sum of the stream was right, which says less than sums of data units.
        Ok(Proof::Structure)
    }
}

impl Write for Within {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.take(bytes).map_err(|fault| {
            self.fault = Some(fault);
            std::io::Error::other("what the stream holds is wrong")
        })?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn within_gzip(Fault { class, message }: Fault) -> Fault {
    Fault { class, message: format!("the FITS file in the gzip stream: {message}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(text: &str) -> Vec<u8> {
        format!("{text:80}").into_bytes()
    }

    fn fits() -> Vec<u8> {
        let cards = [
            "SIMPLE  =                    T",
            "BITPIX  =                    8",
            "NAXIS   =                    1",
            "NAXIS1  =                20000",
            "END",
        ];
        let mut file: Vec<u8> = cards.iter().flat_map(|text| card(text)).collect();
        file.resize(2880, b' ');
        file.resize(2880 + 20160, 0);
        file
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    /// The verdict, which must not depend on how the bytes are cut.
    fn verdict(name: &str, body: &[u8], verify: Verify) -> Result<Proof, Class> {
        let mut verdicts = [1, 7, 89, 1000, usize::MAX].map(|piece| {
            let mut content = Content::new(name, verify, Identity::Bytes);
            let pushed = body.chunks(piece.min(body.len().max(1))).try_for_each(|bytes| content.push(bytes));
            pushed.and_then(|()| content.finish()).map(|(proof, _)| proof).map_err(|fault| fault.class)
        });
        verdicts.sort_by_key(|verdict| format!("{verdict:?}"));
        let [first, .., last] = verdicts;
        assert_eq!(first, last, "{name}");
        first
    }

    #[test]
    fn what_begins_as_fits_is_checked_as_fits_whatever_its_name() {
        let (all, whole) = (Verify { fits: true, magic: true }, fits());
        let cut = &whole[..12_000];
        for name in
            ["a.fits", "a.FTS", "20220318000050Bh.fits.fz", "efz20040301.000010", "tca040301", "image_lev1_fits"]
        {
            assert_eq!(verdict(name, &whole, all), Ok(Proof::Structure), "{name}");
            assert_eq!(verdict(name, cut, all), Err(Class::FitsStructure), "{name}");
            let lax = Verify { fits: false, magic: true };
            assert_eq!(verdict(name, cut, lax), Ok(Proof::None), "{name}: not asked for");
        }
        assert_eq!(verdict("a.dat", b"SIMPLE", all), Ok(Proof::None), "too short to be FITS");
        for length in [30, 79, 80, 85, 88, 89, 2879] {
            assert_eq!(verdict("a", &whole[..length], all), Err(Class::FitsStructure), "cut at byte {length}");
        }
        let text = format!("{:80}A text about FITS", "SIMPLE  = T");
        assert_eq!(verdict("a.txt", text.as_bytes(), all), Ok(Proof::None), "no second card");
        assert_eq!(verdict("a.dat", b"", all), Ok(Proof::None));
    }

    #[test]
    fn gzip_is_read_to_its_end_and_so_is_the_fits_file_in_it() {
        let (all, whole) = (Verify { fits: true, magic: true }, gzip(&fits()));
        assert_eq!(verdict("a.fits.gz", &whole, all), Ok(Proof::Structure));
        assert_eq!(verdict("a.fits.gz", &gzip(&fits()[..12_000]), all), Err(Class::FitsStructure));
        assert_eq!(verdict("a.fits.gz", &gzip(b"hello"), all), Err(Class::Magic));
        assert_eq!(verdict("a.fits.gz", &gzip(b"<html>"), all), Err(Class::Html));
        assert_eq!(verdict("a.csv.gz", &gzip(b"<!-- x --><h1>503</h1>"), all), Err(Class::Html));
        assert_eq!(verdict("a.html.gz", &gzip(b"<html>"), all), Ok(Proof::Structure));
        assert_eq!(verdict("a.fits.gz", &gzip(b"SIMPLE  =                    T"), all), Err(Class::FitsStructure));
        assert_eq!(verdict("a.csv.gz", &gzip(b"a,b\n1,2\n"), all), Ok(Proof::Structure));
        assert_eq!(verdict("a.gz", &gzip(b""), all), Ok(Proof::Structure));
        let two = [gzip(b"one"), gzip(b"two")].concat();
        assert_eq!(verdict("a.txt.gz", &two, all), Ok(Proof::Structure), "two members are one file");
        for length in 2..whole.len() {
            let found = verdict("a.tgz", &whole[..length], all);
            assert!(found.is_err(), "cut at byte {length}: {found:?}");
        }
        let mut flipped = gzip(&[7; 5000]);
        let sum = flipped.len() - 6;
        flipped[sum] ^= 1;
        assert_eq!(verdict("a.dat.gz", &flipped, all), Err(Class::FileStructure));
        let lax = Verify { fits: true, magic: false };
        assert_eq!(verdict("a.dat.gz", &flipped, lax), Ok(Proof::None), "not asked for");
        assert_eq!(verdict("a.dat", b"\x1f\x8b\x00data", all), Ok(Proof::None), "two bytes alone do not make it gzip");
        assert_eq!(verdict("a.dat", b"\x1f\x8b\x08\xffdata", all), Ok(Proof::None), "nor do three");
    }

    #[test]
    fn what_begins_as_gzip_is_read_to_its_end_whatever_its_name() {
        let (all, whole) = (Verify { fits: true, magic: true }, gzip(&fits()));
        for name in ["a.dat", "a", "efz20040301.000010", "a.fits.gz_", "a.GZ"] {
            assert_eq!(verdict(name, &whole, all), Ok(Proof::Structure), "{name}");
            assert_eq!(verdict(name, &gzip(&fits()[..12_000]), all), Err(Class::FitsStructure), "{name}");
            for length in [3, 4, 9, 10, 11, 60, whole.len() - 1] {
                assert_eq!(verdict(name, &whole[..length], all), Err(Class::FileStructure), "{name} at {length}");
            }
        }
        let hdf5 = [&b"\x89HDF\r\n\x1a\n\x02\x08\x08"[..], &[0; 17], &4096_u64.to_le_bytes(), &[0; 400]].concat();
        assert_eq!(verdict("a.h5.gz", &gzip(&hdf5), all), Err(Class::FileStructure));
        assert_eq!(verdict("a.nc.gz", &gzip(b"CDF\x01\0\0"), all), Err(Class::FileStructure));
    }
}
