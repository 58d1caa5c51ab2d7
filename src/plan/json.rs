//! The plan as JSON, `plan/1`: what `sunhaul plan --json` prints.

use chrono::NaiveDate;
use serde::Serialize;

use super::{Counts, Plan};
use crate::day::{Day, Scale, Window};
use crate::manifest::SeriesId;

#[derive(Debug, Serialize)]
struct PlanJson<'a> {
    sunhaul: &'static str,
    job: &'a str,
    series: Vec<SeriesJson<'a>>,
    days: Vec<DayJson<'a>>,
}

#[derive(Debug, Serialize)]
struct SeriesJson<'a> {
    id: &'a str,
    source: &'static str,
    range: RangeJson,
    days: Counts,
}

#[derive(Debug, Serialize)]
struct RangeJson {
    start: String,
    end: String,
}

#[derive(Debug, Serialize)]
struct DayJson<'a> {
    #[serde(skip)]
    index: usize,
    series: &'a str,
    date: NaiveDate,
    window: [String; 2],
    state: &'static str,
    reason: String,
}

impl Plan {
    /// The plan in the form `plan/1`: the days to do and the refused ones; with `all`, the done ones too. Labels are in
    /// each series' own scale.
    #[must_use]
    pub fn to_json(&self, all: bool) -> serde_json::Value {
        let mut days: Vec<_> = self
            .days
            .iter()
            .map(|day| self.line(day.series, &day.id, day.day, day.reason.state(), day.reason.to_string()))
            .collect();
        let refused = self.refused.iter();
        days.extend(refused.map(|day| self.line(day.series, &day.id, day.day, "refused", day.to_string())));
        if all {
            days.extend(self.done.iter().map(|day| {
                let reason = if day.job == self.job {
                    "sealed".to_owned()
                } else {
                    format!("sealed by the job `{}`", crate::untrusted::escape(&day.job))
                };
                self.line(day.series, &day.id, day.day, "done", reason)
            }));
        }
        days.sort_by_key(|day| (day.index, day.date));
        let series = self
            .series
            .iter()
            .map(|series| {
                let [start, end] = labels(series.scale, series.range);
                let range = RangeJson { start, end };
                SeriesJson { id: &series.id.0, source: series.source, range, days: series.counts }
            })
            .collect();
        serde_json::json!(PlanJson { sunhaul: "plan/1", job: &self.job, series, days })
    }

    fn line<'a>(&self, index: usize, id: &'a SeriesId, day: Day, state: &'static str, reason: String) -> DayJson<'a> {
        let scale = self.series.iter().find(|series| series.series == index).map_or(Scale::Utc, |series| series.scale);
        DayJson { index, series: &id.0, date: day.date, window: labels(scale, day.window), state, reason }
    }
}

fn labels(scale: Scale, window: Window) -> [String; 2] {
    [scale.label(window.start), scale.label(window.end)]
}
