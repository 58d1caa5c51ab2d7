//! Series that the manifest no longer has, and whose days are in the archive still.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::Result;
use crate::archive::Reader;
use crate::lock::Lock;
use crate::manifest::{Manifest, SeriesId};
use crate::report::human;
use crate::untrusted::{escape, quoted};

/// The days of this job whose series the manifest does not have any more, by series.
///
/// # Errors
/// When the archive cannot be read.
pub(super) fn days(job: &Manifest) -> Result<BTreeMap<SeriesId, u64>> {
    let records = Reader::open(&job.archive.root)?;
    let mut days = BTreeMap::new();
    for series in records.series()?.into_iter().filter(|series| !has(job, &series.0)) {
        for date in records.recorded(&series)? {
            // An unreadable record does not say which job it belongs to.
            let is_own = records.header(&series, date).ok().flatten().is_some_and(|header| header.job == job.name);
            if is_own {
                *days.entry(series.clone()).or_default() += 1;
            }
        }
    }
    Ok(days)
}

/// Those of them that the lock has, and that leave it when it is written next.
pub(super) fn in_lock(job: &Manifest, lock: &Lock) -> BTreeSet<SeriesId> {
    let removed = lock.days().filter(|row| !has(job, &row.series));
    removed.map(|row| SeriesId(row.series.clone())).collect()
}

fn has(job: &Manifest, series: &str) -> bool {
    job.series.iter().any(|one| one.id.0 == series)
}

/// `3 days of `b`, which the manifest no longer has: `sunhaul forget job.yaml --series b` takes them out`
pub(super) fn line(manifest: &Path, series: &str, days: u64) -> String {
    let (days, id, manifest) = (human::count(days, "day"), escape(series), manifest.to_string_lossy());
    format!(
        "{days} of `{id}`, which the manifest no longer has: `sunhaul forget {} --series {}` takes them out",
        quoted(&manifest),
        quoted(series)
    )
}
