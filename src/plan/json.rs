//! The plan as JSON, `plan/1`: what `sunhaul plan --json` prints.
//!
//! Keys are sorted by name, at every level.

use chrono::NaiveDate;
use serde::{Serialize, Serializer};

use super::{Counts, DayStanding, Done, Plan, PlannedDay};
use crate::day::{Scale, Window};
use crate::manifest::{Patch, Region};

/// A plan in the form `plan/1`, with every selected day. Labels are in each series' own scale. It is made while it is
/// written: days take no room.
#[derive(Debug, Serialize)]
pub struct PlanJson<'p> {
    archive: &'p str,
    consequences: serde_json::Value,
    #[serde(serialize_with = "days")]
    days: &'p Plan,
    estimate: serde_json::Value,
    job: &'p str,
    listing: serde_json::Value,
    series: Vec<SeriesJson<'p>>,
    sunhaul: &'static str,
}

/// What the next run will do, as `plan/1` has it; each null where there is nothing to tell.
#[derive(Debug, Default)]
pub struct Outlook {
    /// What becomes of the files of stale days.
    pub consequences: serde_json::Value,
    /// What the run takes, by the lock and the records.
    pub estimate: serde_json::Value,
    /// What the sources have, with `--list`.
    pub listing: serde_json::Value,
}

#[derive(Debug, Serialize)]
struct SeriesJson<'p> {
    days: Counts,
    id: &'p str,
    range: RangeJson,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    regions: Vec<RegionJson>,
    source: &'static str,
}

/// A region that the series follows: no patches where the source has none.
#[derive(Debug, Serialize)]
struct RegionJson {
    patches: Vec<PatchJson>,
    region: String,
}

#[derive(Debug, Serialize)]
struct PatchJson {
    harpnum: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<[String; 2]>,
}

#[derive(Debug, Serialize)]
struct RangeJson {
    end: String,
    start: String,
}

#[derive(Debug, Serialize)]
struct DayJson<'p> {
    date: NaiveDate,
    reason: String,
    series: &'p str,
    state: &'static str,
    window: [String; 2],
}

impl Plan {
    /// The plan in the form `plan/1`, for the archive at `root`.
    #[must_use]
    pub fn to_json<'p>(&'p self, root: &'p str, outlook: Outlook) -> PlanJson<'p> {
        let Outlook { consequences, estimate, listing } = outlook;
        let series = self.series.iter().map(|series| {
            let [start, end] = labels(series.scale, series.range);
            let (days, range) = (series.counts, RangeJson { end, start });
            let regions = series.regions.iter().map(|region| region_json(region, series.scale)).collect();
            SeriesJson { days, id: &series.id.0, range, regions, source: series.source }
        });
        let (series, sunhaul) = (series.collect(), "plan/1");
        PlanJson { archive: root, consequences, days: self, estimate, job: &self.job, listing, series, sunhaul }
    }

    fn day_json<'p>(&self, day: &PlannedDay<'p>) -> DayJson<'p> {
        let reason = match day.standing {
            DayStanding::Done(Done { job, .. }) if *job == self.job => "sealed".to_owned(),
            _ => day.to_string(),
        };
        DayJson {
            date: day.day.date,
            reason,
            series: &day.id.0,
            state: day.state(),
            window: labels(day.scale, day.day.window),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn days<S: Serializer>(plan: &&Plan, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(plan.days().map(|day| plan.day_json(&day)))
}

fn region_json(region: &Region, scale: Scale) -> RegionJson {
    let patch =
        |patch: &Patch| PatchJson { harpnum: patch.harpnum, window: patch.window.map(|window| labels(scale, window)) };
    RegionJson { patches: region.patches.iter().map(patch).collect(), region: region.number.to_string() }
}

fn labels(scale: Scale, window: Window) -> [String; 2] {
    [scale.label(window.start), scale.label(window.end)]
}
