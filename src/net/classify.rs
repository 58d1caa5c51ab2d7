//! From a status or a transport error to a classified failure with words a person can act on.

use std::error::Error;
use std::io;
use std::time::Duration;

use http::StatusCode;
use url::Url;

use super::origin::shown;
use crate::failure::{Class, Failure, limit_hint};
use crate::untrusted::escape;

/// A failure at `url`.
pub(super) fn failure(class: Class, url: &Url, why: &str) -> Failure {
    Failure::new(class, format!("{}: {why}", shown(url)))
}

/// What an answer that is no success means. `wait` is what its `Retry-After` asks for.
pub(super) fn status(status: StatusCode, url: &Url, wait: Option<Duration>) -> Failure {
    let (class, why) = match status.as_u16() {
        429 => (Class::Throttled, "the host wants fewer requests"),
        // Some hosts refuse where they mean to slow down; only those say when to come back.
        403 | 503 if wait.is_some() => (Class::Throttled, "the host asks to come back later"),
        500..=599 => (Class::ServerError, "the server failed"),
        401 => (Class::Forbidden, "the server wants a login"),
        407 => (Class::Forbidden, "the proxy wants a login"),
        403 => (Class::Forbidden, "the server does not allow it"),
        451 => (Class::Forbidden, "withheld for legal reasons"),
        404 => (Class::NotFound, "the server does not have it"),
        410 => (Class::NotFound, "the server says the file was removed permanently"),
        400 | 422 => (Class::SourceRefused, "the server refuses the question"),
        204 | 205 => (Class::UnexpectedStatus, "the server says there is no content"),
        _ => (Class::UnexpectedStatus, "is not expected for this request"),
    };
    let when = wait.map(|wait| format!(" (in {} s)", wait.as_secs())).unwrap_or_default();
    let message = format!("{}: {}: {why}{when}", shown(url), status.as_u16());
    Failure { status: Some(status.as_u16()), retry_after: wait, ..Failure::new(class, message) }
}

/// What an error before the headers means.
pub(super) fn before_headers(error: &reqwest::Error, url: &Url) -> Failure {
    let reason = innermost(error);
    if let Some(hint) = causes(error).find_map(|cause| limit_hint(cause.downcast_ref::<io::Error>()?)) {
        return failure(Class::Storage, url, &format!("cannot connect: {reason}; hint: {hint}"));
    }
    if error.is_connect() || error.is_builder() {
        let ask = if reason.contains("InvalidContentType") {
            "does it speak https at this port, or http?"
        } else {
            "is the service running and reachable?"
        };
        let why = if error.is_timeout() { "no connection within the time allowed".into() } else { reason };
        return failure(Class::Unreachable, url, &format!("cannot connect: {why}; {ask}"));
    }
    if breaks_http(error) {
        return failure(Class::Protocol, url, &format!("the answer is no valid HTTP: {reason}"));
    }
    failure(Class::Unreachable, url, &format!("the connection ended before an answer came: {reason}"))
}

/// What an error within the body means, after `received` bytes of the `declared` ones.
pub(super) fn within_body(error: &reqwest::Error, url: &Url, received: u64, declared: Option<u64>) -> Failure {
    let reason = innermost(error);
    if breaks_http(error) {
        return failure(Class::Protocol, url, &format!("the body is no valid HTTP after {received} bytes: {reason}"));
    }
    let of = declared.map(|length| format!(" of {length}")).unwrap_or_default();
    failure(Class::Truncated, url, &format!("the body ended after {received}{of} bytes: {reason}"))
}

/// True when the peer spoke, but not HTTP.
fn breaks_http(error: &reqwest::Error) -> bool {
    causes(error).any(|cause| {
        if let Some(http) = cause.downcast_ref::<hyper::Error>() {
            return http.is_parse() || http.is_parse_status() || http.is_parse_too_large();
        }
        // A chunk's size line that is none arrives as an I/O error of these kinds.
        cause.downcast_ref::<io::Error>().is_some_and(|io| {
            matches!(io.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) && io.raw_os_error().is_none()
        })
    })
}

/// The last cause: what the layers above it only wrap. Safe to show, and free of the URL.
fn innermost(error: &reqwest::Error) -> String {
    let text = causes(error).last().map_or_else(|| "unknown reason".to_owned(), ToString::to_string);
    escape(&text).into_owned()
}

/// The causes below reqwest's own error, whose text holds the URL with all that is secret in it.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause| cause_of(*cause))
}

/// What lies below. An `io::Error` hides what it wraps from `source` and shows it as its own text instead.
fn cause_of<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        return Some(inner);
    }
    error.source()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_class() {
        let url: Url = "http://h.example/x".parse().unwrap();
        let class = |code: u16, wait| status(StatusCode::from_u16(code).unwrap(), &url, wait).class;
        let soon = Some(Duration::from_secs(1));
        for (code, wait, want) in [
            (429, None, Class::Throttled),
            (429, soon, Class::Throttled),
            (503, soon, Class::Throttled),
            (503, None, Class::ServerError),
            (500, None, Class::ServerError),
            (500, soon, Class::ServerError),
            (502, None, Class::ServerError),
            (504, None, Class::ServerError),
            (521, None, Class::ServerError),
            (401, None, Class::Forbidden),
            (403, None, Class::Forbidden),
            (403, soon, Class::Throttled),
            (407, None, Class::Forbidden),
            (451, None, Class::Forbidden),
            (404, None, Class::NotFound),
            (410, None, Class::NotFound),
            (400, None, Class::SourceRefused),
            (422, None, Class::SourceRefused),
            (204, None, Class::UnexpectedStatus),
            (205, None, Class::UnexpectedStatus),
            (304, None, Class::UnexpectedStatus),
            (418, None, Class::UnexpectedStatus),
        ] {
            assert_eq!(class(code, wait), want, "{code}");
        }
        assert_eq!(status(StatusCode::GONE, &url, None).status, Some(410));
        assert_eq!(status(StatusCode::TOO_MANY_REQUESTS, &url, soon).retry_after, soon);
    }
}
