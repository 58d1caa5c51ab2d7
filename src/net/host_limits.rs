//! One host group as all runs of the process share it: pace, connections, pauses.
//!
//! It does not count for a report, and never gives a host up; `host_session` does both, for each run.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::clock::Clock;
use super::rate_limiter::Pace;
use crate::manifest::host_presets::Effective;
use crate::manifest::{Bandwidth, Rate};

/// The first pause after a 429 that names no wait, and the shortest one.
const UNNAMED_PAUSE: Duration = Duration::from_secs(1);

/// The pause for the next 429 without a wait, when one just made a pause of `pause`: twice as long.
fn after_complaint(pause: Duration, cap: Duration) -> Duration {
    pause.saturating_mul(2).min(cap.max(UNNAMED_PAUSE))
}

/// The same after a request that the host answered: a tenth shorter. Seven answers make up for one complaint.
fn after_success(pause: Duration) -> Duration {
    (pause * 9 / 10).max(UNNAMED_PAUSE)
}

/// The manners toward one operator's hosts.
#[derive(Debug)]
pub(super) struct Group {
    clock: Arc<dyn Clock>,
    pub(super) pace: Pace,
    slots: Arc<Semaphore>,
    /// Slots that a stricter job took away while they were in use; swallowed as they come back.
    surplus: AtomicUsize,
    terms: Mutex<HostTerms>,
}

/// What holds at present.
#[derive(Debug)]
struct HostTerms {
    concurrency: usize,
    next_pause: Duration,
}

impl Group {
    /// A group under `limits`.
    pub(super) fn new(clock: Arc<dyn Clock>, limits: &Effective) -> Group {
        let concurrency = (limits.concurrency as usize).clamp(1, Semaphore::MAX_PERMITS);
        Group {
            pace: Pace::new(Arc::clone(&clock), limits.requests, limits.bandwidth),
            clock,
            slots: Arc::new(Semaphore::new(concurrency)),
            surplus: AtomicUsize::new(0),
            terms: Mutex::new(HostTerms { concurrency, next_pause: UNNAMED_PAUSE }),
        }
    }

    /// Another job comes to the group: of each limit the stricter holds.
    pub(super) fn join(&self, limits: &Effective) {
        self.pace.tighten(limits.requests, limits.bandwidth);
        let mut terms = self.terms();
        let concurrency = (limits.concurrency as usize).max(1);
        if concurrency < terms.concurrency {
            let excess = terms.concurrency - concurrency;
            let idle = self.slots.forget_permits(excess);
            self.surplus.fetch_add(excess - idle, Ordering::Relaxed);
            terms.concurrency = concurrency;
        }
    }

    /// How many requests may be under way at once.
    pub(super) fn concurrency(&self) -> usize {
        self.terms().concurrency
    }

    /// The calendar's time.
    pub(super) fn wall(&self) -> SystemTime {
        self.clock.wall()
    }

    /// Waits for a connection's slot; `None` would mean that there are none any more.
    pub(super) async fn slot(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.slots).acquire_owned().await.ok()
    }

    /// Takes a slot back, or swallows it where a stricter job took it away.
    pub(super) fn give_back(&self, permit: OwnedSemaphorePermit) {
        let took = self.surplus.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if took.is_ok() {
            permit.forget();
        }
    }

    /// The host answered as it should: the next pause without a named wait will be shorter.
    pub(super) fn succeeded(&self) {
        let mut terms = self.terms();
        terms.next_pause = after_success(terms.next_pause);
    }

    /// The host asked for less: nothing is sent for `wait`, or where it named none, for a pause of our own, at most `cap`.
    /// Gives the pause, if this made one.
    pub(super) fn pause(&self, wait: Option<Duration>, cap: Duration) -> Option<Duration> {
        let mut terms = self.terms();
        let pause = match wait {
            Some(wait) => wait,
            // Many workers get the same 429: only one that comes after a pause makes the next pause longer.
            None if !self.pace.pause_left().is_zero() => return None,
            None => {
                let pause = terms.next_pause.min(cap);
                terms.next_pause = after_complaint(pause, cap);
                pause
            }
        };
        self.pace.pause(pause);
        Some(pause)
    }

    /// The limits as the report shows them: `2/s, 1 connection`.
    pub(super) fn limit(&self) -> String {
        let (requests, bandwidth) = self.pace.limits();
        let concurrency = self.concurrency();
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

    fn terms(&self) -> MutexGuard<'_, HostTerms> {
        self.terms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::clock::fake::FakeClock;
    use super::*;

    fn limits(concurrency: u32, requests: Rate) -> Effective {
        Effective { requests, bandwidth: Bandwidth::Unlimited, concurrency, preset: "private", agreed_with: None }
    }

    fn group(clock: &FakeClock) -> Group {
        Group::new(Arc::new(clock.clone()), &limits(4, Rate::Unlimited))
    }

    #[test]
    fn a_stricter_job_takes_slots_away_even_while_they_are_used() {
        let clock = FakeClock::default();
        let group = group(&clock);
        let held: Vec<_> = (0..3).map(|_| clock.run(group.slot()).unwrap()).collect();
        group.join(&limits(2, Rate::PerSecond(2.0)));
        assert_eq!(group.slots.available_permits(), 0);
        assert_eq!(group.concurrency(), 2);
        for permit in held {
            group.give_back(permit);
        }
        assert_eq!(group.slots.available_permits(), 2);
        assert_eq!(group.limit(), "2/s, 2 connections");
        group.join(&limits(8, Rate::Unlimited));
        assert_eq!(group.limit(), "2/s, 2 connections");
    }

    #[test]
    fn an_unnamed_pause_grows_with_complaints_and_shrinks_with_successes() {
        let cap = Duration::from_mins(2);
        let steady = |answers: u32| {
            let mut pause = UNNAMED_PAUSE;
            for _ in 0..40 {
                pause = after_complaint(pause, cap);
                pause = (0..answers).fold(pause, |pause, _| after_success(pause));
            }
            pause.as_secs()
        };
        // Answers between two complaints, and the pause in the long run.
        for (answers, seconds) in [(0, 120), (1, 108), (3, 87), (6, 11), (7, 1), (59, 1)] {
            assert_eq!(steady(answers), seconds, "a complaint after each {answers} answers");
        }
        assert_eq!(after_success(UNNAMED_PAUSE), UNNAMED_PAUSE);
        assert_eq!(after_complaint(Duration::from_mins(1), Duration::from_secs(90)), Duration::from_secs(90));
    }

    #[test]
    fn an_unnamed_pause_grows_only_when_the_complaint_comes_after_it() {
        let clock = FakeClock::default();
        let group = group(&clock);
        let cap = Duration::from_secs(3);
        let mut ends = Vec::new();
        for _ in 0..4 {
            let made = (0..5).filter(|_| group.pause(None, cap).is_some()).count();
            assert_eq!(made, 1);
            clock.run(group.pace.turn());
            ends.push(clock.now().as_secs());
        }
        assert_eq!(ends, [1, 3, 6, 9]);
    }
}
