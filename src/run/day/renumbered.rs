//! Files of a day that the archive has under the numbers that their records had before.
//!
//! What it does not do: ask for anything. A file that is not here as it came is fetched like a new one.

use std::collections::{HashMap, HashSet};

use crate::archive::{DayWork, FileLine};
use crate::run::OpenedSeries;
use crate::source::RemoteFile;
use crate::source::jsoc::{KnownFileKey, former_keys};

/// Files that are known, and listed under other keys than before.
#[derive(Debug, Default)]
pub(in crate::run) struct Renumbered {
    /// What is known of them, under the keys that they have now.
    lines: HashMap<String, FileLine>,
    /// The keys that they had.
    former: HashSet<String>,
}

impl Renumbered {
    /// Those of a listing.
    pub(in crate::run) fn of(opened: &OpenedSeries, work: &DayWork, listed: &[RemoteFile]) -> Renumbered {
        let is_known = |key: &str| work.have(key).is_some() || work.prior(key).is_some();
        let source = &opened.series.source;
        if !source.has_fixed_keys() || listed.iter().all(|file| is_known(&file.key)) {
            return Renumbered::default();
        }
        let known: HashMap<String, FileLine> = work.lines().into_iter().map(|line| (line.key.clone(), line)).collect();
        let former = former_keys(listed, known.values().map(KnownFileKey::of_line), source.scale());
        let renumbered = listed.iter().filter_map(|file| {
            let line = known.get(former.get(&file.key)?)?.clone();
            let (key, url, storage) = (file.key.clone(), file.path.clone(), file.storage.clone());
            Some((file.key.clone(), FileLine { key, url, storage, recnum: file.recnum, ..line }))
        });
        let lines = renumbered.collect();
        Renumbered { lines, former: former.into_values().collect() }
    }

    /// What is known of the file with this key.
    pub(in crate::run) fn line(&self, key: &str) -> Option<&FileLine> {
        self.lines.get(key)
    }

    /// The keys that they had.
    pub(in crate::run) fn former_keys(&self) -> &HashSet<String> {
        &self.former
    }
}
