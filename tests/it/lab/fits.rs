//! Small FITS files with right checksums, made here.

use fitsio_pure::checksum::stamp_checksum;
use fitsio_pure::hdu::parse_fits;
use fitsio_pure::header::{Card, header_byte_len, parse_header_blocks, serialize_header};
use fitsio_pure::image::serialize_image_i16;
use fitsio_pure::primary::build_primary_header;
use fitsio_pure::value::Value;

/// A FITS file of one image of `side` by `side` pixels: the same bytes for the same arguments, other bytes for
/// another seed. `date_obs` such as `2015-12-11T18:22:08.799999Z`.
pub(crate) fn fits(seed: u32, side: usize, date_obs: &str) -> Vec<u8> {
    // A plain generator: the bytes need to differ, not to be random.
    let mut state = seed.wrapping_mul(2_654_435_761).max(1);
    let pixels: Vec<i16> = (0..side * side)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            i16::from_be_bytes([state.to_be_bytes()[0], state.to_be_bytes()[1]])
        })
        .collect();
    let data = serialize_image_i16(&pixels);
    let mut cards = build_primary_header(16, &[side, side]).expect("a header");
    let mut add = |keyword: &str, value: Value| cards.push(Card::new(keyword, value).expect("a card"));
    add("DATE-OBS", Value::String(date_obs.to_owned()));
    add("RECNUM", Value::Integer(i64::from(seed)));
    add("QUALITY", Value::Integer(0));
    let cards = stamp_checksum(&cards, &data[..side * side * 2]);
    let mut file = serialize_header(&cards).expect("a header");
    file.extend_from_slice(&data);
    file.resize(file.len().next_multiple_of(2880), 0);
    file
}

/// The same data under another header: one COMMENT more in the first HDU, and its CHECKSUM right again.
pub(crate) fn restamped(file: &[u8], comment: &str) -> Vec<u8> {
    with_card(file, Card { keyword: *b"COMMENT ", value: None, comment: Some(comment.to_owned()) })
}

/// The same data with this card in the first HDU, in place of one of its keyword, and its CHECKSUM right again.
pub(crate) fn with_keyword(file: &[u8], keyword: &str, value: Value) -> Vec<u8> {
    with_card(file, Card::new(keyword, value).expect("a card"))
}

fn with_card(file: &[u8], card: Card) -> Vec<u8> {
    let mut cards = parse_header_blocks(file).expect("a header");
    let begin = header_byte_len(file).expect("a header");
    let data = parse_fits(file).expect("a FITS file").primary().data_len;
    cards.retain(|other| !other.is_end() && !other.is_blank() && other.keyword != card.keyword);
    cards.push(card);
    let mut again = serialize_header(&stamp_checksum(&cards, &file[begin..begin + data])).expect("a header");
    again.extend_from_slice(&file[begin..]);
    again
}

#[cfg(test)]
mod tests {
    use fitsio_pure::checksum::{verify_checksum, verify_datasum};
    use fitsio_pure::hdu::parse_fits;

    use super::{fits, restamped};

    #[test]
    fn a_restamped_file_holds_the_same_data_in_other_bytes() {
        let file = fits(7, 100, "2015-12-11T18:22:08.799999Z");
        let again = restamped(&file, "exported again");
        assert_ne!(again, file);
        let (one, two) = (parse_fits(&file).expect("a FITS file"), parse_fits(&again).expect("a FITS file"));
        let (one, two) = (one.primary(), two.primary());
        assert_eq!(&again[two.data_start..], &file[one.data_start..]);
        assert!(verify_checksum(&again, two) && verify_datasum(&again, two));
        assert!(String::from_utf8_lossy(&again[..two.data_start]).contains("COMMENT exported again"));
    }

    #[test]
    fn the_labs_fits_files_are_whole_and_their_checksums_are_right() {
        let file = fits(7, 100, "2015-12-11T18:22:08.799999Z");
        assert_eq!(file.len() % 2880, 0);
        let parsed = parse_fits(&file).expect("a FITS file");
        let hdu = parsed.primary();
        for keyword in ["CHECKSUM", "DATASUM", "DATE-OBS"] {
            assert!(hdu.cards.iter().any(|card| card.keyword_str() == keyword), "{keyword}");
        }
        assert!(verify_checksum(&file, hdu) && verify_datasum(&file, hdu));
        let mut flipped = file.clone();
        let middle = file.len() - 3000;
        flipped[middle] ^= 1;
        assert!(!verify_datasum(&flipped, hdu), "a flipped bit shows");
        assert_ne!(file, fits(8, 100, "2015-12-11T18:22:08.799999Z"));
        assert_eq!(file, fits(7, 100, "2015-12-11T18:22:08.799999Z"));
    }
}
