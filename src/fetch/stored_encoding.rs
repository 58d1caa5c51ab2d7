//! Content-Encoding on files that are stored compressed. Apache's `AddEncoding` sends a stored `.fits.gz` with
//! `Content-Encoding: x-gzip` whatever the request accepts; the bytes are those of the file all the same.
//!
//! What it does not do: decompress.

use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use super::magic::{self, extension};

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
    StoredEncoding { names: &["gzip", "x-gzip"], endings: &["gz", "tgz", "taz", "svgz"], magic: magic::GZIP },
    StoredEncoding { names: &["compress", "x-compress"], endings: &["z", "taz"], magic: b"\x1f\x9d" },
    StoredEncoding {
        names: &["bzip2", "x-bzip2", "bzip", "x-bzip", "x-bz2"],
        endings: &["bz2", "tbz", "tbz2"],
        magic: b"BZh",
    },
    StoredEncoding { names: &["xz", "x-xz"], endings: &["xz", "txz"], magic: magic::XZ },
    StoredEncoding { names: &["zstd", "x-zstd"], endings: &["zst", "tzst"], magic: b"\x28\xb5\x2f\xfd" },
];

/// Codings that are compression and that no file is stored in by its name.
const OTHERS: [&str; 9] = ["br", "deflate", "dcb", "dcz", "exi", "pack200-gzip", "lzma", "lz4", "snappy"];

/// True when the Content-Encoding among these headers is that of a file stored under this name, or no compression at all,
/// such as `aws-chunked` and `utf-8`.
pub(super) fn is_of(name: &str, headers: &HeaderMap) -> bool {
    let values = headers.get_all(CONTENT_ENCODING).iter().map(|value| value.to_str().ok());
    let Some(values) = values.collect::<Option<Vec<&str>>>() else { return false };
    let compressions: Vec<&str> = values.into_iter().flat_map(compressions).collect();
    match compressions[..] {
        [] => true,
        [one] => by_name(one).is_some_and(|encoding| encoding.is_of(name)),
        _ => false,
    }
}

/// True when a body with these first bytes is what its Content-Encoding says of a file of this name.
pub(super) fn agrees(name: &str, content_encoding: &str, head: &[u8]) -> bool {
    let compressions: Vec<&str> = compressions(content_encoding).collect();
    match compressions[..] {
        // The word may stand for a compression that is not known here.
        [] => {
            let found = ENCODINGS.iter().find(|encoding| head.starts_with(encoding.magic));
            is_identity(content_encoding) || found.is_none_or(|encoding| encoding.is_of(name))
        }
        [one] => by_name(one).is_some_and(|encoding| head.starts_with(encoding.magic)),
        _ => false,
    }
}

impl StoredEncoding {
    fn is_of(&self, name: &str) -> bool {
        self.endings.contains(&extension(name).as_str())
    }
}

/// The codings in a value of the header that are compression.
fn compressions(value: &str) -> impl Iterator<Item = &str> {
    let is_compression =
        |coding: &&str| by_name(coding).is_some() || OTHERS.iter().any(|other| coding.eq_ignore_ascii_case(other));
    value.split(',').map(str::trim).filter(is_compression)
}

fn is_identity(value: &str) -> bool {
    value.trim().eq_ignore_ascii_case("identity")
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
            ("a.fits.gz", &["identity, gzip"], true),
            ("a.fits.gz", &["aws-chunked,gzip"], true),
            ("a.fits", &["aws-chunked,gzip"], false),
            ("a.fits", &["aws-chunked"], true),
            ("a.csv", &["UTF-8"], true),
            ("a.csv", &["binary"], true),
            ("a.csv", &["none"], true),
            ("a.csv", &[""], true),
            ("a.csv", &["deflate"], false),
            ("a.csv", &["br"], false),
            ("a.csv", &["none", "dcz"], false),
            ("a.fits.gz", &[], true),
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
        for (name, encoding, head, expected) in [
            ("a.gz", "x-gzip", &b"\x1f\x8b\x08"[..], true),
            ("a.Z", "compress", b"\x1f\x9d\x90", true),
            ("a.gz", "aws-chunked,gzip", b"\x1f\x8b\x08", true),
            ("a.csv", "identity", b"x", true),
            ("a.csv", "UTF-8", b"x", true),
            ("a.csv", "", b"x", true),
            ("a.fits", "aws-chunked", b"SIMPLE", true),
            ("a.gz", "aws-chunked", b"\x1f\x8b\x08", true),
            ("a.csv", "aws-chunked", b"\x1f\x8b\x08", false),
            ("a.csv", "binary", b"\x28\xb5\x2f\xfd", false),
            ("a.gz", "gzip", b"SIMPLE", false),
            ("a.gz", "gzip", b"", false),
            ("a.gz", "br", b"\x1f\x8b", false),
        ] {
            assert_eq!(agrees(name, encoding, head), expected, "{name} {encoding} {head:?}");
        }
    }
}
