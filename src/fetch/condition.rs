//! Whether a file that is there has changed upstream: what to ask, and which answers say no (RFC 9110, 13.1).
//!
//! What it does not do: judge by size or time on disk. Where no answer gave a validator, there is nothing to ask by.

use http::header::{ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::archive::FileLine;
use crate::net::Response;

/// True when there is a validator to ask by.
#[must_use]
pub fn can_be_asked(line: &FileLine) -> bool {
    !headers(line).is_empty()
}

/// The headers that ask for the file only if it changed. A weak `ETag` does here; the date goes along, for services
/// that know no tags.
pub(super) fn headers(line: &FileLine) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(2);
    let mut add = |name: HeaderName, value: Option<&str>| {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(name, value);
        }
    };
    add(IF_NONE_MATCH, line.etag.as_deref().filter(|etag| opaque(etag).is_some()));
    add(IF_MODIFIED_SINCE, line.last_modified.as_deref().filter(|date| httpdate::parse_http_date(date).is_ok()));
    headers
}

/// True when the answer says that the file is what it was: a 304, or, from a service that asks no conditions, the
/// validators of before with a 200. A 304 with another validator than the one asked by contradicts itself.
pub(super) fn is_unchanged(line: &FileLine, response: &Response) -> bool {
    let text = |name| response.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let tags = (text(ETAG).and_then(opaque), line.etag.as_deref().and_then(opaque));
    let dates = (text(LAST_MODIFIED), line.last_modified.as_deref());
    match response.status {
        StatusCode::NOT_MODIFIED => match (tags, dates) {
            ((Some(now), Some(before)), _) | (_, (Some(now), Some(before))) => now == before,
            _ => true,
        },
        StatusCode::OK => {
            let is_as_long = response.content_length().is_none_or(|length| Some(length) == line.bytes);
            is_as_long
                && match tags {
                    (Some(now), Some(before)) => now == before,
                    (None, None) => dates.0.is_some() && dates.0 == dates.1,
                    _ => false,
                }
        }
        _ => false,
    }
}

/// What stands between the quotes of an entity tag, weak or strong; `None` for what is none.
fn opaque(etag: &str) -> Option<&str> {
    etag.strip_prefix("W/").unwrap_or(etag).strip_prefix('"')?.strip_suffix('"').filter(|tag| !tag.contains('"'))
}
