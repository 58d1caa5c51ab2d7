//! A copy of a FITS file in which the header of the image has further cards, with sums that are right again.
//!
//! The data is copied as it is, in pieces. What it does not do: check the file that it copies.

use std::io::{Read, Seek, SeekFrom};

use fitsio_pure::checksum::encode_checksum;
use fitsio_pure::value::Value;

use super::cards::{Card, card};
use super::checksum::{OnesComplementSum, add};
use super::header::{HeaderState, value_of};
use super::{BLOCK, CARD, Fault, HEADER_BLOCKS, one_line};
use crate::failure::Class;

/// How many bytes are copied at a time.
const PIECE: usize = 64 * 1024;

/// Keywords that say how the bytes of a file are to be read, or that are written anew. The file's own stay.
const OWN: [&str; 20] = [
    "SIMPLE", "XTENSION", "BITPIX", "NAXIS", "EXTEND", "PCOUNT", "GCOUNT", "GROUPS", "BSCALE", "BZERO", "BLANK",
    "TFIELDS", "THEAP", "EXTNAME", "EXTVER", "EXTLEVEL", "INHERIT", "LONGSTRN", "END", "CONTINUE",
];

/// Of these every letter and number after them counts, too: axes, columns and tiles.
const OWN_STEMS: [&str; 9] = ["NAXIS", "TTYPE", "TFORM", "TUNIT", "TSCAL", "TZERO", "TNULL", "TDIM", "Z"];

/// One HDU of a file.
struct Hdu {
    start: u64,
    data: u64,
    /// The data with its fill.
    data_bytes: u64,
    cards: Vec<Card>,
}

/// Copies a file to `write`, with `cards` in the header of its first image, in place of the file's own of the same keyword.
///
/// # Errors
/// A [`Fault`] where the file's headers cannot be read, `storage` where it cannot be read or written.
pub fn embed(
    mut file: impl Read + Seek,
    cards: &[Card],
    mut write: impl FnMut(&[u8]) -> std::io::Result<()>,
) -> Result<(), Fault> {
    let image = image(&mut file)?;
    let mut sum = OnesComplementSum::default();
    seek(&mut file, image.data)?;
    copy(&mut file, image.data_bytes, |piece| {
        sum.push(piece);
        Ok(())
    })?;
    let header = header(&image, cards, sum.value());
    seek(&mut file, 0)?;
    copy(&mut file, image.start, &mut write)?;
    write(&header).map_err(|error| storage("write", &error))?;
    seek(&mut file, image.data)?;
    copy(&mut file, u64::MAX, &mut write)
}

/// The HDU of the first image, compressed or not; the primary one of a file without any.
fn image(file: &mut (impl Read + Seek)) -> Result<Hdu, Fault> {
    let mut first = None;
    let mut start = 0;
    while let Some(hdu) = hdu(file, start)? {
        let next = hdu.data + hdu.data_bytes;
        if hdu.is_image() {
            return Ok(hdu);
        }
        first.get_or_insert(hdu);
        start = next;
    }
    first.ok_or_else(|| Fault::structure("the file is empty"))
}

impl Hdu {
    fn is_image(&self) -> bool {
        let value = |keyword: &str| self.cards.iter().find(|card| name_of(card) == keyword).and_then(value_of);
        let is_compressed = value("ZIMAGE") == Some(Value::Logical(true));
        let is_table = matches!(value("XTENSION"), Some(Value::String(kind)) if kind.trim() != "IMAGE");
        self.data_bytes > 0 && (is_compressed || !is_table)
    }
}

/// The HDU that begins here; `None` at the end of the file.
fn hdu(file: &mut (impl Read + Seek), start: u64) -> Result<Option<Hdu>, Fault> {
    seek(file, start)?;
    let mut header = HeaderState::default();
    let mut cards = Vec::new();
    for nth in 1..=HEADER_BLOCKS {
        let mut block = Vec::with_capacity(BLOCK);
        file.take(BLOCK as u64).read_to_end(&mut block).map_err(|error| storage("read", &error))?;
        if nth == 1 && block.is_empty() {
            return Ok(None);
        }
        if block.len() < BLOCK {
            return Err(Fault::structure(format!("the file is cut in the header from byte {start} on")));
        }
        for card in block.as_chunks::<CARD>().0 {
            let wrong = |what: String| Fault::structure(format!("the header from byte {start} on has {what}"));
            if header.take(card).map_err(wrong)? {
                let data_bytes = header.data_bytes().map_err(wrong)?.next_multiple_of(BLOCK as u64);
                return Ok(Some(Hdu { start, data: start + nth * BLOCK as u64, data_bytes, cards }));
            }
            cards.push(*card);
        }
    }
    Err(Fault::structure(format!("the header from byte {start} on has no END")))
}

/// The new header of an image whose data has this sum.
fn header(image: &Hdu, added: &[Card], data: u32) -> Vec<u8> {
    let added: Vec<&Card> = with_their_rest(added.iter().collect(), |card| !is_own(&name_of(card)));
    let is_added = |name: &str| added.iter().any(|card| name_of(card) == name && !is_commentary(name));
    let kept = with_their_rest(image.cards.iter().collect(), |card| {
        let name = name_of(card);
        !is_sum(&name) && (is_own(&name) || !is_added(&name))
    });
    // Blank cards at the end only made room.
    let length = kept.iter().rposition(|card| !name_of(card).is_empty()).map_or(0, |last| last + 1);
    let mut header: Vec<u8> = kept[..length].iter().chain(&added).flat_map(|card| card.iter().copied()).collect();
    header.extend(card(&format!("DATASUM = '{data}'")));
    let at = header.len() + "CHECKSUM= '".len();
    header.extend(card(&format!("CHECKSUM= '{}'", "0".repeat(16))));
    header.extend(card("END"));
    header.resize(header.len().next_multiple_of(BLOCK), b' ');
    let mut sum = OnesComplementSum::default();
    sum.push(&header);
    let text = encode_checksum(add(sum.value(), data), true);
    header[at..at + text.len()].copy_from_slice(&text);
    header
}

/// The cards of the keywords that are wanted, each with its CONTINUE cards.
fn with_their_rest<'a>(cards: Vec<&'a Card>, is_wanted: impl Fn(&Card) -> bool) -> Vec<&'a Card> {
    let mut is_in = false;
    let of = |card: &&'a Card| {
        if name_of(card) != "CONTINUE" {
            is_in = is_wanted(card);
        }
        is_in
    };
    cards.into_iter().filter(of).collect()
}

fn name_of(card: &Card) -> String {
    one_line(&String::from_utf8_lossy(&card[..8])).trim_end().to_owned()
}

fn is_sum(name: &str) -> bool {
    matches!(name, "CHECKSUM" | "DATASUM")
}

fn is_commentary(name: &str) -> bool {
    matches!(name, "" | "COMMENT" | "HISTORY")
}

fn is_own(name: &str) -> bool {
    let is_numbered = |stem: &str| {
        let rest = name.strip_prefix(stem);
        rest.is_some_and(|rest| stem == "Z" || (!rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit())))
    };
    OWN.contains(&name) || is_sum(name) || OWN_STEMS.into_iter().any(is_numbered)
}

fn seek(file: &mut impl Seek, at: u64) -> Result<(), Fault> {
    file.seek(SeekFrom::Start(at)).map(drop).map_err(|error| storage("read", &error))
}

/// Hands over the next bytes, as many as there are.
fn copy(file: &mut impl Read, bytes: u64, mut write: impl FnMut(&[u8]) -> std::io::Result<()>) -> Result<(), Fault> {
    let mut file = file.take(bytes);
    let mut piece = vec![0; PIECE];
    loop {
        let count = file.read(&mut piece).map_err(|error| storage("read", &error))?;
        if count == 0 {
            return Ok(());
        }
        write(&piece[..count]).map_err(|error| storage("write", &error))?;
    }
}

fn storage(what: &str, error: &std::io::Error) -> Fault {
    Fault { class: Class::Storage, message: format!("could not {what} it: {error}") }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::fits::{CardValue, FitsCheck, FitsProof, cards as cards_of};

    /// An HDU of these cards and data, filled up.
    fn hdu_of(cards: &[&str], data: &[u8]) -> Vec<u8> {
        let mut bytes: Vec<u8> = cards.iter().chain(&["END"]).flat_map(|text| card(text)).collect();
        bytes.resize(bytes.len().next_multiple_of(BLOCK), b' ');
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        bytes
    }

    const EMPTY: [&str; 4] = [
        "SIMPLE  =                    T",
        "BITPIX  =                    8",
        "NAXIS   =                    0",
        "EXTEND  =                    T",
    ];
    const IMAGE: [&str; 7] = [
        "SIMPLE  =                    T",
        "BITPIX  =                   16",
        "NAXIS   =                    1",
        "NAXIS1  =                 2000",
        "BSCALE  =                  0.1",
        "BUNIT   = 'counts'",
        "CHECKSUM= 'aaaaaaaaaaaaaaaa'",
    ];
    const TILES: [&str; 9] = [
        "XTENSION= 'BINTABLE'",
        "BITPIX  =                    8",
        "NAXIS   =                    2",
        "NAXIS1  =                    8",
        "NAXIS2  =                    4",
        "PCOUNT  =                 3000",
        "GCOUNT  =                    1",
        "ZIMAGE  =                    T",
        "TTYPE1  = 'COMPRESSED_DATA'",
    ];

    fn record() -> Vec<Card> {
        let values = [
            ("DATE-OBS", CardValue::Text("2011-02-15T01:58:12.30")),
            ("BUNIT", CardValue::Text("Gauss")),
            ("BSCALE", CardValue::Number("9")),
            ("CRVAL1", CardValue::Number("34.879105")),
            (
                "CODEVER",
                CardValue::Text("a text that is so long that it goes on in the next card, and there to its end"),
            ),
        ];
        values.iter().flat_map(|(keyword, value)| cards_of(keyword, *value)).collect()
    }

    fn embedded(file: &[u8], cards: &[Card]) -> Vec<u8> {
        let mut out = Vec::new();
        embed(Cursor::new(file), cards, |piece| {
            out.extend_from_slice(piece);
            Ok(())
        })
        .unwrap();
        out
    }

    fn lines(bytes: &[u8]) -> Vec<String> {
        let cards = bytes.as_chunks::<CARD>().0.iter();
        cards.map(|card| String::from_utf8_lossy(card).trim_end().to_owned()).take_while(|line| line != "END").collect()
    }

    fn proof(bytes: &[u8]) -> FitsProof {
        let mut check = FitsCheck::new();
        check.push(bytes).unwrap();
        check.finish().unwrap()
    }

    #[test]
    fn the_image_has_the_cards_its_own_structure_the_same_data_and_right_sums() {
        let data: Vec<u8> = (0..4000_u32).map(|n| u8::try_from(n * 7 % 251).unwrap()).collect();
        let file = hdu_of(&IMAGE, &data);
        let out = embedded(&file, &record());
        assert_eq!(proof(&out), FitsProof::Checksum);
        assert_eq!(out, embedded(&file, &record()), "the same each time");
        let header = lines(&out);
        assert_eq!(header[..5], IMAGE[..5]);
        assert!(
            header.contains(&"BUNIT   = 'Gauss   '".to_owned()) && !header.contains(&IMAGE[5].to_owned()),
            "{header:#?}"
        );
        assert!(header.contains(&"CRVAL1  =            34.879105".to_owned()), "{header:#?}");
        assert_eq!(header.iter().filter(|line| line.starts_with("BSCALE") || line.starts_with("CHECKSUM")).count(), 2);
        assert_eq!(out[out.len() - 5760..], file[file.len() - 5760..]);
        assert_eq!(embedded(&out, &record()), out, "made of itself it stays as it is");
    }

    #[test]
    fn of_a_compressed_image_the_table_has_them_and_what_lies_around_stays() {
        let data = vec![7; 8 * 4 + 3000];
        let file = [
            hdu_of(&EMPTY, &[]),
            hdu_of(&TILES, &data),
            hdu_of(
                &[
                    "XTENSION= 'IMAGE   '",
                    "BITPIX  =                    8",
                    "NAXIS   =                    1",
                    "NAXIS1  =                    3",
                ],
                b"abc",
            ),
        ]
        .concat();
        let out = embedded(&file, &record());
        assert_eq!(out[..BLOCK], file[..BLOCK]);
        assert_eq!(out[out.len() - 2 * BLOCK..], file[file.len() - 2 * BLOCK..]);
        let header = lines(&out[BLOCK..]);
        assert_eq!(header[..9], TILES);
        assert!(header[9].starts_with("DATE-OBS") && header.last().unwrap().starts_with("CHECKSUM"), "{header:#?}");
        assert_eq!(proof(&out), FitsProof::Structure, "the last image states no sum");
    }

    #[test]
    fn a_file_that_is_cut_or_none_is_told() {
        let file = hdu_of(&IMAGE, &[0; 4000]);
        for (file, why) in [(&file[..100], "is cut"), (&[][..], "empty")] {
            let fault = embed(Cursor::new(file), &record(), |_| Ok(())).unwrap_err();
            assert!(fault.message.contains(why), "{fault}");
        }
        let full = |_: &[u8]| Err(std::io::Error::other("full"));
        assert_eq!(embed(Cursor::new(&file[..]), &record(), full).unwrap_err().class, Class::Storage);
    }
}
