//! A run over time in few samples, and what it waited for: the parts of the report that add up while it goes on.
//!
//! Their memory is bounded. It reads no clock; the caller says when a sample is.

use std::collections::BTreeMap;
use std::time::Duration;

use super::model::{RunSample, SizeCount, Wait};
use crate::failure::Class;
use crate::net::HostStats;

/// How many samples a run has at most.
const SAMPLES: usize = 300;

/// How far apart samples are at first.
const STEP: Duration = Duration::from_secs(1);

/// The samples so far. When they are too many, each two neighbours become one and later ones are taken half as often.
#[derive(Debug)]
pub(super) struct Timeline {
    samples: Vec<RunSample>,
    step: Duration,
    /// What was seen since the last sample.
    since: (u64, u64),
}

impl Default for Timeline {
    fn default() -> Timeline {
        Timeline { samples: Vec::new(), step: STEP, since: (0, 0) }
    }
}

impl Timeline {
    /// Takes in a look at the hosts, `at` after the begin, with the most requests `under_way` since the look before, when
    /// so many `files` had come; the `last` look is always kept.
    pub(super) fn look(&mut self, at: Duration, hosts: &[HostStats], under_way: u64, files: u64, last: bool) {
        let paused = hosts.iter().filter(|host| host.pause_left_seconds > 0.0).count() as u64;
        self.since = (self.since.0.max(under_way), self.since.1.max(paused));
        let due = self.samples.last().map(|before| Duration::from_secs_f64(before.seconds) + self.step);
        if due.is_some_and(|due| at < due) && !last {
            return;
        }
        if self.samples.len() >= SAMPLES {
            self.thin_out();
        }
        let (under_way, paused) = std::mem::take(&mut self.since);
        let bytes = hosts.iter().map(|host| host.bytes).sum();
        let seconds = Duration::from_millis(u64::try_from(at.as_millis()).unwrap_or(u64::MAX)).as_secs_f64();
        self.samples.push(RunSample { seconds, bytes, files, under_way, paused });
    }

    /// The samples, in the order of time.
    pub(super) fn samples(&self) -> &[RunSample] {
        &self.samples
    }

    /// Keeps the first sample, which is the begin, and makes one of each two that follow.
    fn thin_out(&mut self) {
        self.step *= 2;
        let pairs = self.samples[1..].chunks(2).map(|pair| {
            pair.iter().copied().reduce(|a, b| RunSample {
                under_way: a.under_way.max(b.under_way),
                paused: a.paused.max(b.paused),
                ..b
            })
        });
        self.samples = self.samples.iter().take(1).copied().chain(pairs.flatten()).collect();
    }
}

/// Files by size.
#[derive(Debug, Default)]
pub(super) struct Sizes(BTreeMap<u64, u64>);

impl Sizes {
    /// Counts a file of so many bytes; with subtraction, takes the count back.
    pub(super) fn count(&mut self, bytes: u64, add: fn(u64, u64) -> u64) {
        let at_least = bytes.checked_ilog2().map_or(0, |power| 1 << power);
        let files = self.0.entry(at_least).or_default();
        *files = add(*files, 1);
    }

    /// The counts, smallest first.
    pub(super) fn counts(&self) -> Vec<SizeCount> {
        let counts = self.0.iter().filter(|(_, files)| **files > 0);
        counts.map(|(at_least, files)| SizeCount { at_least: *at_least, files: *files }).collect()
    }
}

/// Waits before another attempt.
#[derive(Debug, Default)]
pub(super) struct RetryWaits(BTreeMap<&'static str, Wait>);

impl RetryWaits {
    /// Counts a wait.
    pub(super) fn count(&mut self, class: Class, seconds: f64) {
        let wait = self.0.entry(class.name()).or_insert(Wait { class, times: 0, seconds: 0.0 });
        wait.times += 1;
        wait.seconds += seconds;
    }

    /// The sums, by the class's name; seconds to the millisecond.
    pub(super) fn sums(&self) -> Vec<Wait> {
        self.0.values().map(|wait| Wait { seconds: (wait.seconds * 1000.0).round() / 1000.0, ..*wait }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(bytes: u64, pause_left_seconds: f64) -> HostStats {
        HostStats { bytes, pause_left_seconds, ..HostStats::default() }
    }

    #[test]
    fn a_long_run_has_few_samples_and_loses_no_byte_and_no_peak() {
        let mut timeline = Timeline::default();
        for tenth in 0..100_000u64 {
            let peak = if tenth == 77_777 { 9 } else { 2 };
            let hosts = [host(tenth, 0.0), host(tenth, if tenth == 55_555 { 3.0 } else { 0.0 })];
            timeline.look(Duration::from_millis(100 * tenth), &hosts, peak, tenth / 7, false);
        }
        timeline.look(Duration::from_millis(10_000_050), &[host(200_001, 0.0)], 0, 14_300, true);
        let samples = timeline.samples();
        assert!((SAMPLES / 2..=SAMPLES).contains(&samples.len()), "{}", samples.len());
        assert!(samples.is_sorted_by(|a, b| a.seconds < b.seconds && a.bytes <= b.bytes && a.files <= b.files));
        assert_eq!((samples[0].seconds, samples[0].bytes), (0.0, 0));
        let last = samples[samples.len() - 1];
        assert_eq!((last.seconds, last.bytes, last.files), (10_000.05, 200_001, 14_300));
        assert_eq!(samples.iter().map(|sample| sample.under_way).max(), Some(9));
        assert_eq!(samples.iter().map(|sample| sample.paused).max(), Some(1));
        assert_eq!(samples.iter().filter(|sample| sample.paused > 0).count(), 1);
    }

    #[test]
    fn a_run_that_ends_at_once_has_its_begin_and_its_end() {
        let mut timeline = Timeline::default();
        timeline.look(Duration::ZERO, &[], 0, 0, false);
        timeline.look(Duration::from_millis(200), &[host(5, 0.0)], 3, 0, false);
        timeline.look(Duration::from_micros(400_300), &[host(10, 0.0)], 0, 2, true);
        let end = RunSample { seconds: 0.4, bytes: 10, files: 2, under_way: 3, paused: 0 };
        assert_eq!(timeline.samples()[1..], [end]);
    }

    #[test]
    fn sizes_are_counted_by_powers_of_two_and_counted_back() {
        let mut sizes = Sizes::default();
        for bytes in [0, 1, 1023, 1024, 1025, 2047, u64::MAX, 7] {
            sizes.count(bytes, u64::saturating_add);
        }
        sizes.count(7, u64::saturating_sub);
        let counts: Vec<(u64, u64)> = sizes.counts().iter().map(|count| (count.at_least, count.files)).collect();
        assert_eq!(counts, [(0, 1), (1, 1), (512, 1), (1024, 3), (1 << 63, 1)]);
    }

    #[test]
    fn waits_are_summed_by_their_reason() {
        let mut waits = RetryWaits::default();
        for (class, seconds) in [(Class::Stalled, 0.1), (Class::ServerError, 4.0), (Class::Stalled, 0.2)] {
            waits.count(class, seconds);
        }
        let server = Wait { class: Class::ServerError, times: 1, seconds: 4.0 };
        assert_eq!(waits.sums(), [server, Wait { class: Class::Stalled, times: 2, seconds: 0.3 }]);
    }
}
