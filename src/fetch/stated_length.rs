//! The length that the first bytes of a file state, for formats that are not decoded.
//!
//! Sources: CDF Internal Format Description 3.9 (CDR and GDR: `GDRoffset`, `Flags`, `eof`; CCR: `CPRoffset`), HDF5 File Format Specification 3.0
//! (superblocks 0 to 3: base address, end of file address).

/// The length of a file by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stated {
    /// The format's name.
    pub(super) format: &'static str,
    /// How many bytes the file must have at least.
    pub(super) least: u64,
}

/// The length that a CDF or HDF5 file states (also a NetCDF-4 file, which is HDF5); `None` for other formats, and where it
/// stands behind the bytes that are given.
pub(super) fn of(head: &[u8]) -> Option<Stated> {
    match head {
        [0xcd, 0xf3, 0x00, 0x01, 0x00, 0x00, 0xff, 0xff, ..] => cdf(head, Cdf { width: 8, flags: 40, eof: 36 }),
        [0xcd, 0xf2, 0x60, 0x02, 0x00, 0x00, 0xff, 0xff, ..] => cdf(head, Cdf { width: 4, flags: 32, eof: 20 }),
        [0xcd, 0xf3, 0x00, 0x01, 0xcc, 0xcc, 0x00, 0x01, ..] => compressed_cdf(head, 8),
        [0xcd, 0xf2, 0x60, 0x02, 0xcc, 0xcc, 0x00, 0x01, ..] => compressed_cdf(head, 4),
        [0x89, b'H', b'D', b'F', b'\r', b'\n', 0x1a, b'\n', ..] => hdf5(head),
        _ => None,
    }
}

/// Where CDF has what, by its version.
struct Cdf {
    /// The bytes of an offset.
    width: usize,
    /// Where the file's flags stand.
    flags: usize,
    /// Where the end of the file stands in its global descriptor.
    eof: usize,
}

fn cdf(head: &[u8], Cdf { width, flags, eof }: Cdf) -> Option<Stated> {
    const MD5: u64 = 16;
    let descriptor = usize::try_from(big_endian(head, 8 + width + 4, width)?).ok()?;
    let end = big_endian(head, descriptor.checked_add(eof)?, width)?;
    // Bits 2 and 3: a checksum, which is MD5, stands behind the end.
    let sum = if big_endian(head, flags, 4)? & 0b1100 == 0b1100 { MD5 } else { 0 };
    Some(Stated { format: "CDF", least: end.checked_add(sum)? })
}

/// A file that is compressed as a whole: its last record says how, and has four fields behind its size.
fn compressed_cdf(head: &[u8], width: usize) -> Option<Stated> {
    let parameters = big_endian(head, 8 + width + 4, width)?;
    Some(Stated { format: "CDF", least: parameters.checked_add(width as u64 + 16)? })
}

fn hdf5(head: &[u8]) -> Option<Stated> {
    let version = *head.get(8)?;
    let (width, addresses) = match version {
        // Version 1 has four bytes more before them.
        0 | 1 => (*head.get(13)?, 24 + 4 * usize::from(version)),
        2 | 3 => (*head.get(9)?, 12),
        _ => return None,
    };
    let width = usize::from(width);
    let (base, end) = (little_endian(head, addresses, width)?, little_endian(head, addresses + 2 * width, width)?);
    // Both are absolute where the superblock begins the file.
    Some(Stated { format: "HDF5", least: if base == 0 { end } else { return None } })
}

fn field(head: &[u8], at: usize, width: usize) -> Option<&[u8]> {
    (1..=8).contains(&width).then(|| head.get(at..at.checked_add(width)?)).flatten()
}

fn big_endian(head: &[u8], at: usize, width: usize) -> Option<u64> {
    Some(field(head, at, width)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

fn little_endian(head: &[u8], at: usize, width: usize) -> Option<u64> {
    Some(field(head, at, width)?.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(fields: &[(usize, &[u8])]) -> Vec<u8> {
        let mut head = vec![0; 512];
        for (at, bytes) in fields {
            head[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        head
    }

    #[test]
    fn cdf_states_its_end_in_its_global_descriptor() {
        let three = |flags: u32| {
            head(&[
                (0, b"\xcd\xf3\x00\x01\x00\x00\xff\xff"),
                (20, &320_u64.to_be_bytes()),
                (40, &flags.to_be_bytes()),
                (356, &70_000_u64.to_be_bytes()),
            ])
        };
        assert_eq!(of(&three(3)), Some(Stated { format: "CDF", least: 70_000 }));
        assert_eq!(of(&three(15)), Some(Stated { format: "CDF", least: 70_016 }));
        let two = head(&[
            (0, b"\xcd\xf2\x60\x02\x00\x00\xff\xff"),
            (16, &312_u32.to_be_bytes()),
            (32, &3_u32.to_be_bytes()),
            (332, &9000_u32.to_be_bytes()),
        ]);
        assert_eq!(of(&two), Some(Stated { format: "CDF", least: 9000 }));
        let packed = head(&[(0, b"\xcd\xf3\x00\x01\xcc\xcc\x00\x01"), (20, &4975_u64.to_be_bytes())]);
        assert_eq!(of(&packed), Some(Stated { format: "CDF", least: 4999 }));
        let far = head(&[(0, b"\xcd\xf3\x00\x01\x00\x00\xff\xff"), (20, &u64::MAX.to_be_bytes())]);
        assert_eq!(of(&far), None, "its descriptor stands elsewhere");
    }

    #[test]
    fn hdf5_states_its_end_in_its_superblock() {
        let signature: &[u8] = b"\x89HDF\r\n\x1a\n";
        let none = [0xff; 8];
        let zero = head(&[(0, signature), (13, &[8, 8]), (32, &none), (40, &2048_u64.to_le_bytes())]);
        assert_eq!(of(&zero), Some(Stated { format: "HDF5", least: 2048 }));
        let one = head(&[(0, signature), (8, &[1]), (13, &[8, 8]), (36, &none), (44, &2048_u64.to_le_bytes())]);
        assert_eq!(of(&one), Some(Stated { format: "HDF5", least: 2048 }));
        let two = head(&[(0, signature), (8, &[2, 8, 8]), (20, &none), (28, &4096_u64.to_le_bytes())]);
        assert_eq!(of(&two), Some(Stated { format: "HDF5", least: 4096 }));
        for strange in [&head(&[(0, signature), (8, &[9])])[..], &head(&[(0, signature), (13, &[200])]), signature, b""]
        {
            assert_eq!(of(strange), None);
        }
    }
}
