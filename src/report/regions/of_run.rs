//! The regions that the days of a run have records of: for its report.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::days::{SeriesDays, are_of_regions};
use super::slots::{Family, SeriesSlots, SlotsOfRegion, Spans};
use crate::archive::{Error, Reader};
use crate::manifest::{Manifest, Series};
use crate::report::Report;
use crate::report::model::RegionSlots;
use crate::run::event::DayState;

/// How many regions a report lists.
const LISTED: usize = 1000;
/// A region crosses the disk in less time than this, so that its records lie this near to any of its days.
const PASSAGE: TimeDelta = TimeDelta::days(20);

/// The regions that a report lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReportRegions {
    /// By series and number.
    pub regions: Vec<RegionSlots>,
    /// How many are left out.
    pub omitted: u64,
}

/// How complete the regions are that were on the disk on the days that this run brought to an end. Records are read of these days
/// and of those around them, and none of a job whose series are not of regions.
///
/// # Errors
/// When the disk fails.
pub fn of_run(job: &Manifest, report: &Report, archive: &Reader, now: DateTime<Utc>) -> Result<ReportRegions, Error> {
    let done = done(job, report);
    if done.is_empty() {
        return Ok(ReportRegions::default());
    }
    let journalled = archive.journalled()?;
    let mut all = Vec::new();
    for series in job.series.iter().filter(|series| are_of_regions(series)) {
        let Some(days) = done.get(&Family::of(series)) else { continue };
        let mut dates = archive.recorded(&series.id)?;
        dates.extend(journalled.iter().filter(|(id, _)| *id == series.id).map(|(_, date)| *date));
        dates.retain(|date| is_near(*date, days));
        let range = series.range.resolve(now, series.source.scale());
        let slots = SeriesDays { job, series, archive, dates, range, failed: failed(series, report) }.read()?;
        // A service that gives no regions may have files of all of them.
        if slots.has_regions() || !slots.has_files {
            all.push(slots);
        }
    }
    Ok(listed(&all, &Spans::of_all(&all).on(&done), LISTED))
}

/// The days that the run brought to an end, of all series that number regions alike.
fn done(job: &Manifest, report: &Report) -> BTreeMap<Family, BTreeSet<NaiveDate>> {
    let mut done: BTreeMap<Family, BTreeSet<NaiveDate>> = BTreeMap::new();
    let families: BTreeMap<&str, Family> = job
        .series
        .iter()
        .filter(|series| are_of_regions(series))
        .map(|series| (series.id.0.as_str(), Family::of(series)))
        .collect();
    for day in report.days.iter().filter(|day| day.state != DayState::Held) {
        if let Some(family) = families.get(day.series.as_str()) {
            done.entry(*family).or_default().insert(day.date);
        }
    }
    done
}

fn is_near(date: NaiveDate, days: &BTreeSet<NaiveDate>) -> bool {
    let first = date.checked_sub_signed(PASSAGE).unwrap_or(NaiveDate::MIN);
    let last = date.checked_add_signed(PASSAGE).unwrap_or(NaiveDate::MAX);
    days.range(first..=last).next().is_some()
}

fn failed(series: &Series, report: &Report) -> BTreeSet<NaiveDate> {
    let failed = report.days.iter().filter(|day| day.series == series.id.0 && day.state == DayState::Failed);
    failed.map(|day| day.date).collect()
}

/// The regions of each series, and where they are more than `most`, those that lack the most slots.
fn listed(all: &[SeriesSlots], spans: &Spans, most: usize) -> ReportRegions {
    let of = |series: &SeriesSlots| {
        let (id, step_seconds) = (series.id.clone(), series.step);
        series.regions(spans).map(move |region| counts(id.clone(), step_seconds, region)).collect::<Vec<_>>()
    };
    let mut regions: Vec<RegionSlots> = all.iter().flat_map(of).collect();
    let order = |region: &RegionSlots| (region.series.clone(), region.harpnum);
    let omitted = regions.len().saturating_sub(most);
    if omitted > 0 {
        regions.sort_by_cached_key(|region| (std::cmp::Reverse(region.expected - region.had), order(region)));
        regions.truncate(most);
    }
    regions.sort_by_cached_key(order);
    ReportRegions { regions, omitted: omitted as u64 }
}

fn counts(series: String, step_seconds: i64, region: SlotsOfRegion) -> RegionSlots {
    let SlotsOfRegion { harpnum, first, last, expected, had, lacking, gaps: _ } = region;
    RegionSlots { series, harpnum, first, last, step_seconds, expected, had, lacking }
}

#[cfg(test)]
mod tests {
    use super::super::slots::{DaySlots, SlotStatus};
    use super::*;
    use crate::day::{Scale, Window};

    /// Series `b` and `a`, each with region `n` of `n` expected slots, of which the first and the last are there.
    fn series() -> [SeriesSlots; 2] {
        let window = Window::of_day("2011-02-15".parse().unwrap());
        ["b", "a"].map(|id| {
            let family = Family { scale: Scale::Tai, is_nrt: false };
            let mut slots = SeriesSlots::new(id, family, 720, window);
            let ends =
                |count: i64| [0, count - 1].map(|nth| (window.start + TimeDelta::seconds(720 * nth), SlotStatus::Had));
            slots.add(DaySlots::from([1, 4, 3].map(|count| (count, ends(count).to_vec()))), [].into_iter());
            slots
        })
    }

    #[test]
    fn a_full_list_has_the_regions_that_lack_most_in_the_order_of_series_and_number() {
        let all = series();
        let spans = Spans::of_all(&all);
        for (most, due, omitted) in [
            (6, &["a 1 1/1", "a 3 2/3", "a 4 2/4", "b 1 1/1", "b 3 2/3", "b 4 2/4"][..], 0),
            (3, &["a 3 2/3", "a 4 2/4", "b 4 2/4"][..], 3),
            (0, &[][..], 6),
        ] {
            let ReportRegions { regions, omitted: left } = listed(&all, &spans, most);
            let told = |region: &RegionSlots| {
                format!("{} {} {}/{}", region.series, region.harpnum, region.had, region.expected)
            };
            assert_eq!(regions.iter().map(told).collect::<Vec<_>>(), due);
            assert_eq!(left, omitted);
        }
    }

    #[test]
    fn a_region_is_told_of_where_one_of_its_days_was_done() {
        let all = series();
        for (family, date, count) in [
            (all[0].family, "2011-02-15", 3),
            (all[0].family, "2011-02-16", 0),
            (Family { is_nrt: true, ..all[0].family }, "2011-02-15", 0),
        ] {
            let done = BTreeMap::from([(family, BTreeSet::from([date.parse().unwrap()]))]);
            let spans = Spans::of_all(&all).on(&done);
            assert_eq!(all[0].regions(&spans).count(), count, "{family:?} {date}");
        }
        let done = BTreeSet::from(["2011-02-15".parse().unwrap()]);
        let is_near = |date: &str| is_near(date.parse().unwrap(), &done);
        assert_eq!(["2011-01-25", "2011-01-26", "2011-03-07", "2011-03-08"].map(is_near), [false, true, true, false]);
    }
}
