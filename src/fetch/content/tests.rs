//! What bodies of each format prove, and the faults that show they are cut or something else.

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
fn verdict(name: &str, body: &[u8], verify: Verify) -> Result<FormatProof, Class> {
    let mut verdicts = [1, 7, 89, 1000, usize::MAX].map(|piece| {
        let mut content = ContentCheck::new(name, verify, Identity::Bytes);
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
    for name in ["a.fits", "a.FTS", "20220318000050Bh.fits.fz", "efz20040301.000010", "tca040301", "image_lev1_fits"] {
        assert_eq!(verdict(name, &whole, all), Ok(FormatProof::Structure), "{name}");
        assert_eq!(verdict(name, cut, all), Err(Class::FitsStructure), "{name}");
        let lax = Verify { fits: false, magic: true };
        assert_eq!(verdict(name, cut, lax), Ok(FormatProof::None), "{name}: not asked for");
    }
    assert_eq!(verdict("a.dat", b"SIMPLE", all), Ok(FormatProof::None), "too short to be FITS");
    for length in [30, 79, 80, 85, 88, 89, 2879] {
        assert_eq!(verdict("a", &whole[..length], all), Err(Class::FitsStructure), "cut at byte {length}");
    }
    let text = format!("{:80}A text about FITS", "SIMPLE  = T");
    assert_eq!(verdict("a.txt", text.as_bytes(), all), Ok(FormatProof::None), "no second card");
    assert_eq!(verdict("a.dat", b"", all), Ok(FormatProof::None));
}

#[test]
fn gzip_is_read_to_its_end_and_so_is_the_fits_file_in_it() {
    let (all, whole) = (Verify { fits: true, magic: true }, gzip(&fits()));
    assert_eq!(verdict("a.fits.gz", &whole, all), Ok(FormatProof::Structure));
    assert_eq!(verdict("a.fits.gz", &gzip(&fits()[..12_000]), all), Err(Class::FitsStructure));
    assert_eq!(verdict("a.fits.gz", &gzip(b"hello"), all), Err(Class::Magic));
    assert_eq!(verdict("a.fits.gz", &gzip(b"<html>"), all), Err(Class::Html));
    assert_eq!(verdict("a.csv.gz", &gzip(b"<!-- x --><h1>503</h1>"), all), Err(Class::Html));
    assert_eq!(verdict("a.html.gz", &gzip(b"<html>"), all), Ok(FormatProof::Structure));
    assert_eq!(verdict("a.fits.gz", &gzip(b"SIMPLE  =                    T"), all), Err(Class::FitsStructure));
    assert_eq!(verdict("a.csv.gz", &gzip(b"a,b\n1,2\n"), all), Ok(FormatProof::Structure));
    assert_eq!(verdict("a.gz", &gzip(b""), all), Ok(FormatProof::Structure));
    let two = [gzip(b"one"), gzip(b"two")].concat();
    assert_eq!(verdict("a.txt.gz", &two, all), Ok(FormatProof::Structure), "two members are one file");
    for length in 2..whole.len() {
        let found = verdict("a.tgz", &whole[..length], all);
        assert!(found.is_err(), "cut at byte {length}: {found:?}");
    }
    let mut flipped = gzip(&[7; 5000]);
    let sum = flipped.len() - 6;
    flipped[sum] ^= 1;
    assert_eq!(verdict("a.dat.gz", &flipped, all), Err(Class::FileStructure));
    let lax = Verify { fits: true, magic: false };
    assert_eq!(verdict("a.dat.gz", &flipped, lax), Ok(FormatProof::None), "not requested");
    assert_eq!(
        verdict("a.dat", b"\x1f\x8b\x00data", all),
        Ok(FormatProof::None),
        "two bytes alone do not make it gzip"
    );
    assert_eq!(verdict("a.dat", b"\x1f\x8b\x08\xffdata", all), Ok(FormatProof::None), "nor do three");
}

#[test]
fn what_begins_as_gzip_is_read_to_its_end_whatever_its_name() {
    let (all, whole) = (Verify { fits: true, magic: true }, gzip(&fits()));
    for name in ["a.dat", "a", "efz20040301.000010", "a.fits.gz_", "a.GZ"] {
        assert_eq!(verdict(name, &whole, all), Ok(FormatProof::Structure), "{name}");
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
        assert_eq!(verdict(&fits_name, &pack(&whole), ALL), Ok(FormatProof::Structure), "{ending}");
        for name in ["a.fits", "a", "efz20040301.000010"] {
            assert_eq!(verdict(&named(name), &pack(&whole[..12_000]), ALL), Err(Class::FitsStructure), "{ending}");
        }
        assert_eq!(verdict("a.dat", &pack(&whole[..12_000]), ALL), Err(Class::FitsStructure), "{ending}");
        assert_eq!(verdict(&fits_name, &pack(b"hello"), ALL), Err(Class::Magic), "{ending}");
        let one_card = [card("SIMPLE  =                    T"), vec![b' '; 2800]].concat();
        assert_eq!(
            verdict(&fits_name, &pack(&one_card), ALL),
            Ok(FormatProof::Structure),
            "{ending}: no FITS by its bytes"
        );
        assert_eq!(verdict(&fits_name, &pack(b"<html>"), ALL), Err(Class::Html), "{ending}");
        assert_eq!(verdict(&named("a.csv"), &pack(b"<h1>503</h1>"), ALL), Err(Class::Html), "{ending}");
        assert_eq!(verdict(&named("a.csv"), &pack(b"{\"error\":\"x\"}"), ALL), Err(Class::Html), "{ending}");
        let broken = [&large, &b"Fatal error: Out of memory in /x.php on line 3\n"[..]].concat();
        assert_eq!(verdict(&named("a.csv"), &pack(&broken), ALL), Err(Class::Html), "{ending}");
        for (name, body) in [("a.csv", &large[..]), ("a.html", b"<html>"), ("a", b""), ("a.txt", b"x")] {
            assert_eq!(verdict(&named(name), &pack(body), ALL), Ok(FormatProof::Structure), "{name} {ending}");
        }
        let packed = pack(&large);
        for length in [packed.len() / 2, packed.len() - 5, packed.len() - 1, 20] {
            assert_eq!(verdict("a.dat", &packed[..length], ALL), Err(Class::FileStructure), "{ending} at {length}");
        }
        let mut flipped = packed.clone();
        flipped[packed.len() / 2] ^= 1;
        assert_eq!(verdict(&named("a.csv"), &flipped, ALL), Err(Class::FileStructure), "{ending}");
        let lax = Verify { fits: true, magic: false };
        assert_eq!(verdict(&named("a.csv"), &flipped, lax), Ok(FormatProof::None), "{ending}: not asked for");
        let two = [pack(&whole[..12_000]), pack(&whole[12_000..])].concat();
        assert_eq!(verdict(&fits_name, &two, ALL), Ok(FormatProof::Structure), "{ending}: two streams are one file");
    }
}

#[test]
fn zeros_behind_a_stream_are_padding_and_other_bytes_are_not() {
    for (name, pack) in [("a.bz2", bzip2 as fn(&[u8]) -> Vec<u8>), ("a.xz", xz), ("a.gz", gzip)] {
        for packed in [pack(b"a,b\n"), [pack(b"a,b\n"), pack(b"1,2\n")].concat()] {
            for zeros in [4, 512, 9000] {
                let padded = [&packed[..], &vec![0; zeros]].concat();
                assert_eq!(verdict(name, &padded, ALL), Ok(FormatProof::Structure), "{name} {zeros}");
                for rest in [&b"abc"[..], &pack(b"a,b\n")] {
                    let more = [&padded[..], rest].concat();
                    // Streams may follow the padding of xz, in fours.
                    let expected = if rest.starts_with(magic::XZ) {
                        Ok(FormatProof::Structure)
                    } else {
                        Err(Class::FileStructure)
                    };
                    assert_eq!(verdict(name, &more, ALL), expected, "{name} {zeros}");
                }
            }
            let more = [&packed[..], b"abc"].concat();
            assert_eq!(verdict(name, &more, ALL), Err(Class::FileStructure), "{name}");
        }
    }
    assert_eq!(verdict("a.bz2", &[&bzip2(b"x")[..], b"\n"].concat(), ALL), Ok(FormatProof::Structure));
    assert_eq!(verdict("a.gz", &[&gzip(b"x")[..], b"\0"].concat(), ALL), Ok(FormatProof::Structure));
    assert_eq!(verdict("a.gz", &vec![0; 512], ALL), Ok(FormatProof::None), "zeros alone are no stream");
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
    assert_eq!(verdict("a.gz.gz", &gzip(&inner), ALL), Ok(FormatProof::Structure));
    assert_eq!(verdict("a.csv.gz", &gzip(&inner[..inner.len() - 9]), ALL), Err(Class::FileStructure));
    assert_eq!(verdict("a.fits.gz.bz2", &bzip2(&gzip(&fits()[..12_000])), ALL), Err(Class::FitsStructure));
    for (name, pack) in [("a.tar.bz2", bzip2 as fn(&[u8]) -> Vec<u8>), ("a.txz", xz), ("a.tgz", gzip)] {
        assert_eq!(verdict(name, &pack(&archive), ALL), Ok(FormatProof::Structure), "{name}");
        assert_eq!(verdict(name, &pack(&archive[..3000]), ALL), Err(Class::FileStructure), "{name}");
    }
    assert_eq!(verdict("a.tar", &archive, ALL), Ok(FormatProof::None));
    assert_eq!(verdict("a", &archive[..3000], ALL), Err(Class::FileStructure));
    let deep = (0..9).fold(inner, |inner, _| gzip(&inner));
    assert_eq!(verdict("a.gz", &deep, ALL), Ok(FormatProof::Structure), "not without end");
}

#[test]
fn an_xz_stream_of_many_filters_is_not_decoded() {
    // The start of `xz --x86 --delta=dist=4 --lzma2`.
    let start = b"\xfd\x37\x7a\x58\x5a\x00\x00\x04\xe6\xd6\xb4\x46\x03\x02\x04\x00\x03\x01\x03\x21\x01\x16\x00\x00";
    assert_eq!(verdict("a.xz", start, ALL), Ok(FormatProof::None));
}

#[test]
fn what_only_begins_like_a_stream_is_none() {
    for other in [&b"BZh is no level"[..], b"BZh1 is text", b"\xfd7zXY", b"\x1f\x8b\x08\xff"] {
        assert_eq!(verdict("a.dat", other, ALL), Ok(FormatProof::None), "{other:?}");
    }
}

#[test]
fn cards_on_lines_of_their_own_are_text() {
    let cards =
        ["SIMPLE  =                    T", "BITPIX  =                   16", "NAXIS   =                    0", "END"];
    for text in [
        cards.map(|card| format!("{card:80}\n")).concat(),
        cards.map(|card| format!("{card:80}\r\n")).concat(),
        cards.map(|card| format!("{card}\n")).concat(),
        cards[..1].join("\n") + "\n",
    ] {
        for name in ["a.hdr", "a.txt", "a.head", "a"] {
            assert_eq!(verdict(name, text.as_bytes(), ALL), Ok(FormatProof::None), "{name} {text:?}");
        }
        assert_eq!(verdict("a.hdr.gz", &gzip(text.as_bytes()), ALL), Ok(FormatProof::Structure));
    }
}

#[test]
fn a_stream_is_decoded_unless_it_holds_too_much_for_its_length() {
    for (taken, held, expected) in [
        (1, DENSE, false),
        (1, DENSE + DENSEST, true),
        (DENSE / DENSEST, DENSE + 1, false),
        (1 << 20, 1000 << 20, false),
        (1 << 20, 1200 << 20, true),
    ] {
        assert_eq!(is_too_dense(taken, held), expected, "{held} of {taken}");
    }
}
