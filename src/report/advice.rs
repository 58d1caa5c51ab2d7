//! What to do after a run, by how it ended.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::human;
use super::model::{RegionSlots, Report, ReportFailure};
use super::regions::GapReason;
use crate::untrusted::escape;

/// True when files of a folder were not taken in, and nothing else failed: a run fetches them.
#[must_use]
pub(super) fn is_left_to_a_run(report: &Report) -> bool {
    let is_incomplete = matches!(report.run.exit_code, Some(1 | 3));
    report.run.is_adoption && is_incomplete && report.failures.iter().all(|why| why.key.is_some())
}

/// True when all that failed are files whose bytes are wrong at their source: a plain run puts them off, and `--retry-failed`
/// asks for them.
#[must_use]
pub fn is_left_to_the_source(report: &Report) -> bool {
    let is_of_bytes = |why: &ReportFailure| why.key.is_some() && why.class.is_of_bytes();
    let is_all = report.failures_omitted == 0 && !report.failures.is_empty() && report.failures.iter().all(is_of_bytes);
    report.run.exit_code == Some(1) && !report.run.is_adoption && is_all
}

/// The words before the command that goes on. `has_hints` when the failures told already what to do.
#[must_use]
pub(super) fn advice(report: &Report, has_hints: bool) -> Cow<'static, str> {
    let run = &report.run;
    if let (Some(4), Some(spent)) = (run.exit_code, run.ended_by) {
        return format!("the budget (`{}`) is used up; continue with", spent.option()).into();
    }
    let advice = match run.exit_code {
        _ if is_left_to_a_run(report) => "download the rest with",
        _ if is_left_to_the_source(report) => {
            "only their source can correct these files; when it has, download them with"
        }
        Some(3) => {
            "the lock is unchanged: `sunhaul update` updates it to what upstream has now; if upstream is restored, run"
        }
        Some(0) => "download the rest with",
        Some(4) => "the reason may be temporary; continue with",
        Some(130) => "continue with",
        Some(5) if has_hints => "then continue with",
        Some(5) => "free disk space or correct the permissions, then run",
        _ => "a retry will not help by itself; when the cause is fixed, run",
    };
    advice.into()
}

/// What a cadence lacks on the days that the report names.
#[must_use]
pub(in crate::report) fn cadence_gaps(report: &Report) -> Option<String> {
    let days = || report.days.iter().filter(|day| day.without_record > 0);
    let (slots, all): (Vec<u64>, Vec<u64>) = days().map(|day| (day.without_record, day.cadence_slots)).unzip();
    let first = days().next()?;
    Some(format!(
        "{} of the cadence on {} have no record, such as on {} {}; `without_record` in the report counts them by day",
        human::of(slots.iter().sum(), all.iter().sum(), "slot"),
        human::count(days().count() as u64, "day"),
        escape(&first.series),
        first.date
    ))
}

/// Records that gave way to those of a preferred series, a line for each series that they were of.
pub(in crate::report) fn replaced(report: &Report) -> impl Iterator<Item = String> {
    let mut replaced: BTreeMap<&str, u64> = BTreeMap::new();
    for (series, records) in report.days.iter().flat_map(|day| &day.replaced) {
        *replaced.entry(series).or_default() += records;
    }
    let line = |(series, records)| {
        format!("{} of {} replaced by definitive ones", human::count(records, "record"), escape(series))
    };
    replaced.into_iter().map(line)
}

/// How complete the regions are: `regions: 1,208 of 1,420 slots; 200 quality, 12 absent`.
#[must_use]
pub(in crate::report) fn regions(report: &Report) -> Option<String> {
    let sum = |of: fn(&RegionSlots) -> u64| report.regions.iter().map(of).sum();
    let listed = report.regions.len() as u64;
    if listed == 0 {
        return None;
    }
    let mut lacking: BTreeMap<GapReason, u64> = BTreeMap::new();
    for (reason, slots) in report.regions.iter().flat_map(|region| &region.lacking) {
        *lacking.entry(*reason).or_default() += slots;
    }
    let why = lacking.iter().map(|(reason, slots)| format!("{} {}", human::number(*slots), reason.name()));
    let why = why.collect::<Vec<_>>().join(", ");
    let which = match report.regions_omitted {
        0 => "regions".to_owned(),
        more => format!("{} of {} regions", human::number(listed), human::number(listed + more)),
    };
    let had = human::number(sum(|region| region.had));
    let slots = human::count(sum(|region| region.expected), "slot");
    let why = if why.is_empty() { why } else { format!("; {why}") };
    Some(format!("{which}: {had} of {slots}{why}"))
}

/// What to think of where the source had nothing at all of what was asked for: that may be so, or the question is wrong.
#[must_use]
pub(in crate::report) fn doubt(report: &Report) -> Option<String> {
    let (days, files) = (&report.totals.days, &report.totals.files);
    let done = days.sealed + days.provisional;
    let what = match () {
        () if files.listed > 0 && files.absent == files.listed => {
            format!("none of {}", human::count(files.listed, "file"))
        }
        // Days done by earlier runs may have the file.
        () if done > 0 && done == days.planned && files.listed == 0 && days.already_sealed == 0 => {
            format!("no file of {}", human::count(done, "day"))
        }
        () => return None,
    };
    Some(format!(
        "the source has {what}: if that cannot be, check what the manifest requests; `sunhaul run \
         --retry-absent` asks again"
    ))
}
