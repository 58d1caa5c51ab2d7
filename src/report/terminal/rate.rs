//! The rate of the last seconds and the time that is left, from numbers alone.

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

/// The files to fetch, as far as days are listed, and those fetched: for the time left.
#[derive(Debug, Default)]
pub(super) struct RateWork {
    days: u64,
    files: u64,
    done: u64,
}

impl RateWork {
    /// One more day is known, with files to fetch.
    pub(super) fn listed(&mut self, files: u64) {
        self.days += 1;
        self.files += files;
    }

    /// A file has ended; what was there before took no time.
    pub(super) fn done(&mut self, took_time: bool) {
        self.done += u64::from(took_time);
    }

    /// The time left, at the pace held so far under whatever limits; `None` while it would be a guess. Days that are
    /// not listed yet count as the mean of the others.
    pub(super) fn left(&self, elapsed: Duration, planned: u64) -> Option<Duration> {
        if elapsed < SETTLED || self.done == 0 || self.days == 0 {
            return None;
        }
        let all = u128::from(self.files) * u128::from(planned.max(self.days)) / u128::from(self.days);
        let to_do = all.saturating_sub(u128::from(self.done));
        u64::try_from(elapsed.as_millis() * to_do / u128::from(self.done)).ok().map(Duration::from_millis)
    }
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
    fn the_time_left_follows_what_is_done_and_not_what_was_there() {
        let mut work = RateWork::default();
        let at = Duration::from_secs;
        assert_eq!(work.left(at(50), 4), None);
        // Of 30 files 10 are there.
        work.listed(20);
        (0..10).for_each(|_| work.done(false));
        assert_eq!(work.left(at(50), 4), None);
        (0..5).for_each(|_| work.done(true));
        assert_eq!(work.left(at(1), 1), None);
        assert_eq!(work.left(at(50), 1), Some(at(150)));
        // Three more days like this one.
        assert_eq!(work.left(at(50), 4), Some(at(750)));
        work.listed(0);
        (0..15).for_each(|_| work.done(true));
        assert_eq!(work.left(at(200), 2), Some(Duration::ZERO));
    }
}
