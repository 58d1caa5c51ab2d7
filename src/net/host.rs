//! One host group: its pace, its connections, its pauses, and when it is given up.
//!
//! What it does not do: speak HTTP.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::pace::Pace;
use super::stats::{HostStats, Tally};
use crate::failure::{Class, Failure};
use crate::manifest::manners::Effective;
use crate::manifest::{Bandwidth, Rate};

/// After so many failures in a row the host gets no more requests.
const LAST_STRAW: u32 = 20;

/// The pause after a 429 that names no wait: doubled by each one that comes after the pause before.
const UNNAMED_PAUSE: Duration = Duration::from_secs(1);

/// A host group as all jobs of the process share it.
#[derive(Debug)]
pub(super) struct Host {
    name: String,
    clock: Arc<dyn Clock>,
    pace: Pace,
    slots: Arc<Semaphore>,
    /// Slots that a stricter job took away while they were in use; swallowed as they come back.
    surplus: AtomicUsize,
    bytes: AtomicU64,
    tally: Mutex<Tally>,
    terms: Mutex<Terms>,
    given_up: CancellationToken,
}

/// What was agreed for the group, by all jobs together.
#[derive(Debug)]
struct Terms {
    concurrency: usize,
    preset: &'static str,
    agreed_with: Option<String>,
    contact: Option<String>,
    next_pause: Duration,
    why_given_up: String,
}

impl Host {
    /// A host group under `limits`.
    pub(super) fn new(name: String, clock: Arc<dyn Clock>, limits: &Effective, contact: Option<String>) -> Host {
        let concurrency = (limits.concurrency as usize).clamp(1, Semaphore::MAX_PERMITS);
        Host {
            name,
            pace: Pace::new(Arc::clone(&clock), limits.requests, limits.bandwidth),
            clock,
            slots: Arc::new(Semaphore::new(concurrency)),
            surplus: AtomicUsize::new(0),
            bytes: AtomicU64::new(0),
            tally: Mutex::default(),
            terms: Mutex::new(Terms {
                concurrency,
                preset: limits.preset,
                agreed_with: limits.agreed_with.clone(),
                contact,
                next_pause: UNNAMED_PAUSE,
                why_given_up: String::new(),
            }),
            given_up: CancellationToken::new(),
        }
    }

    /// Another job comes to the same group: of each limit the stricter holds.
    pub(super) fn join(&self, limits: &Effective, contact: Option<String>) {
        self.pace.tighten(limits.requests, limits.bandwidth);
        let mut terms = self.terms();
        let concurrency = (limits.concurrency as usize).max(1);
        if concurrency < terms.concurrency {
            let excess = terms.concurrency - concurrency;
            let idle = self.slots.forget_permits(excess);
            self.surplus.fetch_add(excess - idle, Ordering::Relaxed);
            terms.concurrency = concurrency;
        }
        terms.agreed_with = terms.agreed_with.take().or_else(|| limits.agreed_with.clone());
        terms.contact = terms.contact.take().or(contact);
    }

    /// How many requests may be under way at once.
    pub(super) fn concurrency(&self) -> usize {
        self.terms().concurrency
    }

    /// The calendar's time.
    pub(super) fn wall(&self) -> SystemTime {
        self.clock.wall()
    }

    /// Waits for a connection's slot.
    ///
    /// # Errors
    /// `host-given-up`.
    pub(super) async fn slot(self: &Arc<Host>) -> Result<Slot, Failure> {
        self.check()?;
        let permit = Arc::clone(&self.slots).acquire_owned().await.map_err(|_| self.farewell())?;
        self.check()?;
        Ok(Slot { host: Arc::clone(self), permit: Some(permit), is_begun: false })
    }

    /// Counts body bytes and waits until the bandwidth allows them.
    pub(super) async fn received(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.pace.bytes(bytes).await;
    }

    /// Counts an answer.
    pub(super) fn answered(&self, status: u16) {
        *self.tally().statuses.entry(status).or_default() += 1;
    }

    /// Counts a retry.
    pub(super) fn retried(&self) {
        self.tally().retried += 1;
    }

    /// The host did what it should: the row of failures ends.
    pub(super) fn succeeded(&self) {
        self.tally().failures_in_a_row = 0;
    }

    /// The host asked for less: nothing is sent for `wait`, at most `cap`.
    pub(super) fn throttled(&self, wait: Option<Duration>, cap: Duration) {
        self.tally().throttled += 1;
        let mut terms = self.terms();
        let pause = match wait {
            Some(wait) => wait,
            // Many workers hear the same complaint: only one that comes after a pause makes the next one longer.
            None if !self.pace.pause_left().is_zero() => return,
            None => {
                let pause = terms.next_pause;
                terms.next_pause = (pause * 2).min(cap);
                pause
            }
        };
        let pause = pause.min(cap);
        tracing::info!(host = %self.name, seconds = pause.as_secs_f64(), "the host asked for a pause");
        self.pace.pause(pause);
    }

    /// Counts a failed attempt; the twentieth in a row gives the host up.
    pub(super) fn failed(&self, failure: &Failure) {
        match failure.class {
            Class::Unreachable
            | Class::Stalled
            | Class::Throttled
            | Class::ServerError
            | Class::Protocol
            | Class::Truncated => {}
            // An answer that is no good for the request still shows that the host works.
            _ if failure.status.is_some() => return self.succeeded(),
            _ => return,
        }
        let in_a_row = {
            let mut tally = self.tally();
            tally.failures_in_a_row += 1;
            tally.failures_in_a_row
        };
        if in_a_row == LAST_STRAW {
            tracing::warn!(host = %self.name, last = %failure.message, "{LAST_STRAW} failures in a row: given up");
            self.terms().why_given_up.clone_from(&failure.message);
            self.given_up.cancel();
        }
    }

    /// What the group saw so far.
    pub(super) fn stats(&self) -> HostStats {
        let terms = self.terms();
        let tally = self.tally();
        HostStats {
            host: self.name.clone(),
            preset: terms.preset.to_owned(),
            limit: limit(self.pace.limits(), terms.concurrency),
            agreed_with: terms.agreed_with.clone(),
            contact: terms.contact.clone(),
            peak_connections: tally.peak_under_way,
            peak_requests_per_second: tally.peak_per_second,
            requests: tally.requests,
            retried: tally.retried,
            throttled: tally.throttled,
            bytes: self.bytes.load(Ordering::Relaxed),
            status_counts: tally.statuses.clone(),
            paused_seconds: self.pace.paused().as_secs_f64(),
            pause_left_seconds: self.pace.pause_left().as_secs_f64(),
        }
    }

    fn check(&self) -> Result<(), Failure> {
        if self.given_up.is_cancelled() { Err(self.farewell()) } else { Ok(()) }
    }

    fn farewell(&self) -> Failure {
        let last = self.terms().why_given_up.clone();
        let message = format!(
            "{}: given up after {LAST_STRAW} failures in a row, the last one: {last}; run the same command again later",
            self.name
        );
        Failure::new(Class::HostGivenUp, message)
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn terms(&self) -> MutexGuard<'_, Terms> {
        self.terms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to have one request under way; given back when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    host: Arc<Host>,
    permit: Option<OwnedSemaphorePermit>,
    is_begun: bool,
}

impl Slot {
    /// The host it is for.
    pub(super) fn host(&self) -> &Arc<Host> {
        &self.host
    }

    /// Waits for the host's pace; a request may be sent at once when this returns.
    ///
    /// # Errors
    /// `host-given-up`.
    pub(super) async fn turn(&mut self) -> Result<(), Failure> {
        let at = tokio::select! {
            biased;
            at = self.host.pace.turn() => at,
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

impl Drop for Slot {
    fn drop(&mut self) {
        if self.is_begun {
            self.host.tally().under_way -= 1;
        }
        let surplus = &self.host.surplus;
        let took = surplus.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if took.is_ok()
            && let Some(permit) = self.permit.take()
        {
            permit.forget();
        }
    }
}

/// The limits as the report shows them: `2/s, 1 connection`.
fn limit((requests, bandwidth): (Rate, Bandwidth), concurrency: usize) -> String {
    let requests = match requests {
        Rate::Unlimited => "unlimited".to_owned(),
        Rate::PerSecond(rate) => format!("{rate}/s"),
    };
    let bandwidth = match bandwidth {
        Bandwidth::Unlimited => String::new(),
        Bandwidth::BytesPerSecond(rate) if rate % (1 << 20) == 0 => format!(", {} MiB/s", rate >> 20),
        Bandwidth::BytesPerSecond(rate) if rate % (1 << 10) == 0 => format!(", {} KiB/s", rate >> 10),
        Bandwidth::BytesPerSecond(rate) => format!(", {rate} B/s"),
    };
    let plural = if concurrency == 1 { "" } else { "s" };
    format!("{requests}{bandwidth}, {concurrency} connection{plural}")
}

#[cfg(test)]
mod tests {
    use super::super::clock::fake::FakeClock;
    use super::*;

    fn limits(concurrency: u32, requests: Rate) -> Effective {
        Effective { requests, bandwidth: Bandwidth::Unlimited, concurrency, preset: "private", agreed_with: None }
    }

    fn host(clock: &FakeClock, concurrency: u32, requests: Rate) -> Arc<Host> {
        Arc::new(Host::new("h:80".into(), Arc::new(clock.clone()), &limits(concurrency, requests), Some("me".into())))
    }

    #[test]
    fn twenty_failures_in_a_row_give_the_host_up_and_a_success_begins_anew() {
        let clock = FakeClock::default();
        let host = host(&clock, 4, Rate::Unlimited);
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
        let host = host(&clock, 4, Rate::Unlimited);
        host.throttled(Some(Duration::from_secs(100)), Duration::from_mins(2));
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
    fn a_stricter_job_takes_slots_away_even_while_they_are_used() {
        let clock = FakeClock::default();
        let host = host(&clock, 4, Rate::Unlimited);
        let held: Vec<Slot> = (0..3).map(|_| clock.run(host.slot()).unwrap()).collect();
        host.join(&limits(2, Rate::PerSecond(2.0)), None);
        assert_eq!(host.slots.available_permits(), 0);
        assert_eq!(host.concurrency(), 2);
        drop(held);
        assert_eq!(host.slots.available_permits(), 2);
        assert_eq!(host.stats().limit, "2/s, 2 connections");
        host.join(&limits(8, Rate::Unlimited), None);
        assert_eq!(host.stats().limit, "2/s, 2 connections");
    }

    #[test]
    fn an_unnamed_pause_grows_only_when_the_complaint_comes_after_it() {
        let clock = FakeClock::default();
        let host = host(&clock, 4, Rate::Unlimited);
        let cap = Duration::from_secs(3);
        let mut ends = Vec::new();
        for _ in 0..4 {
            (0..5).for_each(|_| host.throttled(None, cap));
            clock.run(host.pace.turn());
            ends.push(clock.now().as_secs());
        }
        assert_eq!(ends, [1, 3, 6, 9]);
        assert_eq!(host.stats().throttled, 20);
    }
}
