//! tar archives, from member to member: a cut one is known without its files.
//!
//! Sources: POSIX.1-2017, pax, "ustar Interchange Format"; tar(5), "Old-Style Archive Format". Nothing is said of an archive without the two blocks of zeros at its
//! end, which tar(1) reads as well, and of one that goes on in a way that is not known, such as with sparse files.

use crate::failure::Class;
use crate::fits::Fault;

/// The length of a header, and of the blocks that members fill.
pub(super) const BLOCK: usize = 512;

/// The check of one archive, fed in order.
#[derive(Debug, Default)]
pub(super) struct TarCheck {
    reading: TarState,
    at: u64,
}

#[derive(Debug)]
enum TarState {
    /// The bytes of a header that is not whole yet.
    Header(Vec<u8>),
    /// The bytes of a member that are still to come, and those that fill its last block.
    Member { left: u64, fill: u64 },
    /// What is not looked at.
    Rest,
}

impl Default for TarState {
    fn default() -> TarState {
        TarState::Header(Vec::new())
    }
}

/// True for the first block of an archive.
pub(super) fn begins_as_tar(start: &[u8]) -> bool {
    // Before POSIX, no mark but zeros stood behind the fields. GNU tar writes the numbers of a device there all the same.
    let is_old = |block: &[u8]| {
        let (devices, others) = (&block[329..345], [&block[257..329], &block[345..]].concat());
        block[0] != 0
            && others.iter().all(|byte| *byte == 0)
            && devices.iter().all(|byte| matches!(byte, 0 | b'0' | b' '))
    };
    let is_marked = |block: &[u8]| &block[257..262] == b"ustar" || is_old(block);
    start.get(..BLOCK).is_some_and(|block| is_marked(block) && size(block).is_some())
}

impl TarCheck {
    /// Takes in the next bytes.
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        self.at += bytes.len() as u64;
        while !bytes.is_empty() {
            let taken = match &mut self.reading {
                TarState::Header(block) => {
                    let taken = bytes.len().min(BLOCK - block.len());
                    block.extend_from_slice(&bytes[..taken]);
                    if block.len() == BLOCK {
                        self.reading = behind(block);
                    }
                    taken
                }
                TarState::Member { left, fill } => {
                    let taken = usize::try_from(*left + *fill).unwrap_or(usize::MAX).min(bytes.len());
                    let of_member = (*left).min(taken as u64);
                    (*left, *fill) = (*left - of_member, *fill - (taken as u64 - of_member));
                    if *left + *fill == 0 {
                        self.reading = TarState::default();
                    }
                    taken
                }
                TarState::Rest => return,
            };
            bytes = &bytes[taken..];
        }
    }

    /// The end of the archive.
    ///
    /// # Errors
    /// A [`Fault`] where it ends within a member or a header.
    pub(super) fn finish(&self) -> Result<(), Fault> {
        let place = match &self.reading {
            TarState::Member { left: 1.., .. } => "a member",
            TarState::Header(block) if block.iter().any(|byte| *byte != 0) => "a header",
            _ => return Ok(()),
        };
        let message = format!("the tar archive is cut: it ends within {place}, at byte {}", self.at);
        Err(Fault { class: Class::FileStructure, message })
    }
}

/// What follows a header.
fn behind(block: &[u8]) -> TarState {
    match size(block) {
        Some(0) => TarState::default(),
        Some(left) => TarState::Member { left, fill: left.next_multiple_of(BLOCK as u64) - left },
        None => TarState::Rest,
    }
}

/// How many bytes of a member follow its header; `None` where it is no header.
fn size(block: &[u8]) -> Option<u64> {
    let own = |at: usize, byte: u8| if (148..156).contains(&at) { b' ' } else { byte };
    let sum: u64 = block.iter().enumerate().map(|(at, byte)| u64::from(own(at, *byte))).sum();
    if octal(&block[148..156])? != sum {
        return None;
    }
    let size = match block[156] {
        // Links, devices and folders have no bytes, whatever size they state.
        b'1'..=b'6' => Some(0),
        _ if block[124] & 0x80 != 0 => {
            let (high, low) = block[125..136].split_at(3);
            // In base 256; no archive has so many bytes.
            high.iter().all(|byte| *byte == 0).then(|| low.iter().fold(0, |size, byte| size << 8 | u64::from(*byte)))
        }
        _ => octal(&block[124..136]),
    };
    size.filter(|size| *size < 1 << 60)
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = str::from_utf8(field).ok()?;
    u64::from_str_radix(text.trim_matches([' ', '\0']), 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, size: &[u8], kind: u8) -> Vec<u8> {
        with_mark(name, size, kind, b"ustar\x0000")
    }

    fn with_mark(name: &str, size: &[u8], kind: u8, mark: &[u8]) -> Vec<u8> {
        let mut block = vec![0; BLOCK];
        block[..name.len()].copy_from_slice(name.as_bytes());
        block[124..124 + size.len()].copy_from_slice(size);
        block[156] = kind;
        block[257..257 + mark.len()].copy_from_slice(mark);
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        block
    }

    fn is_cut(archive: &[u8]) -> bool {
        let verdicts = [1, 511, 700, usize::MAX].map(|piece| {
            let mut check = TarCheck::default();
            archive.chunks(piece.min(archive.len())).for_each(|bytes| check.push(bytes));
            check.finish().is_err()
        });
        assert!(verdicts.iter().all(|verdict| *verdict == verdicts[0]));
        verdicts[0]
    }

    #[test]
    fn an_archive_of_before_posix_is_known_without_a_mark() {
        let member = [vec![7; 700], vec![0; 324]].concat();
        let marked =
            |mark: &[u8], kind| [&with_mark("a", b"       1274 ", kind, mark)[..], &member, &[0; 2 * BLOCK]].concat();
        let old = |kind| marked(b"", kind);
        let gnu = [&[0; 72][..], b"0000000\x000000000\0"].concat();
        for whole in [old(0), old(b'0'), marked(&gnu, b'0')] {
            assert!(begins_as_tar(&whole) && !is_cut(&whole) && is_cut(&whole[..1100]));
        }
        let mut flipped = old(0);
        flipped[1] ^= 1;
        let with_text = with_mark("a", b"00000001274\0", 0, b"text");
        for other in [flipped, with_text, vec![b'0'; BLOCK], vec![b' '; BLOCK]] {
            assert!(!begins_as_tar(&other));
        }
    }

    #[test]
    fn an_archive_that_ends_within_a_member_or_a_header_is_cut() {
        let member = [vec![7; 700], vec![0; 324]].concat();
        let folder = header("d/", b"00000001274\0", b'5');
        let large = header("b", b"\x80\0\0\0\0\0\0\0\0\0\x02\xbc", b'0');
        let whole =
            [&folder[..], &header("a", b"00000001274\0", b'0'), &member, &large, &member, &[0; 2 * BLOCK]].concat();
        assert!(begins_as_tar(&whole) && !is_cut(&whole));
        for end in [513, 600, 1024, 1025, 1723, 2049, 3200] {
            assert!(is_cut(&whole[..end]), "{end}");
        }
        // The fill of the last block, and the zeros, may be missing.
        for end in [512, 1724, 1800, 2048, 3584, 3600, 4096] {
            assert!(!is_cut(&whole[..end]), "{end}");
        }
        let strange = [&folder[..], &[1; BLOCK], &[2; 100]].concat();
        assert!(!is_cut(&strange), "what goes on in an unknown way is not judged");
        for text in [&b"ustar"[..], &[0; BLOCK], &[b'x'; BLOCK]] {
            assert!(!begins_as_tar(text));
        }
    }
}
