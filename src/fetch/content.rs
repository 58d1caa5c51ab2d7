//! The check of a body by its own format, in one pass and whatever its name: FITS, tar archives, compressed streams to their
//! end, and what is within them.
//!
//! Formats that are not decoded are held to the length that their first bytes state, see [`super::stated_length`].

use std::io::ErrorKind;
use std::mem;

use super::error_page::{self, Body, Start};
use super::packed::{self, Decoded, Decoder};
use super::trailer::{self, Tail};
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
    name: String,
    verify: Verify,
    identity: Identity,
    /// How many streams this is within.
    depth: usize,
}

enum Format {
    /// Too few bytes so far to know.
    Unknown(Vec<u8>),
    Fits(Box<fits::Check>),
    Packed(Box<Packed>),
    Tar(tar::Check),
    /// One that is not decoded.
    Other,
}

impl Content {
    /// A check of a body of this name.
    pub(super) fn new(name: &str, verify: Verify, identity: Identity) -> Content {
        let is_fits = verify.fits && magic::is_fits(name);
        let format = if is_fits { Format::Fits(Box::new(fits_check(identity))) } else { Format::Unknown(Vec::new()) };
        Content { format, name: name.to_owned(), verify, identity, depth: 0 }
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
            Format::Packed(packed) => packed.push(bytes),
            Format::Tar(check) => {
                check.push(bytes);
                Ok(())
            }
            Format::Other => Ok(()),
        }
    }

    /// The end of the body: what it proved, and the digests of a FITS file where those are asked for.
    ///
    /// # Errors
    /// The [`Fault`] that the end shows, such as that of a file which is cut.
    pub(super) fn finish(mut self) -> Result<(Proof, Option<fits::Digests>), Fault> {
        if let Format::Unknown(start) = &mut self.format {
            let start = mem::take(start);
            self.format = self.format_of(&start);
            self.push(&start)?;
        }
        match self.format {
            Format::Fits(check) => check.finish_with_digests().map(|(proof, digests)| (proof.into(), digests)),
            Format::Packed(packed) => packed.finish().map(|proof| (proof, None)),
            Format::Tar(check) => check.finish().map(|()| (Proof::None, None)),
            Format::Unknown(_) | Format::Other => Ok((Proof::None, None)),
        }
    }

    fn format_of(&self, start: &[u8]) -> Format {
        if self.verify.fits && begins_as_fits(start) {
            return Format::Fits(Box::new(fits_check(self.identity)));
        }
        if !self.verify.magic {
            return Format::Other;
        }
        match packed::Format::of(&self.name, start) {
            Some(format) if self.depth < DEPTH => Format::Packed(Box::new(Packed::new(format, self))),
            _ if tar::begins_as_tar(start) => Format::Tar(tar::Check::default()),
            _ => Format::Other,
        }
    }
}

fn fits_check(identity: Identity) -> fits::Check {
    match identity {
        Identity::Bytes => fits::Check::new(),
        Identity::FitsData => fits::Check::with_digests(),
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

/// The check of a compressed stream, and of what comes out of it.
struct Packed {
    format: packed::Format,
    /// `None` for a stream that cannot be decoded here.
    decoder: Option<Decoder>,
    within: Within,
}

impl Packed {
    fn new(format: packed::Format, content: &Content) -> Packed {
        let name = format.name_within(&content.name);
        let content = Content {
            // What begins as FITS is checked; of what the name alone calls so, see `Within::finish`.
            format: Format::Unknown(Vec::new()),
            name: name.to_owned(),
            verify: content.verify,
            identity: Identity::Bytes,
            depth: content.depth + 1,
        };
        Packed { format, decoder: Some(Decoder::new(format)), within: Within::new(content) }
    }

    fn push(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        while let Some(decoder) = &mut self.decoder {
            match decoder.decode(bytes) {
                Ok(Decoded { taken, bytes: came }) => {
                    let is_all = taken == bytes.len() && came.is_empty();
                    self.within.push(&came).map_err(|fault| self.within_stream(fault))?;
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

    fn finish(mut self) -> Result<Proof, Fault> {
        let Some(decoder) = self.decoder.take() else { return Ok(Proof::None) };
        let last = decoder.finish().map_err(|error| self.damaged(&error))?;
        let format = self.format;
        let found = self.within.push(&last).and_then(|()| self.within.finish());
        found.map_err(|fault| within_stream(format, fault))
    }

    fn damaged(&self, error: &std::io::Error) -> Fault {
        let (format, length) = (self.format.name(), self.within.length);
        let message = format!("the {format} stream is cut or damaged, after {length} bytes of what it holds ({error})");
        Fault { class: Class::FileStructure, message }
    }

    fn within_stream(&self, fault: Fault) -> Fault {
        within_stream(self.format, fault)
    }
}

fn within_stream(format: packed::Format, Fault { class, message }: Fault) -> Fault {
    Fault { class, message: format!("in the {} stream: {message}", format.name()) }
}

/// What comes out of a compressed stream: checked, and thrown away.
struct Within {
    content: Content,
    head: Vec<u8>,
    start: Start,
    tail: Tail,
    length: u64,
}

impl Within {
    fn new(content: Content) -> Within {
        Within { content, head: Vec::new(), start: Start::default(), tail: Tail::default(), length: 0 }
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

    fn finish(mut self) -> Result<Proof, Fault> {
        self.start.end();
        let (name, head, start, tail) = (&self.content.name, &self.head, &self.start, self.tail.last());
        if let Some(why) = error_page::objection(Body { name, content_type: None, head, start, tail }) {
            return Err(Fault { class: Class::Html, message: why.to_owned() });
        }
        if self.content.verify.fits && magic::is_fits(name) && !head.starts_with(magic::FITS) {
            let message = "what its name calls a FITS file does not begin with `SIMPLE  =`".to_owned();
            return Err(Fault { class: Class::Magic, message });
        }
        let end = || trailer::objection(head, &self.tail, self.length).map(str::to_owned);
        let cut = stated_length::objection(head, self.length).or_else(end);
        let (proof, _) = self.content.finish()?;
        if let Some(message) = cut {
            return Err(Fault { class: Class::FileStructure, message });
        }
        // The sum of the stream was right, which says less than sums of data units.
        Ok(if proof == Proof::Checksum { proof } else { Proof::Structure })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

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

    fn bzip2(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ::bzip2::write::BzEncoder::new(Vec::new(), ::bzip2::Compression::fast());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    fn xz(bytes: &[u8]) -> Vec<u8> {
        let mut writer = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1)).expect("options");
        writer.write_all(bytes).expect("memory");
        writer.finish().expect("memory")
    }

    const ALL: Verify = Verify { fits: true, magic: true };

    #[test]
    fn what_is_in_bzip2_and_xz_is_checked_as_what_is_in_gzip() {
        let (whole, large) = (fits(), [b"a,b\n", "1,2\n".repeat(500_000).as_bytes()].concat());
        for (ending, pack) in [("bz2", bzip2 as fn(&[u8]) -> Vec<u8>), ("xz", xz), ("gz", gzip)] {
            let named = |name: &str| format!("{name}.{ending}");
            let fits_name = named("a.fits");
            assert_eq!(verdict(&fits_name, &pack(&whole), ALL), Ok(Proof::Structure), "{ending}");
            for name in ["a.fits", "a", "efz20040301.000010"] {
                assert_eq!(verdict(&named(name), &pack(&whole[..12_000]), ALL), Err(Class::FitsStructure), "{ending}");
            }
            assert_eq!(verdict("a.dat", &pack(&whole[..12_000]), ALL), Err(Class::FitsStructure), "{ending}");
            assert_eq!(verdict(&fits_name, &pack(b"hello"), ALL), Err(Class::Magic), "{ending}");
            let one_card = [card("SIMPLE  =                    T"), vec![b' '; 2800]].concat();
            assert_eq!(
                verdict(&fits_name, &pack(&one_card), ALL),
                Ok(Proof::Structure),
                "{ending}: no FITS by its bytes"
            );
            assert_eq!(verdict(&fits_name, &pack(b"<html>"), ALL), Err(Class::Html), "{ending}");
            assert_eq!(verdict(&named("a.csv"), &pack(b"<h1>503</h1>"), ALL), Err(Class::Html), "{ending}");
            assert_eq!(verdict(&named("a.csv"), &pack(b"{\"error\":\"x\"}"), ALL), Err(Class::Html), "{ending}");
            let broken = [&large, &b"Fatal error: Out of memory in /x.php on line 3\n"[..]].concat();
            assert_eq!(verdict(&named("a.csv"), &pack(&broken), ALL), Err(Class::Html), "{ending}");
            for (name, body) in [("a.csv", &large[..]), ("a.html", b"<html>"), ("a", b""), ("a.txt", b"x")] {
                assert_eq!(verdict(&named(name), &pack(body), ALL), Ok(Proof::Structure), "{name} {ending}");
            }
            let packed = pack(&large);
            for length in [packed.len() / 2, packed.len() - 5, packed.len() - 1, 20] {
                assert_eq!(verdict("a.dat", &packed[..length], ALL), Err(Class::FileStructure), "{ending} at {length}");
            }
            let mut flipped = packed.clone();
            flipped[packed.len() / 2] ^= 1;
            assert_eq!(verdict(&named("a.csv"), &flipped, ALL), Err(Class::FileStructure), "{ending}");
            let lax = Verify { fits: true, magic: false };
            assert_eq!(verdict(&named("a.csv"), &flipped, lax), Ok(Proof::None), "{ending}: not asked for");
            let two = [pack(&whole[..12_000]), pack(&whole[12_000..])].concat();
            assert_eq!(verdict(&fits_name, &two, ALL), Ok(Proof::Structure), "{ending}: two streams are one file");
        }
    }

    #[test]
    fn zeros_behind_a_stream_are_padding_and_other_bytes_are_not() {
        for (name, pack) in [("a.bz2", bzip2 as fn(&[u8]) -> Vec<u8>), ("a.xz", xz), ("a.gz", gzip)] {
            for packed in [pack(b"a,b\n"), [pack(b"a,b\n"), pack(b"1,2\n")].concat()] {
                for zeros in [4, 512, 9000] {
                    let padded = [&packed[..], &vec![0; zeros]].concat();
                    assert_eq!(verdict(name, &padded, ALL), Ok(Proof::Structure), "{name} {zeros}");
                    for rest in [&b"abc"[..], &pack(b"a,b\n")] {
                        let more = [&padded[..], rest].concat();
                        // Streams may follow the padding of xz, in fours.
                        let expected =
                            if rest.starts_with(magic::XZ) { Ok(Proof::Structure) } else { Err(Class::FileStructure) };
                        assert_eq!(verdict(name, &more, ALL), expected, "{name} {zeros}");
                    }
                }
                let more = [&packed[..], b"abc"].concat();
                assert_eq!(verdict(name, &more, ALL), Err(Class::FileStructure), "{name}");
            }
        }
        assert_eq!(verdict("a.bz2", &[&bzip2(b"x")[..], b"\n"].concat(), ALL), Ok(Proof::Structure));
        assert_eq!(verdict("a.gz", &[&gzip(b"x")[..], b"\0"].concat(), ALL), Ok(Proof::Structure));
        assert_eq!(verdict("a.gz", &vec![0; 512], ALL), Ok(Proof::None), "zeros alone are no stream");
    }

    /// An archive of one file of these bytes.
    fn tar(bytes: &[u8]) -> Vec<u8> {
        let mut block = vec![0; tar::BLOCK];
        block[0] = b'a';
        block[124..135].copy_from_slice(format!("{:011o}", bytes.len()).as_bytes());
        block[257..262].copy_from_slice(b"ustar");
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..154].copy_from_slice(format!("{sum:06o}").as_bytes());
        [&block[..], bytes, &vec![0; bytes.len().next_multiple_of(tar::BLOCK) - bytes.len() + 2 * tar::BLOCK]].concat()
    }

    #[test]
    fn a_stream_or_an_archive_in_a_stream_is_read_to_its_end() {
        let text = "1,2\n".repeat(2000);
        let (inner, archive) = (gzip(text.as_bytes()), tar(text.as_bytes()));
        assert_eq!(verdict("a.gz.gz", &gzip(&inner), ALL), Ok(Proof::Structure));
        assert_eq!(verdict("a.csv.gz", &gzip(&inner[..inner.len() - 9]), ALL), Err(Class::FileStructure));
        assert_eq!(verdict("a.fits.gz.bz2", &bzip2(&gzip(&fits()[..12_000])), ALL), Err(Class::FitsStructure));
        for (name, pack) in [("a.tar.bz2", bzip2 as fn(&[u8]) -> Vec<u8>), ("a.txz", xz), ("a.tgz", gzip)] {
            assert_eq!(verdict(name, &pack(&archive), ALL), Ok(Proof::Structure), "{name}");
            assert_eq!(verdict(name, &pack(&archive[..3000]), ALL), Err(Class::FileStructure), "{name}");
        }
        assert_eq!(verdict("a.tar", &archive, ALL), Ok(Proof::None));
        assert_eq!(verdict("a", &archive[..3000], ALL), Err(Class::FileStructure));
        let deep = (0..9).fold(inner, |inner, _| gzip(&inner));
        assert_eq!(verdict("a.gz", &deep, ALL), Ok(Proof::Structure), "not without end");
    }

    #[test]
    fn an_xz_stream_of_many_filters_is_not_decoded() {
        // The start of `xz --x86 --delta=dist=4 --lzma2`.
        let start = b"\xfd\x37\x7a\x58\x5a\x00\x00\x04\xe6\xd6\xb4\x46\x03\x02\x04\x00\x03\x01\x03\x21\x01\x16\x00\x00";
        assert_eq!(verdict("a.xz", start, ALL), Ok(Proof::None));
    }

    #[test]
    fn what_only_begins_like_a_stream_is_none() {
        for other in [&b"BZh is no level"[..], b"BZh1 is text", b"\xfd7zXY", b"\x1f\x8b\x08\xff"] {
            assert_eq!(verdict("a.dat", other, ALL), Ok(Proof::None), "{other:?}");
        }
    }

    #[test]
    fn cards_on_lines_of_their_own_are_text() {
        let cards = [
            "SIMPLE  =                    T",
            "BITPIX  =                   16",
            "NAXIS   =                    0",
            "END",
        ];
        for text in [
            cards.map(|card| format!("{card:80}\n")).concat(),
            cards.map(|card| format!("{card:80}\r\n")).concat(),
            cards.map(|card| format!("{card}\n")).concat(),
            cards[..1].join("\n") + "\n",
        ] {
            for name in ["a.hdr", "a.txt", "a.head", "a"] {
                assert_eq!(verdict(name, text.as_bytes(), ALL), Ok(Proof::None), "{name} {text:?}");
            }
            assert_eq!(verdict("a.hdr.gz", &gzip(text.as_bytes()), ALL), Ok(Proof::Structure));
        }
    }
}
