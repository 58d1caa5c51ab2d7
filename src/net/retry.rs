//! The waits between the attempts at one thing: growing, jittered, capped, and longer where the host asks for it.
//!
//! It does not wait or retry: the caller does both.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

use crate::failure::Failure;
use crate::manifest::Retry;

/// The first wait, before jitter.
const FIRST: Duration = Duration::from_millis(500);

/// All waits for one thing together are at most this many times the longest single one.
const SUM: u32 = 30;

/// The waits between the attempts at one thing.
#[derive(Debug)]
pub struct Waits {
    backoff: <ExponentialBuilder as BackoffBuilder>::Backoff,
    max_wait: Duration,
    left: Duration,
}

impl Waits {
    /// `retry.attempts - 1` waits, growing, with jitter, each at most `retry.max_wait`.
    #[must_use]
    pub fn new(retry: Retry) -> Waits {
        let backoff = ExponentialBuilder::new()
            .with_jitter()
            .with_factor(2.0)
            .with_min_delay(FIRST.min(retry.max_wait))
            .with_max_delay(retry.max_wait)
            .with_max_times(retry.attempts.saturating_sub(1) as usize)
            .build();
        Waits { backoff, max_wait: retry.max_wait, left: retry.max_wait.saturating_mul(SUM) }
    }

    /// The wait before the next attempt after `failure`; `None` when its class is not retried, or attempts or the
    /// time for waits are used up. A `retry_after` lengthens it, up to `max_wait`.
    pub fn after(&mut self, failure: &Failure) -> Option<Duration> {
        if !failure.class.is_retried() {
            return None;
        }
        let own = self.backoff.next()?;
        let wait = own.max(failure.retry_after.unwrap_or_default()).min(self.max_wait);
        self.left = self.left.checked_sub(wait)?;
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Class;

    fn waits(attempts: u32, max_wait: Duration, failure: &Failure) -> Vec<Duration> {
        let mut waits = Waits::new(Retry { attempts, max_wait });
        std::iter::from_fn(|| waits.after(failure)).collect()
    }

    #[test]
    fn six_attempts_have_five_growing_waits_within_the_cap() {
        let got = waits(6, Duration::from_secs(5), &Failure::new(Class::ServerError, "x"));
        assert_eq!(got.len(), 5);
        for (nth, wait) in got.iter().enumerate() {
            let least = Duration::from_millis(500 << nth).min(Duration::from_secs(5));
            assert!(*wait >= least && *wait <= Duration::from_secs(5), "{got:?}");
        }
    }

    #[test]
    fn the_host_s_wait_lengthens_ours_up_to_the_cap() {
        let mut asked = Failure::new(Class::Throttled, "x");
        asked.retry_after = Some(Duration::from_secs(30));
        assert_eq!(waits(2, Duration::from_mins(2), &asked), [Duration::from_secs(30)]);
        asked.retry_after = Some(Duration::from_secs(1_000_000_000));
        assert_eq!(waits(2, Duration::from_mins(2), &asked), [Duration::from_mins(2)]);
    }

    #[test]
    fn what_trying_again_cannot_help_is_not_tried_again() {
        assert!(waits(6, Duration::from_secs(5), &Failure::new(Class::Forbidden, "x")).is_empty());
        assert!(waits(1, Duration::from_secs(5), &Failure::new(Class::Stalled, "x")).is_empty());
    }

    proptest::proptest! {
        #[test]
        fn no_wait_that_a_host_asks_for_breaks_the_cap(seconds in 0u64.., nanos in 0u32..1_000_000_000, cap in 0u64..9_000) {
            let cap = Duration::from_millis(cap);
            let mut failure = Failure::new(Class::Throttled, "x");
            failure.retry_after = Some(Duration::new(seconds, nanos));
            let got = waits(40, cap, &failure);
            proptest::prop_assert!(got.iter().all(|wait| *wait <= cap));
            proptest::prop_assert!(got.iter().sum::<Duration>() <= cap * SUM);
        }
    }

    #[test]
    fn the_sum_of_all_waits_is_capped() {
        let cap = Duration::from_millis(10);
        let sum: Duration = waits(100_000, cap, &Failure::new(Class::Stalled, "x")).iter().sum();
        assert!(sum <= cap * SUM, "{sum:?}");
    }
}
