//! Bandwidth: a token bucket in which bytes are paid for strictly in the order they came.
//!
//! It does not wait: it says until when, and `rate_limiter` waits.

use std::time::Duration;

/// How long an idle bucket keeps what it could have let through; also makes up for timers that wake late.
///
/// What it may add to a second is taken off the refill, so that both together stay within the rate.
const CREDIT: Duration = Duration::from_millis(15);

/// What a byte costs at one byte per second, in nanoseconds: a second, and what the credit gives away in one.
const PRICE: u128 = 1_000_000_000 + CREDIT.as_nanos();

/// Bytes already promised, as the instant at which the last of them is paid for.
///
/// Each piece gets its stretch of time right behind the one before it, so a large piece is not starved by small ones.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    paid_until: Duration,
}

impl Bucket {
    /// Takes `bytes` at `now` and says when they may be handed on, at `rate` bytes per second.
    pub(super) fn charge(&mut self, now: Duration, bytes: usize, rate: u64) -> Duration {
        let from = self.paid_until.max(now.saturating_sub(CREDIT));
        let nanos = (bytes as u128 * PRICE).div_ceil(u128::from(rate.max(1)));
        self.paid_until = from.saturating_add(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)));
        self.paid_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_large_piece_is_served_before_the_small_ones_behind_it() {
        let mut bucket = Bucket::default();
        let now = Duration::from_secs(10);
        let large = bucket.charge(now, 1_000_000, 1_000_000);
        let small = bucket.charge(now, 1_000, 1_000_000);
        assert!(large < small);
        assert!((large + Duration::from_millis(1)..large + Duration::from_micros(1020)).contains(&small));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_stretch_lets_more_through_than_its_rate(
            rate in 1_000u64..100_000_000,
            pieces in proptest::collection::vec((1usize..500_000, 0u64..200), 2..200),
        ) {
            let mut bucket = Bucket::default();
            let mut now = Duration::from_secs(1);
            let mut handed: Vec<(Duration, usize)> = Vec::new();
            for (bytes, idle) in pieces {
                now += Duration::from_millis(idle);
                let at = bucket.charge(now, bytes, rate).max(now);
                handed.push((at, bytes));
            }
            for (first, (from, _)) in handed.iter().enumerate() {
                let mut sum = 0;
                // What the first piece cost was paid before this stretch began.
                for (at, bytes) in &handed[first + 1..] {
                    sum += *bytes as u128;
                    let allowed = (*at + CREDIT).saturating_sub(*from).as_nanos() * u128::from(rate) / 1_000_000_000;
                    prop_assert!(sum <= allowed, "{sum} bytes where {allowed} were allowed");
                }
            }
        }
    }
}
