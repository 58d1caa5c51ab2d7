//! The length that the first bytes of a file state, for formats that are not decoded.
//!
//! Sources: CDF Internal Format Description 3.9 (CDR and GDR: `GDRoffset`, `Flags`, `eof`; CCR: `CPRoffset`), HDF5 File Format
//! Specification 3.0 (superblocks 0 to 3: base address, end of file address), netCDF Classic Format Specification (CDF-1,
//! CDF-2 and CDF-5: the place, type and shape of each variable).

use super::magic;

/// How many first bytes of a netCDF classic file are looked at: its header lists all dimensions, attributes and variables.
const NETCDF_HEADER: usize = 1 << 20;

/// Why a head does not state a length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Untold {
    /// What states it ends at this byte, which is not among those given.
    Until(u64),
    /// In a way that is not known.
    Unknown,
}

/// Adds the next bytes of a file to its first ones, as far as those are looked at.
pub(super) fn extend(head: &mut Vec<u8>, mut bytes: &[u8]) {
    // The first of them tell how many that are.
    while !bytes.is_empty() && head.len() < enough(head) {
        let more;
        (more, bytes) = bytes.split_at(bytes.len().min(enough(head) - head.len()));
        head.extend_from_slice(more);
    }
}

/// How many first bytes of a file that begins so are looked at.
fn enough(head: &[u8]) -> usize {
    if matches!(head, [b'C', b'D', b'F', 1 | 2 | 5, ..]) { NETCDF_HEADER } else { magic::ENOUGH }
}

/// What is wrong with the length of a file, by its first [`enough`] bytes; `None` for formats that state none.
pub(super) fn objection(head: &[u8], length: u64) -> Option<String> {
    let (format, stated) = stated(head)?;
    match stated {
        Ok(least) if length < least => {
            Some(format!("the {format} file is cut: it has {length} bytes, and states at least {least}"))
        }
        Err(Untold::Until(byte)) if length < byte => {
            Some(format!("the {format} file is cut: it ends within its header, at byte {length}"))
        }
        _ => None,
    }
}

/// The format, and how many bytes the file must have at least: of CDF, of HDF5 (also of netCDF-4, which is HDF5), and of
/// netCDF classic.
fn stated(head: &[u8]) -> Option<(&'static str, Result<u64, Untold>)> {
    match head {
        [0xcd, 0xf3, 0x00, 0x01, 0x00, 0x00, 0xff, 0xff, ..] => {
            Some(("CDF", cdf(head, Cdf { width: 8, flags: 40, eof: 36 })))
        }
        [0xcd, 0xf2, 0x60, 0x02, 0x00, 0x00, 0xff, 0xff, ..] => {
            Some(("CDF", cdf(head, Cdf { width: 4, flags: 32, eof: 20 })))
        }
        [0xcd, 0xf3, 0x00, 0x01, 0xcc, 0xcc, 0x00, 0x01, ..] => Some(("CDF", compressed_cdf(head, 8))),
        [0xcd, 0xf2, 0x60, 0x02, 0xcc, 0xcc, 0x00, 0x01, ..] => Some(("CDF", compressed_cdf(head, 4))),
        [b'C', b'D', b'F', version @ (1 | 2 | 5), ..] => Some(("netCDF", Netcdf::of(head, *version).least())),
        _ => magic::hdf5_place(head).map(|at| ("HDF5", hdf5(&head[at..], at))),
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

fn cdf(head: &[u8], Cdf { width, flags, eof }: Cdf) -> Result<u64, Untold> {
    const MD5: u64 = 16;
    let descriptor = big_endian(head, 8 + width as u64 + 4, width)?;
    let end = big_endian(head, descriptor.saturating_add(eof as u64), width)?;
    // Bits 2 and 3: a checksum, which is MD5, stands behind the end.
    let sum = if big_endian(head, flags as u64, 4)? & 0b1100 == 0b1100 { MD5 } else { 0 };
    Ok(end.saturating_add(sum))
}

/// A file that is compressed as a whole: its last record says how, and has four fields behind its size.
fn compressed_cdf(head: &[u8], width: usize) -> Result<u64, Untold> {
    let parameters = big_endian(head, 8 + width as u64 + 4, width)?;
    Ok(parameters.saturating_add(width as u64 + 16))
}

/// By the superblock, which stands at this byte of the file.
fn hdf5(head: &[u8], place: usize) -> Result<u64, Untold> {
    let byte = |at| big_endian(head, at, 1);
    let version = byte(8)?;
    let (width, addresses) = match version {
        // Version 1 has four bytes more before them.
        0 | 1 => (byte(13)?, 24 + 4 * version),
        2 | 3 => (byte(9)?, 12),
        _ => return Err(Untold::Unknown),
    };
    let address = |nth| little_endian(head, addresses + nth * width, usize::try_from(width).unwrap_or_default());
    let (base, end) = (address(0)?, address(2)?);
    // The end is absolute where the base is that place. It is not in an archive that begins with an HDF5 file.
    if base == place as u64 { Ok(end) } else { Err(Untold::Unknown) }
}

/// The header of a netCDF classic file, read in order.
struct Netcdf<'a> {
    head: &'a [u8],
    at: u64,
    /// The bytes of a count.
    count: usize,
    /// The bytes of an offset.
    offset: usize,
}

/// One variable of a netCDF file.
struct NetcdfVariable {
    begin: u64,
    /// How many bytes it has; of one with records, each of them.
    bytes: u64,
    has_records: bool,
}

impl<'a> Netcdf<'a> {
    const DIMENSIONS: u64 = 10;
    const VARIABLES: u64 = 11;
    const ATTRIBUTES: u64 = 12;

    fn of(head: &'a [u8], version: u8) -> Netcdf<'a> {
        let count = if version == 5 { 8 } else { 4 };
        Netcdf { head, at: 4, count, offset: if version == 1 { 4 } else { 8 } }
    }

    fn least(mut self) -> Result<u64, Untold> {
        let records = self.number(self.count)?;
        let mut dimensions = Vec::new();
        for _ in 0..self.list(Self::DIMENSIONS)? {
            self.name()?;
            dimensions.push(self.number(self.count)?);
        }
        self.attributes()?;
        let mut variables = Vec::new();
        for _ in 0..self.list(Self::VARIABLES)? {
            variables.push(self.variable(&dimensions)?);
        }
        // All ones: the writer did not know.
        let is_streamed = records == u64::MAX >> (64 - 8 * self.count);
        length_of(&variables, records, is_streamed).map(|least| least.max(self.at)).ok_or(Untold::Unknown)
    }

    fn number(&mut self, width: usize) -> Result<u64, Untold> {
        let value = big_endian(self.head, self.at, width)?;
        self.at += width as u64;
        Ok(value)
    }

    /// Goes over so many bytes and their fill.
    fn skip(&mut self, bytes: u64) -> Result<(), Untold> {
        self.at = padded(bytes).and_then(|bytes| self.at.checked_add(bytes)).ok_or(Untold::Unknown)?;
        Ok(())
    }

    /// How many elements a list has.
    fn list(&mut self, tag: u64) -> Result<u64, Untold> {
        match (self.number(4)?, self.number(self.count)?) {
            (0, 0) => Ok(0),
            (found, count) if found == tag => Ok(count),
            _ => Err(Untold::Unknown),
        }
    }

    fn name(&mut self) -> Result<(), Untold> {
        let length = self.number(self.count)?;
        self.skip(length)
    }

    /// The bytes of a value of the type that comes next.
    fn width(&mut self) -> Result<u64, Untold> {
        match self.number(4)? {
            1 | 2 | 7 => Ok(1),
            3 | 8 => Ok(2),
            4 | 5 | 9 => Ok(4),
            6 | 10 | 11 => Ok(8),
            _ => Err(Untold::Unknown),
        }
    }

    fn attributes(&mut self) -> Result<(), Untold> {
        for _ in 0..self.list(Self::ATTRIBUTES)? {
            self.name()?;
            let (width, values) = (self.width()?, self.number(self.count)?);
            self.skip(width.checked_mul(values).ok_or(Untold::Unknown)?)?;
        }
        Ok(())
    }

    fn variable(&mut self, dimensions: &[u64]) -> Result<NetcdfVariable, Untold> {
        self.name()?;
        let (mut values, mut has_records) = (1_u64, false);
        for nth in 0..self.number(self.count)? {
            let id = usize::try_from(self.number(self.count)?).map_err(|_| Untold::Unknown)?;
            match dimensions.get(id) {
                // The dimension that grows, which can only be the first.
                Some(0) if nth == 0 => has_records = true,
                Some(length) => values = values.checked_mul(*length).ok_or(Untold::Unknown)?,
                None => return Err(Untold::Unknown),
            }
        }
        self.attributes()?;
        let bytes = self.width()?.checked_mul(values).ok_or(Untold::Unknown)?;
        // The size as it stands there says no more, and less of a large one.
        self.number(self.count)?;
        Ok(NetcdfVariable { begin: self.number(self.offset)?, bytes, has_records })
    }
}

/// Where the last value of all variables ends. Not the fill behind it, which a writer may leave out.
fn length_of(variables: &[NetcdfVariable], records: u64, is_streamed: bool) -> Option<u64> {
    let with_records = || variables.iter().filter(|variable| variable.has_records);
    // The records of one variable alone have no fill between them.
    let record: u64 = match with_records().count() {
        1 => with_records().map(|variable| variable.bytes).sum(),
        _ => with_records().try_fold(0_u64, |sum, variable| sum.checked_add(padded(variable.bytes)?))?,
    };
    let mut least = 0;
    for NetcdfVariable { begin, bytes, has_records } in variables {
        let before = match (has_records, records.checked_sub(1)) {
            (false, _) => 0,
            (true, Some(before)) if !is_streamed => before.checked_mul(record)?,
            (true, _) => continue,
        };
        if *bytes > 0 {
            least = least.max(begin.checked_add(before)?.checked_add(*bytes)?);
        }
    }
    Some(least)
}

fn padded(bytes: u64) -> Option<u64> {
    bytes.checked_next_multiple_of(4)
}

fn field(head: &[u8], at: u64, width: usize) -> Result<&[u8], Untold> {
    if !(1..=8).contains(&width) {
        return Err(Untold::Unknown);
    }
    let until = at.saturating_add(width as u64);
    let range = usize::try_from(at).ok().zip(usize::try_from(until).ok());
    range.and_then(|(at, until)| head.get(at..until)).ok_or(Untold::Until(until))
}

fn big_endian(head: &[u8], at: u64, width: usize) -> Result<u64, Untold> {
    Ok(field(head, at, width)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

fn little_endian(head: &[u8], at: u64, width: usize) -> Result<u64, Untold> {
    Ok(field(head, at, width)?.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HDF5: &[u8] = b"\x89HDF\r\n\x1a\n";

    fn head(fields: &[(usize, &[u8])]) -> Vec<u8> {
        let mut head = vec![0; 512];
        for (at, bytes) in fields {
            head[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        head
    }

    fn least(head: &[u8]) -> Option<u64> {
        stated(head).and_then(|(_, stated)| stated.ok())
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
        assert_eq!((least(&three(3)), least(&three(15))), (Some(70_000), Some(70_016)));
        let two = head(&[
            (0, b"\xcd\xf2\x60\x02\x00\x00\xff\xff"),
            (16, &312_u32.to_be_bytes()),
            (32, &3_u32.to_be_bytes()),
            (332, &9000_u32.to_be_bytes()),
        ]);
        assert_eq!(least(&two), Some(9000));
        let packed = head(&[(0, b"\xcd\xf3\x00\x01\xcc\xcc\x00\x01"), (20, &4975_u64.to_be_bytes())]);
        assert_eq!(least(&packed), Some(4999));
        let far = head(&[(0, b"\xcd\xf3\x00\x01\x00\x00\xff\xff"), (20, &70_000_u64.to_be_bytes())]);
        assert_eq!(objection(&far, 80_000), None, "its descriptor stands elsewhere");
        assert!(objection(&far, 70_000).is_some(), "its descriptor is not there");
    }

    #[test]
    fn hdf5_states_its_end_in_its_superblock() {
        let none = [0xff; 8];
        let zero = head(&[(0, HDF5), (13, &[8, 8]), (32, &none), (40, &2048_u64.to_le_bytes())]);
        let one = head(&[(0, HDF5), (8, &[1]), (13, &[8, 8]), (36, &none), (44, &2048_u64.to_le_bytes())]);
        let at_512 = |base: u64| {
            let superblock = [(0, HDF5), (8, &[2, 8, 8]), (12, &base.to_le_bytes()), (28, &4096_u64.to_le_bytes())];
            [vec![0; 512], head(&superblock)].concat()
        };
        let (behind, archived) = (at_512(512), at_512(0));
        assert!(objection(&behind, 4095).is_some() && objection(&behind, 4096).is_none());
        assert!(objection(&archived, 4095).is_none());
        let two = head(&[(0, HDF5), (8, &[2, 8, 8]), (20, &none), (28, &4096_u64.to_le_bytes())]);
        assert_eq!([zero, one, two].map(|head| least(&head)), [Some(2048), Some(2048), Some(4096)]);
        for strange in [&head(&[(0, HDF5), (8, &[9])])[..], &head(&[(0, HDF5), (13, &[200])]), b""] {
            assert_eq!(objection(strange, 512), None);
        }
    }

    #[test]
    fn a_file_that_ends_before_it_states_its_length_is_cut() {
        let hdf5 = head(&[(0, HDF5), (13, &[8, 8]), (40, &512_u64.to_le_bytes())]);
        let cdf = head(&[
            (0, b"\xcd\xf3\x00\x01\x00\x00\xff\xff"),
            (20, &320_u64.to_be_bytes()),
            (356, &512_u64.to_be_bytes()),
        ]);
        for whole in [hdf5, cdf] {
            for length in 8..whole.len() {
                assert!(objection(&whole[..length], length as u64).is_some(), "{length}");
            }
            assert_eq!(objection(&whole, whole.len() as u64), None);
        }
    }

    /// A netCDF file with the variables `a` (three shorts) and, where there are records, `r` and `s`.
    fn netcdf(version: u8, records: u64, has_two: bool) -> Vec<u8> {
        let wide =
            |value: u64| if version == 5 { value.to_be_bytes().to_vec() } else { value.to_be_bytes()[4..].to_vec() };
        let offset =
            |value: u64| if version == 1 { value.to_be_bytes()[4..].to_vec() } else { value.to_be_bytes().to_vec() };
        let name = |name: &str| [wide(1), name.as_bytes().to_vec(), vec![0; 3]].concat();
        let tag = |tag: u32, count: u64| [tag.to_be_bytes().to_vec(), wide(count)].concat();
        let kind = |kind: u32| kind.to_be_bytes().to_vec();
        let header = |[a, r, s]: [u64; 3]| {
            let mut parts = vec![b"CDF".to_vec(), vec![version], wide(records)];
            parts.extend([tag(10, 2), name("t"), wide(0), name("x"), wide(3)]);
            parts.extend([tag(12, 1), name("u"), kind(2), wide(5), b"hours\0\0\0".to_vec()]);
            parts.extend([tag(11, if has_two { 3 } else { 2 })]);
            parts.extend([name("a"), wide(1), wide(1), tag(0, 0), kind(3), wide(8), offset(a)]);
            parts.extend([name("r"), wide(2), wide(0), wide(1), tag(0, 0), kind(3), wide(8), offset(r)]);
            if has_two {
                parts.extend([name("s"), wide(1), wide(0), tag(0, 0), kind(6), wide(8), offset(s)]);
            }
            parts.concat()
        };
        let end = header([0; 3]).len() as u64;
        header([end, end + 8, end + 16])
    }

    #[test]
    fn netcdf_states_the_place_and_the_shape_of_each_variable() {
        for version in [1, 2, 5] {
            for (records, has_two, data) in [
                // `a` has 6 bytes and fill, a record of `r` has 6, and one of `s` has 8.
                (0, false, 6),
                (1, false, 8 + 6),
                (4, false, 8 + 3 * 6 + 6),
                (0, true, 6),
                (1, true, 8 + 8 + 8),
                (4, true, 8 + 3 * 16 + 8 + 8),
            ] {
                let header = netcdf(version, records, has_two);
                let whole = header.len() as u64 + data;
                assert_eq!(least(&header), Some(whole), "version {version}, {records} records");
                assert!(objection(&header, whole - 1).is_some() && objection(&header, whole).is_none());
                for length in 4..header.len() {
                    assert!(objection(&header[..length], length as u64).is_some(), "cut at byte {length}");
                }
            }
            let streamed = netcdf(version, u64::MAX, false);
            assert_eq!(least(&streamed), Some(streamed.len() as u64 + 6), "how many records is not said");
        }
        assert_eq!(objection(b"CDF\x01\0\0\0\0\0\0\0\x63\0\0\0\x01", 16), None, "a tag that is not known");
        assert_eq!(objection(b"CDF,1,2,3\n", 10), None);
        assert_eq!((enough(b"CDF\x01"), enough(b"CDF,"), enough(b"CD")), (NETCDF_HEADER, magic::ENOUGH, magic::ENOUGH));
    }
}
