//! First bytes: what a file of a known type begins with.

/// What a gzip stream begins with.
pub(super) const GZIP: &[u8] = b"\x1f\x8b";

/// What a FITS file begins with, up to the sign of equality.
pub(super) const FITS: &[u8] = b"SIMPLE  =";

/// What an xz stream begins with.
pub(super) const XZ: &[u8] = b"\xfd7zXZ\0";

const HDF5: &[u8] = b"\x89HDF\r\n\x1a\n";

/// What a ZIP archive begins with: a member, the end of an empty one, or the mark of one that was not split after all
/// (APPNOTE 6.3, 8.5.4).
const ZIP: [&[u8]; 4] = [b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08PK\x03\x04", b"PK00PK\x03\x04"];

/// What a program begins with that may unpack an archive behind it (APPNOTE 6.3, 4.1.9): of Windows, of Unix, and a script.
const PROGRAMS: [&[u8]; 3] = [b"MZ", b"\x7fELF", b"#!"];

/// Extensions and the bytes that such a file may begin with.
const KNOWN: [(&str, &[&[u8]]); 18] = [
    ("gz", &[GZIP]),
    ("tgz", &[GZIP]),
    ("z", &[b"\x1f\x9d", b"\x1f\x1e"]),
    // A file packed by `fpack` is FITS itself.
    ("fz", &[FITS]),
    ("cdf", &[b"\xcd\xf3\x00\x01", b"\xcd\xf2\x60\x02", b"\x00\x00\xff\xff"]),
    // IDL, and SPSS.
    ("sav", &[b"SR", b"$FL2"]),
    ("hdf", &[HDF5, b"\x0e\x03\x13\x01"]),
    ("hdf5", &[HDF5]),
    ("bz2", &[b"BZh"]),
    ("xz", &[XZ]),
    ("zst", &[b"\x28\xb5\x2f\xfd"]),
    ("png", &[b"\x89PNG\r\n\x1a\n"]),
    ("jpg", &[b"\xff\xd8\xff"]),
    ("jpeg", &[b"\xff\xd8\xff"]),
    ("jp2", &[b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"]),
    ("nc", &[b"CDF\x01", b"CDF\x02", b"CDF\x05", HDF5]),
    ("h5", &[HDF5]),
    ("pdf", &[b"%PDF-"]),
];

/// Where the signature of HDF5 may stand: behind a block of the user's own, of a power of two (III.A, "Superblock").
const HDF5_PLACES: [usize; 5] = [0, 512, 1024, 2048, 4096];

/// How many first bytes are enough to say.
pub(super) const ENOUGH: usize = 4096 + 64;

/// True for the names that FITS files have.
pub(super) fn is_fits(name: &str) -> bool {
    matches!(extension(name).as_str(), "fits" | "fts" | "fit")
}

/// True for the names that gzip streams have.
pub(super) fn is_gzip(name: &str) -> bool {
    matches!(extension(name).as_str(), "gz" | "tgz")
}

/// `Some(true)` when the first bytes are those of the name's type, `Some(false)` when not, `None` for types without any.
pub(super) fn agrees(name: &str, head: &[u8]) -> Option<bool> {
    let extension = extension(name);
    if extension == "zip" {
        return Some(is_zip(name, head));
    }
    let (_, starts) = KNOWN.iter().find(|(known, _)| *known == extension)?;
    let begins = |start: &&[u8]| head.starts_with(start) || (**start == *HDF5 && hdf5_place(head).is_some());
    Some(starts.iter().any(begins))
}

/// True for a ZIP archive, by its first bytes, or by those of a program under the name of one; then its end must prove it.
pub(super) fn is_zip(name: &str, head: &[u8]) -> bool {
    ZIP.iter().any(|start| head.starts_with(start)) || (extension(name) == "zip" && begins_as_program(head))
}

pub(super) fn begins_as_program(head: &[u8]) -> bool {
    PROGRAMS.iter().any(|start| head.starts_with(start))
}

/// Where the signature of HDF5 stands.
pub(super) fn hdf5_place(head: &[u8]) -> Option<usize> {
    HDF5_PLACES.into_iter().find(|at| head.get(*at..).is_some_and(|head| head.starts_with(HDF5)))
}

/// What stands after the last dot of a name, in lower case.
pub(super) fn extension(name: &str) -> String {
    name.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_are_held_against_the_extension() {
        assert_eq!(agrees("a.fits.gz", b"\x1f\x8b\x08"), Some(true));
        assert_eq!(agrees("a.gz", b"SIMPLE"), Some(false));
        assert_eq!(agrees("a.dat", b"x"), None);
        for (at, is_place) in [(0, true), (512, true), (1024, true), (2048, true), (4096, true), (100, false)] {
            let file = [&vec![0; at][..], HDF5, b"more"].concat();
            for name in ["a.h5", "a.hdf5", "a.nc", "a.hdf"] {
                assert_eq!(agrees(name, &file[..file.len().min(ENOUGH)]), Some(is_place), "{name} {at}");
            }
            assert_eq!(agrees("a.png", &file), Some(false));
        }
        for (head, is_archive) in
            [(&b"PK\x03\x04"[..], true), (b"PK00PK\x03\x04", true), (b"MZ\x90", true), (b"<html", false)]
        {
            assert_eq!(agrees("a.zip", head), Some(is_archive));
        }
        assert!(!is_zip("a.exe", b"MZ\x90") && is_zip("a", b"PK\x05\x06"));
        assert!(is_fits("A.FITS") && is_fits("a.fts") && !is_fits("a.fits.gz"));
    }
}
