//! One order: given to the export system, and asked after until it is done.
//!
//! Waiting holds no connection.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use url::Url;

use super::super::address::{FETCH, as_given};
use super::super::not_too_long;
use super::super::query::{RecordQuery, below};
use super::reply::{ExportedFile, Reply};
use crate::failure::{Class, Failure};
use crate::manifest::{Export, Method, Protocol};
use crate::net::{Client, shown};
use crate::source::read_capped;
use crate::untrusted::escape;

/// The log's target for what is told to the user.
pub(super) const TOLD: &str = "sunhaul::told";

/// How long the orders of a day are waited for in one run. A run that comes later asks on.
pub(super) const PATIENCE: Duration = Duration::from_hours(24);
/// How long of it somebody else's order, or another of ours, is waited for.
const OTHERS: Duration = Duration::from_hours(1);
/// The shortest wait between two questions, which doubles; and the longest, whatever JSOC says.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(5);
/// How far the shortest wait doubles.
const SLOWEST: Duration = Duration::from_mins(1);
/// How often an order may be unknown: it takes a moment until one that was given shows.
const UNSEEN: u32 = 6;
/// How many questions in a row may fail on the way.
const MISSES: u32 = 5;

/// How an order ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// With these files.
    Done(Vec<ExportedFile>),
    /// It is to be cut: why.
    TooLarge(String),
    /// It is to be cut: it names too many records.
    TooLong,
    /// It is refused, since some of its files are not on JSOC's disks: in JSOC's words.
    Offline(String),
    /// It is gone, or was never there: in JSOC's words.
    Gone(String),
}

/// What a new order became.
#[derive(Debug)]
pub(super) enum OrderPlaced {
    /// Done at once, refused for its size, or gone.
    Ended(Ended),
    /// It has a number, and its turn comes.
    Queued { id: String, wait: Option<Duration> },
}

/// The counter of the export system.
#[derive(Debug)]
pub(super) struct Counter {
    pub(super) base: Url,
    pub(super) client: Client,
    pub(super) export: Export,
}

/// The waits between questions.
struct PollWaits {
    shortest: Duration,
    end: Instant,
}

impl PollWaits {
    fn until(end: Instant) -> PollWaits {
        PollWaits { shortest: SHORTEST, end }
    }

    /// Waits as JSOC says, within bounds, and not beyond the end. False when that is over.
    async fn wait(&mut self, told: Option<Duration>) -> bool {
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        sleep(told.unwrap_or_default().clamp(self.shortest, LONGEST).min(left)).await;
        self.shortest = (self.shortest * 2).min(SLOWEST);
        true
    }
}

impl Counter {
    /// Gives an order for a record set with its segments.
    ///
    /// # Errors
    /// `source-refused` with JSOC's own words, `pending` when others' orders take too long.
    pub(super) async fn place(
        &self,
        set: &str,
        question: &RecordQuery<'_>,
        end: Instant,
    ) -> Result<OrderPlaced, Failure> {
        let url = self.order(set, question);
        let mut waits = PollWaits::until(end.min(Instant::now() + OTHERS));
        let mut refused = false;
        loop {
            match self.ask(&url).await.map_err(|failure| about(set, failure))? {
                Reply::Done(rows) => return Ok(OrderPlaced::Ended(Ended::Done(rows))),
                Reply::Pending { id: Some(id), wait } => return Ok(OrderPlaced::Queued { id, wait }),
                Reply::Pending { id: None, .. } => {
                    return Err(about(set, read_capped::malformed("an order that waits, without a number")));
                }
                Reply::TooLarge(words) => {
                    return Ok(OrderPlaced::Ended(Ended::TooLarge(format!("JSOC says: {words}"))));
                }
                Reply::Expired => return Ok(OrderPlaced::Ended(Ended::Gone("it is expired".to_owned()))),
                Reply::Unknown(words) => return Ok(OrderPlaced::Ended(Ended::Gone(words))),
                Reply::Busy(words) => {
                    tracing::info!(target: TOLD, "JSOC takes no further order yet: {words}");
                    if !waits.wait(None).await {
                        let why =
                            format!("an hour is waited for its turn, and JSOC says: {words}; the same command asks on");
                        return Err(about(set, Failure::new(Class::Pending, why)));
                    }
                }
                Reply::Offline(words) => return Ok(OrderPlaced::Ended(Ended::Offline(words))),
                Reply::Refused(words) if refused => return Err(about(set, no(&words))),
                // JSOC sometimes accepts on the second attempt what it refused on the first.
                Reply::Refused(_) => {
                    refused = true;
                    waits.wait(None).await;
                    self.client.note_retry();
                }
            }
        }
    }

    /// Asks after an order until it has an end. `wait` is what JSOC said of it when it was given; without one it is asked
    /// after at once.
    ///
    /// # Errors
    /// `source-refused` with JSOC's own words, `pending` when it takes too long; and what the way there fails with, time and
    /// again.
    pub(super) async fn follow(&self, id: &str, wait: Option<Duration>, end: Instant) -> Result<Ended, Failure> {
        let mut url = below(&self.base, FETCH);
        url.query_pairs_mut()
            .append_pair("op", "exp_status")
            .append_pair("requestid", id)
            .append_pair("format", "json");
        let told = |failure| about(id, failure);
        let mut waits = PollWaits::until(end);
        let (mut unseen, mut misses, mut refused, mut next) = (0, 0, false, wait);
        let mut at_once = wait.is_none();
        loop {
            if !std::mem::take(&mut at_once) && !waits.wait(next.take()).await {
                let why = "it is not done after 24 hours; it is remembered, and the same command asks on";
                return Err(told(Failure::new(Class::Pending, why)));
            }
            let reply = match self.ask(&url).await {
                Ok(reply) => reply,
                Err(failure) if failure.class.is_retried() && misses < MISSES => {
                    misses += 1;
                    self.client.note_retry();
                    tracing::info!(%failure, "asking after the order {} once more", self.redact(id));
                    continue;
                }
                Err(failure) => return Err(told(failure)),
            };
            misses = 0;
            match reply {
                Reply::Done(rows) => return Ok(Ended::Done(rows)),
                Reply::Pending { wait, .. } => next = wait,
                Reply::Expired => return Ok(Ended::Gone("it is expired".to_owned())),
                Reply::Unknown(words) if unseen == UNSEEN => return Ok(Ended::Gone(words)),
                Reply::Unknown(_) => unseen += 1,
                Reply::TooLarge(words) => return Ok(Ended::TooLarge(words)),
                Reply::Busy(_) => {}
                Reply::Offline(words) => return Ok(Ended::Offline(words)),
                Reply::Refused(words) if refused => return Err(told(no(&words))),
                Reply::Refused(_) => refused = true,
            }
        }
    }

    async fn ask(&self, url: &Url) -> Result<Reply, Failure> {
        let mut response = self.client.get_listing(url).await.map_err(not_too_long)?;
        let answer = read_capped::whole(&mut response, read_capped::CAP).await?;
        // JSOC's own words go into the log, too.
        let reply = Reply::read(&answer).map(|reply| reply.in_words(|words| self.client.veil(words)));
        let reply = reply.map_err(|failure| self.client.veiled(read_capped::about(shown(url), failure)))?;
        // The journal keeps the number.
        if let Reply::Pending { id: Some(id), .. } = &reply
            && self.client.has_secret(id)
        {
            let why = format!("{}: the number of the order repeats a secret of the source", shown(url));
            return Err(Failure::new(Class::ListingMalformed, why));
        }
        Ok(reply)
    }

    /// A number or a name that JSOC told, for the log.
    pub(super) fn redact(&self, text: &str) -> String {
        self.client.veil(escape(text).into_owned())
    }

    fn order(&self, set: &str, question: &RecordQuery<'_>) -> Url {
        let Export { email, protocol, method, process } = &self.export;
        // Processing takes time: such an order is never ready at once.
        let method = if *protocol == Protocol::Fits { Method::Url } else { *method };
        let requester = email.split('@').next().unwrap_or_default();
        let mut url = below(&self.base, FETCH);
        url.query_pairs_mut()
            .append_pair("op", "exp_request")
            .append_pair("format", "json")
            .append_pair("ds", set)
            .append_pair("notify", email)
            .append_pair("method", method.word())
            .append_pair("protocol", protocol.word())
            .append_pair("filenamefmt", &question.names())
            .append_pair("process=n", &as_given(process.as_deref()))
            .append_pair("requester", requester);
        url
    }
}

/// A refusal in JSOC's words.
pub(super) fn no(words: &str) -> Failure {
    Failure::new(Class::SourceRefused, format!("JSOC says: {words}"))
}

fn about(order: &str, failure: Failure) -> Failure {
    read_capped::about(format_args!("the order `{}`", escape(order)), failure)
}
