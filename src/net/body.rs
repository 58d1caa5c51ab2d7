//! An answer's body: piece by piece, within the bandwidth, never waiting for ever.
//!
//! What it does not do: hash, check or keep what it hands on.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, StatusCode, Version};
use tokio::time::{Instant, timeout};
use url::Url;

use super::classify::{failure, within_body};
use super::host::{Host, Slot};
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
    received: u64,
    stall: Duration,
    host: Arc<Host>,
    stretch: Stretch,
    flow: Flow,
}

#[derive(Debug)]
enum Flow {
    Open {
        answer: Box<reqwest::Response>,
        /// Held for its drop.
        _slot: Slot,
    },
    Ended,
    Broken(Failure),
}

/// Time spent waiting for the peer, and what came of it; our own bandwidth limit does not count as its slowness.
#[derive(Debug, Default)]
struct Stretch {
    waited: Duration,
    bytes: u64,
}

impl Response {
    pub(super) fn new(mut answer: reqwest::Response, url: Url, slot: Slot, stall: Duration) -> Response {
        let headers = std::mem::take(answer.headers_mut());
        let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        // A 304 has no body: a length that it gives is that of the file.
        let is_bare = answer.status() == StatusCode::NOT_MODIFIED;
        let length = if is_bare { Some(0) } else { declared };
        let is_framed = length.is_some() || answer.version() >= Version::HTTP_2 || is_chunked(&headers);
        Response {
            status: answer.status(),
            length,
            is_framed,
            headers,
            url,
            received: 0,
            stall,
            host: Arc::clone(slot.host()),
            stretch: Stretch::default(),
            flow: Flow::Open { answer: Box::new(answer), _slot: slot },
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
        let Flow::Open { answer, .. } = &mut self.flow else {
            return match &self.flow {
                Flow::Broken(failure) => Err(failure.clone()),
                _ => Ok(None),
            };
        };
        let asked = Instant::now();
        let next = timeout(self.stall, answer.chunk()).await;
        self.stretch.waited += asked.elapsed();
        match next {
            Err(_) => {
                let why = format!("no byte for {} after {} bytes", seconds(self.stall), self.received);
                Err(self.broken(failure(Class::Stalled, &self.url, &why)))
            }
            Ok(Err(error)) => Err(self.broken(within_body(&error, &self.url, self.received, self.length))),
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
        self.flow = Flow::Ended;
        Ok(None)
    }

    /// Closes the connection and remembers why.
    fn broken(&mut self, failure: Failure) -> Failure {
        self.host.failed(&failure);
        self.flow = Flow::Broken(failure.clone());
        failure
    }
}

/// True when chunks are the last coding: only then do they tell where the body ends.
fn is_chunked(headers: &HeaderMap) -> bool {
    let last = headers.get_all(TRANSFER_ENCODING).iter().next_back();
    last.and_then(|coding| coding.to_str().ok()?.rsplit(',').next())
        .is_some_and(|coding| coding.trim().eq_ignore_ascii_case("chunked"))
}

/// A time for messages.
pub(super) fn seconds(time: Duration) -> String {
    format!("{} s", (time.as_secs_f64() * 10.0).round() / 10.0)
}
