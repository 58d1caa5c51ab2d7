//! An answer's body: piece by piece, within the bandwidth, never waiting for ever.
//!
//! It does not hash, check or keep what it hands on.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::response::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, Version};
use hyper::body::Body as _;
use tokio::time::{Instant, timeout};
use url::Url;

use super::classify::{failure, within_body};
use super::content_range::ContentRange;
use super::host_session::{HostSession, RequestSlot};
use crate::failure::{Class, Failure};

/// A body that brings fewer bytes than this in one stall time crawls, and is given up like a silent one.
const CRAWL: u64 = 1024;

/// An answer whose body has not been read yet. Dropping it gives the connection's permit back.
#[derive(Debug)]
pub struct Response {
    /// 200, 206, 304 or 416.
    pub status: StatusCode,
    /// As sent.
    pub headers: HeaderMap,
    /// The URL that answered, after redirects.
    pub url: Url,
    length: Option<u64>,
    is_framed: bool,
    /// HTTP/2: the last frame says that it is the last.
    ends_streams: bool,
    received: u64,
    stall: Duration,
    host: Arc<HostSession>,
    stretch: WaitTime,
    flow: BodyFlow,
}

#[derive(Debug)]
enum BodyFlow {
    Open {
        body: Box<reqwest::Body>,
        /// Held for its drop.
        _slot: RequestSlot,
    },
    Ended,
    Broken(Failure),
}

/// Time spent waiting for the peer, and what came of it; our own bandwidth limit does not count as its slowness.
#[derive(Debug, Default)]
struct WaitTime {
    waited: Duration,
    bytes: u64,
}

impl Response {
    pub(super) fn new(answer: reqwest::Response, url: Url, slot: RequestSlot, stall: Duration) -> Response {
        let (Parts { status, headers, version, .. }, body) = http::Response::<reqwest::Body>::from(answer).into_parts();
        let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let length = match status {
            // A 304 has no body: its Content-Length is that of the file.
            StatusCode::NOT_MODIFIED => Some(0),
            // A Content-Range also gives the length of the whole file.
            StatusCode::OK => declared.or_else(|| ContentRange::from_headers(&headers)?.whole()),
            _ => declared,
        };
        let ends_streams = version == Version::HTTP_2;
        let is_framed = length.is_some() || ends_streams || is_chunked(&headers);
        Response {
            status,
            length,
            is_framed,
            ends_streams,
            headers,
            url,
            received: 0,
            stall,
            host: Arc::clone(slot.host()),
            stretch: WaitTime::default(),
            flow: BodyFlow::Open { body: Box::new(body), _slot: slot },
        }
    }

    /// The declared length of this body in bytes, `None` when there is none (chunked, or until close).
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        self.length
    }

    /// True when the framing itself says where the body ends: a length, chunks, or HTTP/2. False for a body that ends
    /// with its connection.
    #[must_use]
    pub fn is_framed(&self) -> bool {
        self.is_framed
    }

    /// The next piece of the body, within the host's bandwidth; `None` at its proper end.
    ///
    /// # Errors
    /// `stalled` when no byte comes within the stall time or the body crawls, `truncated` when the connection ends
    /// before the body does, `protocol` when the framing breaks. An error stays: asked again, it says the same.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        let BodyFlow::Open { body, .. } = &mut self.flow else {
            return match &self.flow {
                BodyFlow::Broken(failure) => Err(failure.clone()),
                _ => Ok(None),
            };
        };
        let asked = Instant::now();
        let next = timeout(self.stall, next_data(body)).await;
        self.stretch.waited += asked.elapsed();
        match next {
            Err(_) => {
                let why = format!("no byte for {} after {} bytes", seconds(self.stall), self.received);
                Err(self.broken(failure(Class::Stalled, &self.url, &why)))
            }
            Ok(Err(error)) => Err(self.broken(within_body(&error, &self.url, self.received, self.length))),
            // A stream that is reset with NO_ERROR ends here like one that is whole (RFC 9113, 8.1), but without END_STREAM.
            Ok(Ok(None)) if self.ends_streams && !body.is_end_stream() => {
                let why = format!("the stream was reset after {} bytes, before its end", self.received);
                Err(self.broken(failure(Class::Truncated, &self.url, &why)))
            }
            Ok(Ok(None)) => self.ended(),
            Ok(Ok(Some(bytes))) => {
                self.received += bytes.len() as u64;
                self.stretch.bytes += bytes.len() as u64;
                if self.stretch.waited >= self.stall {
                    let stretch = std::mem::take(&mut self.stretch);
                    if stretch.bytes < CRAWL {
                        let why = format!("only {} bytes in {}", stretch.bytes, seconds(stretch.waited));
                        return Err(self.broken(failure(Class::Stalled, &self.url, &why)));
                    }
                }
                self.host.received(bytes.len()).await;
                Ok(Some(bytes))
            }
        }
    }

    fn ended(&mut self) -> Result<Option<Bytes>, Failure> {
        if let Some(length) = self.length.filter(|length| self.received < *length) {
            let why = format!("the body ended after {} of {length} bytes", self.received);
            return Err(self.broken(failure(Class::Truncated, &self.url, &why)));
        }
        self.host.succeeded();
        self.flow = BodyFlow::Ended;
        Ok(None)
    }

    /// Closes the connection and remembers why.
    fn broken(&mut self, failure: Failure) -> Failure {
        self.host.failed(&failure);
        self.flow = BodyFlow::Broken(failure.clone());
        failure
    }
}

/// True when the body is framed by chunks and nothing else: `chunked` as the one coding of the one header.
pub(super) fn is_chunked(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let is_one = |coding: &HeaderValue| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    codings.next().is_some_and(is_one) && codings.next().is_none()
}

/// The next bytes of a body; `None` at its end. Trailers are dropped.
async fn next_data(body: &mut reqwest::Body) -> Result<Option<Bytes>, reqwest::Error> {
    loop {
        match poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await.transpose()? {
            None => return Ok(None),
            Some(frame) => {
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
        }
    }
}

/// A time for messages.
pub(super) fn seconds(time: Duration) -> String {
    format!("{} s", (time.as_secs_f64() * 10.0).round() / 10.0)
}
