//! The completeness of regions as text and as CSV.

use std::fmt::Write as _;

use super::{RegionsPage, SeriesRegions};
use crate::report::human;
use crate::report::regions::{GapReason, SlotsOfRegion, reasons};
use crate::report::terminal::Paint;
use crate::untrusted::escape;

pub(super) fn text(page: &RegionsPage, paint: Paint) -> String {
    // Writing to a String cannot fail.
    let mut out = format!("{} in {}\n", escape(&page.job), escape(&page.archive));
    for SeriesRegions { series, step_seconds, regions } in &page.series {
        let step = human::number(step_seconds.unsigned_abs());
        let count = human::count(regions.len() as u64, "region");
        let _ = writeln!(out, "\n{}  {count}, a slot every {step} s", paint.strong(&escape(series)));
        for region in regions {
            let _ = writeln!(out, "  {}", line(region));
        }
    }
    for series in &page.without_regions {
        let _ = writeln!(out, "\n{}  its records have no HARPNUM", paint.strong(&escape(series)));
    }
    let reasons = reasons(page.series.iter().flat_map(|series| &series.regions));
    if !reasons.is_empty() {
        out.push_str("\nwhy slots are not there; --json has each gap\n");
    }
    for reason in reasons {
        let _ = writeln!(out, "  {:<13}  {}", reason.name(), reason.meaning());
    }
    out
}

/// `HARP 377: 1,420 of 1,440 slots; 12 quality, 8 absent  (2011-02-12T00:00:00_TAI to 2011-02-23T23:48:00_TAI)`
fn line(region: &SlotsOfRegion) -> String {
    let SlotsOfRegion { harpnum, expected, had, first, last, lacking, .. } = region;
    let slots = format!("{} of {}", human::number(*had), human::count(*expected, "slot"));
    let why: Vec<String> =
        lacking.iter().map(|(reason, slots)| format!("{} {}", human::number(*slots), reason.name())).collect();
    let why = if why.is_empty() { String::new() } else { format!("; {}", why.join(", ")) };
    format!("HARP {harpnum}: {slots}{why}  ({first} to {last})")
}

/// A row for each region of each series.
pub(super) fn csv(page: &RegionsPage) -> String {
    let own = ["series", "harpnum", "first", "last", "step_seconds", "expected", "had"];
    let names = GapReason::ALL.map(|reason| reason.name().replace(' ', "_"));
    let mut out = own.into_iter().chain(names.iter().map(String::as_str)).collect::<Vec<_>>().join(",");
    out.push('\n');
    for SeriesRegions { series, step_seconds, regions } in &page.series {
        for SlotsOfRegion { harpnum, first, last, expected, had, lacking, .. } in regions {
            let counts = GapReason::ALL.map(|reason| lacking.get(&reason).copied().unwrap_or_default().to_string());
            let counts = counts.join(",");
            // An id is a safe part of a path: it needs no quotes.
            let _ = writeln!(out, "{series},{harpnum},{first},{last},{step_seconds},{expected},{had},{counts}");
        }
    }
    out
}
