//! What files of some formats end with, so that a cut one is known without decoding it.
//!
//! Sources: ZIP (APPNOTE 6.3, 4.3.16: end of central directory) and XZ (1.2.1, 2.1.2: stream footer), for the streams that
//! cannot be decoded here.

use super::magic;

/// The longest end of a ZIP archive: its record, and a comment.
const ZIP: usize = 22 + 65_535;

/// The length of the record of ZIP64 that stands before its locator, in bytes.
const ZIP64: u64 = 56;

/// How many last bytes are enough for the other formats, and for the page or the message of a program at the end of a text.
const OTHER: usize = 64 * 1024;

/// A format that ends in a known way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TrailedFormat {
    Zip,
    Xz,
}

impl TrailedFormat {
    fn detect(name: &str, head: &[u8]) -> Option<TrailedFormat> {
        if magic::is_zip(name, head) {
            Some(TrailedFormat::Zip)
        } else {
            head.starts_with(magic::XZ).then_some(TrailedFormat::Xz)
        }
    }
}

/// The last bytes of a body, gathered as it comes.
#[derive(Debug, Default)]
pub(super) struct Tail {
    bytes: Vec<u8>,
}

impl Tail {
    /// Takes in the next bytes of a body that begins with `head`, which has these already.
    pub(super) fn push(&mut self, head: &[u8], bytes: &[u8]) {
        // Of FITS files no end is looked at, and they are long.
        if head.starts_with(magic::FITS) {
            return;
        }
        self.bytes.extend_from_slice(&bytes[bytes.len().saturating_sub(ZIP)..]);
        // Not at each piece: they may be small.
        if self.bytes.len() > 4 * ZIP {
            self.bytes.drain(..self.bytes.len() - ZIP);
        }
    }

    /// The last bytes, as far as a text is looked at.
    pub(super) fn last(&self) -> &[u8] {
        &self.bytes[self.bytes.len().saturating_sub(OTHER)..]
    }
}

/// What is wrong with the end of a body of `length` bytes; `None` for formats that end in no known way.
pub(super) fn objection(name: &str, head: &[u8], Tail { bytes: tail }: &Tail, length: u64) -> Option<&'static str> {
    let (is_whole, why) = match TrailedFormat::detect(name, head)? {
        TrailedFormat::Zip => {
            (ends_zip(head, tail, length), "the ZIP archive is cut: the list of its members is not at its end")
        }
        TrailedFormat::Xz => (ends_xz(tail), "the xz stream is cut: its footer is not at its end"),
    };
    (!is_whole).then_some(why)
}

fn ends_zip(head: &[u8], tail: &[u8], length: u64) -> bool {
    let number = |at: usize, width: usize| -> u64 {
        tail[at..at + width].iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
    };
    let is_end = |at: usize| {
        let comment = usize::try_from(number(at + 20, 2)).unwrap_or(usize::MAX);
        let (size, offset) = (number(at + 12, 4), number(at + 16, 4));
        let place = length - (tail.len() - at) as u64;
        let is_followed_by_nothing = || tail[at + 22 + comment..].iter().all(|byte| *byte == 0);
        // The list of members stands right before it, or before the records of ZIP64 or of a signature. The end of an archive
        // that is a member of this one is at another place.
        let is_large = || {
            let locator = at.checked_sub(20).filter(|locator| tail[*locator..].starts_with(b"PK\x06\x07"));
            let is_record = |before: u64| {
                let record =
                    usize::try_from(before).ok().zip(locator).map(|(before, locator)| locator.checked_sub(before));
                record.is_some_and(|at| at.map_or(before == ZIP64, |at| tail[at..].starts_with(b"PK\x06\x06")))
            };
            // The locator says where its record is; one that counts from another start is a member's, or behind a program.
            let stated = locator.and_then(|locator| (place - 20).checked_sub(number(locator + 8, 8)));
            stated.is_some_and(|before| before >= ZIP64 && is_record(before))
                || (!head.starts_with(b"PK\x03\x04") && is_record(ZIP64) && is_followed_by_nothing())
        };
        let between = place.checked_sub(size + offset).and_then(|gap| at.checked_sub(usize::try_from(gap).ok()?));
        let is_right = between == Some(at) || between.is_some_and(|at| tail[at..].starts_with(b"PK\x05\x05"));
        // Offsets need not count what was put before an archive. Nothing may follow its end then: it could be a member's.
        let is_behind_other = || {
            let list = usize::try_from(size).ok().and_then(|size| at.checked_sub(size));
            !head.starts_with(b"PK\x03\x04")
                && list.is_some_and(|list| tail[list..].starts_with(b"PK\x01\x02"))
                && is_followed_by_nothing()
        };
        at + 22 + comment <= tail.len() && (is_large() || is_right || is_behind_other())
    };
    (0..(tail.len() + 1).saturating_sub(22)).rev().any(|at| tail[at..].starts_with(b"PK\x05\x06") && is_end(at))
}

fn ends_xz(tail: &[u8]) -> bool {
    let end = tail.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    // Behind the footer there may be zeros, in fours.
    tail[..end].ends_with(b"YZ") && (tail.len() - end).is_multiple_of(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a body, which must not depend on how it is cut.
    fn is_refused(body: &[u8]) -> bool {
        is_refused_as("a.zip", body)
    }

    fn is_refused_as(name: &str, body: &[u8]) -> bool {
        let verdicts = [1, 3, 1000, usize::MAX].map(|piece| {
            let (mut tail, mut at) = (Tail::default(), 0);
            for bytes in body.chunks(piece.min(body.len().max(1))) {
                at += bytes.len();
                tail.push(&body[..at.min(512)], bytes);
            }
            objection(name, &body[..body.len().min(512)], &tail, body.len() as u64).is_some()
        });
        assert!(verdicts.iter().all(|verdict| *verdict == verdicts[0]));
        verdicts[0]
    }

    /// An archive of one member whose bytes are these, and a comment.
    fn zip(member: &[u8], comment: &[u8]) -> Vec<u8> {
        let size = u32::try_from(member.len()).unwrap().to_le_bytes();
        let fields = [&[0; 8][..], &[0; 4], &size, &size, &[1, 0, 0, 0]].concat();
        let local = [b"PK\x03\x04\x14\0", &fields[..8], &fields[8..], b"a", member].concat();
        let central = [&b"PK\x01\x02\x14\0\x14\0"[..], &fields, &[0; 14], b"a"].concat();
        let numbers = [central.len(), local.len()].map(|number| u32::try_from(number).unwrap().to_le_bytes());
        let length = u16::try_from(comment.len()).unwrap().to_le_bytes();
        let end = [b"PK\x05\x06\0\0\0\0\x01\0\x01\0", &numbers.concat()[..], &length, comment].concat();
        [local, central, end].concat()
    }

    /// `printf abc | xz`.
    const XZ: &[u8] =
        b"\xfd7zXZ\0\0\x01i\"\xde6\x02\0!\x01\x16\0\0\0t/\xe5\xa3\x01\0\x02abc\0\0\xc2A$5\0\x01\x17\x03\x07`\x0c\xbc\
        \x90B\x99\r\x01\0\0\0\0\x01YZ";

    #[test]
    fn a_file_that_lacks_its_end_is_cut() {
        for whole in [&zip(b"abc", b""), &zip(&vec![7; 70_000], b"a comment"), XZ] {
            assert!(!is_refused(whole), "{:?}", &whole[..4]);
            let ends = (1..whole.len().min(60)).chain([whole.len() / 2]).map(|cut| whole.len() - cut);
            for end in ends.filter(|end| *end >= 8) {
                assert!(is_refused(&whole[..end]), "{:?} cut at byte {end}", &whole[..4]);
            }
        }
    }

    #[test]
    fn an_archive_behind_a_program_is_whole_by_its_end_alone() {
        let (inner, archive) = (zip(b"abc", b""), zip(&vec![7; 70_000], b"a comment"));
        let counted = |before: &[u8]| {
            let mut end = zip(b"abc", b"");
            let (at, start) = (end.len() - 6, u32::try_from(before.len()).unwrap());
            let offset = u32::from_le_bytes(end[at..at + 4].try_into().unwrap()) + start;
            end[at..at + 4].copy_from_slice(&offset.to_le_bytes());
            [before, &end].concat()
        };
        for before in [&b"MZ\x90\0program"[..], b"\x7fELF\x02", b"#!/bin/sh\nunzip $0\n", b"PK00"] {
            for whole in [[before, &archive].concat(), counted(before)] {
                assert!(!is_refused(&whole), "{before:?}");
                for cut in [1, 20, 25, 60] {
                    assert!(is_refused(&whole[..whole.len() - cut]), "{before:?} without {cut} bytes");
                }
            }
            let nested = [before, &zip(&inner, b"")].concat();
            assert!(!is_refused(&nested) && is_refused(&nested[..nested.len() - 30]), "{before:?}");
        }
        let program = b"MZ\x90\0program";
        assert!(is_refused(program) && !is_refused_as("a.exe", program));
    }

    /// The same archive with an end as of ZIP64 (APPNOTE 4.3.14, 4.3.15), which counts `before` bytes.
    fn zip64(member: &[u8], before: u64) -> Vec<u8> {
        let plain = zip(member, b"");
        let (list, end) = plain.split_at(plain.len() - 22);
        let record = [&b"PK\x06\x06\x2c"[..], &[0; 51]].concat();
        let offset = (before + list.len() as u64).to_le_bytes();
        let locator = [&b"PK\x06\x07\0\0\0\0"[..], &offset, &[1, 0, 0, 0]].concat();
        let mut end = end.to_vec();
        end[12..20].fill(0xff);
        [list, &record, &locator, &end].concat()
    }

    #[test]
    fn the_end_of_a_large_archive_is_known_by_the_place_that_it_states() {
        let program = b"MZ\x90\0program";
        let inner = zip64(&[7; 3000], 0);
        for whole in [inner.clone(), zip64(&inner, 0), [&program[..], &inner].concat()] {
            assert!(!is_refused(&whole));
        }
        let counted = [&program[..], &zip64(b"abc", program.len() as u64)].concat();
        assert!(!is_refused(&counted));
        // The end of a member is not that of the archive.
        let outer = zip(&inner, b"");
        for cut in [30, 40, 70] {
            assert!(is_refused(&outer[..outer.len() - cut]), "{cut}");
        }
    }

    #[test]
    fn what_may_stand_behind_an_end_is_no_fault() {
        assert!(!is_refused(&[XZ, &[0; 8]].concat()) && is_refused(&[XZ, &[0; 3]].concat()));
        assert!(!is_refused(&[zip(b"abc", b""), vec![0; 100]].concat()));
        let inner = zip(&[7; 3000], b"");
        let outer = zip(&inner, b"");
        assert!(is_refused(&outer[..outer.len() - 30]), "the end of a member is not that of the archive");
        for other in [&b"PK is a name"[..], b"", b"\x28\xb5\x2f\xfd"] {
            assert!(!is_refused(other));
        }
    }
}
