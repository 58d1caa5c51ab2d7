//! The rate of the last seconds and the time that is left, from numbers alone.
//!
//! What it does not do: read a clock.

use std::collections::VecDeque;
use std::time::Duration;

/// The stretch that a rate is taken over.
const WINDOW: Duration = Duration::from_secs(5);
/// Before this an estimate of the time left is a guess.
const SETTLED: Duration = Duration::from_secs(2);

/// Watches a count of bytes grow.
#[derive(Debug, Default)]
pub(super) struct Meter {
    samples: VecDeque<(Duration, u64)>,
}

impl Meter {
    /// Notes the total at a time since the start, and gives bytes per second over the last seconds.
    pub(super) fn rate(&mut self, elapsed: Duration, total: u64) -> u64 {
        self.samples.push_back((elapsed, total));
        while self.samples.len() > 2 && self.samples.get(1).is_some_and(|(at, _)| *at + WINDOW <= elapsed) {
            self.samples.pop_front();
        }
        let Some((start, before)) = self.samples.front() else { return 0 };
        let span = u128::max((elapsed.saturating_sub(*start)).as_millis(), 1);
        if self.samples.len() < 2 {
            return 0;
        }
        u64::try_from(u128::from(total.saturating_sub(*before)) * 1000 / span).unwrap_or(u64::MAX)
    }
}

/// The time left when `done` of 1.0 took `elapsed`; `None` while it would be a guess.
pub(super) fn left(elapsed: Duration, done: f64) -> Option<Duration> {
    if elapsed < SETTLED || done < 0.005 {
        return None;
    }
    Duration::try_from_secs_f64(elapsed.as_secs_f64() * (1.0 - done.min(1.0)) / done).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_stream_has_its_rate_and_silence_brings_it_to_zero() {
        let mut meter = Meter::default();
        assert_eq!(meter.rate(Duration::ZERO, 0), 0);
        for second in 1..=20 {
            assert_eq!(meter.rate(Duration::from_secs(second), second * 1000), 1000);
        }
        for second in 21..=25 {
            meter.rate(Duration::from_secs(second), 20_000);
        }
        assert_eq!(meter.rate(Duration::from_secs(26), 20_000), 0);
        assert!(meter.samples.len() <= 8, "{}", meter.samples.len());
    }

    #[test]
    fn the_time_left_follows_what_is_done() {
        assert_eq!(left(Duration::from_secs(1), 0.5), None);
        assert_eq!(left(Duration::from_secs(50), 0.0), None);
        assert_eq!(left(Duration::from_secs(50), 0.25), Some(Duration::from_secs(150)));
        assert_eq!(left(Duration::from_secs(50), 1.0), Some(Duration::ZERO));
    }
}
