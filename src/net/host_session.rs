//! One host group as one run sees it: its requests, their figures, and when it is given up.
//!
//! The pace is set by `host_limits`, for all runs together.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Datelike, SecondsFormat};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::host_limits::Group;
use super::stats::{HostStats, Tally};
use crate::failure::{Class, Failure};
use crate::manifest::host_presets::Effective;

/// After this many failed requests in a row a host gets no more in this run.
const MOST_FAILURES: u32 = 20;

/// A host group in one run. The next run begins with clean figures and tries the host anew, at the same pace.
#[derive(Debug)]
pub(super) struct HostSession {
    name: String,
    group: Arc<Group>,
    /// How long the group had stood still when this run came to it.
    paused_before: Duration,
    bytes: AtomicU64,
    tally: Mutex<Tally>,
    terms: Mutex<SeriesTerms>,
    /// The longest wait that the run honours.
    max_wait: Duration,
    given_up: CancellationToken,
}

/// What the run's series say of the group, together.
#[derive(Debug)]
struct SeriesTerms {
    preset: &'static str,
    agreed_with: Option<String>,
    contact: Option<String>,
    /// The whole message.
    why_given_up: String,
}

impl HostSession {
    /// A host group that this run has not asked yet.
    pub(super) fn new(
        name: String,
        group: Arc<Group>,
        limits: &Effective,
        contact: Option<String>,
        max_wait: Duration,
    ) -> HostSession {
        HostSession {
            name,
            max_wait,
            paused_before: group.pace.paused(),
            group,
            bytes: AtomicU64::new(0),
            tally: Mutex::default(),
            terms: Mutex::new(SeriesTerms {
                preset: limits.preset,
                agreed_with: limits.agreed_with.clone(),
                contact,
                why_given_up: String::new(),
            }),
            given_up: CancellationToken::new(),
        }
    }

    /// Another series comes to the same group.
    pub(super) fn join(&self, limits: &Effective, contact: Option<String>) {
        let mut terms = self.terms();
        terms.agreed_with = terms.agreed_with.take().or_else(|| limits.agreed_with.clone());
        terms.contact = terms.contact.take().or(contact);
    }

    /// How many requests may be under way at once.
    pub(super) fn concurrency(&self) -> usize {
        self.group.concurrency()
    }

    /// The calendar's time.
    pub(super) fn wall(&self) -> SystemTime {
        self.group.wall()
    }

    /// Waits for a connection's slot.
    ///
    /// # Errors
    /// `host-given-up`.
    pub(super) async fn slot(self: &Arc<HostSession>) -> Result<RequestSlot, Failure> {
        self.check()?;
        let permit = self.group.slot().await.ok_or_else(|| self.farewell())?;
        self.check()?;
        Ok(RequestSlot { host: Arc::clone(self), permit: Some(permit), is_begun: false })
    }

    /// Counts body bytes and waits until the bandwidth allows them.
    pub(super) async fn received(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.group.pace.bytes(bytes).await;
    }

    /// Counts an answer.
    pub(super) fn answered(&self, status: u16) {
        *self.tally().statuses.entry(status).or_default() += 1;
    }

    /// Counts a retry.
    pub(super) fn retried(&self) {
        self.tally().retried += 1;
    }

    /// Counts a tunnel that had ended and was started again.
    pub(super) fn tunnel_restarted(&self) {
        self.tally().tunnel_restarts += 1;
    }

    /// The host did what it should: the row of failures ends.
    pub(super) fn succeeded(&self) {
        self.tally().failures_in_a_row = 0;
        self.group.succeeded();
    }

    /// The host asked for less: nothing is sent for `wait`. One that is longer than this run may wait gives the host up:
    /// the failure then, in place of the refusal's own.
    pub(super) fn throttled(&self, wait: Option<Duration>) -> Option<Failure> {
        self.tally().throttled += 1;
        if let Some(pause) = self.group.pause(wait, self.max_wait) {
            tracing::info!(host = %self.name, seconds = pause.as_secs_f64(), "the host asked for a pause");
        }
        self.check().err()
    }

    /// Counts a failed attempt; the [`MOST_FAILURES`]th in a row gives the host up.
    pub(super) fn failed(&self, failure: &Failure) {
        match failure.class {
            Class::Unreachable
            | Class::Stalled
            | Class::Throttled
            | Class::ServerError
            | Class::Protocol
            | Class::Truncated => {}
            // Even an answer that does not serve the request shows that the host works.
            _ if failure.status.is_some() => return self.succeeded(),
            _ => return,
        }
        let in_a_row = {
            let mut tally = self.tally();
            tally.failures_in_a_row += 1;
            tally.failures_in_a_row
        };
        self.give_up_at(in_a_row, failure);
    }

    /// A whole answer was no good for what it was asked for: a web page in place of a file. The twentieth in a row gives
    /// the host up, since it is not well, whatever its status says.
    pub(super) fn gave_a_page(&self, failure: &Failure) {
        let in_a_row = {
            let mut tally = self.tally();
            tally.pages_in_a_row += 1;
            tally.pages_in_a_row
        };
        self.give_up_at(in_a_row, failure);
    }

    /// A whole answer was good for what it was asked for.
    pub(super) fn gave_a_file(&self) {
        self.tally().pages_in_a_row = 0;
    }

    fn give_up_at(&self, in_a_row: u32, failure: &Failure) {
        if in_a_row == MOST_FAILURES {
            self.give_up(&format!(
                "given up after {MOST_FAILURES} failures in a row, the last one: {}; run the same command again later",
                failure.message
            ));
        }
    }

    fn give_up(&self, why: &str) {
        let mut terms = self.terms();
        if terms.why_given_up.is_empty() {
            tracing::warn!(host = %self.name, "{why}");
            terms.why_given_up = format!("{}: {why}", self.name);
            self.given_up.cancel();
        }
    }

    /// The most requests of this run under way at once since this was last asked.
    pub(super) fn take_peak(&self) -> u64 {
        self.tally().take_peak()
    }

    /// What the group saw so far.
    pub(super) fn stats(&self) -> HostStats {
        let terms = self.terms();
        let tally = self.tally();
        HostStats {
            host: self.name.clone(),
            preset: terms.preset.to_owned(),
            limit: self.group.limit(),
            agreed_with: terms.agreed_with.clone(),
            contact: terms.contact.clone(),
            peak_connections: tally.peak_under_way,
            peak_requests_per_second: tally.peak_per_second,
            requests: tally.requests,
            retried: tally.retried,
            throttled: tally.throttled,
            bytes: self.bytes.load(Ordering::Relaxed),
            status_counts: tally.statuses.clone(),
            paused_seconds: self.group.pace.paused().saturating_sub(self.paused_before).as_secs_f64(),
            pause_left_seconds: self.group.pace.pause_left().as_secs_f64(),
            tunnel_restarts: tally.tunnel_restarts,
        }
    }

    /// Refuses once the host is given up, which a pause longer than this run may wait does, whoever was asked for it.
    ///
    /// # Errors
    /// `host-given-up`.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if !self.given_up.is_cancelled() {
            let left = self.group.pace.pause_left();
            if !self.is_too_long(left) {
                return Ok(());
            }
            self.give_up(&too_long(self.wall(), left, self.max_wait));
        }
        Err(self.farewell())
    }

    /// True for a wait that is longer than this run may wait.
    pub(super) fn is_too_long(&self, wait: Duration) -> bool {
        wait > self.max_wait
    }

    fn farewell(&self) -> Failure {
        Failure::new(Class::HostGivenUp, self.terms().why_given_up.clone())
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn terms(&self) -> MutexGuard<'_, SeriesTerms> {
        self.terms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a host that asks for such a wait is given up.
fn too_long(now: SystemTime, wait: Duration, max_wait: Duration) -> String {
    // Whole seconds, rounded up, so that the time is not earlier than the host's.
    let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
    let until = now.checked_add(Duration::from_secs(seconds)).and_then(|until| {
        let since = until.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        DateTime::from_timestamp(i64::try_from(since.as_secs()).ok()?, 0)
    });
    let until = match until.filter(|until| until.year() <= 9999) {
        Some(until) => format!("until {} ({seconds} s)", until.to_rfc3339_opts(SecondsFormat::Secs, true)),
        None => format!("for {seconds} s"),
    };
    format!(
        "the host asks to wait {until}, longer than `retry.max_wait` ({} s): it gets no more requests in this run; run the \
         same command again after that",
        max_wait.as_secs_f64()
    )
}

/// The right to have one request under way; given back when dropped.
#[derive(Debug)]
pub(super) struct RequestSlot {
    host: Arc<HostSession>,
    permit: Option<OwnedSemaphorePermit>,
    is_begun: bool,
}

impl RequestSlot {
    /// The host it is for.
    pub(super) fn host(&self) -> &Arc<HostSession> {
        &self.host
    }

    /// Waits for the host's pace; a request may be sent at once when this returns.
    ///
    /// # Errors
    /// `host-given-up`.
    pub(super) async fn turn(&mut self) -> Result<(), Failure> {
        let at = tokio::select! {
            biased;
            at = self.host.group.pace.turn() => at,
            () = self.host.given_up.cancelled() => return Err(self.host.farewell()),
        };
        self.host.check()?;
        let mut tally = self.host.tally();
        tally.sent(at);
        if !self.is_begun {
            self.is_begun = true;
            tally.begun();
        }
        Ok(())
    }
}

impl Drop for RequestSlot {
    fn drop(&mut self) {
        if self.is_begun {
            self.host.tally().under_way -= 1;
        }
        if let Some(permit) = self.permit.take() {
            self.host.group.give_back(permit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::clock::Clock as _;
    use super::super::clock::fake::FakeClock;
    use super::*;
    use crate::manifest::{Bandwidth, Rate};

    const MAX_WAIT: Duration = Duration::from_mins(2);

    fn limits(concurrency: u32, requests: Rate) -> Effective {
        Effective { requests, bandwidth: Bandwidth::Unlimited, concurrency, preset: "private", agreed_with: None }
    }

    fn group(clock: &FakeClock) -> Arc<Group> {
        Arc::new(Group::new(Arc::new(clock.clone()), &limits(4, Rate::Unlimited)))
    }

    fn host(group: &Arc<Group>) -> Arc<HostSession> {
        Arc::new(HostSession::new(
            "h:80".into(),
            Arc::clone(group),
            &limits(4, Rate::Unlimited),
            Some("me".into()),
            MAX_WAIT,
        ))
    }

    #[test]
    fn twenty_failures_in_a_row_give_the_host_up_and_a_success_begins_anew() {
        let clock = FakeClock::default();
        let host = host(&group(&clock));
        let failure = Failure::new(Class::Stalled, "GET x: silence");
        let missing = Failure { status: Some(404), ..Failure::new(Class::NotFound, "gone") };
        for _ in 0..19 {
            host.failed(&failure);
        }
        host.succeeded();
        for _ in 0..19 {
            host.failed(&failure);
        }
        host.failed(&missing);
        for _ in 0..19 {
            host.failed(&failure);
        }
        assert!(clock.run(host.slot()).is_ok());
        host.failed(&failure);
        let refused = clock.run(host.slot()).unwrap_err();
        assert_eq!(refused.class, Class::HostGivenUp);
        assert!(refused.message.contains("GET x: silence"), "{refused}");
    }

    #[test]
    fn who_waits_out_a_pause_learns_at_once_that_the_host_is_given_up() {
        let clock = FakeClock::default();
        let host = host(&group(&clock));
        host.throttled(Some(Duration::from_secs(100)));
        let failure = Failure::new(Class::Stalled, "x");
        let ended = clock.run(async {
            let mut slot = host.slot().await.unwrap();
            let others = async {
                clock.sleep_until(Duration::from_secs(1)).await;
                (0..20).for_each(|_| host.failed(&failure));
            };
            futures_util::join!(slot.turn(), others).0
        });
        assert_eq!(ended.unwrap_err().class, Class::HostGivenUp);
        assert_eq!(clock.now(), Duration::from_secs(1));
    }

    #[test]
    fn the_next_run_begins_with_clean_figures_and_asks_again() {
        let clock = FakeClock::default();
        let group = group(&clock);
        let first = host(&group);
        let slots: Vec<RequestSlot> = (0..3).map(|_| clock.run(first.slot()).unwrap()).collect();
        for mut slot in slots {
            clock.run(slot.turn()).unwrap();
        }
        first.answered(503);
        first.retried();
        first.throttled(Some(Duration::from_secs(9)));
        clock.run(async {
            clock.sleep_until(Duration::from_secs(4)).await;
            first.received(1000).await;
        });
        (0..20).for_each(|_| first.failed(&Failure::new(Class::Stalled, "x")));

        let second = host(&group);
        let stats = second.stats();
        assert_eq!((stats.requests, stats.retried, stats.throttled, stats.bytes), (0, 0, 0, 0));
        assert_eq!((stats.peak_connections, stats.peak_requests_per_second), (0, 0));
        assert!(stats.status_counts.is_empty());
        let mut slot = clock.run(second.slot()).unwrap();
        clock.run(slot.turn()).unwrap();
        assert_eq!(clock.now(), Duration::from_secs(9), "the pause holds for this run too");
        let stats = second.stats();
        assert_eq!((stats.requests, stats.peak_connections, stats.peak_requests_per_second), (1, 1, 1));
        assert!((stats.paused_seconds - 5.0).abs() < 1e-9, "{}", stats.paused_seconds);
    }
}
