//! The check against files of our own making, damaged in every way, and against real ones where they are at hand.

use std::io::Cursor;
use std::path::PathBuf;

use fitsio_pure::checksum::stamp_checksum;
use fitsio_pure::compress::{TileCompression, compress_image_hdu};
use fitsio_pure::header::{Card, parse_header_blocks, serialize_header};
use fitsio_pure::primary::build_primary_header;
use fitsio_pure::value::Value;
use proptest::prelude::*;

use super::*;
use crate::digest::Digest;

/// The verdict on a file that comes in pieces of `piece` bytes.
fn verdict(file: &[u8], piece: usize) -> Result<FitsProof, Class> {
    spoken(file, piece).map_err(|fault| fault.class)
}

/// The digests of the data units of a sound file.
fn data(file: &[u8], piece: usize) -> Vec<Digest> {
    let mut check = FitsCheck::with_digests();
    file.chunks(piece).try_for_each(|bytes| check.push(bytes)).expect("sound");
    check.finish_with_digests().expect("sound").1.expect("not too many").data
}

/// The same, with its words.
fn spoken(file: &[u8], piece: usize) -> Result<FitsProof, Fault> {
    let mut check = FitsCheck::new();
    file.chunks(piece).try_for_each(|bytes| check.push(bytes))?;
    check.finish()
}

fn card(keyword: &str, value: Value) -> Card {
    Card::new(keyword, value).expect("a keyword")
}

/// The bytes of one HDU: a header of these cards, and the data with its fill.
fn hdu(cards: &[Card], data: &[u8]) -> Vec<u8> {
    let mut bytes = serialize_header(cards).expect("a header");
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    bytes
}

fn empty_primary() -> Vec<u8> {
    hdu(&build_primary_header(16, &[]).expect("a header"), &[])
}

/// An extension with a compressed image, as the archive's segments have it; `stamped` with both sums or not.
fn compressed(stamped: bool) -> Vec<u8> {
    let pixels: Vec<i32> = (0..40 * 30).map(|i| (i * 7919) % 2003 - 1000).collect();
    let extra = [card("T_REC", Value::String("2011.02.15_02:00:00_TAI".into())), card("HARPNUM", Value::Integer(377))];
    let bytes = compress_image_hdu(&[40, 30], &pixels, &TileCompression::rice(), &extra).expect("an image");
    if !stamped {
        return bytes;
    }
    let mut cards = parse_header_blocks(&bytes).expect("a header");
    let data = fitsio_pure::header::header_byte_len(&bytes).expect("a header");
    cards.retain(|card| !card.is_end() && !card.is_blank());
    hdu(&stamp_checksum(&cards, &bytes[data..]), &bytes[data..])
}

/// A whole file of the archive's usual form.
fn segment() -> Vec<u8> {
    [empty_primary(), compressed(true)].concat()
}

/// The same data under another header: one COMMENT more in the last HDU, and its CHECKSUM right again.
fn restamped(file: &[u8]) -> Vec<u8> {
    let parsed = fitsio_pure::hdu::parse_fits(file).expect("a FITS file");
    let last = parsed.hdus.last().expect("an HDU");
    let mut cards: Vec<Card> = last.cards.iter().filter(|card| !card.is_end() && !card.is_blank()).cloned().collect();
    cards.push(Card { keyword: *b"COMMENT ", value: None, comment: Some("exported again".to_owned()) });
    let data = &file[last.data_start..];
    let header = serialize_header(&stamp_checksum(&cards, &data[..last.data_len])).expect("a header");
    [&file[..last.header_start], &header, data].concat()
}

/// A plain primary image with both sums.
fn plain() -> Vec<u8> {
    let data: Vec<u8> = (0..50 * 60 * 2).map(|i: u32| i.to_be_bytes()[3]).collect();
    let cards = build_primary_header(16, &[50, 60]).expect("a header");
    hdu(&stamp_checksum(&cards, &data), &data)
}

#[test]
fn sound_files_prove_as_much_as_they_state() {
    assert_eq!(verdict(&segment(), 4096), Ok(FitsProof::Checksum));
    assert_eq!(verdict(&plain(), 4096), Ok(FitsProof::Checksum));
    assert_eq!(verdict(&[empty_primary(), compressed(false)].concat(), 4096), Ok(FitsProof::Structure));
    assert_eq!(verdict(&[segment(), compressed(false)].concat(), 4096), Ok(FitsProof::Structure));
    assert_eq!(verdict(&empty_primary(), 4096), Ok(FitsProof::Structure));
}

#[test]
fn the_damage_that_storms_and_proxies_do_is_caught() {
    assert_damage_is_caught(&segment());
    assert_damage_is_caught(&plain());
}

fn assert_damage_is_caught(file: &[u8]) {
    let whole = file.len();
    assert_eq!(verdict(&file[..whole - 1], 4096), Err(Class::FitsStructure), "one byte short");
    assert_eq!(verdict(&file[..whole - BLOCK], 4096), Err(Class::FitsStructure), "a block short");
    assert_eq!(verdict(&file[..1000], 4096), Err(Class::FitsStructure), "cut in the header");
    assert_eq!(verdict(&file[..20], 4096), Err(Class::FitsStructure), "cut in the first card");
    assert_eq!(verdict(&file[..4], 4096), Err(Class::FitsStructure), "cut in the magic");
    assert_eq!(verdict(&[], 4096), Err(Class::FitsStructure), "empty");
    let mut flipped = file.to_vec();
    flipped[whole - BLOCK / 2] ^= 0x10;
    assert_eq!(verdict(&flipped, 4096), Err(Class::FitsChecksum), "a bit flipped in the data");
    for junk in [&[0u8; 100][..], &[b' '; BLOCK], &[b'X'; 3], b"XTENSIO"] {
        assert_eq!(verdict(&[file, junk].concat(), 4096), Err(Class::FitsStructure), "junk at the end");
    }
    assert_eq!(verdict(&[file, file].concat(), 4096), Err(Class::FitsStructure), "the file twice");
}

#[test]
fn the_data_of_each_hdu_has_a_digest_of_its_own() {
    let one: Vec<u8> = (0..2 * BLOCK).map(|at| at.to_le_bytes()[0]).collect();
    let image = hdu(&build_primary_header(8, &[2 * BLOCK - 5]).expect("a header"), &one[..2 * BLOCK - 5]);
    let filled = [&one[..2 * BLOCK - 5], &[0; 5]].concat();
    let extension = compressed(true);
    let begin = fitsio_pure::header::header_byte_len(&extension).expect("a header");
    let file = [image, extension.clone()].concat();
    assert_eq!(data(&file, 1000), [Digest::sha256(&filled), Digest::sha256(&extension[begin..])], "with its fill");
    assert_eq!(
        data(&[empty_primary(), extension.clone()].concat(), 1000)[0],
        Digest::sha256(b""),
        "an HDU without data"
    );
    let mut check = FitsCheck::new();
    check.push(&file).expect("sound");
    assert_eq!(check.finish_with_digests(), Ok((FitsProof::Structure, None)), "only where it is asked for");
}

#[test]
fn another_header_over_the_same_data_is_the_same_data() {
    let file = plain();
    let again = restamped(&file);
    assert_ne!(again, file);
    assert_eq!(verdict(&again, 4096), Ok(FitsProof::Checksum));
    assert_eq!(data(&again, 4096), data(&file, 4096));
    let mut other = again.clone();
    let last = other.len() - BLOCK;
    other[last] ^= 1;
    assert!(verdict(&other, 4096).is_err());
}

#[test]
fn a_file_of_countless_hdus_has_no_digests() {
    let extension = hdu(
        &[
            card("XTENSION", Value::String("IMAGE   ".into())),
            card("BITPIX", Value::Integer(8)),
            card("NAXIS", Value::Integer(0)),
            card("PCOUNT", Value::Integer(0)),
            card("GCOUNT", Value::Integer(1)),
        ],
        &[],
    );
    let units = |extensions: usize| {
        let mut check = FitsCheck::with_digests();
        check.push(&empty_primary()).expect("sound");
        (0..extensions).for_each(|_| check.push(&extension).expect("sound"));
        check.finish_with_digests().expect("sound").1.map(|digests| digests.data.len())
    };
    assert_eq!((units(999), units(1000), units(5000)), (Some(1000), None, None));
}

#[test]
fn junk_is_told_in_the_same_words_however_it_is_cut() {
    let file = [segment(), b"\n\xf5 and more than is shown".to_vec()].concat();
    let whole = spoken(&file, usize::MAX).expect_err("junk");
    assert!(whole.message.ends_with("that begin no extension: `\\u{a}\u{fffd} and more than`"), "{}", whole.message);
    assert_eq!(spoken(&file, 1), Err(whole));
}

#[test]
fn pages_and_other_things_fail_before_their_end() {
    let pages =
        ["<!DOCTYPE html><title>502</title>", "\r\n \t<html>", "\u{feff}<?xml version='1.0'?>", "<h1>Busy</h1>"];
    for page in pages {
        let long = format!("{page}{}", " ".repeat(100));
        assert_eq!(FitsCheck::new().push(long.as_bytes()).map_err(|fault| fault.class), Err(Class::Html), "{page}");
        assert_eq!(verdict(page.as_bytes(), 5), Err(Class::Html), "{page}");
    }
    for other in ["{\"error\": 1}", "SIMPLE = T", "\u{1b}[2J", "%PDF"] {
        assert_eq!(verdict(other.as_bytes(), 5), Err(Class::Magic), "{other}");
    }
    let fault = FitsCheck::new().push(&[0x1b; 80]).expect_err("no FITS");
    assert!(!fault.message.contains('\u{1b}'), "{}", fault.message);
}

#[test]
fn a_fault_stays_and_says_where() {
    let mut file = segment();
    let at = file.len() - 2000;
    file[at] ^= 1;
    let mut check = FitsCheck::new();
    let fault = check.push(&file).expect_err("a flipped bit");
    assert!(fault.message.starts_with("HDU 1 (from byte 2880): DATASUM states "), "{}", fault.message);
    assert_eq!(check.push(b"more"), Err(fault.clone()));
    assert_eq!(check.finish(), Err(fault));
}

#[test]
fn lengths_follow_groups_and_counts_and_never_overflow() {
    let cards = |list: &[(&str, i64)]| -> Vec<Card> {
        let mut cards = vec![card("SIMPLE", Value::Logical(true))];
        cards.extend(list.iter().map(|(keyword, value)| card(keyword, Value::Integer(*value))));
        cards
    };
    // Two groups of three parameters and a 2 x 2 array, 4 bytes each: 56 bytes, so one block.
    let shape =
        [("BITPIX", -32), ("NAXIS", 3), ("NAXIS1", 0), ("NAXIS2", 2), ("NAXIS3", 2), ("PCOUNT", 3), ("GCOUNT", 2)];
    let mut groups = cards(&shape);
    groups.push(card("GROUPS", Value::Logical(true)));
    assert_eq!(verdict(&hdu(&groups, &[1; 56]), 999), Ok(FitsProof::Structure));
    assert_eq!(verdict(&hdu(&groups, &[]), 999), Err(Class::FitsStructure));
    // Without GROUPS the empty axis means no data at all.
    assert_eq!(verdict(&hdu(&cards(&shape), &[]), 999), Ok(FitsProof::Structure));
    let wrong: [&[(&str, i64)]; 8] = [
        &[("BITPIX", 8), ("NAXIS", 3), ("NAXIS1", i64::MAX), ("NAXIS2", i64::MAX), ("NAXIS3", 9)],
        &[("BITPIX", 64), ("NAXIS", 1), ("NAXIS1", i64::MAX)],
        &[("BITPIX", 8), ("NAXIS", 1), ("NAXIS1", -2880)],
        &[("BITPIX", 7), ("NAXIS", 0)],
        &[("BITPIX", 8), ("NAXIS", 1000)],
        &[("BITPIX", 8), ("NAXIS", -1)],
        &[("BITPIX", 8), ("NAXIS", 2), ("NAXIS1", 3)],
        &[("BITPIX", 8), ("NAXIS", 0), ("PCOUNT", 0)],
    ];
    for list in &wrong[..7] {
        assert_eq!(verdict(&hdu(&cards(list), &[]), 999), Err(Class::FitsStructure), "{list:?}");
    }
    assert_eq!(verdict(&hdu(&cards(wrong[7]), &[]), 999), Ok(FitsProof::Structure));
}

#[test]
fn a_header_without_an_end_is_given_up() {
    let mut check = FitsCheck::new();
    let mut first = empty_primary();
    let end = first.chunks(CARD).position(|card| card.starts_with(b"END ")).expect("an END card") * CARD;
    first[end..end + CARD].fill(b' ');
    let mut pushed = check.push(&first);
    let mut blocks = 1;
    while pushed.is_ok() {
        assert!(blocks < 20_000, "the check reads on for ever");
        pushed = check.push(&[b' '; BLOCK]);
        blocks += 1;
    }
    assert_eq!(blocks, 10_000);
}

#[test]
fn a_blank_sum_is_unknown_and_an_unreadable_one_is_wrong() {
    let stated = |value: Value| {
        let mut cards = build_primary_header(8, &[4]).expect("a header");
        cards.push(card("DATASUM", value));
        verdict(&hdu(&cards, &[1, 2, 3, 4]), 77)
    };
    let sum = u32::from_be_bytes([1, 2, 3, 4]);
    assert_eq!(stated(Value::String(sum.to_string())), Ok(FitsProof::Checksum));
    assert_eq!(stated(Value::Integer(i64::from(sum))), Ok(FitsProof::Checksum));
    assert_eq!(stated(Value::String(String::new())), Ok(FitsProof::Structure));
    assert_eq!(stated(Value::Undefined), Ok(FitsProof::Structure));
    assert_eq!(stated(Value::String((sum + 1).to_string())), Err(Class::FitsChecksum));
    assert_eq!(stated(Value::String("0x01020304".into())), Err(Class::FitsChecksum));
}

#[test]
fn keywords_come_from_headers_even_of_a_cut_file() {
    let file = segment();
    let read = Keywords::read(Cursor::new(&file)).expect("keywords");
    assert_eq!(read.times.t_rec.as_deref(), Some("2011.02.15_02:00:00_TAI"));
    assert_eq!(read.harpnum, Some(377));
    assert_eq!(Keywords::read(Cursor::new(&file[..file.len() - BLOCK])), Ok(read));
    let fault = Keywords::read(Cursor::new(b"<html>")).expect_err("a web page");
    assert_eq!(fault.class, Class::Html);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_cutting_gives_one_verdict(piece in 1usize..9000, damage in proptest::option::of(0usize..9000), cut in 0usize..5000, junk in "[NOT\\n]{0,20}") {
        let mut file = segment();
        if let Some(at) = damage {
            let at = at % file.len();
            file[at] ^= 0x20;
        }
        file.truncate(file.len() - cut.saturating_sub(3000));
        file.extend(junk.bytes());
        prop_assert_eq!(spoken(&file, piece), spoken(&file, usize::MAX));
        prop_assert_eq!(spoken(&file, 1), spoken(&file, usize::MAX));
    }

    #[test]
    fn any_cutting_gives_the_same_data(pieces in proptest::collection::vec(1usize..9000, 1..40)) {
        let file = [plain(), compressed(true), compressed(false)].concat();
        let mut check = FitsCheck::with_digests();
        let (mut rest, mut pieces) = (&file[..], pieces.into_iter().cycle());
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(pieces.next().unwrap_or(1).min(rest.len()));
            check.push(piece).expect("sound");
            rest = behind;
        }
        let found = check.finish_with_digests().expect("sound").1.map(|digests| digests.data);
        prop_assert_eq!(found, Some(data(&file, usize::MAX)));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..9000), piece in 1usize..4000) {
        let _ = verdict(&bytes, piece);
        let _ = verdict(&[empty_primary(), bytes.clone()].concat(), piece);
        let mut wild = compressed(true);
        wild.iter_mut().zip(&bytes).skip(9).for_each(|(at, byte)| *at ^= byte & 0x11);
        let _ = verdict(&[empty_primary(), wild.clone()].concat(), piece);
        let _ = Keywords::read(Cursor::new([empty_primary(), wild].concat()));
        let _ = Keywords::read(Cursor::new(bytes));
    }

    #[test]
    fn a_flipped_bit_anywhere_in_a_summed_hdu_is_caught(byte in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut file = plain();
        let at = byte.index(file.len());
        file[at] ^= 1 << bit;
        prop_assert!(verdict(&file, 4096).is_err(), "byte {at}, bit {bit}");
        let mut file = compressed(true);
        let at = byte.index(file.len());
        file[at] ^= 1 << bit;
        prop_assert!(verdict(&[empty_primary(), file].concat(), 4096).is_err(), "byte {at}, bit {bit}");
    }
}

#[test]
fn no_single_bit_of_a_header_can_switch_its_check_off() {
    let file = plain();
    for at in 0..BLOCK {
        for bit in 0..8 {
            let mut flipped = file.clone();
            flipped[at] ^= 1 << bit;
            assert!(verdict(&flipped, 4096).is_err(), "byte {at}, bit {bit}");
        }
    }
}

/// The folder of real segments, where it is at hand.
fn real_files() -> Vec<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "a test asks where the real files are")]
    let shared = std::env::var("SUNHAUL_SHARED_DATA")
        .map_or_else(|_| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let entries = std::fs::read_dir(shared.join("sharp")).into_iter().flatten();
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "fits"))
        .collect()
}

#[test]
fn real_segments_prove_their_sums_and_their_damage_shows() {
    let files = real_files();
    if files.is_empty() {
        println!("skipped: no ../shared/data");
    }
    for path in files {
        let file = std::fs::read(&path).expect("a real file");
        assert_eq!(verdict(&file, 65_536), Ok(FitsProof::Checksum), "{}", path.display());
        assert_damage_is_caught(&file);
        let again = restamped(&file);
        assert_ne!(again, file);
        assert_eq!(verdict(&again, 65_536), Ok(FitsProof::Checksum), "{}", path.display());
        assert_eq!(data(&again, 65_536), data(&file, 65_536), "{}", path.display());
        let keywords = Keywords::read(Cursor::new(&file)).expect("keywords");
        assert_eq!(keywords.times.date_obs.as_deref(), Some("2011-02-15T01:58:12.30"));
        assert_eq!((keywords.harpnum, keywords.recnum), (Some(377), Some(3_464_220)));
    }
}

#[test]
fn a_file_that_only_lacks_its_last_fill_and_one_of_another_format_are_told_as_such() {
    let data = [1u8; 100];
    let image = hdu(&build_primary_header(8, &[100]).expect("a header"), &data);
    let told = |bytes: &[u8]| {
        let mut check = FitsCheck::new();
        let pushed = check.push(bytes);
        pushed.and_then(|()| check.finish()).unwrap_err()
    };
    let unfilled = told(&image[..BLOCK + 100]);
    assert_eq!(unfilled.class, Class::FitsStructure);
    assert!(unfilled.message.contains("its data are whole, but their last block is not filled up"), "{unfilled}");
    assert!(unfilled.message.ends_with("`verify: [size, magic]` keeps it as it is"), "{unfilled}");
    let cut = told(&image[..BLOCK + 99]);
    assert!(cut.message.contains("the file is truncated: it ends at byte 2979"), "{cut}");
    for (start, name) in [
        (&b"\x1f\x8b\x08\x08"[..], "a gzip stream"),
        (b"BZh91AY", "a bzip2 stream"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    ] {
        let fault = told(&[start, &[0; 200]].concat());
        assert_eq!(fault.class, Class::Magic);
        assert!(fault.message.contains(&format!("not a FITS file but {name}")), "{fault}");
    }
}
