//! The Range header of a request, for one range of bytes.
//!
//! What it does not do: multipart answers. Several ranges, other units and malformed ones mean the whole file, as
//! RFC 9110 §14.2 allows.

use std::ops::Range;

/// What part of a file is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RequestedRange {
    /// All of it.
    Whole,
    /// These bytes, at least one, all within the file.
    Part(Range<u64>),
    /// Bytes that the file does not have.
    Beyond,
}

/// Reads a Range header for a file of `length` bytes.
pub(super) fn wanted(header: &str, length: u64) -> RequestedRange {
    let Some((unit, set)) = header.split_once('=') else {
        return RequestedRange::Whole;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") || set.contains(',') {
        return RequestedRange::Whole;
    }
    let Some((first, last)) = set.trim().split_once('-') else {
        return RequestedRange::Whole;
    };
    if !first.bytes().chain(last.bytes()).all(|byte| byte.is_ascii_digit()) {
        return RequestedRange::Whole;
    }
    match (first, last) {
        ("", "") => RequestedRange::Whole,
        ("", suffix) => match number(suffix).min(length) {
            0 => RequestedRange::Beyond,
            suffix => RequestedRange::Part(length - suffix..length),
        },
        (first, "") if number(first) < length => RequestedRange::Part(number(first)..length),
        (_, "") => RequestedRange::Beyond,
        (first, last) if number(last) < number(first) => RequestedRange::Whole,
        (first, _) if number(first) >= length => RequestedRange::Beyond,
        (first, last) => RequestedRange::Part(number(first)..number(last).saturating_add(1).min(length)),
    }
}

/// The number that digits say; one beyond `u64` is as good as its end.
fn number(digits: &str) -> u64 {
    digits.parse().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_cut_to_the_file() {
        for (header, expected) in [
            ("bytes=0-0", RequestedRange::Part(0..1)),
            ("bytes=10-", RequestedRange::Part(10..100)),
            ("bytes=10-5000", RequestedRange::Part(10..100)),
            ("bytes=10-99999999999999999999999", RequestedRange::Part(10..100)),
            ("bytes=-7", RequestedRange::Part(93..100)),
            ("bytes=-700", RequestedRange::Part(0..100)),
            ("Bytes = 1-2", RequestedRange::Part(1..3)),
        ] {
            assert_eq!(wanted(header, 100), expected, "{header}");
        }
    }

    #[test]
    fn what_the_file_does_not_have_is_beyond_it() {
        for header in ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=99999999999999999999-"] {
            assert_eq!(wanted(header, 100), RequestedRange::Beyond, "{header}");
        }
        assert_eq!(wanted("bytes=-5", 0), RequestedRange::Beyond);
        assert_eq!(wanted("bytes=0-", 0), RequestedRange::Beyond);
    }

    #[test]
    fn what_is_no_single_range_means_the_whole() {
        for header in ["bytes=0-1,5-6", "lines=0-1", "bytes=5-2", "bytes=a-b", "bytes=+1-2", "bytes=-", "bytes", ""] {
            assert_eq!(wanted(header, 100), RequestedRange::Whole, "{header}");
        }
    }
}
