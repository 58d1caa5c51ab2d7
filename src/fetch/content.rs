//! The check of a body by its own format, in one pass: FITS, whatever its name; FITS within gzip; and gzip streams to their
//! end.
//!
//! Formats that are not decoded are held to the length that their first bytes state, see [`super::stated_length`].

use std::io::Write;
use std::mem;

use flate2::write::MultiGzDecoder;

use super::magic;
use crate::digest::Digest;
use crate::failure::Class;
use crate::fits::{self, Fault};
use crate::manifest::{Identity, Verify};

/// How many first bytes tell a FITS file from what only begins like one: the first card, and the keyword of the second.
const ENOUGH: usize = 89;

/// True for the first [`ENOUGH`] bytes of a FITS file: the standard (4.0, 4.4.1.1) wants SIMPLE, then BITPIX.
fn begins_as_fits(start: &[u8]) -> bool {
    start.starts_with(magic::FITS) && start.get(80..ENOUGH).is_some_and(|second| second == b"BITPIX  =")
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
    looks_within_gzip: bool,
    looks_at_fits: bool,
    /// The name says that a gzip stream holds a FITS file.
    is_fits_due_within: bool,
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
        let looks_within_gzip = verify.magic && magic::is_gzip(name);
        let is_fits_due_within = verify.fits && name.rsplit_once('.').is_some_and(|(inner, _)| magic::is_fits(inner));
        Content { format, identity, looks_within_gzip, looks_at_fits: verify.fits, is_fits_due_within }
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
        } else if self.looks_within_gzip && start.starts_with(magic::GZIP) {
            let (looks_at_fits, is_fits_due) = (self.looks_at_fits, self.is_fits_due_within);
            let within = Within { looks_at_fits, is_fits_due, ..Within::default() };
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
    is_fits_due: bool,
    start: Vec<u8>,
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
        if self.looks_at_fits && self.start.len() < ENOUGH {
            let before = self.start.len();
            self.start.extend_from_slice(&bytes[..bytes.len().min(ENOUGH - before)]);
            if begins_as_fits(&self.start) {
                let mut check = Box::new(fits::Check::new());
                check.push(&self.start[..before]).and_then(|()| check.push(bytes)).map_err(within_gzip)?;
                self.check = Some(check);
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Proof, Fault> {
        match self.check {
            Some(check) => check.finish().map(Proof::from).map_err(within_gzip),
            None if self.is_fits_due && !self.start.starts_with(magic::FITS) => {
                let message =
                    "the gzip stream holds no FITS file, as its name says: it does not begin with `SIMPLE  =`";
                Err(Fault { class: Class::Magic, message: message.to_owned() })
            }
            // The sum of the stream was right, which says less than sums of data units.
            None => Ok(Proof::Structure),
        }
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
        let text = format!("{:80}A text about FITS", "SIMPLE  = T");
        assert_eq!(verdict("a.txt", text.as_bytes(), all), Ok(Proof::None), "no second card");
        assert_eq!(verdict("a.dat", b"", all), Ok(Proof::None));
    }

    #[test]
    fn gzip_is_read_to_its_end_and_so_is_the_fits_file_in_it() {
        let (all, whole) = (Verify { fits: true, magic: true }, gzip(&fits()));
        assert_eq!(verdict("a.fits.gz", &whole, all), Ok(Proof::Structure));
        assert_eq!(verdict("a.fits.gz", &gzip(&fits()[..12_000]), all), Err(Class::FitsStructure));
        assert_eq!(verdict("a.fits.gz", &gzip(b"<html>"), all), Err(Class::Magic));
        assert_eq!(verdict("a.fits.gz", &gzip(b"SIMPLE  =                    T"), all), Ok(Proof::Structure));
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
        assert_eq!(verdict("a.dat", &flipped, all), Ok(Proof::None), "two bytes alone do not make it gzip");
    }
}
