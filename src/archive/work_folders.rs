//! The folders of `work`, and which days have something in them.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use super::safe_dir::Tree;
use super::{Archive, Error, WORK};
use crate::manifest::SeriesId;

/// Where what is known of retired files is noted: in a folder of the series, one file a day.
pub(super) const RETIRED_LINES: &str = "retired_lines";

/// The folders of `work` in which a day may have a folder of its own.
pub(super) const FOLDERS: [&str; 3] = ["partial", "quarantine", "retired"];

/// Where days have their journals.
pub(super) const JOURNALS: &str = "journal";

/// All folders of `work`.
pub(super) const KINDS: [&str; 5] = [FOLDERS[0], FOLDERS[1], FOLDERS[2], JOURNALS, RETIRED_LINES];

/// Removes the folders of a day's work that are empty.
pub(super) fn sweep(tree: &Tree, series: &SeriesId, date: NaiveDate) {
    for kind in KINDS {
        let folder = Archive::work(kind, series);
        tree.prune(&format!("{folder}/{date}"));
        tree.prune(&folder);
    }
}

/// The days that have a journal.
pub(super) fn journalled(tree: &Tree) -> Result<BTreeSet<(SeriesId, NaiveDate)>, Error> {
    days_in(tree, JOURNALS)
}

/// The days that have something of a kind in `work`.
pub(super) fn days_in(tree: &Tree, kind: &str) -> Result<BTreeSet<(SeriesId, NaiveDate)>, Error> {
    let mut days = BTreeSet::new();
    let folder = format!("{WORK}/{kind}");
    if tree.is_link(&folder)? {
        return Ok(days);
    }
    for series in tree.entries(&folder)? {
        let Some(id) = series.text().filter(|_| series.is_dir()) else { continue };
        for day in tree.entries(&format!("{folder}/{id}"))? {
            let name = day.text().unwrap_or_default();
            let date = name.strip_suffix(".jsonl").unwrap_or(name).parse().ok();
            days.extend(date.map(|date| (SeriesId(id.to_owned()), date)));
        }
    }
    Ok(days)
}
