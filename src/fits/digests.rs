//! What two versions of a file have in common when the one was only written again: the digests of its header cards and of
//! its data, while its bytes stream by.
//!
//! What it does not do: find out where a header or a data unit begins; the check does.

use super::CARD;
use crate::digest::{Digest, Hasher};

/// The most HDUs whose digests are kept: no file of an archive has more, and a hostile one must not fill memory and records.
const MOST: usize = 1000;

/// The cards that do not count: each changes, comes or goes when a file is written again with nothing else in it changed.
///
/// - `DATE` is when the file was written; the sums follow from it (FITS 4.0, 4.4.2.1 and 4.4.2.7). `ZHECKSUM` and
///   `ZDATASUM` keep those of the file before compression (10.1.3).
/// - `COMMENT`, `HISTORY` and blank keywords are for people (4.4.2.4).
/// - `HEADSUM`, `PRIMARYK`, `LICENSE` and `LONGSTRN` are of JSOC's export alone, and younger versions of it write more of
///   them (`libs/fitsrw/cfitsio.c` and `fitsexport.c` of its server). Its `RECNUM` and `DRMS_ID` say which record it is:
///   they count.
const UNCOUNTED: [&[u8; 8]; 12] = [
    b"DATE    ",
    b"CHECKSUM",
    b"DATASUM ",
    b"ZHECKSUM",
    b"ZDATASUM",
    b"COMMENT ",
    b"HISTORY ",
    b"        ",
    b"HEADSUM ",
    b"PRIMARYK",
    b"LICENSE ",
    b"LONGSTRN",
];

/// What makes a FITS file the same file, however often it is written again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digests {
    /// The SHA-256 of the header cards that count, of all HDUs, each header with its END.
    pub header: Digest,
    /// The SHA-256 of each HDU's data unit with its fill, by the HDU's number; that of an HDU without data is the digest of
    /// nothing.
    pub data: Vec<Digest>,
}

impl Digests {
    /// Those that a line of a record or a lock holds. The lines of older versions lack the header's, and prove nothing of it.
    #[must_use]
    pub fn of_line(header: Option<Digest>, data: Option<&[Digest]>) -> Option<Digests> {
        Some(Digests { header: header?, data: data?.to_vec() })
    }
}

/// The digests in the making.
#[derive(Debug, Default)]
pub(super) struct Digesting {
    header: Hasher,
    /// Whether the last card counted: a CONTINUE card is a part of it.
    counts: bool,
    data: Vec<Digest>,
    open: Hasher,
}

impl Digesting {
    /// Takes in the next card of the header, END too.
    pub(super) fn card(&mut self, card: &[u8; CARD]) {
        let keyword = &card[..8];
        if keyword != b"CONTINUE" {
            self.counts = !UNCOUNTED.iter().any(|other| keyword == *other);
        }
        if self.counts {
            self.header.update(card);
        }
    }

    /// Takes in the next bytes of the data unit, its fill included.
    pub(super) fn data(&mut self, bytes: &[u8]) {
        self.open.update(bytes);
    }

    /// The HDU is whole; the next one may begin.
    pub(super) fn close(&mut self) {
        let unit = std::mem::take(&mut self.open).finish();
        if self.data.len() <= MOST {
            self.data.push(unit);
        }
    }

    /// The digests; `None` where there are too many HDUs.
    pub(super) fn finish(self) -> Option<Digests> {
        let Digesting { header, data, .. } = self;
        (data.len() <= MOST).then(|| Digests { header: header.finish(), data })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A card of text.
    fn card(text: &str) -> [u8; CARD] {
        format!("{text:<80}").as_bytes()[..CARD].try_into().expect("80 bytes")
    }

    fn header(cards: &[[u8; CARD]]) -> Digest {
        let mut digesting = Digesting::default();
        for card in cards {
            digesting.card(card);
        }
        digesting.card(&card("END"));
        digesting.finish().expect("few HDUs").header
    }

    fn segment() -> Vec<[u8; CARD]> {
        [
            "SIMPLE  =                    T",
            "BITPIX  =                   16",
            "DATE    = '2011-03-01T00:00:00'",
            "BSCALE  =                 0.01",
            "BUNIT   = 'Gauss   '",
            "CRVAL1  =                34.87",
            "DATE-OBS= '2011-02-15T01:58:12'",
            "CODEVER = 'a long text that goes on&'",
            "CONTINUE  ' in the next card'",
            "RECNUM  =              3464220",
            "DRMS_ID = 'hmi.sharp_cea_720s:3464220:Bp'",
            "PRIMARYK= 'HARPNUM, T_REC'",
            "HISTORY made by hand",
            "CHECKSUM= 'abcdefghijklmnop'",
        ]
        .map(card)
        .to_vec()
    }

    #[test]
    fn a_card_that_does_not_count_may_change_come_and_go() {
        let cards = segment();
        for keyword in UNCOUNTED {
            let keyword = std::str::from_utf8(keyword).expect("text");
            let is_of = |card: &[u8; CARD]| card.starts_with(keyword.as_bytes());
            let without: Vec<[u8; CARD]> = cards.iter().filter(|card| !is_of(card)).copied().collect();
            for text in ["= 'otherwise'", "  otherwise"] {
                let mut with = without.clone();
                with.insert(3, card(&format!("{keyword}{text}")));
                with.insert(4, card("CONTINUE  'and on'"));
                assert_eq!(header(&with), header(&cards), "{keyword}{text}");
            }
            assert_eq!(header(&without), header(&cards), "without {keyword}");
        }
    }

    proptest! {
        #[test]
        fn any_other_card_that_changes_comes_or_goes_is_another_file(
            at in 0..14_usize,
            column in 10..CARD,
            keyword in "[A-Z][A-Z0-9_-]{0,7}",
            value in "[ -~]{0,60}",
        ) {
            let cards = segment();
            let counts = |card: &[u8; CARD]| !UNCOUNTED.iter().any(|other| card.starts_with(*other));
            let mut changed = cards.clone();
            changed[at][column] ^= 1;
            let mut gone = cards.clone();
            gone.remove(at);
            let more = card(&format!("{keyword:<8}= {value}"));
            let with_more = [&cards[..at], &[more], &cards[at..]].concat();
            prop_assert_eq!(header(&changed) != header(&cards), counts(&cards[at]));
            prop_assert_eq!(header(&gone) != header(&cards), counts(&cards[at]));
            // Between a text and its CONTINUE card nothing stands.
            if !cards[at].starts_with(b"CONTINUE") {
                prop_assert_eq!(header(&with_more) != header(&cards), counts(&more));
            }
        }
    }

    #[test]
    fn cards_belong_to_the_header_of_their_own_hdu() {
        let (one, other, end) = (card("A       = 1"), card("B       = 2"), card("END"));
        assert_ne!(header(&[one, end, other]), header(&[one, other, end]));
    }
}
