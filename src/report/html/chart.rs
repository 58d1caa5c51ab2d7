//! The run over time: rate, requests under way and pauses, as two charts over one axis and as a table.
//!
//! A chart is a picture of 1000 by 100 units that the page stretches. Nothing is smoothed.

use std::fmt::Write as _;
use std::time::Duration;

use crate::report::human;
use crate::report::model::RunSample;

/// Both charts.
#[derive(Debug)]
pub(super) struct Chart {
    /// The outline of the rate, as an SVG path that closes on the ground.
    pub(super) rate: String,
    /// The outline of the requests under way.
    pub(super) under_way: String,
    /// Where a host paused: from where, and how wide.
    pub(super) pauses: Vec<(f64, f64)>,
    /// The highest rate and the mean one.
    pub(super) peak_rate: String,
    pub(super) mean_rate: String,
    /// The most requests under way.
    pub(super) peak: u64,
    /// The middle and the end of the time axis.
    pub(super) middle: String,
    pub(super) end: String,
    /// Everything as a table.
    pub(super) rows: Vec<ChartRow>,
}

/// The time up to one sample.
#[derive(Debug)]
pub(super) struct ChartRow {
    /// Its place in the charts, 0 to 1000.
    pub(super) x: f64,
    pub(super) time: String,
    pub(super) rate: String,
    pub(super) bytes: String,
    pub(super) files: String,
    pub(super) under_way: u64,
    pub(super) paused: u64,
}

impl Chart {
    /// None when the report has no two samples, or no time between them.
    pub(super) fn from_samples(samples: &[RunSample]) -> Option<Chart> {
        let (first, last) = (samples.first()?, samples.last()?);
        let whole = last.seconds - first.seconds;
        let steps: Vec<(&RunSample, f64, u64)> = samples
            .windows(2)
            .filter_map(|pair| {
                let seconds = pair[1].seconds - pair[0].seconds;
                // A foreign report may hold anything.
                (seconds > 0.0).then(|| (&pair[1], seconds, pair[1].bytes.saturating_sub(pair[0].bytes)))
            })
            .collect();
        if steps.is_empty() || !(whole > 0.0 && whole.is_finite()) {
            return None;
        }
        let x = |sample: &RunSample| tenths((sample.seconds - first.seconds) / whole * 1000.0);
        let rates: Vec<f64> = steps.iter().map(|(_, seconds, bytes)| number(*bytes) / seconds).collect();
        let peak_rate = rates.iter().copied().fold(0.0, f64::max);
        let peak = samples.iter().map(|sample| sample.under_way).max().unwrap_or_default();
        let of_rate = steps.iter().zip(&rates).map(|((sample, ..), rate)| (x(sample), share(*rate, peak_rate)));
        let of_under_way = steps.iter().map(|(sample, ..)| (x(sample), share(number(sample.under_way), number(peak))));
        let pauses = steps.iter().filter(|(sample, ..)| sample.paused > 0).map(|(sample, seconds, _)| {
            let width = tenths(seconds / whole * 1000.0);
            (tenths(x(sample) - width), width)
        });
        let rows = steps.iter().zip(&rates).map(|((sample, ..), rate)| ChartRow {
            x: x(sample),
            time: span(sample.seconds - first.seconds),
            rate: human_rate(*rate),
            bytes: human::bytes(sample.bytes),
            files: human::number(sample.files),
            under_way: sample.under_way,
            paused: sample.paused,
        });
        Some(Chart {
            rate: outline(of_rate),
            under_way: outline(of_under_way),
            pauses: pauses.collect(),
            peak_rate: human_rate(peak_rate),
            mean_rate: human_rate(number(last.bytes.saturating_sub(first.bytes)) / whole),
            peak,
            middle: span(whole / 2.0),
            end: span(whole),
            rows: rows.collect(),
        })
    }
}

/// Steps from the left edge to each point, and back along the ground.
fn outline(points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut path = "M0 100".to_owned();
    for (x, share) in points {
        let _ = write!(path, "V{}H{x}", tenths(100.0 - 98.0 * share));
    }
    path.push_str("V100Z");
    path
}

fn share(value: f64, of: f64) -> f64 {
    if of > 0.0 { (value / of).clamp(0.0, 1.0) } else { 0.0 }
}

/// Few digits keep the page small.
fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[expect(clippy::cast_precision_loss, reason = "a picture shows no 53 bits")]
fn number(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates, and is not negative")]
fn human_rate(rate: f64) -> String {
    human::rate(rate.round() as u64)
}

fn span(seconds: f64) -> String {
    human::span(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}
