//! Whether the headers of an answer fit what was asked for, and each other.

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::body::is_chunked;
use super::content_range::ContentRange;

/// Headers larger than this, names and values together, are taken for an attack.
const HEADERS: usize = 256 * 1024;

/// Decides whether the Content-Encoding among these headers is that of the file as the server stores it.
pub type IsStored<'a> = &'a (dyn Fn(&HeaderMap) -> bool + Sync);

/// Which answers a request allows besides a 200 with the bytes as they are.
#[derive(Clone, Copy)]
pub(super) struct ExpectedResponse<'a> {
    /// 206 and 416.
    pub(super) a_range: bool,
    /// 304.
    pub(super) a_condition: bool,
    pub(super) is_stored: IsStored<'a>,
}

/// Why an answer is not taken for what its status says. The framing and the encoding of a body count only where the body is
/// wanted: a 404 is one whatever its error page comes in.
pub(super) fn objection(status: StatusCode, headers: &HeaderMap, asked: ExpectedResponse<'_>) -> Option<&'static str> {
    let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    match status {
        _ if size > HEADERS => Some("the answer's headers are larger than 256 KiB"),
        StatusCode::OK if is_slice(headers) => {
            Some("200 with a Content-Range: a part, where the whole file was requested")
        }
        StatusCode::OK if is_of_several_ranges(headers) => Some(
            "200 with `multipart/byteranges`: several parts with headers between them, where the whole file was requested",
        ),
        StatusCode::PARTIAL_CONTENT if !asked.a_range => Some("206, although no range was requested"),
        StatusCode::NOT_MODIFIED if !asked.a_condition => Some("304 though no condition was asked"),
        StatusCode::OK | StatusCode::PARTIAL_CONTENT => body_objection(headers, asked.is_stored),
        _ => None,
    }
}

/// What is wrong with the encoding or the framing of a body.
fn body_objection(headers: &HeaderMap, is_stored: IsStored<'_>) -> Option<&'static str> {
    let is_identity = |encoding: &HeaderValue| encoding.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(CONTENT_ENCODING).iter().all(is_identity) && !is_stored(headers) {
        return Some("the body arrived compressed, although no compression was requested");
    }
    if headers.contains_key(TRANSFER_ENCODING) {
        if headers.contains_key(CONTENT_LENGTH) {
            return Some("the answer gives a length and is chunked as well");
        }
        if !is_chunked(headers) {
            return Some("a Transfer-Encoding other than `chunked`, which was not requested");
        }
    }
    None
}

/// True for headers with a body that can be read as it comes.
pub(super) fn has_plain_body(headers: &HeaderMap) -> bool {
    body_objection(headers, &|_| false).is_none()
}

/// True for headers with a Content-Range that is not the whole, or that contradicts the length. RFC 9110 gives the header no
/// meaning in a 200, but servers are known to send a part so, and a part must not pass for the whole.
fn is_slice(headers: &HeaderMap) -> bool {
    let length = || headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok());
    let whole = || ContentRange::from_headers(headers).and_then(ContentRange::whole);
    headers.contains_key(CONTENT_RANGE)
        && whole().is_none_or(|whole| headers.contains_key(CONTENT_LENGTH) && length() != Some(whole))
}

/// True for a body that is made of ranges of a file and of headers between them (RFC 9110, 14.6).
fn is_of_several_ranges(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_TYPE).iter().any(|value| {
        let value = value.as_bytes().trim_ascii().to_ascii_lowercase();
        // The second form is what servers sent before HTTP/1.1, and some still do.
        value.starts_with(b"multipart/byteranges") || value.starts_with(b"multipart/x-byteranges")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn b_08_chunks_alone_are_a_framing() {
        let objection = |values: &[&'static str]| {
            let lines: Vec<_> = values.iter().map(|value| ("transfer-encoding", *value)).collect();
            body_objection(&headers(&lines), &|_| false)
        };
        assert_eq!(objection(&[]), None);
        assert_eq!(objection(&["chunked"]), None);
        assert_eq!(objection(&[" Chunked "]), None);
        for other in [
            &["gzip, chunked"][..],
            &["chunked, gzip"],
            &["gzip", "chunked"],
            &["chunked", "chunked"],
            &["chunked, chunked"],
            &["identity"],
            &["identity, chunked"],
            &["x"],
            &[""],
            &["chunked;q=1"],
        ] {
            assert!(objection(other).is_some(), "{other:?}");
        }
        assert!(
            body_objection(&headers(&[("transfer-encoding", "chunked"), ("content-length", "1")]), &|_| false)
                .is_some()
        );
    }

    #[test]
    fn b_10_an_encoding_is_refused_unless_the_file_is_stored_so() {
        for (lines, is_fine) in [
            (&[][..], true),
            (&[("content-encoding", "identity")], true),
            (&[("content-encoding", "gzip")], false),
            (&[("content-encoding", "identity"), ("content-encoding", "gzip")], false),
            (&[("content-encoding", "")], false),
        ] {
            assert_eq!(body_objection(&headers(lines), &|_| false).is_none(), is_fine, "{lines:?}");
            assert_eq!(body_objection(&headers(lines), &|_| true), None, "{lines:?}");
        }
    }

    #[test]
    fn the_status_goes_before_the_encoding_and_the_framing_of_a_body_that_is_not_wanted() {
        let objects = |status: u16, lines: &[(&'static str, &'static str)], a_range, a_condition| {
            let asked = ExpectedResponse { a_range, a_condition, is_stored: &|_| false };
            objection(StatusCode::from_u16(status).unwrap(), &headers(lines), asked).is_some()
        };
        for lines in [
            &[("content-encoding", "gzip")][..],
            &[("content-encoding", "br"), ("content-length", "9")],
            &[("transfer-encoding", "gzip, chunked")],
            &[("transfer-encoding", "chunked"), ("content-length", "9")],
        ] {
            for status in [200, 206] {
                assert!(objects(status, lines, true, true), "{status} {lines:?}");
            }
            for status in [304, 400, 401, 403, 404, 410, 416, 429, 500, 503] {
                assert!(!objects(status, lines, true, true), "{status} {lines:?}");
            }
        }
        assert!(objects(206, &[], false, true) && objects(304, &[], true, false));
        assert!(!objects(206, &[], true, false) && !objects(304, &[], false, true));
    }

    #[test]
    fn a_body_of_several_ranges_is_never_a_file() {
        let asked = ExpectedResponse { a_range: true, a_condition: true, is_stored: &|_| false };
        for (value, is_refused) in [
            ("multipart/byteranges; boundary=X", true),
            ("Multipart/ByteRanges;boundary=X", true),
            ("multipart/byteranges", true),
            ("multipart/x-byteranges; boundary=X", true),
            // A file that a mail program made may well be of this type.
            ("multipart/mixed; boundary=X", false),
            ("application/octet-stream", false),
        ] {
            let objection = objection(StatusCode::OK, &headers(&[("content-type", value)]), asked);
            assert_eq!(objection.is_some(), is_refused, "{value}");
        }
    }

    #[test]
    fn a_200_with_a_content_range_is_a_slice_unless_it_is_all() {
        for (lines, expected) in [
            (&[][..], false),
            (&[("content-range", "bytes 0-9/10")], false),
            (&[("content-range", "bytes 0-9/10"), ("content-length", "10")], false),
            (&[("content-range", "bytes 0-9/10"), ("content-length", "9")], true),
            (&[("content-range", "bytes 1-9/10"), ("content-length", "9")], true),
            (&[("content-range", "bytes 0-8/10"), ("content-length", "9")], true),
            (&[("content-range", "bytes 0-9/*"), ("content-length", "10")], true),
            (&[("content-range", "bytes */10"), ("content-length", "10")], true),
            (&[("content-range", "items 0-9/10"), ("content-length", "10")], true),
            (&[("content-range", ""), ("content-length", "10")], true),
            (&[("content-range", "bytes 0-9/10"), ("content-range", "bytes 0-9/10")], true),
        ] {
            assert_eq!(is_slice(&headers(lines)), expected, "{lines:?}");
        }
    }
}
