//! What of a day a dataset has, will have, or never has: by its first and last dates, as the server tells them.

use chrono::{NaiveDateTime, TimeDelta};

use super::info::Info;
use crate::day::Window;

/// A dataset whose last date lies no further back is taken for one that still grows.
const GROWS: TimeDelta = TimeDelta::days(90);

/// This much of a day may lie after the last date. That is the date of a record, which a range can only hold by ending
/// after it.
const LAST: TimeDelta = TimeDelta::seconds(1);

/// What a dataset has of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WindowCoverage {
    /// Data, if any, within this window. Its end is not cut: nothing is known of what comes after the last date.
    Within(Window),
    /// Nothing yet.
    NotYet,
    /// Nothing ever.
    Never,
}

/// What the dataset has of a window at this time.
pub(super) fn part(info: &Info, window: &Window, now: NaiveDateTime) -> WindowCoverage {
    let start = window.start.max(info.start.1);
    if start >= window.end {
        WindowCoverage::Never
    } else if start <= info.stop.1 {
        WindowCoverage::Within(Window { start, end: window.end })
    } else if still_grows(info, now) {
        WindowCoverage::NotYet
    } else {
        WindowCoverage::Never
    }
}

/// True for a dataset that may get more data after its last date.
pub(super) fn still_grows(info: &Info, now: NaiveDateTime) -> bool {
    now.signed_duration_since(info.stop.1) <= GROWS
}

/// True when the dataset does not reach to the window's end.
pub(super) fn ends_within(info: &Info, window: &Window) -> bool {
    window.end.signed_duration_since(info.stop.1) > LAST
}
