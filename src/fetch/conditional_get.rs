//! Whether a file that is there has changed upstream: what to ask, and which answers say no (RFC 9110, 13.1).
//!
//! What it does not do: judge by size or time on disk. Where no answer gave a validator, there is nothing to ask by.

use http::header::{ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::Verified;
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

/// What an answer says of the file that is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// It is what it was: a 304, or, from a service that asks no conditions, the validators of before with a 200.
    Unchanged,
    /// Another one comes.
    Changed,
    /// It cannot be right. Asked again without a condition, the service may say something else.
    Contradicts(&'static str),
}

/// What an answer says of the file that is here.
pub(super) fn word(line: &FileLine, response: &Response) -> Word {
    word_of(line, response.status, &response.headers, response.content_length())
}

fn word_of(line: &FileLine, status: StatusCode, headers: &HeaderMap, length: Option<u64>) -> Word {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let is_same = |now: Option<&str>, before: Option<&str>| now.zip(before).map(|(now, before)| now == before);
    let tag = is_same(text(ETAG).and_then(opaque), line.etag.as_deref().and_then(opaque));
    let date = is_same(text(LAST_MODIFIED), line.last_modified.as_deref());
    let has_no_tag = text(ETAG).is_none() && line.etag.is_none();
    let is_as_long = length.is_none_or(|length| Some(length) == line.bytes);
    match status {
        StatusCode::NOT_MODIFIED if tag.or(date) == Some(false) => {
            Word::Contradicts("a 304 with other validators than those that were asked by")
        }
        StatusCode::NOT_MODIFIED => Word::Unchanged,
        StatusCode::OK if tag == Some(true) || (has_no_tag && date == Some(true)) => {
            let is_weak = tag == Some(true) && !is_same_strong_tag(line, text(ETAG));
            match (is_as_long, is_weak) {
                (true, _) => Word::Unchanged,
                // Two files may be alike enough for a service to call them one (RFC 9110, 8.8.1).
                (false, true) => Word::Changed,
                (false, false) => Word::Contradicts("another length under the validators of before"),
            }
        }
        _ => Word::Changed,
    }
}

/// Why a body that came in full cannot be another version of the file that is here: a strong `ETag` is that of one
/// sequence of bytes. A date is not as sure: a file may be written twice within its second.
pub(super) fn objection(line: &FileLine, etag: Option<&str>, body: &Verified) -> Option<String> {
    let is_same_body = line.sha256 == Some(body.sha256) || line.sha256.is_none();
    if is_same_body || !is_same_strong_tag(line, etag) {
        return None;
    }
    let here = line.bytes.map_or_else(|| "other".to_owned(), |bytes| format!("{bytes} other"));
    Some(format!(
        "{} bytes arrived with the same strong ETag as the {here} bytes that are here, so one of the two is wrong; the file here \
         is kept. Hint: if upstream is right, move the file away, and run again",
        body.bytes
    ))
}

/// True when an answer has the very `ETag` that the file here came with, and a strong one.
fn is_same_strong_tag(line: &FileLine, etag: Option<&str>) -> bool {
    etag.is_some_and(|etag| opaque(etag).is_some() && !etag.starts_with("W/")) && etag == line.etag.as_deref()
}

/// What stands between the quotes of an entity tag, weak or strong; `None` for what is none.
fn opaque(etag: &str) -> Option<&str> {
    etag.strip_prefix("W/").unwrap_or(etag).strip_prefix('"')?.strip_suffix('"').filter(|tag| !tag.contains('"'))
}
