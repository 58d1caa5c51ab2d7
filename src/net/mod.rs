//! The one door to the network: origins, manners, redirects, retries.
//!
//! No request leaves any other way, so none leaves without its host's pace. What it does not do: know what a
//! listing or a file is.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use url::Url;

use crate::failure::Failure;
use crate::manifest::{Limits, Timeouts};

/// All hosts this process talks to: shared by every job, since limits belong to the operator's host group.
#[derive(Debug, Clone)]
pub struct Net {}

/// What a client needs to know of its job.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The job's name, for the User-Agent.
    pub job: String,
    /// The run's id, for the User-Agent.
    pub run: String,
    /// Sent as `From` to source origins.
    pub contact: Option<String>,
    /// The manifest's limits.
    pub limits: Limits,
    /// The manifest's timeouts.
    pub timeouts: Timeouts,
    /// The manifest's retry: how long a host's own wait is honoured at most.
    pub retry: crate::manifest::Retry,
    /// True when the source is the built-in service: its own preset.
    pub embedded: bool,
}

/// The door for one source of one job: talks to the source's origin and to nothing else.
#[derive(Debug, Clone)]
pub struct Client {}

impl Net {
    /// No host known yet.
    #[must_use]
    pub fn new() -> Net {
        Net {}
    }

    /// A client for the source at `base`. Hosts with the same group share one pace, whatever job asks.
    ///
    /// # Errors
    /// A [`Failure`] when the HTTP client cannot be built, or the limits would raise a public host's preset without
    /// `agreed_with`.
    pub fn client(&self, base: &Url, policy: Policy) -> Result<Client, Failure> {
        let _ = (base, policy);
        todo!()
    }

    /// What each host group saw so far, sorted by name.
    #[must_use]
    pub fn hosts(&self) -> Vec<HostStats> {
        todo!()
    }
}

impl Client {
    /// One GET within the host's pace, redirects followed by hand. Only answers with status 200, 206 and 416 come
    /// back as `Ok`; everything else is a classified failure. One attempt: retrying is the caller's.
    ///
    /// # Errors
    /// A [`Failure`] with class, URL and reason; `retry_after` where the host named a wait.
    pub async fn get(&self, url: &Url, headers: HeaderMap) -> Result<Response, Failure> {
        let _ = (url, headers);
        todo!()
    }

    /// Where the source is.
    #[must_use]
    pub fn base(&self) -> &Url {
        todo!()
    }

    /// Counts a request that was not the first try at its thing.
    pub fn note_retry(&self) {
        todo!()
    }

    /// How many requests may be under way at once to this client's host group.
    #[must_use]
    pub fn concurrency(&self) -> usize {
        todo!()
    }
}

/// An answer whose body has not been read yet. Dropping it gives the connection's permit back.
#[derive(Debug)]
pub struct Response {
    /// 200, 206 or 416.
    pub status: StatusCode,
    /// As sent.
    pub headers: HeaderMap,
    /// The URL that answered, after redirects.
    pub url: Url,
}

impl Response {
    /// The declared length of this body in bytes, `None` when there is none (chunked, or until close).
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        todo!()
    }

    /// True when the framing itself says where the body ends: a length, chunks, or HTTP/2. False for a body that ends
    /// with its connection.
    #[must_use]
    pub fn is_framed(&self) -> bool {
        todo!()
    }

    /// The next piece of the body, within the host's bandwidth; `None` at its proper end.
    ///
    /// # Errors
    /// `stalled` when no byte comes within the stall time or the body crawls, `truncated` when the connection ends before the body does.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        todo!()
    }
}

/// The waits between the attempts at one thing.
#[derive(Debug)]
pub struct Waits {}

impl Waits {
    /// `retry.attempts - 1` waits, growing, with jitter, each at most `retry.max_wait`.
    #[must_use]
    pub fn new(retry: crate::manifest::Retry) -> Waits {
        let _ = retry;
        todo!()
    }

    /// The wait before the next attempt after `failure`; `None` when its class is not retried or attempts are used up.
    /// A `retry_after` lengthens it, up to `max_wait`.
    pub fn after(&mut self, failure: &Failure) -> Option<Duration> {
        let _ = failure;
        todo!()
    }
}

/// What one host group saw in this process, for the report.
#[derive(Debug, Clone, Default)]
pub struct HostStats {
    /// The group's name: `jsoc`, `noaa`, or the host with its port.
    pub host: String,
    /// The preset's name: `jsoc`, `noaa`, `public`, `private`, `embedded`.
    pub preset: String,
    /// The limits in force, such as `2/s, 1 connection`.
    pub limit: String,
    /// Who agreed to more.
    pub agreed_with: Option<String>,
    /// The `From` that was sent.
    pub contact: Option<String>,
    /// The most requests under way at once.
    pub peak_connections: u64,
    /// The most requests begun within any one second.
    pub peak_requests_per_second: u64,
    /// Requests sent, redirects included.
    pub requests: u64,
    /// Requests that were not the first try at their thing.
    pub retried: u64,
    /// Answers that asked for less.
    pub throttled: u64,
    /// Body bytes received.
    pub bytes: u64,
    /// Answers by status.
    pub status_counts: std::collections::BTreeMap<u16, u64>,
    /// How long the group stood still because the host asked for it, in seconds.
    pub paused_seconds: f64,
}
