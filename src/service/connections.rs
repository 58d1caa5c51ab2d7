//! The open connections of a service: how many there may be, and which one is closed for a new one.
//!
//! A client that holds connections without using them must not keep others out.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use rustix::process::{Resource, getrlimit};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// An answer that brought its client nothing for this long may be closed for a new connection.
const STALLED: Duration = Duration::from_secs(30);

/// The most connections at once.
const MOST: u64 = 512;

/// Descriptors that are left to the rest of the program.
const RESERVED: u64 = 32;

/// A connection's socket and the file that is sent by it.
const DESCRIPTORS: u64 = 2;

/// How many connections the open files that this process may have allow.
pub(super) fn limit() -> usize {
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let connections = (descriptors.saturating_sub(RESERVED) / DESCRIPTORS).clamp(4, MOST);
    usize::try_from(connections).unwrap_or(usize::MAX)
}

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Activity {
    /// A request was read, and its answer is not sent yet.
    is_answering: bool,
    /// When that began, or when the answer last went on.
    since: Instant,
}

#[derive(Debug)]
struct OpenConnection {
    activity: Activity,
    close: CancellationToken,
}

/// The open connections.
#[derive(Debug)]
pub(super) struct Connections {
    limit: usize,
    open: Mutex<BTreeMap<u64, OpenConnection>>,
    closed: Notify,
}

/// One open connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Connection {
    number: u64,
    all: Arc<Connections>,
    /// Cancelled when the connection is to be closed at once.
    pub(super) close: CancellationToken,
}

impl Connections {
    pub(super) fn new(limit: usize) -> Arc<Connections> {
        Arc::new(Connections { limit, open: Mutex::default(), closed: Notify::new() })
    }

    /// Takes in a new connection, once there is room for it: where there is none, another one that is not used is closed.
    pub(super) async fn admit(self: &Arc<Connections>, number: u64) -> Connection {
        loop {
            let closed = self.closed.notified();
            if let Some(connection) = self.open(number) {
                return connection;
            }
            self.shed();
            // An answer may become one that does not go on.
            let _ = tokio::time::timeout(Duration::from_secs(1), closed).await;
        }
    }

    fn open(self: &Arc<Connections>, number: u64) -> Option<Connection> {
        let mut open = self.entries();
        if open.len() >= self.limit {
            return None;
        }
        let close = CancellationToken::new();
        let activity = Activity { is_answering: false, since: Instant::now() };
        open.insert(number, OpenConnection { activity, close: close.clone() });
        Some(Connection { number, all: Arc::clone(self), close })
    }

    /// Closes a connection that is not used.
    pub(super) fn shed(&self) {
        let open = self.entries();
        let activities = open.iter().map(|(number, entry)| (*number, entry.activity));
        if let Some(entry) = least_used(activities, Instant::now()).and_then(|number| open.get(&number)) {
            entry.close.cancel();
        }
    }

    /// Closes all connections but those with an answer under way.
    pub(super) fn close_waiting(&self) {
        self.entries().values().filter(|entry| !entry.activity.is_answering).for_each(|entry| entry.close.cancel());
    }

    fn note(&self, number: u64, is_answering: bool) {
        if let Some(entry) = self.entries().get_mut(&number) {
            entry.activity = Activity { is_answering, since: Instant::now() };
        }
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<u64, OpenConnection>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connection to close for a new one: the one that has waited longest for a request, else an answer that has not gone
/// on for long. None while all others are at work.
fn least_used(open: impl Iterator<Item = (u64, Activity)>, now: Instant) -> Option<u64> {
    let is_unused = |activity: &Activity| !activity.is_answering || now.duration_since(activity.since) >= STALLED;
    let unused = open.filter(|(_, activity)| is_unused(activity));
    unused.min_by_key(|(_, activity)| (activity.is_answering, activity.since)).map(|(number, _)| number)
}

impl Connection {
    /// A request was read.
    pub(super) fn asked(self: &Arc<Connection>) -> Answering {
        self.all.note(self.number, true);
        Answering(Arc::clone(self))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.all.entries().remove(&self.number);
        self.all.closed.notify_waiters();
    }
}

/// A request whose answer is under way, until this is dropped.
#[derive(Debug)]
pub(super) struct Answering(Arc<Connection>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.all.note(self.0.number, false);
    }
}

/// The body of an answer, which notes how it goes on.
#[derive(Debug)]
pub(super) struct NotedBody {
    body: Body,
    answering: Answering,
}

impl NotedBody {
    pub(super) fn new(body: Body, answering: Answering) -> NotedBody {
        NotedBody { body, answering }
    }
}

impl HttpBody for NotedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if frame.is_ready() {
            let connection = &self.answering.0;
            connection.all.note(connection.number, true);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_connection_that_is_used_least_is_closed_for_a_new_one() {
        let now = Instant::now() + Duration::from_hours(1);
        let waiting = |seconds| Activity { is_answering: false, since: now - Duration::from_secs(seconds) };
        let answering = |seconds| Activity { is_answering: true, since: now - Duration::from_secs(seconds) };
        for (open, expected) in [
            (&[][..], None),
            (&[waiting(1), waiting(9), waiting(5)], Some(1)),
            (&[answering(600), waiting(0)], Some(1)),
            (&[answering(29), answering(1)], None),
            (&[answering(29), answering(30), answering(31)], Some(2)),
        ] {
            assert_eq!(least_used((0..).zip(open.iter().copied()), now), expected, "{open:?}");
        }
    }
}
