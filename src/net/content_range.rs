//! Content-Range (RFC 9110, 14.4): which bytes of a representation an answer carries.

use http::HeaderMap;
use http::header::CONTENT_RANGE;

/// A Content-Range of the unit `bytes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentRange {
    /// `bytes START-END/TOTAL`, both ends included; the total may be unknown.
    Bytes {
        /// The first byte's place.
        start: u64,
        /// The last byte's place.
        end: u64,
        /// The whole length.
        total: Option<u64>,
    },
    /// `bytes */TOTAL`: the range asked for lies outside.
    Unsatisfied {
        /// The whole length.
        total: u64,
    },
}

impl ContentRange {
    /// Reads the header's value; `None` when it is none, or contradicts itself.
    #[must_use]
    pub fn parse(header: &str) -> Option<ContentRange> {
        let (unit, rest) = header.trim().split_once(' ')?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (range, total) = rest.trim().split_once('/')?;
        if range == "*" {
            return Some(ContentRange::Unsatisfied { total: number(total)? });
        }
        let (start, end) = range.split_once('-')?;
        let (start, end) = (number(start)?, number(end)?);
        let total = if total == "*" { None } else { Some(number(total)?) };
        (start <= end && total.is_none_or(|t| end < t)).then_some(ContentRange::Bytes { start, end, total })
    }

    /// Reads the header of an answer; `None` when there is none, more than one, or one that contradicts itself.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Option<ContentRange> {
        let mut values = headers.get_all(CONTENT_RANGE).iter();
        let value = values.next()?;
        values.next().is_none().then(|| ContentRange::parse(value.to_str().ok()?))?
    }

    /// The total, where the range is all of it.
    #[must_use]
    pub fn whole(self) -> Option<u64> {
        match self {
            ContentRange::Bytes { start: 0, end, total: Some(total) } if end + 1 == total => Some(total),
            _ => None,
        }
    }
}

/// Digits only: `parse` alone would take a sign.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_forms_of_the_standard() {
        assert_eq!(
            ContentRange::parse("bytes 10-19/100"),
            Some(ContentRange::Bytes { start: 10, end: 19, total: Some(100) })
        );
        assert_eq!(ContentRange::parse("bytes 0-0/*"), Some(ContentRange::Bytes { start: 0, end: 0, total: None }));
        assert_eq!(ContentRange::parse("bytes */100"), Some(ContentRange::Unsatisfied { total: 100 }));
    }

    #[test]
    fn only_a_range_of_all_bytes_is_whole() {
        for (text, whole) in [
            ("bytes 0-99/100", Some(100)),
            ("bytes 0-98/100", None),
            ("bytes 1-99/100", None),
            ("bytes 0-99/*", None),
            ("bytes */100", None),
        ] {
            assert_eq!(ContentRange::parse(text).and_then(ContentRange::whole), whole, "{text}");
        }
    }

    #[test]
    fn two_headers_are_none() {
        let mut headers = HeaderMap::new();
        assert_eq!(ContentRange::from_headers(&headers), None);
        headers.append(CONTENT_RANGE, "bytes 0-9/10".parse().unwrap());
        assert!(ContentRange::from_headers(&headers).is_some());
        headers.append(CONTENT_RANGE, "bytes 0-9/10".parse().unwrap());
        assert_eq!(ContentRange::from_headers(&headers), None);
    }

    #[test]
    fn refuses_what_contradicts_itself() {
        for text in [
            "",
            "bytes",
            "bytes 5-4/10",
            "bytes 0-10/10",
            "bytes -1-2/10",
            "bytes 0-1",
            "items 0-1/2",
            "bytes */*",
            "bytes +0-1/2",
            "bytes 0-99999999999999999999/100000000000000000000",
        ] {
            assert_eq!(ContentRange::parse(text), None, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_read_is_in_order(text in ".*|(bytes|BYTES) +[0-9*]{1,21}[-/][0-9*]{0,21}/?[0-9*]{0,21}") {
            if let Some(ContentRange::Bytes { start, end, total }) = ContentRange::parse(&text) {
                proptest::prop_assert!(start <= end && total.is_none_or(|total| end < total), "{text:?}");
            }
        }

        #[test]
        fn what_is_written_in_order_reads_back(start in 0u64.., more in 0u64.., behind in proptest::option::of(0u64..)) {
            let end = start.saturating_add(more);
            let total = behind.map(|behind| end.saturating_add(behind).saturating_add(1)).filter(|total| *total > end);
            let written = total.map_or_else(|| "*".to_owned(), |total| total.to_string());
            let read = ContentRange::parse(&format!("bytes {start}-{end}/{written}"));
            proptest::prop_assert_eq!(read, Some(ContentRange::Bytes { start, end, total }));
        }
    }
}
