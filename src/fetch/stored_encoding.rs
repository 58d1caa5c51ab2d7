//! Content-Encoding on files that are stored compressed. Apache's `AddEncoding` sends a stored `.fits.gz` with
//! `Content-Encoding: x-gzip` whatever the request accepts; the bytes are those of the file all the same.
//!
//! What it does not do: decompress.

use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use super::magic::extension;

/// An encoding that files are stored in.
struct StoredEncoding {
    /// Its names in the header; the `x-` forms are old and still sent.
    names: &'static [&'static str],
    /// The endings of files that are stored so.
    endings: &'static [&'static str],
    /// What such a file begins with.
    magic: &'static [u8],
}

const ENCODINGS: [StoredEncoding; 5] = [
    StoredEncoding { names: &["gzip", "x-gzip"], endings: &["gz", "tgz", "taz", "svgz"], magic: b"\x1f\x8b" },
    StoredEncoding { names: &["compress", "x-compress"], endings: &["z", "taz"], magic: b"\x1f\x9d" },
    StoredEncoding {
        names: &["bzip2", "x-bzip2", "bzip", "x-bzip", "x-bz2"],
        endings: &["bz2", "tbz", "tbz2"],
        magic: b"BZh",
    },
    StoredEncoding { names: &["xz", "x-xz"], endings: &["xz", "txz"], magic: b"\xfd7zXZ\0" },
    StoredEncoding { names: &["zstd", "x-zstd"], endings: &["zst", "tzst"], magic: b"\x28\xb5\x2f\xfd" },
];

/// True when the one Content-Encoding among these headers is that of a file stored under this name.
pub(super) fn is_of(name: &str, headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_ENCODING).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let ending = extension(name);
    value.to_str().ok().and_then(by_name).is_some_and(|encoding| encoding.endings.contains(&ending.as_str()))
}

/// True when a body with these first bytes is in the encoding with this name in the header.
pub(super) fn agrees(content_encoding: &str, head: &[u8]) -> bool {
    content_encoding.trim().eq_ignore_ascii_case("identity")
        || by_name(content_encoding).is_some_and(|encoding| head.starts_with(encoding.magic))
}

fn by_name(name: &str) -> Option<&'static StoredEncoding> {
    let name = name.trim().to_ascii_lowercase();
    ENCODINGS.iter().find(|encoding| encoding.names.contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_is_the_files_own_when_its_name_says_so() {
        for (name, encodings, expected) in [
            ("a.fits.gz", &["x-gzip"][..], true),
            ("A.FITS.GZ", &["GZIP"], true),
            ("a.tgz", &["gzip"], true),
            ("a.fits.Z", &["x-compress"], true),
            ("a.fits.bz2", &["x-bzip2"], true),
            ("a.fits", &["gzip"], false),
            ("a.fits.gz", &["br"], false),
            ("a.fits.gz", &["compress"], false),
            ("a.fits.bz2", &["gzip"], false),
            ("a.fits.gz", &["gzip, gzip"], false),
            ("a.fits.gz", &["gzip", "gzip"], false),
            ("a.fits.gz", &["identity, gzip"], false),
            ("a.fits.gz", &[], false),
            ("gz", &["gzip"], false),
        ] {
            let mut headers = HeaderMap::new();
            for encoding in encodings {
                headers.append(CONTENT_ENCODING, encoding.parse().unwrap());
            }
            assert_eq!(is_of(name, &headers), expected, "{name} {encodings:?}");
        }
    }

    #[test]
    fn the_first_bytes_must_agree_with_the_encoding() {
        assert!(agrees("x-gzip", b"\x1f\x8b\x08") && agrees("identity", b"x") && agrees("compress", b"\x1f\x9d\x90"));
        assert!(!agrees("gzip", b"SIMPLE") && !agrees("gzip", b"") && !agrees("br", b"\x1f\x8b"));
    }
}
