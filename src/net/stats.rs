//! What one host group saw of one run: counted as it happens, read for the report.
//!
//! No limit depends on a figure here.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// What one host group saw of one run, for the report.
#[derive(Debug, Clone, Default)]
pub struct HostStats {
    /// The group's name: `jsoc`, `noaa`, or the host with its port.
    pub host: String,
    /// The preset's name: `jsoc`, `noaa`, `public`, `private`, `embedded`.
    pub preset: String,
    /// The limits in force, such as `2/s, 1 connection`.
    pub limit: String,
    /// Who agreed to more.
    pub agreed_with: Option<String>,
    /// The `From` that was sent.
    pub contact: Option<String>,
    /// The most requests under way at once.
    pub peak_connections: u64,
    /// The most requests begun within any one second.
    pub peak_requests_per_second: u64,
    /// Requests sent, redirects included.
    pub requests: u64,
    /// Requests that were not the first try at their thing.
    pub retried: u64,
    /// Answers that asked for less.
    pub throttled: u64,
    /// Body bytes received.
    pub bytes: u64,
    /// Answers by status.
    pub status_counts: BTreeMap<u16, u64>,
    /// How long the group stood still because the host asked for it, in seconds.
    pub paused_seconds: f64,
    /// How long it still stands still, in seconds.
    pub pause_left_seconds: f64,
    /// How often the SSH tunnel to it ended and was started again.
    pub tunnel_restarts: u64,
}

/// The counts that change with every request.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Requests sent.
    pub(super) requests: u64,
    /// Requests told of as retries.
    pub(super) retried: u64,
    /// Answers that asked for less.
    pub(super) throttled: u64,
    /// Tunnels started again.
    pub(super) tunnel_restarts: u64,
    /// Answers by status.
    pub(super) statuses: BTreeMap<u16, u64>,
    /// Requests under way now, and the most at once.
    pub(super) under_way: u64,
    /// The most requests under way at once.
    pub(super) peak_under_way: u64,
    /// The most requests under way at once since somebody last asked.
    pub(super) peak_since: u64,
    /// The most sends in one second.
    pub(super) peak_per_second: u64,
    /// Failures since the last answer that was none.
    pub(super) failures_in_a_row: u32,
    /// Web pages in place of files since the last answer that was good.
    pub(super) pages_in_a_row: u32,
    last_second: VecDeque<Duration>,
}

impl Tally {
    /// Counts one send at `at`; sends come in the order of time.
    pub(super) fn sent(&mut self, at: Duration) {
        self.requests += 1;
        while self.last_second.front().is_some_and(|first| at.saturating_sub(*first) >= Duration::from_secs(1)) {
            self.last_second.pop_front();
        }
        self.last_second.push_back(at);
        self.peak_per_second = self.peak_per_second.max(self.last_second.len() as u64);
    }

    /// Counts one more request under way.
    pub(super) fn begun(&mut self) {
        self.under_way += 1;
        self.peak_under_way = self.peak_under_way.max(self.under_way);
        self.peak_since = self.peak_since.max(self.under_way);
    }

    /// The most requests under way at once since this was last asked.
    pub(super) fn take_peak(&mut self) -> u64 {
        std::mem::replace(&mut self.peak_since, self.under_way)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_is_told_once_and_what_goes_on_is_told_again() {
        let mut tally = Tally::default();
        tally.begun();
        tally.begun();
        tally.under_way -= 1;
        assert_eq!([tally.take_peak(), tally.take_peak()], [2, 1]);
        tally.under_way -= 1;
        assert_eq!([tally.take_peak(), tally.take_peak()], [1, 0]);
        assert_eq!(tally.peak_under_way, 2);
    }

    #[test]
    fn the_fullest_second_may_lie_across_two() {
        let mut tally = Tally::default();
        for millis in [0, 900, 1_100, 1_200, 1_899, 1_900, 5_000] {
            tally.sent(Duration::from_millis(millis));
        }
        assert_eq!((tally.requests, tally.peak_per_second), (7, 4));
    }
}
