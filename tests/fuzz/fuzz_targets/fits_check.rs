//! The check of FITS bytes that come in pieces: the verdict is the same however they are cut, and a changed bit shows.
#![no_main]

use std::io::Cursor;

use fitsio_pure::checksum::stamp_checksum;
use fitsio_pure::header::{Card, serialize_header};
use fitsio_pure::value::Value;
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use sunhaul::fits::{BLOCK, Check, Digests, Fault, Keywords, Proof};
use sunhaul_fuzz::assert_safe_to_show;

fuzz_target!(|data: &[u8]| {
    let _ = check(Unstructured::new(data));
});

fn check(mut from: Unstructured<'_>) -> Result<()> {
    match from.int_in_range(0..=3)? {
        // Cards as they come, padded to blocks, with what is left as data.
        0 => {
            let seed = from.arbitrary()?;
            let hdus = from.int_in_range(1..=3)?;
            let mut file = Vec::new();
            for nth in 0..hdus {
                file.extend(wild_hdu(&mut from, nth)?);
            }
            drop(one_verdict(&file, seed));
        }
        // Bytes as they come behind a sound HDU.
        1 => {
            let seed = from.arbitrary()?;
            let mut file = summed(false, &[7; 100]);
            file.extend(from.take_rest());
            drop(one_verdict(&file, seed));
        }
        // A sound file, in which one bit changes.
        2 => {
            let seed = from.arbitrary()?;
            let bit = from.arbitrary::<u32>()?;
            let extension = from.arbitrary()?;
            let primary = summed(false, from.bytes(from.len() / 2)?);
            let mut file = primary.clone();
            if extension {
                file.extend(summed(true, from.take_rest()));
            }
            assert_eq!(one_verdict(&file, seed), Ok(Proof::Checksum));
            let bit = bit as usize % (8 * file.len());
            file[bit / 8] ^= 1 << (bit % 8);
            assert!(one_verdict(&file, seed).is_err(), "bit {bit} changed, and the file is still sound");
            file.truncate(bit / 8);
            // Cut where the first HDU ends, it is a whole file.
            assert!(file.len() == primary.len() || one_verdict(&file, seed).is_err(), "cut at {}", bit / 8);
        }
        _ => {
            let seed = from.arbitrary()?;
            drop(one_verdict(from.take_rest(), seed));
        }
    }
    Ok(())
}

/// The verdict on a file, which must be the same in one piece, byte by byte, and in pieces of any length.
fn one_verdict(file: &[u8], seed: u64) -> std::result::Result<Proof, Fault> {
    let found = verdict(std::iter::once(file));
    let (mut rest, mut state) = (file, seed | 1);
    let pieces = std::iter::from_fn(|| {
        // Pieces of 1 to 2^k bytes, so that short and long ones mix; xorshift is random enough.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let length = (1 + (state >> 20) as usize % (1 << (state % 13))).min(rest.len());
        let (piece, behind) = rest.split_at(length);
        rest = behind;
        (!piece.is_empty()).then_some(piece)
    });
    assert_eq!(verdict(pieces), found, "another cut, another verdict");
    let whole = found.map(|(proof, _)| proof);
    if let Err(fault) = &whole {
        assert_safe_to_show(&fault.message);
        assert!(fault.message.len() < 2048, "{}", fault.message);
    }
    let keywords = Keywords::read(Cursor::new(file));
    if whole.is_ok() {
        assert!(keywords.is_ok(), "sound, and without keywords: {keywords:?}");
    }
    whole
}

/// What is proved of a file in pieces, and the digests of its headers and data units.
type Found = std::result::Result<(Proof, Option<Digests>), Fault>;

fn verdict<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Found {
    let mut check = Check::with_digests();
    for piece in pieces {
        if let Err(fault) = check.push(piece) {
            assert_eq!(check.push(b"more"), Err(fault.clone()), "a fault stays");
            assert_eq!(check.finish_with_digests(), Err(fault.clone()));
            return Err(fault);
        }
    }
    check.finish_with_digests()
}

/// Begins as an HDU does; its cards and its data are anything.
fn wild_hdu(from: &mut Unstructured<'_>, nth: usize) -> Result<Vec<u8>> {
    let mut header = if nth == 0 { line("SIMPLE", "T") } else { line("XTENSION", "'IMAGE   '") };
    for _ in 0..from.int_in_range(0..=12)? {
        let keywords = [
            "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "PCOUNT", "GCOUNT", "GROUPS", "DATASUM", "CHECKSUM", "EXTNAME",
            "HARPNUM", "T_REC", "CONTINUE", "NAXIS999",
        ];
        let values = ["8", "16", "-32", "0", "1", "2", "T", "''", "'0'", "-1", "999", "9223372036854775807", "1.5"];
        let keyword = *from.choose(&keywords)?;
        match from.int_in_range(0..=9)? {
            0 => header.extend(from.bytes(80)?),
            1 => header.extend(line(keyword, &String::from_utf8_lossy(from.bytes(9)?))),
            _ => header.extend(line(keyword, from.choose(&values)?)),
        }
    }
    if from.ratio(7, 8)? {
        header.extend([&b"END"[..], &[b' '; 77]].concat());
    }
    let data = from.int_in_range(0..=2)? * BLOCK + from.int_in_range(0..=3)? / 3;
    header.resize(header.len().next_multiple_of(BLOCK), b' ');
    header.resize(header.len() + data, from.arbitrary()?);
    Ok(header)
}

fn line(keyword: &str, value: &str) -> Vec<u8> {
    let mut card = format!("{keyword:<8}= {value:>20}").into_bytes();
    card.resize(80, b' ');
    card
}

/// A sound HDU with both sums.
fn summed(extension: bool, data: &[u8]) -> Vec<u8> {
    let card = |keyword: &str, value: Value| Card::new(keyword, value).expect("a card");
    let first = if extension {
        card("XTENSION", Value::String("IMAGE   ".into()))
    } else {
        card("SIMPLE", Value::Logical(true))
    };
    let length = i64::try_from(data.len()).expect("short");
    let mut cards = vec![first, card("BITPIX", Value::Integer(8)), card("NAXIS", Value::Integer(1))];
    cards.push(card("NAXIS1", Value::Integer(length)));
    if extension {
        cards.extend([card("PCOUNT", Value::Integer(0)), card("GCOUNT", Value::Integer(1))]);
    }
    let mut data = data.to_vec();
    data.resize(data.len().next_multiple_of(BLOCK), 0);
    let mut bytes = serialize_header(&stamp_checksum(&cards, &data)).expect("a header");
    bytes.extend(data);
    bytes
}
